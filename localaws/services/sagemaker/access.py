"""What authorization asks of SageMaker: model packages and their groups' policies, tags, and condition keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from awslang.policy.document import Policy, parse
from localaws.authorization.needs import need_of, strings
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access, Keys, Need
from localaws.services.sagemaker import lineage, registry, volume_keys
from localaws.services.sagemaker.service import sagemaker, sagemaker_runtime


def resources(call: Call, types: list[str]) -> list[str]:
    """Versions of a group are model-package/GROUP/VERSION; a version yet to come is …/*."""
    params = call.params
    group = params.get("ModelPackageGroupName", "")
    name = group.rsplit("/", 1)[-1]
    owner = group.split(":")[4] if group.startswith("arn:") else call.account
    if call.operation == "ListModelPackages":
        return [_arn(call, f"model-package/{name}/*", owner)] if group else ["*"]
    if call.operation == "CreateModelPackage" and group:
        return [_arn(call, f"model-package/{name}/*", owner), _arn(call, f"model-package-group/{name}", owner)]
    if call.operation == "DescribeImageVersion":  # without a number, the newest one
        return [_arn(call, f"image-version/{params['ImageName']}/{params.get('Version', '*')}", call.account)]
    if "JobDefinitionName" in params:
        kind = "model" if "ModelQuality" in call.operation else "data"
        return [_arn(call, f"{kind}-quality-job-definition/{params['JobDefinitionName']}", call.account)]
    if call.operation == "ListPipelineExecutions":
        return [_arn(call, f"pipeline/{params['PipelineName']}", call.account)]
    if call.operation in ("AddAssociation", "DeleteAssociation"):
        return [params["SourceArn"], params["DestinationArn"]]
    if call.operation in ("CreateArtifact", "DeleteArtifact"):
        return [lineage.arn_of(call, lineage.ARTIFACT)]
    if call.operation == "BatchDescribeModelPackage":
        return strings(params.get("ModelPackageArnList"))
    return []


def _arn(call: Call, resource: str, account: str) -> str:
    return arn("sagemaker", call.region, account, resource)


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """A model from another account's model package needs that group's policy (SageMaker Developer Guide,
    "Deploy a model version from a different account": sagemaker:CreateModel on the package); an endpoint, a grant of
    its volumes' key."""
    if call.operation in ("CreateEndpoint", "UpdateEndpoint"):
        yield from volume_keys.needs(call)
    if call.operation != "CreateModel":
        return
    containers = [call.params.get("PrimaryContainer", {}), *call.params.get("Containers", [])]
    for package in (container.get("ModelPackageName", "") for container in containers):
        if package.startswith("arn:") and package.split(":")[4] != call.account:
            yield need_of(call, "sagemaker", "CreateModel", package, keys)


def condition_keys(call: Call) -> Keys:
    if call.operation in ("CreateModel", "CreateTrainingJob", "CreateProcessingJob"):
        return {"sagemaker:networkisolation": (str(call.params.get("EnableNetworkIsolation", False)).lower(),)}
    return {}


def policy(cloud: Cloud, resource: str) -> Policy | None:
    """A group's, which decides for its versions too."""
    name = resource.split(":", 5)[5]
    if not name.startswith(("model-package-group/", "model-package/")):
        return None
    document = registry.group_policy(cloud, resource)
    account = resource.split(":")[4]
    return parse(document, f"model package group {name.split('/')[1]}", account, "resource") if document else None


def rewrite(cloud: Cloud, change: Callable[[str], str]) -> None:
    """Of model package groups."""
    for kept in cloud.states(registry.Registry).values():
        for group in list(kept.groups.values()):
            group.policy = change(group.policy)


sagemaker.access = Access(resources=resources, further=further, keys=condition_keys, policy=policy, rewrite=rewrite)
sagemaker_runtime.access = sagemaker.access
