"""The properties of a resource as its service shows them, for the types that are read here.

Each reader asks the operations that the read handler of the type's registry schema asks, as the caller of the
detection. It gives the properties by name (their case does not matter). A property that it leaves out is one that the
service no longer shows. What is in NOT_COMPARED, or is write-only in the schema, is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from awslang.template.schemas import schema
from localaws.authorization.tags import tags_of
from localaws.cloudformation.provider import Context
from localaws.cloudformation.providers.s3 import SETTINGS
from localaws.cloudformation.providers.shapes import fill, own_tags, tag_list, unless
from localaws.cloudformation.stacks import Resource, Stack

Reader = Callable[[Context, Resource, Stack], dict[str, Any]]
READERS: dict[str, Reader] = {}
NOT_COMPARED = {"KmsKeyId", "KMSKeyId", "KmsMasterKeyId"}  # (User Guide: a key has several names)
WITHOUT = {  # what S3 answers where a bucket has no such configuration
    "NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError", "ServerSideEncryptionConfigurationNotFoundError",
}  # fmt: skip
WRITE_ONLY = "writeOnlyProperties"
AS_THE_API = {"BucketEncryption", "LifecycleConfiguration", "CorsConfiguration", "LoggingConfiguration"}


def reads(*types: str) -> Callable[[Reader], Reader]:
    def register(reader: Reader) -> Reader:
        READERS.update(dict.fromkeys(types, reader))
        return reader

    return register


def compared(resource: Resource, region: str) -> dict[str, Any]:
    """The properties that are expected, and can be compared."""
    given = {name: value for name, value in resource.properties.items() if name not in NOT_COMPARED}
    for path in schema(resource.type, region).document.get("writeOnlyProperties", []):
        given = without(given, path.split("/")[2:])
    return {name: value for name, value in given.items() if value is not None}


def without(values: Any, path: list[str]) -> Any:
    """The values without what is at the path ("*": of each item), and without what is empty then."""
    if isinstance(values, list) and path[0] == "*":
        return [without(item, path[1:]) for item in values]
    if not isinstance(values, dict) or path[0] not in values:
        return values
    left = {name: value for name, value in values.items() if name != path[0]}
    inner = without(values[path[0]], path[1:]) if len(path) > 1 else None
    return {**left, path[0]: inner} if inner else left


def tags(context: Context, resource: Resource) -> Any:
    """The resource's own tags, in the form that the template has: without the stack's and AWS's."""
    arn = str(resource.attributes.get("Arn") or resource.physical_id)
    if resource.type == "AWS::S3::Bucket":  # for authorization, a bucket's tags count with ABAC alone
        answer = unless({"NoSuchTagSet"}, context.client("s3").get_bucket_tagging, Bucket=resource.physical_id)
        return own(context, resource, {tag["Key"]: tag["Value"] for tag in answer["TagSet"]} if answer else {})
    if resource.type == "AWS::SSM::Parameter":
        arn = f"arn:aws:ssm:{context.region}:{context.account}:parameter/{resource.physical_id.lstrip('/')}"
    return own(context, resource, tags_of(context.cloud, arn, context.region))


def own(context: Context, resource: Resource, found: dict[str, str]) -> Any:
    expected = own_tags(resource.properties)
    kept = {
        name: value
        for name, value in found.items()
        if name in expected or (not name.startswith("aws:") and context.tags.get(name) != value)
    }
    return tag_list(kept) if isinstance(resource.properties.get("Tags"), list) else kept


