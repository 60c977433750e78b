"""Without Organizations: the two roles of self-managed stack sets, and the accounts that the projects list.

CloudFormation User Guide, "Grant self-managed permissions". What the roles need is read from template 21. Accounts
that the environment file lists twice, or for both stages, are refused before anything is checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from awslang.template.reader import read_yaml
from scripts.kit.bundle import template_policies
from scripts.kit.doctor.checks.projects import accounts_in, parameter_place
from scripts.kit.doctor.checks.roles import may, role_session, service, set_trust, trusts
from scripts.kit.doctor.facts.roles import Role
from scripts.kit.doctor.facts.self_managed import ADMINISTRATION, EXECUTION
from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import SELF_MANAGED_STACK
from scripts.kit.stacks import target_roles
from scripts.kit.stacks.target_roles import SELF_MANAGED_TEMPLATE

ROLES_IN_TEMPLATE = {ADMINISTRATION: "AdministrationRole", EXECUTION: "ExecutionRole"}
HOME = "DATA-SCIENCE"  # stands for the data science account in the policies of the template


@cache
def template(path: str) -> Mapping[str, Any]:
    """Template 21 with values for its parameters. path: of the target accounts' roles"""
    found = read_yaml(target_roles.template(SELF_MANAGED_TEMPLATE))[0]
    found["Parameters"]["AdministratorAccountId"]["Description"] = f"e.g. {HOME}"
    found["Parameters"]["RolePath"] = {"Default": path}
    return dict(found)


def documents(facts: Snapshot, account: str, role: str) -> dict[str, dict[str, Any]]:
    """The policies of a role in the template, by name: its trust policy, and its own."""
    found = {}
    for policy in template_policies.policies(template(facts.settings.roles.path)):
        if policy.resource == ROLES_IN_TEMPLATE[role]:
            text = json.dumps(policy.document).replace(template_policies.ACCOUNT, account).replace(HOME, facts.account)
            found[str(policy.path[0])] = json.loads(text.replace("arn:aws:", f"arn:{facts.partition}:"))
    return found


def needed(facts: Snapshot, account: str, role: str) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """Every action that the template allows, on an example of its resource, with the keys that it states."""
    for statement in documents(facts, account, role)["Policies"]["Statement"]:
        conditions = statement.get("Condition", {}).values()
        keys: dict[str, tuple[str, ...]] = {
            key.lower(): (str(value),) for condition in conditions for key, value in condition.items()
        }
        for action in listed(statement["Action"]):
            asked = "cloudformation:CreateStack" if action == "cloudformation:*" else action
            for resource in meant(asked, listed(statement["Resource"])):
                yield asked, example(facts, resource), keys


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def meant(action: str, resources: list[str]) -> list[str]:
    """Those of a statement's resources that an action has: CreateModel works on models only."""
    kinds = {resource: resource.split(":")[-1].split("/")[0].replace("-", "") for resource in resources}
    return [resource for resource, kind in kinds.items() if kind and action.lower().endswith(kind)] or resources


def example(facts: Snapshot, resource: str) -> str:
    return resource if resource == "*" else resource.replace(":*:", f":{facts.region}:").replace("*", "example")


@check(
    "stack-sets-role-missing",
    "error",
    "A role of self-managed stack sets is missing",
    "Stack sets run as the first in the data science account, and as the second in each target account.",
)
def stack_sets_role_missing(facts: Snapshot) -> Iterator[Place]:
    for account, name, role in facts.self_managed.roles(facts.account):
        if role is None:
            yield Place(
                account,
                f"role {name}",
                f"account {account} has no such role",
                f"{facts.make_accounts}; where its stack {SELF_MANAGED_STACK} made the role, delete that stack first",
            )


@check(
    "stack-sets-role-trust",
    "error",
    "A role of self-managed stack sets has the wrong trust policy",
    "The first must trust CloudFormation, and the second the first: otherwise nothing is deployed to the account.",
)
def stack_sets_role_trust(facts: Snapshot) -> Iterator[Place]:
    for account, name, role in facts.self_managed.roles(facts.account):
        if role and not has_right_trust(facts, name, role):
            yield Place(
                account,
                f"role {name}",
                "its trust policy does not allow "
                + ("cloudformation.amazonaws.com" if name == ADMINISTRATION else administration_arn(facts)),
                set_trust(name, documents(facts, account, name)["AssumeRolePolicyDocument"]),
            )


def administration_arn(facts: Snapshot) -> str:
    return f"arn:{facts.partition}:iam::{facts.account}:role/{ADMINISTRATION}"


def has_right_trust(facts: Snapshot, name: str, role: Role) -> bool:
    if name == EXECUTION:
        return trusts(role, role_session(administration_arn(facts))).allowed
    source = f"arn:{facts.partition}:cloudformation:{facts.region}:{facts.account}:stackset/example:1"
    return trusts(role, service("cloudformation.amazonaws.com"), source=source).allowed


@check(
    "stack-sets-role-gaps",
    "error",
    "A role of self-managed stack sets lacks permissions that endpoints need",
    "The stage's stack set fails in the account.",
)
def stack_sets_role_gaps(facts: Snapshot) -> Iterator[Place]:
    for account, name, role in facts.self_managed.roles(facts.account):
        if not role:
            continue
        gaps = [f"{a} on {arn}" for a, arn, keys in needed(facts, account, name) if not may(role, a, arn, keys)]
        if gaps:
            more = f"; and {len(gaps) - 5} more" if len(gaps) > 5 else ""
            yield Place(
                account,
                f"role {name}",
                f"it may not {'; '.join(gaps[:5])}{more}",
                f"add to its policies what {SELF_MANAGED_TEMPLATE} gives {ROLES_IN_TEMPLATE[name]}; where the kit "
                f"created the role, {facts.make_accounts} does it after its stack {SELF_MANAGED_STACK} was deleted",
            )


@check(
    "project-accounts",
    "warning",
    "A project deploys to accounts other than those that the environment file lists",
    "They may lack its roles, and may not read the models.",
)
def project_accounts(facts: Snapshot) -> Iterator[Place]:
    listed_there = facts.settings.targets
    if not listed_there:
        return
    for project in facts.complete_projects:
        for stage in facts.settings.stages:
            value, wanted = project.parameters.get(stage.accounts_parameter, ""), listed_there.of(stage)
            if set(accounts_in(value)) != set(wanted):
                yield parameter_place(facts, project, stage.accounts_parameter, value or "empty", ",".join(wanted))


@check(
    "project-accounts-twice",
    "error",
    "A project lists an account twice, or for two stages",
    "It would get an endpoint of each stage, but has the roles of only one.",
)
def project_accounts_twice(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        found = [
            a
            for stage in facts.settings.stages
            for a in accounts_in(project.parameters.get(stage.accounts_parameter, ""))
        ]
        twice = sorted({account for account in found if found.count(account) > 1})
        if twice and facts.settings.targets:
            stage = next(
                stage
                for stage in facts.settings.stages
                if twice[0] in project.parameters.get(stage.accounts_parameter, "")
            )
            wanted = ",".join(facts.settings.targets.of(stage))
            found_there = f"{', '.join(twice)} among others, twice"
            yield parameter_place(facts, project, stage.accounts_parameter, found_there, wanted)
