"""Regular expressions of templates and schemas, which are written for Java and ECMAScript."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from awslang.errors import NotSupported

ASTRAL_PAIRS = r"\uD800\uDC00-\uDBFF\uDFFF"  # U+10000 to U+10FFFF, as a language of UTF-16 writes it
PATIENCE = 1.0  # seconds for one value; what a person means takes a millionth of it
ASTRAL = r"\U00010000-\U0010FFFF"

CLASS = re.compile(r"\\[^\n]|\[\^?\]?([^\]\\]|\\.)*\]")  # an escaped character, or a class of characters
REPEATED, GROUPS = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}"), re.compile(r"\)[*+{]")
FEW, SHORT = 1_000_000, 1_000  # ways to fit a value, and characters of a pattern, that take no time


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """A pattern to search or fullmatch with. ValueError when it is none.

    Python's own engine where it knows the syntax; the regex package for the rest (\\p{L}, \\p{Alpha}).
    """
    pattern = pattern.replace(ASTRAL_PAIRS, ASTRAL)
    try:
        return re.compile(pattern, re.ASCII)  # \d, \w and \s of Java
    except re.error:
        import regex  # takes a tenth of a second, and most templates need it nowhere

        try:
            return regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"{pattern} is not a regular expression: {error}") from error


def fits(pattern: str, value: str) -> bool:
    """Whether a pattern that anybody may have written fits the whole value. NotSupported where it takes too long.

    A pattern with a repetition within a repetition, or an alternative in one, may try two to the power of the value's
    length ways; the regex package stops after a time. Python's own engine is loaded already, but does not.
    """
    if is_simple(pattern, len(value)):
        return compiled(pattern).fullmatch(value) is not None
    try:
        return bounded(pattern).fullmatch(value, timeout=PATIENCE) is not None
    except TimeoutError as error:
        what = f"an AllowedPattern that takes more than {PATIENCE:g} s to match a value: {pattern}"
        raise NotSupported(what) from error


def is_simple(pattern: str, length: int) -> bool:
    """Whether there are few ways to fit a value of this length, also where none fits."""
    plain = CLASS.sub("c", pattern[: SHORT + 1])
    ways = (length + 1) ** len(REPEATED.findall(plain)) * 2 ** (plain.count("|") + plain.count("?"))
    return len(pattern) <= SHORT and not GROUPS.search(plain) and ways <= FEW


@lru_cache(maxsize=1024)
def bounded(pattern: str) -> Any:
    """The same pattern of the regex package, whose methods take a timeout. ValueError when it is none."""
    import regex  # takes a tenth of a second, and many templates need it nowhere

    try:
        return regex.compile(pattern.replace(ASTRAL_PAIRS, ASTRAL), regex.ASCII)
    except regex.error as error:
        raise ValueError(f"{pattern} is not a regular expression: {error}") from error
