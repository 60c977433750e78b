"""What a request needs: IAM actions, the resources they act on, and their condition keys.

Service Authorization Reference, "Actions, resources, and condition keys for AWS services". A
request for which no action or resource can be told is refused, never let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError, NotSupported
from awslang.policy.action_table import table
from localaws.authorization import s3
from localaws.authorization.keys import service_keys
from localaws.authorization.resources import key_arn, resources
from localaws.calls import Call
from localaws.cloud import arn

PREFIX = {
    "stepfunctions": "states", "sagemaker-runtime": "sagemaker", "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}  # fmt: skip
OWN_ACCOUNT = {"organizations", "cloudformation", "servicecatalog", "iam", "sts"}  # whatever account the ARN shows
# Operations whose action has another name.
ACTIONS: dict[tuple[str, str], str] = {
    ("sns", "PublishBatch"): "Publish",
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("kms", "ReEncrypt"): "ReEncryptFrom",
    ("lambda", "Invoke"): "InvokeFunction",
    ("dynamodb", "TransactGetItems"): "GetItem",
    ("dynamodb", "TransactWriteItems"): "PutItem",
    ("states", "StartSyncExecution"): "StartSyncExecution",
}
# Operations that anybody with valid credentials may call (STS API Reference, GetCallerIdentity).
FREE = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}
# Setting tags while creating needs the service's tagging action too.
TAG_ON_CREATE = {
    "application-autoscaling": "TagResource", "cloudwatch": "TagResource", "codecommit": "TagResource",
    "codepipeline": "TagResource", "dynamodb": "TagResource", "ecr": "TagResource", "events": "TagResource",
    "kms": "TagResource", "lambda": "TagResource", "logs": "TagResource", "organizations": "TagResource",
    "sagemaker": "AddTags", "secretsmanager": "TagResource", "sns": "TagResource", "sqs": "TagQueue",
    "ssm": "AddTagsToResource", "states": "TagResource",
}  # fmt: skip
IAM_TAG_ON_CREATE = {
    "CreateRole": "TagRole", "CreateUser": "TagUser", "CreatePolicy": "TagPolicy",
    "CreateInstanceProfile": "TagInstanceProfile",
}  # fmt: skip
CREATES = re.compile(r"(Create|Register|Put(Rule|Parameter|MetricAlarm)$|EnableSageMaker)")
SCALING = "sagemaker.application-autoscaling.amazonaws.com"
SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
# The service that takes over a role passed to it, where it is not SERVICE.amazonaws.com.
PASSED_TO = {"stepfunctions": "states.amazonaws.com", "sagemaker-runtime": "sagemaker.amazonaws.com"}
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
PASSES_LATER = {("sagemaker", "CreateProject"), ("sagemaker", "UpdateProject")}  # when it asks CloudFormation
PASSES_NO_ROLE = {"sts", "iam", "organizations", "kms", "s3", "sns", "sqs", "secretsmanager", "ecr", "cloudwatch"}


@dataclass(frozen=True)
class Need:
    """One action on one resource.

    account: whose the resource is ("" for one that does not exist)
    through: the service that asks on the caller's behalf (S3 using a key)
    """

    action: str
    resource: str
    account: str
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    through: str = ""


def derive(call: Call) -> list[Need]:
    """Everything that the caller needs for this call; NotSupported where it cannot be told."""
    prefix = PREFIX.get(call.service, call.service)
    if (prefix, call.operation) in FREE:
        return []
    found = list(_s3(call) if prefix == "s3" else _others(call, prefix))
    if not found and call.params.get("ResourceArn") == "":
        raise AwsError("ValidationException", "1 validation error detected: Value '' at 'resourceArn' is no ARN")
    if not found:
        raise NotSupported(f"authorization of {call.service}:{call.operation}: its action or resource cannot be told")
    return [*found, *_passed_roles(call)]


def _others(call: Call, prefix: str) -> Iterator[Need]:
    known = table(prefix)
    action = ACTIONS.get((prefix, call.operation), call.operation)
    if known is None or action not in known.actions:
        return
    types = known.actions[action]
    arns = resources(call, prefix, types, known) if any(types) else ["*"]
    if not arns and "" in types and prefix not in NAMED:
        arns = ["*"]
    keys = {**_tag_keys(call.params), **service_keys(call, prefix)}
    for resource in arns:
        yield _need(call, prefix, action, resource, keys)
    yield from _more(call, prefix, arns, keys)


# Services whose creations without a resource in the parameters are not "*" but a mistake of ours.
NAMED = {"events", "logs", "sns", "sqs", "secretsmanager"}


def _need(call: Call, prefix: str, action: str, resource: str, keys: Mapping[str, tuple[str, ...]]) -> Need:
    owner = resource.split(":")[4] if resource.startswith("arn:") and prefix not in OWN_ACCOUNT else ""
    account = owner if owner.isdigit() else call.account
    return Need(f"{prefix}:{action}", resource, account, keys)


def _more(call: Call, prefix: str, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """Further actions of the same call: tagging while creating, a stack's policy, a shared model package."""
    tags = any(name.startswith("aws:requesttag/") for name in keys)
    if tags and prefix == "iam" and call.operation in IAM_TAG_ON_CREATE:
        yield from (_need(call, prefix, IAM_TAG_ON_CREATE[call.operation], resource, keys) for resource in arns)
    elif tags and prefix in TAG_ON_CREATE and CREATES.match(call.operation):
        tagged = arns[:1] if prefix == "sagemaker" else arns
        yield from (_need(call, prefix, TAG_ON_CREATE[prefix], _taggable(prefix, one), keys) for one in tagged)
    if (prefix, call.operation) == ("kms", "ReEncrypt"):
        destination = key_arn(call.account, call.region, call.params["DestinationKeyId"])
        yield _need(call, prefix, "ReEncryptTo", destination, keys)
    if (prefix, call.operation) == ("cloudformation", "UpdateStack") and any("StackPolicy" in k for k in call.params):
        yield from (_need(call, prefix, "SetStackPolicy", resource, keys) for resource in arns)
    if (prefix, call.operation) == ("sagemaker", "CreateModel"):
        yield from _shared_packages(call, keys)
    if prefix == "application-autoscaling" and call.params.get("ServiceNamespace") == "sagemaker":
        yield from _scaled_endpoint(call)
    if prefix == "ecr":
        yield from _registry(call)


