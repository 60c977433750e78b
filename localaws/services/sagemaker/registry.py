"""The model registry: groups, versions, approvals, resource policies.

CreateModelPackageGroup, DescribeModelPackageGroup, ListModelPackageGroups,
DeleteModelPackageGroup, Put-, Get- and DeleteModelPackageGroupPolicy, CreateModelPackage,
DescribeModelPackage, BatchDescribeModelPackage, ListModelPackages, UpdateModelPackage and
DeleteModelPackage (SageMaker API Reference, the page of each operation; Developer Guide, "Model
Registration Deployment with Model Registry", "Events that Amazon SageMaker AI sends to Amazon
EventBridge"). Another account reaches a group or a version by its ARN; whether it may is decided
before a request comes here. Search is not supported.

moto's registry is not used: it restarts the numbers of versions after a deletion, lowers the case of ARNs,
loses an approval's description and metadata on the next update, and lets a second group replace
one of the same name.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from awslang.bounded import is_number
from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.services.sagemaker import base, lineage_records
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.model_card import check_card
from localaws.services.sagemaker.service import sagemaker

POLICY_LIMIT = 20480  # characters: API Reference, "PutModelPackageGroupPolicy"
STATUSES = ("Approved", "Rejected", "PendingManualApproval")
GROUP_PARAMETERS = ("ModelPackageGroupName", "ModelPackageGroupDescription", "Tags")
COPIED = (
    "ModelPackageDescription", "InferenceSpecification", "MetadataProperties", "ModelMetrics",
    "CustomerMetadataProperties", "DriftCheckBaselines", "Domain", "Task", "SamplePayloadUrl",
    "AdditionalInferenceSpecifications", "SkipModelValidation", "SourceUri", "ModelCard",
)  # fmt: skip
LISTED = ("CreationTimeAfter", "CreationTimeBefore", "NameContains", "MaxResults", "NextToken")
SUMMARY = (
    "ModelPackageName", "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription",
    "CreationTime", "ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle",
)  # fmt: skip


@dataclass
class Group:
    """A group: its description as DescribeModelPackageGroup shows it, policy text, versions by number."""

    shown: dict[str, Any]
    policy: str = ""
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    last: int = 0  # numbers are never given twice


@dataclass
class Registry:
    """An account's registry in a Region."""

    groups: dict[str, Group] = field(default_factory=dict)
    unversioned: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def group_policy(cloud: Cloud, resource_arn: str) -> dict[str, Any] | None:
    """The resource policy that covers a group or a version (by ARN), for who decides on requests; None without one."""
    account, region = base.owner(resource_arn)
    name = resource_arn.split(":", 5)[5].split("/")[1]
    group = cloud.state(Registry, account, region).groups.get(name)
    return json.loads(group.policy) if group and group.policy else None


def place(call: Call, name: str) -> tuple[Registry, str]:
    """The registry that a name or an ARN means, and the name within it."""
    if not name.startswith("arn:"):
        return call.cloud.state(Registry, call.account, call.region), name
    account, region = base.owner(name)
    if region != call.region:
        raise invalid(f"Invalid ARN: {name} is not in the region {call.region}")
    return call.cloud.state(Registry, account, region), name.split(":", 5)[5].split("/", 1)[1]


def find_group(call: Call, name: str) -> Group:
    registry, short = place(call, name)
    if short not in registry.groups:
        whole = name if name.startswith("arn:") else group_arn(call, short)
        raise invalid(f"ModelPackageGroup {whole} does not exist.")
    return registry.groups[short]


def group_arn(call: Call, name: str) -> str:
    return arn("sagemaker", call.region, call.account, f"model-package-group/{name}")


def find_package(call: Call, name: str) -> dict[str, Any]:
    """A package by its ARN, or an unversioned one by its name."""
    registry, short = place(call, name)
    group, _, number = short.partition("/")
    if is_number(number) and group in registry.groups and int(number) in registry.groups[group].versions:
        return registry.groups[group].versions[int(number)]
    if not number and short in registry.unversioned:
        return registry.unversioned[short]
    whole = name if name.startswith("arn:") else arn("sagemaker", call.region, call.account, f"model-package/{name}")
    raise invalid(f"ModelPackage {whole} does not exist.")


