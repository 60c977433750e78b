"""Whether a request is allowed: the policy evaluation logic of IAM, and nothing else.

Pure: it is given the request and every policy that applies to it. The pages followed, all of the
IAM User Guide: "How AWS enforcement code logic evaluates requests to allow or deny access",
"Policy evaluation for requests within a single account", "Cross-account policy evaluation logic",
"AWS JSON policy elements: Principal" and "NotPrincipal", "Permissions boundaries for IAM entities";
"SCP evaluation" (AWS Organizations User Guide); "Key policies in AWS KMS" (KMS Developer Guide); "Control access to VPC
endpoints using endpoint policies" (AWS PrivateLink Guide).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Literal

from awslang.policy.document import Policy, Statement
from awslang.policy.patterns import Context, action_like, resource_like
from awslang.principals import Principal

Layer = Literal[
    "identity-based policy",
    "permissions boundary",
    "session policy",
    "resource-based policy",
    "role trust policy",
    "service control policy",
    "resource control policy",
    "VPC endpoint policy",
    "root user",
]
Levels = tuple[tuple[Policy, ...], ...]  # one entry for each level, from the organization's root to the account


@dataclass(frozen=True)
class AuthorizationRequest:
    """What is asked.

    action: s3:GetObject; resource: an ARN, or "*" for an action without resources
    resource_account: whose the resource is
    context: condition keys, in lower case, with their values; an absent key is left out
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Context


@dataclass(frozen=True)
class Policies:
    """Every policy that applies to a request.

    resource: the policy of the resource, a role's trust policy, or a key policy; None without one
    resource_kind: trust and key policies must allow the request themselves
    endpoint: the policy of the VPC endpoint through which the request comes; None without one
    service_control, resource_control: per level; () where the organization has them switched off
    management_account: of the organization; its principals are exempt from service control
        policies and its resources from resource control policies
    """

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    resource: Policy | None = None
    resource_kind: Literal["resource", "trust", "key"] = "resource"
    endpoint: Policy | None = None
    service_control: Levels = ()
    resource_control: Levels = ()
    management_account: str = ""


@dataclass(frozen=True)
class Deciding:
    """One statement that took part in the decision."""

    layer: Layer
    policy: Policy
    statement: Statement

    def __str__(self) -> str:
        return f"statement {self.statement.label} of the {self.layer} {self.policy}"


@dataclass(frozen=True)
class Decision:
    """The answer.

    reason: "allowed" | "explicit deny" | "implicit deny"
    layer: for a refusal, the layer that denied or did not allow
    statements: those that denied, or those that together allowed
    missing: for an implicit deny, which policies were looked at and what came nearest
    """

    allowed: bool
    reason: Literal["allowed", "explicit deny", "implicit deny"]
    layer: Layer
    statements: tuple[Deciding, ...] = ()
    missing: str = ""


class Grant(IntEnum):
    """How a resource's policy names the principal."""

    NOT = 0
    ACCOUNT = 1  # by its account: the account's own policies must allow it too
    ROLE = 2  # by its role: limited by boundary and session policies
    DIRECT = 3  # as user, session, service or root user, or with everybody


# -- one statement ---------------------------------------------------------------------------------


def named(statement: Statement, request: AuthorizationRequest, has_boundary: bool = False) -> Grant:
    """How the statement's Principal or NotPrincipal covers the caller."""
    grants = [_named_by(kind, value, request) for kind, value in statement.principals or ()]
    if not statement.not_principals:
        return max(grants, default=Grant.NOT)
    excepted = Grant.DIRECT in grants or Grant.ROLE in grants
    if request.principal.kind in ("user", "role"):
        # the account is validated first, then the user or role: both must be among the excepted
        excepted = excepted and Grant.ACCOUNT in grants and not has_boundary
    return Grant.NOT if excepted else Grant.DIRECT


def _named_by(kind: str, value: str, request: AuthorizationRequest) -> Grant:
    principal = request.principal
    if kind == "Service":
        return Grant.DIRECT if principal.kind == "service" and value in (principal.arn, "*") else Grant.NOT
    if kind == "Federated":  # who asks with a token of the provider: sts:AssumeRoleWithWebIdentity
        return Grant.DIRECT if principal.kind == "federated" and value == principal.arn else Grant.NOT
    if kind != "AWS":
        return Grant.NOT  # CloudFront identities do not exist here
    if value == "*":
        return Grant.DIRECT
    if principal.kind in ("service", "federated", "anonymous"):
        return Grant.NOT
    if value in (principal.account, f"arn:aws:iam::{principal.account}:root"):
        return Grant.DIRECT if principal.kind == "root" else Grant.ACCOUNT
    if value == principal.arn:
        return Grant.DIRECT
    if principal.kind == "role" and value == principal.role_arn:
        return Grant.ROLE
    if value == request.context.get("aws:userid", ("",))[0].partition(":")[0]:  # the unique id of a role or user
        return Grant.ROLE if principal.kind == "role" else Grant.DIRECT
    return Grant.NOT


