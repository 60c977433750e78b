"""What each type of pipeline step does, with the pipeline's role.

SageMaker Developer Guide, "Add a step", "Pipelines Role Permissions", "Caching pipeline steps", "Retry Policy for
Pipeline Steps". A RegisterModel step makes the model group where it does not exist yet, with the pipeline's tags.
"""

from __future__ import annotations

import json
import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from localaws.services.sagemaker import base, pipeline_cache, pipeline_definition, pipeline_retries, storage
from localaws.services.sagemaker.pipeline_definition import Definition, Step, holds, resolve

ALPHABET = string.ascii_lowercase + string.digits
MOST_PARALLEL = 50  # steps at once, where the pipeline's ParallelismConfiguration names no number


@dataclass
class Execution:
    """One execution: as DescribePipelineExecution shows it, its definition, its steps as they are listed.

    parallel: how many steps run at once; ended: notified when one has ended
    """

    shown: dict[str, Any]
    text: str
    definition: Definition
    parameters: dict[str, Any]
    session: Session
    tags: dict[str, str]
    cache: pipeline_cache.Cache
    parallel: int = MOST_PARALLEL
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Condition = field(default_factory=threading.Condition)

    @property
    def arn(self) -> str:
        return str(self.shown["PipelineExecutionArn"])


class StepFailed(Exception):  # what happened to it
    """The step's FailureReason; kind: of the failure, as retry policies name it, "" for one that none names."""

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind = kind


