"""What authorization asks of Systems Manager: the parameters that a request acts on."""

from __future__ import annotations

from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.ssm.service import ssm


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "parameter" not in types:
        return []
    names = strings(params.get("Names") or params.get("Name") or params.get("Path") or [])
    if params.get("ResourceType") == "Parameter":
        names = [params["ResourceId"]]
    return [
        name if name.startswith("arn:") else arn("ssm", call.region, call.account, f"parameter/{name.lstrip('/')}")
        for name in names
    ]


ssm.access = Access(resources=resources)
