"""What the services' access.py modules build needs from: tags, ARNs and roles in a request's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.bounded import is_number
from localaws.calls import Call
from localaws.service import Need

OWN_ACCOUNT = {"organizations", "cloudformation", "servicecatalog", "iam", "sts"}  # whatever account the ARN shows


def strings(value: Any) -> list[str]:
    """The strings of a parameter that holds one or a list of them; ARNs and names, none of them empty."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str) and item]


def need_of(call: Call, prefix: str, action: str, resource: str, keys: Mapping[str, tuple[str, ...]]) -> Need:
    owner = resource.split(":")[4] if resource.startswith("arn:") and prefix not in OWN_ACCOUNT else ""
    account = owner if is_number(owner) else call.account
    return Need(f"{prefix}:{action}", resource, account, keys)


def linked_role(call: Call, service: str, role: str) -> Need:
    """Making a service-linked role, which the service does on its caller's behalf."""
    name = f"arn:aws:iam::{call.account}:role/aws-service-role/{service}/{role}"
    return Need("iam:CreateServiceLinkedRole", name, call.account, {"iam:awsservicename": (service,)})


SETS = ("Tags", "tags", "TagList", "Tagging", "CreateBucketConfiguration")  # members of inputs that hold tags
REMOVES = ("TagKeys", "tagKeys", "TagKeyList", "tags")  # and keys of tags to be removed
TAG_MEMBERS = frozenset({*SETS, *REMOVES})


def request_tags(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a request sets, in whichever form the service has them."""
    for name in SETS:
        value = params.get(name)
        if name in ("Tagging", "CreateBucketConfiguration") and isinstance(value, dict):
            value = value.get("TagSet") or value.get("Tags")
        if isinstance(value, dict):
            return {str(k): str(v) for k, v in value.items()}
        if isinstance(value, list) and value and all(isinstance(tag, dict) for tag in value):
            lower = [{k.lower().removeprefix("tag"): v for k, v in tag.items()} for tag in value]
            return {str(tag.get("key", "")): str(tag.get("value", "")) for tag in lower}
    return {}


def tag_keys(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """aws:RequestTag and aws:TagKeys: the tags that a request sets or removes."""
    if params.keys().isdisjoint(TAG_MEMBERS):
        return {}
    tags = request_tags(params)
    removed = (params[name] for name in REMOVES if params.get(name))
    names = (*tags, *(key for given in removed if isinstance(given, list) for key in given if isinstance(key, str)))
    keys = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    return keys | ({"aws:tagkeys": names} if names else {})
