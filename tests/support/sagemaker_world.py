"""What the tests of SageMaker share: an account with a role, a bucket and the iris data, and trained models."""

from __future__ import annotations

import json
from typing import Any

from awslang.template.template import INLINE_BYTES
from localaws.cloud import Cloud
from scripts.rehearsal.embedded import xgboost_image
from tests.support import ROOT
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until

ACCOUNT, OTHER, REGION = "111111111111", "333333333333", "us-east-1"
IRIS = ROOT / "seed-code" / "model-build" / "data" / "iris.csv"
BUCKET = f"sagemaker-multi-account-models-{ACCOUNT}-{REGION}"
IMAGE = xgboost_image(REGION)
SKLEARN = IMAGE.replace("sagemaker-xgboost:3.0-5", "sagemaker-scikit-learn:1.9-0-cpu-py3")
HYPERPARAMETERS = {"objective": "multi:softmax", "num_class": "3", "num_round": "5", "eval_metric": "merror"}


def client(cloud: Cloud, service: str, account: str = ACCOUNT) -> Any:
    return cloud.root(account, REGION).client(service)


def whole_template(cloud: Cloud, body: str, account: str = ACCOUNT) -> dict[str, str]:
    """A template as a request takes it: by its URL where it is too long, as the pipeline's stages do."""
    if len(body.encode()) <= INLINE_BYTES:
        return {"TemplateBody": body}
    s3, bucket = client(cloud, "s3", account), f"templates-{account}"
    if bucket not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="template.yaml", Body=body.encode())
    return {"TemplateURL": f"https://{bucket}.s3.{REGION}.amazonaws.com/template.yaml"}


def make_trainer(cloud: Cloud, name: str = "trainer", account: str = ACCOUNT) -> str:
    """A role that SageMaker may assume and that may do everything."""
    return make_role(cloud, name, "sagemaker", EVERYTHING, account=account)


def make_bucket(cloud: Cloud, *accounts: str) -> None:
    """The model bucket with the iris data; other accounts may read it."""
    s3 = client(cloud, "s3")
    s3.create_bucket(Bucket=BUCKET)
    readers = {
        "Sid": "Read",
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in (*accounts, ACCOUNT)]},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [readers]}))
    rows = IRIS.read_text(encoding="utf-8").split()
    for name, part in (("train", rows[::2]), ("validation", rows[1::2])):
        s3.put_object(Bucket=BUCKET, Key=f"data/{name}/{name}.csv", Body="\n".join(part).encode())


def make_key(cloud: Cloud, *accounts: str) -> str:
    """A key that other accounts may decrypt with; what is encrypted with AWS's own key for S3 they never read."""
    own = {
        "Sid": "Own",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    others = own | {
        "Sid": "Decrypt",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]},
        "Action": "kms:Decrypt",
    }
    policy = {"Version": "2012-10-17", "Statement": [own, others]}
    return str(client(cloud, "kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])


def share_group(cloud: Cloud, group: str, *accounts: str) -> None:
    """The group's versions may be read and deployed by other accounts."""
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    share = {
        "Sid": "Share",
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in accounts]},
        "Action": ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages", "sagemaker:CreateModel"],
        "Resource": [f"{arn}:model-package-group/{group}", f"{arn}:model-package/{group}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [share]})
    client(cloud, "sagemaker").put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)


def job(name: str, role: str, **changed: Any) -> dict[str, Any]:
    """A request for CreateTrainingJob that succeeds."""
    return {
        "TrainingJobName": name,
        "RoleArn": role,
        "HyperParameters": HYPERPARAMETERS,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "InputDataConfig": [channel("train"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    } | changed


def channel(name: str, content_type: str = "text/csv") -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/{name}/"}
    return {"ChannelName": name, "ContentType": content_type, "DataSource": {"S3DataSource": source}}


def train(cloud: Cloud, name: str, role: str, **changed: Any) -> dict[str, Any]:
    """DescribeTrainingJob's answer once the job has ended."""
    sagemaker = client(cloud, "sagemaker")
    sagemaker.create_training_job(**job(name, role, **changed))

    def ended() -> Any:
        shown = sagemaker.describe_training_job(TrainingJobName=name)
        return shown if shown["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"} else None

    found: dict[str, Any] = until(ended)
    return found


def processing(role: str, script: str, inputs: dict[str, str], *outputs: str, **changed: Any) -> dict[str, Any]:
    """A request for CreateProcessingJob without its name, which runs the script of the input `code`.

    inputs: the S3 URL of each, by its name; outputs: their names
    """
    root = "/opt/ml/processing"
    source = {"S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", f"{root}/input/code/{script}"],
        },
        "ProcessingInputs": [
            {"InputName": name, "S3Input": {"S3Uri": url, "LocalPath": f"{root}/input/{name}", **source}}
            for name, url in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/out/{name}",
                        "LocalPath": f"{root}/output/{name}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for name in outputs
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
        },
    } | changed


def specification(model_data_url: str) -> dict[str, Any]:
    return {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": model_data_url}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