def _registry(call: Call) -> Iterator[Need]:
    """What ECR asks of who sets a registry up: the role that it then acts as, and what a creation template stands for.

    Amazon ECR User Guide, "Amazon ECR service-linked role for replication" and "… for repository creation templates",
    "IAM permissions for creating repository creation templates".
    """
    if call.operation == "PutReplicationConfiguration" and call.params["replicationConfiguration"]["rules"]:
        yield _linked(call, "replication.ecr.amazonaws.com", "AWSServiceRoleForECRReplication")
    elif call.operation == "CreateRepositoryCreationTemplate":
        yield _linked(call, "ecr.amazonaws.com", "AWSServiceRoleForECRTemplate")
    if call.operation in {"CreateRepositoryCreationTemplate", "UpdateRepositoryCreationTemplate"}:
        repositories = arn("ecr", call.region, call.account, f"repository/{call.params['prefix'].rstrip('/')}/*")
        yield Need("ecr:CreateRepository", repositories, call.account)
        for parameter, action in (
            ("repositoryPolicy", "SetRepositoryPolicy"),
            ("lifecyclePolicy", "PutLifecyclePolicy"),
        ):
            if parameter in call.params:
                yield Need(f"ecr:{action}", repositories, call.account)


def _linked(call: Call, service: str, role: str) -> Need:
    name = f"arn:aws:iam::{call.account}:role/aws-service-role/{service}/{role}"
    return Need("iam:CreateServiceLinkedRole", name, call.account, {"iam:awsservicename": (service,)})


def _scaled_endpoint(call: Call) -> Iterator[Need]:
    """What Application Auto Scaling sees to that its caller may do to the endpoint and to CloudWatch's alarms.

    SageMaker Developer Guide, "Auto scaling prerequisites"; Application Auto Scaling User Guide, "Permissions
    validation for Application Auto Scaling API calls on target resources" and "Service-linked roles".
    """
    if call.operation == "RegisterScalableTarget":
        endpoint = arn("sagemaker", call.region, call.account, "/".join(call.params["ResourceId"].split("/")[:2]))
        for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
            yield Need(f"sagemaker:{action}", endpoint, call.account)
        yield _linked(call, SCALING, SCALING_ROLE)
    elif call.operation == "PutScalingPolicy" and call.params.get("PolicyType") == "TargetTrackingScaling":
        name = f"alarm:TargetTracking-{call.params['ResourceId']}-AlarmHigh"
        for action in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms"):
            yield Need(f"cloudwatch:{action}", arn("cloudwatch", call.region, call.account, name), call.account)


def _taggable(prefix: str, resource: str) -> str:
    return resource.removesuffix(":log-stream:") if prefix == "logs" else resource


