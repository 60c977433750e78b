"""What a monitor of data quality or of model quality does: the definitions of its jobs.

CreateDataQualityJobDefinition, DescribeDataQualityJobDefinition, ListDataQualityJobDefinitions,
DeleteDataQualityJobDefinition and the same four of model quality (SageMaker API Reference, the page of each operation;
Developer Guide, "Amazon SageMaker Model Monitor prebuilt container", "Schedule model quality monitoring jobs"). Of
endpoints, with Model Monitor's own image and a baseline, on one instance; a team's own container or scripts, batch
transforms and everything else are refused by name. That the analysis of answers needs InferenceAttribute:
aws/sagemaker-python-sdk#3959.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from functools import partial
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
LONGEST = 3_600  # seconds of an execution whose definition names none (API Reference, MonitoringStoppingCondition)
OF_ENDPOINT = ("EndpointName", "LocalPath", "S3InputMode", "S3DataDistributionType")
# Of an answer, by its column; and how long before an execution the requests that it looks at begin and end.
OF_QUALITY = (
    "InferenceAttribute", "ProbabilityAttribute", "ProbabilityThresholdAttribute", "StartTimeOffset", "EndTimeOffset",
)  # fmt: skip
OFFSET = re.compile(r"-P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?)?")
COLUMN = re.compile("[0-9]{1,3}")


@dataclass(frozen=True)
class Kind:
    """A kind of monitor. name: MonitoringType, which begins the members' names; words: in messages and ARNs"""

    name: str
    words: str
    baseline: tuple[str, ...]  # the files that a definition must name

    @property
    def shown(self) -> tuple[str, ...]:
        own = (f"{self.name}{part}" for part in ("BaselineConfig", "AppSpecification", "JobInput", "JobOutputConfig"))
        return ("JobDefinitionName", *own, "JobResources", "NetworkConfig", "RoleArn", "StoppingCondition")

    def arn(self, account: str, region: str, name: str) -> str:
        return arn("sagemaker", region, account, f"{self.words.replace(' ', '-')}-job-definition/{name}")


DATA = Kind("DataQuality", "data quality", ("ConstraintsResource", "StatisticsResource"))
MODEL = Kind("ModelQuality", "model quality", ("ConstraintsResource",))
KINDS = {kind.name: kind for kind in (DATA, MODEL)}


@dataclass
class Definitions:
    """The definitions of an account in a Region, as DescribeDataQualityJobDefinition shows them, by kind and name."""

    by_name: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def state(call: Call) -> Definitions:
    return call.cloud.state(Definitions, call.account, call.region)


def find(call: Call, kind: Kind, name: str) -> dict[str, Any]:
    if (kind.name, name) not in state(call).by_name:
        whole = kind.arn(call.account, call.region, name)
        raise base.missing(f'Could not find {kind.words} job definition "{whole}".')
    return state(call).by_name[kind.name, name]


def create(kind: Kind, call: Call) -> dict[str, Any]:
    params = call.params
    base.only(params, f"Create{kind.name}JobDefinition", *kind.shown, "Tags")
    name = params["JobDefinitionName"]
    whole = kind.arn(call.account, call.region, name)
    check(call, kind, params, whole)
    shown = {member: params[member] for member in kind.shown if member in params}
    shown = {"StoppingCondition": {"MaxRuntimeInSeconds": LONGEST}} | shown
    with state(call).lock:
        if (kind.name, name) in state(call).by_name:
            raise AwsError("ResourceInUse", f'Cannot create already existing {kind.words} job definition "{whole}".')
        state(call).by_name[kind.name, name] = shown | {"JobDefinitionArn": whole, "CreationTime": base.now()}
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


def check(call: Call, kind: Kind, definition: dict[str, Any], whole: str) -> None:
    """ValidationException for what AWS refuses, NotSupported for what only AWS has. whole: the ARN of what holds it"""
    check_baseline(kind, definition.get(f"{kind.name}BaselineConfig", {}))
    application, given = definition[f"{kind.name}AppSpecification"], definition[f"{kind.name}JobInput"]
    check_application(call.cloud, call.region, kind, application)
    check_input(call, kind, given)
    if kind is MODEL:
        check_quality(application, given)
    check_output(kind, definition[f"{kind.name}JobOutputConfig"])
    check_resources(definition["JobResources"]["ClusterConfig"])
    check_network(definition.get("NetworkConfig", {}))
    base.service_role(call.cloud, definition["RoleArn"], call.region, call.account, whole)


def check_baseline(kind: Kind, config: dict[str, Any]) -> None:
    base.only(config, f"{kind.name}BaselineConfig", *kind.baseline)
    for member in kind.baseline:
        url = config.get(member, {}).get("S3Uri", "")
        if not url:
            raise NotSupported(f"a {kind.words} job definition without {member}")
        if not url.startswith("s3://"):
            raise invalid(f"The S3Uri of {member} must be an S3 URL")


def check_application(cloud: Cloud, region: str, kind: Kind, application: dict[str, Any]) -> None:
    supported = ("ImageUri", "ProblemType") if kind is MODEL else ("ImageUri",)
    base.only(application, f"{kind.name}AppSpecification", *supported)
    found = IMAGE.fullmatch(application["ImageUri"])
    if not found or found[1] != cloud.published.monitors.get(region) or found[2] != region or found[3] != REPOSITORY:
        raise NotSupported(f"the image {application['ImageUri']}: only Model Monitor's own of {region} runs here")


