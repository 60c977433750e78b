"""The projects' pipelines: transitions, the rules that start them, and the stages that they deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, Request, finding
from scripts.kit.doctor.projects import ACCOUNTS_OF, UNIT_OF, Project, accounts_in, each, upgrade

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot


@finding(
    "pipeline-missing",
    "stops",
    "A project's pipeline is missing",
    "An approved version is deployed by it.",
)
def pipeline_missing(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        if project.pipeline is None:
            yield here(
                it,
                f"pipeline {project.pipeline_name}",
                f"project {project.name} has no pipeline of this name",
                f"aws cloudformation detect-stack-drift --stack-name {project.stack.name} shows what else is gone; "
                "then delete the project and create it anew: its model group and versions stay",
            )


@finding(
    "transition-disabled",
    "stops",
    "A transition of a project's pipeline is switched off",
    "Every deployment stops in front of this stage.",
)
def transition_disabled(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in project.pipeline["stageStates"] if project.pipeline else ():
            transition = stage.get("inboundTransitionState", {})
            if not transition.get("enabled", True):
                reason = transition.get("disabledReason", "no reason given")
                yield here(
                    it,
                    f"pipeline {project.pipeline_name}",
                    f"into {stage['stageName']}: {reason} ({transition.get('lastChangedBy', 'unknown')})",
                    f"aws codepipeline enable-stage-transition --pipeline-name {project.pipeline_name} "
                    f"--stage-name {stage['stageName']} --transition-type Inbound",
                )


@finding(
    "rule-missing",
    "stops",
    "An event rule of a project is missing",
    "They start the pipeline: when a version is approved (model) or rejected, or the repository moves (code).",
)
def rule_missing(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for name, rule in project.rules.items():
            if rule is None and not (name == "code" and project.connection):  # the pipeline's trigger does it
                yield here(
                    it,
                    f"rule sagemaker-{project.id}-{name}",
                    f"project {project.name} has no rule of this name",
                    f"aws cloudformation detect-stack-drift --stack-name {project.stack.name} shows what else is gone; "
                    "it must come back as templates/30-project.yaml has it",
                )


@finding(
    "rule-disabled",
    "stops",
    "An event rule of a project is switched off",
    "An approved version, or a commit, starts nothing.",
    safe=True,
)
def rule_disabled(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for rule in project.rules.values():
            if rule and rule["State"] == "DISABLED":
                request = Request(it.account, it.region, "events", "EnableRule", {"Name": rule["Name"]})
                what = f"project {project.name}: it is disabled"
                yield request.mends(f"rule {rule['Name']}", what)


@finding(
    "stage-stack-failed",
    "stops",
    "The stack of a project's stage is broken",
    "No deployment of this stage can go on from this state.",
)
def stage_stack_failed(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in project.stages.values():
            stack = stage.stack
            if stack and stack.broken and stack.status != "ROLLBACK_COMPLETE":  # the Build step clears that away
                goes_on = stack.status == "UPDATE_ROLLBACK_FAILED"
                verb = "continue-update-rollback" if goes_on else "delete-stack"
                yield here(
                    it,
                    f"stack {stack.name}",
                    f"{stack.status} {stack.reason}".rstrip(),
                    f"aws cloudformation {verb} --stack-name {stack.name}\nthen approve the version again",
                )


@finding(
    "stage-inoperable",
    "stops",
    "Stack instances of a stage are INOPERABLE",
    "A deletion failed there: the stack set cannot touch them, and every operation on them fails.",
)
def stage_inoperable(it: Snapshot) -> Iterator[Place]:
    for project, stage, found in instances_that_are(it, "INOPERABLE"):
        accounts = sorted({instance["Account"] for instance in found})
        regions = " ".join(sorted({instance["Region"] for instance in found}))
        where = (
            f"--accounts {' '.join(accounts)}"
            if it.alone
            else f"--call-as {it.settings.stack_set_administrator} --deployment-targets Accounts={','.join(accounts)},"
            f"OrganizationalUnitIds={project.parameters.get(UNIT_OF[stage], '')},AccountFilterType=INTERSECTION"
        )
        yield here(
            it,
            f"stack set {project.stage_name(stage)}",
            described(found),
            f"aws cloudformation delete-stack-instances --stack-set-name {project.stage_name(stage)} --retain-stacks "
            f"--regions {regions} {where}\nthen delete the stacks in those accounts by hand",
        )


@finding(
    "stage-outdated",
    "warns",
    "Stack instances of a stage are OUTDATED",
    "The last deployment failed there or did not come so far: these accounts serve another version.",
)
def stage_outdated(it: Snapshot) -> Iterator[Place]:
    for project, stage, found in instances_that_are(it, "OUTDATED"):
        yield here(
            it,
            f"stack set {project.stage_name(stage)}",
            described(found),
            f"mend what it says, then aws codepipeline start-pipeline-execution --name {project.pipeline_name}",
        )


def instances_that_are(it: Snapshot, status: str) -> Iterator[tuple[Project, str, list[Any]]]:
    for project in each(it):
        for name, stage in project.stages.items():
            if found := [instance for instance in stage.instances or [] if instance["Status"] == status]:
                yield project, name, found


def described(instances: list[Any]) -> str:
    """The first instances, and why they are as they are."""
    lines = [
        f"{one['Account']} {one['Region']}: {one.get('StatusReason') or one['Status']}".splitlines()[0]
        for one in instances[:3]
    ]
    return "; ".join(lines) + (f"; and {len(instances) - 3} more" if len(instances) > 3 else "")


@finding(
    "stage-stray",
    "warns",
    "A stage runs endpoints in accounts that do not belong to it any more",
    "They are not tested, and cost on, until the next deployment takes them away.",
)
def stage_stray(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for name, stage in project.stages.items():
            unit = it.organization.units[name]
            if not unit or project.parameters.get(UNIT_OF[name], "") != unit.id:
                continue
            listed = project.parameters.get(ACCOUNTS_OF[name], "")  # what the Build step goes by without Organizations
            now = accounts_in(listed) if it.alone else [account.id for account in it.organization.targets(name)]
            if gone := sorted({instance["Account"] for instance in stage.instances or []} - set(now)):
                back = upgrade(it, project, f"--set {ACCOUNTS_OF[name]}={','.join([*now, *gone])}")
                yield here(
                    it,
                    f"stack set {project.stage_name(name)}",
                    f"accounts {', '.join(gone)}",
                    f"aws codepipeline start-pipeline-execution --name {project.pipeline_name}\n"
                    + (f"or list them again: {back}" if it.alone else "or move them back into the unit"),
                )
