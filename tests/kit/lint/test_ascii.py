"""Code that looks for digits and letters means those of ASCII."""

from __future__ import annotations

import pytest

from scripts.kit.lint.ascii import check, not_ascii
from tests.support import ROOT


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (r'A = re.compile(r"\d{12}")', r"\d matches more than ASCII: write [0-9]"),
        (r'A = rf"{B}[\w+]"', r"\w matches more than ASCII: write [a-zA-Z0-9_]"),
        (r'A = "a\\d"', r"\d matches more than ASCII: write [0-9]"),
        (r'A = r"\W"', r"\W matches more than ASCII: write [^a-zA-Z0-9_]"),
        ("A = x.isdigit()", "str.isdigit takes more than ASCII: use a pattern, or awslang.bounded.is_number"),
        ("A = map(str.isalpha, x)", "str.isalpha takes more than ASCII: use a pattern, or awslang.bounded.is_number"),
    ],
)  # fmt: skip
def test_what_takes_more_than_ascii_is_found_with_what_to_write(line: str, problem: str) -> None:
    assert not_ascii({"scripts/a.py": f'"""A \\\\d in words."""\n{line}\n'}) == [f"scripts/a.py:2: {problem}"]


@pytest.mark.parametrize("line", [r'A = r"[0-9]\."', r'A = r"\\d"', 'A = "x".isascii()'])
def test_what_means_ascii_is_not_found(line: str) -> None:
    assert not_ascii({"scripts/a.py": f"{line}\n"}) == []


def test_the_code_of_this_repository_means_ascii() -> None:
    assert check(ROOT) == []
