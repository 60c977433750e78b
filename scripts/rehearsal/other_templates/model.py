"""A model for another team's deployment pipeline: trained here, registered and approved by the data scientist.

Their training may use services that the embedded AWS does not support. The kit's small iris model takes its place, so
that the deployment can be rehearsed all the same.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from scripts.kit.console import UserError, explain, say
from scripts.rehearsal.embedded import xgboost_image
from scripts.rehearsal.other_templates.run import Run
from scripts.rehearsal.other_templates.seeds import make_bucket

HYPERPARAMETERS = {"objective": "multi:softmax", "num_class": "3", "num_round": "10"}
TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge"]


def group_name(run: Run) -> str:
    given = run.options.model.replace("{project_name}", run.options.project)
    return given.replace("{project_id}", run.project_id)


def approve_model(run: Run) -> None:
    """Train, register and approve a version, which starts every pipeline that waits for one of the group."""
    sagemaker, group = run.scientist.client("sagemaker"), group_name(run)
    try:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if "already exist" not in str(error):
            raise UserError(f"--model: {explain(error)}") from error
    try:
        url = train(run, sagemaker, f"{run.options.project}-rehearsal")
        made = sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": xgboost_image(run.options.region), "ModelDataUrl": url}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": TYPES,
                "SupportedTransformInstanceTypes": TYPES,
            },
        )["ModelPackageArn"]
        run.cloud.chapter = "pipelines"
        sagemaker.update_model_package(ModelPackageArn=made, ModelApprovalStatus="Approved")
    except ClientError as error:
        raise UserError(f"--model: {explain(error)}") from error
    run.approved.add(made)
    say(f"    registered and approved {made}")


def train(run: Run, sagemaker: Any, job: str) -> str:
    """Train the model; its place in S3."""
    bucket = f"sagemaker-{run.options.region}-{run.account}"  # the default bucket of SageMaker's SDK
    s3 = run.cloud.root(run.account, run.options.region).client("s3")
    make_bucket(s3, run.options.region, bucket)
    rows = (run.root / "seed-code" / "model-build" / "data" / "iris.csv").read_bytes()
    s3.put_object(Bucket=bucket, Key="rehearsal/train.csv", Body=rows)
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/rehearsal/"}
    sagemaker.create_training_job(
        TrainingJobName=job,
        RoleArn=run.names["studio_role_arn"],
        HyperParameters=HYPERPARAMETERS,
        AlgorithmSpecification={"TrainingImage": xgboost_image(run.options.region), "TrainingInputMode": "File"},
        InputDataConfig=[{"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=job)
        return shown if shown["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"} else None

    shown = run.until(job, ended)
    if shown["TrainingJobStatus"] != "Completed":
        raise UserError(f"--model: {job} {shown['TrainingJobStatus']}: {shown.get('FailureReason', '')}")
    return str(shown["ModelArtifacts"]["S3ModelArtifacts"])
