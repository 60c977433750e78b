"""Probes of what guards the approver: records of approvals, who approved, and what starts the pipeline."""

from __future__ import annotations

import json
import time
from typing import Any

from scripts.kit.probes import pipelines
from scripts.kit.probes.lab import PREFIX, Json, Lab, policy, statement
from scripts.kit.probes.models import group, version
from scripts.kit.probes.probe import Answers, Cost, Probe

EVENTS, POLLING = 120.0, 15.0  # seconds: for the event of an update to come, and for none to come
APART = 1.1  # seconds between two updates, so that their times differ
TRANSITIONS = Cost(
    0.001, "AWS Step Functions pricing: $0.025 for 1,000 state transitions, after 4,000 free ones a month"
)


def starter_refusals(lab: Lab) -> Answers:
    bucket = lab.bucket()
    inside = f"arn:{lab.here.partition}:s3:::{bucket}"
    writer = lab.service_role("writer", "states", statement("Allow", "s3:PutObject", f"{inside}/*"))
    other = lab.service_role("other", "states", statement("Allow", "s3:GetObject", f"{inside}/*"))
    closed = statement("Deny", "s3:PutObject", f"{inside}/closed/*", Principal="*")
    lab.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(closed))

    def write(purpose: str, role: str, key: str, until: str) -> str:
        """Why a state machine could not write an object as template 11 writes a record; until: it ends so."""
        given = {"Bucket": bucket, "Key": key, "Body": "probe", "IfNoneMatch": "*"}
        resource = f"arn:{lab.here.partition}:states:::aws-sdk:s3:putObject"
        states = {"Put": {"Type": "Task", "Resource": resource, "Parameters": given, "End": True}}
        done = lab.execution(lab.machine(purpose, role, states), ready=lambda it: it["status"] == until)
        lab.words[purpose] = f"{done.get('error', '')}: {done.get('cause', '')}"
        return str(done.get("cause", ""))

    write("first", writer, "record", "SUCCEEDED")
    again = write("again", writer, "record", "FAILED")
    closed_by_policy = write("closed", writer, "closed/record", "FAILED")
    lacking = write("lacking", other, "second", "FAILED")
    asked = "no identity-based policy allows"
    return {
        "an object that exists: Status Code: 412": "Status Code: 412" in again,
        "denied by the bucket's policy: Status Code: 403": "Status Code: 403" in closed_by_policy,
        f"denied by the bucket's policy: {asked}": asked in closed_by_policy,
        "a role without the right: Status Code: 403": "Status Code: 403" in lacking,
        f"a role without the right: {asked}": asked in lacking,
    }


def approved_again(lab: Lab) -> Answers:
    name = group(lab)
    queue = _listening(lab, name)
    arn = version(lab, name)
    approve = {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}
    fields: dict[str, object] = {}
    seen: set[object] = set()
    for what in ("Approved", "Approved again"):
        time.sleep(APART if seen else 0)
        lab.client("sagemaker").update_model_package(**approve)
        fields[what] = _fields(lab, queue, what, seen)
    return fields


def _listening(lab: Lab, name: str) -> str:
    """The address of a new queue that gets the events of a group's versions."""
    sqs, events = lab.client("sqs"), lab.client("events")
    queue = str(sqs.create_queue(QueueName=lab.name)["QueueUrl"])
    let = statement("Allow", "sqs:SendMessage", lab.arn("sqs", lab.name), Principal={"Service": "events.amazonaws.com"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(let)})
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [name], "ModelApprovalStatus": ["Approved"]},
    }
    events.put_rule(Name=lab.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=lab.name, Targets=[{"Id": "queue", "Arn": lab.arn("sqs", lab.name)}])
    return queue


def _fields(lab: Lab, queue: str, what: str, seen: set[object]) -> object:
    """UpdatedModelPackageFields of the next event; "no event" where none comes.

    seen: the times of updates that were announced: SageMaker may announce one more than once
    """

    def look() -> Json | None:
        messages = lab.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            lab.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            event: Json = json.loads(message["Body"])
            at = event["detail"].get("LastModifiedTime", event["id"])
            if at not in seen:
                seen.add(at)
                return event
        return None

    event = lab.perhaps(f"the event of {what}", look, EVENTS)
    if event is None:
        return "no event"
    lab.words[what] = json.dumps(event["detail"])
    return event["detail"].get("UpdatedModelPackageFields", "not in the event")


