"""Version 2 of the SageMaker Python SDK: an estimator, its metrics, a pipeline of two steps, and an endpoint.

Run by `make clients` with .venv-sdk2, as the data scientist. PROJECT and IRIS are in the environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
import sagemaker
from sagemaker.analytics import TrainingJobAnalytics
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.serializers import CSVSerializer
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TrainingStep

role = sagemaker.get_execution_role()
region, account = boto3.Session().region_name, role.split(":")[4]
project = boto3.client("sagemaker").describe_project(ProjectName=os.environ["PROJECT"])
bucket = f"sagemaker-multi-account-models-{account}-{region}"
folder = f"{project['ProjectName']}-{project['ProjectId']}/sdk2"
key = f"arn:aws:kms:{region}:{account}:alias/sagemaker-multi-account-models"
image = sagemaker.image_uris.retrieve("xgboost", region, "3.0-5")
HYPERPARAMETERS = {"objective": "multi:softmax", "num_class": 3, "num_round": 5, "eval_metric": "merror"}


def estimator(session: Any) -> Any:
    return Estimator(
        image, role, instance_count=1, instance_type="ml.m5.large", hyperparameters=HYPERPARAMETERS,
        sagemaker_session=session, output_path=f"s3://{bucket}/{folder}/models", output_kms_key=key,
    )  # fmt: skip


def channels() -> dict[str, Any]:
    rows = Path(os.environ["IRIS"]).read_text(encoding="utf-8").split()
    found = {}
    for name, part in (("train", rows[::2]), ("validation", rows[1::2])):
        boto3.client("s3").put_object(
            Bucket=bucket, Key=f"{folder}/{name}/{name}.csv", Body="\n".join(part).encode(),
            ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
        )  # fmt: skip
        found[name] = TrainingInput(f"s3://{bucket}/{folder}/{name}/", content_type="text/csv")
    return found


def main() -> None:
    inputs, session = channels(), sagemaker.Session(default_bucket=bucket)
    trained = estimator(session)
    trained.fit(inputs)
    metrics = TrainingJobAnalytics(trained.latest_training_job.name).dataframe()
    assert "validation:merror" in set(metrics["metric_name"]), metrics
    endpoint = trained.deploy(1, "ml.m5.large", serializer=CSVSerializer(), kms_key=key)
    answer = endpoint.predict([[5.1, 3.5, 1.4, 0.2]]).decode().strip()
    endpoint.delete_endpoint()
    assert answer == "0.0", answer

    later = PipelineSession(default_bucket=bucket, default_bucket_prefix=folder)
    train = TrainingStep("Train", step_args=estimator(later).fit(inputs))
    artifacts = train.properties.ModelArtifacts.S3ModelArtifacts
    model = Model(image_uri=image, model_data=artifacts, role=role, sagemaker_session=later)
    types = {"content_types": ["text/csv"], "response_types": ["text/csv"], "inference_instances": ["ml.m5.large"]}
    register = model.register(**types, model_package_group_name=project["ProjectName"])
    pipeline = Pipeline("sdk2", steps=[train, ModelStep("Register", step_args=register)], sagemaker_session=later)
    pipeline.upsert(role_arn=role)
    execution = pipeline.start()
    execution.wait(delay=1, max_attempts=120)
    steps = {step["StepName"]: step["StepStatus"] for step in execution.list_steps()}
    print(f"{answer}; {', '.join(f'{name} {status}' for name, status in sorted(steps.items()))}")


main()
