"""Values as they arrive at the other end of a request, without the text in between.

The embedded AWS's services ask each other within one process. Writing each request as JSON or XML and reading it
again, twice, costs more than all that is done with it. Here an input becomes what a service would read, and an
output what a client would read: only what the API's model knows, in the model's order, in values of their own.
tests/localaws/test_inside.py compares both ways. Only for the protocols json and query; what moto answers is text
anyway.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from botocore.serialize import Serializer
from botocore.utils import parse_timestamp, parse_to_aware_datetime
from dateutil.tz import tzutc  # type: ignore[import-untyped]  # as botocore has it
from moto.core.parse import default_timestamp_parser
from moto.core.utils import get_value

PROTOCOLS = frozenset({"json", "query"})
MOMENTS = {"json": "unixtimestamp", "query": "iso8601", "rest-xml": "rfc822"}  # the last one in headers
NOTHING: Any = object()  # what the query protocol has no way to write
_writer: Any = Serializer()
Convert = Callable[[Any, Any, str], Any]


# -- inputs: as a service reads them -----------------------------------------------------------------


def received(shape: Any, value: Any, protocol: str) -> dict[str, Any]:
    """The input of an operation, as the gateway reads it from a request of a botocore client."""
    found = _read(shape, value, protocol) if shape is not None else {}
    return {} if found is NOTHING else dict(found)


def _read(shape: Any, value: Any, protocol: str) -> Any:
    return READERS.get(shape.type_name, _same)(shape, value, protocol)


def _same(shape: Any, value: Any, protocol: str) -> Any:
    return value


def _read_structure(shape: Any, value: Any, protocol: str) -> Any:
    if shape.is_document_type:
        return json.loads(json.dumps(value))
    found = {}
    for name, member in shape.members.items():
        if value.get(name) is not None:
            inner = _read(member, value[name], protocol)
            if inner is not NOTHING:
                found[name] = inner
    return NOTHING if protocol == "query" and not found else found


def _read_list(shape: Any, value: Any, protocol: str) -> Any:
    found = [_read(shape.member, item, protocol) for item in value]
    return found[: found.index(NOTHING)] or NOTHING if NOTHING in found else found


def _read_map(shape: Any, value: Any, protocol: str) -> Any:
    found = {key: _read(shape.value, item, protocol) for key, item in value.items()}
    return NOTHING if protocol == "query" and not found else found


def _read_moment(shape: Any, value: Any, protocol: str) -> Any:
    written = shape.serialization.get("timestampFormat", MOMENTS[protocol])
    return default_timestamp_parser(_writer._convert_timestamp_to_str(value, written))


def _read_blob(shape: Any, value: Any, protocol: str) -> bytes:
    content = value.read() if hasattr(value, "read") else value
    return content.encode() if isinstance(content, str) else bytes(content)


READERS: dict[str, Convert] = {
    "structure": _read_structure,
    "list": _read_list,
    "map": _read_map,
    "timestamp": _read_moment,
    "blob": _read_blob,
    "integer": lambda shape, value, protocol: int(value),
    "long": lambda shape, value, protocol: int(value),
    "float": lambda shape, value, protocol: float(value),
    "double": lambda shape, value, protocol: float(value),
}


# -- outputs: as a client reads them -----------------------------------------------------------------


def output_of(shape: Any, value: Any, protocol: str) -> dict[str, Any]:
    """The output of an operation, as a botocore client reads it from the gateway's answer."""
    return _tell_structure(shape, value, protocol) if shape is not None else {}


def _tell(shape: Any, value: Any, protocol: str) -> Any:
    return TELLERS.get(shape.type_name, _same)(shape, value, protocol)


def _tell_structure(shape: Any, value: Any, protocol: str) -> Any:
    if shape.is_document_type:
        return json.loads(json.dumps(value))
    found = {}
    of_dict = isinstance(value, dict)
    for name, member in shape.members.items():
        inner = value.get(name) if of_dict else get_value(value, name, None)
        if inner is None:
            continue
        inner = _tell(member, inner, protocol)
        if inner is not NOTHING:
            found[name] = inner
    return found


def _tell_list(shape: Any, value: Any, protocol: str) -> Any:
    found = [_tell(shape.member, item, protocol) for item in value]
    if protocol == "query":
        found = [item for item in found if item != {}]
        return NOTHING if not found and shape.serialization.get("flattened") else found
    return found


def _tell_map(shape: Any, value: Any, protocol: str) -> Any:
    items = [(key, item) for key, item in value.items() if item is not None or protocol != "query"]
    return {str(key): _tell(shape.value, item, protocol) for key, item in items}


def _tell_string(shape: Any, value: Any, protocol: str) -> Any:
    if type(value) is str:
        return value if protocol == "json" or "\r" not in value else value.replace("\r\n", "\n").replace("\r", "\n")
    text = value.value if isinstance(value, Enum) else value
    return text if protocol == "json" and text in (None, {}, []) else str(text)


def _tell_moment(shape: Any, value: Any, protocol: str) -> datetime:
    moment: datetime = parse_to_aware_datetime(value)
    if shape.serialization.get("timestampFormat", MOMENTS[protocol]) == "unixtimestamp":
        return _seen(moment.replace(microsecond=moment.microsecond // 1000 * 1000).timestamp())
    return moment.astimezone(UTC).replace(tzinfo=tzutc())


@lru_cache(4096)
def _seen(seconds: Any) -> datetime:  # botocore's stubs know of text only
    """As botocore reads it, which asks for the time zone each time; a moment is looked at again and again."""
    seen: datetime = parse_timestamp(seconds)
    return seen


def _tell_boolean(shape: Any, value: Any, protocol: str) -> Any:
    return value if protocol == "json" else str(value).lower() == "true"


TELLERS: dict[str, Convert] = {
    "structure": _tell_structure,
    "list": _tell_list,
    "map": _tell_map,
    "string": _tell_string,
    "character": _tell_string,
    "timestamp": _tell_moment,
    "blob": _read_blob,
    "boolean": _tell_boolean,
    "integer": lambda shape, value, protocol: int(value),
    "long": lambda shape, value, protocol: int(value),
    "float": lambda shape, value, protocol: float(value),
    "double": lambda shape, value, protocol: float(value),
}
