"""Command lines: every command with options of its own and values of any kind, in an empty folder, signed out."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from hypothesis import strategies as st

from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from tests.properties.kinds import Kind, said
from tests.properties.mutations import TEXTS
from tests.support import EXAMPLE_SETTINGS
from tests.support.command_lines import COMMANDS, options, takes_value

PLAYED = ("accounts", "console_bundle", "diff", "doctor", "history", "package", "project", "publish",
          "rehearse", "rollback", "seed", "status", "teardown", "upgrade",
          "versions")  # fmt: skip  # the others do their work at once
FITTING = [
    "environment.yaml", "missing", "folder", "iris-multi-01", "us-east-1", "us-east-1,eu-west-1", "us-east-1,,", ",",
    "1",
    "0", "65536", "1e400", "A=b", "=b", "A", "A=b=c", "staging", "prod", "both", "s3", "default", "-", "--", "-1",
    "build",
    "project", "delegated", "0.2.0-1a2b3c4d", "https://git.example.com", "--upload-pack=x", "/dev/null", "/dev/zero",
    "pipe",
]  # fmt: skip
WORDS = [text for text in [*FITTING, *TEXTS] if "\0" not in text or text == "\0"]
ALONE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "PATH": "/usr/bin:/bin",
}


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command and what is typed behind it."""
    command = draw(st.sampled_from(PLAYED))
    typed: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        option = draw(st.sampled_from(options(f"scripts.{command}")))
        name = option.option_strings[0]
        if not takes_value(option):
            typed.append(name)
            continue
        value = draw(st.sampled_from([*map(str, option.choices or ()), *WORDS]) | st.text(max_size=12))
        typed += draw(st.sampled_from([[f"{name}={value}"], [name, value], [name]]))
    return command, typed + draw(st.lists(st.sampled_from(WORDS), max_size=1))


@contextmanager
def nowhere(folder: Path) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """An empty folder of a person who is signed out: what the command prints there, and no work is begun in it."""

    def stop(*_: object, **__: object) -> None:
        raise UserError("here the work would begin")

    folder.mkdir(exist_ok=True)
    (folder / "environment.yaml").write_text(EXAMPLE_SETTINGS)
    (folder / "folder").mkdir(exist_ok=True)
    if not (folder / "pipe").exists():
        os.mkfifo(folder / "pipe")  # nothing writes into it: a reader waits
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(folder),
        patch.dict(os.environ, ALONE, clear=True),
        patch.object(pack, "BUILD", folder / "none"),
        patch.object(pack, "read_tree", stop),
        patch("scripts.rehearsal.story_command.claim", stop),
        patch("scripts.rehearsal.other_templates.rehearsing.claim", stop),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        yield out, err


def check(line: tuple[str, list[str]], folder: Path) -> None:
    command, typed = line
    with nowhere(folder / "here") as (_, err):
        before = sorted(Path().rglob("*"))
        try:
            code: object = console.run(lambda: COMMANDS[f"scripts.{command}"](typed))
        except SystemExit as left:  # argparse's own way
            code = left.code
        assert code in (0, 1, 2), code
        assert sorted(Path().rglob("*")) == before
        if code:
            said(err.getvalue())


KIND = Kind("command line", lines(), check)
