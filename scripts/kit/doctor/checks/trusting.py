"""Whom the kit's roles, buckets and topic admit beside those that the templates name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from awslang.bounded import is_number
from awslang.policy.document import Policy, parse
from scripts.kit.doctor.checks.closing import without_principals
from scripts.kit.doctor.checks.could import places
from scripts.kit.doctor.checks.deciding import Decider, Need
from scripts.kit.doctor.checks.reach import asked, entering, paths, trusted_names
from scripts.kit.doctor.checks.roles import set_trust, trust_fix
from scripts.kit.doctor.checks.targets import tester_trust
from scripts.kit.doctor.facts.access import Entity
from scripts.kit.doctor.facts.protected import kit_roles, of_account, topic_policy
from scripts.kit.doctor.facts.stacks import NOTICES, TOPIC
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import SELF_MANAGED_ROLES

EVERYTHING = parse(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "everything", ""
)
SOMEBODY = "000000000000"  # an account that no policy names: whom a star admits


@check(
    "role-trusts-others",
    "warning",
    "A role of the kit trusts more than its service",
    "A principal that takes on the role may do what only the pipeline's steps should.",
)
def role_trusts_others(facts: Snapshot) -> Iterator[Place]:
    for name, declared in kit_roles().items():
        role = facts.access.role(name)
        if role is None or role.trust is None or not declared.services or name in SELF_MANAGED_ROLES:
            continue
        others = [one for one in trusted_names(role.trust) if one not in declared.services]
        if others:
            rest = without_principals(role.trusted, others)
            fix = set_trust(name, rest) if rest["Statement"] else trust_fix(name, {"Service": [*declared.services]})
            yield here(facts, role.resource, f"its trust policy names {', '.join(others)}", fix)


@check(
    "tester-trusts-others",
    "warning",
    "A tester's role trusts more than the kit's roles",
    "A principal that takes it on invokes the endpoints of every project, and reads how they are configured.",
)
def tester_trusts_others(facts: Snapshot) -> Iterator[Place]:
    if not known(facts.access.entities):
        return
    who = [path.entity.resource for path in paths(facts) if path.way == "testers" and not path.expected]
    for target in facts.targets:
        role = target.tester_role
        trust = role.trust_policy if role else None
        others = [one for one in trusted_names(trust) if one not in entering(facts)] if trust else []
        if others:
            name = role.arn.rsplit("/", 1)[-1]
            could = f"; {', '.join(who)} of the data science account could take it on" if who else ""
            what = f"account {target.where}: its trust policy names {', '.join(others)}{could}"
            rest = without_principals(role.trust, others)
            fix = set_trust(name, rest if rest["Statement"] else tester_trust(facts, target))
            yield Place(target.account.id, f"role {name}", what, fix)


@check(
    "could-become-tester",
    "warning",
    "A principal could take on the tester's role of a target account",
    "It invokes the endpoints of every project, and reads how they are configured.",
)
def could_become_tester(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "testers")


@check(
    "policy-admits-others",
    "warning",
    "The policy of a bucket or topic lets principals write whom the kit does not name",
    "What is published, what a deployment hands on, its evidence and its messages can be exchanged by others.",
)
def policy_admits_others(facts: Snapshot) -> Iterator[Place]:
    for name, policy in facts.access.resources.items():
        if policy:
            others = list(outsiders(facts, name, policy))
            if others:
                kind = "topic" if name in (TOPIC, NOTICES) else "bucket"
                what = f"its policy admits {', '.join(others)}"
                yield here(facts, f"{kind} {name}", what, admitting_none(facts, name, others))


def outsiders(facts: Snapshot, name: str, policy: Policy) -> Iterator[str]:
    """Principals of other accounts, or everybody: whom the policy allows a request past the approver."""
    listed = (needs for asks in asked(facts).values() for way in ("buckets", "messages") for needs in asks.get(way, ()))
    needs = [of_one[0] for of_one in listed if of_one[0].policy is policy]
    for value in trusted_names(policy):
        parts = value.split(":")
        account = value if is_number(value) else parts[4] if len(parts) == 6 else ""
        if value == "*" and any(admitted(facts, value, one, needs) for one in (facts.account, SOMEBODY)):
            yield "everybody"
        elif account not in ("", facts.account) and admitted(facts, value, account, needs):
            yield value


def admitted(facts: Snapshot, value: str, account: str, needs: Iterable[Need]) -> bool:
    """Whether the policy lets a principal in: of another account one that may do everything, of this one nothing."""
    arn = value if ":role/" in value or ":user/" in value else f"arn:{facts.partition}:iam::{account}:role/any"
    kind: Any = "user" if ":user/" in arn else "role"
    who = Entity(kind, arn, () if account == facts.account else (EVERYTHING,), None, None)
    decide = Decider(account, facts.region)
    return any(decide.could(who, foreign(facts, need, account)) for need in needs)


def foreign(facts: Snapshot, need: Need, account: str) -> Need:
    """The request from another account. aws:SourceOwner: of topics' default policies, the account that asks."""
    keys = {**need.keys, "aws:sourceowner": (account,)}
    return Need(need.action, need.resource, keys, policy=need.policy, owner=facts.account)


def admitting_none(facts: Snapshot, name: str, others: list[str]) -> str:
    """The command that takes these principals out of the policy."""
    document = facts.access.documents.get(name, {})
    rest = without_principals(document, ["*" if one == "everybody" else one for one in others])
    text = json.dumps(rest)
    if name in (TOPIC, NOTICES):
        arn = f"arn:{facts.partition}:sns:{facts.region}:{facts.account}:{name}"
        if not rest["Statement"]:  # it was AWS's own for a new topic, and no service takes a policy without statements
            text = topic_policy(arn, of_account(facts.partition, facts.account, facts.region))
        return f"aws sns set-topic-attributes --topic-arn {arn} --attribute-name Policy --attribute-value '{text}'"
    return f"aws s3api put-bucket-policy --bucket {name} --policy '{text}'"
