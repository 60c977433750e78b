"""Every option of every command refuses what cannot be, as a usage error, before anything is written."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from scripts.kit import arguments
from scripts.kit.console import UsageError
from tests.support.command_lines import COMMANDS, options, takes_value

OPTIONS = [
    (command, option.option_strings[0]) for command in COMMANDS for option in options(command) if takes_value(option)
]
NEVER = ["", "--", "\0", "a\0b", "x" * 10_000]


@pytest.mark.parametrize(("command", "name"), OPTIONS)
def test_an_option_has_a_kind_or_choices(command: str, name: str) -> None:
    (option,) = [option for option in options(command) if name in option.option_strings]
    assert option.choices or option.type not in (None, str, int, float, Path)


@pytest.mark.parametrize(("command", "name"), OPTIONS)
@pytest.mark.parametrize("value", NEVER)
def test_what_no_option_takes_is_a_usage_error_before_anything_is_written(
    command: str,
    name: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"argument {name}") as refused:
        COMMANDS[command]([f"{name}={value}"])
    if "invalid choice" not in str(refused.value):  # argparse's own words, with the whole of what was typed
        assert len(str(refused.value)) < 1000
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("rehearse", ["--regions", "us-east-1,,"]),
        ("rehearse", ["--regions", ",us-east-1"]),
        ("rehearse", ["--port", "٣"]),
        ("rehearse", ["--port", "65536"]),
        ("rehearse", ["--patience", "nan"]),
        ("rehearse", ["--patience", "1e400"]),
        ("rehearse", ["--patience", "-1"]),
        ("rehearse", ["--project", "ïris"]),
        ("rehearse", ["--parameter", "=x"]),
        ("status", ["--pause", "inf"]),
        ("status", ["--pause", "１"]),
        ("rollback", ["--project", "x", "--stage", "prod", "--version", "0"]),
        ("rollback", ["--project", "x", "--stage", "prod", "--version", "²"]),
        ("rollback", ["--project", "x", "--stage", "prod", "--version", "9" * 20]),
        ("seed", ["--project", "x", "--remote=--upload-pack=touch x"]),
        ("seed", ["--project", "x", "--deploy-repository=../x"]),
        ("upgrade", ["--project", "x", "--set", "A"]),
        ("upgrade", ["--project", "../x"]),
        ("taskcat", ["--test", "a,,b"]),
    ],
)
def test_a_number_a_list_or_a_name_that_cannot_be_is_a_usage_error(command: str, typed: list[str]) -> None:
    with pytest.raises(UsageError, match=": write "):
        COMMANDS[f"scripts.{command}"](typed)


def test_what_is_right_is_taken_as_it_is() -> None:
    assert arguments.path("a b/$c'\n") == Path("a b/$c'\n")
    assert arguments.label("prod Zürich") == "prod Zürich"
    assert arguments.pair("A=b=c") == "A=b=c"
    assert arguments.listed(arguments.word)("us-east-1,eu-west-1") == "us-east-1,eu-west-1"
    assert (arguments.whole(1, 9)("9"), arguments.seconds("0.5")) == (9, 0.5)
    assert arguments.address("git@github.com") == "git@github.com"
    assert arguments.project("iris-multi-01") == "iris-multi-01"


def test_a_refusal_shows_what_was_typed_in_words_that_a_terminal_can_print() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"^\\x1b\[31m: write a name"):
        arguments.word("\x1b[31m")
