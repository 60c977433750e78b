"""Without Organizations: the two roles of self-managed stack sets, and the accounts that the projects list.

CloudFormation User Guide, "Grant self-managed permissions". What the roles need is read from template 21. Accounts
that the environment file lists twice, or for both stages, are refused before anything is examined.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from awslang.template.reader import read_yaml
from scripts.kit.doctor import kit
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.organization import STAGES
from scripts.kit.doctor.projects import ACCOUNTS_OF, accounts_in, each, parameter_place
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.doctor.roles import Role, may, read_role, role_session, service, trusts
from scripts.kit.doctor.targets import Target
from scripts.kit.lint import policies
from scripts.kit.settings.model import Settings
from scripts.kit.stacks.target_roles import SELF_MANAGED_ROLES, SELF_MANAGED_TEMPLATE
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

ADMINISTRATION, EXECUTION = SELF_MANAGED_ROLES
ROLES_IN_TEMPLATE = {ADMINISTRATION: "AdministrationRole", EXECUTION: "ExecutionRole"}
HOME = "DATA-SCIENCE"  # stands for the data science account in the policies of the template


@dataclass(frozen=True)
class SelfManaged:
    """administration: the role in the data science account; executions: the one in each target, by account."""

    administration: Any = UNREAD
    executions: Mapping[str, Any] = field(default_factory=dict)

    def roles(self, home: str) -> Iterator[tuple[str, str, Any]]:
        """Account, name and role of each."""
        yield home, ADMINISTRATION, self.administration
        for account, role in self.executions.items():
            yield account, EXECUTION, role


def gather(reader: Reader, settings: Settings, targets: tuple[Target, ...]) -> SelfManaged:
    if settings.administrator != "self-managed":
        return SelfManaged()
    accounts = [target.account.id for target in targets if not target.closed]
    places = [(settings.accounts.data_science, ADMINISTRATION), *((account, EXECUTION) for account in accounts)]

    def read(account: str, name: str) -> Any:
        try:
            return read_role(reader, account, name, policies=True)
        finally:
            if account != settings.accounts.data_science:
                reader.forget(account)

    first, *others = together([partial(read, *place) for place in places], what="roles of stack sets")
    return SelfManaged(first, dict(zip(accounts, others, strict=True)))


# -- what template 21 gives the roles ----------------------------------------------------------


@cache
def template() -> Mapping[str, Any]:
    found = read_yaml(kit.template(SELF_MANAGED_TEMPLATE))[0]
    found["Parameters"]["AdministratorAccountId"]["Description"] = f"e.g. {HOME}"
    return dict(found)


def documents(it: Snapshot, account: str, role: str) -> dict[str, dict[str, Any]]:
    """The policies of a role in the template, by name: its trust policy, and its own."""
    found = {}
    for policy in policies.policies(template()):
        if policy.resource == ROLES_IN_TEMPLATE[role]:
            text = json.dumps(policy.document).replace(policies.ACCOUNT, account).replace(HOME, it.account)
            found[str(policy.path[0])] = json.loads(text.replace("arn:aws:", f"arn:{it.partition}:"))
    return found


def needed(it: Snapshot, account: str, role: str) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """Every action that the template allows, on an example of its resource, with the keys that it states."""
    for statement in documents(it, account, role)["Policies"]["Statement"]:
        conditions = statement.get("Condition", {}).values()
        keys: dict[str, tuple[str, ...]] = {
            key.lower(): (str(value),) for condition in conditions for key, value in condition.items()
        }
        for action in listed(statement["Action"]):
            asked = "cloudformation:CreateStack" if action == "cloudformation:*" else action
            for resource in meant(asked, listed(statement["Resource"])):
                yield asked, example(it, resource), keys


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def meant(action: str, resources: list[str]) -> list[str]:
    """Those of a statement's resources that an action has: CreateModel works on models only."""
    kinds = {resource: resource.split(":")[-1].split("/")[0].replace("-", "") for resource in resources}
    return [resource for resource, kind in kinds.items() if kind and action.lower().endswith(kind)] or resources


def example(it: Snapshot, resource: str) -> str:
    return resource if resource == "*" else resource.replace(":*:", f":{it.region}:").replace("*", "example")


