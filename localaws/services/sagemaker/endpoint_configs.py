"""Endpoint configurations: which models, on what, in whose shadow, with which capture of data.

CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs and DeleteEndpointConfig
(SageMaker API Reference, the page of each operation; Developer Guide, "Deploy models with Amazon
SageMaker Serverless Inference", "Asynchronous inference", "Data capture", "Create a shadow test").
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.sagemaker import base, shadows
from localaws.services.sagemaker.base import has_own_disk, invalid
from localaws.services.sagemaker.models import Models
from localaws.services.sagemaker.service import sagemaker
from localaws.variants import UNGUARDED, VARIANTS, variants_of

MEMORY = range(1024, 6145, 1024)  # MB of a serverless endpoint
VARIANT = (
    "VariantName", "ModelName", "InitialInstanceCount", "InstanceType", "InitialVariantWeight", "ServerlessConfig",
    "VolumeSizeInGB", "ModelDataDownloadTimeoutInSeconds", "ContainerStartupHealthCheckTimeoutInSeconds",
    "RoutingConfig", "InferenceAmiVersion",
)  # fmt: skip
# The accelerators of the machine images (API Reference, ProductionVariant).
ACCELERATORS = {"gpu": re.compile(r"ml\.[gp][0-9]"), "neuron": re.compile(r"ml\.(inf2|trn)")}


@dataclass
class EndpointConfigs:
    """The endpoint configurations of an account in a Region, as DescribeEndpointConfig shows them."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


@sagemaker.operation("CreateEndpointConfig")
def create_endpoint_config(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "CreateEndpointConfig", "EndpointConfigName", "ProductionVariants", "DataCaptureConfig", "Tags",
        "KmsKeyId", "AsyncInferenceConfig", "ShadowProductionVariants",
    )  # fmt: skip
    variants = variants_of(params)
    names = [variant["VariantName"] for variant in variants]
    if len(names) != len(set(names)):
        raise invalid("Duplicate variant names are not allowed.")
    for variant in variants:
        check_variant(call, variant, len(params["ProductionVariants"]))
        check_machine(variant)
    shadows.check(params)
    if "DataCaptureConfig" in params:
        check_capture(params, serverless="ServerlessConfig" in variants[0])
    if "AsyncInferenceConfig" in params:
        check_async(params["AsyncInferenceConfig"], variants)
    whole = arn("sagemaker", call.region, call.account, f"endpoint-config/{params['EndpointConfigName']}")
    shown = {name: value for name, value in params.items() if name != "Tags"}
    shown |= {"EndpointConfigArn": whole, "CreationTime": base.now()}
    for member in VARIANTS:
        if member in params:
            shown[member] = [{"InitialVariantWeight": 1.0, **variant} for variant in params[member]]
    configs = call.cloud.state(EndpointConfigs, call.account, call.region)
    with configs.lock:
        if params["EndpointConfigName"] in configs.by_name:
            raise invalid(f'Cannot create already existing endpoint configuration "{whole}".')
        configs.by_name[params["EndpointConfigName"]] = shown
        base.put_tags(call.cloud, whole, params.get("Tags", []))
    return {"EndpointConfigArn": whole}


def check_variant(call: Call, variant: dict[str, Any], count: int) -> None:
    base.only(variant, "ProductionVariant", *VARIANT)
    name = variant.get("ModelName", "")
    if name not in call.cloud.state(Models, call.account, call.region).by_name:
        raise invalid(f'Could not find model "{arn("sagemaker", call.region, call.account, f"model/{name}")}".')
    if "ServerlessConfig" not in variant:
        if "InstanceType" not in variant or "InitialInstanceCount" not in variant:
            raise invalid("InstanceType and InitialInstanceCount are required for a variant that is not serverless.")
        return
    if "InstanceType" in variant or "InitialInstanceCount" in variant:
        raise invalid("A variant with ServerlessConfig cannot have InstanceType or InitialInstanceCount.")
    if count > 1:
        raise invalid("A serverless endpoint can have one production variant only.")
    for member in (
        "VolumeSizeInGB",
        "ModelDataDownloadTimeoutInSeconds",
        "ContainerStartupHealthCheckTimeoutInSeconds",
        "InferenceAmiVersion",
    ):
        if member in variant:  # of instances; no page says what SageMaker answers
            raise invalid(f"{member} is not supported for serverless endpoints.")
    found = call.cloud.state(Models, call.account, call.region).by_name[name]
    if found.container.form != "archive":  # Developer Guide, "Deploying uncompressed models"
        raise invalid(f"ModelDataSource is not supported for serverless endpoints: model {name} has it.")
    model = found.shown
    for member, words in (("VpcConfig", "VPC configuration"), ("EnableNetworkIsolation", "Network isolation")):
        if model.get(member):
            raise invalid(f"{words} is not supported for serverless endpoints: model {name} has it.")
    check_serverless(variant["ServerlessConfig"])


