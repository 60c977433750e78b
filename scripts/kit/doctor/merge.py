"""Statements merged into a policy by Sid: what others wrote stays byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

SPACE = re.compile(r"[ \t\r\n]*")


def merged(policy: str, statements: Iterable[Mapping[str, Any]]) -> str:
    """The policy's text with each statement in the place of the one with its Sid, or after the others.

    policy: "" for none. Only the text of replaced statements changes.
    """
    text = policy
    for statement in statements:
        text = put(text, statement)
    return text


def put(policy: str, statement: Mapping[str, Any]) -> str:
    ours = json.dumps(statement)
    if not policy.strip():
        return f'{{"Version": "2012-10-17", "Statement": [{ours}]}}'
    start, end = member(policy, "Statement")
    spans = elements(policy, start) if policy[start] == "[" else [(start, end)]
    for first, last in spans:
        if json.loads(policy[first:last]).get("Sid") == statement["Sid"]:
            return policy[:first] + ours + policy[last:]
    if policy[start] != "[":  # one statement without a list around it
        return f"{policy[:start]}[{policy[start:end]}, {ours}]{policy[end:]}"
    if not spans:
        return f"{policy[: start + 1]}{ours}{policy[end - 1 :]}"
    last = spans[-1][1]
    return f"{policy[:last]}, {ours}{policy[last:]}"


def without(policy: str, sid: str) -> str:
    """The policy's text without the statement with this Sid, in a list; what others wrote stays as it is."""
    if statement_of(policy, sid) is None:
        return policy
    start, _ = member(policy, "Statement")
    spans = elements(policy, start) if policy[start] == "[" else []
    if not spans:  # the one statement, without a list around it
        return json.dumps({**json.loads(policy), "Statement": []})
    at = next(n for n, (first, last) in enumerate(spans) if json.loads(policy[first:last]).get("Sid") == sid)
    first, last = spans[at]
    if at + 1 < len(spans):
        last = spans[at + 1][0]
    elif at:
        first = spans[at - 1][1]
    return policy[:first] + policy[last:]


def statement_of(policy: str, sid: str) -> dict[str, Any] | None:
    """The statement with this Sid."""
    statements = json.loads(policy)["Statement"] if policy.strip() else []
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Sid") == sid:
            return dict(statement)
    return None


def member(text: str, name: str) -> tuple[int, int]:
    """The place of an object's member in the text."""
    at = skip(text, skip(text, 0) + 1)
    while text[at] != "}":
        key, at = value_at(text, at)
        at = skip(text, skip(text, at) + 1)  # beyond the colon
        _, end = value_at(text, at)
        if key == name:
            return at, end
        at = after_comma(text, end)
    raise ValueError(f"the policy has no {name}")


def elements(text: str, start: int) -> list[tuple[int, int]]:
    """Where the elements of a list stand that begins at start."""
    found, at = [], skip(text, start + 1)
    while text[at] != "]":
        _, end = value_at(text, at)
        found.append((at, end))
        at = after_comma(text, end)
    return found


def value_at(text: str, at: int) -> tuple[Any, int]:
    return json.JSONDecoder().raw_decode(text, at)


def after_comma(text: str, at: int) -> int:
    at = skip(text, at)
    return skip(text, at + 1) if text[at] == "," else at


def skip(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at
