"""Functions that a pipeline calls: the Lambda invoke action with its jobs, and the LambdaInvoke rule.

AWS CodePipeline User Guide, "AWS Lambda invoke action reference", "Invoke an AWS Lambda function in a pipeline
in CodePipeline", "LambdaInvoke"; API Reference, PutJobSuccessResult and PutJobFailureResult.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import new_id
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work, failure

HOUR = 3600  # how long the action waits for a result ("Quotas in AWS CodePipeline": all other actions, one hour)
SHORTEST = 60  # seconds that it waits here at least
AGAIN = 30  # seconds until a job that is to be continued is called again
MOST_VARIABLES = 122_880  # bytes of all output variables together ("Quotas in AWS CodePipeline")


@dataclass
class Job:
    """One action that waits for its function's word; its account may answer."""

    id: str
    outputs: dict[str, tuple[str, str]]
    ended: threading.Event = field(default_factory=threading.Event)
    succeeded: bool = False
    continuation: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    failure: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    external_id: str = ""


@dataclass
class Jobs:
    by_id: dict[str, Job] = field(default_factory=dict)


def event_of(work: Work, job_id: str, outputs: dict[str, tuple[str, str]], continuation: str = "") -> dict[str, Any]:
    """The function's input ("Example JSON event")."""

    def artifact(name: str, place: tuple[str, str]) -> dict[str, Any]:
        s3 = {"bucketName": place[0], "objectKey": place[1]}
        return {"name": name, "revision": None, "location": {"type": "S3", "s3Location": s3}}

    credentials = work.session.credentials
    data: dict[str, Any] = {
        "actionConfiguration": {"configuration": dict(work.configuration)},
        "inputArtifacts": [artifact(name, place) for name, place in work.run.inputs.items()],
        "outputArtifacts": [artifact(name, place) for name, place in outputs.items()],
        "artifactCredentials": {
            "accessKeyId": credentials.access_key_id,
            "secretAccessKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
        },
    }
    if continuation:
        data["continuationToken"] = continuation
    if work.encryption_key:
        data["encryptionKey"] = {"id": work.encryption_key, "type": "KMS"}
    return {"CodePipeline.job": {"id": job_id, "accountId": work.pipeline.account, "data": data}}


def _invoke(work: Work, kind: str, event: dict[str, Any]) -> dict[str, Any]:
    name = work.configuration["FunctionName"]
    try:
        answer: dict[str, Any] = work.client("lambda").invoke(
            FunctionName=name, InvocationType=kind, Payload=json.dumps(event).encode()
        )
    except ClientError as error:
        raise failure(error, f"invoke the Lambda function {name}") from error
    return answer


@dataclass(frozen=True)
class Answer:
    error: str


def invoked(work: Work) -> Answer:
    """What a function answers to a rule: its error, or ""."""
    answer = _invoke(work, "RequestResponse", event_of(work, new_id(), {}))
    if not answer.get("FunctionError"):
        return Answer("")
    text = answer["Payload"].read().decode()
    try:
        answered = json.loads(text)
    except ValueError:
        answered = {}
    return Answer(str(answered.get("errorMessage") or answer["FunctionError"]) if isinstance(answered, dict) else text)


def function(work: Work) -> None:
    """The Lambda invoke action: the function says through the API how the job ended."""
    try:
        work.session.permit("lambda:ListFunctions", "*")
    except AwsError as error:
        raise ActionFailed("PermissionError", error.message) from error
    outputs = {name: work.new_location(name) for name in work.output_names}
    jobs = work.cloud.state(Jobs, work.pipeline.account, work.region).by_id
    job = jobs[work.run.id] = Job(work.run.id, outputs)
    work.run.external_id = job.id
    try:
        _invoke(work, "Event", event_of(work, job.id, outputs))
        while True:
            _await(work, job)
            if not job.continuation:
                break
            continuation, job.continuation = job.continuation, ""
            job.ended.clear()
            work.cloud.wait(AGAIN)
            _invoke(work, "Event", event_of(work, job.id, outputs, continuation))
    finally:
        jobs.pop(job.id, None)
    work.run.summary = job.summary
    if not job.succeeded:
        raise ActionFailed(job.failure.get("type", "JobFailed"), job.failure.get("message", ""))
    work.run.variables = job.variables
    work.run.outputs.update(outputs)


def _await(work: Work, job: Job) -> None:
    left = max(HOUR * work.cloud.waits, SHORTEST)
    while not job.ended.wait(0.02):
        left -= 0.02
        if work.cloud.stopping.is_set() or work.run.status == "Abandoned":
            raise ActionFailed("JobFailed", "The action was abandoned")
        if left < 0:
            raise ActionFailed("JobFailed", "The AWS Lambda function failed to return a result.")


# -- what the function tells -----------------------------------------------------------------------


def _job(call: Call) -> Job:
    found = call.cloud.state(Jobs, call.account, call.region).by_id.get(str(call.params["jobId"]))
    if found is None:
        raise AwsError("JobNotFoundException", f"The job {call.params['jobId']} does not exist")
    if found.ended.is_set():
        raise AwsError("InvalidJobStateException", f"The job {found.id} is not in progress")
    return found


def put_job_success_result(call: Call) -> dict[str, Any]:
    given, job = call.params, _job(call)
    variables = {str(name): str(value) for name, value in (given.get("outputVariables") or {}).items()}
    if sum(len(name) + len(value) for name, value in variables.items()) > MOST_VARIABLES:
        raise AwsError("OutputVariablesSizeExceededException", f"The variables exceed {MOST_VARIABLES} bytes")
    details = given.get("executionDetails") or {}
    job.variables, job.summary = variables, str(details.get("summary", ""))
    job.continuation, job.succeeded = str(given.get("continuationToken") or ""), True
    job.ended.set()
    return {}


def put_job_failure_result(call: Call) -> dict[str, Any]:
    job = _job(call)
    job.failure = {key: str(value) for key, value in call.params["failureDetails"].items()}
    job.ended.set()
    return {}
