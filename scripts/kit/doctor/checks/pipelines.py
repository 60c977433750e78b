"""The projects' pipelines: transitions, the rules that start them, and the stages that they deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.kit.doctor.checks import endpoints
from scripts.kit.doctor.checks.projects import accounts_in, upgrade
from scripts.kit.doctor.facts.projects import Project
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.projects.status import BUSY
from scripts.kit.stacks import unguarded
from scripts.kit.stages import Stage


@check(
    "pipeline-missing",
    "error",
    "A project's pipeline is missing",
    "An approved version is deployed by it.",
)
def pipeline_missing(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        if project.pipeline is None:
            yield here(
                facts,
                f"pipeline {project.pipeline_name}",
                f"project {project.name} has no pipeline of this name",
                f"aws cloudformation detect-stack-drift --stack-name {project.stack.name} shows what else is gone; "
                "then delete the project and create it again: its model group and versions stay",
            )


@check(
    "transition-disabled",
    "error",
    "A transition of a project's pipeline is switched off",
    "Every deployment stops before this stage.",
)
def transition_disabled(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for stage in project.pipeline["stageStates"] if project.pipeline else ():
            transition = stage.get("inboundTransitionState", {})
            if not transition.get("enabled", True):
                reason = transition.get("disabledReason", "no reason given")
                yield here(
                    facts,
                    f"pipeline {project.pipeline_name}",
                    f"into {stage['stageName']}: {reason} ({transition.get('lastChangedBy', 'unknown')})",
                    upgrade(facts, project)
                    if reason == unguarded.REASON
                    else f"aws codepipeline enable-stage-transition --pipeline-name {project.pipeline_name} "
                    f"--stage-name {stage['stageName']} --transition-type Inbound",
                )


@check(
    "stage-stack-failed",
    "error",
    "The stack of a project's stage is broken",
    "No deployment of this stage can continue from this state.",
)
def stage_stack_failed(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for name, stage in project.stages.items():
            stack = stage.stack
            if stack and stack.broken and stack.status != "ROLLBACK_COMPLETE":  # the Build step deletes that
                yield here(
                    facts,
                    f"stack {stack.name}",
                    f"{stack.status} {stack.reason}".rstrip(),
                    f"{cure(facts, project, name)}\nthen approve the version again",
                )


def cure(facts: Snapshot, project: Project, name: Stage) -> str:
    """What brings a stage's stack out of its state.

    Where an endpoint is gone, the way back fails however often it is tried: it is brought back first.
    """
    stage = project.stages[name]
    if stage.stack.status != "UPDATE_ROLLBACK_FAILED":
        return f"aws cloudformation delete-stack --stack-name {stage.stack.name}"
    gone = [place for one, at, place, seen in endpoints.every(facts) if (one, at) == (project, name) and seen.gone]
    if not known(facts.endpoints):
        failed = (instance for instance in stage.instances or [] if instance["Status"] != "CURRENT")
        gone = [(instance["Account"], instance["Region"]) for instance in failed]
    commands = [endpoints.repair(facts, project.name, account, region) for account, region in gone]
    goes_on = f"aws cloudformation continue-update-rollback --stack-name {stage.stack.name}"
    return "\nthen ".join(commands) or goes_on


@check(
    "stage-inoperable",
    "error",
    "Stack instances of a stage are INOPERABLE",
    "A deletion failed there: the stack set cannot touch them, and every operation on them fails.",
)
def stage_inoperable(facts: Snapshot) -> Iterator[Place]:
    for project, stage, found in instances_that_are(facts, "INOPERABLE"):
        accounts = sorted({instance["Account"] for instance in found})
        regions = " ".join(sorted({instance["Region"] for instance in found}))
        where = f"--accounts {' '.join(accounts)}"
        if not facts.alone:
            unit = project.parameters.get(stage.unit_parameter, "")
            where = (
                f"--call-as {facts.settings.stack_set_administrator} --deployment-targets "
                f"Accounts={','.join(accounts)},OrganizationalUnitIds={unit},AccountFilterType=INTERSECTION"
            )
        yield here(
            facts,
            f"stack set {project.stage_name(stage)}",
            described(found),
            f"aws cloudformation delete-stack-instances --stack-set-name {project.stage_name(stage)} --retain-stacks "
            f"--regions {regions} {where}\nthen delete the stacks in those accounts by hand",
        )


@check(
    "stage-outdated",
    "warning",
    "Stack instances of a stage are OUTDATED",
    "The last deployment failed there or did not get that far: these accounts serve another version.",
)
def stage_outdated(facts: Snapshot) -> Iterator[Place]:
    for project, stage, found in instances_that_are(facts, "OUTDATED"):
        yield here(
            facts,
            f"stack set {project.stage_name(stage)}",
            described(found),
            f"fix what it says, then aws codepipeline start-pipeline-execution --name {project.pipeline_name}",
        )


def instances_that_are(facts: Snapshot, status: str) -> Iterator[tuple[Project, Stage, list[Any]]]:
    for project in facts.complete_projects:
        for name, stage in project.stages.items():
            if found := [instance for instance in stage.instances or [] if instance["Status"] == status]:
                yield project, name, found


def described(instances: list[Any]) -> str:
    """The first instances, and the reason of each."""
    lines = [
        f"{one['Account']} {one['Region']}: {one.get('StatusReason') or one['Status']}".splitlines()[0]
        for one in instances[:3]
    ]
    return "; ".join(lines) + (f"; and {len(instances) - 3} more" if len(instances) > 3 else "")


@check(
    "shadow-left",
    "warning",
    "A version is still in production's shadow",
    "It sees what production is asked and costs as much, although nothing compares its answers any more.",
)
def shadow_left(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        stage = project.stages.get(Stage.PROD)
        values = stage.stack.parameters if stage and stage.stack else {}
        shadow, live = (values.get(name, "") for name in ("ShadowModelPackageName", "ModelPackageName"))
        states = {one["stageName"]: one for one in (project.pipeline or {}).get("stageStates", [])}
        running = states.get("DeployShadow", {}).get("latestExecution", {}).get("status") in BUSY
        if shadow and not running:
            yield here(
                facts,
                f"stack {project.stage_name(Stage.PROD)}",
                f"version {shadow.rpartition('/')[2]}, and no execution is in DeployShadow",
                f"aws codepipeline start-pipeline-execution --name {project.pipeline_name} --variables "
                f"name=ModelPackageVersion,value={live.rpartition('/')[2]}",
            )


@check(
    "stage-stray",
    "warning",
    "A stage runs endpoints in accounts that no longer belong to it",
    "They are not tested, and cost money. An organization's stack set deletes nothing in accounts outside its OU.",
)
def stage_stray(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for name, stage in project.stages.items():
            unit = facts.organization.units[name]
            if not unit or project.parameters.get(name.unit_parameter, "") != unit.id:
                continue
            # What the Build step goes by without Organizations:
            listed = project.parameters.get(name.accounts_parameter, "")
            now = accounts_in(listed) if facts.alone else [account.id for account in facts.organization.targets(name)]
            if gone := sorted({instance["Account"] for instance in stage.instances or []} - set(now)):
                back = f"list them in targets.{name.key} of the environment file again"
                starts = f"aws codepipeline start-pipeline-execution --name {project.pipeline_name}\n"
                where = {one["Account"]: one["Region"] for one in reversed(stage.instances or [])}
                away = "\nthen ".join(endpoints.repair(facts, project.name, one, where[one]) for one in gone)
                yield here(
                    facts,
                    f"stack set {project.stage_name(name)}",
                    f"accounts {', '.join(gone)}",
                    f"{starts}or {back}" if facts.alone else f"{away}\nor move them back into the OU",
                )
