"""The target accounts: the kit's stack in each, the model's role, the tester's role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scripts.kit.doctor.checks import own_stacks
from scripts.kit.doctor.checks.roles import SESSION_TAGS, may, role_session, service, set_trust, trust_fix, trusts
from scripts.kit.doctor.facts.targets import Target, role_name
from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import TARGET_STACK, target_set_name
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.target_roles import TARGET_TEMPLATE
from scripts.kit.stages import Stage


@check(
    "target-closed",
    "warning",
    "A target account cannot be entered",
    "`make accounts` creates the model's role and the tester's role through this role (roles.access).",
)
def target_closed(facts: Snapshot) -> Iterator[Place]:
    from_account = facts.account if facts.alone else facts.settings.accounts.management
    for target in facts.targets:
        if target.closed:
            role = facts.settings.roles.access
            yield Place(
                target.account.id,
                f"role {role}",
                f"account {target.where}: {target.closed}",
                f"in that account: aws iam create-role --role-name {role} --assume-role-policy-document "
                f"'{trust_of(from_account, facts.partition)}', and attach AdministratorAccess; "
                "or name its own role in roles.access",
            )


def trust_of(account: str, partition: str) -> str:
    return (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": '
        f'{{"AWS": "arn:{partition}:iam::{account}:root"}}}}]}}'
    )


@check(
    "target-stack-missing",
    "error",
    "A target account lacks the kit's stack",
    "It holds the role that the model runs as, and the role that the pipeline tests with.",
)
def target_stack_missing(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.stack is None and (target.model_role is None or target.tester_role is None):
            what = f"account {target.where} has no stack {TARGET_STACK}"
            yield Place(target.account.id, f"stack {TARGET_STACK}", what, facts.make_accounts, facts.region)


@check(
    "target-stack-failed",
    "error",
    "The kit's stack in a target account is broken",
    "`make accounts` cannot continue from this state.",
)
def target_stack_failed(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.stack and target.stack.broken:
            yield Place(
                target.account.id,
                f"stack {target.stack.name}",
                f"account {target.where}: {target.stack.status} {target.stack.reason}".rstrip(),
                f"{remove_stack(facts, target)}\nthen {facts.make_accounts}",
                facts.region,
            )


@check(
    "target-stack-differs",
    "warning",
    "The kit's stack in a target account differs from this bundle",
    "Its roles may lack what this version's endpoints or tests need.",
)
def target_stack_differs(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if not target.stack or target.stack.broken:
            continue
        if changed := own_stacks.differences(
            target.stack, *own_stacks.target_stack(facts, target.stage, target.account.id)
        ):
            what = f"account {target.where} differs in: {changed}"
            yield Place(target.account.id, f"stack {target.stack.name}", what, facts.make_accounts, facts.region)


@check(
    "target-set-differs",
    "warning",
    "The stack set of the target accounts' roles differs from this bundle",
    "Its accounts, and accounts that join, get roles that may lack what this version needs.",
)
def target_set_differs(facts: Snapshot) -> Iterator[Place]:
    for stage, found in facts.target_sets.items():
        if not found.described:
            continue
        want, known_of_it = own_stacks.target_stack(facts, stage, facts.account)
        wanted, described = replace(want, parameters=known_of_it), found.described
        changed = stacks.changes(
            wanted, described["TemplateBody"], stacks.parameters(described), stacks.tags(described)
        )
        if not (found.described.get("AutoDeployment") or {}).get("Enabled"):
            changed.append("automatic deployment, which is off")
        if changed:
            what = f"it differs in: {', '.join(changed)}"
            yield Place(facts.account, f"stack set {target_set_name(stage)}", what, facts.make_accounts, facts.region)


@check(
    "target-set-account",
    "error",
    "A target account lacks the roles of its stack set",
    "No endpoint can be created there: the model's role is missing, or its stack failed.",
)
def target_set_account(facts: Snapshot) -> Iterator[Place]:
    own = {facts.settings.accounts.management, facts.account}
    for stage, found in facts.target_sets.items():
        if not found.described or not known(found.instances):
            continue
        states = {
            i["Account"]: i.get("StatusReason") or i["Status"] for i in found.instances if i["Status"] != "CURRENT"
        }
        there = {instance["Account"] for instance in found.instances}
        for account in facts.organization.targets(stage):
            why = states.get(account.id, "" if account.id in there else "it has no stack instance")
            if why and account.id not in own:
                what = f"account {account.id} ({account.name}): {why}"
                yield Place(account.id, f"stack set {target_set_name(stage)}", what, facts.make_accounts, facts.region)


@check(
    "model-role-missing",
    "error",
    "The model's role is missing in a target account",
    "The stack set passes it to SageMaker; without it no model can be created.",
)
def model_role_missing(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.model_role is None and target.stack is not None:
            name = role_name(facts.settings, target.stage)
            yield missing_role(facts, target, name)


def missing_role(facts: Snapshot, target: Target, name: str) -> Place:
    """Without a difference the role was deleted by hand, which no update of the stack notices."""
    what = f"account {target.where} has the kit's stack, but lacks the role {name}"
    wanted = own_stacks.target_stack(facts, target.stage, target.account.id)
    again = "" if own_stacks.differences(target.stack, *wanted) else f"{remove_stack(facts, target)}\nthen "
    return Place(target.account.id, f"role {name}", what, f"{again}{facts.make_accounts}", facts.region)


def remove_stack(facts: Snapshot, target: Target) -> str:
    """The command that deletes the kit's stack in an account, so that `make accounts` can create it again.

    A stack set's is typed where the stack set is, whichever account lacks something.
    """
    name = target.stack.name if target.stack else TARGET_STACK
    if not name.startswith("StackSet-"):
        return f"aws cloudformation delete-stack --stack-name {name}"
    unit = facts.organization.units[target.stage]
    name = target_set_name(target.stage)
    return (
        f"aws cloudformation delete-stack-instances --stack-set-name {name} --no-retain-stacks "
        f"--call-as {facts.settings.stack_set_administrator} --regions {facts.region} --deployment-targets "
        f"Accounts={target.account.id},OrganizationalUnitIds={unit.id},AccountFilterType=INTERSECTION "
        f"--profile {facts.profile}"
    )


@check(
    "model-role-trust",
    "error",
    "SageMaker may not assume the model's role",
    'CreateModel is refused with "Could not assume role".',
)
def model_role_trust(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.model_role and not trusts(target.model_role, service("sagemaker.amazonaws.com")).allowed:
            name = role_name(facts.settings, target.stage)
            what = f"account {target.where}: its trust policy does not allow sagemaker.amazonaws.com"
            fix = trust_fix(name, {"Service": "sagemaker.amazonaws.com"})
            yield Place(target.account.id, f"role {name}", what, fix)


@check(
    "model-role-reads",
    "error",
    "The model's role lacks permissions that running a model needs",
    "The endpoint fails while it starts, after minutes, with little to explain why.",
)
def model_role_reads(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if not target.model_role:
            continue
        missing = [
            f"{action} on {resource}"
            for action, resource, context in needed_to_run(facts, target)
            if not may(target.model_role, action, resource, context)
        ]
        if missing:
            name = role_name(facts.settings, target.stage)
            yield Place(
                target.account.id,
                f"role {name}",
                f"account {target.where}: it may not {'; '.join(missing)}",
                f"{facts.make_accounts}\nor add to the role's policy what {TARGET_TEMPLATE} gives ModelRole",
            )


def needed_to_run(facts: Snapshot, target: Target) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """Action, resource and condition keys (SageMaker Developer Guide, "SageMaker execution roles", CreateModel)."""
    yield "ecr:GetAuthorizationToken", "*", {}
    yield "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": ("/aws/sagemaker/Endpoints",)}
    owned: dict[str, tuple[str, ...]] = {"aws:resourceaccount": (facts.account,)}
    for region, bucket, key in facts.places():
        if region not in facts.regions[target.stage]:
            continue
        if bucket:
            yield "s3:GetObject", f"arn:{facts.partition}:s3:::{bucket.name}/model.tar.gz", owned
        if key.described:
            yield "kms:Decrypt", key.described["Arn"], {"kms:viaservice": (f"s3.{region}.amazonaws.com",)}
        group = f"arn:{facts.partition}:logs:{region}:{target.account.id}:log-group:/aws/sagemaker/Endpoints/e"
        yield "ecr:BatchGetImage", f"arn:{facts.partition}:ecr:{region}:{facts.account}:repository/r", {}
        yield "logs:CreateLogStream", group, {}
        yield "logs:PutLogEvents", f"{group}:log-stream:s", {}


@check(
    "tester-role-missing",
    "error",
    "The tester's role is missing in a target account",
    "The pipeline's tests assume this role to invoke the endpoints.",
)
def tester_role_missing(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.tester_role is None and target.stack is not None:
            yield missing_role(facts, target, f"{role_name(facts.settings, target.stage)}-tester")


@check(
    "tester-role-trust",
    "error",
    "The tester's role does not trust the test role",
    "The pipeline's tests cannot assume it. A role that was deleted and created again is another role to IAM.",
)
def tester_role_trust(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if not target.tester_role:
            continue
        if not lets_in(facts, target, facts.settings.tester_external_id) and not any_id(facts, target):
            yield tester_place(facts, target, f"its trust policy does not allow {facts.test_role_arn}")
        elif not names_project(target, facts.test_role_arn):
            yield tester_place(
                facts, target, f"its trust policy does not allow sts:TagSession to {facts.test_role_arn}"
            )
        elif target.stage is Stage.STAGING and not lets_own_tests_in(facts, target):
            yield tester_place(facts, target, f"its trust policy does not allow {facts.own_tests_role_arn}")


def lets_in(facts: Snapshot, target: Target, external_id: str | None) -> bool:
    return trusts(target.tester_role, role_session(facts.test_role_arn), external_id).allowed


def names_project(target: Target, role_arn: str) -> bool:
    return trusts(target.tester_role, role_session(role_arn), action="sts:TagSession").allowed


def lets_own_tests_in(facts: Snapshot, target: Target) -> bool:
    own_tests = facts.own_tests_role_arn
    return trusts(target.tester_role, role_session(own_tests)).allowed and names_project(target, own_tests)


def any_id(facts: Snapshot, target: Target) -> str:
    """The external id that the trust policy requires instead of the environment's; "" for none."""
    for value in external_ids(target.tester_role.trust):
        if lets_in(facts, target, value):
            return value
    return ""