def check_input(call: Call, kind: Kind, given: dict[str, Any]) -> None:
    own = ("GroundTruthS3Input",) if kind is MODEL else ()
    base.only(given, f"{kind.name}JobInput", "EndpointInput", *own)
    if "EndpointInput" not in given:
        raise NotSupported(f"a {kind.words} job definition without EndpointInput")
    endpoint = given["EndpointInput"]
    base.only(endpoint, "EndpointInput", *OF_ENDPOINT, *(OF_QUALITY if kind is MODEL else ()))
    if endpoint.get("S3InputMode", "File") != "File":
        raise NotSupported(f"EndpointInput with S3InputMode {endpoint['S3InputMode']}")
    check_place("EndpointInput", {"S3Uri": "s3://", "LocalPath": endpoint["LocalPath"]})
    name = endpoint["EndpointName"]
    if name not in call.cloud.state(Endpoints, call.account, call.region).by_name:  # aws/sagemaker-python-sdk#4873
        whole = arn("sagemaker", call.region, call.account, f"endpoint/{name}")
        raise invalid(f'Could not find endpoint "{whole}".')


def check_quality(application: dict[str, Any], given: dict[str, Any]) -> None:
    """What the analysis of answers needs: the kind of problem, the columns of an answer, where the labels are."""
    if "ProblemType" not in application:
        raise NotSupported("a model quality job definition without ProblemType")
    if not given["GroundTruthS3Input"].get("S3Uri", "").startswith("s3://"):
        raise invalid("The S3Uri of GroundTruthS3Input must be an S3 URL")
    endpoint, binary = given["EndpointInput"], application["ProblemType"] == "BinaryClassification"
    needed = ("InferenceAttribute", "ProbabilityAttribute") if binary else ("InferenceAttribute",)
    if not any(endpoint.get(name) for name in needed):
        raise invalid(
            "InvalidParameter: missing required field, "
            "CreateModelQualityJobDefinitionInput.ModelQualityJobInputs.EndpointInput.InferenceAttribute."
        )
    for name in ("InferenceAttribute", "ProbabilityAttribute"):
        if name in endpoint and not COLUMN.fullmatch(endpoint[name]):
            raise NotSupported(f"{name} {endpoint[name]}: here it is the number of a column of answers in CSV")
    for name in ("StartTimeOffset", "EndTimeOffset"):
        if name in endpoint and not OFFSET.fullmatch(endpoint[name]):
            raise invalid(f"{name} {endpoint[name]} is no duration such as -PT7H or -P1D.")


def seconds_of(offset: str) -> int:
    """How long before an execution, of StartTimeOffset or EndTimeOffset: -P1D is 86,400."""
    found = OFFSET.fullmatch(offset)
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return days * 86_400 + hours * 3_600 + minutes * 60


def check_output(kind: Kind, config: dict[str, Any]) -> None:
    base.only(config, f"{kind.name}JobOutputConfig", "MonitoringOutputs", "KmsKeyId")
    for output in config["MonitoringOutputs"]:
        check_place("MonitoringOutputs", output["S3Output"])


def describe(kind: Kind, call: Call) -> dict[str, Any]:
    return dict(find(call, kind, call.params["JobDefinitionName"]))


def kind_of(definition: dict[str, Any]) -> Kind:
    return MODEL if "ModelQualityJobInput" in definition else DATA


def endpoint_of(definition: dict[str, Any]) -> str:
    return str(definition[f"{kind_of(definition).name}JobInput"]["EndpointInput"]["EndpointName"])


def listed(kind: Kind, call: Call) -> dict[str, Any]:
    items = [
        {
            "MonitoringJobDefinitionName": one["JobDefinitionName"],
            "MonitoringJobDefinitionArn": one["JobDefinitionArn"],
            "CreationTime": one["CreationTime"],
            "EndpointName": endpoint_of(one),
        }
        for (of, _), one in list(state(call).by_name.items())
        if of == kind.name
    ]
    if "EndpointName" in call.params:
        items = [item for item in items if item["EndpointName"] == call.params["EndpointName"]]
    found = base.selected(items, call.params, "MonitoringJobDefinitionName")
    return base.page(found, call.params, "JobDefinitionSummaries")


def delete(kind: Kind, call: Call) -> dict[str, Any]:
    name = call.params["JobDefinitionName"]
    whole = find(call, kind, name)["JobDefinitionArn"]
    del state(call).by_name[kind.name, name]
    base.drop_tags(call.cloud, whole)
    return {}


for _kind in KINDS.values():
    sagemaker.operation(f"Create{_kind.name}JobDefinition")(partial(create, _kind))
    sagemaker.operation(f"Describe{_kind.name}JobDefinition")(partial(describe, _kind))
    sagemaker.operation(f"List{_kind.name}JobDefinitions")(partial(listed, _kind))
    sagemaker.operation(f"Delete{_kind.name}JobDefinition")(partial(delete, _kind))
