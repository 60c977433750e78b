"""Who may do what in an account: its users and roles with their policies, and the policies of the kit's resources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Literal

from awslang.policy.document import MalformedPolicy, Policy, parse, parse_resource
from awslang.policy.patterns import action_like
from scripts.kit.doctor.facts.protected import filled, of_account, read
from scripts.kit.doctor.facts.roles import managed_document
from scripts.kit.doctor.facts.stacks import NOTICES, TOPIC
from scripts.kit.doctor.reader import UNREAD, NotChecked, Reader, known
from scripts.kit.names import bundle_bucket
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

PAGE = 1000  # IAM API Reference, "GetAccountAuthorizationDetails": the most that MaxItems takes
TAGGING = (
    "sts:TagSession",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
)  # sessions with tags of their own


@dataclass(frozen=True)
class Entity:
    """A user or role. policies: its own, the attached ones and those of its groups; trust: a role's trust policy

    boundary: None without one; tagged: sessions of the role may bring tags of their own
    trusted: the trust policy as it is written
    """

    kind: Literal["user", "role"]
    arn: str
    policies: tuple[Policy, ...]
    boundary: Policy | None
    trust: Policy | None
    tags: Mapping[str, str] = field(default_factory=dict)
    tagged: bool = False
    trusted: Any = None

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def resource(self) -> str:
        """role/service-role/Name, user/Name"""
        return self.arn.split(":", 5)[5]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclass(frozen=True)
class Access:
    """Of one account.

    entities: every user and role, or those that matter; count: how many there are
    resources: the policies of buckets and topics, by name; None without one
    documents: the same as they are written
    """

    entities: Any = UNREAD
    count: int = 0
    resources: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)

    def role(self, name: str) -> Entity | None:
        """The role of this name, whatever its path; a name is unique in its account."""
        found = (one for one in self.entities or () if one.kind == "role" and one.name == name)
        return next(found, None)


def gather(reader: Reader, settings: Settings, partition: str, projects: Any) -> Access:
    """The data science account's. projects: whose artifact buckets are read as well"""
    account = settings.accounts.data_science
    entities = read_entities(reader, account)
    names = list(buckets(reader, account, partition, projects or ()))
    topics = {name: f"arn:{partition}:sns:{reader.region}:{account}:{name}" for name in (TOPIC, NOTICES)}
    policies = together(
        [
            *(partial(reader.ask, account, "s3", "GetBucketPolicy", Bucket=name) for name in names),
            *(partial(reader.ask, account, "sns", "GetTopicAttributes", TopicArn=arn) for arn in topics.values()),
        ]
    )
    answers = dict(zip([*names, *topics], policies, strict=True))
    answers |= {name: answers[name] and answers[name]["Attributes"] for name in topics}
    found = {name: parsed(answer, name, account) for name, answer in answers.items()}
    documents = {name: json.loads(answers[name]["Policy"]) for name, policy in found.items() if policy}
    return Access(entities, len(entities or ()), found, documents)


def buckets(reader: Reader, account: str, partition: str, projects: Iterable[Any]) -> Iterator[str]:
    """The bundle bucket, and the artifact bucket of each project."""
    yield bundle_bucket(account, reader.region)
    values = of_account(partition, account, reader.region)
    for project in projects:
        named = {**values, "SageMakerProjectName": project.name, "SageMakerProjectId": project.id}
        for resource in read("30-project")["Resources"].values():
            if resource["Type"] == "AWS::S3::Bucket":
                yield filled(str(resource["Properties"]["BucketName"]["Fn::Sub"]), named)


def parsed(answer: Any, name: str, account: str) -> Any:
    """The policy in an answer; as the answer itself where that is None or UNREAD."""
    if not answer:
        return answer
    try:
        return parse_resource(answer.get("Policy", ""), f"policy of {name}", account)
    except MalformedPolicy:  # with an element that the evaluator does not know
        return UNREAD