@sagemaker.operation("CreateModelPackageGroup")
def create_model_package_group(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(params, "CreateModelPackageGroup", *GROUP_PARAMETERS)
    name = params["ModelPackageGroupName"]
    registry = call.cloud.state(Registry, call.account, call.region)
    whole = group_arn(call, name)
    with registry.lock:
        if name in registry.groups:
            raise invalid(f"Model Package Group already exists: {whole}")
        base.put_tags(call.cloud, whole, params.get("Tags", []))
        shown = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": whole,
            "CreationTime": base.now(),
            "CreatedBy": base.user(call.principal),
            "ModelPackageGroupStatus": "Completed",
        }
        if "ModelPackageGroupDescription" in params:
            shown["ModelPackageGroupDescription"] = params["ModelPackageGroupDescription"]
        registry.groups[name] = Group(shown)
    lineage_records.group(call.cloud, name, whole)
    return {"ModelPackageGroupArn": whole}


@sagemaker.operation("DescribeModelPackageGroup")
def describe_model_package_group(call: Call) -> dict[str, Any]:
    return dict(find_group(call, call.params["ModelPackageGroupName"]).shown)


@sagemaker.operation("ListModelPackageGroups")
def list_model_package_groups(call: Call) -> dict[str, Any]:
    base.only(call.params, "ListModelPackageGroups", *LISTED, "SortBy", "SortOrder")
    registry = call.cloud.state(Registry, call.account, call.region)
    items = [{k: v for k, v in group.shown.items() if k != "CreatedBy"} for group in registry.groups.values()]
    found = base.selected(items, call.params, "ModelPackageGroupName", order="Ascending")
    return base.page(found, call.params, "ModelPackageGroupSummaryList")


@sagemaker.operation("DeleteModelPackageGroup")
def delete_model_package_group(call: Call) -> dict[str, Any]:
    registry, name = place(call, call.params["ModelPackageGroupName"])
    with registry.lock:
        group = find_group(call, call.params["ModelPackageGroupName"])
        if group.versions:
            raise base.conflict(f"Model Package Group {group.shown['ModelPackageGroupArn']} has model packages.")
        del registry.groups[name]
        base.drop_tags(call.cloud, group.shown["ModelPackageGroupArn"])
    return {}


@sagemaker.operation("PutModelPackageGroupPolicy")
def put_model_package_group_policy(call: Call) -> dict[str, Any]:
    group = find_group(call, call.params["ModelPackageGroupName"])
    text = call.params["ResourcePolicy"]
    if len(text) > POLICY_LIMIT:
        raise invalid(f"The resource policy is longer than {POLICY_LIMIT} characters")
    check_policy(text)
    group.policy = text
    return {"ModelPackageGroupArn": group.shown["ModelPackageGroupArn"]}


