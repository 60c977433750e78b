"""An environment file that holds anything at all: every mistake is reported with key and line, quickly, in words."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.kit.console import UserError
from scripts.kit.settings.reading import load, parse
from tests.support import EXAMPLE_SETTINGS

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)


def complaint(text: str) -> str:
    """What is said of a file; it is said within seconds, and can be printed."""
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        parse(text, "environment.yaml")
    assert time.monotonic() - began < 10
    message = str(caught.value)
    message.encode("utf-8")
    assert len(message) < 40_000
    return message


def changed(key: str, value: str) -> str:
    """The example with the value of a key replaced."""
    lines = EXAMPLE_SETTINGS.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.strip().startswith(f"{key}:")][:1]
    lines[number] = f"{lines[number].partition(':')[0]}: {value}"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("region", "2026-13-45", "line 5, region: '2026-13-45' is not a Region with SageMaker"),
        ("region", "!!int abc", "line 5, region: the tag !!int does not fit 'abc'"),
        ("region", "!!float abc", "line 5, region: the tag !!float does not fit 'abc'"),
        ("region", "!!bool x", "line 5, region: the tag !!bool does not fit 'x'"),
        ("region", "1" * 5000, "line 5, region: a number of 5000 characters. Write text in quotes"),
        ("region", "[us-east-1]", "line 5, region: a list is not a Region, such as us-east-1"),
        ("region", "x" * 5000, "… is not a Region, such as us-east-1"),
        ("region", "!!python/object/apply:os.system [id]", "line 5, region: the tag tag:yaml.org,2002:python/object"),
        ("management", "'١٢٣٤٥٦٧٨٩٠١٢'", "is not an account id of 12 digits"),
        ("management", "'１２３４５６７８９０１２'", "is not an account id of 12 digits"),
        ("management", "999_999_999_999", "accounts.management: YAML reads 999999999999 as a number"),
        ("tester_external_id", "tëster", "tester_external_id: 'tëster' is not"),
        ("tester_external_id", "٣٣٣", "tester_external_id: '٣٣٣' is not"),
        ("access", "Rôle", "roles.access: 'Rôle' is not a role's name without its path"),
        ("portfolio", '"a\\nb"', r"catalog.portfolio: holds the control character '\n' at position 2"),
        ("owner", '"\\e[31mred"', r"catalog.owner: holds the control character '\x1b' at position 1"),
        ("product", '"\\u202eoli"', r"catalog.product: holds the control character '\u202e' at position 1"),
        ("product", "x" * 3000, "catalog.product: has 3,000 characters, and no value has more than 2,048"),
        ("approval_email", f"a@{'.' * 3000}@", "notifications.approval_email: has 3,003 characters"),
        ("approval_email", f"a@{'.' * 300}@", "is not an e-mail address"),
        ("approval_email", "Ä@example.com", "is not an e-mail address"),
        ("owner", "[" * 100_000, "nested deeper than 64 levels"),
        ("owner", "{a: " * 50_000, "nested deeper than 64 levels"),
        ("owner", "&a [*a]", "catalog.owner[0]: an alias stands inside what it stands for"),
    ],
)  # fmt: skip
def test_a_value_of_any_kind_is_reported_with_key_and_line(key: str, value: str, message: str) -> None:
    assert message in complaint(changed(key, value))


def test_every_mistake_is_reported_at_once_also_those_of_yaml() -> None:
    text = changed("region", "!!int abc").replace("administrator: delegated", "administrator: delegated\nregion: x")
    text = text.replace("tester_external_id: ", "? [a]\n: b\ntester_external_id: ٣")
    lines = complaint(text).splitlines()
    assert lines[0] == "environment.yaml has 4 mistakes:"
    assert [line.partition(", ")[2].partition(":")[0] for line in lines[1:]] == [
        "region", "region", "the file", "tester_external_id",
    ]  # fmt: skip


def test_of_many_mistakes_the_first_are_shown_and_the_others_counted() -> None:
    listed = "\n".join(f"k{number}: 1" for number in range(30_000))
    message = complaint(f"{EXAMPLE_SETTINGS}\n{listed}\n")
    assert message.startswith("environment.yaml has 30,000 mistakes:")
    assert message.endswith("  and 29,900 more")


def test_a_list_of_regions_has_a_bound() -> None:
    listed = f"regions:\n  staging: [{'x, ' * 50_000}]\n"
    assert "regions.staging: lists 50,000 Regions" in complaint(f"{EXAMPLE_SETTINGS}\n{listed}")


def test_aliases_that_multiply_are_counted_as_what_they_stand_for() -> None:
    message = complaint(f"{BOMB}\n{EXAMPLE_SETTINGS}\nimages: *a11\n")
    assert "more than 200,000 keys and values, with what the aliases stand for" in message


def test_ten_thousand_accounts_are_read_in_seconds() -> None:
    listed = "".join(f"  - {{name: n{n}, email: n{n}@x.com, stage: staging}}\n" for n in range(10_000))
    began = time.monotonic()
    found = parse(f"{EXAMPLE_SETTINGS}\nnew_accounts:\n{listed}", "environment.yaml")
    assert len(found.new_accounts) == 10_000
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfer\x00", "cannot be read: it is not text in UTF-8"),
        (b"region: \xed\xa0\x80", "cannot be read: it is not text in UTF-8"),
        (b"a: 1\n\nb: \x00", "line 3: not valid YAML: "),
        (b"#" * 1_000_001, "has more than 1,000,000 bytes. Is it the environment file?"),
        (b"", "holds no keys. Copy environment.example.yaml and fill it in"),
        (b"&a", "holds no keys"),
        (b"!!set {a}", "has 1 mistake:\n  line 1, the file: the tag tag:yaml.org,2002:set is not supported"),
    ],
)
def test_a_file_that_is_no_environment_file_is_reported(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "environment.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(file)
    assert message in str(caught.value)


def test_a_file_that_never_ends_is_not_read() -> None:
    with pytest.raises(UserError, match="it is not a regular file"):
        load(Path("/dev/zero"))


def test_a_byte_order_mark_at_the_beginning_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "environment.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + EXAMPLE_SETTINGS.encode())
    assert load(file).region == "us-east-1"
