"""What authorization reads from the state of the embedded AWS: policies, tags, the organization.

Read directly, without asking: this is what AWS's own authorization service does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from awslang.errors import AwsError
from awslang.policy.document import Policy, parse
from awslang.principals import Principal
from localaws import moto_bridge
from localaws.authorization import s3
from localaws.authorization.resources import key_arn
from localaws.calls import Call, HttpRequest
from localaws.cloud import Cloud, new_id

RESOURCE_CONTROLLED = {"s3", "sts", "kms", "sqs", "secretsmanager", "ecr", "dynamodb"}


# -- the organization -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Organization:
    """An organization as moto holds it, for one decision: where its accounts stand is looked up once."""

    id: str
    management: str
    backend: Any
    walked: dict[str, list[Any]] = field(default_factory=dict)

    def path_to(self, account: str) -> list[Any]:
        """Root, units, account: moto's objects from the top down; [] for an account outside."""
        if account not in self.walked:
            nodes = {node.id: node for node in self.backend.ou}
            node = moto_bridge.member(self.backend, account)
            path = self.walked[account] = []
            while node is not None:
                path.insert(0, node)
                node = nodes.get(node.parent_id) if getattr(node, "type", "") != "ROOT" else None
        return self.walked[account]

    def paths(self, account: str) -> tuple[str, ...]:
        """aws:PrincipalOrgPaths: o-…/r-…/ou-…/ou-…/"""
        units = [node.id for node in self.path_to(account)[:-1]]
        return ("/".join([self.id, *units]) + "/",) if units else ()

    def levels(self, account: str, kind: str) -> tuple[tuple[Policy, ...], ...]:
        """The control policies of each level; () while this kind of policy is not enabled in the root."""
        path = self.path_to(account)
        if not path or not any(item["Type"] == kind for item in getattr(path[0], "policy_types", [])):
            return ()
        as_kind = "control" if kind == "SERVICE_CONTROL_POLICY" else "resource"
        found = []
        for node in path:
            attached = {p.id: p for p in node.attached_policies if p.type == kind}
            full = next((p for p in self.backend.policies if p.id == "p-RCPFullAWSAccess"), None)
            if kind == "RESOURCE_CONTROL_POLICY" and full is not None:  # it cannot be detached
                attached[full.id] = full
            found.append(tuple(parse(p.content, p.arn, self.management, as_kind) for p in attached.values()))  # type: ignore[arg-type]
        return tuple(found)

    def arn_of(self, name: str) -> str:
        """The ARN of an account, unit, root or policy by its id; "" for an unknown one."""
        known = [*self.backend.ou, *self.backend.accounts, *self.backend.policies]
        found = next((item for item in known if item.id == name), None)
        if found is not None:
            return str(found.arn)
        kind = {"ou": "ou", "r": "root", "p": "policy/service_control_policy"}.get(name.split("-")[0], "account")
        return f"arn:aws:organizations::{self.management}:{kind}/{self.id}/{name}"


def organization_of(account: str) -> Organization | None:
    """The organization that an account belongs to."""
    from moto.organizations.models import organizations_backends

    management, _ = organizations_backends.master_accounts.get(account, (account, "aws"))
    if management not in organizations_backends:
        return None
    backend = organizations_backends[management]["aws"]
    if backend.org is None or (account != management and moto_bridge.member(backend, account) is None):
        return None
    return Organization(backend.org.id, management, backend)


# -- identity policies ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """A user or role: its policies, its boundary, its tags."""

    policies: tuple[Policy, ...]
    boundary: Policy | None
    tags: Mapping[str, str]
    unique_id: str = ""


NOBODY = Identity((), None, {})


def role_named(role_arn: str) -> Any:
    """moto's role of this ARN, or None."""
    account = role_arn.split(":")[4]
    name = role_arn.rsplit("/", 1)[-1]  # unique in its account
    roles = list(moto_bridge.backend("iam", account, "aws").roles.values())  # another request may add one meanwhile
    return next((role for role in roles if role.name == name and role.arn == role_arn), None)


def identity_of(principal: Principal) -> Identity:
    """The policies that a user or a role's session carries; nobody for one that was deleted."""
    if principal.kind == "role":
        holder, label = role_named(principal.role_arn), "role"
    elif principal.kind == "user":
        users = moto_bridge.backend("iam", principal.account, "aws").users.values()
        holder, label = next((u for u in users if u.arn == principal.arn), None), "user"
    else:
        return NOBODY
    if holder is None:
        return NOBODY
    account = principal.account
    policies = _attached(holder, f"{label} {holder.name}", account)
    if label == "user":
        for group in moto_bridge.backend("iam", account, "aws").groups.values():
            if holder in group.users:
                policies += _attached(group, f"group {group.name}", account)
    boundary = getattr(holder, "permissions_boundary_arn", None) or getattr(holder, "permissions_boundary", None)
    return Identity(
        tuple(policies),
        managed_policy(boundary if isinstance(boundary, str) else boundary["PermissionsBoundaryArn"], account)
        if boundary
        else None,
        {tag["Key"]: tag["Value"] for tag in _tag_list(holder)},
        str(holder.id),
    )


