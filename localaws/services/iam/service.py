"""IAM's Service object and SimulatePrincipalPolicy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.policy.evaluator import (
    AuthorizationRequest,
    Deciding,
    Decision,
    Policies,
    covers_action,
    covers_resource,
    decide,
)
from awslang.principals import Principal
from localaws.authorization import state
from localaws.calls import Call
from localaws.service import EVERY, Service

iam = Service(
    "iam",
    moto=EVERY,
    refused=("DeleteVirtualMFADevice", "GetServiceLinkedRoleDeletionStatus"),  # what they act on has no known ARN
    invalid="ValidationError",
)

ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
ENTITY = re.compile(r"arn:aws:iam::([0-9]{12}):(role|user)/(?:.+/)?([^/]+)")
INLINE = re.compile(r"(.+) \(inline, (role|user|group) .+\)")  # as authorization/state.py names such policies
SUPPORTED = {"PolicySourceArn", "ActionNames", "ResourceArns", "ContextEntries", "MaxItems", "Marker"}
PAGE = 100
DECISIONS = {"allowed": "allowed", "explicit deny": "explicitDeny", "implicit deny": "implicitDeny"}


@iam.operation("SimulatePrincipalPolicy")
def simulate_principal_policy(call: Call) -> dict[str, Any]:
    params = call.params
    source = params["PolicySourceArn"]
    own = {"CallerArn": source, "ResourceOwner": source.split(":")[4]}  # what the two are where they are left out
    asked = sorted(
        name for name, value in params.items() if value not in (own.get(name), "", []) and name not in SUPPORTED
    )
    if asked:
        raise NotSupported(f"SimulatePrincipalPolicy with {', '.join(asked)}")
    principal = entity(params["PolicySourceArn"])
    for action in params["ActionNames"]:
        if not ACTION.fullmatch(action):
            raise AwsError("InvalidInput", f"Invalid Entity Supplied: {action}")
    context = {
        entry["ContextKeyName"].lower(): tuple(entry["ContextKeyValues"]) for entry in params.get("ContextEntries", [])
    }
    results = [
        result(AuthorizationRequest(principal, action, resource, principal.account, context))
        for action in params["ActionNames"]
        for resource in params.get("ResourceArns") or ["*"]
    ]
    first = int(params.get("Marker", "0"))
    last = first + params.get("MaxItems", PAGE)
    more = {"Marker": str(last)} if last < len(results) else {}
    return {"EvaluationResults": results[first:last], "IsTruncated": bool(more), **more}


def entity(arn: str) -> Principal:
    """The role or user whose policies are simulated; NoSuchEntity where there is none."""
    found = ENTITY.fullmatch(arn)
    if not found:
        raise NotSupported(f"SimulatePrincipalPolicy for {arn}: only roles and users are simulated")
    account, kind, name = found.groups()
    principal = Principal("role", account, arn, role_arn=arn) if kind == "role" else Principal("user", account, arn)
    if state.identity_of(principal) is state.NOBODY:
        raise AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
    return principal


def result(request: AuthorizationRequest) -> dict[str, Any]:
    """One EvaluationResult."""
    identity = state.identity_of(request.principal)
    organization = state.organization_of(request.principal.account)
    levels = organization.levels(request.principal.account, "SERVICE_CONTROL_POLICY") if organization else ()
    policies = Policies(
        identity=identity.policies,
        boundary=identity.boundary,
        service_control=levels,
        management_account=organization.management if organization else "",
    )
    decision = decide(request, policies)
    shown: dict[str, Any] = {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": DECISIONS[decision.reason],
        "MatchedStatements": [matched(one) for one in decision.statements if one.layer == "identity-based policy"],
        "MissingContextValues": sorted(set(missing(request, policies))),
    }
    if policies.service_control:
        shown["OrganizationsDecisionDetail"] = {
            "AllowedByOrganizations": allowed_by(decision, "service control policy")
        }
    if policies.boundary is not None:
        shown["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": allowed_by(decision, "permissions boundary")
        }
    return shown


def allowed_by(decision: Decision, layer: str) -> bool:
    return decision.allowed or decision.layer != layer


def matched(one: Deciding) -> dict[str, str]:
    """The statement's policy, without the place in it."""
    name = one.policy.name
    if name.startswith("arn:"):
        kind = "aws-managed" if name.split(":")[4] == "aws" else "user-managed"
        return {"SourcePolicyId": name.rsplit("/", 1)[1], "SourcePolicyType": kind}
    found = INLINE.fullmatch(name)
    assert found, name
    return {"SourcePolicyId": found.group(1), "SourcePolicyType": found.group(2)}


def missing(request: AuthorizationRequest, policies: Policies) -> Iterator[str]:
    """The condition keys that the policies ask for and the simulation was not given."""
    for policy in policies.identity:
        for statement in policy.statements:
            if covers_action(statement, request) and covers_resource(statement, request):
                yield from (test.key for test in statement.conditions if test.key.lower() not in request.context)
