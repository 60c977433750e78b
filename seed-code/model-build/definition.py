"""The training pipeline as SageMaker takes it: train with the built-in XGBoost image, register the model.

Names in, definition out; nothing here talks to AWS. To train something of your own, change
HYPERPARAMETERS, METRICS and DESCRIPTION, the data that start.py uploads, and the steps below. The form of a
definition: SageMaker Developer Guide, "Pipelines steps"; hyperparameters: "XGBoost hyperparameters".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HYPERPARAMETERS = {
    "objective": "multi:softmax",  # the answer is the class itself
    "num_class": "3",
    "num_round": "20",
    "max_depth": "3",
    "eta": "0.3",
    "eval_metric": "mlogloss,merror",
    "seed": "42",
}
# Kept with the registered version: metrics that the training measures, which are those of eval_metric.
METRICS = ("validation:merror", "validation:mlogloss", "train:merror")
DESCRIPTION = "Iris species from four lengths, XGBoost"  # of every version that is registered
IMAGE_TAG = "3.0-5"  # never `latest`: that alias is years old
# The accounts that hold SageMaker's own images ("Docker Registry Paths and Example Code").
IMAGE_ACCOUNTS = {
    "af-south-1": "510948584623", "ap-east-1": "651117190479", "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698", "ap-northeast-3": "867004704886", "ap-south-1": "720646828776",
    "ap-south-2": "628508329040", "ap-southeast-1": "121021644041", "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941", "ap-southeast-4": "106583098589", "ca-central-1": "341280168497",
    "ca-west-1": "190319476487", "eu-central-1": "492215442770", "eu-central-2": "680994064768",
    "eu-north-1": "662702820516", "eu-south-1": "978288397137", "eu-south-2": "104374241257",
    "eu-west-1": "141502667606", "eu-west-2": "764974769150", "eu-west-3": "659782779980",
    "il-central-1": "898809789911", "me-central-1": "272398656194", "me-south-1": "801668240914",
    "sa-east-1": "737474898029", "us-east-1": "683313688378", "us-east-2": "257758044811",
    "us-west-1": "746614075791", "us-west-2": "246618743249",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What differs from project to project.

    model_group: the project's model group, named as the project
    bucket: where data and models lie; key: the ARN of its key or alias, which the accounts that
        serve the model may use (a model encrypted with the account's own S3 key cannot be shared)
    role: the ARN of the role that reads the data and writes the model
    data: the S3 prefix that holds train/ and validation/
    """

    project: str
    project_id: str
    model_group: str
    account: str
    region: str
    bucket: str
    key: str
    role: str
    data: str

    @property
    def pipeline(self) -> str:
        return f"{self.project}-{self.project_id}-train"


def names(project: str, project_id: str, account: str, region: str, role: str, data_hash: str) -> Names:
    """The names that the kit gives."""
    bucket = f"sagemaker-multi-account-models-{account}-{region}"
    return Names(
        project=project,
        project_id=project_id,
        model_group=project,
        account=account,
        region=region,
        bucket=bucket,
        key=f"arn:aws:kms:{region}:{account}:alias/sagemaker-multi-account-models",
        role=role,
        data=f"s3://{bucket}/{project}-{project_id}/data/{data_hash}",
    )


def image(region: str) -> str:
    """SageMaker's XGBoost image in the Region; KeyError where SageMaker has none."""
    return f"{IMAGE_ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:{IMAGE_TAG}"


def definition(these: Names) -> dict[str, Any]:
    """The pipeline's definition."""
    return {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": "TrainingInstanceType", "Type": "String", "DefaultValue": "ml.m5.large"},
            {"Name": "TrainingInstanceCount", "Type": "Integer", "DefaultValue": 1},
            {"Name": "DataUrl", "Type": "String", "DefaultValue": these.data},
            {"Name": "ModelApprovalStatus", "Type": "String", "DefaultValue": "PendingManualApproval"},
        ],
        "Steps": [training_step(these), register_step(these)],
    }


def wrong_metrics() -> list[str]:
    """The names in METRICS that the training will not measure: Register would fail, after the training was paid for."""
    names = HYPERPARAMETERS.get("eval_metric", "").replace(" ", "").split(",")
    measured = {f"{channel}:{name}" for channel in ("train", "validation") for name in names if name}
    return [metric for metric in METRICS if metric not in measured]


def training_step(these: Names) -> dict[str, Any]:
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": image(these.region), "TrainingInputMode": "File"},
            "RoleArn": these.role,
            "HyperParameters": HYPERPARAMETERS,
            "InputDataConfig": [channel("train"), channel("validation")],
            "OutputDataConfig": {
                "S3OutputPath": f"s3://{these.bucket}/{these.project}-{these.project_id}/models",
                "KmsKeyId": these.key,
            },
            "ResourceConfig": {
                "InstanceType": {"Get": "Parameters.TrainingInstanceType"},
                "InstanceCount": {"Get": "Parameters.TrainingInstanceCount"},
                "VolumeSizeInGB": 10,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    }


def channel(name: str) -> dict[str, Any]:
    """One input channel: the CSV files under DataUrl/NAME/, the label in the first column, no header."""
    return {
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": {"Std:Join": {"On": "/", "Values": [{"Get": "Parameters.DataUrl"}, name, ""]}},
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def register_step(these: Names) -> dict[str, Any]:
    metrics = {
        metric: {"Std:Join": {"On": "", "Values": [{"Get": f"Steps.Train.FinalMetricDataList['{metric}'].Value"}]}}
        for metric in METRICS
    }
    return {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": these.model_group,
            "ModelPackageDescription": DESCRIPTION,
            "ModelApprovalStatus": {"Get": "Parameters.ModelApprovalStatus"},
            "InferenceSpecification": {
                "Containers": [
                    {
                        "Image": image(these.region),
                        "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
                    }
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv", "application/json"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.t2.medium", "ml.m5.large", "ml.m5.xlarge"],
                "SupportedTransformInstanceTypes": ["ml.m5.large"],
            },
            "CustomerMetadataProperties": {**metrics, "data": {"Get": "Parameters.DataUrl"}},
        },
    }
