"""Control policies: how long one may be, and how many a root, unit or account has.

AWS Organizations User Guide, "Quotas and service limits for AWS Organizations" (maximum size of a policy document,
minimum and maximum number of policies attached to one entity); API Reference, ConstraintViolationException.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.services.organizations.service import management_for, organization, organizations, through_moto

LONGEST, MOST = 5_120, 5  # characters of a policy; policies of one kind on one entity
CONTROLS = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")


def constraint(reason: str, message: str) -> AwsError:
    return AwsError("ConstraintViolationException", message, Reason=reason)


def kind_of(management: str, policy: str) -> str:
    """The kind of the policy with this id; "" for an unknown one."""
    return next((str(one.type) for one in organization(management).policies if one.id == policy), "")


@organizations.operation("CreatePolicy", "UpdatePolicy")
def write_policy(call: Call) -> dict[str, Any]:
    management, params = management_for(call, writes=True), call.params
    kind = params.get("Type") or kind_of(management, params.get("PolicyId", ""))
    if kind and kind not in CONTROLS:
        raise NotSupported(f"policies of the type {kind}")
    if kind in CONTROLS and len(params.get("Content") or "") > LONGEST:
        raise constraint(
            "POLICY_CONTENT_LIMIT_EXCEEDED", f"The policy is longer than the maximum of {LONGEST} characters."
        )
    return through_moto(call, management)


def attached(management: str, target: str, kind: str) -> list[str]:
    """The ids of the policies of this kind on a root, unit or account."""
    state = organization(management)
    found = next((node for node in (*state.ou, *state.accounts) if node.id == target), None)
    return [policy.id for policy in found.attached_policies if policy.type == kind] if found is not None else []


@organizations.operation("AttachPolicy")
def attach_policy(call: Call) -> dict[str, Any]:
    management, policy, target = management_for(call, writes=True), call.params["PolicyId"], call.params["TargetId"]
    kind = kind_of(management, policy)
    here = attached(management, target, kind)
    if kind and policy in here:
        raise AwsError(
            "DuplicatePolicyAttachmentException", "The selected policy is already attached to the specified target."
        )
    if kind in CONTROLS and len(here) >= MOST:
        raise constraint(
            "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            "You have attached the maximum number of policies to the specified target.",
        )
    return through_moto(call, management)


@organizations.operation("DetachPolicy")
def detach_policy(call: Call) -> dict[str, Any]:
    management, policy, target = management_for(call, writes=True), call.params["PolicyId"], call.params["TargetId"]
    kind = kind_of(management, policy)
    here = attached(management, target, kind)
    if kind and target and policy not in here and kind != "RESOURCE_CONTROL_POLICY":
        raise AwsError(
            "PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root."
        )
    if kind == "SERVICE_CONTROL_POLICY" and here == [policy]:
        raise constraint(
            "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            "You cannot remove the last policy attached to the specified target. You must have at least one attached "
            "at all times.",
        )
    return through_moto(call, management)
