"""The JSON files of the deploy repository, which every person who may push there writes: they are read within bounds.

A mistake is reported with its place, its value, the rule and an example.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

Broken = Iterator[tuple[str, str]]  # a setting, and the rule that it breaks with the way around it
LARGEST = 10_000_000  # bytes of a file
DEEPEST = 32  # levels of objects and lists
LONGEST_NUMBER = 100  # characters
MOST_PROBLEMS = 20  # that are reported
SHOWN = 80  # characters of a value in a message
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # cannot be seen, or misleads
SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Rule:
    """What a value must be: the test, the words and an example for a message."""

    holds: Callable[[Any], bool]
    words: str
    example: str


def read_document(file: Path) -> Any:
    """The document in a file. OSError where it cannot be read, ValueError where it is no JSON that is taken."""
    with file.open("rb") as opened:
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    if content.startswith(b"\xef\xbb\xbf"):
        raise ValueError("it begins with a byte order mark: save it as UTF-8 without one")
    try:
        document = json.loads(
            content.decode("utf-8"), object_pairs_hook=once, parse_constant=constant, parse_float=real, parse_int=whole
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not text in UTF-8 from byte {error.start + 1} on") from error
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    for path, value, depth in parts(document):
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        if isinstance(value, str) and SURROGATE.search(value):
            raise ValueError(f"{path} holds half of a character, {shown(value)}")
    return document


def parts(document: Any) -> Iterator[tuple[str, Any, int]]:
    """Every value and every key of a document, each with its path and its level. No recursion: see RecursionError."""
    waiting = [("", document, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        yield path or "the file", value, depth
        if depth > DEEPEST:
            return
        if isinstance(value, dict):
            for key, part in value.items():
                yield f"a key of {path or 'the file'}", key, depth
                waiting.append((f"{path}.{named(key)}" if path else named(key), part, depth + 1))
        elif isinstance(value, list):
            waiting += [(f"{path}[{number}]", part, depth + 1) for number, part in enumerate(value)]


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {named(key)} is given twice")
        found[key] = value
    return found


def constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:SHOWN]} is too large")
    return number


def shown(value: Any) -> str:
    """A value in a message: as JSON has it, in ASCII, and cut where it is long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value[:SHOWN] if isinstance(value, str) else value)
    return f"{text}…" if isinstance(value, str) and len(value) > SHOWN else text


def named(key: str) -> str:
    """A key in a message: as it is where it is a plain one."""
    return key if re.fullmatch(r"[a-zA-Z0-9_.-]{1,80}", key) else shown(key)


def problem(place: str, value: Any, rule: Rule) -> str:
    """What a value breaks; "" for nothing."""
    return "" if rule.holds(value) else f"{place} is {shown(value)}: write {rule.words}, such as {rule.example}"


def unknown(prefix: str, given: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """What is wrong with the keys of an object that nothing reads. prefix: what stands before a key in its path"""
    names = list(known)
    return [
        f"{prefix}{named(key)} is {shown(value)}: no such key is known. Write one of {', '.join(names)}, such as "
        f"{nearest(key, names)}"
        for key, value in given.items()
        if key not in names
    ]


def missing(prefix: str, given: Mapping[str, Any], rules: Mapping[str, Rule]) -> list[str]:
    """What is wrong with an object that lacks keys. rules: of the keys that it needs; prefix: as for unknown()"""
    return [
        f"{prefix}{key} is missing: write {rule.words}, such as {rule.example}"
        for key, rule in rules.items()
        if key not in given
    ]


def nearest(key: str, names: Iterable[str]) -> str:
    """The name that a key with a typing error may stand for, else the first; in quotes."""
    listing = list(names)
    return f'"{(get_close_matches(key[:SHOWN], listing, 1) or listing)[0]}"'


def listed(problems: list[str]) -> str:
    """The first problems, and how many more there are."""
    more = len(problems) - MOST_PROBLEMS
    return "; ".join(problems[:MOST_PROBLEMS]) + (f"; and {more:,} more" if more > 0 else "")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names that were added, removed and changed."""
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(name for name in old.keys() & new.keys() if old[name] != new[name]),
    }


# -- rules -------------------------------------------------------------------------------------


def is_text(value: Any, most: int) -> bool:
    """Whether a value is text on one line, of 1 to most characters."""
    return isinstance(value, str) and 0 < len(value) <= most and not CONTROL.search(value)


def is_header(value: Any) -> bool:
    """Whether a value can be a header of InvokeEndpoint (its API: 1,024 characters of ASCII)."""
    return isinstance(value, str) and re.fullmatch(r"[!-~][ -~]{0,1023}", value) is not None


def is_real(value: Any, least: float, most: float) -> bool:
    """Whether a value is a number from least to most; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


NEWEST = 999_999_999  # the number of a version (SageMaker API Reference, ModelPackageVersion)
VERSION = Rule(lambda value: type(value) is int and 1 <= value <= NEWEST, "the number of a version", "3")
