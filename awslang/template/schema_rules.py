"""The keywords of registry schemas: which values AWS converts, and which it refuses.

JSON Schema draft 7 without formats, and what cfn-lint's copies add (requiredXor, requiredOr, dependentExcluded,
dependentRequired, enumCaseInsensitive, uniqueKeys, prefixItems). Messages as CloudFormation words them.
AWS page: "Resource type schema" (CloudFormation CLI User Guide).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from awslang.template.patterns import compiled
from awslang.template.values import UNKNOWN, has_unknown, text

INTEGER = re.compile(r"[+-]?[0-9]{1,100}")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
NAMES = {"string": "String", "integer": "Integer", "number": "Number", "boolean": "Boolean", "array": "JSONArray",
         "object": "JSONObject", "null": "Null"}  # fmt: skip
Problem = tuple[str, str]
Schema = Mapping[str, Any]
Check = Callable[[Schema, Any, Schema, Any, str], Iterator[Problem]]


def followed(root: Schema, schema: Schema) -> Schema:
    """A schema with its $ref resolved ("#/definitions/Tag", "#/properties/Name")."""
    while "$ref" in schema:
        target: Any = root
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def kinds(schema: Schema) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else list(declared)


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for python, name in ((str, "string"), (int, "integer"), (float, "number"), (dict, "object"), (list, "array")):
        if isinstance(value, python):
            return name
    return "null"


# -- conversion --------------------------------------------------------------------------------


def coerce(root: Schema, schema: Schema, value: Any) -> Any:
    """value with the scalars converted that the schema wants otherwise, as AWS converts them."""
    schema = followed(root, schema)
    if isinstance(value, dict):
        return {name: coerce_member(root, schema, name, part) for name, part in value.items()}
    if isinstance(value, list):
        items = [choice["items"] for choice in choices(root, schema) if isinstance(choice.get("items"), Mapping)]
        return [coerce(root, items[0], part) if items else part for part in value]
    if not isinstance(value, str | int | float):
        return value
    wanted = [kind for choice in choices(root, schema) for kind in kinds(choice)]
    return converted(value, wanted)


def coerce_member(root: Schema, schema: Schema, name: str, value: Any) -> Any:
    for choice in choices(root, schema):
        if name in choice.get("properties", {}):
            return coerce(root, choice["properties"][name], value)
        for pattern, declared in choice.get("patternProperties", {}).items():
            if isinstance(declared, Mapping) and compiled(pattern).search(name):
                return coerce(root, declared, value)
        if isinstance(choice.get("additionalProperties"), Mapping):
            return coerce(root, choice["additionalProperties"], value)
    return value


def choices(root: Schema, schema: Schema) -> list[Schema]:
    """A schema and the alternatives within it."""
    schema = followed(root, schema)
    found = [schema]
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            found += choices(root, part)
    return found


def converted(value: str | int | float, wanted: list[str]) -> Any:
    kind = kind_of(value)
    if not wanted or kind in wanted or (kind == "integer" and "number" in wanted):
        return value
    if isinstance(value, str):
        if "boolean" in wanted and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if "integer" in wanted and INTEGER.fullmatch(value):
            return int(value)
        if "number" in wanted and NUMBER.fullmatch(value):
            return int(value) if INTEGER.fullmatch(value) else float(value)
        return value
    if "integer" in wanted and isinstance(value, float) and value.is_integer():
        return int(value)
    return text(value) if "string" in wanted else value


# -- validation --------------------------------------------------------------------------------


def problems(schema: Schema, value: Any) -> list[Problem]:
    """What a schema refuses of a value: path ("#/Tags/0") and message. UNKNOWN passes everywhere."""
    return list(walk(schema, schema, value, "#"))


def walk(root: Schema, schema: Any, value: Any, path: str) -> Iterator[Problem]:
    if value is UNKNOWN or schema is True:
        return
    if schema is False:
        yield path, "nothing is accepted here"
        return
    if "$ref" in schema:
        yield from walk(root, followed(root, schema), value, path)
        return
    for keyword, wanted in schema.items():
        check = CHECKS.get(keyword)
        if check:
            yield from check(root, schema, wanted, value, path)


def fits(root: Schema, schema: Any, value: Any) -> bool:
    return next(walk(root, schema, value, "#"), None) is None


def check_type(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    allowed = kinds(schema)
    kind = kind_of(value)
    whole = kind == "number" and "integer" in allowed and isinstance(value, float) and value.is_integer()
    if kind not in allowed and not whole and not (kind == "integer" and "number" in allowed):
        yield path, f"expected type: {' or '.join(NAMES[name] for name in allowed)}, found: {NAMES[kind]}"


def check_properties(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name in wanted:
                yield from walk(root, wanted[name], part, f"{path}/{name}")


def check_patterns(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for pattern, declared in wanted.items():
            for name, part in value.items():
                if name not in schema.get("properties", {}) and compiled(pattern).search(name):
                    yield from walk(root, declared, part, f"{path}/{name}")


def check_additional(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, dict) or wanted is True:
        return
    for name, part in value.items():
        if name in schema.get("properties", {}):
            continue
        if any(compiled(pattern).search(name) for pattern in schema.get("patternProperties", {})):
            continue
        if wanted is False:
            yield path, f"extraneous key [{name}] is not permitted"
        else:
            yield from walk(root, wanted, part, f"{path}/{name}")


def check_required(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name in wanted:
            if name not in value:
                yield path, f"required key [{name}] not found"


def check_items(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, part in enumerate(value[len(schema.get("prefixItems", ())) :], len(schema.get("prefixItems", ()))):
            yield from walk(root, wanted, part, f"{path}/{index}")


def check_prefix(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, (declared, part) in enumerate(zip(wanted, value, strict=False)):
            yield from walk(root, declared, part, f"{path}/{index}")


def check_unique(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if wanted and isinstance(value, list) and not has_unknown(value):
        written = [json.dumps(part, sort_keys=True) for part in value]
        if len(set(written)) < len(written):
            yield path, "array items are not unique"


def check_unique_keys(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, list) or has_unknown(value):
        return
    keys = [json.dumps([part.get(name) for name in wanted]) for part in value if isinstance(part, dict)]
    if len(set(keys)) < len(keys):
        yield path, f"array items are not unique in {', '.join(wanted)}"


def check_enum(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not any(same(value, item) for item in wanted if item == value):
        yield path, f"{shown(value)} is not a valid enum value. Valid values: [{', '.join(map(shown, wanted))}]"


def check_loose_enum(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, str) and value.lower() not in {str(item).lower() for item in wanted}:
        yield path, f"{value} is not a valid enum value. Valid values: [{', '.join(map(str, wanted))}]"


def check_const(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not same(value, wanted):
        yield path, f"{shown(value)} is not {shown(wanted)}"


def check_pattern(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, str) and not compiled(wanted).search(value):
        yield path, f"failed validation constraint for keyword [pattern]: {value} does not match {wanted}"


def bound(what: Callable[[Any], float | None], broken: Callable[[float, float], bool], message: str) -> Check:
    """A check of a length, a count or a number against a limit."""

    def check(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
        actual = what(value)
        if actual is not None and broken(actual, wanted):
            yield path, message.format(wanted=wanted, actual=actual)

    return check


def length(value: Any) -> float | None:
    return len(value) if isinstance(value, str) else None


def count(value: Any) -> float | None:
    return len(value) if isinstance(value, list) else None


def members(value: Any) -> float | None:
    return len(value) if isinstance(value, dict) else None


def amount(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def check_all(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    for part in wanted:
        yield from walk(root, part, value, path)


def check_any(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not has_unknown(value) and not any(fits(root, part, value) for part in wanted):
        yield path, f"no subschema matched out of the total {len(wanted)} subschemas{alternatives(root, wanted, value)}"


def check_one(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if has_unknown(value):
        return
    matching = sum(fits(root, part, value) for part in wanted)
    if matching != 1:
        why = alternatives(root, wanted, value) if not matching else ""
        yield path, f"{matching} subschemas matched instead of one{why}"


def alternatives(root: Schema, wanted: Any, value: Any) -> str:
    """Why each alternative does not fit."""
    reasons = []
    for part in wanted:
        found = next(walk(root, part, value, "#"), None)
        if found:
            where, message = found
            reasons.append(message if where == "#" else f"{where[2:]}: {message}")
    return f" ({'; or '.join(dict.fromkeys(reasons))})"


def check_not(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not has_unknown(value) and fits(root, wanted, value):
        yield path, "subject must not be valid against the schema after not"


def check_if(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not has_unknown(value):
        branch = schema.get("then" if fits(root, wanted, value) else "else", True)
        yield from walk(root, branch, value, path)


def check_dependencies(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        return
    for name, needed in wanted.items():
        if name not in value:
            continue
        if isinstance(needed, list):
            for other in needed:
                if other not in value:
                    yield path, f"property [{other}] is required when [{name}] is specified"
        else:
            yield from walk(root, needed, value, path)


def check_excluded(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, others in wanted.items():
            for other in others:
                if name in value and other in value:
                    yield path, f"[{other}] cannot be specified together with [{name}]"


def check_one_of_keys(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict) and len(found := [name for name in wanted if name in value]) != 1:
        given = f"given: {', '.join(found)}" if found else "none is given"
        yield path, f"exactly one of [{', '.join(wanted)}] is required, {given}"


def check_some_key(root: Schema, schema: Schema, wanted: Any, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict) and not any(name in value for name in wanted):
        yield path, f"at least one of [{', '.join(wanted)}] is required"


def same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def shown(value: Any) -> str:
    return text(value) if isinstance(value, str | int | float) else json.dumps(value, default=repr)


CHECKS: dict[str, Check] = {
    "type": check_type,
    "properties": check_properties,
    "patternProperties": check_patterns,
    "additionalProperties": check_additional,
    "required": check_required,
    "items": check_items,
    "prefixItems": check_prefix,
    "uniqueItems": check_unique,
    "uniqueKeys": check_unique_keys,
    "enum": check_enum,
    "enumCaseInsensitive": check_loose_enum,
    "const": check_const,
    "pattern": check_pattern,
    "minLength": bound(length, lambda a, w: a < w, "expected minLength: {wanted}, actual: {actual}"),
    "maxLength": bound(length, lambda a, w: a > w, "expected maxLength: {wanted}, actual: {actual}"),
    "minItems": bound(count, lambda a, w: a < w, "expected minimum item count: {wanted}, found: {actual}"),
    "maxItems": bound(count, lambda a, w: a > w, "expected maximum item count: {wanted}, found: {actual}"),
    "minProperties": bound(members, lambda a, w: a < w, "expected minimum size: {wanted}, found: {actual}"),
    "maxProperties": bound(members, lambda a, w: a > w, "expected maximum size: {wanted}, found: {actual}"),
    "minimum": bound(amount, lambda a, w: a < w, "{actual} is not greater or equal to {wanted}"),
    "maximum": bound(amount, lambda a, w: a > w, "{actual} is not less or equal to {wanted}"),
    "exclusiveMinimum": bound(amount, lambda a, w: a <= w, "{actual} is not greater than {wanted}"),
    "exclusiveMaximum": bound(amount, lambda a, w: a >= w, "{actual} is not less than {wanted}"),
    "multipleOf": bound(amount, lambda a, w: a % w != 0, "{actual} is not a multiple of {wanted}"),
    "allOf": check_all,
    "anyOf": check_any,
    "oneOf": check_one,
    "not": check_not,
    "if": check_if,
    "dependencies": check_dependencies,
    "dependentRequired": check_dependencies,
    "dependentSchemas": check_dependencies,
    "dependentExcluded": check_excluded,
    "requiredXor": check_one_of_keys,
    "requiredOr": check_some_key,
}
