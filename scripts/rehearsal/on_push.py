"""The chapter training where the environment file says builds.on_push: the data scientist pushes, and watches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from scripts.kit.connect import pages
from scripts.kit.console import say
from scripts.kit.projects.history import ENDED
from scripts.rehearsal.examples import commit
from scripts.rehearsal.playing import Playing, StoryFailed
from scripts.rehearsal.teams.repositories import TRAINING

PATIENCE = 1800.0  # seconds for a push: the team's tests, two or three jobs, and those of an execution before
DESCRIPTION = re.compile(r'^(description = "[^"]*)"', re.MULTILINE)


def train(story: Playing, folder: Path) -> None:
    """Follow the newest push until it has registered a version: the story's. folder: a checkout that may be behind"""
    if story.example == "iris" and TRAINING not in story.repositories.folders:
        file = folder / "project.toml"
        commit(story, "modelbuild", file.name, changed(file.read_text(encoding="utf-8")), "Say how it is trained")
        say(f"    the description in {file.name} is pushed")
    follow(story)


def changed(text: str) -> str:
    """project.toml with another description of its first model, which trains the same model again."""
    return DESCRIPTION.sub(r'\1, trained on a push"', text, count=1)


def follow(story: Playing) -> None:
    repository = f"sagemaker-{story.project_name}-{story.project_id}-modelbuild"
    branch = story.scientist.client("codecommit").get_branch(repositoryName=repository, branchName="main")["branch"]
    pushed = str(branch["commitId"])
    wait(story, pushed)
    version = registered(story, pushed)
    story.model_package_arn = version["ModelPackageArn"]
    author, status = version["CustomerMetadataProperties"]["author"], version["ModelApprovalStatus"]
    story.require(status == "PendingManualApproval", f"the build of commit {pushed} registered a version as {status}")
    say(f"    commit {pushed[:7]}, whose author is {author}, was tested and trained with")
    say(f"    registered {story.model_package_arn}")


def wait(story: Playing, pushed: str) -> None:
    """Until the training pipeline has run with a commit; StoryFailed with the log of its build where it failed."""
    pipeline = f"sagemaker-{story.project_name}-{story.project_id}-train"
    codepipeline = story.scientist.client("codepipeline")

    def found() -> dict[str, Any] | None:
        listed = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
        return next((e for e in listed if any(r.get("revisionId") == pushed for r in e["sourceRevisions"])), None)

    def ended() -> dict[str, Any] | None:
        execution = found()
        return execution if execution and execution["status"] in ENDED else None

    story.until(f"the pipeline {pipeline} to start with commit {pushed}", found)
    execution: dict[str, Any] = story.until(f"the build of commit {pushed}", ended, PATIENCE)
    if execution["status"] != "Succeeded":
        lines = why(story, pipeline, execution["pipelineExecutionId"])
        message = f"the build of commit {pushed} ended {execution['status']}"
        raise StoryFailed(message, story.setting.data_science, "\n".join(lines))


def why(story: Playing, pipeline: str, execution: str) -> list[str]:
    """What failed in an execution, with the log of its build."""
    codepipeline, of_this = story.scientist.client("codepipeline"), {"pipelineExecutionId": execution}
    actions = pages(
        codepipeline, "list_action_executions", "actionExecutionDetails", pipelineName=pipeline, filter=of_this
    )
    results = [action["output"]["executionResult"] for action in actions if action["status"] == "Failed"]
    said = [result.get("errorDetails", {}).get("message", "") for result in results]
    return [*said, *(line for result in results for line in story.log(result.get("externalExecutionId", "")))]


def registered(story: Playing, pushed: str) -> dict[str, Any]:
    """The version that was registered with a commit, as DescribeModelPackage shows it."""
    sagemaker = story.scientist.client("sagemaker")
    of_group = {"ModelPackageGroupName": story.project_name, "SortBy": "CreationTime", "SortOrder": "Descending"}
    listed = pages(sagemaker, "list_model_packages", "ModelPackageSummaryList", **of_group)
    shown = (sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]) for one in listed)
    versions = (one for one in shown if one.get("CustomerMetadataProperties", {}).get("commit") == pushed)
    return story.only(versions, f"no version of {story.project_name} is of commit {pushed}")
