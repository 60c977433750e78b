"""One execution of a SageMaker pipeline: its steps, in their order, with the pipeline's role.

SageMaker Developer Guide, "Pipelines steps", "Pipelines Role Permissions", "Events that Amazon
SageMaker AI sends to Amazon EventBridge". A RegisterModel step makes the model group where it does
not exist yet, with the pipeline's tags.
"""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from localaws.cloud import Cloud, Session
from localaws.services.sagemaker import base, pipeline_definition
from localaws.services.sagemaker.pipeline_definition import Definition, Step, holds, resolve

STARTED = "Executing"
ALPHABET = string.ascii_lowercase + string.digits


@dataclass
class Execution:
    """One execution: as DescribePipelineExecution shows it, its definition, its steps as they are listed."""

    shown: dict[str, Any]
    text: str
    definition: Definition
    parameters: dict[str, Any]
    session: Session
    tags: dict[str, str]
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        return str(self.shown["PipelineExecutionArn"])


class StepFailed(Exception):  # what happened to it
    """The step's FailureReason."""


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
    }


def run(cloud: Cloud, execution: Execution) -> None:
    """Every step as soon as those that it waits for have succeeded; none is begun after a failure."""
    announce_execution(cloud, execution, None)
    pending = list(execution.definition.steps)
    while pending and not execution.stop.is_set() and not failed(execution):
        ready = [step for step in pending if step.after <= set(execution.outputs)]
        if not ready:
            break  # they wait for a branch that was not taken
        pending = [step for step in pending if step not in ready]
        threads = [cloud.background(f"pipeline step {step.name}", run_step, cloud, execution, step) for step in ready]
        for thread in threads:
            thread.join()
        for step in ready:
            if step.kind == "Condition" and step.name in execution.outputs:
                taken = execution.outputs[step.name]["Outcome"] == "True"
                pending += step.if_steps if taken else step.else_steps
    before = execution.shown["PipelineExecutionStatus"]
    if failed(execution):
        execution.shown["FailureReason"] = "Step failure: One or multiple steps failed."
    status = "Failed" if failed(execution) else "Stopped" if execution.stop.is_set() else "Succeeded"
    execution.shown |= {"PipelineExecutionStatus": status, "LastModifiedTime": base.now()}
    announce_execution(cloud, execution, before)


def failed(execution: Execution) -> bool:
    return any(step["StepStatus"] == "Failed" for step in execution.steps.values())


def run_step(cloud: Cloud, execution: Execution, step: Step) -> None:
    """One step from its start to its end, with its events."""
    shown: dict[str, Any] = {
        "StepName": step.name,
        "StartTime": base.now(),
        "StepStatus": STARTED,
        "AttemptCount": 1,
        "Metadata": {},
    }
    if step.display_name:
        shown["StepDisplayName"] = step.display_name
    if step.description:
        shown["StepDescription"] = step.description
    execution.steps[step.name] = shown
    announce_step(cloud, execution, step, "Starting")
    try:
        output = PERFORMERS[step.kind](cloud, execution, step, shown)
        status = "Stopped" if output is None else "Succeeded"
        if output is not None:
            execution.outputs[step.name] = output
    except StepFailed as failure:
        status = "Failed"
        shown["FailureReason"] = str(failure)
    except ClientError as error:
        status = "Failed"
        shown["FailureReason"] = f"ClientError: {error.response['Error']['Message']}"
    except (LookupError, TypeError, ParamValidationError) as error:
        status = "Failed"
        shown["FailureReason"] = f"ClientError: The arguments of step {step.name} could not be resolved: {error!r}"
    shown |= {"StepStatus": status, "EndTime": base.now()}
    announce_step(cloud, execution, step, STARTED)


