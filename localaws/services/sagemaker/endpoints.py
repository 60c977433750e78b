"""Endpoints: created, updated, scaled, deleted. What serves them is real: see servers.py, deployment.py.

CreateEndpoint, UpdateEndpoint, UpdateEndpointWeightsAndCapacities, DescribeEndpoint,
ListEndpoints and DeleteEndpoint (SageMaker API Reference, the page of each operation).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.application_autoscaling import targets
from localaws.services.sagemaker import base, deployment, instances, volume_keys
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoint_configs import find_config
from localaws.services.sagemaker.servers import Fleet, new_fleet
from localaws.services.sagemaker.service import sagemaker
from localaws.variants import VARIANTS


@dataclass
class Endpoints:
    """The endpoints of an account in a Region."""

    by_name: dict[str, Endpoint] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def state(call: Call) -> Endpoints:
    return call.cloud.state(Endpoints, call.account, call.region)


def find_endpoint(call: Call) -> Endpoint:
    name = call.params["EndpointName"]
    if name not in state(call).by_name:
        whole = arn("sagemaker", call.region, call.account, f"endpoint/{name}")
        raise invalid(f'Could not find endpoint "{whole}".')
    return state(call).by_name[name]


@sagemaker.operation("CreateEndpoint")
def create_endpoint(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(params, "CreateEndpoint", "EndpointName", "EndpointConfigName", "DeploymentConfig", "Tags")
    name = params["EndpointName"]
    fleet = new_fleet(find_config(call))
    volume_keys.check(call, fleet.config.get("KmsKeyId"))
    deployment.check_deployment(params.get("DeploymentConfig", {}), fleet)
    whole = arn("sagemaker", call.region, call.account, f"endpoint/{name}")
    moment = base.now()
    shown = {
        "EndpointName": name,
        "EndpointArn": whole,
        "EndpointConfigName": params["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "CreationTime": moment,
        "LastModifiedTime": moment,
    }
    with state(call).lock:
        if name in state(call).by_name:
            raise invalid(f'Cannot create already existing endpoint "{whole}".')
        instances.check(call, list(state(call).by_name.values()), instances.types_of(fleet))
        endpoint = state(call).by_name[name] = Endpoint(shown, fleet)
        base.put_tags(call.cloud, whole, params.get("Tags", []))
    call.cloud.background(f"endpoint {name}", deployment.create, call.cloud, call.account, call.region, endpoint)
    return {"EndpointArn": whole}


@sagemaker.operation("UpdateEndpoint")
def update_endpoint(call: Call) -> dict[str, Any]:
    """Refused, too, once the configuration that the endpoint runs on is deleted: "You must not delete an EndpointConfig
    in use by an endpoint that is live" (DeleteEndpointConfig), hashicorp/terraform-provider-aws#40048 and #48997."""
    params = call.params
    base.only(
        params, "UpdateEndpoint", "EndpointName", "EndpointConfigName", "RetainAllVariantProperties",
        "ExcludeRetainedVariantProperties", "DeploymentConfig", "RetainDeploymentConfig",
    )  # fmt: skip
    endpoint = find_endpoint(call)
    new = new_fleet(find_config(call))
    volume_keys.check(call, new.config.get("KmsKeyId"))
    config = params.get("DeploymentConfig", {})
    if params.get("RetainDeploymentConfig"):
        if config:
            raise invalid("DeploymentConfig cannot be given together with RetainDeploymentConfig.")
        config = endpoint.shown.get("LastDeploymentConfig", {})
    with state(call).lock, endpoint.lock:
        check_updatable(endpoint)
        find_config(replace(call, params={"EndpointConfigName": endpoint.shown["EndpointConfigName"]}))
        check_kind(endpoint, new)
        targets.check_update(call, endpoint.name, endpoint.fleet.config, new.config)
        if params.get("RetainAllVariantProperties"):
            retain(endpoint.fleet, new, params.get("ExcludeRetainedVariantProperties", []))
        deployment.check_deployment(config, new)
        coming = deployment.besides(endpoint.fleet, new, config)
        instances.check(call, list(state(call).by_name.values()), coming)
        endpoint.coming = coming
        endpoint.shown |= {"EndpointStatus": "Updating", "LastModifiedTime": base.now()}
        endpoint.shown.pop("FailureReason", None)
    call.cloud.background(
        f"update of endpoint {endpoint.name}",
        deployment.update,
        call.cloud,
        call.account,
        call.region,
        endpoint,
        new,
        config,
    )
    return {"EndpointArn": endpoint.shown["EndpointArn"]}


def check_updatable(endpoint: Endpoint) -> None:
    status, whole = endpoint.shown["EndpointStatus"], endpoint.shown["EndpointArn"]
    if status in {"Creating", "Updating", "RollingBack", "Deleting"}:
        raise invalid(f'Cannot update in-progress endpoint "{whole}".')
    if status != "InService":
        raise invalid(f'Cannot update endpoint "{whole}" in status {status}.')


def check_kind(endpoint: Endpoint, new: Fleet) -> None:
    """A serverless endpoint may become a real-time one, and no other kind another ("Deploy models with Amazon SageMaker
    Serverless Inference", Feature exclusions). That AsyncInferenceConfig cannot be removed:
    aws/sagemaker-python-sdk#3124; that it cannot be added is not documented."""
    old = endpoint.fleet
    before, after = (any("ServerlessConfig" in v for v in f.config["ProductionVariants"]) for f in (old, new))
    if after and not before:
        raise invalid("An endpoint cannot be updated from instances to serverless.")
    if "AsyncInferenceConfig" in old.config and "AsyncInferenceConfig" not in new.config:
        raise invalid(f"The AsyncInferenceConfig parameter cannot be removed from this endpoint {endpoint.name}.")
    if "AsyncInferenceConfig" in new.config and "AsyncInferenceConfig" not in old.config:
        raise invalid(f"The AsyncInferenceConfig parameter cannot be added to this endpoint {endpoint.name}.")


