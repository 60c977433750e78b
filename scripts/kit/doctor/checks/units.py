"""The stages' OUs: whether they exist, the accounts in them, and the service control policies above those."""

from __future__ import annotations

import re
from collections.abc import Iterator

from awslang.policy.evaluator import AuthorizationRequest, Levels, Policies, decide
from scripts.kit.doctor.checks.roles import EVERYTHING, role_session
from scripts.kit.doctor.facts.organization import Account
from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.settings.where import UNIT_ID

# What a stack set's role in a target account does for 50-endpoint.yaml, and what the tests then ask.
NEEDED_IN_TARGETS = (
    "cloudformation:CreateStack",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateEndpoint",
    "sagemaker:InvokeEndpoint",
    "cloudwatch:PutMetricAlarm",
    "iam:PassRole",
)


@check(
    "unit-missing",
    "error",
    "A stage's OU does not exist",
    "The Build step looks up the accounts of this OU.",
)
def unit_missing(facts: Snapshot) -> Iterator[Place]:
    for stage in facts.settings.stages:
        if facts.organization.units[stage] is None:
            named = facts.settings.units.of(stage)
            yield Place(
                facts.settings.accounts.management,
                f"units.{stage.key}",
                f"there is no OU {named}",
                "aws organizations list-organizational-units-for-parent --parent-id ROOT lists those that exist; "
                f"write the right id into units.{stage.key}, or write a path of names and run `make accounts`",
            )


@check(
    "unit-empty",
    "error",
    "A stage's OU holds no active account",
    "The Build step fails when a stage has no account.",
)
def unit_empty(facts: Snapshot) -> Iterator[Place]:
    for stage in facts.settings.stages:
        unit = facts.organization.units[stage]
        others = {facts.settings.accounts.management, facts.settings.accounts.data_science}
        if unit and not [account for account in facts.organization.targets(stage) if account.id not in others]:
            yield Place(
                facts.settings.accounts.management,
                unit.id or unit.key,
                f"the {stage.key} OU {unit.named} holds {len(unit.accounts)} accounts, and none that can run a model",
                f"aws organizations move-account --account-id ACCOUNT --source-parent-id PARENT "
                f"--destination-parent-id {unit.id}",
            )


@check(
    "unit-suspended",
    "note",
    "A suspended account is in a stage's OU",
    "Deployments leave it out; endpoints that it still has are not updated.",
)
def unit_suspended(facts: Snapshot) -> Iterator[Place]:
    for stage in facts.settings.stages:
        unit = facts.organization.units[stage]
        for account in unit.accounts if unit else ():
            if account.status != "ACTIVE":
                yield Place(
                    account.id,
                    f"account {account.id} ({account.name})",
                    f"it is {account.status} in the {stage.key} OU {unit.named}",
                    "nothing, where this is intended. Otherwise reopen it through AWS Support within 90 days, or "
                    f"aws organizations remove-account-from-organization --account-id {account.id}",
                )


@check(
    "units-overlap",
    "error",
    "An account belongs to two stages",
    "It would get an endpoint of each, but the roles of only one.",
)
def units_overlap(facts: Snapshot) -> Iterator[Place]:
    seen: set[str] = set()
    for account in (account for stage in facts.settings.stages for account in facts.organization.targets(stage)):
        if account.id not in seen:
            seen.add(account.id)
        else:
            yield Place(
                account.id,
                f"account {account.id} ({account.name})",
                "one of the OUs is beneath the other, or the account is listed for two stages",
                "give each stage an OU of its own, side by side, and name them in `units`",
            )


@check(
    "unit-own-account",
    "error",
    "The data science account is in a stage's OU",
    "The Build step would deploy to it, and it has no role for the model.",
)
def unit_own_account(facts: Snapshot) -> Iterator[Place]:
    wanted = facts.settings.units.data_science
    parent = wanted if re.fullmatch(UNIT_ID, wanted) else f"ID-OF-{wanted.upper()}" if wanted else "PARENT"
    for stage in facts.settings.stages:
        for account in facts.organization.targets(stage):
            if account.id == facts.settings.accounts.data_science:
                unit = facts.organization.units[stage]
                yield Place(
                    account.id,
                    f"account {account.id} ({account.name})",
                    f"it is in the {stage.key} OU {unit.named}",
                    f"aws organizations move-account --account-id {account.id} --source-parent-id "
                    f"{account.parents[-1] if account.parents else unit.id} --destination-parent-id {parent}",
                )


@check(
    "unit-management-account",
    "note",
    "The management account is in a stage's OU",
    "Stack sets never deploy to it, so it gets no endpoint.",
)
def unit_management_account(facts: Snapshot) -> Iterator[Place]:
    for stage in facts.settings.stages:
        for account in facts.organization.targets(stage):
            if account.id == facts.settings.accounts.management != facts.settings.accounts.data_science:
                yield Place(
                    account.id,
                    f"account {account.id} ({account.name})",
                    f"it is in the {stage.key} OU {facts.organization.units[stage].named}",
                    "nothing, where no endpoint is expected there. Otherwise use another account for it",
                )


@check(
    "service-control-policy",
    "error",
    "A service control policy denies what an endpoint needs",
    "The stack set or its tests fail in this account, although the roles allow it.",
)
def service_control_policy(facts: Snapshot) -> Iterator[Place]:
    controls = facts.organization.controls
    if not known(controls) or not controls:
        return
    for stage in facts.settings.stages:
        regions = facts.settings.regions.of(stage)
        for account in facts.organization.targets(stage):
            levels: Levels = tuple(controls.get(name, ()) for name in (*account.parents, account.id))  # type: ignore[union-attr]
            for region in regions:
                if denied := [a for a in NEEDED_IN_TARGETS if denies(facts, account, levels, a, region)]:
                    policies = ", ".join(sorted({policy.name for level in levels for policy in level}))
                    yield Place(
                        account.id,
                        f"account {account.id} ({account.name})",
                        f"denied: {', '.join(denied)} (policies above it: {policies or 'none'})",
                        "exempt the role from the policy's Deny statement: "
                        '"Condition": {"ArnNotLike": '
                        f'{{"aws:PrincipalArn": "arn:{facts.partition}:iam::*:role/stacksets-exec-*"}}}}',
                        region,
                    )


def denies(facts: Snapshot, account: Account, levels: Levels, action: str, region: str) -> bool:
    who = role_session(f"arn:{facts.partition}:iam::{account.id}:role/stacksets-exec-0123456789abcdef0")
    context = {"aws:requestedregion": (region,), "aws:principalarn": (who.role_arn,)}
    request = AuthorizationRequest(who, action, "*", account.id, context)
    policies = Policies(
        identity=(EVERYTHING,), service_control=levels, management_account=facts.settings.accounts.management
    )
    return not decide(request, policies).allowed
