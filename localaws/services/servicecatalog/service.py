"""Service Catalog's Service object, and how its operations are registered."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any

from localaws.calls import Call
from localaws.service import Handler, Service
from localaws.services.servicecatalog.state import Catalog, catalog_of, invalid

servicecatalog = Service("servicecatalog", invalid="ValidationException")


def operation(*names: str, token: str = "") -> Callable[[Handler], Handler]:
    """Register a handler, which runs while the account's state is locked.

    token: the member that makes the request idempotent. The same token with the same input gives the
    same answer and does nothing more (Service Catalog API Reference, IdempotencyToken: "A unique
    identifier that you provide to ensure idempotency").
    """

    def register(handler: Handler) -> Handler:
        @wraps(handler)
        def guarded(call: Call) -> dict[str, Any] | None:
            catalog = catalog_of(call)
            with catalog.lock:
                return once(call, catalog, token, handler) if token else handler(call)

        return servicecatalog.operation(*names)(guarded)

    return register


def once(call: Call, catalog: Catalog, token: str, handler: Handler) -> dict[str, Any]:
    given = {name: value for name, value in call.params.items() if name != token}
    key = (call.operation, call.params.get(token, ""), call.principal.role_arn or call.principal.arn)
    if key[1] and key in catalog.tokens:
        before, answer = catalog.tokens[key]
        if before != given:
            raise invalid(f"The {token} {key[1]} was already used with other parameters.")
        return copy.deepcopy(answer)
    answer = handler(call) or {}
    catalog.tokens[key] = (given, copy.deepcopy(answer))
    return answer