def _tag_list(holder: Any) -> list[dict[str, str]]:
    tags = holder.tags
    return list(tags.values()) if isinstance(tags, dict) else list(tags or [])


def _attached(holder: Any, place: str, account: str) -> list[Policy]:
    inline = holder.policies
    documents = (
        inline.items() if isinstance(inline, dict) else [(p["policy_name"], p["policy_document"]) for p in inline]
    )
    found = [parse(document, f"{name} (inline, {place})", account) for name, document in documents]
    for arn, policy in holder.managed_policies.items():
        found.append(parse(default_document(policy), arn, "" if ":aws:policy/" in arn else account))
    return found


def default_document(policy: Any) -> str:
    """The document of a managed policy's default version."""
    return next(str(v.document) for v in policy.versions if v.version_id == policy.default_version_id)


def managed_policy(arn: str, account: str) -> Policy:
    """A managed policy by its ARN; AccessDenied for everything when it is gone."""
    try:
        found = moto_bridge.backend("iam", account, "aws").get_policy(arn)
    except Exception:  # a boundary whose policy was deleted allows nothing
        return Policy(arn, account, ())
    return parse(default_document(found), arn, "" if ":aws:policy/" in arn else account)


# -- resource policies ------------------------------------------------------------------------------


def resource_policy(cloud: Cloud, arn: str) -> tuple[Policy | None, str]:
    """The policy of the resource, and its kind ("resource" or "key")."""
    _, _, service, region, account, name = (arn.split(":", 5) + [""] * 6)[:6] if arn != "*" else ("",) * 6
    if service == "s3":
        bucket = s3.bucket_state(name.split("/")[0])
        text = bucket.policy.decode() if bucket is not None and bucket.policy else ""
        return _policy(text, f"bucket {name.split('/')[0]}", s3.bucket_owner(name.split("/")[0])), "resource"
    if service == "kms" and name.startswith("key/alias/aws/"):
        return parse(_managed_key_policy(account, region, name), f"key {arn}", "", "resource"), "key"
    if service == "kms" and name.startswith("key/"):
        key = moto_bridge.backend("kms", account, region).keys.get(name.removeprefix("key/"))
        if key is None:  # KMS itself says that there is none, to whoever may ask for it
            return None, "resource"
        return _policy(key.policy, f"key {arn}", account), "key"
    if service == "sns":
        topic = moto_bridge.backend("sns", account, region).topics.get(arn)
        return _policy(topic.policy if topic is not None else "", f"topic {name}", account), "resource"
    if service == "sqs":
        queue = moto_bridge.backend("sqs", account, region).queues.get(name)
        return _policy((queue.policy if queue is not None else "") or "", f"queue {name}", account), "resource"
    if service == "secretsmanager":
        secrets = moto_bridge.backend("secretsmanager", account, region).secrets.values()
        secret = next((item for item in secrets if item.arn == arn), None)
        return _policy(getattr(secret, "policy", "") or "", f"secret {name}", account), "resource"
    if service == "ecr" and name.startswith("repository/"):
        from localaws.services.sagemaker import images

        if images.XGBOOST_ACCOUNTS.get(region) == account:
            return parse(images.EVERYBODY_PULLS, f"repository {name}", "", "resource"), "resource"
        repository = moto_bridge.backend("ecr", account, region).repositories.get(name.removeprefix("repository/"))
        return _policy(getattr(repository, "policy", "") or "", f"repository {name}", account), "resource"
    if service == "sagemaker" and name.startswith(("model-package-group/", "model-package/")):
        return _group_policy(cloud, arn, account), "resource"
    if service == "lambda":
        return _function_policy(cloud, arn, account), "resource"
    if service == "events" and name.startswith("event-bus/"):
        return _bus_policy(account, region, name.removeprefix("event-bus/")), "resource"
    return None, "resource"


def queue_exists(arn: str) -> bool:
    _, _, _, region, account, name = arn.split(":", 5)
    return name in moto_bridge.backend("sqs", account, region).queues


def _managed_key_policy(account: str, region: str, name: str) -> dict[str, Any]:
    """The policy of an AWS managed key: anybody in its account, through its service (KMS Developer Guide,
    "AWS KMS keys", AWS managed keys). It cannot be shared with another account."""
    through = f"{name.rsplit('/', 1)[-1]}.{region}.amazonaws.com"
    only = {"kms:CallerAccount": account, "kms:ViaService": through}
    allow = {"Sid": "AwsManagedKey", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [allow | {"Condition": {"StringEquals": only}}]}