def play_training(cloud: Cloud, execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any] | None:
    """The job is named pipelines-EXECUTION-STEP-RANDOM. None when it was stopped."""
    client = execution.session.client("sagemaker")
    arguments = resolve(step.arguments, known(execution))
    arguments["TrainingJobName"] = job_name(execution, step)
    shown["Metadata"] = {"TrainingJob": {"Arn": client.create_training_job(**arguments)["TrainingJobArn"]}}
    stopping = False
    while True:
        job: dict[str, Any] = client.describe_training_job(TrainingJobName=arguments["TrainingJobName"])
        status = job["TrainingJobStatus"]
        if status == "Failed":
            raise StepFailed(f"ClientError: {job['FailureReason']}")
        if status == "Completed":
            job.pop("ResponseMetadata", None)
            return job
        if status == "Stopped":
            return None
        if execution.stop.is_set() and not stopping:
            client.stop_training_job(TrainingJobName=arguments["TrainingJobName"])
            stopping = True
        if cloud.stopping.wait(0.03):
            return None


def job_name(execution: Execution, step: Step) -> str:
    identity = execution.arn.rsplit("/", 1)[1]
    return f"pipelines-{identity}-{step.name.replace('_', '-')[:29].strip('-')}-{random_id(10)}"


def play_register(cloud: Cloud, execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any]:
    client = execution.session.client("sagemaker")
    arguments = resolve(step.arguments, known(execution))
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


def play_model(cloud: Cloud, execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any]:
    client = execution.session.client("sagemaker")
    arguments = resolve(step.arguments, known(execution))
    arguments["ModelName"] = job_name(execution, step)
    shown["Metadata"] = {"Model": {"Arn": client.create_model(**arguments)["ModelArn"]}}
    described: dict[str, Any] = client.describe_model(ModelName=arguments["ModelName"])
    return described


def play_condition(cloud: Cloud, execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any]:
    outcome = str(all(holds(condition, known(execution)) for condition in step.arguments["Conditions"]))
    shown["Metadata"] = {"Condition": {"Outcome": outcome}}
    return {"Outcome": outcome}


def play_fail(cloud: Cloud, execution: Execution, step: Step, shown: dict[str, Any]) -> dict[str, Any]:
    message = resolve(step.arguments.get("ErrorMessage", ""), known(execution))
    shown["Metadata"] = {"Fail": {"ErrorMessage": message}}
    raise StepFailed(message)


PERFORMERS = {
    "Training": play_training,
    "RegisterModel": play_register,
    "Model": play_model,
    "Condition": play_condition,
    "Fail": play_fail,
}
assert set(PERFORMERS) == pipeline_definition.SUPPORTED


def announce_execution(cloud: Cloud, execution: Execution, before: str | None) -> None:
    shown = execution.shown
    detail = {
        "pipelineExecutionDisplayName": shown.get("PipelineExecutionDisplayName", ""),
        "pipelineExecutionDescription": shown.get("PipelineExecutionDescription", ""),
        "currentPipelineExecutionStatus": shown["PipelineExecutionStatus"],
        "executionStartTime": shown["CreationTime"],
        "pipelineArn": shown["PipelineArn"],
        "pipelineExecutionArn": execution.arn,
    }
    if before:
        detail |= {"previousPipelineExecutionStatus": before, "executionEndTime": shown["LastModifiedTime"]}
    account, region = base.owner(execution.arn)
    base.announce(
        cloud,
        account,
        region,
        "SageMaker Model Building Pipeline Execution Status Change",
        [shown["PipelineArn"], execution.arn],
        detail,
    )


def announce_step(cloud: Cloud, execution: Execution, step: Step, before: str) -> None:
    shown = execution.steps[step.name]
    detail = {
        "metadata": {
            kind[0].lower() + kind[1:]: {key[0].lower() + key[1:]: value for key, value in members.items()}
            for kind, members in shown["Metadata"].items()
        },
        "stepStartTime": shown["StartTime"],
        "stepName": step.name,
        "stepType": step.kind,
        "previousStepStatus": before,
        "currentStepStatus": shown["StepStatus"],
        "pipelineArn": execution.shown["PipelineArn"],
        "pipelineExecutionArn": execution.arn,
    }
    if "EndTime" in shown:
        detail["stepEndTime"] = shown["EndTime"]
    if "FailureReason" in shown:
        detail["failureReason"] = shown["FailureReason"]
    account, region = base.owner(execution.arn)
    base.announce(
        cloud,
        account,
        region,
        "SageMaker Model Building Pipeline Execution Step Status Change",
        [execution.shown["PipelineArn"], execution.arn],
        detail,
    )
