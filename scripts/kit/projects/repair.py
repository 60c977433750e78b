"""Bring the endpoint of one account back where it is gone, without touching another account: look, plan, apply.

An endpoint that was deleted by hand is still there for its stack: the next update fails ("Could not find endpoint"),
and so does the way back (CloudFormation User Guide, "Continue rolling back an update"). So the account's stack instance
is deleted and created again, from what its stack set deploys anyway. The stage's own stack, where it is in
UPDATE_ROLLBACK_FAILED, goes on without its stack set, of which nothing is left to undo (the same page, "Resources to
skip"). An instance of an account that was closed is taken out of the set (API Reference, DeleteStackInstances,
RetainStacks): what was in the account went with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.connect import Connection, enter
from scripts.kit.console import UserError, say
from scripts.kit.organization import members
from scripts.kit.patience import until
from scripts.kit.plan import PlanStep
from scripts.kit.projects import project as projects
from scripts.kit.projects import served, status
from scripts.kit.projects.project import Project
from scripts.kit.projects.served import Looker
from scripts.kit.projects.status import FoundInstance
from scripts.kit.settings.model import Settings
from scripts.kit.stacks.stack import describe_stack, parameters
from scripts.kit.stacks.stackset import preferences
from scripts.kit.stages import Stage
from scripts.kit.teardown import stage_sets
from scripts.kit.teardown.stacks import PATIENCE, delete_stack
from scripts.kit.teardown.stage_sets import ActiveAccounts

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

STACK_SET = "Endpoints"  # the resource of 40-stage.yaml
STUCK = "UPDATE_ROLLBACK_FAILED"
CLOSED = "the account is no longer active in the organization"


@dataclass(frozen=True)
class Repair:
    """One thing to do, or why nothing is."""

    step: PlanStep
    do: Callable[[], object] | None = None


@dataclass(frozen=True)
class StageSet:
    """A stage that is deployed to the account: its stack with its parameters, and the set's instances."""

    connection: Connection
    project: Project
    stage: Stage
    stack: StackTypeDef
    instances: tuple[FoundInstance, ...]

    @property
    def name(self) -> str:
        return self.project.stack(self.stage)

    @property
    def values(self) -> dict[str, str]:
        return parameters(self.stack)

    @property
    def accounts(self) -> set[str]:
        """Those that the stage is deployed to, whether or not they have an instance."""
        listed = "".join(value for name, value in self.values.items() if "AccountIds" in name)
        return set(filter(None, listed.split(","))) | {found.place[0] for found in self.instances}

    @property
    def cloudformation(self) -> CloudFormationClient:
        return self.connection.client("cloudformation")

    def targets(self, account: str) -> dict[str, Any]:
        """The members of a request that name one account and no other."""
        unit = self.values.get("OrganizationalUnitId", "")
        return {"DeploymentTargets": stage_sets.within([unit], [account])} if unit else {"Accounts": [account]}


def look(connection: Connection, project: Project) -> list[StageSet]:
    """The stages of the project that have a stack."""
    found = []
    for stage in Stage:
        if stack := describe_stack(connection.client("cloudformation"), project.stack(stage)):
            instances = status.instances(
                connection.client("cloudformation"), project.stack(stage), projects.call_as(stack)
            )
            found.append(StageSet(connection, project, stage, stack, instances))
    return found


def make_plan(
    stages: list[StageSet], account: str, region: str, looker: Looker | None, settings: Settings
) -> list[Repair]:
    """What the account needs in each stage that deploys to it. region: "" for every Region of the stage

    UserError where the project deploys nothing to the account, or it is not known whether anything is wrong.
    """
    fitting = [one for one in stages if account in one.accounts]
    if not fitting:
        raise UserError(f"no stage of this project is deployed to account {account}: `make status` shows the accounts")
    return [repair for one in fitting for repair in of_stage(one, account, region, looker, settings)]


def of_stage(one: StageSet, account: str, region: str, looker: Looker | None, settings: Settings) -> Iterator[Repair]:
    if one.stack["StackStatus"].endswith("_IN_PROGRESS"):
        raise UserError(
            f"{one.stage} is being deployed right now: run this command again when `make status` says its end"
        )
    regions = sorted(set(filter(None, one.values.get("Regions", "").split(","))))
    if region and region not in regions:
        raise UserError(f"{one.stage} is not deployed to {region}: its Regions are {', '.join(regions)}")
    by_place = {found.place: found for found in one.instances}
    places = [(account, chosen) for chosen in ([region] if region else regions)]
    if why := outside(one, account):
        for place in places:
            if found := by_place.get(place):
                yield leave(one, found, why, looker)
        return
    seen = looker.look(places, one.project.endpoint(one.stage), one.values.get("Release", "")) if looker else {}
    recorded = status.outcome_of(one.connection, one.project, one.stage).endpoints
    for place in places:
        found = by_place.get(place)
        shown = seen.get(place)
        if shown is None and found is not None and (last := recorded.get(place)):
            shown = last if status.newer(last.moment, found.ended) else None
        yield of_place(one, place, found, shown, settings)
    if one.stack["StackStatus"] == STUCK:
        detail = "goes on without its stack set, of which nothing is left to undo"
        yield Repair(PlanStep("change", "stack", one.name, detail), partial(go_on, one.cloudformation, one.name))


def outside(one: StageSet, account: str) -> str:
    """Why an account is none that an organization's stack set works in any more; "" for one that is."""
    unit = one.values.get("OrganizationalUnitId", "")
    if not unit:
        return ""
    if ActiveAccounts().left(one.connection, account):
        return CLOSED
    there = {member.id for member in members.accounts_beneath(one.connection.client("organizations"), unit)}
    return "" if account in there else f"the account is not in {unit} any more"


