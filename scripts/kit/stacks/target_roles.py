"""What the target accounts need of roles: template 20, and 21 where there is no organization.

Template 20 goes into the target accounts by stack sets, one for each unit (docs/decisions/0008-*.md), or as a
stack in each account. Never both: two owners of one role's name are refused before anything is changed.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection, enter
from scripts.kit.console import Progress, UserError, say, some
from scripts.kit.names import (
    SELF_MANAGED_ROLES,
    SELF_MANAGED_STACK,
    TARGET_STACK,
    model_bucket,
    target_set_name,
)
from scripts.kit.organization import members
from scripts.kit.organization.members import Member
from scripts.kit.organization.state import SeenOrganization
from scripts.kit.patience import until
from scripts.kit.plan import PlanStep
from scripts.kit.regions import partition
from scripts.kit.roles import role_exists
from scripts.kit.settings import consumers
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import model_regions, organization_rules
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks import stackset as stacksets
from scripts.kit.stacks.stackset import FoundStackSet
from scripts.kit.stages import Stage
from scripts.kit.together import together

TARGET_TEMPLATE = "templates/20-target-account.yaml"
SELF_MANAGED_TEMPLATE = "templates/21-self-managed-roles.yaml"
NEEDED = ("ModelBucketName", "ModelKeyArn", "OwnTestsRoleArn", "TestRoleArn")  # outputs of templates 10 and 12


@dataclass(frozen=True)
class TargetStage:
    """Where a stage's models run; unit: its id, empty without Organizations."""

    stage: Stage
    suffix: str
    unit: str
    accounts: tuple[Member, ...]


def template(name: str) -> str:
    return (pack.ROOT / name).read_text(encoding="utf-8")


def of_roles(settings: Settings) -> dict[str, str]:
    """The parameters that every template of target accounts has, for its roles."""
    return {"BoundaryName": settings.roles.permissions_boundary, "RolePath": settings.roles.path}


# -- where -----------------------------------------------------------------------------------------


def find_stages(settings: Settings, connection: Connection, seen: SeenOrganization) -> tuple[TargetStage, ...]:
    """The stages with their accounts; the management account is in none, as stack sets never deploy to it."""
    suffix, listed = settings.roles.suffix, settings.targets
    if listed is not None:
        return tuple(
            TargetStage(stage, suffix.of(stage), "", tuple(Member(id, "") for id in listed.of(stage)))
            for stage in settings.stages
        )
    organizations = connection.client("organizations")
    stages, taken = [], {settings.accounts.management: "", settings.accounts.data_science: ""}
    for stage in settings.stages:
        name, unit, accounts = stage.key, seen.unit(settings.units.of(stage)), []
        for member in members.active(seen.beneath(organizations, unit)):
            other = taken.setdefault(member.id, name)
            if other == name:
                accounts.append(member)
            elif other:
                raise UserError(f"account {member.id} ({member.name}) is in two units, one beneath the other")
            else:
                say(f"  note: {member.id} ({member.name}) is in the {name} unit but runs no models")
        if not accounts:
            say(f"  note: the {name} unit {unit} holds no active account yet")
        stages.append(TargetStage(stage, suffix.of(stage), unit, tuple(accounts)))
    return tuple(stages)


# -- template 21 -----------------------------------------------------------------------------------


def self_managed_stack(settings: Settings, account: str, version: str = "") -> stacks.WantedStack:
    parameters = {"AdministratorAccountId": settings.accounts.data_science, **of_roles(settings)}
    body, file = template(SELF_MANAGED_TEMPLATE), SELF_MANAGED_TEMPLATE
    return stacks.WantedStack(account, SELF_MANAGED_STACK, body, parameters, file, version, settings.tags)


def plan_self_managed(settings: Settings, there: Connection, account: str, version: str) -> stacks.PlannedStack:
    """The role of stack sets in an account; one that was created before is left unchanged."""
    planned = plan_stack(there, self_managed_stack(settings, account, version))
    role = SELF_MANAGED_ROLES[account != settings.accounts.data_science]
    if planned.step.action == "create" and role_exists(there, role):
        planned.step = PlanStep("keep", "role", f"{role} in {account}", "created before, outside this kit")
    return planned


# -- template 20 -----------------------------------------------------------------------------------