def approver_known(lab: Lab) -> Answers:
    name = group(lab)
    arn = version(lab, name)
    robot = lab.person("robot", statement("Allow", "sagemaker:UpdateModelPackage"))
    approve = {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}
    update = lab.client("sagemaker", robot).update_model_package
    lab.once_ready("the robot's update", lambda: update(**approve))
    by: dict[str, Any] = lab.client("sagemaker").describe_model_package(ModelPackageName=arn).get("LastModifiedBy", {})
    identity = by.get("IamIdentity", {})
    lab.words["LastModifiedBy"] = json.dumps(by)
    return {
        "members of LastModifiedBy": sorted(member for member, value in by.items() if value),
        "members of IamIdentity": sorted(member for member, value in identity.items() if value),
        "Arn names the role's session": f"/{lab.name}-robot/{PREFIX}" in identity.get("Arn", ""),
    }


def event_variables(lab: Lab) -> Answers:
    events = lab.client("events")
    name = pipelines.waiting(lab, variables=[{"name": "Version", "defaultValue": "none"}])
    start = statement("Allow", "codepipeline:StartPipelineExecution", lab.arn("codepipeline", name))
    role = lab.service_role("events", "events", start)
    events.put_rule(Name=lab.name, EventPattern=json.dumps({"source": [lab.name]}))
    before = {run["pipelineExecutionId"] for run in pipelines.executions(lab, name)}
    paths, text = {"version": "$.detail.version"}, '{"variables": [{"name": "Version", "value": "<version>"}]}'
    transformer = {"InputPathsMap": paths, "InputTemplate": text}
    target = {"Id": "pipeline", "Arn": lab.arn("codepipeline", name), "RoleArn": role, "InputTransformer": transformer}
    failed = events.put_targets(Rule=lab.name, Targets=[target])["FailedEntries"]
    lab.words["PutTargets"] = json.dumps(failed)

    def come() -> Json | None:
        entry = {"Source": lab.name, "DetailType": "probe", "Detail": json.dumps({"version": "seven"})}
        events.put_events(Entries=[entry])
        return lab.perhaps("an execution", started, POLLING)

    def started() -> Json | None:
        return next((r for r in pipelines.executions(lab, name) if r["pipelineExecutionId"] not in before), None)

    run = lab.perhaps("the event's execution", come, EVENTS)
    return {
        "PutTargets takes it": not failed,
        "the pipeline starts": run is not None,
        "Version": _value(lab, name, run),
    }


def _value(lab: Lab, pipeline: str, run: Json | None) -> str:
    """The value of the variable in an execution; "" where there is none."""
    if run is None:
        return ""
    asked = {"pipelineName": pipeline, "pipelineExecutionId": run["pipelineExecutionId"]}
    shown = lab.client("codepipeline").get_pipeline_execution(**asked)["pipelineExecution"]
    return str(next((one["resolvedValue"] for one in shown.get("variables", [])), ""))


PROBES = (
    Probe(
        "starter-refusals",
        "In which words does S3 refuse a request within a state machine?",
        ("s3:PutObject", "states:StartExecution", "states:DescribeExecution"),
        ("bucket", "role", "state machine"),
        starter_refusals,
        TRANSITIONS,
    ),
    Probe(
        "approved-again",
        "Does SageMaker name ModelApprovalStatus among the updated fields where the status stays the same?",
        ("sagemaker:UpdateModelPackage",),
        ("model group", "bucket", "rule", "queue"),
        approved_again,
        Cost(0.001, "Amazon SQS pricing: $0.40 for a million requests; events of AWS services cost nothing"),
    ),
    Probe(
        "approver-known",
        "What does LastModifiedBy hold for an approval by an automation?",
        ("sagemaker:UpdateModelPackage", "sagemaker:DescribeModelPackage"),
        ("model group", "bucket", "role"),
        approver_known,
        Cost(0.001, "Amazon S3 pricing: one object of a few bytes"),
    ),
    Probe(
        "event-variables",
        "In which form does an EventBridge input transformer pass pipeline variables?",
        ("events:PutTargets", "events:PutEvents", "codepipeline:GetPipelineExecution"),
        ("pipeline", "rule", "bucket", "role"),
        event_variables,
        Cost(
            0.01,
            "AWS CodePipeline pricing: $0.002 for each minute of an action; Amazon EventBridge pricing: $1 for a "
            "million custom events",
        ),
    ),
)
