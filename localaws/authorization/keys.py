"""Condition keys of single services, from the request's parameters (Service Authorization Reference)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localaws import registry
from localaws.calls import Call
from localaws.service import Keys

# Parameter paths: a name leads into a structure, "*" into every item of a list.
PATHS: dict[str, dict[str, str]] = {
    "application-autoscaling": {
        "application-autoscaling:service-namespace": "ServiceNamespace",
        "application-autoscaling:scalable-dimension": "ScalableDimension",
    },
    "cloudformation": {
        "cloudformation:RoleArn": "RoleARN",
        "cloudformation:TemplateUrl": "TemplateURL",
        "cloudformation:ChangeSetName": "ChangeSetName",
        "cloudformation:StackPolicyUrl": "StackPolicyURL",
        "cloudformation:ResourceTypes": "ResourceTypes.*",
        "cloudformation:TargetRegion": "Regions.*",
    },
    "cloudwatch": {"cloudwatch:namespace": "Namespace", "cloudwatch:AlarmActions": "AlarmActions.*"},
    "codecommit": {"codecommit:References": "branchName"},
    "events": {
        "events:source": "Entries.*.Source",
        "events:detail-type": "Entries.*.DetailType",
        "events:TargetArn": "Targets.*.Arn",
    },
    "iam": {
        "iam:PermissionsBoundary": "PermissionsBoundary",
        "iam:PolicyARN": "PolicyArn",
        "iam:AWSServiceName": "AWSServiceName",
    },
    "lambda": {"lambda:Principal": "Principal", "lambda:VpcIds": "VpcConfig.VpcId"},
    "organizations": {"organizations:ServicePrincipal": "ServicePrincipal"},
    "sagemaker": {
        "sagemaker:ModelApprovalStatus": "ModelApprovalStatus",
        "sagemaker:ModelLifeCycle:Stage": "ModelLifeCycle.Stage",
        "sagemaker:ModelLifeCycle:StageStatus": "ModelLifeCycle.StageStatus",
        "sagemaker:InstanceTypes": "ProductionVariants.*.InstanceType",
        "sagemaker:ServerlessMaxConcurrency": "ProductionVariants.*.ServerlessConfig.MaxConcurrency",
        "sagemaker:ServerlessMemorySize": "ProductionVariants.*.ServerlessConfig.MemorySizeInMB",
        "sagemaker:VpcSubnets": "VpcConfig.Subnets.*",
        "sagemaker:VpcSecurityGroupIds": "VpcConfig.SecurityGroupIds.*",
        "sagemaker:VolumeKmsKey": "KmsKeyId",
        "sagemaker:OutputKmsKey": "OutputDataConfig.KmsKeyId",
        "sagemaker:MaxRuntimeInSeconds": "StoppingCondition.MaxRuntimeInSeconds",
        "sagemaker:TargetModel": "TargetModel",
    },
    "secretsmanager": {"secretsmanager:Name": "Name", "secretsmanager:SecretId": "SecretId"},
    "sns": {"sns:Protocol": "Protocol", "sns:Endpoint": "Endpoint"},
    "ssm": {"ssm:Overwrite": "Overwrite", "ssm:Recursive": "Recursive"},
    "sts": {"sts:ExternalId": "ExternalId", "sts:RoleSessionName": "RoleSessionName"},
}


def at(value: Any, path: list[str]) -> Iterator[str]:
    """The values at a path of the parameters, as strings."""
    if not path:
        if value is not None and not isinstance(value, dict | list):
            yield str(value).lower() if isinstance(value, bool) else str(value)
    elif path[0] == "*":
        for item in value if isinstance(value, list) else []:
            yield from at(item, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from at(value[path[0]], path[1:])


def service_keys(call: Call, prefix: str) -> Keys:
    """The service's own condition keys that the request carries; an absent one is left out."""
    found: Keys = {}
    for key, path in PATHS.get(prefix, {}).items():
        if values := tuple(dict.fromkeys(at(call.params, path.split(".")))):
            found[key.lower()] = values
    own = registry.access(call.service).keys
    return found | (own(call) if own else {})
