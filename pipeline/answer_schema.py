"""The schema of an answer: a few keywords of JSON Schema, for what has no one right value. Pure.

The build image has no library for it. A keyword that is not among these is refused before anything is deployed, so
that no rule of a schema is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.documents import Rule, is_real, named, problem, shown, unknown

TYPES: dict[str, Callable[[Any], bool]] = {
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
LARGEST = 1e300
NUMBER = Rule(lambda value: is_real(value, -LARGEST, LARGEST), "a number", "0.5")
COUNT = Rule(lambda value: type(value) is int and 0 <= value <= 1_000_000, "a whole number from 0", "3")
KEYWORDS = {
    "type": Rule(lambda value: isinstance(value, str) and value in TYPES, f"one of {', '.join(TYPES)}", '"number"'),
    "enum": Rule(lambda value: isinstance(value, list) and bool(value), "a list of the values", '["yes", "no"]'),
    "minimum": NUMBER,
    "maximum": NUMBER,
    "minItems": COUNT,
    "maxItems": COUNT,
    "items": Rule(lambda value: isinstance(value, dict), "the schema of each item", '{"type": "number"}'),
    "properties": Rule(
        lambda value: isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()),
        "an object of schemas",
        '{"score": {"type": "number"}}',
    ),
    "required": Rule(
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
        "a list of names",
        '["score"]',
    ),
}
OF_TYPE = {
    "minimum": "number", "maximum": "number", "minItems": "array", "maxItems": "array", "items": "array",
    "properties": "object", "required": "object",
}  # fmt: skip


def problems_of(schema: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with a schema, each with its place."""
    problems: list[str] = []
    if not schema:
        problems.append(f"{where} is empty: write what an answer must be, such as {KEYWORDS['items'].example}")
    problems += unknown(f"{where}.", schema, KEYWORDS)
    broken = (problem(f"{where}.{key}", schema[key], rule) for key, rule in KEYWORDS.items() if key in schema)
    problems += filter(None, broken)
    if problems:
        return problems
    for key, kind in OF_TYPE.items():
        if key in schema and schema.get("type") != kind:
            problems.append(f'{where}.{key} holds for "type": "{kind}" alone: write that beside it')
    for low, high in (("minimum", "maximum"), ("minItems", "maxItems")):
        if low in schema and high in schema and schema[low] > schema[high]:
            problems.append(f"{where}: {low} {schema[low]} is above {high} {schema[high]}")
    parts = {f"{where}.properties.{named(key)}": part for key, part in schema.get("properties", {}).items()}
    parts |= {f"{where}.items": schema["items"]} if "items" in schema else {}
    for place, part in parts.items():
        problems += problems_of(part, place)
    return problems


def violation(schema: Mapping[str, Any], got: Any, where: str = "the answer") -> str:
    """The first rule of a schema that an answer breaks; "" for none."""
    kind = schema.get("type", "")
    if kind and not TYPES[kind](got):
        return f"{where}: expected {kind}, got {shown(got)}"
    if "enum" in schema and not any(got == one and type(got) is type(one) for one in schema["enum"]):
        return f"{where}: expected one of {', '.join(map(shown, schema['enum']))}, got {shown(got)}"
    if kind == "number" and not schema.get("minimum", -LARGEST) <= got <= schema.get("maximum", LARGEST):  # NaN too
        return f"{where}: expected {bounds(schema, 'minimum', 'maximum')}, got {got}"
    if kind == "array" and not schema.get("minItems", 0) <= len(got) <= schema.get("maxItems", len(got)):
        return f"{where}: expected {bounds(schema, 'minItems', 'maxItems')} items, got {len(got)}"
    if missing := [name for name in schema.get("required", []) if name not in got]:
        return f"{where}: expected {', '.join(missing)} in it, got {', '.join(sorted(got)) or 'nothing'}"
    parts = [(schema["items"], one, f"{where}[{n}]") for n, one in enumerate(got)] if "items" in schema else []
    parts += [(p, got[key], f"{where}.{key}") for key, p in schema.get("properties", {}).items() if key in got]
    return next(filter(None, (violation(part, one, place) for part, one, place in parts)), "")


def bounds(schema: Mapping[str, Any], low: str, high: str) -> str:
    words = [f"at least {schema[low]}"] if low in schema else []
    return " and ".join([*words, *([f"at most {schema[high]}"] if high in schema else [])]) or "a number"
