"""Whether a user or role of an account could do something: decided with all its policies, at best for the principal.

The policies are its own, its boundary, the organization's service control policies and that of the resource. What is
not known of a request (an address, a tag of the resource) is taken to be as the principal wants it
(awslang/policy/favourable.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from awslang.policy.document import Policy
from awslang.policy.evaluator import AuthorizationRequest, Decision, Levels, Policies, decide
from awslang.policy.favourable import favourable
from awslang.policy.patterns import plain, resource_like
from awslang.principals import Principal
from scripts.kit.doctor.facts.access import Entity, allows, covers

# What is known of every request: its value, or that it has none. iam:PermissionsBoundary: no principal that wants more
# rights gives what it makes a boundary. aws:SourceArn, aws:SourceAccount: requests of services have them.
ALWAYS_KNOWN = frozenset(
    {
        "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice", "aws:principaltype",
        "aws:principalservicename", "aws:principalservicenameslist", "aws:requestedregion", "aws:resourceaccount",
        "aws:securetransport", "aws:sourceaccount", "aws:sourcearn", "aws:username", "iam:permissionsboundary",
    }
)  # fmt: skip
ORGANIZATION_KEYS = frozenset({"aws:principalorgid", "aws:principalorgpaths"})
OF_CREDENTIALS = {
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:UpdateLoginProfile",
}  # of others: its own it has
Keys = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Need:
    """A request. anywhere: on whatever of this kind the principal's own policies name

    policy: the resource's own, with its kind; owner: the resource's account, "" for the principal's
    """

    action: str
    resource: str
    keys: Keys = field(default_factory=dict)
    anywhere: bool = False
    policy: Policy | None = None
    kind: Literal["resource", "trust"] = "resource"
    owner: str = ""


class Decider:
    """Decides for the principals of one account.

    levels: the service control policies above it; organization: the keys of its organization, {} where not known
    """

    def __init__(
        self, account: str, region: str, levels: Levels = (), management: str = "", organization: Keys | None = None
    ) -> None:
        self.account, self.region, self.levels, self.management = account, region, levels, management
        self.organization = organization or {}
        self.known = ALWAYS_KNOWN | (ORGANIZATION_KEYS if self.organization else frozenset())
        self._read: dict[tuple[int, frozenset[str], frozenset[str], bool], tuple[Policy, Policy]] = {}
        self._who: dict[str, tuple[Principal, Keys]] = {}
        self._may: dict[str, dict[str, bool]] = {}

    def could(self, entity: Entity, need: Need) -> Decision | None:
        """The decision that allows the request, or one of several; None where it is refused."""
        by_policy = need.policy is not None and allows(need.policy, need.action)
        if not by_policy and not self.may(entity, need.action):
            return None
        for resource in self.resources(entity, need) if need.anywhere else (need.resource,):
            if by_policy or self.names(entity, need, resource):
                decision = self.decided(entity, need, resource)
                if decision.allowed:
                    return decision
        return None

    def may(self, entity: Entity, action: str) -> bool:
        """Whether a policy of the principal allows the action, on whatever; remembered, as it is asked many times."""
        known = self._may.setdefault(entity.arn, {})
        if action not in known:
            known[action] = any(allows(policy, action) for policy in entity.policies)
        return known[action]

    def names(self, entity: Entity, need: Need, resource: str) -> bool:
        """Whether a statement that allows the action covers the resource; the decision itself costs more."""
        _, keys = self.who(entity)
        for policy in entity.policies:
            if allows(policy, need.action):
                for one in self.favourable(policy, entity, need).statements:
                    if one.effect == "Allow" and covers(one.actions, one.not_actions, need.action):
                        found = any(resource_like(text, resource, keys, one.variables) for text in one.resources or ())
                        if found != one.not_resources:
                            return True
        return False

    def decided(self, entity: Entity, need: Need, resource: str) -> Decision:
        who, keys = self.who(entity)
        owner = need.owner or self.account
        region = "us-east-1" if need.action.startswith("iam:") else self.region  # IAM's requests are of that Region
        context = {**keys, "aws:requestedregion": (region,), "aws:resourceaccount": (owner,), **need.keys}
        policies = Policies(
            identity=tuple(self.favourable(policy, entity, need) for policy in entity.policies),
            boundary=self.favourable(entity.boundary, entity, need) if entity.boundary else None,
            resource=self.favourable(need.policy, entity, need) if need.policy else None,
            resource_kind=need.kind,
            service_control=tuple(tuple(self.favourable(one, entity, need) for one in level) for level in self.levels),
            management_account=self.management,
        )
        return decide(AuthorizationRequest(who, need.action, resource, owner, context), policies)

    def who(self, entity: Entity) -> tuple[Principal, Keys]:
        """The principal as it asks, and the condition keys that say who it is."""
        if entity.arn not in self._who:
            role = entity.kind == "role"
            session = f"arn:aws:sts::{self.account}:assumed-role/{entity.name}/any"
            who = (
                Principal("role", self.account, session, role_arn=entity.arn)
                if role
                else Principal("user", self.account, entity.arn)
            )
            keys: dict[str, tuple[str, ...]] = {
                "aws:principalarn": (entity.arn,),
                "aws:principalaccount": (self.account,),
                "aws:principaltype": ("AssumedRole" if role else "User",),
                "aws:principalisawsservice": ("false",),
                "aws:securetransport": ("true",),
                **({} if role else {"aws:username": (entity.name,)}),
                **{f"aws:principaltag/{key}": (value,) for key, value in entity.tags.items()},
                **self.organization,
            }
            self._who[entity.arn] = who, keys
        return self._who[entity.arn]

    def favourable(self, policy: Policy, entity: Entity, need: Need) -> Policy:
        """The policy as it stands for this principal at best; each is read once for principals that are alike."""
        if not any(one.conditions or one.variables for one in policy.statements):
            return policy
        tags = frozenset(entity.tags) if entity.tagged else frozenset()
        key = id(policy), frozenset(need.keys), tags, entity.tagged
        if key not in self._read:

            def known(name: str) -> bool:
                if name.startswith("aws:principaltag/"):
                    return not entity.tagged or name.removeprefix("aws:principaltag/") in entity.tags
                return name in self.known or name in need.keys

            self._read[key] = policy, favourable(policy, known)  # the policy too: its id is not given away
        return self._read[key][1]

    def resources(self, entity: Entity, need: Need) -> Iterator[str]:
        """An example of each thing that the principal's policies let it do this to, of the kind of need.resource.

        Service-linked roles are left out: IAM changes none on request.
        """
        kind = need.resource.split(":", 5)[5].split("/")[0]
        _, keys = self.who(entity)
        seen = set()
        for policy in entity.policies:
            for one in self.favourable(policy, entity, need).statements:
                if one.effect != "Allow" or not covers(one.actions, one.not_actions, need.action):
                    continue
                named = ("*",) if one.not_resources else one.resources or ()
                for pattern in named:
                    text = plain(pattern, keys, one.variables)
                    example = self.example(text, need.resource) if text else ""
                    own = example == entity.arn and need.action in OF_CREDENTIALS
                    service = ":role/aws-service-role/" in example
                    if example.split(":", 5)[-1].startswith(kind) and not own and not service and example not in seen:
                        seen.add(example)
                        yield example

    def example(self, pattern: str, any_one: str) -> str:
        """One thing that the pattern covers; any_one: where it covers everything."""
        parts = pattern.split(":", 5)
        if len(parts) < 6 or parts[5].startswith("*"):
            return any_one
        parts[1:5] = [
            mine if "*" in part else part for part, mine in zip(parts[1:5], any_one.split(":")[1:5], strict=True)
        ]
        return ":".join(parts).replace("*", "any").replace("?", "a")
