"""Targets of EventBridge rules: what PutTargets asks of each kind, and how each one is invoked.

Amazon EventBridge User Guide, "Event bus targets in Amazon EventBridge" and "Using IAM roles with
Amazon EventBridge". Pipelines, state machines, builds and SageMaker pipelines are started as the
target's role; topics, queues and functions are reached in the name of events.amazonaws.com, as their own
policies allow. A kind's own parameters may name paths into the event (the first page, "Dynamic path parameters"). Event
buses of other accounts get events as the target's role, where their policies let it ("Sending and receiving events
between AWS accounts in Amazon EventBridge": since March 2023 with a role).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws.cloud import Cloud, Session
from localaws.services.events.input import PLACEHOLDER, filled
from localaws.services.sqs.sending import send_to_queue

PRINCIPAL = "events.amazonaws.com"


@dataclass(frozen=True)
class Delivery:
    """One event brought to one target; failed is "" or the reason."""

    rule: str
    target: str
    event: Mapping[str, Any]
    made: str
    failed: str


@dataclass(frozen=True)
class Kind:
    """One kind of target.

    role: "required", or "optional" where the resource's own policy may allow EventBridge
    parameters: the kind's own member of a target (SqsParameters), "" for none
    send: (session, target, text, token) -> what was made
    abroad: whether the target may be in another account and Region although it needs a role
    """

    role: str
    parameters: str
    send: Callable[[Session, Mapping[str, Any], str, str], str]
    abroad: bool = False


def _name(target: Mapping[str, Any]) -> str:
    return str(target["Arn"].split(":", 5)[5])


def _given_input(target: Mapping[str, Any]) -> bool:
    return any(name in target for name in ("Input", "InputPath", "InputTransformer"))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidJson", f"The target's input is not JSON: {error}: {text}") from error


def _pipeline(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    """The event itself is not passed on, only what an input holds for StartPipelineExecution."""
    given = _json(text) if _given_input(target) else {}
    answer = session.client("codepipeline").start_pipeline_execution(
        name=_name(target), clientRequestToken=token, **given
    )
    return str(answer["pipelineExecutionId"])


def _state_machine(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    _json(text)
    answer = session.client("stepfunctions").start_execution(stateMachineArn=target["Arn"], name=token, input=text)
    return str(answer["executionArn"])


def _build(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    given = _json(text) if _given_input(target) else {}
    answer = session.client("codebuild").start_build(projectName=_name(target).removeprefix("project/"), **given)
    return str(answer["build"]["id"])


def _sagemaker(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    answer = session.client("sagemaker").start_pipeline_execution(
        PipelineName=_name(target).removeprefix("pipeline/"),
        ClientRequestToken=token,
        PipelineParameters=target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", []),
    )
    return str(answer["PipelineExecutionArn"])


def _topic(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    return str(session.client("sns").publish(TopicArn=target["Arn"], Message=text)["MessageId"])


def _queue(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    extra = {"MessageGroupId": group, "MessageDeduplicationId": token} if group else {}
    return send_to_queue(session, target["Arn"], text, extra)


def _function(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    answer = session.client("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())
    return str(answer["ResponseMetadata"]["RequestId"])


def _bus(session: Session, target: Mapping[str, Any], text: str, token: str) -> str:
    """Whether the bus takes the event; service.py brings it there."""
    event = _json(text)
    keys = {"events:source": (str(event["source"]),), "events:detail-type": (str(event["detail-type"]),)}
    session.permit("events:PutEvents", target["Arn"], keys, owner=target["Arn"].split(":")[4])
    return str(event["id"])


KINDS: dict[str, Kind] = {
    "codepipeline": Kind("required", "", _pipeline),
    "states": Kind("required", "", _state_machine),
    "codebuild": Kind("required", "", _build),
    "sagemaker": Kind("required", "SageMakerPipelineParameters", _sagemaker),
    "sns": Kind("optional", "", _topic),
    "sqs": Kind("optional", "SqsParameters", _queue),
    "lambda": Kind("optional", "", _function),
    "events": Kind("required", "", _bus, abroad=True),
}
COMMON = {"Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy"}


def check_target(cloud: Cloud, target: Mapping[str, Any], rule_arn: str) -> None:
    """What PutTargets refuses about one target's ARN, role and parameters."""
    arn = target["Arn"]
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
        raise AwsError(
            "ValidationException", "Parameter Arn is not valid. Reason: Provided Arn is not in correct format."
        )
    service, region, account = parts[2:5]
    if service not in KINDS or (service == "states" and not parts[5].startswith("stateMachine:")):
        raise NotSupported(f"an EventBridge target like {arn}")
    kind = KINDS[service]
    _, _, _, rule_region, rule_account, _ = rule_arn.split(":", 5)
    if service == "events" and (
        account == rule_account or not parts[5].startswith("event-bus/") or _given_input(target)
    ):
        raise NotSupported(
            f"an EventBridge target like {arn}: a bus of another account, with the event as it is, is supported"
        )
    if account != rule_account and kind.role == "required" and not kind.abroad:
        raise AwsError("ValidationException", "Adding cross-account target is not permitted.")
    if region != rule_region and not kind.abroad:
        raise AwsError("ValidationException", f"Provided Arn {arn} is not in the region of the rule.")
    if unknown := set(target) - COMMON - {kind.parameters}:
        raise AwsError(
            "ValidationException",
            f"Parameter(s) {', '.join(sorted(unknown))} not valid "  # english: quoted
            f"for target {target['Id']} ({service}).",
        )
    if kind.role == "required" and not target.get("RoleArn"):
        raise AwsError("ValidationException", f"RoleArn is required for target {arn}.")
    if target.get("RoleArn"):
        check_role(cloud, target["RoleArn"], rule_arn)
    if service == "codepipeline":
        _check_pipeline_input(target)
    if service == "sqs" and arn.endswith(".fifo") and "SqsParameters" not in target:
        raise AwsError(
            "ValidationException",
            f"Parameter(s) MessageGroupId must be specified for target: {target['Id']}.",  # english: quoted
        )


