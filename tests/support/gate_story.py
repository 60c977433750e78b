"""What the attacks on a waiting deployment share: a start, an answer, and how the gate refused."""

from __future__ import annotations

from typing import Any

from localaws.cloud import Session
from pipeline import record
from scripts.rehearsal import deploying
from scripts.rehearsal.story import Story


def root(story: Story) -> Session:
    return story.cloud.root(story.setting.data_science, story.region)


def bucket(story: Story) -> str:
    return f"sagemaker-project-{story.project_id}"


def start(story: Story, version: str) -> None:
    """Start the pipeline as the ML engineer, and wait until it asks the approver."""
    codepipeline, variable = story.engineer.client("codepipeline"), {"name": "ModelPackageVersion", "value": version}
    started = codepipeline.start_pipeline_execution(name=story.pipeline_name, variables=[variable])
    story.execution_id = started["pipelineExecutionId"]
    wait(story)


def wait(story: Story) -> None:
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))


def approve(story: Story) -> str:
    """Approve as the approver; how the execution ends."""
    deploying.give_approval(story, "Approved", "a test")
    return story.wait_for_execution(story.execution_id)


def action(story: Story, name: str) -> dict[str, Any]:
    """The newest run of an action in this story's execution."""
    return [one for one in story.actions() if one["actionName"] == name][-1]


def refusal(story: Story) -> str:
    """Why the gate refused this story's execution, which ended there; the record says the same."""
    gate = action(story, "Gate")
    assert gate["status"] == "Failed", gate
    assert not [one for one in story.actions() if one["actionName"] == "DeployResourcesProd"]
    entries = record.read(root(story).client("s3"), bucket(story), f"{record.DECISIONS}{story.execution_id}/")
    newest = record.by_time(entries)[-1]
    assert (newest["passed"], newest["execution"]) == (False, story.execution_id)
    return str(newest["reason"])
