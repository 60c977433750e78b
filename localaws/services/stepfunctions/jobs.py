"""Tasks that run a SageMaker job and wait until it has ended: the pattern "Run a Job (.sync)" of transform jobs.

AWS Step Functions Developer Guide, "Create and manage Amazon SageMaker AI jobs with Step Functions" (the IAM policies),
"Discover service integration patterns in Step Functions"; that the job gets a tag: aws/aws-cdk#26012. That the role may
keep the managed rule is asked when a state machine is created or updated; what a job that failed looks like is an open
question (docs/explanation/open-questions.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session, arn
from localaws.services.stepfunctions.execution import StateFailed, StateMachineRun

SYNC = "arn:aws:states:::sagemaker:createTransformJob.sync"
OPERATION = "arn:aws:states:::aws-sdk:sagemaker:createTransformJob"  # whose parameters it takes
TAG = {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}
RULE = "rule/StepFunctionsGetEventsForSageMakerTransformJobsRule"
LOOK = 1.0  # second between two looks at whether the execution was stopped


def check_rule(session: Session, role: str, definition: Mapping[str, Any]) -> None:
    """AccessDeniedException where a definition runs jobs and the role may not keep the rule of their events."""
    if not any(state.get("Resource") == SYNC for state in definition["States"].values()):
        return
    rule = arn("events", session.region, session.account, RULE)
    for action in ("events:DescribeRule", "events:PutRule", "events:PutTargets"):
        try:
            session.permit(action, rule)
        except AwsError as error:
            words = f"'{role}' is not authorized to create managed-rule. ({error.message})"
            raise AwsError("AccessDeniedException", words) from error


def wait(cloud: Cloud, execution: StateMachineRun, session: Session, job: str) -> dict[str, Any]:
    """The job as it ended; StateFailed where it did not complete. It is stopped where the execution is."""
    sagemaker, name = session.client("sagemaker"), job.rsplit("/", 1)[1]
    while not cloud.stopping.is_set():
        changed = cloud.watch(job)
        shown: dict[str, Any] = sagemaker.describe_transform_job(TransformJobName=name)
        if shown["TransformJobStatus"] in {"Completed", "Failed", "Stopped"}:
            break
        while execution.status == "RUNNING" and not changed.wait(LOOK):
            pass
        if execution.status != "RUNNING":
            sagemaker.stop_transform_job(TransformJobName=name)
            return shown
    shown.pop("ResponseMetadata")
    if shown["TransformJobStatus"] != "Completed":
        raise StateFailed("States.TaskFailed", json.dumps(shown, default=str))
    return shown
