"""EventBridge event patterns: checked as PutRule checks them, and matched in full.

Amazon EventBridge User Guide, "Creating Amazon EventBridge event patterns" and "Comparison
operators for use in event patterns in Amazon EventBridge". Pure: no state, no requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from awslang.errors import AwsError

PATTERN_LIMIT = 4096  # characters (EventBridge API Reference, "PutRule")
NUMBER_LIMIT = 5.0e9
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
TEXT_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard")
OPERATORS = frozenset({*TEXT_OPERATORS, "anything-but", "numeric", "exists", "cidr"})
ABSENT = object()


def invalid(reason: str) -> AwsError:
    """The refusal that PutRule gives for a pattern."""
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def parse(text: str) -> dict[str, Any]:
    """The checked pattern; AwsError InvalidEventPatternException where AWS refuses it."""
    if len(text) > PATTERN_LIMIT:
        raise invalid(f"Event pattern is longer than {PATTERN_LIMIT} characters")
    try:
        pattern = json.loads(text, object_pairs_hook=_no_duplicates)
    except ValueError as error:
        raise invalid(str(error)) from error
    if not isinstance(pattern, dict):
        raise invalid("Filter is not an object")
    if not pattern:
        raise invalid("Empty objects are not allowed")
    _check_object(pattern, "")
    return pattern


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Path `{name}` cannot be allowed multiple times")
    return dict(pairs)


def _is_or(name: str, value: Any) -> bool:
    """$or is the operator only over two or more objects; else it is a field of that name."""
    return name == "$or" and isinstance(value, list) and len(value) > 1 and all(isinstance(v, dict) for v in value)


def _check_object(pattern: Mapping[str, Any], path: str) -> None:
    for name, value in pattern.items():
        here = f"{path}.{name}" if path else name
        if _is_or(name, value):
            for alternative in value:
                if not alternative:
                    raise invalid("Empty objects are not allowed")
                _check_object(alternative, path)
        elif isinstance(value, dict):
            if not value:
                raise invalid(f'Empty objects are not allowed: "{here}"')
            _check_object(value, here)
        elif isinstance(value, list):
            if not value:
                raise invalid(f'Empty arrays are not allowed: "{here}"')
            for item in value:
                _check_item(item, here)
        else:
            raise invalid(f'"{name}" must be an object or an array, at {here}')


def _check_item(item: Any, path: str) -> None:
    if isinstance(item, list):
        raise invalid(f'Match value must be String, number, true, false, or null, at "{path}"')
    if not isinstance(item, dict):
        return
    if len(item) != 1:
        raise invalid(f'Only one key allowed in match expression, at "{path}"')
    [(operator, value)] = item.items()
    if operator not in OPERATORS:
        raise invalid(f'Unrecognized match type {operator}, at "{path}"')
    if operator == "exists":
        if not isinstance(value, bool):
            raise invalid(f'exists match pattern must be either true or false, at "{path}"')
    elif operator == "numeric":
        _check_numeric(value, path)
    elif operator == "cidr":
        _network(value, path)
    elif operator == "anything-but":
        _check_anything_but(value, path)
    else:
        _check_text(operator, value, path)


def _check_text(operator: str, value: Any, path: str) -> None:
    if operator in ("prefix", "suffix") and isinstance(value, dict):
        if list(value) != ["equals-ignore-case"]:
            raise invalid(f'Unsupported anything under {operator}: {sorted(value)}, at "{path}"')
        value = value["equals-ignore-case"]
    if not isinstance(value, str):
        raise invalid(f'{operator} match pattern must be a string, at "{path}"')
    if operator == "wildcard":
        if "**" in value.replace("\\*", ""):
            raise invalid(f'Consecutive wildcard characters, at "{path}"')
        if re.search(r"\\(?![*\\])", value):
            raise invalid(f'Invalid escape character in wildcard, at "{path}"')


def _check_numeric(value: Any, path: str) -> None:
    if not isinstance(value, list) or len(value) not in (2, 4):
        raise invalid(f'Value of numeric must be an array of one or two comparisons, at "{path}"')
    for operator, number in zip(value[::2], value[1::2], strict=True):
        if operator not in COMPARE:
            raise invalid(f'Unrecognized numeric range operator: {operator}, at "{path}"')
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise invalid(f'Value of {operator} must be numeric, at "{path}"')
        if abs(number) > NUMBER_LIMIT:
            raise invalid(f'Value must be between -5.0E9 and 5.0E9, inclusive, at "{path}"')
    if len(value) == 4 and (value[0] not in (">", ">=") or value[2] not in ("<", "<=") or value[1] >= value[3]):
        raise invalid(f'Bottom must be less than top, at "{path}"')


def _check_anything_but(value: Any, path: str) -> None:
    if isinstance(value, dict):
        if len(value) != 1 or not set(value) <= set(TEXT_OPERATORS):
            raise invalid(f'Unsupported anything-but pattern: {", ".join(value)}, at "{path}"')
        [(operator, inner)] = value.items()
        for text in inner if isinstance(inner, list) and inner else [inner]:
            _check_text(operator, text, path)
        return
    values = value if isinstance(value, list) else [value]
    if not values:
        raise invalid(f'Empty arrays are not allowed: "{path}"')
    if not (all(isinstance(v, str) for v in values) or all(_is_number(v) for v in values)):
        raise invalid(f'Inside anything but list, either all values are number or string, at "{path}"')


def _network(value: Any, path: str) -> Any:
    try:
        return ip_network(value, strict=False)
    except ValueError as error:
        raise invalid(f'Malformed CIDR, at "{path}": {error}') from error


# -- matching ----------------------------------------------------------------------------------


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the event (a JSON object) meets every field of the pattern."""
    return all(_field_matches(name, wanted, event) for name, wanted in pattern.items())