def check_policy(text: str) -> None:
    """ValidationException for what cannot be a resource policy of a model group."""
    try:
        policy = json.loads(text)
        statements = policy["Statement"]
    except (ValueError, KeyError, TypeError) as error:
        raise invalid(f"Invalid resource policy: it is not a policy document ({error})") from error
    for statement in [statements] if isinstance(statements, dict) else statements:
        if statement.get("Effect") not in {"Allow", "Deny"}:
            raise invalid("Invalid resource policy: Effect must be Allow or Deny")
        for kinds in (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
            if not any(kind in statement for kind in kinds):
                raise invalid(f"Invalid resource policy: a statement without {kinds[0]}")


@sagemaker.operation("GetModelPackageGroupPolicy")
def get_model_package_group_policy(call: Call) -> dict[str, Any]:
    group = find_group(call, call.params["ModelPackageGroupName"])
    if not group.policy:
        raise invalid(f"Cannot find resource policy for: {group.shown['ModelPackageGroupArn']}")
    return {"ResourcePolicy": group.policy}


@sagemaker.operation("DeleteModelPackageGroupPolicy")
def delete_model_package_group_policy(call: Call) -> dict[str, Any]:
    group = find_group(call, call.params["ModelPackageGroupName"])
    if not group.policy:
        raise invalid(f"Cannot find resource policy for: {group.shown['ModelPackageGroupArn']}")
    group.policy = ""
    return {}


@sagemaker.operation("CreateModelPackage")
def create_model_package(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "CreateModelPackage", *COPIED, "ModelPackageGroupName", "ModelPackageName", "ModelApprovalStatus",
        "ClientToken", "Tags", "CertifyForMarketplace",
    )  # fmt: skip
    if params.get("CertifyForMarketplace"):
        raise NotSupported("CreateModelPackage with CertifyForMarketplace")
    if ("ModelPackageGroupName" in params) == ("ModelPackageName" in params):
        raise invalid(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
            "Cannot determine which one to use."
            if "ModelPackageName" in params
            else "Missing ARN."
        )
    check_specification(params)
    check_card(params.get("ModelCard", {}))
    shown: dict[str, Any] = {name: params[name] for name in COPIED if name in params}
    shown |= {
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        "CreationTime": base.now(),
        "CreatedBy": base.user(call.principal),
    }
    group = add_version(call, shown) if "ModelPackageGroupName" in params else add_unversioned(call, shown)
    base.put_tags(call.cloud, shown["ModelPackageArn"], params.get("Tags", []))
    lineage_records.package(call.cloud, shown, group)
    announce(call.cloud, shown)
    return {"ModelPackageArn": shown["ModelPackageArn"]}


def add_version(call: Call, shown: dict[str, Any]) -> str:
    """Give the package the next number of its group, whose ARN is returned."""
    registry, name = place(call, call.params["ModelPackageGroupName"])
    with registry.lock:
        if name not in registry.groups:
            raise invalid("Model Package Group does not exist.")
        if call.params.get("Tags"):
            raise invalid(
                "Tags cannot be added to a versioned model package. Add them to its model package group instead."
            )
        group = registry.groups[name]
        group.last += 1
        account, region = base.owner(group.shown["ModelPackageGroupArn"])
        shown |= {
            "ModelPackageGroupName": name,
            "ModelPackageVersion": group.last,
            "ModelPackageArn": arn("sagemaker", region, account, f"model-package/{name}/{group.last}"),
            "ModelApprovalStatus": call.params.get("ModelApprovalStatus", "PendingManualApproval"),
        }
        group.versions[group.last] = shown
        return str(group.shown["ModelPackageGroupArn"])


def add_unversioned(call: Call, shown: dict[str, Any]) -> str:
    """Keep a package without a group: ""."""
    name = call.params["ModelPackageName"]
    registry = call.cloud.state(Registry, call.account, call.region)
    with registry.lock:
        if name in registry.unversioned:
            raise base.conflict(f"A model package named {name} already exists")
        shown |= {
            "ModelPackageName": name,
            "ModelPackageArn": arn("sagemaker", call.region, call.account, f"model-package/{name}"),
        }
        registry.unversioned[name] = shown
    return ""


def check_specification(params: dict[str, Any]) -> None:
    """ValidationException unless there is something that could be deployed."""
    if "InferenceSpecification" not in params:
        raise invalid("Either InferenceSpecification or SourceAlgorithmSpecification must be provided")
    for container in params["InferenceSpecification"]["Containers"]:
        url = container.get("ModelDataUrl", "")
        if "Image" not in container:
            raise NotSupported("CreateModelPackage with a container without Image")
        if url and not url.startswith("s3://"):
            raise invalid(f"Invalid ModelDataUrl {url}: it must be an S3 URL")
    if params.get("ModelApprovalStatus", STATUSES[0]) not in STATUSES:
        raise invalid(f"ModelApprovalStatus must be one of {', '.join(STATUSES)}")


@sagemaker.operation("DescribeModelPackage")
def describe_model_package(call: Call) -> dict[str, Any]:
    return dict(find_package(call, call.params["ModelPackageName"]))


@sagemaker.operation("BatchDescribeModelPackage")
def batch_describe_model_package(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name in call.params["ModelPackageArnList"]:
        try:
            package = find_package(call, name)
            found[name] = {k: package[k] for k in (*SUMMARY, "InferenceSpecification") if k in package}
            for left_out in ("ModelPackageName", "ModelLifeCycle"):
                found[name].pop(left_out, None)
        except AwsError as error:
            errors[name] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": found, **({"BatchDescribeModelPackageErrorMap": errors} if errors else {})}


@sagemaker.operation("ListModelPackages")
def list_model_packages(call: Call) -> dict[str, Any]:
    """The order is by creation, ascending where SortOrder is not given (API Reference, "ListModelPackages")."""
    params = call.params
    base.only(
        params, "ListModelPackages", *LISTED, "SortBy", "SortOrder", "ModelApprovalStatus", "ModelPackageGroupName",
        "ModelPackageType",
    )  # fmt: skip
    registry = call.cloud.state(Registry, call.account, call.region)
    versions = [v for group in registry.groups.values() for v in group.versions.values()]
    if "ModelPackageGroupName" in params:
        packages = list(find_group(call, params["ModelPackageGroupName"]).versions.values())
    else:
        kind = params.get("ModelPackageType", "Unversioned")
        packages = (versions if kind in {"Versioned", "Both"} else []) + (
            list(registry.unversioned.values()) if kind in {"Unversioned", "Both"} else []
        )
    if "ModelApprovalStatus" in params:
        packages = [p for p in packages if p.get("ModelApprovalStatus") == params["ModelApprovalStatus"]]
    items = [
        {"Name": package.get("ModelPackageName", package.get("ModelPackageGroupName")), **package}
        for package in packages
    ]
    found = base.selected(items, params, "Name", order="Ascending")
    summaries = [{name: item[name] for name in SUMMARY if name in item} for item in found]
    return base.page(summaries, params, "ModelPackageSummaryList")


@sagemaker.operation("UpdateModelPackage")
def update_model_package(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "UpdateModelPackage", "ModelPackageArn", "ModelApprovalStatus", "ApprovalDescription",
        "CustomerMetadataProperties", "CustomerMetadataPropertiesToRemove", "ClientToken", "SourceUri",
        "InferenceSpecification", "ModelLifeCycle",
    )  # fmt: skip
    registry, _ = place(call, params["ModelPackageArn"])
    replaced = ("ModelApprovalStatus", "ApprovalDescription", "SourceUri", "InferenceSpecification", "ModelLifeCycle")
    changed: list[str] = [name for name in replaced if name in params]
    if "InferenceSpecification" in params:
        check_specification(params)
    with registry.lock:
        package = find_package(call, params["ModelPackageArn"])
        if "ModelApprovalStatus" in params and "ModelPackageVersion" not in package:
            raise invalid("ModelApprovalStatus can be updated for versioned model packages only.")
        for name in changed:
            package[name] = params[name]
        if params.get("CustomerMetadataProperties") or params.get("CustomerMetadataPropertiesToRemove"):
            kept = {**package.get("CustomerMetadataProperties", {}), **params.get("CustomerMetadataProperties", {})}
            for key in params.get("CustomerMetadataPropertiesToRemove", []):
                kept.pop(key, None)
            package["CustomerMetadataProperties"] = kept
            changed.append("CustomerMetadataProperties")
        package |= {"LastModifiedTime": base.now(), "LastModifiedBy": base.user(call.principal)}
    announce(call.cloud, package, changed)
    return {"ModelPackageArn": package["ModelPackageArn"]}


@sagemaker.operation("DeleteModelPackage")
def delete_model_package(call: Call) -> dict[str, Any]:
    registry, short = place(call, call.params["ModelPackageName"])
    with registry.lock:
        package = find_package(call, call.params["ModelPackageName"])
        if "ModelPackageVersion" in package:
            del registry.groups[package["ModelPackageGroupName"]].versions[package["ModelPackageVersion"]]
        else:
            del registry.unversioned[short]
        base.drop_tags(call.cloud, package["ModelPackageArn"])
    return {}


def announce(cloud: Cloud, package: dict[str, Any], changed: list[str] | None = None) -> None:
    """SageMaker Model Package State Change: after a registration, and after every update."""
    account, region = base.owner(package["ModelPackageArn"])
    left_out = {"CreatedBy", "LastModifiedBy", "ModelPackageName", "ModelCard"}
    detail = {name: value for name, value in package.items() if name not in left_out}
    if changed:
        detail["UpdatedModelPackageFields"] = changed
    base.announce(cloud, account, region, "SageMaker Model Package State Change", [package["ModelPackageArn"]], detail)
