"""What a monitor of data quality does: the definitions of its jobs.

CreateDataQualityJobDefinition, DescribeDataQualityJobDefinition, ListDataQualityJobDefinitions and
DeleteDataQualityJobDefinition (SageMaker API Reference, the page of each operation; Developer Guide, "Amazon
SageMaker Model Monitor prebuilt container"). Of endpoints, with Model Monitor's own image and a baseline, on one
instance; a team's own container or scripts, batch transforms and everything else are refused by name.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.services.ecr.images import IMAGE
from localaws.services.sagemaker import base
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.processing import check_network, check_place, check_resources
from localaws.services.sagemaker.service import sagemaker

REPOSITORY = "sagemaker-model-monitor-analyzer"
SHOWN = (
    "JobDefinitionName", "DataQualityBaselineConfig", "DataQualityAppSpecification", "DataQualityJobInput",
    "DataQualityJobOutputConfig", "JobResources", "NetworkConfig", "RoleArn", "StoppingCondition",
)  # fmt: skip
LONGEST = 3_600  # seconds of an execution whose definition names none (API Reference, MonitoringStoppingCondition)


@dataclass
class Definitions:
    """The definitions of an account in a Region, as DescribeDataQualityJobDefinition shows them."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def state(call: Call) -> Definitions:
    return call.cloud.state(Definitions, call.account, call.region)


def missing(call: Call, name: str) -> AwsError:
    whole = arn("sagemaker", call.region, call.account, f"data-quality-job-definition/{name}")
    return base.missing(f'Could not find data quality job definition "{whole}".')


def find(call: Call, name: str) -> dict[str, Any]:
    if name not in state(call).by_name:
        raise missing(call, name)
    return state(call).by_name[name]


