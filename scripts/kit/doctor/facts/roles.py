"""Roles as facts: their trust policy and, where asked for, their policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from awslang.policy.document import MalformedPolicy, Policy, parse
from scripts.kit.doctor.reader import UNREAD, Reader, Unread, known
from scripts.kit.settings.model import Settings
from scripts.kit.stacks.organization_rules import boundary_arn


@dataclass(frozen=True)
class Role:
    """A role; policies: its own and the attached ones (UNREAD where they were not asked for, or may not be read).

    boundary: the ARN of the policy that bounds it, "" for none
    """

    arn: str
    trust: Mapping[str, Any]
    policies: tuple[Policy, ...] | Unread = UNREAD
    attached: tuple[str, ...] | Unread = UNREAD
    boundary: str = ""

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def path(self) -> str:
        return self.arn.split(":role", 1)[1].rpartition("/")[0] + "/"

    @property
    def trust_policy(self) -> Policy | None:
        """The trust policy; None for one that IAM would not take."""
        try:
            return parse(self.trust, "trust policy", self.account, "trust")
        except MalformedPolicy:
            return None


def read_role(reader: Reader, account: str, name: str, policies: bool = False) -> Role | Unread | None:
    """The role of this name (without its path)."""
    answer = reader.ask(account, "iam", "GetRole", RoleName=name)
    if not answer:
        return answer  # type: ignore[no-any-return]  # None or UNREAD
    role = answer["Role"]
    boundary = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", "")
    found = Role(role["Arn"], role["AssumeRolePolicyDocument"], boundary=boundary)
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
        return replace(role, attached=arns)
    policies = tuple(parse(text, name, account) for name, text in documents.items())
    return replace(role, policies=policies, attached=arns)


def read_boundary(reader: Reader, account: str, settings: Settings) -> Any:
    """The policy of the account that bounds the kit's roles; UNREAD where the environment file names none."""
    if not settings.roles.permissions_boundary:
        return UNREAD
    return reader.ask(account, "iam", "GetPolicy", PolicyArn=boundary_arn(settings, account))


def managed_document(reader: Reader, account: str, arn: str) -> Any:
    """The document of a managed policy, in its default version; UNREAD where it may not be read."""
    policy = reader.ask(account, "iam", "GetPolicy", PolicyArn=arn)
    if not policy:
        return UNREAD
    version = policy["Policy"]["DefaultVersionId"]
    answer = reader.ask(account, "iam", "GetPolicyVersion", PolicyArn=arn, VersionId=version)
    return answer["PolicyVersion"]["Document"] if answer else UNREAD
