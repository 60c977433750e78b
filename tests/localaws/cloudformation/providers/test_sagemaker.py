"""Models, endpoint configurations and endpoints as CloudFormation makes them: with a real model server."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, Made, ResourceFailed
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.servers import new_fleet
from scripts.rehearsal.embedded import published
from tests.support.providers import provider_of
from tests.support.sagemaker_world import ACCOUNT, BUCKET, IMAGE, REGION, client, make_bucket, make_trainer, train


def make(cloud: Cloud, logical_id: str, type_name: str, properties: dict[str, Any]) -> Made:
    return provider_of(type_name).create(context(cloud, logical_id), properties)


def context(cloud: Cloud, logical_id: str) -> Context:
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/1"
    tags = {"sagemaker:project-name": "shop"}
    return Context(cloud.root(ACCOUNT, REGION), cloud, ACCOUNT, REGION, stack, "shop", logical_id, tags, "t")


def configuration(cloud: Cloud, logical_id: str, model: Made) -> Made:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model.attributes["ModelName"],
        "InitialInstanceCount": "1",
        "InstanceType": "ml.t2.medium",
        "InitialVariantWeight": 1,
    }
    return make(cloud, logical_id, "AWS::SageMaker::EndpointConfig", {"ProductionVariants": [variant]})


def test_an_endpoint_serves_is_updated_in_place_and_goes(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    make_bucket(cloud)
    url = train(cloud, "first", role)["ModelArtifacts"]["S3ModelArtifacts"]
    container = {"Image": IMAGE, "ModelDataUrl": url}
    model = make(cloud, "Model", "AWS::SageMaker::Model", {"ExecutionRoleArn": role, "PrimaryContainer": container})
    assert model.physical_id == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/{model.attributes['ModelName']}"
    first, second = configuration(cloud, "First", model), configuration(cloud, "Second", model)
    old = {"EndpointName": "shop", "EndpointConfigName": first.attributes["EndpointConfigName"]}
    endpoint = make(cloud, "Endpoint", "AWS::SageMaker::Endpoint", old)
    assert endpoint.attributes["EndpointName"] == "shop"
    sagemaker, runtime = client(cloud, "sagemaker"), client(cloud, "sagemaker-runtime")
    flower = {"EndpointName": "shop", "ContentType": "text/csv", "Body": b"5.1,3.5,1.4,0.2\n"}
    assert float(runtime.invoke_endpoint(**flower)["Body"].read()) == 0.0
    tags = sagemaker.list_tags(ResourceArn=endpoint.physical_id)["Tags"]
    assert tags == [{"Key": "sagemaker:project-name", "Value": "shop"}]

    provider = provider_of("AWS::SageMaker::Endpoint")
    new = {**old, "EndpointConfigName": second.attributes["EndpointConfigName"], "RetainAllVariantProperties": "true"}
    assert provider.update(context(cloud, "Endpoint"), endpoint.physical_id, old, new) == endpoint
    seen = sagemaker.describe_endpoint(EndpointName="shop")
    assert (seen["EndpointStatus"], seen["EndpointConfigName"]) == ("InService", new["EndpointConfigName"])

    for _ in range(2):
        provider.delete(context(cloud, "Endpoint"), endpoint.physical_id, new)
        for made in (first, second):
            provider_of("AWS::SageMaker::EndpointConfig").delete(context(cloud, "First"), made.physical_id, {})
        provider_of("AWS::SageMaker::Model").delete(context(cloud, "Model"), model.physical_id, {})
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.describe_endpoint(EndpointName="shop")
    assert sagemaker.list_models()["Models"] == []


def test_an_endpoint_that_does_not_come_up_says_why_and_is_taken_away(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    make_bucket(cloud)
    client(cloud, "s3").put_object(Bucket=BUCKET, Key="broken/model.tar.gz", Body=b"no archive")
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/broken/model.tar.gz"}
    model = make(cloud, "Model", "AWS::SageMaker::Model", {"ExecutionRoleArn": role, "PrimaryContainer": container})
    config = configuration(cloud, "Config", model)
    wrong = {"EndpointName": "shop", "EndpointConfigName": config.attributes["EndpointConfigName"]}
    with pytest.raises(ResourceFailed, match=r"Endpoint shop is Failed: ."):
        make(cloud, "Endpoint", "AWS::SageMaker::Endpoint", wrong)
    assert client(cloud, "sagemaker").list_endpoints()["Endpoints"] == []


def test_a_monitor_follows_another_definition_and_goes(cloud: Cloud) -> None:
    cloud.state(Endpoints, ACCOUNT, REGION).by_name["shop"] = Endpoint({}, new_fleet({"ProductionVariants": []}))
    image = f"{published().monitors[REGION]}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-model-monitor-analyzer"
    baseline = {f"{kind}Resource": {"S3Uri": f"s3://{BUCKET}/b/{kind}.json"} for kind in ("Statistics", "Constraints")}
    output = {"S3Uri": f"s3://{BUCKET}/reports", "LocalPath": "/opt/ml/processing/output"}
    definition = {
        "DataQualityBaselineConfig": baseline,
        "DataQualityAppSpecification": {"ImageUri": image},
        "DataQualityJobInput": {"EndpointInput": {"EndpointName": "shop", "LocalPath": "/opt/ml/processing/input"}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
        "JobResources": {
            "ClusterConfig": {"InstanceCount": "1", "InstanceType": "ml.m5.large", "VolumeSizeInGB": "20"}
        },
        "RoleArn": make_trainer(cloud),
    }
    made = [make(cloud, name, "AWS::SageMaker::DataQualityJobDefinition", definition) for name in ("First", "Second")]
    names = [one.attributes["JobDefinitionName"] for one in made]
    assert made[0].physical_id.endswith(f":data-quality-job-definition/{names[0]}")

    def scheduled(name: str) -> dict[str, Any]:
        config = {"MonitoringJobDefinitionName": name, "MonitoringType": "DataQuality"}
        config["ScheduleConfig"] = {"ScheduleExpression": "cron(0 * ? * * *)"}  # type: ignore[assignment]
        return {"MonitoringScheduleName": "shop-data", "MonitoringScheduleConfig": config}

    schedule = make(cloud, "Schedule", "AWS::SageMaker::MonitoringSchedule", scheduled(names[0]))
    provider, sagemaker = provider_of("AWS::SageMaker::MonitoringSchedule"), client(cloud, "sagemaker")
    provider.update(context(cloud, "Schedule"), schedule.physical_id, scheduled(names[0]), scheduled(names[1]))
    seen = sagemaker.describe_monitoring_schedule(MonitoringScheduleName="shop-data")
    assert seen["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] == names[1]
    tags = sagemaker.list_tags(ResourceArn=schedule.physical_id)["Tags"]
    assert tags == [{"Key": "sagemaker:project-name", "Value": "shop"}]
    for _ in range(2):
        provider.delete(context(cloud, "Schedule"), schedule.physical_id, scheduled(names[1]))
        for one in made:
            kind = provider_of("AWS::SageMaker::DataQualityJobDefinition")
            kind.delete(context(cloud, "First"), one.physical_id, definition)
    assert sagemaker.list_data_quality_job_definitions()["JobDefinitionSummaries"] == []
