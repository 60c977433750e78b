"""Upload the data, create or update the training pipeline, start it, and wait for the registered version."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from aws import UserError, parser, project_id, run, say, session, show
from definition import HYPERPARAMETERS, METRICS, Names, definition, names, wrong_metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

DATA = Path(__file__).parent / "iris.csv"
EVERY = 5  # every fifth row is kept for validation
LONGEST_PAUSE = 10.0  # seconds between two looks at a running pipeline


def read_rows(file: Path) -> list[str]:
    """The rows of a CSV file without a header: each with the label first, in a form that training reads.

    UserError where a row differs from the first in its columns, or a value is no number.
    """
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = [[value.strip() for value in row] for row in csv.reader(text, skipinitialspace=True)]
    numbered = [(number, row) for number, row in enumerate(rows, 1) if any(row)]
    if len(numbered) < EVERY:
        raise UserError(f"{file.name} has {len(numbered)} rows: {EVERY} are needed to train and to validate")
    columns = len(numbered[0][1])
    if columns < 2:
        raise UserError(
            f"{file.name}, row {numbered[0][0]} has one column: the label is in the first, and values follow"
        )
    for number, row in numbered:
        if len(row) != columns:
            raise UserError(f"{file.name}, row {number} has {len(row)} columns, the first row has {columns}")
        for place, value in enumerate(row, 1):
            if not is_number(value) and (value or place == 1):  # an empty value is a missing one
                what = "the label" if place == 1 else f"column {place}"
                raise UserError(f"{file.name}, row {number}: {what} is {value!r}, no number. Leave a header out")
    return [",".join(row) for _, row in numbered]


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def split(rows: list[str]) -> tuple[list[str], list[str]]:
    """Rows to train with and rows to validate with: always the same for the same rows."""
    train = [row for number, row in enumerate(rows) if number % EVERY != EVERY - 1]
    validation = [row for number, row in enumerate(rows) if number % EVERY == EVERY - 1]
    return train, validation


def caller_role(made: boto3.Session) -> str:
    """The ARN of the role whose session this is."""
    caller = made.client("sts").get_caller_identity()["Arn"]
    kind, _, rest = caller.split(":", 5)[5].partition("/")
    if kind != "assumed-role":
        raise UserError(f"{caller} is not a role: name the role that trains with --role ARN")
    return made.client("iam").get_role(RoleName=rest.split("/")[0])["Role"]["Arn"]


def upload(s3: S3Client, these: Names, rows: list[str]) -> None:
    """train/train.csv and validation/validation.csv under the data prefix, encrypted with the kit's key."""
    prefix = these.data.removeprefix(f"s3://{these.bucket}/")
    for name, part in zip(("train", "validation"), split(rows), strict=True):
        s3.put_object(
            Bucket=these.bucket,
            Key=f"{prefix}/{name}/{name}.csv",
            Body=("\n".join(part) + "\n").encode(),
            ContentType="text/csv",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=these.key,
        )
        say(f"uploaded {len(part)} rows to {these.data}/{name}/")


def put_pipeline(sagemaker: SageMakerClient, these: Names) -> None:
    """The pipeline with today's definition."""
    body = json.dumps(definition(these))
    pages = sagemaker.get_paginator("list_pipelines").paginate(PipelineNamePrefix=these.pipeline)
    there = {found["PipelineName"] for page in pages for found in page["PipelineSummaries"]}
    if these.pipeline in there:
        sagemaker.update_pipeline(PipelineName=these.pipeline, PipelineDefinition=body, RoleArn=these.role)
        say(f"updated the pipeline {these.pipeline}")
        return
    sagemaker.create_pipeline(  # type: ignore[call-arg]  # botocore adds the ClientRequestToken
        PipelineName=these.pipeline,
        PipelineDescription=f"Trains and registers the model of {these.project}",
        PipelineDefinition=body,
        RoleArn=these.role,
        Tags=[
            {"Key": "sagemaker:project-name", "Value": these.project},
            {"Key": "sagemaker:project-id", "Value": these.project_id},
        ],
    )
    say(f"created the pipeline {these.pipeline}")


def wait(sagemaker: SageMakerClient, execution: str) -> dict[str, Any]:
    """The steps of the execution once it has succeeded, by name; says what happens meanwhile."""
    reported: dict[str, str] = {}  # the last status of each step
    pause = 0.05
    while True:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        listed = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=execution, SortOrder="Ascending"
        )
        steps = [step for page in listed for step in page["PipelineExecutionSteps"]]
        for step in steps:
            if reported.get(step["StepName"]) != step["StepStatus"]:
                reported[step["StepName"]] = step["StepStatus"]
                say(f"{step['StepName']}: {step['StepStatus']} {step.get('FailureReason', '')}".rstrip())
        if status == "Succeeded":
            return {step["StepName"]: step for step in steps}
        if status not in {"Executing", "Stopping"}:
            raise UserError(f"the pipeline execution {execution} ended as {status}")
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def outcome(sagemaker: SageMakerClient, these: Names, execution: str, steps: dict[str, Any]) -> dict[str, Any]:
    """What came of it: the version and its metrics."""
    package = sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"],
    )
    return {
        "pipeline": these.pipeline,
        "execution": execution,
        "model_package_arn": package["ModelPackageArn"],
        "version": package["ModelPackageVersion"],
        "status": package["ModelApprovalStatus"],
        "metrics": {name: float(package["CustomerMetadataProperties"][name]) for name in METRICS},
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--role", help="ARN of the role that trains (default: the caller's own role)")
    arguments.add_argument("--instances", type=int, default=1, help="how many instances train (default 1)")
    arguments.add_argument("--wait", action="store_true", help="wait until the version is registered")
    args = arguments.parse_args(argv)
    if wrong := wrong_metrics():
        raise UserError(
            f"METRICS of definition.py names {', '.join(wrong)}, which the training does not measure: its eval_metric "
            f"is {HYPERPARAMETERS.get('eval_metric', 'not set')}. Name train: and validation: metrics of eval_metric"
        )
    rows = read_rows(DATA)
    made = session(args)
    sagemaker = made.client("sagemaker")
    these = names(
        project=args.project,
        project_id=project_id(sagemaker, args.project),
        account=made.client("sts").get_caller_identity()["Account"],
        region=made.region_name,
        role=args.role or caller_role(made),
        data_hash=hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12],
    )
    upload(made.client("s3"), these, rows)
    put_pipeline(sagemaker, these)
    execution = sagemaker.start_pipeline_execution(  # type: ignore[call-arg]  # botocore adds the ClientRequestToken
        PipelineName=these.pipeline,
        PipelineParameters=[
            {"Name": "TrainingInstanceCount", "Value": str(args.instances)},
            {"Name": "DataUrl", "Value": these.data},
        ],
    )["PipelineExecutionArn"]
    say(f"started execution {execution.rsplit('/', 1)[1]} of the pipeline {these.pipeline}")
    if not args.wait:
        show({"pipeline": these.pipeline, "execution": execution}, args.json)
        return 0
    show(outcome(sagemaker, these, execution, wait(sagemaker, execution)), args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