def check_role(cloud: Cloud, role_arn: str, rule_arn: str) -> None:
    """EventBridge asks whether it may assume a role when the role is given to it."""
    try:
        as_role(cloud, role_arn, rule_arn)
    except AwsError as error:
        raise AwsError(
            "ValidationException",
            f"Provided role '{role_arn}' cannot be assumed by principal '{PRINCIPAL}'. ({error.message})",
        ) from error


def _check_pipeline_input(target: Mapping[str, Any]) -> None:
    """An input of a pipeline target passes source overrides and pipeline variables, and nothing else
    (CodePipeline User Guide, "How pipeline executions work": source overrides work with the input transformer).
    """
    if "InputPath" in target:
        raise NotSupported("InputPath of a pipeline target")
    text = target.get("Input") or target.get("InputTransformer", {}).get("InputTemplate")
    if text is None:
        return
    try:
        given = json.loads(PLACEHOLDER.sub("x", text))
    except ValueError as error:
        raise NotSupported(f"an input of a pipeline target that is not a JSON object: {text}") from error
    if not isinstance(given, dict) or set(given) - {"sourceRevisions", "variables"}:
        raise NotSupported(f"an input of a pipeline target beside sourceRevisions and variables: {text}")


def as_role(cloud: Cloud, role_arn: str, rule_arn: str) -> Session:
    """EventBridge acting as a role for one rule."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    return cloud.service_role(role_arn, "events", PRINCIPAL, region, SourceArn=rule_arn, SourceAccount=account)


def deliver(
    cloud: Cloud, target: Mapping[str, Any], rule_arn: str, text: str, token: str, event: Mapping[str, Any]
) -> tuple[str, str]:
    """Invoke a target: (what was made, "") or ("", why it failed)."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    kind = KINDS[target["Arn"].split(":")[2]]
    try:
        if target.get("RoleArn"):
            session = as_role(cloud, target["RoleArn"], rule_arn)
        else:
            session = cloud.as_service(PRINCIPAL, account, region, SourceArn=rule_arn)
        own = {name: filled(target[name], event) for name in (kind.parameters,) if name in target}
        return kind.send(session, {**target, **own}, text, token), ""
    except AwsError as error:
        return "", str(error)
    except ClientError as error:
        return "", f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


def to_dead_letters(cloud: Cloud, target: Mapping[str, Any], rule_arn: str, text: str, reason: str) -> str:
    """Send what could not be delivered to the target's dead-letter queue; says why that failed, if it did."""
    _, _, _, region, account, _ = rule_arn.split(":", 5)
    attributes = {"RULE_ARN": rule_arn, "TARGET_ARN": target["Arn"], "ERROR_MESSAGE": reason[:1024]}
    extra = {"MessageAttributes": {k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()}}
    try:
        session = cloud.as_service(PRINCIPAL, account, region, SourceArn=rule_arn)
        send_to_queue(session, target["DeadLetterConfig"]["Arn"], text, extra)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""
