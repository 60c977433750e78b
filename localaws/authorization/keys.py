"""Condition keys of single services, from the request's parameters (Service Authorization Reference)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from localaws.calls import Call

Keys = dict[str, tuple[str, ...]]
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


def _kms(call: Call) -> Keys:
    """KMS Developer Guide, "AWS KMS condition keys"; kms:CallerAccount and kms:ViaService stand in context.py."""
    params = call.params
    context = params.get("EncryptionContext") or {}
    keys: Keys = {f"kms:encryptioncontext:{k.lower()}": (str(v),) for k, v in context.items()}
    if context:
        keys["kms:encryptioncontextkeys"] = tuple(context)
    if str(params.get("KeyId", "")).startswith("alias/") or ":alias/" in str(params.get("KeyId", "")):
        keys["kms:requestalias"] = (params["KeyId"].rsplit(":", 1)[-1],)
    for key, name in (("kms:keyspec", "KeySpec"), ("kms:keyusage", "KeyUsage"), ("kms:keyorigin", "Origin")):
        if call.operation == "CreateKey":
            default = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS"}[name]
            keys[key] = (str(params.get(name, default)),)
    if call.operation == "CreateKey":
        keys["kms:multiregion"] = (str(params.get("MultiRegion", False)).lower(),)
    if call.operation == "CreateGrant":
        keys["kms:granteeprincipal"] = (params.get("GranteePrincipal", ""),)
        keys["kms:grantoperations"] = tuple(params.get("Operations", []))
        keys["kms:grantisforawsresource"] = ("true" if call.principal.called_via else "false",)
    if call.operation == "ScheduleKeyDeletion":
        keys["kms:schedulekeydeletionpendingwindowindays"] = (str(params.get("PendingWindowInDays", 30)),)
    return keys


def _servicecatalog(call: Call) -> Keys:
    """servicecatalog:userLevel, roleLevel and accountLevel: the access level that the request asks for."""
    level = call.params.get("AccessLevelFilter") or {}
    key = str(level.get("Key", "User")).lower()
    return {f"servicecatalog:{key}level": (str(level.get("Value", "self")),)}


def _sagemaker(call: Call) -> Keys:
    if call.operation in ("CreateModel", "CreateTrainingJob", "CreateProcessingJob"):
        return {"sagemaker:networkisolation": (str(call.params.get("EnableNetworkIsolation", False)).lower(),)}
    return {}


OWN: dict[str, Callable[[Call], Keys]] = {"kms": _kms, "sagemaker": _sagemaker, "servicecatalog": _servicecatalog}


def service_keys(call: Call, prefix: str) -> Keys:
    """The service's own condition keys that the request carries; an absent one is left out."""
    found: Keys = {}
    for key, path in PATHS.get(prefix, {}).items():
        if values := tuple(dict.fromkeys(at(call.params, path.split(".")))):
            found[key.lower()] = values
    return found | (OWN[prefix](call) if prefix in OWN else {})
