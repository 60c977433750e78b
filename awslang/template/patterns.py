"""Regular expressions of templates and schemas, which are written for Java and ECMAScript."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

ASTRAL_PAIRS = r"\uD800\uDC00-\uDBFF\uDFFF"  # U+10000 to U+10FFFF, as a language of UTF-16 writes it
ASTRAL = r"\U00010000-\U0010FFFF"


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
