"""What roles would be allowed, decided by the evaluator of awslang, which the rehearsal decides with as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awslang.policy.document import MalformedPolicy, parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from awslang.principals import Principal
from scripts.kit.doctor.facts.roles import Role
from scripts.kit.doctor.reader import Unread

EVERYTHING = parse(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "everything", ""
)


def may(role: Role, action: str, resource: str, context: Mapping[str, tuple[str, ...]] | None = None) -> bool:
    """Whether the role's own policies allow this; True where they are not known."""
    if isinstance(role.policies, Unread):
        return True
    who = role_session(role.arn)
    request = AuthorizationRequest(who, action, resource, role.account, context or {})
    return decide(request, Policies(identity=role.policies)).allowed


def role_session(arn: str) -> Principal:
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    return Principal("role", account, f"arn:aws:sts::{account}:assumed-role/{name}/doctor", role_arn=arn)


# The tags with which the pipeline's tests enter a tester's role (pipeline/testers.py).
SESSION_TAGS = ("sagemaker:project-id", "sagemaker:project-name")


def trusts(
    role: Role, who: Principal, external_id: str | None = None, source: str = "", action: str = "sts:AssumeRole"
) -> Decision:
    """What the role's trust policy decides for this service or role; source: the ARN that the service asks for.

    A role's session has the tags of a project, as the pipeline's tests have; sts:TagSession is asked for apart.
    """
    try:
        policy = parse(role.trust, "trust policy", role.account, "trust")
    except MalformedPolicy as error:
        return Decision(False, "implicit deny", "role trust policy", (), str(error))
    source = source or f"arn:aws:sagemaker:*:{role.account}:*"
    context: dict[str, tuple[str, ...]] = {"aws:sourceaccount": (role.account,), "aws:sourcearn": (source,)}
    if external_id is not None:
        context["sts:externalid"] = (external_id,)
    if who.kind == "role":
        context["aws:tagkeys"] = SESSION_TAGS
        context |= {f"aws:requesttag/{tag}": ("example",) for tag in SESSION_TAGS}
    request = AuthorizationRequest(who, action, role.arn, role.account, context)
    return decide(request, Policies(identity=(EVERYTHING,), resource=policy, resource_kind="trust"))


def service(name: str) -> Principal:
    """A service as a role's trust policy names it: sagemaker.amazonaws.com."""
    return Principal("service", "", name)


def trust_fix(role: str, principal: Mapping[str, Any], **more: Any) -> str:
    """The command that gives a role (with or without its path) a trust policy of one statement."""
    statement = {**more, "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return set_trust(role, {"Version": "2012-10-17", "Statement": [statement]})


def set_trust(role: str, document: Mapping[str, Any]) -> str:
    """The command that gives a role this trust policy."""
    name = role.rsplit("/", 1)[-1]
    return f"aws iam update-assume-role-policy --role-name {name} --policy-document '{json.dumps(document)}'"
