"""What authorization asks of Service Catalog: products and portfolios, and the access level that is asked for."""

from __future__ import annotations

from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access, Keys
from localaws.services.servicecatalog.service import servicecatalog


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


servicecatalog.access = Access(resources=resources, keys=condition_keys)