@sagemaker.operation("CreateDataQualityJobDefinition")
def create_data_quality_job_definition(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(params, "CreateDataQualityJobDefinition", *SHOWN, "Tags")
    name = params["JobDefinitionName"]
    whole = arn("sagemaker", call.region, call.account, f"data-quality-job-definition/{name}")
    check(call, params, whole)
    shown = {member: params[member] for member in SHOWN if member in params}
    shown = {"StoppingCondition": {"MaxRuntimeInSeconds": LONGEST}} | shown
    with state(call).lock:
        if name in state(call).by_name:
            raise AwsError("ResourceInUse", f'Cannot create already existing data quality job definition "{whole}".')
        state(call).by_name[name] = shown | {"JobDefinitionArn": whole, "CreationTime": base.now()}
    base.put_tags(call.cloud, whole, params.get("Tags", []))
    return {"JobDefinitionArn": whole}


# Of a schedule's own MonitoringJobDefinition: what a data quality job definition calls the same.
WITHIN = {
    "BaselineConfig": "DataQualityBaselineConfig", "MonitoringAppSpecification": "DataQualityAppSpecification",
    "MonitoringOutputConfig": "DataQualityJobOutputConfig", "MonitoringResources": "JobResources",
    "NetworkConfig": "NetworkConfig", "RoleArn": "RoleArn", "StoppingCondition": "StoppingCondition",
}  # fmt: skip


def within(given: dict[str, Any]) -> dict[str, Any]:
    """The definition that a schedule holds itself, as a data quality job definition has it."""
    base.only(given, "MonitoringJobDefinition", *WITHIN, "MonitoringInputs")
    found = {name: given[own] for own, name in WITHIN.items() if own in given}
    (one,) = given["MonitoringInputs"]
    return {"StoppingCondition": {"MaxRuntimeInSeconds": LONGEST}} | found | {"DataQualityJobInput": one}


def check(call: Call, definition: dict[str, Any], whole: str) -> None:
    """ValidationException for what AWS refuses, NotSupported for what only AWS has. whole: the ARN of what holds it"""
    check_baseline(definition.get("DataQualityBaselineConfig", {}))
    check_application(call.cloud, call.region, definition["DataQualityAppSpecification"])
    check_input(call, definition["DataQualityJobInput"])
    check_output(definition["DataQualityJobOutputConfig"])
    check_resources(definition["JobResources"]["ClusterConfig"])
    check_network(definition.get("NetworkConfig", {}))
    base.service_role(call.cloud, definition["RoleArn"], call.region, call.account, whole)


def check_baseline(config: dict[str, Any]) -> None:
    base.only(config, "DataQualityBaselineConfig", "ConstraintsResource", "StatisticsResource")
    for member in ("ConstraintsResource", "StatisticsResource"):
        url = config.get(member, {}).get("S3Uri", "")
        if not url:
            raise NotSupported(f"a data quality job definition without {member}")
        if not url.startswith("s3://"):
            raise invalid(f"The S3Uri of {member} must be an S3 URL")


def check_application(cloud: Cloud, region: str, application: dict[str, Any]) -> None:
    base.only(application, "DataQualityAppSpecification", "ImageUri")
    found = IMAGE.fullmatch(application["ImageUri"])
    if not found or found[1] != cloud.published.monitors.get(region) or found[2] != region or found[3] != REPOSITORY:
        raise NotSupported(f"the image {application['ImageUri']}: only Model Monitor's own of {region} runs here")


def check_input(call: Call, given: dict[str, Any]) -> None:
    base.only(given, "DataQualityJobInput", "EndpointInput")
    if "EndpointInput" not in given:
        raise NotSupported("a data quality job definition without EndpointInput")
    endpoint = given["EndpointInput"]
    base.only(endpoint, "EndpointInput", "EndpointName", "LocalPath", "S3InputMode", "S3DataDistributionType")
    if endpoint.get("S3InputMode", "File") != "File":
        raise NotSupported(f"EndpointInput with S3InputMode {endpoint['S3InputMode']}")
    check_place("EndpointInput", {"S3Uri": "s3://", "LocalPath": endpoint["LocalPath"]})
    name = endpoint["EndpointName"]
    if name not in call.cloud.state(Endpoints, call.account, call.region).by_name:  # aws/sagemaker-python-sdk#4873
        whole = arn("sagemaker", call.region, call.account, f"endpoint/{name}")
        raise invalid(f'Could not find endpoint "{whole}".')


def check_output(config: dict[str, Any]) -> None:
    base.only(config, "DataQualityJobOutputConfig", "MonitoringOutputs", "KmsKeyId")
    for output in config["MonitoringOutputs"]:
        check_place("MonitoringOutputs", output["S3Output"])


@sagemaker.operation("DescribeDataQualityJobDefinition")
def describe_data_quality_job_definition(call: Call) -> dict[str, Any]:
    return dict(find(call, call.params["JobDefinitionName"]))


def endpoint_of(definition: dict[str, Any]) -> str:
    return str(definition["DataQualityJobInput"]["EndpointInput"]["EndpointName"])


@sagemaker.operation("ListDataQualityJobDefinitions")
def list_data_quality_job_definitions(call: Call) -> dict[str, Any]:
    items = [
        {
            "MonitoringJobDefinitionName": one["JobDefinitionName"],
            "MonitoringJobDefinitionArn": one["JobDefinitionArn"],
            "CreationTime": one["CreationTime"],
            "EndpointName": endpoint_of(one),
        }
        for one in list(state(call).by_name.values())
    ]
    if "EndpointName" in call.params:
        items = [item for item in items if item["EndpointName"] == call.params["EndpointName"]]
    found = base.selected(items, call.params, "MonitoringJobDefinitionName")
    return base.page(found, call.params, "JobDefinitionSummaries")


@sagemaker.operation("DeleteDataQualityJobDefinition")
def delete_data_quality_job_definition(call: Call) -> dict[str, Any]:
    name = call.params["JobDefinitionName"]
    whole = find(call, name)["JobDefinitionArn"]
    del state(call).by_name[name]
    base.drop_tags(call.cloud, whole)
    return {}