def target_stack(
    settings: Settings, stage: TargetStage, account: str, outputs: Mapping[str, str], version: str = ""
) -> stacks.WantedStack:
    """Template 20. outputs: of the data science account's stacks (NEEDED)."""
    home = settings.accounts.data_science
    copies = [model_bucket(home, region) for region in model_regions.further(settings, stage.stage)]
    bus = f"arn:{partition(settings.region)}:events:{settings.region}:{home}:event-bus/default"
    parameters = {
        "SageMakerRoleSuffix": stage.suffix,
        "FurtherStageName": stage.stage.value if stage.stage.between else "",
        "NoticeBusArn": bus if stage.stage is Stage.PROD else "",
        "PipelineExecutionRoleArn": outputs["TestRoleArn"],
        "OwnTestsRoleArn": outputs["OwnTestsRoleArn"] if stage.stage is Stage.STAGING else "",
        "ExternalId": settings.tester_external_id,
        "ModelBucketName": outputs["ModelBucketName"],
        "ModelKeyArn": outputs["ModelKeyArn"],
        "FurtherModelBucketArns": ",".join(f"arn:{partition(settings.region)}:s3:::{name}" for name in copies),
        "DataCaptureBucketName": settings.endpoints.data_bucket,
        "DataKeyAlias": settings.endpoints.data_key,
        "AllowVpc": "true" if settings.endpoints.vpc else "false",
        "AllowBatch": "true" if settings.endpoints.batch else "false",
        "AllowShadow": "true" if stage.stage is Stage.PROD and settings.endpoints.shadow.minutes else "false",
        "Consumers": ",".join(consumers.pairs(settings.consumers.of(stage.stage))),
        "ConsumerAccountIds": ",".join(consumers.accounts(settings.consumers.of(stage.stage))),
        **of_roles(settings),
    }
    body, file = template(TARGET_TEMPLATE), TARGET_TEMPLATE
    return stacks.WantedStack(account, TARGET_STACK, body, parameters, file, version, settings.tags)


def target_set(
    settings: Settings, stage: TargetStage, region: str, outputs: Mapping[str, str], version: str
) -> stacksets.WantedStackSet:
    stack = target_stack(settings, stage, settings.accounts.data_science, outputs, version)
    named = replace(stack, name=target_set_name(stage.stage))
    accounts = tuple(member.id for member in stage.accounts)
    return stacksets.WantedStackSet(named, stage.unit, region, settings.stack_set_administrator, accounts)


def find_sets(settings: Settings, home: Connection, stages: tuple[TargetStage, ...]) -> dict[Stage, FoundStackSet]:
    """The stack sets of template 20, by stage; without Organizations there are none. home: the data science account."""
    if settings.permission_model == "SELF_MANAGED":
        return {}
    cloudformation, call_as = home.client("cloudformation"), settings.stack_set_administrator
    return {stage.stage: stacksets.look(cloudformation, target_set_name(stage.stage), call_as) for stage in stages}


def one_by_one(
    settings: Settings,
    connection: Connection,
    stages: tuple[TargetStage, ...],
    sets: Mapping[Stage, FoundStackSet],
    fresh: bool,
) -> bool:
    """Whether each account gets template 20 as a separate stack.

    This holds if the settings ask for it, and where accounts already have such stacks. sets: as find_sets gives them;
    fresh: the data science account's roles were just made, so that no account can have one yet. UserError where
    stack sets own the roles.
    """
    if settings.permission_model == "SELF_MANAGED":
        return True
    asked = settings.target_roles == "one-by-one"
    for stage, found in sets.items():
        if asked and found.instances:
            raise UserError(
                f"target_roles is one-by-one, but the stack set {target_set_name(stage)} owns the roles in "
                f"{len(found.instances)} accounts. Write `target_roles: stack-set`, or delete its instances first "
                "(`aws cloudformation delete-stack-instances`; endpoints there then lose their role)"
            )
    if asked or fresh or any(found.body for found in sets.values()):
        return asked
    accounts = [member.id for stage in stages for member in stage.accounts]
    looked = together(
        [partial(has_own_stack, connection, account, settings.roles.access) for account in accounts],
        what="accounts searched for existing roles",
    )
    owners = [account for account, owns in zip(accounts, looked, strict=True) if owns]
    if owners:
        say(f"  note: {some(owners)}: the roles already have a stack in each account, which is kept")
    return bool(owners)


def has_own_stack(connection: Connection, account: str, role: str) -> bool:
    """Whether an account has template 20 as a stack; one that cannot be entered is taken to have none."""
    try:
        there = enter(connection, account, role)
    except UserError:
        return False
    return bool(outputs_of(there, TARGET_STACK))


# -- plan and apply stacks -------------------------------------------------------------------------


def outputs_of(connection: Connection, name: str) -> dict[str, str]:
    """A stack's outputs; {} when it does not exist."""
    return stacks.outputs(stacks.describe_stack(connection.client("cloudformation"), name) or {})


