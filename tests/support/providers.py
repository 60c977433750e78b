"""Resource providers called as a stack calls them, without a stack."""

from __future__ import annotations

from typing import Any

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, Made
from localaws.cloudformation.providers import PROVIDERS

ACCOUNT, REGION = "111111111111", "eu-west-1"


def stack_context(cloud: Cloud, logical_id: str = "Thing", **changed: Any) -> Context:
    given: dict[str, Any] = {
        "session": cloud.root(ACCOUNT, REGION),
        "cloud": cloud,
        "account": ACCOUNT,
        "region": REGION,
        "stack_id": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/1",
        "stack_name": "shop",
        "logical_id": logical_id,
        "tags": {"project": "shop", "aws:cloudformation:stack-name": "shop"},
        "token": "t1",
    }
    return Context(**{**given, **changed})


def create_resource(cloud: Cloud, type_name: str, properties: dict[str, Any]) -> Made:
    return PROVIDERS[type_name].create(stack_context(cloud), properties)


def update_resource(cloud: Cloud, type_name: str, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
    return PROVIDERS[type_name].update(stack_context(cloud), physical_id, old, new)


def delete_resource(cloud: Cloud, type_name: str, physical_id: str, properties: dict[str, Any]) -> None:
    """Twice: a resource that is gone already is no error."""
    PROVIDERS[type_name].delete(stack_context(cloud), physical_id, properties)
    PROVIDERS[type_name].delete(stack_context(cloud), physical_id, properties)