def covers(statement: Statement, request: AuthorizationRequest) -> bool:
    """Whether action, resource and conditions of the statement fit the request."""
    return covers_action(statement, request) and covers_resource(statement, request) and _holds(statement, request)


def covers_action(statement: Statement, request: AuthorizationRequest) -> bool:
    return _any_like(statement.actions, request.action) != statement.not_actions


@lru_cache(maxsize=20_000)
def _any_like(patterns: tuple[str, ...], action: str) -> bool:
    return any(action_like(pattern, action) for pattern in patterns)


def covers_resource(statement: Statement, request: AuthorizationRequest) -> bool:
    if statement.resources is None:  # trust policies, and policies of resources that name only themselves
        return True
    fixed, varying = _by_variables(statement.resources, statement.variables)
    found = _any_resource_like(fixed, request.resource) or any(
        resource_like(pattern, request.resource, request.context) for pattern in varying
    )
    return found != statement.not_resources


@lru_cache(maxsize=5_000)
def _by_variables(patterns: tuple[str, ...], variables: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patterns without a variable, and those with one."""
    varying = tuple(pattern for pattern in patterns if variables and "${" in pattern)
    return tuple(pattern for pattern in patterns if pattern not in varying), varying


@lru_cache(maxsize=20_000)
def _any_resource_like(patterns: tuple[str, ...], resource: str) -> bool:
    return any(resource_like(pattern, resource, {}, variables=False) for pattern in patterns)


def _holds(statement: Statement, request: AuthorizationRequest) -> bool:
    return all(test.holds(request.context, statement.variables) for test in statement.conditions)


def _first(policies: Iterable[Policy], effect: str, request: AuthorizationRequest, layer: Layer) -> Deciding | None:
    for policy in policies:
        for statement in policy.statements:
            if statement.effect == effect and covers(statement, request):
                return Deciding(layer, policy, statement)
    return None


# -- the layers ------------------------------------------------------------------------------------


def _layers(request: AuthorizationRequest, policies: Policies) -> Iterator[tuple[Layer, tuple[Policy, ...]]]:
    """The layers without principals that may deny, in the order in which a refusal names them."""
    if bound_by_resource_control(request, policies):
        yield "resource control policy", tuple(p for level in policies.resource_control for p in level)
    if bound_by_service_control(request, policies):
        yield "service control policy", tuple(p for level in policies.service_control for p in level)
    if request.principal.kind not in ("user", "role"):
        return  # root users, services and the anonymous have no policies of their own
    yield "identity-based policy", policies.identity
    yield "permissions boundary", (policies.boundary,) if policies.boundary else ()
    yield "session policy", policies.session or ()


def bound_by_service_control(request: AuthorizationRequest, policies: Policies) -> bool:
    """Members' users, roles and root user; not service-linked roles, services or the management account."""
    principal = request.principal
    return (
        bool(policies.service_control)
        and principal.kind in ("root", "user", "role")
        and principal.account != policies.management_account
        and ":role/aws-service-role/" not in principal.role_arn
    )


def bound_by_resource_control(request: AuthorizationRequest, policies: Policies) -> bool:
    """Members' resources; calls of service-linked roles pass."""
    return (
        bool(policies.resource_control)
        and request.resource_account != policies.management_account
        and ":role/aws-service-role/" not in request.principal.role_arn
    )


def resource_layer(policies: Policies) -> Layer:
    return "role trust policy" if policies.resource_kind == "trust" else "resource-based policy"


def _resource_statements(
    effect: str, request: AuthorizationRequest, policies: Policies
) -> Iterator[tuple[Grant, Deciding]]:
    for statement in policies.resource.statements if policies.resource else ():
        if statement.effect == effect and covers(statement, request):
            grant = named(statement, request, policies.boundary is not None)
            if grant and policies.resource:
                yield grant, Deciding(resource_layer(policies), policies.resource, statement)


def _explicit_deny(request: AuthorizationRequest, policies: Policies) -> Deciding | None:
    for layer, of_layer in _layers(request, policies):
        if found := _first(of_layer, "Deny", request, layer):
            return found
    return next((deciding for _, deciding in _resource_statements("Deny", request, policies)), None)


def decide(request: AuthorizationRequest, policies: Policies) -> Decision:
    """Whether the request is allowed, by which statements, or what denies it or is missing."""
    if denied := _explicit_deny(request, policies):
        return Decision(False, "explicit deny", denied.layer, (denied,))
    if policies.endpoint is not None and (kept := kept_by_endpoint(request, policies.endpoint)):
        return kept
    gate: tuple[tuple[bool, Levels, Layer], ...] = (
        (bound_by_resource_control(request, policies), policies.resource_control, "resource control policy"),
        (bound_by_service_control(request, policies), policies.service_control, "service control policy"),
    )
    for bound, levels, layer in gate:
        for level in levels if bound else ():
            if _first(level, "Allow", request, layer) is None:
                return _implicit(layer, level, request)
    grant, granted = max(
        _resource_statements("Allow", request, policies), key=lambda found: found[0], default=(Grant.NOT, None)
    )
    by_resource = (granted,) if granted else ()
    if request.principal.kind in ("service", "federated", "anonymous"):
        return _allowed(by_resource) if granted else _implicit_resource(request, policies)
    same_account = request.principal.account == request.resource_account
    must_name = not same_account or policies.resource_kind != "resource"
    if must_name and not granted:
        return _implicit_resource(request, policies)
    if same_account and grant == Grant.DIRECT:
        return _allowed(by_resource)
    return _by_identity(request, policies, by_resource, needs_identity=not (same_account and grant == Grant.ROLE))


def kept_by_endpoint(request: AuthorizationRequest, policy: Policy) -> Decision | None:
    """The refusal of a VPC endpoint's policy, which grants nothing and limits what goes through; None for none."""
    covering = [one for one in policy.statements if covers(one, request) and named(one, request) != Grant.NOT]
    if denying := [one for one in covering if one.effect == "Deny"]:
        found = Deciding("VPC endpoint policy", policy, denying[0])
        return Decision(False, "explicit deny", "VPC endpoint policy", (found,))
    return None if covering else _implicit("VPC endpoint policy", (policy,), request)


def _by_identity(
    request: AuthorizationRequest, policies: Policies, by_resource: tuple[Deciding, ...], needs_identity: bool
) -> Decision:
    """Identity policies ∩ boundary ∩ session policies (root users have no such limits)."""
    if request.principal.kind == "root":
        return Decision(True, "allowed", "root user", by_resource)
    found = list(by_resource)
    if needs_identity:
        allowed = _first(policies.identity, "Allow", request, "identity-based policy")
        if allowed is None:
            return _implicit("identity-based policy", policies.identity, request)
        found.insert(0, allowed)
    if policies.boundary is not None and _first((policies.boundary,), "Allow", request, "permissions boundary") is None:
        return _implicit("permissions boundary", (policies.boundary,), request)
    if policies.session is not None and _first(policies.session, "Allow", request, "session policy") is None:
        return _implicit("session policy", policies.session, request)
    return _allowed(tuple(found))


def _allowed(statements: tuple[Deciding, ...]) -> Decision:
    return Decision(True, "allowed", statements[0].layer, statements)


# -- what was missing ------------------------------------------------------------------------------


def _implicit(layer: Layer, policies: tuple[Policy, ...], request: AuthorizationRequest) -> Decision:
    looked_at = ", ".join(str(policy) for policy in policies) or "there is none"
    near = [note for policy in policies for note in _near(policy, request)]
    missing = f"no statement allows {request.action} on {request.resource} ({layer}: {looked_at})"
    return Decision(False, "implicit deny", layer, (), "; ".join([missing, *near]))


def _implicit_resource(request: AuthorizationRequest, policies: Policies) -> Decision:
    layer = resource_layer(policies)
    if policies.resource is None:
        missing = f"{request.resource} has no policy of its own that could allow {request.principal.arn}"
        return Decision(False, "implicit deny", layer, (), missing)
    return _implicit(layer, (policies.resource,), request)


def _near(policy: Policy, request: AuthorizationRequest) -> Iterator[str]:
    """Statements that allow the action, but not here: what keeps each from applying."""
    for statement in policy.statements:
        if statement.effect != "Allow" or not covers_action(statement, request):
            continue
        place = f"statement {statement.label} of {policy.name} allows the action, but"
        if statement.principals is not None and not named(statement, request):
            yield f"{place} not to {request.principal.role_arn or request.principal.arn}"
        elif not covers_resource(statement, request):
            yield f"{place} not on this resource"
        else:
            failing = (t for t in statement.conditions if not t.holds(request.context, statement.variables))
            if test := next(failing, None):
                yield f"{place} its condition fails: {test.described(request.context)}"