def plan_stack(there: Connection, want: stacks.WantedStack) -> stacks.PlannedStack:
    cloudformation = there.client("cloudformation")
    return stacks.PlannedStack(want, stacks.make_plan(want, stacks.look(cloudformation, want)), cloudformation)


def plan_account(
    settings: Settings, connection: Connection, stage: Stage, want: stacks.WantedStack, patient: bool
) -> list[stacks.PlannedStack]:
    """What one target account gets as stacks of its own. patient: its role may have yet to come."""
    try:
        there = enter(connection, want.account, settings.roles.access, patient)
    except UserError as error:
        return [waiting(want, settings, connection, error)]
    alone, cloudformation = settings.administrator == "self-managed", there.client("cloudformation")
    found = stacks.look(cloudformation, want)
    organization_rules.refuse_move(settings, stage, found.parameters or {})
    return [
        *([plan_self_managed(settings, there, want.account, want.version)] if alone else []),
        stacks.PlannedStack(want, stacks.make_plan(want, found), cloudformation),
    ]


def plan_accounts(
    settings: Settings,
    connection: Connection,
    stages: tuple[TargetStage, ...],
    outputs: Mapping[str, str],
    version: str,
    patient: bool,
) -> list[stacks.PlannedStack]:
    """As plan_account, for every account of the stages, side by side; outputs, version: as target_stack takes them."""
    jobs = [
        partial(plan_account, settings, connection, stage.stage, want, patient)
        for stage in stages
        for want in (target_stack(settings, stage, member.id, outputs, version) for member in stage.accounts)
    ]
    return [one for planned in together(jobs, what="accounts looked at") for one in planned]


def waiting(
    want: stacks.WantedStack, settings: Settings, connection: Connection, why: UserError
) -> stacks.PlannedStack:
    """A stack in an account that these credentials cannot enter: who can, and the command."""
    management, role = settings.accounts.management, settings.roles.access
    if management and connection.account != management:
        command, account = 'make accounts ARGS="--profile PROFILE"', management
    else:
        values = " ".join(f"{key}={value}" for key, value in want.sent.items())
        if want.tags:
            values += " --tags " + " ".join(shlex.quote(f"{key}={value}") for key, value in want.tags.items())
        command, account = (
            (
                f"aws cloudformation deploy --stack-name {want.name} --template-file {want.file} "
                f"--capabilities CAPABILITY_NAMED_IAM --parameter-overrides {values}"
            ),
            want.account,
        )
    step = PlanStep(
        "wait", "stack", f"{want.name} in {want.account}", f"no way in through the role {role} (roles.access)",
        {"why": str(why)}, account, command,
    )  # fmt: skip
    return stacks.PlannedStack(want, step)


def apply_stacks(planned: list[stacks.PlannedStack]) -> None:
    """Begin every stack that changes and wait for all; UserError with all that failed."""
    work = [p for p in planned if at_work(p.step)]
    begun = together([partial(begin, p) for p in work], what="stacks begun")
    failed = [id for id in begun if isinstance(id, UserError)]
    left = [(p, id) for p, id in zip(work, begun, strict=True) if id and not isinstance(id, UserError)]
    if len(work) == 1:
        for p, id in left:
            stacks.wait(p.cloudformation, p.want, id)
        left = []
    total, progress = len(left), Progress("stacks done", len(left))

    def look() -> bool | None:
        """Ask for all that are still at work; True when none is."""
        remain = []
        for (p, id), found in zip(left, together([partial(ended, p, id) for p, id in left]), strict=True):
            if isinstance(found, UserError):
                failed.append(found)
            elif found is None:
                remain.append((p, id))
        left[:] = remain
        progress(total - len(left))
        return None if left else True

    with progress:
        until("the accounts' stacks", look, stacks.PATIENCE)
    if failed:
        raise UserError("\n".join(map(str, failed)))


def begin(p: stacks.PlannedStack) -> str | UserError:
    try:
        return stacks.begin(p.cloudformation, p.want, p.step)
    except UserError as error:
        return error


def ended(p: stacks.PlannedStack, id: str) -> dict[str, str] | UserError | None:
    try:
        return stacks.ended(p.cloudformation, p.want, p.cloudformation.describe_stacks(StackName=id)["Stacks"][0])
    except UserError as error:
        return error


def at_work(step: PlanStep) -> bool:
    """Whether there is something to do or to wait for."""
    return step.writes or (step.action == "keep" and step.kind == "stack" and bool(step.detail))
