"""Roles as facts, and what they would be allowed: decided by the evaluator that the rehearsal decides with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from awslang.policy.document import MalformedPolicy, Policy, parse
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from awslang.principals import Principal
from scripts.kit.doctor.reader import UNREAD, Reader, Unread, known

EVERYTHING = parse(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "everything", ""
)


@dataclass(frozen=True)
class Role:
    """A role; policies: its own and the attached ones (UNREAD where nobody asked, or they may not be read)."""

    arn: str
    trust: Mapping[str, Any]
    policies: tuple[Policy, ...] | Unread = UNREAD
    attached: tuple[str, ...] | Unread = UNREAD

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


def read_role(reader: Reader, account: str, name: str, policies: bool = False) -> Role | Unread | None:
    """The role of this name (without its path)."""
    answer = reader.ask(account, "iam", "GetRole", RoleName=name)
    if not answer:
        return answer  # type: ignore[no-any-return]  # None or UNREAD
    role = answer["Role"]
    found = Role(role["Arn"], role["AssumeRolePolicyDocument"])
    return with_policies(reader, account, name, found) if policies else found


def with_policies(reader: Reader, account: str, name: str, role: Role) -> Role:
    attached = reader.pages(account, "iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=name)
    inline = reader.pages(account, "iam", "ListRolePolicies", "PolicyNames", RoleName=name)
    if not known(attached) or not known(inline):
        return role
    arns = tuple(policy["PolicyArn"] for policy in attached or [])
    documents: dict[str, Any] = {arn: managed_document(reader, account, arn) for arn in arns}
    for policy in inline or []:
        answer = reader.ask(account, "iam", "GetRolePolicy", RoleName=name, PolicyName=policy)
        documents[policy] = answer["PolicyDocument"] if answer else UNREAD
    if not all(known(document) for document in documents.values()):
        return Role(role.arn, role.trust, UNREAD, arns)
    return Role(role.arn, role.trust, tuple(parse(text, name, account) for name, text in documents.items()), arns)


def managed_document(reader: Reader, account: str, arn: str) -> Any:
    """The document of a managed policy, in its default version; UNREAD where it may not be read."""
    policy = reader.ask(account, "iam", "GetPolicy", PolicyArn=arn)
    if not policy:
        return UNREAD
    version = policy["Policy"]["DefaultVersionId"]
    answer = reader.ask(account, "iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)
    return answer["PolicyVersion"]["Document"] if answer else UNREAD


def may(role: Role, action: str, resource: str, context: Mapping[str, tuple[str, ...]] | None = None) -> bool:
    """Whether the role's own policies let it do this; True where they are not known."""
    if isinstance(role.policies, Unread):
        return True
    who = role_session(role.arn)
    request = AuthorizationRequest(who, action, resource, role.account, context or {})
    return decide(request, Policies(identity=role.policies)).allowed


def role_session(arn: str) -> Principal:
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    return Principal("role", account, f"arn:aws:sts::{account}:assumed-role/{name}/doctor", role_arn=arn)


def trusts(role: Role, who: Principal, external_id: str | None = None, source: str = "") -> Decision:
    """Whether the role's trust policy lets this service or role in; source: for what (default: for SageMaker's)."""
    try:
        policy = parse(role.trust, "trust policy", role.account, "trust")
    except MalformedPolicy as error:
        return Decision(False, "implicit deny", "role trust policy", (), str(error))
    source = source or f"arn:aws:sagemaker:*:{role.account}:*"
    context = {"aws:sourceaccount": (role.account,), "aws:sourcearn": (source,)}
    if external_id is not None:
        context["sts:externalid"] = (external_id,)
    request = AuthorizationRequest(who, "sts:AssumeRole", role.arn, role.account, context)
    return decide(request, Policies(identity=(EVERYTHING,), resource=policy, resource_kind="trust"))


def service(name: str) -> Principal:
    """A service as a role's trust policy names it: sagemaker.amazonaws.com."""
    return Principal("service", "", name)
