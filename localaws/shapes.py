"""Checks an input against the limits that the API model states: lengths, patterns, ranges, enumerations, members."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError
from awslang.template.patterns import compiled
from localaws.calls import Call

NUMBERS = {"integer", "long", "float", "double"}
PLAIN = NUMBERS | {"string"}
MISSING = "Member must not be null"


@dataclass(frozen=True)
class Violation:
    """One limit that an input breaks.

    path: where, as projectName or tags.1.member.key
    shown: the value as AWS's message repeats it; "" for bytes and for what the model calls sensitive
    rule: the limit, in AWS's words
    value: what breaks it, the first such part of a list or map
    """

    path: str
    shown: str
    rule: str
    value: Any = None

    @property
    def missing(self) -> bool:
        return self.rule == MISSING

    def __str__(self) -> str:
        return f"Value {self.shown} at '{self.path}' failed to satisfy constraint: {self.rule}".replace("  ", " ")


# How a service refuses such inputs: an error code, or a function of the call and what is wrong (None lets it pass).
Invalid = str | Callable[[Call, list[Violation]], AwsError | None]


def check(call: Call, invalid: Invalid = "ValidationException") -> None:
    """The service's error, with AWS's usual wording, where the input breaks the API model.

    Common Errors, "ValidationError: The input fails to satisfy the constraints specified by an AWS service".
    """
    shape = get_service_model(call.service).operation_model(call.operation).input_shape
    found = list(violations(shape, call.params, "")) if shape else []
    if not found:
        return
    error = AwsError(invalid, wording(found)) if isinstance(invalid, str) else invalid(call, found)
    if error is not None:
        raise error


def wording(found: list[Violation]) -> str:
    count = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
    return f"{count} detected: {'; '.join(map(str, found))}"


def violations(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    """What is wrong with a value, part by part; path: where it is."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            # The body as it is: an empty one is a value, and endpoints take more than the model says (25 MB: "Inference
            # options in Amazon SageMaker AI").
            if member.type_name == "blob" and name == shape.serialization.get("payload"):
                continue
            inner = f"{path}.{lower(name)}".lstrip(".")
            if name in value and value[name] is not None:
                yield from violations(member, value[name], inner)
            elif name in shape.required_members and not member.metadata.get("idempotencyToken"):
                yield Violation(inner, "null", MISSING)
    elif shape.type_name == "list":
        yield from broken(shape, value, path)
        for number, item in enumerate(value, 1):
            if shape.member.type_name not in PLAIN:
                yield from violations(shape.member, item, f"{path}.{number}.member")
        yield from each(shape, shape.member, value, value, path, "Member must")
    elif shape.type_name == "map":
        yield from broken(shape, value, path)
        yield from each(shape, shape.key, list(value), value, path, "Map keys must")
        yield from each(shape, shape.value, list(value.values()), value, path, "Map value must")
        for name, item in value.items():
            if shape.value.type_name not in PLAIN:
                yield from violations(shape.value, item, f"{path}.{name}.member")
    else:
        yield from broken(shape, value, path)


def broken(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    """One violation for each limit of its own that a value breaks."""
    for holds, rule in limits(shape):
        if not holds(value):
            yield Violation(path, shown(shape, value), rule, value)


def each(holder: Any, shape: Any, parts: list[Any], value: Any, path: str, what: str) -> Iterator[Violation]:
    """One violation for all plain parts of a list or map together, with every limit of such a part."""
    rules = limits(shape) if shape.type_name in PLAIN else []
    wrong = [part for part in parts if not all(holds(part) for holds, _ in rules)]
    if wrong:
        rule = f"{what} satisfy constraint: [{', '.join(text for _, text in rules)}]"
        yield Violation(path, "" if shape.metadata.get("sensitive") else shown(holder, value), rule, wrong[0])


def limits(shape: Any) -> list[tuple[Callable[[Any], bool], str]]:
    """The limits of a value itself, each as a test and in AWS's words."""
    if shape.type_name not in PLAIN | {"list", "map", "blob"}:
        return []
    number = shape.type_name in NUMBERS
    what, of = ("value", lambda value: value) if number else ("length", len)
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
    found: list[tuple[Callable[[Any], bool], str]] = []
    if most is not None:
        found.append((lambda value: of(value) <= most, f"Member must have {what} less than or equal to {most}"))
    if least is not None:
        found.append((lambda value: of(value) >= least, f"Member must have {what} greater than or equal to {least}"))
    if pattern and shape.type_name == "string":
        fits = compiled(pattern).fullmatch
        found.append((lambda value: bool(fits(value)), f"Member must satisfy regular expression pattern: {pattern}"))
    if enum:
        found.append((lambda value: value in enum, f"Member must satisfy enum value set: [{', '.join(enum)}]"))
    return found


def shown(shape: Any, value: Any) -> str:
    if shape.metadata.get("sensitive") or shape.type_name == "blob":
        return ""
    if shape.type_name == "list":
        return f"'[{', '.join(map(str, value))}]'"
    if shape.type_name == "map":
        return "'{" + ", ".join(f"{name}={item}" for name, item in value.items()) + "}'"
    return f"'{value}'"


def lower(name: str) -> str:
    return name[:1].lower() + name[1:]