@reads("AWS::S3::Bucket")
def bucket(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    """Where a setting is written otherwise than in the API (AS_THE_API), it is the same or differs as a whole."""
    s3, name = context.client("s3"), resource.physical_id
    s3.head_bucket(Bucket=name)
    found: dict[str, Any] = {"BucketName": name}
    for setting, (operation, shaped, _) in SETTINGS.items():
        if (expected := resource.properties.get(setting)) is None:
            continue
        read = xform_name(operation.replace("Put", "Get"))
        answer = unless(WITHOUT, getattr(s3, read), Bucket=name) or {}
        wanted = fill(s3, operation, {"Bucket": name, **shaped(expected)}, setting)
        [(member, value)] = [(key, one) for key, one in wanted.items() if key != "Bucket"]
        live = {key: one for key, one in answer.items() if key != "ResponseMetadata"}
        live = live.get(member, live)
        if setting in AS_THE_API:
            found[setting] = expected if covers(live, value) else live
        else:
            found[setting] = live
    return found


def covers(live: Any, wanted: Any) -> bool:
    """Whether what is live says all that is wanted."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(covers(live.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(covers, live, wanted))
    return bool(live == wanted)


@reads("AWS::S3::BucketPolicy")
def bucket_policy(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    policy = context.client("s3").get_bucket_policy(Bucket=resource.physical_id)["Policy"]
    return {"Bucket": resource.physical_id, "PolicyDocument": policy}


@reads("AWS::IAM::Role")
def role(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    """Policies that other resources of the stack attach are not the role's own (User Guide, attachments)."""
    iam, name = context.client("iam"), resource.physical_id
    shown = iam.get_role(RoleName=name)["Role"]
    others = [one for one in stack.resources.values() if one.type.startswith("AWS::IAM::") and one is not resource]
    attached = {one.physical_id for one in others}
    inline = {one.properties.get("PolicyName") for one in others}
    names = [one for one in iam.list_role_policies(RoleName=name)["PolicyNames"] if one not in inline]
    managed = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return {
        **{key: value for key, value in shown.items() if key != "PermissionsBoundary"},
        "PermissionsBoundary": shown.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "ManagedPolicyArns": [one["PolicyArn"] for one in managed if one["PolicyArn"] not in attached],
        "Policies": [
            {"PolicyName": one, "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"]}
            for one in names
        ],
    }


@reads("AWS::IAM::ManagedPolicy")
def managed_policy(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    iam, arn = context.client("iam"), resource.physical_id
    shown = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=shown["DefaultVersionId"])["PolicyVersion"]
    holders = iam.list_entities_for_policy(PolicyArn=arn)
    return {
        **shown, "ManagedPolicyName": shown["PolicyName"], "PolicyDocument": version["Document"],
        **{f"{kind}s": [one[f"{kind}Name"] for one in holders[f"Policy{kind}s"]] for kind in ("Role", "User", "Group")},
    }  # fmt: skip


