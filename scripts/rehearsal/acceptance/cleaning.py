"""Finds what an acceptance makes, by its project's name, and removes it: afterwards, after an interrupt, and before."""

from __future__ import annotations

from scripts.kit.connect import Connection, if_there, pages
from scripts.kit.console import UserError, say
from scripts.kit.patience import until
from scripts.kit.projects.project import Project
from scripts.kit.settings.model import Settings
from scripts.kit.teardown import take_down
from scripts.kit.teardown.parts import DeletionOptions, TeardownPart, apply
from scripts.kit.teardown.project import running
from scripts.rehearsal.acceptance.story import TAG

ALL = DeletionOptions(model_group=True, empty_buckets=True, logs=True)
MOVING = ("Pending", "CreateInProgress", "DeleteInProgress", "UpdateInProgress")
PATIENCE = 3600.0  # seconds for a project that is being made or deleted


def require_ours(home: Connection, name: str) -> None:
    """UserError where a project of this name is there that no acceptance made."""
    sagemaker = home.client("sagemaker")
    found = if_there(sagemaker.describe_project, ProjectName=name)
    if not found or found["ProjectStatus"] == "DeleteCompleted":
        return
    tags = {tag["Key"]: tag["Value"] for tag in pages(sagemaker, "list_tags", "Tags", ResourceArn=found["ProjectArn"])}
    if not TAG.items() <= tags.items():
        raise UserError(
            f"a project {name} is in account {home.account}, and no acceptance made it: it lacks the tag "
            f"{', '.join(TAG)}. Name another with --project"
        )


def look(by: Connection, home: Connection, settings: Settings, name: str) -> list[TeardownPart]:
    """What there is of the project, in the order in which it goes."""
    parts = take_down.make_plan(by, home, settings, ALL, name)
    return [part for part in parts if part.do or part.blind]


def settle(home: Connection, name: str) -> None:
    """Wait for a project that is being made: what makes it would go on after all else is gone."""
    sagemaker = home.client("sagemaker")

    def settled() -> bool | None:
        found = if_there(sagemaker.describe_project, ProjectName=name)
        return None if found and found["ProjectStatus"] in MOVING else True

    until(f"project {name} to settle", settled, PATIENCE)


def end_builds(home: Connection, name: str) -> None:
    """Stop what the pipeline does: a build that goes on after its project is deleted would write its log again."""
    codebuild = home.client("codebuild")
    found = if_there(home.client("sagemaker").describe_project, ProjectName=name)
    if not found or found["ProjectStatus"] == "DeleteCompleted":
        return
    project = Project(name, found["ProjectId"], found["ProjectStatus"])
    apply(list(running(home, project)))

    def under_way() -> list[str]:
        names = [one for one in pages(codebuild, "list_projects", "projects") if one.startswith(f"{project.prefix}-")]
        newest = [codebuild.list_builds_for_project(projectName=one)["ids"][:10] for one in names]
        ids = [id for listed in newest for id in listed]
        builds = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
        return [build["id"] for build in builds if build["buildStatus"] == "IN_PROGRESS"]

    for build in under_way():
        codebuild.stop_build(id=build)
    until(f"the builds of {name} to stop", lambda: None if under_way() else True, PATIENCE)


def clean(by: Connection, home: Connection, settings: Settings, name: str) -> list[str]:
    """Remove all of it; what is left, and why."""
    require_ours(home, name)
    settle(home, name)
    end_builds(home, name)
    try:
        if not (parts := look(by, home, settings, name)):
            return []
        apply(parts)
    except UserError as error:
        return [str(error)]
    left = [f"{part.step.kind} {part.step.name}: {part.step.detail}" for part in look(by, home, settings, name)]
    for one in left:
        say(f"  left: {one}")
    return left
