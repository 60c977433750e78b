"""The operations of Service Quotas."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Service

servicequotas = Service("service-quotas", invalid="ValidationException")

INSTANCES = 20.0
BUILDS = 60.0  # CodeBuild User Guide, "Quotas for AWS CodeBuild"; a new account may have none
BUILD_NAMES = tuple(
    f"Concurrently running builds for {compute} environment"
    for compute in (
        "Linux/Large", "Linux/Medium", "Linux/Small", *(f"Linux Lambda/{size}GB" for size in (1, 2, 4, 8, 10)),
    )
)  # fmt: skip
PAGE = 100
CLOUDFORMATION = {
    "L-0485CB21": ("Stacks", 2_000.0),
    "L-EC62D81A": ("Stack sets per administrator account", 1_000.0),
    "L-C8225BA5": ("Stack instances per stack set", 100_000.0),
    "L-6A4B2F69": ("Stack instance operations per administrator account", 10_000.0),
}
# AWS General Reference, "Amazon SageMaker AI endpoints and quotas": those that are of no instance type.
SAGEMAKER = {
    "L-7A3DF611": ("Number of instances across active endpoints", 4.0),
    "L-F311B08F": ("Number of instances across all processing jobs", 4.0),
    "L-60D2A6F0": ("Number of instances across all transform jobs", 4.0),
    "L-96300102": ("Maximum total concurrency that can be allocated across all serverless endpoints", 10.0),
    "L-99AD19BF": ("Maximum number of serverless endpoints", 5.0),
}


@dataclass
class Quotas:
    """The values that differ from the usual ones in an account and Region, by code."""

    values: dict[str, float] = field(default_factory=dict)


@cache
def known(service: str) -> dict[str, tuple[str, float]]:
    """The quotas of a service: name and value by code."""
    if service == "cloudformation":
        return CLOUDFORMATION
    if service == "codebuild":
        return {code_of(name): (name, BUILDS) for name in BUILD_NAMES}
    if service == "sagemaker":
        shapes = {
            "endpoint usage": "ProductionVariantInstanceType", "processing job usage": "ProcessingInstanceType",
            "training job usage": "TrainingInstanceType", "transform job usage": "TransformInstanceType",
        }  # fmt: skip
        model = get_service_model("sagemaker")
        names = [f"{type} for {use}" for use, shape in shapes.items() for type in sorted(model.shape_for(shape).enum)]
        return {code_of(name): (name, INSTANCES) for name in names} | SAGEMAKER
    raise NotSupported(f"the quotas of {service}")


def code_of(name: str) -> str:
    return "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper()


def quota(cloud: Cloud, account: str, region: str, service: str, name: str) -> float:
    """The value of a quota in an account and Region. name: as Service Quotas has it"""
    code = code_of(name)
    return cloud.state(Quotas, account, region).values.get(code, known(service)[code][1])


def shown(call: Call, code: str) -> dict[str, Any]:
    service = call.params["ServiceCode"]
    name, value = known(service)[code]
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": name,
        "QuotaArn": arn("servicequotas", call.region, call.account, f"{service}/{code}"),
        "Value": call.cloud.state(Quotas, call.account, call.region).values.get(code, value),
        "Adjustable": True,
        "GlobalQuota": False,
    }


@servicequotas.operation("ListServiceQuotas")
def list_service_quotas(call: Call) -> dict[str, Any]:
    codes = sorted(known(call.params["ServiceCode"]))
    token = str(call.params.get("NextToken", "0"))
    end = int(token) + call.params.get("MaxResults", PAGE)
    answer: dict[str, Any] = {"Quotas": [shown(call, code) for code in codes[int(token) : end]]}
    return answer | ({"NextToken": str(end)} if end < len(codes) else {})


@servicequotas.operation("GetServiceQuota")
def get_service_quota(call: Call) -> dict[str, Any]:
    if call.params["QuotaCode"] not in known(call.params["ServiceCode"]):
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return {"Quota": shown(call, call.params["QuotaCode"])}