def check_serverless(serverless: dict[str, Any]) -> None:
    base.only(serverless, "ServerlessConfig", "MemorySizeInMB", "MaxConcurrency", "ProvisionedConcurrency")
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise invalid("ProvisionedConcurrency must be less than or equal to MaxConcurrency.")
    if serverless["MemorySizeInMB"] not in MEMORY:
        raise invalid(f"MemorySizeInMB must be one of {', '.join(map(str, MEMORY))}.")


def check_machine(variant: dict[str, Any]) -> None:
    """ValidationException for what the disk and the accelerator of an instance type exclude."""
    kind = variant.get("InstanceType", "")
    if has_own_disk(kind) and "VolumeSizeInGB" in variant:
        raise invalid(f"VolumeSizeInGB is not supported for the instance type {kind}.")
    image = variant.get("InferenceAmiVersion", "")
    if any(word in image and not fits.match(kind) for word, fits in ACCELERATORS.items()):
        raise invalid(f"InferenceAmiVersion {image} is not supported for the instance type {kind}.")


def check_capture(params: dict[str, Any], serverless: bool) -> None:
    """Developer Guide, "Supported features": neither of serverless endpoints nor of asynchronous ones."""
    if serverless:
        raise invalid("DataCaptureConfig is not supported for serverless endpoints.")
    if "AsyncInferenceConfig" in params:
        raise invalid("DataCaptureConfig is not supported for asynchronous endpoints.")
    modes = [option["CaptureMode"] for option in params["DataCaptureConfig"]["CaptureOptions"]]
    if len(modes) != len(set(modes)):
        raise invalid("Duplicate capture options are not allowed.")
    if "InputAndOutput" in modes:
        raise NotSupported("CaptureMode InputAndOutput")


def check_async(config: dict[str, Any], variants: list[dict[str, Any]]) -> None:
    """Developer Guide, "Asynchronous inference": not with what the exclusions of the deployment guardrails name."""
    if any("ServerlessConfig" in variant for variant in variants):
        raise invalid("AsyncInferenceConfig is not supported for serverless endpoints.")
    for variant in variants:
        if (kind := variant["InstanceType"]).startswith(UNGUARDED):
            raise invalid(f"AsyncInferenceConfig is not supported for the instance type {kind}.")
    if config["OutputConfig"].get("NotificationConfig"):
        raise NotSupported("AsyncInferenceConfig with NotificationConfig")
    if "S3OutputPath" not in config["OutputConfig"]:
        raise NotSupported("AsyncInferenceConfig without S3OutputPath")


def find_config(call: Call) -> dict[str, Any]:
    name = call.params["EndpointConfigName"]
    configs = call.cloud.state(EndpointConfigs, call.account, call.region).by_name
    if name not in configs:
        whole = arn("sagemaker", call.region, call.account, f"endpoint-config/{name}")
        raise invalid(f'Could not find endpoint configuration "{whole}".')
    return configs[name]


@sagemaker.operation("DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> dict[str, Any]:
    return dict(find_config(call))


@sagemaker.operation("ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> dict[str, Any]:
    configs = call.cloud.state(EndpointConfigs, call.account, call.region).by_name
    members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    items = [{name: config[name] for name in members} for config in configs.values()]
    return base.page(base.selected(items, call.params, "EndpointConfigName"), call.params, "EndpointConfigs")


@sagemaker.operation("DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> dict[str, Any]:
    whole = find_config(call)["EndpointConfigArn"]
    del call.cloud.state(EndpointConfigs, call.account, call.region).by_name[call.params["EndpointConfigName"]]
    base.drop_tags(call.cloud, whole)
    return {}
