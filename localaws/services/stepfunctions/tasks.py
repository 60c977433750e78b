"""Tasks: the call of a service, and what is done when it fails.

AWS Step Functions Developer Guide, "Handling errors in Step Functions workflows", "Learning to use AWS service SDK
integrations in Step Functions".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import ServiceModel

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session
from localaws.services.stepfunctions import functions, integrations, jobs
from localaws.services.stepfunctions.execution import StateFailed, StateMachineRun

PRINCIPAL = "states.amazonaws.com"


def attempt(
    cloud: Cloud, state: Mapping[str, Any], context: dict[str, Any], work: Callable[[], Any]
) -> tuple[Any, Mapping[str, Any] | None]:
    """What the work of a Task answers, or an error's output with the catcher that takes it."""
    tried = [0] * len(state.get("Retry", []))
    while True:
        try:
            return work(), None
        except StateFailed as failed:
            again = _retrier(state, failed, tried)
            if again is not None:
                cloud.wait(again)
                context["State"]["RetryCount"] += 1
                continue
            for catcher in state.get("Catch", []):
                if _named(catcher["ErrorEquals"], failed):
                    return {"Error": failed.error, "Cause": failed.cause}, catcher
            raise


def _retrier(state: Mapping[str, Any], failed: StateFailed, tried: list[int]) -> float | None:
    """How long to wait before the next try; None when there is none."""
    for number, retrier in enumerate(state.get("Retry", [])):
        if _named(retrier["ErrorEquals"], failed):
            if tried[number] >= retrier.get("MaxAttempts", 3):
                return None
            delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** tried[number]
            tried[number] += 1
            return float(min(delay, retrier.get("MaxDelaySeconds", delay)))
    return None


def _named(errors: list[str], failed: StateFailed) -> bool:
    """States.ALL and States.TaskFailed do not cover States.Runtime."""
    if failed.error in errors:
        return True
    wide = "States.ALL" in errors or "States.TaskFailed" in errors
    return wide and failed.error != "States.Runtime"


def call(cloud: Cloud, execution: StateMachineRun, state: Mapping[str, Any], given: Any) -> Any:
    """The result of the API call or function, made as the state machine's role."""
    try:
        if functions.calls_function(state["Resource"]):
            return _call_function(cloud, execution, state, given)
        return _call_service(cloud, execution, state, given)
    except StateFailed as failed:
        details = {"error": failed.error, "cause": failed.cause, "resourceType": "aws-sdk"}
        execution.note("TaskFailed", taskFailedEventDetails={**details, "resource": state["Resource"]})
        raise


def _call_service(cloud: Cloud, execution: StateMachineRun, state: Mapping[str, Any], given: Any) -> Any:
    sync = state["Resource"] == jobs.SYNC
    service, operation = integrations.task_operation(jobs.OPERATION if sync else state["Resource"])
    region = execution.arn.split(":")[3]
    details = {"resourceType": "sagemaker" if sync else "aws-sdk", "resource": state["Resource"], "region": region}
    execution.note("TaskScheduled", taskScheduledEventDetails={**details, "parameters": json.dumps(given)})
    shape = operation.input_shape
    arguments = to_api(given, shape) if shape is not None else {}
    if sync:
        arguments["Tags"] = [*arguments.get("Tags", []), jobs.TAG]
    try:
        session = _session(cloud, execution)
        answer = session.client(service)._make_api_call(operation.name, arguments)
        if sync:
            shown = jobs.wait(cloud, execution, session, answer["TransformJobArn"])
    except ClientError as error:
        cause = error.response["Error"]
        model = operation.service_model
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise StateFailed(
            error_name(model, cause["Code"]),
            f"{cause['Message']} (Service: {model.service_id}, Status Code: {status}, "
            f"Request ID: {error.response['ResponseMetadata'].get('RequestId', '')})",
        ) from error
    except ParamValidationError as error:
        raise StateFailed(
            "States.Runtime", f"The Parameters '{json.dumps(given)}' could not be used to start the Task: [{error}]"
        ) from error
    if sync:
        operation, answer = operation.service_model.operation_model("DescribeTransformJob"), shown
    answer.pop("ResponseMetadata", None)
    result = from_api(answer, operation.output_shape) if operation.output_shape is not None else {}
    execution.note("TaskSucceeded", taskSucceededEventDetails={**details, "output": json.dumps(result)})
    return result


def _session(cloud: Cloud, execution: StateMachineRun) -> Session:
    """The state machine's role."""
    _, _, _, region, account, _ = execution.arn.split(":", 5)
    source = {"SourceArn": execution.machine_arn, "SourceAccount": account}
    try:
        return cloud.service_role(execution.role_arn, execution.name[:64], PRINCIPAL, region, **source)
    except AwsError as error:
        raise StateFailed(
            "States.TaskFailed", f"The role {execution.role_arn} cannot be assumed: {error.message}"
        ) from error


def _call_function(cloud: Cloud, execution: StateMachineRun, state: Mapping[str, Any], given: Any) -> Any:
    details = {"resourceType": "lambda", "resource": state["Resource"].rsplit(":", 1)[-1]}
    execution.note(
        "TaskScheduled",
        taskScheduledEventDetails={**details, "region": execution.arn.split(":")[3], "parameters": json.dumps(given)},
    )
    try:
        result = functions.invoke(_session(cloud, execution), state["Resource"], given)
    except functions.FunctionFailed as failed:
        raise StateFailed(failed.error, failed.cause) from failed
    execution.note("TaskSucceeded", taskSucceededEventDetails={**details, "output": json.dumps(result)})
    return result


def error_name(model: ServiceModel, code: str) -> str:
    """SERVICE.NAMEException. An error that the service's model lacks is the SDK's exception for all others:
    SageMaker.SageMakerException (docs/explanation/open-questions.md)."""
    service = service_name(model.service_id)
    modelled = {
        name for shape in model.error_shapes for name in (shape.name, shape.metadata.get("error", {}).get("code"))
    }
    name = code if code in modelled else service
    return f"{service}.{name.removesuffix('Exception')}Exception"


def service_name(service_id: str) -> str:
    """The service in an error's name: SSM is Ssm, DynamoDB is DynamoDb, ACM PCA is AcmPca."""
    words = re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z][a-z0-9]*|[a-z0-9]+", service_id)
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def to_api(value: Any, shape: Any) -> Any:
    """PascalCase parameters as the API names them."""
    if shape.type_name == "structure" and isinstance(value, dict):
        known = integrations.members(shape)
        return {known.get(k, k): to_api(v, shape.members[known[k]]) if k in known else v for k, v in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [to_api(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: to_api(item, shape.value) for key, item in value.items()}
    if shape.type_name == "blob" and isinstance(value, dict | list):  # the body of an object, for example
        return json.dumps(value, separators=(",", ":"))
    return value


def from_api(value: Any, shape: Any) -> Any:
    """An answer as a state machine sees it: PascalCase members, times as text."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {k[:1].upper() + k[1:]: from_api(v, shape.members[k]) for k, v in value.items() if k in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [from_api(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: from_api(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
