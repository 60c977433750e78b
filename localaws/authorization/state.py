"""What authorization reads from the state of the embedded AWS: policies, tags, the organization.

Read directly, without asking: this is what AWS's own authorization service does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.organizations.models import organizations_backends

from awslang.policy.document import Policy, parse
from awslang.principals import Principal
from localaws import moto_bridge, registry
from localaws.cloud import Cloud

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
            if kind == "RESOURCE_CONTROL_POLICY":  # whose policy of everything cannot be detached
                attached |= {p.id: p for p in self.backend.policies if p.id == "p-RCPFullAWSAccess"}
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
    management, _ = organizations_backends.master_accounts.get(account, (account, "aws"))
    if management not in organizations_backends:
        return None
    backend = organizations_backends[management]["aws"]
    if backend.org is None or (account != management and moto_bridge.member(backend, account) is None):
        return None
    return Organization(backend.org.id, management, backend)


def control_type(account: str, policy: str) -> str:
    """The type of an organization's policy by its id; "" for an unknown one."""
    organization = organization_of(account)
    known = organization.backend.policies if organization else []
    return next((str(found.type) for found in known if found.id == policy), "")


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


def id_exists(unique_id: str) -> bool:
    """Whether a role or user has this unique id, in whatever account."""
    return any(
        item.id == unique_id
        for backend in moto_bridge.every("iam")
        for item in [*backend.roles.values(), *backend.users.values()]
    )


def identity_of(principal: Principal) -> Identity:
    """The policies that a user or a role's session carries; none for one that was deleted."""
    if principal.kind == "role":
        holder, label = role_named(principal.role_arn), "role"
    elif principal.kind == "user":
        users = moto_bridge.backend("iam", principal.account, "aws").users.values()
        holder, label = next((u for u in users if u.arn == principal.arn), None), "user"
    else:
        return NOBODY
    if holder is None or principal.unique_id not in ("", str(holder.id)):
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
        {tag["Key"]: tag["Value"] for tag in tag_list(holder)},
        str(holder.id),
    )


def tag_list(holder: Any) -> list[dict[str, str]]:
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


# -- resources --------------------------------------------------------------------------------------


def resource_policy(cloud: Cloud, arn: str) -> Policy | None:
    """The resource's own policy, as its service declares it; None without one."""
    own = registry.access(arn.split(":")[2]).policy if arn.count(":") >= 5 else None
    return own(cloud, arn) if own else None


def endpoint_policy(principal: Principal) -> Policy | None:
    """Of the VPC endpoint through which the caller reaches Amazon S3; one that is gone allows nothing."""
    _, endpoint = principal.vpc
    if not endpoint:
        return None
    found = next((one for all in moto_bridge.every("ec2") if (one := all.vpc_end_points.get(endpoint))), None)
    if found is None:
        return Policy(f"of {endpoint}, which is deleted", principal.account, ())
    return parse(found.policy_document, f"of {endpoint}", principal.account, "resource")
