"""Notices of a story: who listens to them as docs/reference/notices.md says, and what arrived."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from scripts.rehearsal.story import Story
from tests.support import ROOT

SOURCE, TOPIC = "multi-account-sagemaker", "sagemaker-multi-account-notices"
EVENTS, MESSAGES = "notices-as-events", "notices-of-failures"  # queues


def listen(story: Story) -> None:
    """A rule that brings every notice to a queue, and a subscription to another one that takes failures alone."""
    owner, here = story.owner(story.setting.data_science), f"{story.region}:{story.setting.data_science}"
    statement = {"Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}}
    for name in (EVENTS, MESSAGES):
        to_it = {**statement, "Action": "sqs:SendMessage", "Resource": f"arn:aws:sqs:{here}:{name}"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [to_it]})
        owner.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})
    events = owner.client("events")
    events.put_rule(
        Name=EVENTS, EventPattern=json.dumps({"source": [SOURCE], "detail": {"project": [story.project_name]}})
    )
    events.put_targets(Rule=EVENTS, Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{here}:{EVENTS}"}])
    failures = json.dumps({"notice": ["failed"], "project": [story.project_name]})
    owner.client("sns").subscribe(
        TopicArn=f"arn:aws:sns:{here}:{TOPIC}", Protocol="sqs", Endpoint=f"arn:aws:sqs:{here}:{MESSAGES}",
        Attributes={"FilterPolicy": failures, "RawMessageDelivery": "true"},
    )  # fmt: skip


def arrived(story: Story, queue: str) -> list[str]:
    """What has arrived in a queue since it was looked at last, the oldest first. queue: its name or address"""
    sqs = story.owner(story.setting.data_science).client("sqs")
    url = queue if queue.startswith("http") else sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = []
    while taken := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in taken:
            found.append(str(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def received(story: Story) -> list[dict[str, Any]]:
    """The details of the events that have arrived, by their time."""
    story.until("everything to settle", story.idle)
    details: Sequence[dict[str, Any]] = [json.loads(body)["detail"] for body in arrived(story, EVENTS)]
    return sorted(details, key=lambda one: str(one["at"]))


def schema() -> dict[str, Any]:
    """The schema of a notice, from the page that documents it."""
    page = (ROOT / "docs/reference/notices.md").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    return found


def failed(story: Story) -> dict[str, bool]:
    """The executions that ended after they had something to deploy, and whether they failed."""
    pages = story.engineer.client("codepipeline").get_paginator("list_action_executions")
    found = {}
    for one in story.executions():
        execution, status = one["pipelineExecutionId"], one["status"]
        named = pages.paginate(pipelineName=story.pipeline_name, filter={"pipelineExecutionId": execution})
        runs = [run for page in named for run in page["actionExecutionDetails"]]
        deploys = any(run["stageName"].startswith("Deploy") or run["status"] == "Failed" for run in runs)
        if status in ("Succeeded", "Failed") and deploys:
            found[execution] = status == "Failed"
    return found


def stages(story: Story) -> dict[int, tuple[str, str]]:
    """The stage of each version that the registry shows."""
    listed = story.scientist.client("sagemaker").list_model_packages(ModelPackageGroupName=story.project_name)
    shown = {one["ModelPackageVersion"]: one.get("ModelLifeCycle", {}) for one in listed["ModelPackageSummaryList"]}
    return {version: (one["Stage"], one["StageStatus"]) for version, one in shown.items() if one}


def capture(story: Story) -> str:
    """Deploy the template that docs/guides/extend-the-pipeline.md shows; the address of its queue."""
    page = (ROOT / "docs/guides/extend-the-pipeline.md").read_text(encoding="utf-8")
    cloudformation = story.owner(story.setting.data_science).client("cloudformation")
    given = {"ProjectName": story.project_name, "PipelineName": story.pipeline_name}
    name = "happened"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (output,) = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return str(output["OutputValue"])
