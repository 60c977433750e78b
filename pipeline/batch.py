"""A batch stage: what its state machine serves, and golden payloads as one transform job of it.

50-endpoint.yaml makes a state machine in place of an endpoint. It reads and writes within the project's folder of the
bucket alone, so the tester's role starts it, and creates no job itself (20-target-account.yaml). The answer to an
object has its key beneath answers, with .out. Step Functions API Reference, DescribeStateMachine, StartExecution,
DescribeExecution; Amazon S3 User Guide, "Enabling Amazon EventBridge".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from pipeline import asynchronous
from pipeline.answers import read_answer
from pipeline.clients import AccountClients
from pipeline.console import UserError
from pipeline.documents import listed
from pipeline.outcome import MISSING, Served, package_of
from pipeline.payloads import GOLDEN, Golden, Payload

if TYPE_CHECKING:
    from pipeline.settings import Stage

KIND = "batch"
RELEASE = re.compile(r"release ([0-9]{1,5})")  # its comment
STATE = "Transform"  # of the state machine: its task
PATIENCE = 15 * 60.0  # seconds: a job starts its instance first
FIRST_LOOK, SELDOM = 0.1, 10.0  # seconds between two looks at the execution: the first, and the most


def is_batch(part: Mapping[str, Any]) -> bool:
    """Whether a stage runs transform jobs. part: of the manifest"""
    return asynchronous.parameters(part).get("EndpointKind") == KIND


def bucket_of(part: Mapping[str, Any], account: str, region: str) -> str:
    """The bucket of a stage's requests and answers in an account and Region, as 50-endpoint.yaml reads it."""
    given = asynchronous.parameters(part).get("BatchBucket", "")
    return f"endpoint-data-{account}-{region}" if given == "account" else given


def machine_arn(served: Served, partition: str) -> str:
    return f"arn:{partition}:states:{served.region}:{served.account}:stateMachine:{served.endpoint}"


def look(there: AccountClients, bare: Served, partition: str) -> Served:
    """What the stage's jobs serve now: the model that its state machine names. bare: which one

    The state machine counts as an endpoint in service; its configuration is the model.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        found = there("stepfunctions").describe_state_machine(stateMachineArn=machine_arn(bare, partition))
    except ClientError as error:
        if error.response["Error"]["Code"] == "StateMachineDoesNotExist":
            return replace(bare, status=MISSING, looked_at=at, as_deployed=False, batch=True)
        raise
    model, release = read_definition(found["definition"])
    seen = replace(bare, status="InService", config=model, release=release, looked_at=at, batch=True)
    return replace(seen, model_package=package_of(there("sagemaker").describe_model(ModelName=model)))


def read_definition(text: str) -> tuple[str, int]:
    """The model's name and the release in the definition of a state machine; "" and 0 for what it lacks."""
    definition = json.loads(text)
    model = definition.get("States", {}).get(STATE, {}).get("Arguments", {}).get("ModelName", "")
    found = RELEASE.fullmatch(str(definition.get("Comment", "")))
    return str(model), int(found[1]) if found else 0


def check_bucket(there: AccountClients, bucket: str, name: str) -> str:
    """Why requests that arrive in the bucket would not be answered; "" where they are. name: of the state machine"""
    if problem := asynchronous.check_bucket(there, f"s3://{bucket}/batch", name):
        return problem
    found = there("s3").get_bucket_notification_configuration(Bucket=bucket)
    if "EventBridgeConfiguration" in found:
        return ""
    return (
        f"the bucket {bucket} sends no events to EventBridge, so that no job starts when an object arrives: its owner "
        "adds EventBridgeConfiguration to what it notifies (aws s3api put-bucket-notification-configuration)"
    )


def ask(
    there: AccountClients,
    served: Served,
    arn: str,
    bucket: str,
    payloads: Sequence[Payload],
    accept: str,
    answers: dict[str, Any],
    ends: float,
) -> str:
    """Why the transform job over all payloads brings no answers, or "".

    arn: of the state machine; accept: BatchAccept; answers: by the payload's name, to which these are added
    ends: when, in time.monotonic(), nothing is waited for any more
    """
    s3, states, number = there("s3"), there("stepfunctions"), str(uuid4())
    folder = f"batch/{served.endpoint}"
    for place, payload in enumerate(payloads):
        asynchronous.put(s3, f"s3://{bucket}/{folder}/tests/{number}/{place}", payload)
    given = json.dumps({"id": number, "detail": {"object": {"key": f"{folder}/tests/{number}/"}}})  # as S3's event
    execution = states.start_execution(stateMachineArn=arn, name=number, input=given)["executionArn"]
    ends, pause = min(ends, time.monotonic() + PATIENCE), FIRST_LOOK
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > ends:
            return f"the transform job batch-{number} has not ended in time: look at it and its instances' quota"
        time.sleep(pause)
        pause = min(pause * 1.5, SELDOM)
    if found["status"] != "SUCCEEDED":
        return f"the transform job batch-{number} failed: {reason(found.get('error', ''), found.get('cause', ''))}"
    for place, payload in enumerate(payloads):
        answer = asynchronous.read(s3, f"s3://{bucket}/{folder}/answers/tests/{number}/{place}.out")
        if answer is None:
            return f"the transform job batch-{number} has left no answer to {payload.name}"
        answers[payload.name] = read_answer(accept, answer[1])
    return ""


def reason(error: str, cause: str) -> str:
    """Why an execution failed: the job's own reason where there is one."""
    try:
        return str(json.loads(cause)["FailureReason"])
    except (ValueError, KeyError, TypeError):
        return f"{error}: {cause}"


def check_payloads(stages: Sequence[Stage], golden: Golden) -> None:
    """UserError where golden payloads cannot be sent in a stage's one job, which has one type of requests."""
    problems = []
    for stage in stages:
        if stage.parameters.get("EndpointKind") != KIND:
            continue
        sent, accept = stage.parameters.get("BatchContentType", "text/csv"), stage.parameters.get("BatchAccept", "")
        for payload in golden.payloads:
            if payload.content_type != sent or payload.accept not in ("", accept):
                problems.append(
                    f"{GOLDEN}: the payload {payload.name} is {payload.content_type} and accepts "
                    f"{payload.accept or 'anything'}, and {stage.file} sends {sent} and accepts "
                    f"{accept or 'anything'}: a transform job has one type of each. Write the same types"
                )
    if problems:
        raise UserError(listed(problems))
