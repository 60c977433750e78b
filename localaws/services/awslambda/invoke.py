"""Invoke: a function called at once, or with an event that Lambda keeps and tries again.

AWS Lambda API Reference, "Invoke"; Developer Guide, "How Lambda handles errors and retries with asynchronous
invocation" (two further tries after one and two minutes, dead letters), "Capturing records of Lambda asynchronous
invocations" (destinations), "Configuring reserved concurrency for a function", "Lambda quotas".
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, Session
from localaws.services.awslambda.run import Invocation, Outcome, open_session, run
from localaws.services.awslambda.service import aws_lambda
from localaws.services.awslambda.state import LATEST, Function, conflict, find, version_of
from localaws.services.sqs.sending import send_to_queue

SYNCHRONOUS_LIMIT, ASYNCHRONOUS_LIMIT, ANSWER_LIMIT = 6_291_456, 1_048_576, 6_291_556  # bytes
RETRY_WAITS = (60.0, 120.0)  # seconds before the second and the third try
MOST_AGE = 21_600  # seconds that an event is kept
LOG_TAIL = 4096


class Throttled(Exception):  # what happened to it
    """The function's reserved concurrency is used up."""


@contextmanager
def counted(function: Function) -> Iterator[None]:
    """An invocation is under way: a test that waits for its effects can see that."""
    with function.lock:
        function.running += 1
    try:
        yield
    finally:
        with function.lock:
            function.running -= 1


@contextmanager
def place(function: Function) -> Iterator[None]:
    """One of the function's reserved concurrent executions; Throttled where none is free."""
    with function.lock:
        if function.reserved is not None and function.concurrent >= function.reserved:
            raise Throttled
        function.concurrent += 1
    try:
        yield
    finally:
        with function.lock:
            function.concurrent -= 1


@aws_lambda.operation("Invoke")
def invoke(call: Call) -> dict[str, Any]:
    function, name = find(call)
    kind = call.params.get("InvocationType") or "RequestResponse"
    for member in ("DurableExecutionName", "TenantId"):
        if call.params.get(member):
            raise NotSupported(f"lambda:Invoke with {member}")
    if kind not in ("RequestResponse", "Event", "DryRun"):
        raise AwsError("InvalidParameterValueException", f"Invalid InvocationType: {kind}")
    event = checked_event(call.params.get("Payload") or b"{}", asynchronous=kind == "Event")
    qualifier = chosen(function, name.qualifier)
    version = version_of(function, qualifier)
    if function.settling and function.created:
        raise conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
    if kind == "DryRun":
        return {"StatusCode": 204}
    arn = function.arn + (f":{name.qualifier}" if name.qualifier else "")
    client_context = call.params.get("ClientContext")
    invocation = Invocation(
        function, version, arn, event, call.request_id,
        json.loads(base64.b64decode(client_context)) if client_context else None,
    )  # fmt: skip
    if kind == "Event":
        begin(call.cloud, invocation, function.invoke_configs.get(name.qualifier or LATEST) or {})
        return {"StatusCode": 202, "ExecutedVersion": version.number}
    with counted(function):
        outcome = answered(call.cloud, invocation)
    answer = {"StatusCode": 200, "ExecutedVersion": version.number, "Payload": outcome.payload}
    if outcome.error:
        answer["FunctionError"] = outcome.error
    if call.params.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode("\n".join(outcome.log).encode()[-LOG_TAIL:]).decode()
    return answer


def checked_event(payload: Any, *, asynchronous: bool) -> bytes:
    content = payload if isinstance(payload, bytes) else bytes(payload)
    limit = ASYNCHRONOUS_LIMIT if asynchronous else SYNCHRONOUS_LIMIT
    if len(content) > limit:
        raise AwsError("RequestTooLargeException", f"{len(content)} byte payload is too large (limit {limit})", 413)
    try:
        json.loads(content)
    except ValueError as error:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {error}") from error
    return content


def chosen(function: Function, qualifier: str) -> str:
    """The version behind an alias, by its weights."""
    alias = function.aliases.get(qualifier)
    if alias is None:
        return qualifier
    left = random.random()
    for number, weight in (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {}).items():
        if left < weight:
            return str(number)
        left -= weight
    return str(alias["FunctionVersion"])


