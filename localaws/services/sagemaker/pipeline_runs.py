"""One execution of a SageMaker pipeline: its steps, in their order, with the pipeline's role.

SageMaker Developer Guide, "Pipelines steps", "Events that Amazon SageMaker AI sends to Amazon EventBridge".
What a step does is in pipeline_steps.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ParamValidationError

from localaws.cloud import Cloud
from localaws.services.sagemaker import base, pipeline_definition, pipeline_steps
from localaws.services.sagemaker.pipeline_definition import Step
from localaws.services.sagemaker.pipeline_steps import Execution, StepFailed

STARTED = "Executing"
ENDED = frozenset({"Succeeded", "Failed", "Stopped"})


def run(cloud: Cloud, execution: Execution) -> None:
    """Every step as soon as those that it waits for have succeeded; none is begun after a failure."""
    announce_execution(cloud, execution, None)
    pending, running = list(execution.definition.steps), dict[str, Step]()
    while True:
        begun = set(running)
        if not execution.stop.is_set() and not failed(execution):
            for step in list(pending):
                if len(running) < execution.parallel and step.after <= passed(execution):
                    pending.remove(step)
                    running[step.name] = step
        for name in running.keys() - begun:
            cloud.background(f"pipeline step {name}", run_step, cloud, execution, running[name])
        if not running:
            break  # all are through, or they wait for a branch that was not taken
        with execution.ended:
            execution.ended.wait_for(lambda: ended_of(execution, running))
        for name in ended_of(execution, running):
            step = running.pop(name)
            pending += branch(execution, step)
    before = execution.shown["PipelineExecutionStatus"]
    if failed(execution):
        execution.shown["FailureReason"] = "Step failure: One or multiple steps failed."
    status = "Failed" if failed(execution) else "Stopped" if execution.stop.is_set() else "Succeeded"
    execution.shown |= {"PipelineExecutionStatus": status, "LastModifiedTime": base.now()}
    announce_execution(cloud, execution, before)


def ended_of(execution: Execution, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in execution.steps and execution.steps[name]["StepStatus"] in ENDED]


def branch(execution: Execution, step: Step) -> tuple[Step, ...]:
    """The steps that a Condition step begins; () for every other step."""
    if step.kind != "Condition" or step.name not in execution.outputs:
        return ()
    return step.if_steps if execution.outputs[step.name]["Outcome"] == "True" else step.else_steps


def passed(execution: Execution) -> set[str]:
    """The steps that others need not wait for any more: a Condition step only with the branch that it took."""

    def through(step: Step) -> bool:
        return step.name in execution.outputs and all(through(inner) for inner in branch(execution, step))

    return {step.name for step in pipeline_definition.every_step(execution.definition.steps) if through(step)}


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
    status = "Failed"
    try:
        output = pipeline_steps.perform(cloud, execution, step, shown)
        status = "Stopped" if output is None else "Succeeded"
        if output is not None:
            execution.outputs[step.name] = output
    except StepFailed as failure:
        shown["FailureReason"] = str(failure)
    except (LookupError, TypeError, ParamValidationError) as error:
        reason = error.args[0] if isinstance(error, LookupError) and error.args else repr(error)
        shown["FailureReason"] = f"ClientError: The arguments of step {step.name} could not be resolved: {reason}"
    finally:
        with execution.ended:
            shown |= {"StepStatus": status, "EndTime": base.now()}
            announce_step(cloud, execution, step, STARTED)
            execution.ended.notify_all()


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
