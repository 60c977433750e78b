"""The checks that find the mistakes.

Each makes one mistake, does the least that the story does with that file, answers what the rehearsal says, and
leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.services.sagemaker.images import pull
from scripts.kit.bundle import pack
from scripts.kit.console import UserError, explain
from scripts.kit.plan import PlanStep
from scripts.kit.stacks import stack as stacks
from scripts.rehearsal import chapters
from scripts.rehearsal.story import StoryFailed
from tests.judges import handlers, services
from tests.judges.kit import Kit
from tests.mistakes import ROOT, Mistake
from tests.mistakes.world import World
from tests.support.mirrored import arrived, push
from tests.support.story_steps import version_arn

TEN, ELEVEN, *_ = pack.TEMPLATES
IRELAND = "eu-west-1"
STRANGER = "555555555555"  # in no organization


def said(world: World, work: Callable[[], object]) -> str:
    """What the rehearsal says when work fails, with the log that it shows; "" when nothing fails."""
    try:
        work()
    except (StoryFailed, UserError, ClientError) as error:
        message = explain(error) if isinstance(error, ClientError) else str(error)
        failure = world.story.located(message, "", getattr(error, "log", ""))
        return f"{failure}\n{failure.log}"
    return ""


def judged(mistake: Mistake) -> str:
    """What the judges of permissions say of a template with the mistake in it."""
    kit = Kit({mistake.file: mistake.text()})
    return "\n".join([*handlers.findings(kit), *services.findings(kit)])


# -- the checks --------------------------------------------------------------------------------


def unit_tests(world: World, mistake: Mistake) -> str:
    """Run the unit tests of the pipeline's steps, or those that find it, on a copy of the kit with the mistake."""

    def work() -> None:
        status, printed = world.unit_tests.run(mistake.file, mistake.text(), mistake.tests)
        world.story.output_of(world.story.scientist, f"-m pytest {mistake.tests}", status, printed, "")

    return said(world, work)


def accounts(world: World, mistake: Mistake) -> str:
    """Deploy one of templates 10 to 13, or 20, into a new account (chapter permissions)."""
    return said(world, lambda: world.create_account(mistake.file, mistake.text()))


def images(world: World, mistake: Mistake) -> str:
    """Deploy 11 into a new account and 10 into its further Region, push an image there, and pull it in that Region."""
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in (TEN, ELEVEN)} | {mistake.file: mistake.text()}

    def work() -> None:
        prefix = {"ImageRepositoryPrefix": "team"}
        first = world.create_account(ELEVEN, texts[ELEVEN], FurtherRegions=IRELAND, **prefix)
        there, (_, home) = world.cloud.root(first.account, IRELAND), world.account_stack(TEN, texts[TEN])
        want = replace(home, account=first.account, parameters={**home.parameters, **prefix})
        stacks.apply(there.client("cloudformation"), want, PlanStep("create", "stack", want.name))
        ecr = there.client("ecr", world.story.region)
        ecr.create_repository(repositoryName="team/iris")
        image = push(ecr, "team/iris").replace(world.story.region, IRELAND)
        arrived(ecr, "team/iris")
        there.client("ecr").describe_images(repositoryName="team/iris", imageIds=[{"imageTag": "1"}])
        setting = world.story.setting
        pull(world.cloud.root(setting.targets["staging"], IRELAND), image)
        for outsider in (setting.management, STRANGER):
            with suppress(AwsError):
                pull(world.cloud.root(outsider, IRELAND), image)
                raise StoryFailed(f"{outsider}, which is in none of the units, may pull {image}")

    try:
        return said(world, work)
    except AwsError as error:
        return str(error)


def project(world: World, mistake: Mistake) -> str:
    """Create a project (chapter project) without following its pipeline."""
    world.made += 1
    name, id = f"mistake-{world.made}", f"p-mistake{world.made:04}"
    stack = f"SC-{world.account}-pp-mistake{world.made:04}"

    def work() -> None:
        request = world.project_request(stack, mistake.text(), SageMakerProjectName=name, SageMakerProjectId=id)
        try:
            world.launcher.client("cloudformation").create_stack(**request)
        except ClientError as error:  # as the product's status message says it
            raise StoryFailed(f"project {name} from {mistake.file}: {explain(error)}") from error
        world.settle(stack)

    return said(world, work)


def pipeline(world: World, mistake: Mistake) -> str:
    """Deploy to staging (chapters project and staging): the failed action is named in the message."""

    def work() -> None:
        with world.changed(mistake):
            world.deploy()

    return said(world, work)


def stage(world: World, mistake: Mistake) -> str:
    """Deploy template 40 as the pipeline does, without the pipeline (chapter staging)."""
    more = {"RoleARN": world.stage_role}
    return said(world, lambda: world.create_like(world.story.engineer, world.stage_stack(), mistake, **more))


def target(world: World, mistake: Mistake) -> str:
    """Deploy template 50 in the staging account, without a stack set (chapter staging)."""
    session = world.cloud.root(world.story.setting.targets["staging"], world.story.region)
    found = session.client("cloudformation").describe_stacks()["Stacks"]
    stack = next(s["StackName"] for s in found if world.story.project_id in s["StackName"])
    return said(world, lambda: world.create_like(session, stack, mistake))


def training(world: World, mistake: Mistake) -> str:
    """Train a model (chapter training)."""

    def work() -> None:
        with world.changed(mistake):
            chapters.train(world.story)

    try:
        return said(world, work)
    finally:
        world.story.model_package_arn = version_arn(world.story, 1)


def approval(world: World, mistake: Mistake) -> str:
    """Approve a version (chapter model-approval), and see the pipeline start."""

    def work() -> None:
        world.decide(1, "PendingManualApproval")  # as Rejected, it would go back by itself
        with world.changed(mistake):
            chapters.approve(world.story)

    try:
        return said(world, work)
    finally:
        world.stop_execution()
        world.decide(1, "Approved")


CHECKS: dict[str, Callable[[World, Mistake], str]] = {
    "unit-tests": unit_tests,
    "accounts": accounts,
    "images": images,
    "project": project,
    "stage": stage,
    "target": target,
    "training": training,
    "approval": approval,
    "pipeline": pipeline,
}


def check_mistake(world: World, mistake: Mistake) -> None:
    """Make a mistake: its check fails, and says what the table has; nothing else breaks."""
    message = CHECKS[mistake.by](world, mistake)
    faults = [fault.traceback for fault in world.cloud.faults]
    world.cloud.faults.clear()
    assert message, "nothing failed"
    assert mistake.unsaid(message) == [], message
    assert not faults, faults[0]
