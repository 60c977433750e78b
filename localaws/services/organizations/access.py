"""What authorization asks of Organizations: the accounts, units and policies that a request acts on."""

from __future__ import annotations

from localaws.authorization.state import organization_of
from localaws.calls import Call
from localaws.service import Access
from localaws.services.organizations.service import organizations


def resources(call: Call, types: list[str]) -> list[str]:
    organization = organization_of(call.account)
    if organization is None:  # the service itself says that there is none
        return ["*"]
    keys = ("AccountId", "OrganizationalUnitId", "ParentId", "ChildId", "PolicyId", "TargetId", "RootId",
            "SourceParentId", "DestinationParentId", "ResourceId")  # fmt: skip
    if "HandshakeId" in call.params:
        path = f"handshake/{organization.id}/invite/{call.params['HandshakeId']}"
        return [f"arn:aws:organizations::{organization.management}:{path}"]
    return [found for key in keys if key in call.params and (found := organization.arn_of(str(call.params[key])))]


organizations.access = Access(resources=resources)