def external_ids(trust: Mapping[str, Any]) -> Iterator[str]:
    statements = trust.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        for keys in statement.get("Condition", {}).values():
            for key, values in keys.items():
                if key.lower() == "sts:externalid":
                    yield from values if isinstance(values, list) else [values]


@check(
    "tester-external-id",
    "error",
    "The tester's role requires another external id",
    "The pipeline sends the one of the environment file (tester_external_id).",
)
def tester_external_id(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.tester_role and not lets_in(facts, target, facts.settings.tester_external_id):
            other = any_id(facts, target)
            if other and other != facts.settings.tester_external_id:
                yield tester_place(facts, target, f"it requires the external id {other!r}")


@check(
    "tester-role-open",
    "warning",
    "The tester's role requires no external id",
    "The external id keeps out a role that was tricked into naming this account (the confused deputy).",
)
def tester_role_open(facts: Snapshot) -> Iterator[Place]:
    for target in facts.targets:
        if target.tester_role and lets_in(facts, target, None):
            yield tester_place(facts, target, "its trust policy allows the test role without sts:ExternalId")


def tester_place(facts: Snapshot, target: Target, what: str) -> Place:
    name = f"{role_name(facts.settings, target.stage)}-tester"
    fix = set_trust(name, tester_trust(facts, target))
    return Place(target.account.id, f"role {name}", f"account {target.where}: {what}", fix)


def tester_trust(facts: Snapshot, target: Target) -> dict[str, Any]:
    """The trust policy of a tester's role, as templates/20-target-account.yaml has it."""
    test, own_tests = {"AWS": facts.test_role_arn}, {"AWS": facts.own_tests_role_arn}
    external_id = {"StringEquals": {"sts:ExternalId": facts.settings.tester_external_id}}
    named = {"Null": {f"aws:RequestTag/{tag}": "false" for tag in SESSION_TAGS}}
    no_more = {"ForAllValues:StringEquals": {"aws:TagKeys": list(SESSION_TAGS)}}
    both = ["sts:AssumeRole", "sts:TagSession"]
    found: list[tuple[str, dict[str, str], Any, dict[str, Any]]] = [
        ("PipelineTestsEndpoints", test, "sts:AssumeRole", {**external_id, **named}),
        ("PipelineNamesProject", test, "sts:TagSession", no_more),
    ]
    if target.stage is Stage.STAGING:
        session = {"StringLikeIfExists": {"sts:RoleSessionName": "own-tests-*"}}
        found.append(("OwnTestsAskEndpoints", own_tests, both, {**session, **named, **no_more}))
    statements = [
        {"Sid": sid, "Effect": "Allow", "Principal": who, "Action": action, "Condition": condition}
        for sid, who, action, condition in found
    ]
    return {"Version": "2012-10-17", "Statement": statements}
