"""The chapters of the post's story: each does what a person would do, with the same commands; the services do the rest.

A chapter that fails says which, why and where, with the log of the action or build that failed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws import places
from scripts.kit.bundle import pack
from scripts.kit.console import explain, paint, say
from scripts.kit.stacks import stack as stacks
from scripts.kit.stages import Stage
from scripts.rehearsal import afterwards, deploying, examples, observing, on_push, shadowing
from scripts.rehearsal import setting as people
from scripts.rehearsal.playing import Chapter, Playing, StoryFailed
from scripts.rehearsal.setting import Setting
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams import prepare, pushing
from scripts.rehearsal.titles import ALONE, TITLES, UNSTAGED


def organization(story: Story) -> None:
    if story.administrator == "self-managed":
        story.setting = people.make_accounts_alone(story.cloud, story.region, story.stages)
    else:
        story.setting = people.make_organization(
            story.cloud, story.administrator, story.region, bare=True, stages=story.stages
        )
    story.setting = replace(story.setting, asked=story.asked)
    people.make_people(story.cloud, story.setting)
    for name, account in story.setting.accounts.items():
        say(f"    {account}  {name}")
    file = people.environment_file(story.setting, story.regions, story.images, story.build_on_push)
    story.environment_path.write_text(file + (shadowing.SECTION if story.shadow else prepare.environment(story)))


def permissions(story: Story) -> None:
    manager = people.sign_in(story.cloud, story.setting.set_up_from, people.ENGINEER, story.region)
    story.command(manager, "scripts.accounts", "--environment", str(story.environment_path), "--invite")
    story.setting = people.with_units(story.cloud, story.setting)
    iam = story.cloud.root(story.setting.data_science, story.region).client("iam")
    policy = f"arn:aws:iam::{story.setting.data_science}:policy/{people.APPROVER_POLICY}"
    people.make_person(iam, story.setting.data_science, people.APPROVER, policy)
    prepare.prepare(story)
    if story.shadow:
        shadowing.make_buckets(story)


def publishing(story: Story) -> None:
    build = story.folder / "bundle"
    story.command(story.engineer, "scripts.package", "--output", str(build))
    story.command(
        story.engineer,
        *("scripts.publish", "--environment", str(story.environment_path), "--bundle", str(build)),
    )


def project(story: Playing) -> None:
    story.project_id = create_project(story, story.project_name)
    story.begin("project")
    first = story.until("the pipeline's first execution", lambda: next(iter(story.executions()), None))
    story.execution_id = first["pipelineExecutionId"]
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Succeeded", f"the first execution of the pipeline ended {status}, without any model")
    first_stage = Stage(story.stages[0]).deploy_stage
    skipped = story.stage(first_stage).get("latestExecution", {}).get("status")
    story.require(skipped == "Skipped", f"{first_stage} is {skipped} although no model was approved")
    say(f"    project {story.project_name} ({story.project_id}); no approved model yet, so nothing was deployed")
    if story.shadow:
        shadowing.capture(story)


def create_project(story: Playing, name: str, **parameters: str) -> str:
    """Create a project from the published product as the data scientist; its id."""
    scientist = story.scientist
    found = scientist.client("servicecatalog").search_products(Filters={"FullTextSearch": ["Multi Account Deployment"]})
    products = [p for p in found["ProductViewSummaries"] if p["Name"] == "Multi Account Deployment"]
    story.require(len(products) == 1, f"the data scientist sees {len(products)} products instead of one")
    versions = scientist.client("servicecatalog").describe_product(Id=products[0]["ProductId"])["ProvisioningArtifacts"]
    shown = (version for version in versions if version.get("Guidance", "DEFAULT") == "DEFAULT")
    current = story.only(shown, f"the product {products[0]['Name']} has no current version")
    setting = story.setting
    values = {**(stages_of(setting, story.regions, story.shadow) if story.form else {}), **parameters}
    sagemaker = scientist.client("sagemaker")
    sagemaker.create_project(
        ProjectName=name,
        ServiceCatalogProvisioningDetails={
            "ProductId": products[0]["ProductId"],
            "ProvisioningArtifactId": current["Id"],
            "ProvisioningParameters": [{"Key": key, "Value": value} for key, value in values.items()],
        },
        **({"Tags": [{"Key": key, "Value": value} for key, value in story.tags.items()]} if story.tags else {}),
    )

    def ready() -> dict[str, Any] | None:
        described: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
        return described if described["ProjectStatus"] in {"CreateCompleted", "CreateFailed"} else None

    made = story.until(f"project {name}", ready)
    if made["ProjectStatus"] != "CreateCompleted":
        details = made.get("ServiceCatalogProvisionedProductDetails", {})
        stack = f"SC-{setting.data_science}-{details.get('ProvisionedProductId', '')}"
        raise StoryFailed(
            f"project {name} from {pack.PRODUCT}: {made['ProjectStatus']}",
            setting.data_science,
            details.get("ProvisionedProductStatusMessage", "") + "\n" + stack_failures(story, stack, pack.PRODUCT),
        )
    return str(made["ProjectId"])


def stages_of(setting: Setting, regions: Sequence[str], shadow: bool = False) -> dict[str, str]:
    """What the data scientist fills in of the product's form. shadow: the product has one"""
    if setting.administrator == "self-managed":
        return {}  # roles, accounts and Regions are the product's defaults, from environment.yaml
    listed = ",".join(regions)
    return {
        **{Stage(stage).role_parameter: f"sagemaker-role-{stage}" for stage in setting.units},
        **{Stage(stage).unit_parameter: unit for stage, unit in setting.units.items()},
        **{Stage(stage).approve_parameter: "true" for stage in setting.asked},
        **({"ShadowMinutes": "30", "ShadowRequests": str(shadowing.REQUESTS)} if shadow else {}),
        "StackSetAdministrator": "DELEGATED_ADMIN" if setting.administrator == "delegated" else "SELF",
        **({Stage(stage).regions_parameter: listed for stage in setting.units} if listed else {}),
    }