def mismatch(pattern: Mapping[str, Any], event: Mapping[str, Any], path: str = "") -> str:
    """The first field in which an event does not meet a pattern, and how; "" where it meets all of them."""
    for name, wanted in pattern.items():
        if _field_matches(name, wanted, event):
            continue
        here, found = f"{path}{name}", event.get(name, ABSENT)
        if isinstance(wanted, dict) and isinstance(found, dict):
            return mismatch(wanted, found, f"{here}.")
        shown = "not there" if found is ABSENT else json.dumps(found)
        return f"{here} is {shown}, the pattern takes {json.dumps(wanted)}"
    return ""


def _field_matches(name: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    if _is_or(name, wanted):
        return any(matches(alternative, event) for alternative in wanted)
    found = event.get(name, ABSENT)
    if isinstance(wanted, dict):
        return any(matches(wanted, item) for item in _objects(found))
    leaves = list(_leaves(found))
    return any(_item_matches(item, leaves) for item in wanted)


def _objects(found: Any) -> Iterator[Mapping[str, Any]]:
    """The objects that a nested pattern may match: an array matches where one element does.

    A field that is not there counts as an empty object, so that exists: false works beneath it.
    """
    if isinstance(found, dict):
        yield found
    elif isinstance(found, list) and found:
        for item in found:
            yield from _objects(item)
    else:
        yield {}


def _leaves(found: Any) -> Iterator[Any]:
    if isinstance(found, list):
        for item in found:
            yield from _leaves(item)
    elif found is not ABSENT and not isinstance(found, dict):
        yield found


def _item_matches(item: Any, leaves: list[Any]) -> bool:
    if isinstance(item, dict) and "exists" in item:
        return bool(leaves) is item["exists"]
    return any(_leaf_matches(item, leaf) for leaf in leaves)


def _leaf_matches(item: Any, leaf: Any) -> bool:
    if not isinstance(item, dict):
        return _same(item, leaf)
    [(operator, value)] = item.items()
    if operator == "anything-but":
        return not _excluded(value, leaf)
    if operator == "numeric":
        return _is_number(leaf) and all(
            COMPARE[sign](leaf, number) for sign, number in zip(value[::2], value[1::2], strict=True)
        )
    if operator == "cidr":
        return _in_network(value, leaf)
    return _text_matches(operator, value, leaf)


def _text_matches(operator: str, value: Any, found: Any) -> bool:
    if not isinstance(found, str):
        return False
    leaf: str = found
    if isinstance(value, dict):  # prefix or suffix, ignoring case
        value, leaf = value["equals-ignore-case"].casefold(), leaf.casefold()
    if operator == "prefix":
        return leaf.startswith(str(value))
    if operator == "suffix":
        return leaf.endswith(str(value))
    if operator == "equals-ignore-case":
        return leaf.casefold() == str(value).casefold()
    return _wildcard(value).fullmatch(leaf) is not None


@cache
def _wildcard(text: str) -> re.Pattern[str]:
    """* is any text; \\* is a star and \\\\ a backslash."""
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+", text)
    return re.compile("".join(".*" if p == "*" else re.escape(p[1:] if p[0] == "\\" else p) for p in parts), re.DOTALL)


def _excluded(value: Any, leaf: Any) -> bool:
    if isinstance(value, dict):
        [(operator, inner)] = value.items()
        return any(_text_matches(operator, text, leaf) for text in (inner if isinstance(inner, list) else [inner]))
    return any(_same(v, leaf) for v in (value if isinstance(value, list) else [value]))


def _in_network(value: str, leaf: Any) -> bool:
    try:
        return isinstance(leaf, str) and ip_address(leaf) in ip_network(value, strict=False)
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(wanted: Any, leaf: Any) -> bool:
    """Equal as JSON: "1" is not 1, and true is not 1."""
    if _is_number(wanted) and _is_number(leaf):
        return bool(wanted == leaf)
    return type(wanted) is type(leaf) and bool(wanted == leaf)
