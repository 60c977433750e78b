"""The intrinsic functions that only compute: values in, value out. TemplateError in AWS's wording.

AWS page: "Intrinsic function reference". A function of UNKNOWN is UNKNOWN.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from typing import Any

from awslang.bounded import is_number
from awslang.template.reader import TemplateError
from awslang.template.values import UNKNOWN, has_unknown, text

VARIABLE = re.compile(r"\$\{(!?)([^${}]*)\}")
VARIABLE_NAME = re.compile(r"[a-zA-Z0-9_.:]+")
JOIN = (
    "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings "
    "to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
)
SPLIT = (
    "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be "
    "split or a function that returns a string to be split."
)
SELECT = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
EQUALS = "Template error: every Fn::Equals object requires a list of 2 string parameters."
CIDR = (
    "Template error: every Fn::Cidr object requires two or three parameters, (1) an IP address block, (2) the number "
    "of blocks (1 to 256) and (3) the number of bits of each block."
)


def is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def join(delimiter: Any, items: Any) -> Any:
    if not isinstance(delimiter, str):
        raise TemplateError(JOIN)
    if has_unknown(items):
        return UNKNOWN
    if not isinstance(items, list) or not all(map(is_scalar, items)):
        raise TemplateError(JOIN)
    return delimiter.join(map(text, items))


def split(delimiter: Any, source: Any) -> Any:
    if source is UNKNOWN:
        return UNKNOWN
    if not isinstance(delimiter, str) or not delimiter or not is_scalar(source):
        raise TemplateError(SPLIT)
    return text(source).split(delimiter)


def select(index: Any, items: Any) -> Any:
    if index is UNKNOWN or items is UNKNOWN:
        return UNKNOWN
    if not is_scalar(index) or not is_number(text(index)) or not isinstance(items, list):
        raise TemplateError(SELECT)
    number = int(index)
    if number >= len(items):
        raise TemplateError(f"Template error: Fn::Select cannot select nonexistent value at index {number}")
    return items[number]


def equals(first: Any, second: Any) -> bool:
    """Whether two strings are the same; AWS refuses lists and objects, such as the Ref of a list parameter."""
    if not is_scalar(first) or not is_scalar(second):
        raise TemplateError(EQUALS)
    return text(first) == text(second)


def base64_text(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    if not is_scalar(value):
        raise TemplateError("Template error: every Fn::Base64 object must have a String-typed value.")
    return base64.b64encode(text(value).encode()).decode()


def cidr(block: Any, count: Any, bits: Any = 8) -> Any:
    """count blocks of 2**bits addresses each, from the start of block (AWS page "Fn::Cidr")."""
    if UNKNOWN in (block, count, bits):
        return UNKNOWN
    try:
        network = ipaddress.ip_network(block)
        wanted, host_bits = int(count), int(bits)
        length = network.max_prefixlen - host_bits
        fits = 1 <= wanted <= 256 and network.prefixlen <= length <= network.max_prefixlen
    except (ValueError, TypeError, OverflowError) as error:
        raise TemplateError(CIDR) from error
    if not fits or wanted > 2 ** (length - network.prefixlen):
        raise TemplateError(f"Template error: Fn::Cidr cannot make {wanted} blocks of {host_bits} bits of {block}")
    start = int(network.network_address)
    address = type(network.network_address)
    return [f"{address(start + index * 2**host_bits)}/{length}" for index in range(wanted)]


def length(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    if not isinstance(value, list):
        raise TemplateError("Template error: every Fn::Length object requires a list or a function that returns a list")
    return len(value)


def to_json_string(value: Any) -> Any:
    if has_unknown(value):
        return UNKNOWN
    return json.dumps(value, separators=(",", ":"))


def variables(template: str) -> list[str]:
    """The names that a Fn::Sub string takes: ${Name} and ${Name.Attribute}, not ${!Literal}."""
    found = [name.strip() for literal, name in VARIABLE.findall(template) if not literal]
    for name in found:
        if not VARIABLE_NAME.fullmatch(name):
            raise TemplateError(
                "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
                "underscores, periods, and colons"
            )
    return found


def substitute(template: str, values: dict[str, Any]) -> Any:
    """The string with every variable replaced; values by variable name."""
    if UNKNOWN in values.values():
        return UNKNOWN
    for name, value in values.items():
        if not is_scalar(value):
            message = f"Template error: variable {name} in Fn::Sub expression does not resolve to a string"
            raise TemplateError(message)

    def replacement(match: re.Match[str]) -> str:
        literal, name = match.groups()
        return f"${{{name}}}" if literal else text(values[name.strip()])

    return VARIABLE.sub(replacement, template)
