"""What authorization asks of Service Catalog: products and portfolios, and the access level that is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access, Keys, Need
from localaws.services.servicecatalog.service import servicecatalog

ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")


def resources(call: Call, types: list[str]) -> list[str]:
    """Products and portfolios are catalog's; one named otherwise than by id is any."""
    params = call.params
    if id := params.get("ResourceId"):  # of either kind
        return [
            arn("catalog", call.region, call.account, f"{'product' if id.startswith('prod-') else 'portfolio'}/{id}")
        ]
    for kind, key in (("Product", "ProductId"), ("Portfolio", "PortfolioId")):
        if kind in types and (params.get(key) or params.get("Id")):
            return [arn("catalog", call.region, call.account, f"{kind.lower()}/{params.get(key) or params['Id']}")]
        if kind in types and (params.get("ProductName") or params.get("Name") or params.get("DisplayName")):
            return [arn("catalog", call.region, call.account, f"{kind.lower()}/*")]
    return []


def condition_keys(call: Call) -> Keys:
    """servicecatalog:userLevel, roleLevel and accountLevel: the access level that the request asks for."""
    level = call.params.get("AccessLevelFilter") or {}
    key = str(level.get("Key", "User")).lower()
    return {f"servicecatalog:{key}level": (str(level.get("Value", "self")),)}


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """Administrator Guide, "AWS Service Catalog Launch Constraints": to assign a role needs iam:PassRole."""
    if call.operation not in ("CreateConstraint", "UpdateConstraint"):
        return
    try:
        role = json.loads(call.params.get("Parameters", "{}")).get("RoleArn")
    except (ValueError, AttributeError):
        return  # the operation refuses it
    if isinstance(role, str) and ROLE.fullmatch(role):
        yield Need("iam:PassRole", role, role.split(":")[4], {"iam:passedtoservice": ("servicecatalog.amazonaws.com",)})


servicecatalog.access = Access(resources=resources, keys=condition_keys, further=further)