@reads("AWS::SQS::Queue")
def queue(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    found = context.client("sqs").get_queue_attributes(QueueUrl=resource.physical_id, AttributeNames=["All"])
    return {**found["Attributes"], "QueueName": resource.physical_id.rsplit("/", 1)[1]}


@reads("AWS::SNS::Topic")
def topic(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    sns, arn = context.client("sns"), resource.physical_id
    shown = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    others = {one.physical_id for one in stack.resources.values() if one.type == "AWS::SNS::Subscription"}
    found = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    subscriptions = [one for one in found if one["SubscriptionArn"] not in others]
    return {**shown, "TopicName": arn.rsplit(":", 1)[1], "Subscription": subscriptions}


@reads("AWS::Lambda::Function")
def function(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    found = context.client("lambda").get_function(FunctionName=resource.physical_id)
    reserved = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    return {**found["Configuration"], "ReservedConcurrentExecutions": reserved}


@reads("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Endpoint")
def of_sagemaker(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    kind = resource.type.rsplit("::", 1)[1]
    name = resource.physical_id.rsplit("/", 1)[1]
    describe = getattr(context.client("sagemaker"), xform_name(f"Describe{kind}"))
    found: dict[str, Any] = describe(**{f"{kind}Name": name})
    return {**found, "DeploymentConfig": found.get("LastDeploymentConfig")}


@reads("AWS::SageMaker::ModelPackageGroup")
def model_group(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    sagemaker, name = context.client("sagemaker"), resource.physical_id.rsplit("/", 1)[1]
    shown = sagemaker.describe_model_package_group(ModelPackageGroupName=name)
    policy = unless(
        {"ValidationException"}, sagemaker.get_model_package_group_policy, ModelPackageGroupName=name
    )  # the group has none
    return {**shown, "ModelPackageGroupPolicy": policy["ResourcePolicy"] if policy else None}


@reads("AWS::SSM::Parameter")
def parameter(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    [found] = context.client("ssm").get_parameters(Names=[resource.physical_id])["Parameters"] or [None]
    if found is None:
        raise Gone
    return dict(found)


@reads("AWS::Logs::LogGroup")
def log_group(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    found = context.client("logs").describe_log_groups(logGroupNamePrefix=resource.physical_id)["logGroups"]
    return first(found, "logGroupName", resource.physical_id)


@reads("AWS::CloudWatch::Alarm")
def alarm(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    found = context.client("cloudwatch").describe_alarms(AlarmNames=[resource.physical_id])["MetricAlarms"]
    return first(found, "AlarmName", resource.physical_id)


@reads("AWS::Events::Rule")
def rule(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    events, name = context.client("events"), str(resource.attributes.get("Arn", "")).rsplit("/", 1)[1]
    bus = {"EventBusName": resource.properties.get("EventBusName", "default")}
    return {
        **events.describe_rule(Name=name, **bus),
        "Targets": events.list_targets_by_rule(Rule=name, **bus)["Targets"],
    }


@reads("AWS::KMS::Key")
def key(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    kms, name = context.client("kms"), resource.physical_id
    shown = kms.describe_key(KeyId=name)["KeyMetadata"]
    return {
        **shown,
        "KeyPolicy": kms.get_key_policy(KeyId=name, PolicyName="default")["Policy"],
        "EnableKeyRotation": kms.get_key_rotation_status(KeyId=name)["KeyRotationEnabled"],
    }


@reads("AWS::DynamoDB::Table")
def table(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    shown = context.client("dynamodb").describe_table(TableName=resource.physical_id)["Table"]
    return {**shown, "BillingMode": shown.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")}


@reads("AWS::CodePipeline::Pipeline")
def pipeline(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    return dict(context.client("codepipeline").get_pipeline(name=resource.physical_id)["pipeline"])


@reads("AWS::CodeCommit::Repository")
def repository(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    name = str(resource.attributes.get("Name") or resource.properties["RepositoryName"])
    return dict(context.client("codecommit").get_repository(repositoryName=name)["repositoryMetadata"])


@reads("AWS::ApplicationAutoScaling::ScalableTarget")
def scalable_target(context: Context, resource: Resource, stack: Stack) -> dict[str, Any]:
    of = {
        "ServiceNamespace": resource.properties["ServiceNamespace"],
        "ResourceIds": [resource.properties["ResourceId"]],
    }
    scaling, name = context.client("application-autoscaling"), resource.properties["ResourceId"]
    found = first(scaling.describe_scalable_targets(**of)["ScalableTargets"], "ResourceId", name)
    actions = scaling.describe_scheduled_actions(ServiceNamespace=of["ServiceNamespace"], ResourceId=name)
    return {**found, "ScheduledActions": actions["ScheduledActions"]}


class Gone(Exception):
    """The service does not show the resource any more."""


def first(found: list[dict[str, Any]], member: str, name: str) -> dict[str, Any]:
    one = next((one for one in found if one[member] == name), None)
    if one is None:
        raise Gone
    return dict(one)


def is_gone(error: Exception) -> bool:
    """A service that has no such resource says so by a code of its own; SageMaker by a message."""
    if not isinstance(error, ClientError):
        return isinstance(error, Gone)
    cause = error.response["Error"]
    words = ("NotFound", "NoSuch", "DoesNotExist", "NonExistent", "404")
    missing = ("Could not find", "does not exist")
    return any(word in str(cause.get("Code", "")) for word in words) or any(
        word in str(cause.get("Message", "")) for word in missing
    )