def retain(old: Fleet, new: Fleet, excluded: list[dict[str, str]]) -> None:
    """RetainAllVariantProperties: counts and weights as they are now, data capture as it was."""
    left_out = {item["VariantPropertyType"] for item in excluded}
    for name in set(old.weights) & set(new.weights):
        if "DesiredWeight" not in left_out:
            new.weights[name] = old.weights[name]
        if "DesiredInstanceCount" not in left_out and name in old.with_instances() and name in new.with_instances():
            new.counts[name] = old.counts[name]  # none, too: an asynchronous endpoint without requests
    if "DataCaptureConfig" not in left_out:
        kept = {k: v for k, v in new.config.items() if k != "DataCaptureConfig"}
        if "DataCaptureConfig" in old.config:
            kept["DataCaptureConfig"] = old.config["DataCaptureConfig"]
        new.config = kept


@sagemaker.operation("UpdateEndpointWeightsAndCapacities")
def update_endpoint_weights_and_capacities(call: Call) -> dict[str, Any]:
    endpoint = find_endpoint(call)
    with state(call).lock, endpoint.lock:
        check_updatable(endpoint)
        for item in call.params["DesiredWeightsAndCapacities"]:
            base.only(item, "DesiredWeightAndCapacity", "VariantName", "DesiredWeight", "DesiredInstanceCount")
            name = item["VariantName"]
            if name not in endpoint.fleet.weights:
                raise invalid(f"The variant {name} does not exist in endpoint {endpoint.name}.")
        more = {
            item["VariantName"]: item["DesiredInstanceCount"] - endpoint.fleet.counts[item["VariantName"]]
            for item in call.params["DesiredWeightsAndCapacities"]
            if "DesiredInstanceCount" in item
        }
        instances.check(call, list(state(call).by_name.values()), instances.types_of(endpoint.fleet, more))
        for item in call.params["DesiredWeightsAndCapacities"]:
            name = item["VariantName"]
            endpoint.fleet.weights[name] = item.get("DesiredWeight", endpoint.fleet.weights[name])
            endpoint.fleet.counts[name] = item.get("DesiredInstanceCount", endpoint.fleet.counts[name])
        endpoint.shown["LastModifiedTime"] = base.now()
    return {"EndpointArn": endpoint.shown["EndpointArn"]}


@sagemaker.operation("DescribeEndpoint")
def describe_endpoint(call: Call) -> dict[str, Any]:
    endpoint = find_endpoint(call)
    shown = dict(endpoint.shown)
    if shown["EndpointStatus"] not in {"Creating", "Failed"}:
        shown |= variants_shown(endpoint.fleet)
    config = endpoint.fleet.config
    if "AsyncInferenceConfig" in config:
        shown["AsyncInferenceConfig"] = config["AsyncInferenceConfig"]
    if capture := config.get("DataCaptureConfig"):
        enabled = capture.get("EnableCapture", False)
        shown["DataCaptureConfig"] = {
            "EnableCapture": enabled,
            "CaptureStatus": "Started" if enabled else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    if endpoint.new is not None:
        shown["PendingDeploymentSummary"] = {
            "EndpointConfigName": endpoint.new.config["EndpointConfigName"],
            **variants_shown(endpoint.new),
        }
    return shown


def variants_shown(fleet: Fleet) -> dict[str, Any]:
    return {member: fleet.shown(member) for member in VARIANTS if member in fleet.config}


@sagemaker.operation("ListEndpoints")
def list_endpoints(call: Call) -> dict[str, Any]:
    members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
    items = [{name: endpoint.shown[name] for name in members} for endpoint in list(state(call).by_name.values())]
    if "StatusEquals" in call.params:
        items = [item for item in items if item["EndpointStatus"] == call.params["StatusEquals"]]
    found = base.selected(items, call.params, "EndpointName", sorts={"Status": "EndpointStatus"})
    return base.page(found, call.params, "Endpoints")


@sagemaker.operation("DeleteEndpoint")
def delete_endpoint(call: Call) -> dict[str, Any]:
    endpoint = find_endpoint(call)
    with endpoint.lock:
        if endpoint.shown["EndpointStatus"] in {"Creating", "Updating", "RollingBack"}:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.shown["EndpointArn"]}".')
        deregister(call, endpoint)
        deployment.settle(call.cloud, call.account, call.region, endpoint, "Deleting", "")
        endpoint.fleet.stop()
        state(call).by_name.pop(endpoint.name, None)
        base.drop_tags(call.cloud, endpoint.shown["EndpointArn"])
    return {}


def deregister(call: Call, endpoint: Endpoint) -> None:
    """The variants of a deleted endpoint are scalable targets no longer, if the caller may say so.

    SageMaker Developer Guide, "Delete endpoints configured for auto scaling"; the words are those that
    awslabs/stable-diffusion-aws-extension#161 quotes.
    """
    registered = targets.every(call.account, call.region)
    found = [target for of in registered.values() for target in of.values()]
    for target in found:
        if not target.resource_id.startswith(f"endpoint/{endpoint.name}/"):
            continue
        try:
            call.forward("sagemaker.amazonaws.com").client("application-autoscaling").deregister_scalable_target(
                ServiceNamespace=target.service_namespace,
                ResourceId=target.resource_id,
                ScalableDimension=target.scalable_dimension,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            raise invalid(
                "An Application AutoScaling scalable target exists for a variant being deleted, and the IAM identity "
                "used to invoke DeleteEndpoint does not have application-autoscaling:DeregisterScalableTarget "
                "permission to deregister the scalable target."
            ) from error
