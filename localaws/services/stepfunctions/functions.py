"""Tasks of a state machine that call a Lambda function.

AWS Step Functions Developer Guide, "Invoke an AWS Lambda function with Step Functions" (arn:aws:states:::lambda:invoke:
the payload of the answer comes as JSON), "Task workflow state" (a function's own ARN as Resource: its answer is the
result), "Handling errors in Step Functions workflows" (an exception's name is the error's).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Session
from localaws.services.awslambda.state import NAME

INVOKE = "arn:aws:states:::lambda:invoke"
PARAMETERS = {"FunctionName", "Payload", "Qualifier", "InvocationType", "ClientContext", "LogType"}


class FunctionFailed(Exception):
    """The error name and cause of a task whose function failed."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def calls_function(resource: str) -> bool:
    return resource == INVOKE or (resource.startswith("arn:") and NAME.fullmatch(resource) is not None)


def problem(parameters: Mapping[str, Any], resource: str) -> str:
    """What is wrong with a task's parameters, in Step Functions' words; "" for nothing."""
    if resource != INVOKE:
        return ""
    names = {name.removesuffix(".$") for name in parameters}
    if unknown := sorted(names - PARAMETERS):
        return f'The field "{unknown[0]}" is not supported by Step Functions'
    return "" if "FunctionName" in names else 'The field "FunctionName" is required but was missing'


def invoke(session: Session, resource: str, given: Any) -> Any:
    """The task's result; FunctionFailed where the function failed or could not be called."""
    arguments: dict[str, Any] = {"FunctionName": resource}
    payload = given
    if resource == INVOKE:
        arguments = {name: value for name, value in given.items() if name != "Payload"}
        payload = given.get("Payload", {})
    try:
        answer = session.client("lambda").invoke(**arguments, Payload=json.dumps(payload).encode())
    except ClientError as error:
        cause = error.response["Error"]
        code = "AWSLambdaException" if cause["Code"].startswith("AccessDenied") else cause["Code"]
        raise FunctionFailed(f"Lambda.{code}", f"{cause['Message']} (Service: Lambda)") from error
    text = answer["Payload"].read().decode()
    result = json.loads(text) if text else {}
    if answer.get("FunctionError"):
        raise FunctionFailed(result.get("errorType", "Lambda.Unknown"), text)
    if resource != INVOKE:
        return result
    beside = {name: answer[name] for name in ("ExecutedVersion", "LogResult", "StatusCode") if name in answer}
    return {**beside, "Payload": result}