def random_id(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def known(execution: Execution) -> dict[str, Any]:
    """What references may mean."""
    shown = execution.shown
    return {
        "Parameters": execution.parameters,
        "Steps": execution.outputs,
        "Execution": {
            "StartDateTime": shown["CreationTime"].isoformat(),
            "CurrentDateTime": base.now().isoformat(),
            "PipelineName": shown["PipelineArn"].rsplit("/", 1)[1],
            "PipelineArn": shown["PipelineArn"],
            "PipelineExecutionId": execution.arn.rsplit("/", 1)[1],
            "PipelineExecutionArn": execution.arn,
        },
        "Read": lambda url: read(execution.session, url),
    }


def read(session: Session, url: str) -> str:
    """The text at an S3 URL, read as the pipeline's role; LookupError where that may not, or there is none."""
    bucket, key = storage.split(url)
    try:
        return str(session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8"))
    except ClientError as error:
        raise LookupError(f"{url}: {error.response['Error']['Message']}") from error


def perform(cloud: Cloud, execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any] | None:
    """What the step gives to others, None where it was stopped; StepFailed with the reason otherwise.

    shown: the step as it is listed, which gets its metadata, its attempts, and where it was taken over from
    """
    if step.kind == "Condition":
        return condition(execution, step, shown)
    arguments = resolve(step.arguments, known(execution))
    key = ""
    if step.cached is not None:
        key = pipeline_cache.key(step.name, step.kind, arguments)
        if (found := execution.cache.find(key, step.cached)) is not None:
            shown["Metadata"] = dict(found.metadata)
            shown["CacheHitResult"] = {"SourcePipelineExecutionArn": found.execution}
            return dict(found.output)
    output = attempted(cloud, execution, step, arguments, shown)
    if output is not None and key:
        run = pipeline_cache.Run(time.monotonic(), execution.arn, shown["Metadata"], output)
        execution.cache.keep(key, run)
    return output


def attempted(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any] | None:
    """The output after as many attempts as the step's retry policies allow."""
    began, retries = time.monotonic(), 0
    while True:
        try:
            return PERFORMERS[step.kind](cloud, execution, step, dict(arguments), shown)
        except ClientError as error:
            failure = StepFailed(f"ClientError: {error.response['Error']['Message']}", pipeline_retries.of_error(error))
        except StepFailed as failed:
            failure = failed
        policy = next((policy for policy in step.retries if failure.kind in policy.kinds), None)
        passed = (time.monotonic() - began) / (cloud.waits or 1)
        if policy is None or not policy.allows(retries, passed) or execution.stop.is_set():
            raise failure
        cloud.wait(policy.seconds * policy.rate**retries)
        retries += 1
        shown["AttemptCount"] = retries + 1


@dataclass(frozen=True)
class JobKind:
    """A kind of job: how its name, ARN and status are called, its operations, and its member of a step's metadata."""

    noun: str
    call: str
    metadata: str

    def client(self, session: Session, verb: str) -> Callable[..., dict[str, Any]]:
        found: Callable[..., dict[str, Any]] = getattr(session.client("sagemaker"), f"{verb}_{self.call}")
        return found


TRAINING = JobKind("TrainingJob", "training_job", "TrainingJob")
PROCESSING = JobKind("ProcessingJob", "processing_job", "ProcessingJob")
TRANSFORM = JobKind("TransformJob", "transform_job", "TransformJob")
TUNING = JobKind("HyperParameterTuningJob", "hyper_parameter_tuning_job", "TuningJob")


def job(
    cloud: Cloud, execution: Execution, step: Step, kind: JobKind, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any] | None:
    """A job from its creation to its end, as it is then described; None when it was stopped.

    It is named pipelines-EXECUTION-STEP-RANDOM.
    """
    name = {f"{kind.noun}Name": job_name(execution, step)}
    whole = kind.client(execution.session, "create")(**arguments | name)[f"{kind.noun}Arn"]
    shown["Metadata"] = {kind.metadata: {"Arn": whole}}
    stopping = False
    while True:
        changed = cloud.watch(whole)
        found = kind.client(execution.session, "describe")(**name)
        status = found[f"{kind.noun}Status"]
        if status == "Failed":
            reason = found.get("FailureReason", "")
            raise StepFailed(f"ClientError: {reason}", pipeline_retries.of_reason(reason))
        if status == "Completed":
            found.pop("ResponseMetadata", None)
            return found
        if status == "Stopped" or cloud.stopping.is_set():
            return None
        if execution.stop.is_set() and not stopping:
            kind.client(execution.session, "stop")(**name)
            stopping = True
        changed.wait(0.2)  # or until the execution is to stop


def job_name(execution: Execution, step: Step) -> str:
    identity = execution.arn.rsplit("/", 1)[1]
    if step.kind == "Tuning":  # the name of a tuning job has at most 32 characters
        return f"{identity}-{step.name.replace('_', '-')[:7].strip('-')}-{random_id(10)}"
    return f"pipelines-{identity}-{step.name.replace('_', '-')[:29].strip('-')}-{random_id(10)}"


def play_training(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any] | None:
    return job(cloud, execution, step, TRAINING, arguments, shown)


def play_transform(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any] | None:
    return job(cloud, execution, step, TRANSFORM, arguments, shown)


def play_tuning(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any] | None:
    """Developer Guide, "Tuning step": others may name its training jobs, the best first."""
    found = job(cloud, execution, step, TUNING, arguments, shown)
    if found is not None:
        listed = execution.session.client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=found["HyperParameterTuningJobName"],
            SortBy="FinalObjectiveMetricValue",
            SortOrder=best_first(found),
        )
        found["TrainingJobSummaries"] = listed["TrainingJobSummaries"]
    return found


def best_first(tuned: dict[str, Any]) -> str:
    wanted = tuned["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["Type"]
    return "Descending" if wanted == "Maximize" else "Ascending"


def play_processing(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any] | None:
    found = job(cloud, execution, step, PROCESSING, arguments, shown)
    if found is not None:
        outputs = found.get("ProcessingOutputConfig", {}).get("Outputs", [])
        urls = {item["OutputName"]: item["S3Output"]["S3Uri"].rstrip("/") for item in outputs}
        found["PropertyFiles"] = {name: f"{urls[output]}/{path}" for name, (output, path) in step.files.items()}
    return found


def play_register(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any]:
    client = execution.session.client("sagemaker")
    arguments["MetadataProperties"] = {"GeneratedBy": execution.arn, **arguments.get("MetadataProperties", {})}
    group = arguments.get("ModelPackageGroupName", "")
    if group and not group.startswith("arn:"):
        make_group(client, group, execution.tags)
    made = client.create_model_package(**arguments)["ModelPackageArn"]
    shown["Metadata"] = {"RegisterModel": {"Arn": made}}
    described: dict[str, Any] = client.describe_model_package(ModelPackageName=made)
    return described


def make_group(client: Any, name: str, tags: dict[str, str]) -> None:
    """The model group, unless it is there already."""
    try:
        client.describe_model_package_group(ModelPackageGroupName=name)
    except ClientError as error:
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
        client.create_model_package_group(ModelPackageGroupName=name, Tags=base.as_list(tags))


def play_model(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any]:
    client = execution.session.client("sagemaker")
    arguments["ModelName"] = job_name(execution, step)
    shown["Metadata"] = {"Model": {"Arn": client.create_model(**arguments)["ModelArn"]}}
    described: dict[str, Any] = client.describe_model(ModelName=arguments["ModelName"])
    return described


def condition(execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any]:
    outcome = str(all(holds(condition, known(execution)) for condition in step.arguments["Conditions"]))
    shown["Metadata"] = {"Condition": {"Outcome": outcome}}
    return {"Outcome": outcome}


def play_lambda(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any]:
    """Developer Guide, "Lambda step": the arguments are the event, the members of the answer the outputs."""
    client = execution.session.client("lambda")
    answer = client.invoke(FunctionName=step.function, Payload=json.dumps(arguments, default=str).encode())
    text = answer["Payload"].read().decode("utf-8")
    shown["Metadata"] = {"Lambda": {"Arn": step.function}}
    if answer.get("FunctionError"):
        raise StepFailed(f"ClientError: Lambda function {step.function} failed: {text}")
    found = json.loads(text)
    outputs = found if isinstance(found, dict) else {}
    shown["Metadata"]["Lambda"]["OutputParameters"] = [
        {"Name": name, "Value": str(value)} for name, value in outputs.items()
    ]
    return {"OutputParameters": outputs}


def play_fail(
    cloud: Cloud, execution: Execution, step: Step, arguments: dict[str, Any], shown: dict[str, Any]
) -> dict[str, Any]:
    message = arguments.get("ErrorMessage", "")
    shown["Metadata"] = {"Fail": {"ErrorMessage": message}}
    raise StepFailed(message)


PERFORMERS: dict[str, Callable[..., dict[str, Any] | None]] = {
    "Training": play_training,
    "Processing": play_processing,
    "Transform": play_transform,
    "Tuning": play_tuning,
    "RegisterModel": play_register,
    "Model": play_model,
    "Fail": play_fail,
    "Lambda": play_lambda,
}
assert {*PERFORMERS, "Condition"} == pipeline_definition.SUPPORTED