def _policy(text: str, name: str, account: str) -> Policy | None:
    return parse(text, name, account, "resource") if text else None


def _group_policy(cloud: Cloud, arn: str, account: str) -> Policy | None:
    from localaws.services.sagemaker import registry

    document = registry.group_policy(cloud, arn)
    name = f"model package group {arn.split(':', 5)[5].split('/')[1]}"
    return parse(document, name, account, "resource") if document else None


def _function_policy(cloud: Cloud, arn: str, account: str) -> Policy | None:
    from localaws.services.awslambda.state import policy_of

    document = policy_of(cloud, arn)
    return parse(document, f"function {arn.split(':', 6)[6]}", account, "resource") if document else None


def _bus_policy(account: str, region: str, bus: str) -> Policy | None:
    from moto.events.models import events_backends

    found = events_backends[account][region].event_buses.get(bus)
    text = getattr(found, "policy", None) if found is not None else None
    return _policy(text or "", f"event bus {bus}", account)


# -- tags -------------------------------------------------------------------------------------------


def tags_of(cloud: Cloud, arn: str, region: str) -> dict[str, str]:
    """The tags of a resource; {} for one without, or that does not exist."""
    if arn == "*":
        return {}
    _, _, service, _, account, name = (arn.split(":", 5) + [""] * 6)[:6]
    if service == "s3":
        bucket, _, key = name.partition("/")
        return s3.object_tags(bucket, key) if key else {}  # a bucket's tags count only after PutBucketAbac
    if service == "iam":
        return _iam_tags(account, arn, name)
    if service == "kms":
        backend = moto_bridge.backend("kms", account, region)
        return _flat(backend.tagger.list_tags_for_resource(key_arn(account, region, arn).rsplit("/", 1)[-1])["Tags"])
    return _asked_tags(cloud, service, account, region, arn)


def _iam_tags(account: str, arn: str, name: str) -> dict[str, str]:
    backend = moto_bridge.backend("iam", account, "aws")
    kind = name.split("/")[0]
    if kind == "role":
        found = next((r for r in backend.roles.values() if r.arn == arn), None)
    elif kind == "policy":
        found = backend.managed_policies.get(arn)
    else:
        return {}
    return {tag["Key"]: tag["Value"] for tag in _tag_list(found)} if found is not None else {}


LISTING = {  # service of the ARN: botocore's service, operation, parameter
    "sagemaker": ("sagemaker", "ListTags", "ResourceArn"),
    "codepipeline": ("codepipeline", "ListTagsForResource", "resourceArn"),
    "codecommit": ("codecommit", "ListTagsForResource", "resourceArn"),
    "events": ("events", "ListTagsForResource", "ResourceARN"),
    "states": ("stepfunctions", "ListTagsForResource", "resourceArn"),
}


def _asked_tags(cloud: Cloud, service: str, account: str, region: str, arn: str) -> dict[str, str]:
    """The answer of the service's own handler, asked inside."""
    from localaws.gateway import PLAYED, played

    if service == "sns":
        topic = moto_bridge.backend("sns", account, region).topics.get(arn)
        return dict(topic._tags) if topic is not None else {}
    if service == "sqs":
        queue = moto_bridge.backend("sqs", account, region).queues.get(arn.split(":")[5])
        return dict(queue.tags or {}) if queue is not None else {}
    if service == "logs":
        tagger = moto_bridge.backend("logs", account, region).tagger
        return _flat(tagger.list_tags_for_resource(arn.split(":log-stream:")[0].removesuffix(":*"))["Tags"])
    if service == "lambda":
        from localaws.services.awslambda.state import function_named

        function = function_named(cloud, arn)
        return dict(function.tags) if function is not None else {}
    if service not in LISTING:
        return {}
    name, operation, parameter = LISTING[service]
    played_by = played(name) if name in PLAYED else None
    if played_by is None or operation not in played_by.handlers:
        return {}
    owner = Principal("root", account, f"arn:aws:iam::{account}:root")
    http = HttpRequest("POST", "/", "", {}, b"")
    asked = Call(cloud, owner, name, operation, {parameter: arn}, account, region, new_id(), http)
    try:
        answer = played_by.handlers[operation](asked) or {}
    except AwsError:  # the resource does not exist, or cannot be tagged
        return {}
    return _flat(answer.get("Tags") or answer.get("tags") or [])


def _flat(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return {str(k): str(v) for k, v in tags.items()}
    lower = [{key.lower(): value for key, value in tag.items()} for tag in tags]
    return {str(tag.get("key", tag.get("tagkey"))): str(tag.get("value", tag.get("tagvalue", ""))) for tag in lower}