def stack_failures(story: Playing, stack: str, file: str) -> str:
    """What failed in a stack of the data science account, and its place in the stack's template."""
    cloudformation = story.engineer.client("cloudformation")
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError:
        return ""  # it was refused before there was one
    body = (story.root / file).read_text(encoding="utf-8")
    return stacks.reasons(cloudformation, stack, lambda logical_id: stacks.place(file, body, logical_id))


def checkout(story: Playing, repository: str, folder: Path) -> Path:
    """The files of a CodeCommit repository, fetched as the data scientist."""
    codecommit = story.scientist.client("codecommit")

    def fetch(path: str) -> None:
        listed = codecommit.get_folder(repositoryName=repository, folderPath=path)
        for file in listed["files"]:
            content = codecommit.get_file(repositoryName=repository, filePath=file["absolutePath"])["fileContent"]
            places.write(folder, file["absolutePath"], content)
        for child in listed["subFolders"]:
            fetch(child["absolutePath"])

    fetch("/")
    return folder


def training_repository(story: Playing) -> Path:
    folder = story.folder / "checkouts" / f"{story.project_name}-{story.project_id}-modelbuild"
    if not folder.exists():
        checkout(story, f"sagemaker-{story.project_name}-{story.project_id}-modelbuild", folder)
    return folder


def train(story: Playing) -> None:
    pushing.push(story)
    folder = training_repository(story)
    examples.use(story, folder)
    if story.build_on_push:
        on_push.train(story, folder)
        return
    role = ("--role", story.training_role) if story.training_role else ()
    line = ("start.py", "--project", story.project_name, "--wait", "--json", *role)
    answer = story.script(story.scientist, folder, *line)
    story.model_package_arn = json.loads(answer)["model_package_arn"]
    say(f"    registered {story.model_package_arn}")


def approve(story: Playing) -> None:
    version = story.model_package_arn.rsplit("/", 1)[1]
    arguments = ("approve.py", "--project", story.project_name, "--version", version)
    deploying.approve(story, lambda: story.script(story.scientist, training_repository(story), *arguments))


SETTING_UP: dict[str, Callable[[Story], None]] = {  # what a real organization has
    "organization": organization,
    "permissions": permissions,
    "publishing": publishing,
}
OF_A_PROJECT: dict[str, Callable[[Playing], None]] = {
    "project": project,
    "training": train,
    "model-approval": approve,
    "staging": deploying.staging,
    "deployment-approval": deploying.approval,
    "production": deploying.production,
    "predictions": deploying.predictions,
    "second-version": afterwards.second_version,
    "push": afterwards.push,
    "rejection": afterwards.rejection,
}
CHAPTERS: dict[str, tuple[str, Callable[[Any], None]]] = {
    name: (TITLES[name], chapter) for name, chapter in {**SETTING_UP, **OF_A_PROJECT}.items()
}


def play(story: Playing, until: str | None = None, names: Sequence[str] = tuple(CHAPTERS)) -> None:
    """Play the chapters in order, up to and with `until` (by default the last); StoryFailed from the one that fails."""
    renamed = {
        **(ALONE if story.administrator == "self-managed" else {}),
        **(UNSTAGED if story.production_alone else {}),
    }
    played = (name for name in names if renamed.get(name, TITLES[name]))
    story.chapters = [Chapter(name, renamed.get(name, TITLES[name])) for name in played]
    for number, chapter in enumerate(story.chapters, 1):
        say(paint(f"{number:>2}  {chapter.title}", "1"))
        story.begin(chapter.name)
        chapter.began, start = time.time(), time.monotonic()
        try:
            CHAPTERS[chapter.name][1](story)
            story.check()
            chapter.observed = observing.observe(story)
            chapter.outcome = "succeeded"
        except ClientError as error:
            chapter.outcome = "failed"
            raise story.located(explain(error), "", story.diagnosis() if story.project_id else "") from error
        except StoryFailed as error:
            chapter.outcome = "failed"
            raise story.located(str(error), error.account, error.log) from error
        except BaseException:
            chapter.outcome = "failed"
            raise
        finally:
            chapter.seconds = round(time.monotonic() - start, 3)
        say(f"    {paint('done', '32')} in {chapter.seconds:.1f} s")
        if chapter.name == until:
            break
