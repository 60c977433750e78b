"""The statements that close a path past the approver, and the commands that put them where they belong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from awslang.policy.patterns import resource_like
from scripts.kit.doctor.checks.reach import ELSEWHERE, Path
from scripts.kit.doctor.facts import protected
from scripts.kit.doctor.facts.access import Entity
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import SCIENTIST_POLICY, bundle_bucket

PUBLISHED = "project-templates/*"
SINGLE_SIGN_ON = (
    "role/aws-reserved/sso.amazonaws.com/"  # roles of IAM Identity Center, which no one changes in the account
)
Statement = dict[str, Any]


def closing(facts: Snapshot, path: Path) -> list[Statement]:
    """The statements that close a path, added to the principal's own policies.

    They deny this way in every project and Region, also those that are still to come.
    """
    return numbered(path.way, denials(facts, path))


def numbered(way: str, denials: Iterable[Statement]) -> list[Statement]:
    """The statements with their effect and their ids."""
    found, sid = list(denials), f"NotPastTheApprover{way.capitalize()}"
    names = [sid] if len(found) == 1 else [f"{sid}{number}" for number in range(1, len(found) + 1)]
    return [{"Sid": name, "Effect": "Deny", **one} for name, one in zip(names, found, strict=True)]


def denials(facts: Snapshot, path: Path) -> Iterable[Statement]:
    """Action, Resource and Condition of each."""
    iam = f"arn:{facts.partition}:iam::{facts.account}"
    if path.way == "rights":
        return every_right()
    if path.way == "roles":
        access, roles = facts.access, protected.kit_roles(protected.PASSED)
        arns = [found.arn if (found := access.role(name)) else f"{iam}:role/service-role/{name}" for name in roles]
        return [denied(["iam:PassRole"], arns)]
    if path.way == "sessions":
        return [denied(["iam:PassRole", "sts:AssumeRole"], [role.arn for role in path.through])]
    if path.way == "testers":
        return [denied(["sts:AssumeRole"], list(tester_patterns(facts)))]
    if path.way == "portfolio":
        prefix = f"arn:{facts.partition}:catalog:{facts.region}:{facts.account}"
        arns = [f"{prefix}:product/{facts.catalog.product}", f"{prefix}:portfolio/{facts.catalog.portfolio}"]
        return [denied([*protected.PRODUCT, *protected.PORTFOLIO], arns), denied(protected.CONSTRAINT, ["*"])]
    denials = by_actions(facts, path.way, protected.DATA_SCIENCE, facts.account)
    return [*denials, *with_other_templates(facts)] if path.way == "stages" else denials


def every_right() -> list[Statement]:
    """Nothing that changes what anybody may do: a principal that may could take any other statement away again."""
    every = {*protected.ANY_RIGHT, *protected.ROLE, *protected.POLICY, "iam:DeleteUserPolicy", "iam:DetachUserPolicy"}
    return [denied(sorted(every), ["*"])]


def by_actions(facts: Snapshot, way: str, templates: tuple[str, ...], account: str) -> list[Statement]:
    """A statement for each set of actions, on everything of the templates that they touch."""
    values = protected.of_account(facts.partition, account, facts.region)
    found: dict[tuple[str, ...], list[str]] = {}
    for thing in protected.things(templates):
        if thing.way == way:
            found.setdefault(thing.actions, []).extend(thing.patterns(values))
    return [denied(actions, widest(patterns)) for actions, patterns in found.items()]


def widest(patterns: Iterable[str]) -> list[str]:
    """The patterns that no other of them covers."""
    all_of_them = list(dict.fromkeys(patterns))
    return [one for one in all_of_them if not any(o != one and resource_like(o, one, {}) for o in all_of_them)]


def with_other_templates(facts: Snapshot) -> Iterable[Statement]:
    """No new stack set, and no project's stack of a template that was not published."""
    yield denied(protected.CREATE_SETS, ["*"])
    if facts.settings.publishing.to == "service-catalog":
        return
    bucket = bundle_bucket(facts.account, facts.region)
    host = ELSEWHERE.split("/")[2].replace("bucket-elsewhere.s3", f"{bucket}.s3.{facts.region}")
    yield {
        **denied(protected.WITH_A_TEMPLATE, [f"arn:{facts.partition}:cloudformation:*:{facts.account}:stack/SP-*"]),
        "Condition": {"StringNotLike": {"cloudformation:TemplateUrl": f"https://{host}/{PUBLISHED}"}},
    }


def denied(actions: Iterable[str], resources: Iterable[str]) -> Statement:
    return {"Action": list(actions), "Resource": list(resources)}


def tester_patterns(facts: Snapshot) -> Iterable[str]:
    """The roles of target accounts that principals of another account may take on, whatever the account."""
    for name in protected.entered_roles():
        yield f"arn:{facts.partition}:iam::*:role/{protected.filled(name, {})}"


# -- commands --------------------------------------------------------------------------------------


def cure(entity: Entity, way: str, statements: Iterable[Statement]) -> str:
    """The command that adds the statements to a principal's policies."""
    document = as_text(statements)
    policy = f"not-past-the-approver-{way}"
    if entity.resource.startswith(SINGLE_SIGN_ON):
        return f"in IAM Identity Center, add to the inline policy of the role's permission set:\n{document}"
    if entity.kind == "role":
        return (
            f"aws iam put-role-policy --role-name {entity.name} --policy-name {policy} --policy-document '{document}'"
        )
    # A managed policy: a user's inline policies hold 2,048 characters (IAM User Guide, "IAM and AWS STS quotas").
    arn = f"{entity.arn.split(':user/')[0]}:policy/{policy}"
    return (
        f"aws iam create-policy --policy-name {policy} --policy-document '{document}'\n"
        f"then aws iam attach-user-policy --user-name {entity.name} --policy-arn {arn}"
    )


def as_text(statements: Iterable[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def for_scientists(facts: Snapshot, entity: Entity) -> str:
    """What also closes paths of a data scientists' role that lacks the kit's policy; "" for another principal."""
    roles = {f"role/{name}" for name in facts.settings.studio.execution_roles}
    arn = f"arn:{facts.partition}:iam::{facts.account}:policy/{SCIENTIST_POLICY}"
    if entity.resource not in roles or any(policy.name == arn for policy in entity.policies):
        return ""
    return f"aws iam attach-role-policy --role-name {entity.name} --policy-arn {arn}\nor, for this path alone: "


def without_principals(document: Mapping[str, Any], others: Iterable[str]) -> dict[str, Any]:
    """A policy without these principals; a statement that names no other is left out."""
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    kept = [one for one in (without(statement, set(others)) for statement in statements) if one]
    return {**document, "Statement": kept}


def without(statement: Statement, others: set[str]) -> Statement | None:
    principal = statement.get("Principal")
    if statement["Effect"] != "Allow" or not principal:
        return statement
    if principal == "*":  # the same as {"AWS": "*"}
        return None if "*" in others else statement
    left = {}
    for kind, values in principal.items():
        names = [one for one in (values if isinstance(values, list) else [values]) if one not in others]
        if names:
            left[kind] = names if len(names) > 1 else names[0]
    return {**statement, "Principal": left} if left else None
