"""Wildcards and policy variables, as IAM reads them.

IAM User Guide, "IAM policy elements: Variables and tags" (variables, default values, ${*} ${?} ${$}, a variable
without a value matches nothing, none before the fifth colon of a resource) and "IAM JSON policy elements: Resource"
(wildcards: a * at the end of an ARN segment reaches beyond the colon, one inside a segment does not).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from awslang.policy.action_table import multivalued

Context = Mapping[str, tuple[str, ...]]  # condition key in lower case: its values in the request

VARIABLE = re.compile(r"\$\{([^}]*)\}")
LITERALS = {"*", "?", "$"}
FIRST_MARK = 0xE000  # private use area: stands for the value of a variable while a pattern is split


def value_of(name: str, context: Context) -> str | None:
    """The value of the variable ${name}; None where the request has none, or the key may have several."""
    key, _, default = (part.strip() for part in name.partition(","))
    if key in LITERALS:
        return key
    values = context.get(key.lower(), ())
    if len(values) == 1 and key.lower() not in multivalued():
        return values[0]
    if not values and len(default) >= 2 and default[0] == default[-1] == "'":
        return default[1:-1]
    return None


def filled(pattern: str, context: Context, variables: bool) -> tuple[str, tuple[str, ...]] | None:
    """The pattern with a mark for each variable, and the variables' values; None when one has no value."""
    if not variables or "${" not in pattern:
        return pattern, ()
    values: list[str] = []
    parts = VARIABLE.split(pattern)
    for position in range(1, len(parts), 2):
        value = value_of(parts[position], context)
        if value is None:
            return None
        parts[position] = chr(FIRST_MARK + len(values))
        values.append(value)
    return "".join(parts), tuple(values)


def plain(pattern: str, context: Context, variables: bool) -> str | None:
    """The pattern with its variables replaced, wildcards untouched."""
    found = filled(pattern, context, variables)
    if found is None:
        return None
    text, values = found
    for position, value in enumerate(values):
        text = text.replace(chr(FIRST_MARK + position), value)
    return text


def _source(text: str, values: tuple[str, ...], star: str = ".*") -> str:
    out = []
    for character in text:
        if character == "*":
            out.append(star)
        elif character == "?":
            out.append(".")
        elif FIRST_MARK <= ord(character) < FIRST_MARK + len(values):
            out.append(re.escape(values[ord(character) - FIRST_MARK]))
        else:
            out.append(re.escape(character))
    return "".join(out)


@lru_cache(maxsize=20_000)
def _like(text: str, values: tuple[str, ...], ignore_case: bool) -> re.Pattern[str]:
    return re.compile(_source(text, values), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@lru_cache(maxsize=20_000)
def _resource(text: str, values: tuple[str, ...]) -> re.Pattern[str]:
    segments = text.split(":", 5)
    out = []
    for segment in segments[:5]:
        if len(segments) == 6 and "*" in segment[:-1]:
            inside, last = segment[:-1], segment[-1]
            out.append(_source(inside, values, "[^:]*") + _source(last, values))
        else:
            out.append(_source(segment, values))
    out.extend(_source(segment, values) for segment in segments[5:])
    return re.compile(":".join(out), re.DOTALL)


@lru_cache(maxsize=20_000)
def _arn(text: str, values: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(_source(part, values), re.DOTALL) for part in text.split(":", 5))


def like(pattern: str, value: str, context: Context, variables: bool = True, ignore_case: bool = False) -> bool:
    """Whether value matches a pattern with * and ?."""
    found = filled(pattern, context, variables)
    return found is not None and _like(*found, ignore_case).fullmatch(value) is not None


def action_like(pattern: str, action: str) -> bool:
    """Whether the pattern of an Action element covers the action; neither has regard to case."""
    return pattern == "*" or _like(pattern, (), True).fullmatch(action) is not None


def resource_like(pattern: str, resource: str, context: Context, variables: bool = True) -> bool:
    """Whether the pattern of a Resource element covers the ARN (or "*", for actions without resources)."""
    if pattern == "*":
        return True
    if variables and "${" in pattern and variable_too_early(pattern):
        return False
    found = filled(pattern, context, variables)
    return found is not None and _resource(*found).fullmatch(resource) is not None


@lru_cache(maxsize=5_000)
def variable_too_early(pattern: str) -> bool:
    """Whether a variable stands before the fifth colon of a resource's ARN: it stays as it is written there, and no
    ARN has such a part."""
    before = VARIABLE.sub(lambda found: chr(FIRST_MARK), pattern).split(":", 5)[:5]
    return any(chr(FIRST_MARK) in part for part in before)


def arn_like(pattern: str, arn: str, context: Context, variables: bool = True) -> bool:
    """ArnLike: each of the six components of the ARN on its own, so that a * never crosses a colon."""
    if pattern == "*":
        return True
    found = filled(pattern, context, variables)
    if found is None:
        return False
    patterns, parts = _arn(*found), arn.split(":", 5)
    if len(patterns) != 6 or len(parts) != 6:
        return False
    return all(pattern.fullmatch(part) for pattern, part in zip(patterns, parts, strict=True))