def _shared_packages(call: Call, keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """A model from another account's model package needs that group's policy (SageMaker Developer Guide,
    "Deploy a model version from a different account": sagemaker:CreateModel on the package)."""
    containers = [call.params.get("PrimaryContainer", {}), *call.params.get("Containers", [])]
    for package in (container.get("ModelPackageName", "") for container in containers):
        if package.startswith("arn:") and package.split(":")[4] != call.account:
            yield _need(call, "sagemaker", "CreateModel", package, keys)


# -- S3 -----------------------------------------------------------------------------------------------


def _s3(call: Call) -> Iterator[Need]:
    known = table("s3")
    for need in s3.needs(call, known.actions if known else {}):
        owner = s3.bucket_owner(need.bucket) or call.account
        keys = s3.keys(call, need)
        if call.operation in ("PutBucketTagging", "CreateBucket", "TagResource"):
            keys |= _tag_keys(call.params)
        yield Need(f"s3:{need.action}", need.arn, owner, keys)
        yield from _object_key(call, need, owner)


def _object_key(call: Call, need: s3.Need, owner: str) -> Iterator[Need]:
    """The key of an object encrypted with SSE-KMS: Decrypt to read, GenerateDataKey to write."""
    named = s3.kms_key(call, need)
    if not named:
        return
    writes = need.action == "PutObject"
    key = key_arn(call.account or owner if writes else owner, call.region, named)
    context = f"arn:aws:s3:::{need.bucket}" if s3.bucket_key(call, need.bucket) else need.arn
    keys = {
        "kms:encryptioncontext:aws:s3:arn": (context,),
        "kms:encryptioncontextkeys": ("aws:s3:arn",),
        "kms:encryptionalgorithm": ("SYMMETRIC_DEFAULT",),
    }
    actions = ["kms:GenerateDataKey"] if writes else ["kms:Decrypt"]
    if call.operation == "CreateMultipartUpload":
        actions.append("kms:Decrypt")
    for action in actions:
        yield Need(action, key, key.split(":")[4], keys, through="s3.amazonaws.com")


# -- tags and roles in the parameters -------------------------------------------------------------------


def request_tags(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a request sets, in whichever form the service has them."""
    for name in ("Tags", "tags", "TagList", "Tagging", "CreateBucketConfiguration"):
        value = params.get(name)
        if name in ("Tagging", "CreateBucketConfiguration") and isinstance(value, dict):
            value = value.get("TagSet") or value.get("Tags")
        if isinstance(value, dict):
            return {str(k): str(v) for k, v in value.items()}
        if isinstance(value, list) and value and all(isinstance(tag, dict) for tag in value):
            lower = [{k.lower().removeprefix("tag"): v for k, v in tag.items()} for tag in value]
            return {str(tag.get("key", "")): str(tag.get("value", "")) for tag in lower}
    return {}


def _tag_keys(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    tags = request_tags(params)
    removed = params.get("TagKeys") or params.get("tagKeys") or params.get("TagKeyList") or []
    names = (*tags, *(removed if isinstance(removed, list) else []))
    keys = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    return keys | ({"aws:tagkeys": names} if names else {})


def passed_roles(call: Call) -> dict[str, str]:
    """The roles that the call passes: ARN and the service that will act as it."""
    if call.service in PASSES_NO_ROLE or (call.service, call.operation) in PASSES_LATER:
        return {}
    service = PASSED_TO.get(call.service, f"{call.service}.amazonaws.com")
    if call.service == "codepipeline":  # an action's own role is assumed by the pipeline's, not passed
        roles: Iterator[str] = iter([call.params.get("pipeline", {}).get("roleArn", "")])
    else:
        roles = (role for path in _role_members(call.service, call.operation) for role in _at(call.params, path))
    return {role: service for role in roles if ROLE.fullmatch(role)}


@cache
def _role_members(service: str, operation: str) -> tuple[tuple[str, ...], ...]:
    """The members of the operation's input that name a role, as paths; * stands for whatever key a map has."""

    def within(shape: Any, path: tuple[str, ...], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if shape.name in above:
            return  # a shape that holds itself
        above = (*above, shape.name)
        if shape.type_name == "list":
            yield from within(shape.member, path, above)
        elif shape.type_name == "map":
            yield from within(shape.value, (*path, "*"), above)
        elif shape.type_name == "structure":
            for name, member in shape.members.items():
                yield from within(member, (*path, name), above)
        elif path and "role" in path[-1].lower():
            yield path

    shape = get_service_model(service).operation_model(operation).input_shape
    return tuple(within(shape, (), ())) if shape is not None else ()


def _at(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield str(value)
    elif path[0] == "*":
        for item in value.values():
            yield from _at(item, path[1:])
    elif path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _passed_roles(call: Call) -> Iterator[Need]:
    for role, service in passed_roles(call).items():
        keys = {"iam:passedtoservice": (service,)}
        yield Need("iam:PassRole", role, role.split(":")[4], keys)