# -- the checks --------------------------------------------------------------------------------


@finding(
    "stack-sets-role-missing",
    "stops",
    "A role of self-managed stack sets is missing",
    "The data science account's stack sets run as the one, and enter each target account as the other.",
)
def stack_sets_role_missing(it: Snapshot) -> Iterator[Place]:
    for account, name, role in it.self_managed.roles(it.account):
        if role is None:
            yield Place(account, f"role {name}", f"account {account} has no such role", it.make_accounts)


@finding(
    "stack-sets-role-trust",
    "stops",
    "A role of self-managed stack sets does not trust whom it must",
    "The one trusts CloudFormation, the other the first: otherwise nothing is deployed to the account.",
)
def stack_sets_role_trust(it: Snapshot) -> Iterator[Place]:
    for account, name, role in it.self_managed.roles(it.account):
        if role and not trusts_whom_it_must(it, name, role):
            document = json.dumps(documents(it, account, name)["AssumeRolePolicyDocument"])
            yield Place(
                account,
                f"role {name}",
                "its trust policy does not let in "
                + ("cloudformation.amazonaws.com" if name == ADMINISTRATION else administration_arn(it)),
                f"aws iam update-assume-role-policy --role-name {name} --policy-document '{document}'",
            )


def administration_arn(it: Snapshot) -> str:
    return f"arn:{it.partition}:iam::{it.account}:role/{ADMINISTRATION}"


def trusts_whom_it_must(it: Snapshot, name: str, role: Role) -> bool:
    if name == EXECUTION:
        return trusts(role, role_session(administration_arn(it))).allowed
    source = f"arn:{it.partition}:cloudformation:{it.region}:{it.account}:stackset/example:1"
    return trusts(role, service("cloudformation.amazonaws.com"), source=source).allowed


@finding(
    "stack-sets-role-gaps",
    "stops",
    "A role of self-managed stack sets may not do what endpoints need",
    "The stage's stack set fails in the account.",
)
def stack_sets_role_gaps(it: Snapshot) -> Iterator[Place]:
    for account, name, role in it.self_managed.roles(it.account):
        if not role:
            continue
        gaps = [f"{a} on {arn}" for a, arn, keys in needed(it, account, name) if not may(role, a, arn, keys)]
        if gaps:
            more = f"; and {len(gaps) - 5} more" if len(gaps) > 5 else ""
            yield Place(
                account,
                f"role {name}",
                f"it may not {'; '.join(gaps[:5])}{more}",
                f"add to its policies what {SELF_MANAGED_TEMPLATE} gives {ROLES_IN_TEMPLATE[name]}; where the kit made "
                f"the role, {it.make_accounts} does it after its stack {kit.DATA_SCIENCE_STACK}-stack-sets was deleted",
            )


@finding(
    "project-accounts",
    "warns",
    "A project deploys to other accounts than the environment file lists",
    "They may have no roles for it, and may not read the models.",
)
def project_accounts(it: Snapshot) -> Iterator[Place]:
    listed_there = it.settings.targets
    for project in each(it) if listed_there else ():
        for stage in STAGES:
            value, wanted = project.parameters.get(ACCOUNTS_OF[stage], ""), getattr(listed_there, stage)
            if set(accounts_in(value)) != set(wanted):
                yield parameter_place(it, project, ACCOUNTS_OF[stage], value or "empty", ",".join(wanted))


@finding(
    "project-accounts-twice",
    "stops",
    "A project lists an account twice, or for both stages",
    "It would get a staging endpoint and a production endpoint, and has the roles of only one stage.",
)
def project_accounts_twice(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        found = [a for stage in STAGES for a in accounts_in(project.parameters.get(ACCOUNTS_OF[stage], ""))]
        twice = sorted({account for account in found if found.count(account) > 1})
        if twice and it.settings.targets:
            stage = next(stage for stage in STAGES if twice[0] in project.parameters.get(ACCOUNTS_OF[stage], ""))
            wanted = ",".join(getattr(it.settings.targets, stage))
            yield parameter_place(it, project, ACCOUNTS_OF[stage], f"{', '.join(twice)} among others, twice", wanted)
