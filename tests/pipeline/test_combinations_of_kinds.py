"""What each kind of endpoint lacks, by its kind or its instances: Build names it, and the template does not make it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.parameters import declared_parameters
from pipeline.settings import problems_of
from tests.support import ROOT
from tests.support.cfn import evaluator

ENDPOINT = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
DECLARED = declared_parameters((ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8"))
WRITTEN = {
    "SageMakerProjectName": "iris", "SageMakerProjectId": "p-1", "StageName": "prod",
    "SageMakerExecutionRoleName": "role",
    "ModelPackageName": "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/1",
}  # fmt: skip
BATCH = {"EndpointKind": "batch", "BatchBucket": "account"}
ASYNCHRONOUS = {"EndpointKind": "asynchronous", "AsyncOutputS3Uri": "account"}


def build(**given: str) -> list[str]:
    """What Build says of a prod-config.json with these settings."""
    return problems_of("prod-config.json", given, DECLARED)


def only(problems: list[str]) -> str:
    (found,) = problems
    return found


def properties(name: str, **given: str) -> dict[str, Any]:
    """Those of a resource of 50-endpoint.yaml with these settings."""
    found: dict[str, Any] = evaluator(ENDPOINT, {**WRITTEN, **given}).resource(name)
    return found


def test_a_serverless_endpoint_takes_a_key_which_encrypts_its_image() -> None:
    """SageMaker Developer Guide, "Create an endpoint configuration" of serverless endpoints."""
    given = {"EndpointKind": "serverless", "VolumeKmsKeyId": "alias/models"}
    assert build(**given) == []
    assert properties("EndpointConfig", **given)["KmsKeyId"] == "alias/models"


def test_an_asynchronous_endpoint_captures_no_data_and_runs_on_no_inf1() -> None:
    assert "an asynchronous endpoint captures no data" in only(build(**ASYNCHRONOUS, DataCaptureS3Uri="account"))
    found = only(build(**ASYNCHRONOUS, InstanceType="ml.inf1.xlarge"))
    assert 'ml.inf1.xlarge has no asynchronous endpoints. Write another type, such as "ml.inf2.xlarge"' in found
    assert build(**ASYNCHRONOUS, InstanceType="ml.inf2.xlarge") == []


@pytest.mark.parametrize(
    ("name", "value"), [("TrafficRoutingType", "CANARY"), ("BakeSeconds", "600"), ("AdditionalAlarmName", "mine")]
)
def test_updates_on_inf1_have_no_guardrails(name: str, value: str) -> None:
    """SageMaker Developer Guide, "Exclusions": all at once, with no final baking period."""
    given = {"InstanceType": "ml.inf1.xlarge", "InitialInstanceCount": "2"}
    found = only(build(**given, **{name: value}))
    assert f"Parameters.{name} is {json.dumps(value)}: updates on ml.inf1.xlarge move at once, and no alarm" in found
    assert "DeploymentConfig" not in properties("Endpoint", **given)
    assert "DeploymentConfig" in properties("Endpoint", **{**given, "InstanceType": "ml.inf2.xlarge"})


def test_a_vpc_has_two_subnets_even_for_one_instance() -> None:
    """SageMaker Developer Guide, "Give SageMaker AI Hosted Endpoints Access to Resources in Your Amazon VPC"."""
    found = only(build(VpcSubnetIds="subnet-1a2b", VpcSecurityGroupIds="sg-1a"))
    assert "2 to 16 ids of subnets in different zones" in found


def test_a_transform_job_takes_the_instance_types_of_transform_jobs() -> None:
    assert build(**BATCH, InstanceType="ml.m4.xlarge") == []
    found = only(build(**BATCH, InstanceType="ml.t2.medium"))
    assert 'InstanceType is "ml.t2.medium": a transform job has no such instance type' in found


def test_a_batch_stage_has_a_key_for_its_answers_and_several_instances_for_its_schedule() -> None:
    """API Reference, TransformOutput; Developer Guide, "Batch transform for inference with Amazon SageMaker AI"."""
    assert build(**BATCH, DataKmsKeyId="alias/data") == []
    definition = properties("Batch", **BATCH, DataKmsKeyId="alias/data")["Definition"]
    assert definition["States"]["Transform"]["Arguments"]["TransformOutput"]["KmsKeyId"] == "alias/data"
    assert "one instance answers an object that arrives" in only(build(**BATCH, InitialInstanceCount="2"))
    assert build(**BATCH, InitialInstanceCount="2", BatchSchedule="rate(1 day)") == []
