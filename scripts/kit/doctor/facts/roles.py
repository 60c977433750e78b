"""Roles as facts: their trust policy and, where asked for, their policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from awslang.policy.document import MalformedPolicy, Policy, parse
from scripts.kit.doctor.reader import UNREAD, Reader, Unread, known


@dataclass(frozen=True)
class Role:
    """A role; policies: its own and the attached ones (UNREAD where they were not asked for, or may not be read)."""

    arn: str
    trust: Mapping[str, Any]
    policies: tuple[Policy, ...] | Unread = UNREAD
    attached: tuple[str, ...] | Unread = UNREAD

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

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