def leave(one: StageSet, found: FoundInstance, why: str, looker: Looker | None) -> Repair:
    """Take an instance out of its set, and delete its stack where the account is still there."""
    account, region = found.place
    name = f"{account} {region} of {one.name}"
    if why == CLOSED:
        detail = f"{why}: its instance leaves the stack set"
        return Repair(PlanStep("delete", "instance", name, detail), partial(forget, one, found))
    if looker is None:
        raise UserError(
            f"{name}: {why}, and these credentials cannot enter it to delete its stack: run this command with "
            "credentials of the management account"
        )

    def away() -> None:
        stack = str(found.instance.get("StackId", ""))
        there = enter(looker.by, account, looker.role).in_region(region)
        forget(one, found)
        if stack:
            delete_stack(there, stack)

    detail = f"{why}: its instance leaves the stack set, and its stack is deleted with the endpoint"
    return Repair(PlanStep("delete", "instance", name, detail), away)


def of_place(
    one: StageSet,
    place: tuple[str, str],
    found: FoundInstance | None,
    seen: served.ServedEndpoint | None,
    settings: Settings,
) -> Repair:
    """seen: what the endpoint serves, as these credentials or the tests saw it; None where it is not known"""
    name = f"{' '.join(place)} of {one.name}"
    if found is None:
        return Repair(PlanStep("create", "endpoint", name, "its stack instance is gone"), partial(create, one, place))
    current = found.instance["Status"] == "CURRENT"
    if seen is not None and seen.status == served.MISSING:
        why = "it does not exist: its stack is deleted and created again"
        return Repair(PlanStep("create", "endpoint", name, why), partial(create_again, one, place))
    if seen is not None and seen.live and seen.status == "InService":
        version = projects.version_number(seen.package) or "an unknown version"
        detail = f"in service, serves version {version}"
        if seen.as_deployed is False:
            go = f"aws codepipeline start-pipeline-execution --name {one.project.pipeline}"
            detail += f": SageMaker took the last update back. `{go}` deploys again, with a configuration of its own"
        elif not current:
            detail += f", but its stack is {found.instance['Status']}: {found.instance.get('StatusReason', '')}".rstrip(
                ": "
            )
        return Repair(PlanStep("keep", "endpoint", name, detail))
    if seen is not None and seen.status == "Failed":
        why = f"it has failed ({seen.reason}): its stack is deleted and created again"
        return Repair(PlanStep("create", "endpoint", name, why), partial(create_again, one, place))
    if not current and seen is None and gone(found):
        why = "CloudFormation did not find it: its stack is deleted and created again"
        return Repair(PlanStep("create", "endpoint", name, why), partial(create_again, one, place))
    if seen is None or not seen.live:
        raise UserError(
            f"{name}: these credentials cannot see whether the endpoint exists. Use credentials that may enter the "
            f"account through {settings.roles.access}, or push a commit: the tests look at it and record what they see"
        )
    return Repair(PlanStep("keep", "endpoint", name, f"{seen.status}: wait for its end"))


def gone(found: FoundInstance) -> bool:
    """Whether the last operation on the instance failed because the endpoint was not there."""
    return "could not find endpoint" in found.instance.get("StatusReason", "").lower()


# -- apply -------------------------------------------------------------------------------------


def create_again(one: StageSet, place: tuple[str, str]) -> None:
    """Delete the account's instance with its stack, and create it; the next run goes on where this one stops."""
    account, region = place
    stage_sets.delete_instances(one.cloudformation, one.name, call_as(one), one.targets(account), [region], 1)
    create(one, place)


def create(one: StageSet, place: tuple[str, str]) -> None:
    account, region = place
    stage_sets.wait_for_operations(one.cloudformation, one.name, call_as(one))
    begun = one.cloudformation.create_stack_instances(
        StackSetName=one.name,
        CallAs=call_as(one),
        Regions=[region],
        OperationPreferences=preferences(1),
        **one.targets(account),
    )
    stage_sets.wait_for_operations(one.cloudformation, one.name, call_as(one))
    found = one.cloudformation.list_stack_set_operation_results(
        StackSetName=one.name, CallAs=call_as(one), OperationId=begun["OperationId"]
    )["Summaries"]
    if failed := [result for result in found if result["Status"] != "SUCCEEDED"]:
        why = failed[0].get("StatusReason", failed[0]["Status"])
        raise UserError(f"the endpoint of {account} {region} could not be created: {why}. Run the same command again")


def forget(one: StageSet, found: FoundInstance) -> None:
    stage_sets.forget(one.cloudformation, one.name, call_as(one), dict(found.instance))


def call_as(one: StageSet) -> Any:
    return projects.call_as(one.stack) or "SELF"


def go_on(cloudformation: CloudFormationClient, name: str) -> None:
    """Let the stage's stack leave UPDATE_ROLLBACK_FAILED; UserError where it does not."""
    cloudformation.continue_update_rollback(StackName=name, ResourcesToSkip=[STACK_SET])

    def settled() -> str | None:
        now = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return None if now.endswith("_IN_PROGRESS") else now

    if (ended := until(f"stack {name}", settled, PATIENCE)) == STUCK:
        raise UserError(f"the stack {name} ended {ended} again: its events in the CloudFormation console say why")


def apply(repairs: list[Repair]) -> None:
    """One after the other."""
    for repair in repairs:
        if repair.do:
            say(f"  … {repair.step.kind} {repair.step.name}")
            repair.do()