def answered(cloud: Cloud, invocation: Invocation) -> Outcome:
    """The outcome of a call that waits for it."""
    session = open_session(cloud, invocation.function, invocation.version)
    try:
        with place(invocation.function):
            outcome = run(cloud, invocation, session)
    except Throttled as error:
        raise AwsError(
            "TooManyRequestsException",
            "Rate Exceeded.",
            429,
            Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
            Type="User",
        ) from error
    if len(outcome.payload) > ANSWER_LIMIT:
        message = f"Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes)."
        payload = {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
        return Outcome(json.dumps(payload).encode(), "Unhandled", outcome.log)
    return outcome


# -- asynchronous ------------------------------------------------------------------------------


def begin(cloud: Cloud, invocation: Invocation, config: Mapping[str, Any]) -> None:
    """Keep the event and run it in the background."""
    with invocation.function.lock:
        invocation.function.running += 1

    def work() -> None:
        try:
            tried(cloud, invocation, config)
        finally:
            with invocation.function.lock:
                invocation.function.running -= 1

    cloud.background(f"lambda {invocation.function.name}", work)


def tried(cloud: Cloud, invocation: Invocation, config: Mapping[str, Any]) -> None:
    """Run the event, again where it fails, and tell its end to the destination or the dead-letter queue."""
    function = invocation.function
    retries = int(config.get("MaximumRetryAttempts", len(RETRY_WAITS)))
    age = int(config.get("MaximumEventAgeInSeconds", MOST_AGE))
    waited, attempts, outcome = 0.0, 0, Outcome(b"null", "Unhandled")
    condition = "RetriesExhausted"
    try:
        session = open_session(cloud, function, invocation.version)
    except AwsError as error:  # an event is lost where the role is gone, without a report
        outcome.log.append(str(error))
        return
    while not cloud.stopping.is_set():
        try:
            with place(function):
                outcome = run(cloud, invocation, session)
            attempts += 1
            pause = RETRY_WAITS[attempts - 1] if attempts <= len(RETRY_WAITS) else 0.0
        except Throttled:
            pause = 1.0
        if attempts and not outcome.error:
            condition = "Success"
            break
        if attempts > retries:
            break
        waited += pause
        if waited > age:
            condition = "EventAgeExceeded"
            break
        cloud.wait(pause)
    if cloud.stopping.is_set():
        return
    ended(session, invocation, config, condition, attempts, outcome)


def ended(
    session: Session, invocation: Invocation, config: Mapping[str, Any], condition: str, attempts: int, outcome: Outcome
) -> None:
    """The record of an event for its destination; the event itself for the dead-letter queue."""
    success = condition == "Success"
    destination = (config.get("DestinationConfig") or {}).get("OnSuccess" if success else "OnFailure") or {}
    dead_letters = (invocation.version.shown.get("DeadLetterConfig") or {}).get("TargetArn")
    event = json.loads(invocation.event)
    response = {"statusCode": 200, "executedVersion": invocation.version.number}
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": f"{invocation.function.arn}:{invocation.version.number}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": response | ({"functionError": outcome.error} if outcome.error else {}),
        "responsePayload": json.loads(outcome.payload),
    }
    with suppress(ClientError, AwsError):  # a destination that does not take it is only counted
        if destination.get("Destination"):
            deliver(session, destination["Destination"], record, success)
        if dead_letters and not success:
            DELIVER[dead_letters.split(":")[2]](session, dead_letters, invocation.event.decode(), False)


def deliver(session: Session, target: str, record: Mapping[str, Any], success: bool) -> None:
    """Send a record to a destination, as the execution role."""
    DELIVER[target.split(":")[2]](session, target, json.dumps(record), success)


def _to_queue(session: Session, target: str, text: str, success: bool) -> None:
    send_to_queue(session, target, text, {})


def _to_topic(session: Session, target: str, text: str, success: bool) -> None:
    session.client("sns").publish(TopicArn=target, Message=text)


def _to_function(session: Session, target: str, text: str, success: bool) -> None:
    session.client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=text.encode())


def _to_bus(session: Session, target: str, text: str, success: bool) -> None:
    kind = f"Lambda Function Invocation Result - {'Success' if success else 'Failure'}"
    entry = {"Source": "lambda", "DetailType": kind, "Detail": text, "EventBusName": target}
    session.client("events").put_events(Entries=[entry])


DELIVER: dict[str, Callable[[Session, str, str, bool], None]] = {
    "sqs": _to_queue, "sns": _to_topic, "lambda": _to_function, "events": _to_bus,
}  # fmt: skip