def read_entities(reader: Reader, account: str, matter: Callable[[Entity], bool] = lambda _: True) -> Any:
    """The account's users and roles, those that matter; UNREAD where they may not be read."""
    merged: dict[str, list[Any]] = {}

    def work() -> dict[str, list[Any]]:
        pages = reader.client(account, "iam").get_paginator("get_account_authorization_details")
        for page in pages.paginate(PaginationConfig={"PageSize": PAGE}):
            for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
                merged.setdefault(member, []).extend(page.get(member, []))
        return merged

    answer = reader.through(account, "iam", "GetAccountAuthorizationDetails", work)
    if not isinstance(answer, dict):
        return UNREAD
    documents = {one["Arn"]: default_version(one) for one in answer["Policies"]}
    details = Details(reader, account, documents, {group["GroupName"]: group for group in answer["GroupDetailList"]})
    found = (details.entity(one) for one in (*answer["UserDetailList"], *answer["RoleDetailList"]))
    return tuple(one for one in found if matter(one))


def default_version(policy: Mapping[str, Any]) -> Any:
    versions = policy.get("PolicyVersionList", [])
    return next((one["Document"] for one in versions if one["VersionId"] == policy["DefaultVersionId"]), UNREAD)


@dataclass(frozen=True)
class Details:
    """An account's answer, from which entities are made. documents: of managed policies, by ARN; groups: by name"""

    reader: Reader
    account: str
    documents: dict[str, Any]
    groups: Mapping[str, Any]

    def entity(self, detail: Mapping[str, Any]) -> Entity:
        """The user or role; of a policy that cannot be read, which is noted, nothing is allowed."""
        groups = [self.groups[name] for name in detail.get("GroupList", []) if name in self.groups]
        policies = tuple(policy for holder in (detail, *groups) for policy in self.policies(holder))
        bound = detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        trust = detail.get("AssumeRolePolicyDocument")
        read = self.read(trust, "trust policy", "trust") if trust else None
        return Entity(
            "role" if trust else "user",
            detail["Arn"],
            policies,
            (self.managed(bound) or Policy(bound, self.account, ())) if bound else None,
            read,
            {tag["Key"].lower(): tag["Value"] for tag in detail.get("Tags", [])},
            read is not None and any(allows(read, action) for action in TAGGING),
            trust,
        )

    def policies(self, holder: Mapping[str, Any]) -> Iterator[Policy]:
        """The inline and the attached policies of a user, role or group."""
        for kind in ("UserPolicyList", "RolePolicyList", "GroupPolicyList"):
            for one in holder.get(kind, []):
                yield self.read(one["PolicyDocument"], one["PolicyName"])
        for one in holder.get("AttachedManagedPolicies", []):
            found = self.managed(one["PolicyArn"])
            if found is not None:
                yield found

    def managed(self, arn: str) -> Policy | None:
        """A managed policy; None where its document may not be read, which is noted."""
        if arn not in self.documents:  # AWS's own, should the account's answer leave them out
            self.documents[arn] = managed_document(self.reader, self.account, arn)
        document = self.documents[arn]
        if not known(document):
            needs, who = "the permission iam:GetPolicyVersion", f"an administrator of account {self.account}"
            self.reader.leave_out(NotChecked(self.account, f"policy {arn}", needs, who))
            return None
        return self.read(document, arn)

    def read(self, document: Any, name: str, kind: Literal["identity", "trust"] = "identity") -> Policy:
        try:
            return parse(document, name, self.account, kind)
        except MalformedPolicy as error:
            needs, who = f"a policy that the evaluator reads ({error})", "the kit's developers"
            self.reader.leave_out(NotChecked(self.account, f"policy {name}", needs, who))
            return Policy(name, self.account, ())


def allows(policy: Policy, action: str) -> bool:
    """Whether a statement of the policy allows the action, on whatever and under whatever condition."""
    return any(one.effect == "Allow" and covers(one.actions, one.not_actions, action) for one in policy.statements)


@lru_cache(maxsize=100_000)
def covers(patterns: tuple[str, ...], others: bool, action: str) -> bool:
    return any(action_like(pattern, action) for pattern in patterns) != others


def touches(entity: Entity, actions: Iterable[str]) -> bool:
    """Whether a policy of the entity allows one of the actions, on whatever."""
    return any(allows(policy, action) for policy in entity.policies for action in actions)
