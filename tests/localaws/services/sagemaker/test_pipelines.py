"""SageMaker pipelines on the embedded AWS: definitions are checked, steps really run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud
from localaws.services.sagemaker import pipeline_definition
from tests.support.sagemaker_world import ACCOUNT, BUCKET, REGION, client, job, make_bucket, make_trainer, specification
from tests.support.waiting import until


def training(role: str) -> dict[str, Any]:
    arguments = job("unused", role)
    del arguments["TrainingJobName"]
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


REGISTER = {
    "Name": "Register",
    "Type": "RegisterModel",
    "Arguments": {
        "ModelPackageGroupName": "Iris",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": specification("replaced")
        | {
            "Containers": [
                {
                    "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5",
                    "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
                }
            ]
        },
        "CustomerMetadataProperties": {
            "error": {
                "Std:Join": {
                    "On": "",
                    "Values": [{"Get": "Steps.Train.FinalMetricDataList['validation:merror'].Value"}],
                }
            }
        },
    },
}


FILE = {"PropertyFileName": "Evaluation", "OutputName": "evaluation", "FilePath": "evaluation.json"}
GET = {"PropertyFile": {"Get": "Steps.B.PropertyFiles.Evaluation"}, "Path": "mse.value"}


def body(*steps: dict[str, Any], **members: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Steps": list(steps), **members})


def create(cloud: Cloud, role: str, text: str, name: str = "Iris-train", **more: Any) -> None:
    client(cloud, "sagemaker").create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=role, **more)


def start(cloud: Cloud, name: str = "Iris-train", **parameters: str) -> dict[str, Any]:
    """The execution once it has ended, with its steps by name."""
    sagemaker = client(cloud, "sagemaker")
    given = [{"Name": key, "Value": value} for key, value in parameters.items()]
    arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]

    def ended() -> Any:
        shown = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return shown if shown["PipelineExecutionStatus"] not in {"Executing", "Stopping"} else None

    execution: dict[str, Any] = until(ended)
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return execution | {"Steps": {step["StepName"]: step for step in steps}}


def test_a_pipeline_trains_and_registers_a_version(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    make_bucket(cloud)
    create(cloud, role, body(REGISTER, training(role)), Tags=[{"Key": "sagemaker:project-name", "Value": "Iris"}])
    execution = start(cloud)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    sagemaker = client(cloud, "sagemaker")
    arn = execution["Steps"]["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert arn == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/Iris/1"
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["MetadataProperties"]["GeneratedBy"] == execution["PipelineExecutionArn"]
    assert 0 <= float(package["CustomerMetadataProperties"]["error"]) < 0.2
    url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert client(cloud, "s3").head_object(Bucket=BUCKET, Key=url.removeprefix(f"s3://{BUCKET}/"))["ContentLength"] > 0
    group = sagemaker.describe_model_package_group(ModelPackageGroupName="Iris")["ModelPackageGroupArn"]
    assert sagemaker.list_tags(ResourceArn=group)["Tags"] == [{"Key": "sagemaker:project-name", "Value": "Iris"}]
    assert start(cloud)["Steps"]["Register"]["Metadata"]["RegisterModel"]["Arn"].endswith("/Iris/2")


def test_a_failing_step_ends_the_execution_and_nothing_is_registered(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    make_bucket(cloud)
    broken = training(role)
    broken["Arguments"]["HyperParameters"] = {"objective": "multi:softmax", "num_class": "3"}
    create(cloud, role, body(broken, REGISTER))
    execution = start(cloud)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed."
    assert "Missing required hyperparameter: num_round" in execution["Steps"]["Train"]["FailureReason"]
    assert "Register" not in execution["Steps"]


def test_a_pipeline_role_that_sagemaker_may_not_assume_is_refused(cloud: Cloud) -> None:
    stop = body({"Name": "Stop", "Type": "Fail", "Arguments": {}})
    with pytest.raises(ClientError, match="Could not assume role"):
        create(cloud, f"arn:aws:iam::{ACCOUNT}:role/absent", stop)
    create(cloud, make_trainer(cloud), stop)
    iam = client(cloud, "iam")
    iam.delete_role_policy(RoleName="trainer", PolicyName="inline")
    iam.delete_role(RoleName="trainer")
    with pytest.raises(ClientError, match="Could not assume role"):
        start(cloud)


def test_a_condition_takes_one_branch_and_fail_says_why(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    condition = {
        "Name": "Good",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "LessThanOrEqualTo", "LeftValue": {"Get": "Parameters.Error"}, "RightValue": 0.1}],
            "IfSteps": [],
            "ElseSteps": [
                {
                    "Name": "Bad",
                    "Type": "Fail",
                    "Arguments": {
                        "ErrorMessage": {"Std:Join": {"On": " ", "Values": ["error is", {"Get": "Parameters.Error"}]}}
                    },
                }
            ],
        },
    }
    create(cloud, role, body(condition, Parameters=[{"Name": "Error", "Type": "Float", "DefaultValue": 0.05}]))
    assert start(cloud)["PipelineExecutionStatus"] == "Succeeded"
    failed = start(cloud, Error="0.5")
    assert failed["PipelineExecutionStatus"] == "Failed"
    assert failed["Steps"]["Bad"]["FailureReason"] == "error is 0.5"
    assert failed["Steps"]["Good"]["Metadata"]["Condition"]["Outcome"] == "False"


def test_the_experiment_of_an_execution_is_shown(cloud: Cloud) -> None:
    experiment = {
        "ExperimentName": {"Get": "Execution.PipelineName"},
        "TrialName": {"Get": "Execution.PipelineExecutionId"},
    }
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "stop"}}
    create(cloud, make_trainer(cloud), body(stop, PipelineExperimentConfig=experiment))
    execution = start(cloud)
    assert execution["PipelineExperimentConfig"] == {
        "ExperimentName": "Iris-train",
        "TrialName": execution["PipelineExecutionArn"].rsplit("/", 1)[1],
    }


def test_parameters_are_checked_when_an_execution_starts(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    create(
        cloud,
        role,
        body(
            {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Count"}}},
            Parameters=[{"Name": "Count", "Type": "Integer"}],
        ),
    )
    with pytest.raises(ClientError, match="has no default value"):
        start(cloud)
    with pytest.raises(ClientError, match="not of type Integer"):
        start(cloud, Count="many")
    with pytest.raises(ClientError, match="not defined"):
        start(cloud, Count="1", Other="2")


def test_a_pipeline_exists_once_and_can_be_updated_and_deleted(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "one"}}
    create(cloud, role, body(stop))
    with pytest.raises(ClientError, match="already exists"):
        create(cloud, role, body(stop))
    sagemaker = client(cloud, "sagemaker")
    stop["Arguments"] = {"ErrorMessage": "two"}
    sagemaker.update_pipeline(PipelineName="Iris-train", PipelineDefinition=body(stop))
    assert start(cloud)["Steps"]["Stop"]["FailureReason"] == "two"
    assert [p["PipelineName"] for p in sagemaker.list_pipelines()["PipelineSummaries"]] == ["Iris-train"]
    assert len(sagemaker.list_pipeline_executions(PipelineName="Iris-train")["PipelineExecutionSummaries"]) == 1
    sagemaker.delete_pipeline(PipelineName="Iris-train")
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName="Iris-train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('{"Version": "2019", "Steps": []}', "Version must be"),
        (body(), "at least one step"),
        (body({"Name": "A", "Type": "EMR"}), "pipeline steps of type EMR"),
        (body({"Name": "A", "Type": "Fail", "RetryPolicies": [{}]}), "steps of type Fail have none"),
        (body({"Name": "A", "Type": "Model", "RetryPolicies": [{"ExceptionType": ["Any"]}]}), "ExceptionType"),
        (body({"Name": "A", "Type": "Fail", "CacheConfig": {"Enabled": True}}), "no CacheConfig"),
        (body({"Name": "A", "Type": "Training", "CacheConfig": {"Enabled": True, "ExpireAfter": "a day"}}), "P30D"),
        (body({"Name": "A", "Type": "Processing", "PropertyFiles": [FILE]}), "unknown output 'evaluation'"),
        (body({"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Std:JsonGet": GET}}}), "Steps.B"),
        (body({"Name": "A b", "Type": "Fail"}), "step name"),
        (body({"Name": "A", "Type": "Fail"}, {"Name": "A", "Type": "Fail"}), "unique"),
        (body({"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.X"}}}), "Parameters.X"),
        (body({"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Steps.B.X"}}}), "Steps.B.X"),
        (body({"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Std:JsonGet": {}}}}), "Std:JsonGet"),
        (body({"Name": "A", "Type": "Fail", "DependsOn": ["B"]}), "unknown step 'B'"),
        (
            body(
                {"Name": "A", "Type": "Fail", "DependsOn": ["B"]},
                {"Name": "B", "Type": "Fail", "DependsOn": ["A"]},
            ),
            "wait for each other",
        ),
    ],
)
def test_a_definition_that_cannot_run_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError, match=message):
        pipeline_definition.parse(text)


@pytest.mark.parametrize(
    "step", [{}, {"Arguments": {}}, {"Arguments": {"RoleArn": "arn:aws:iam::111111111111:role/r"}}]
)
def test_a_step_lacks_nothing_that_its_request_must_have(step: dict[str, Any]) -> None:
    text = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "T", "Type": "Training", **step}]})
    with pytest.raises(AwsError, match=r"Step 'T': Arguments lacks (RoleArn, )?OutputDataConfig") as caught:
        pipeline_definition.parse(text)
    assert caught.value.code == "ValidationException"
