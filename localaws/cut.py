"""Lists cut to the page that was asked for: moto leaves out the limit of many operations and gives everything.

One mechanism for every operation that botocore's paginators know (its limit, its list, its token), whether moto or a
handler answers. A list that comes cut already is left as it is.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.parsers import create_parser
from botocore.session import get_session
from moto.core.request import determine_request_protocol
from moto.core.utils import get_service_model

from localaws import pages, wire
from localaws.calls import Call

LIMITS = {"Limit", "limit", "MaxItems", "MaxKeys", "MaxRecords", "MaxResults", "maxResults", "PageSize"}
NAMES = (
    LIMITS | pages.TOKENS.keys()
)  # one of them is in every request for a page: botocore's files are read for no other


@dataclass(frozen=True)
class Paging:
    """The members of an operation: of its input the limit and the token, of its output the list, the token and what
    says that there is more ("" for none)."""

    limit: str
    asked: str
    items: str
    given: str
    more: str


@dataclass
class Places:
    """Where the pages begin whose tokens were given, by token."""

    first: dict[str, int] = field(default_factory=dict)


@cache
def paginators(service: str) -> Any:
    return get_session().get_paginator_model(service)


@cache
def paging(service: str, operation: str) -> Paging | None:
    """None where an operation has no pages, or names them by more than a token."""
    try:
        found = paginators(service).get_paginator(operation)
    except Exception:  # botocore has no paginators of the service, or none of the operation
        return None
    items = found["result_key"][0] if isinstance(found["result_key"], list) else found["result_key"]
    if (
        found.get("limit_key") not in LIMITS
        or not isinstance(found["input_token"], str)
        or not re.fullmatch(r"[A-Za-z]+", found["output_token"])
    ):
        return None
    return Paging(found["limit_key"], found["input_token"], items, found["output_token"], found.get("more_results", ""))


def cut(call: Call, answer: tuple[int, dict[str, str], Any]) -> tuple[int, dict[str, str], Any]:
    """The answer with no more than the limit, from the page on that the token names."""
    if not call.params.keys() & NAMES:
        return answer
    of = paging(call.service, call.operation)
    if of is None or not call.params.keys() & {of.limit, of.asked}:
        return answer
    status, headers, body = answer
    places = call.cloud.state(Places, call.account, call.region)
    first = places.first.get(str(call.params.get(of.asked, "")), 0)
    result = body if isinstance(body, dict) else output(call, status, headers, body)
    items = list(result.get(of.items, []))
    last = first + int(call.params.get(of.limit, len(items)))
    if not first and len(items) <= last:
        return answer
    result = {name: value for name, value in result.items() if name != "ResponseMetadata"} | {
        of.items: items[first:last]
    }
    if of.more:
        result[of.more] = last < len(items)
    if last < len(items):
        result[of.given] = base64.b64encode(f"{call.operation} from {last}".encode()).decode()
        places.first[result[of.given]] = last
    if isinstance(body, dict):
        return status, headers, result
    return wire.answer_text(call, get_service_model(call.service).operation_model(call.operation), result)


def output(call: Call, status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    model = get_service_model(call.service)
    parser = create_parser(determine_request_protocol(model, call.http.headers.get("content-type", "")))
    shape = model.operation_model(call.operation).output_shape
    return dict(parser.parse({"status_code": status, "headers": headers, "body": body}, shape))
