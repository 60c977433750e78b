"""Requests that AWS refuses and moto takes: S3, SQS, SNS, CloudWatch Logs, IAM and KMS, where templates meet them.

Amazon S3 User Guide, "General purpose bucket naming rules", "Specifying server-side encryption", "Blocking public
access to your Amazon S3 storage" (the meaning of public); S3 API Reference, "Error responses", PutBucketEncryption,
PutBucketLifecycleConfiguration; SQS API Reference, "CreateQueue"; SNS API Reference, "CreateTopic", "Subscribe";
CloudWatch Logs API Reference, "PutRetentionPolicy"; IAM User Guide, "IAM and AWS STS quotas"; KMS API Reference,
"CreateAlias", "ScheduleKeyDeletion". The API models say the rest: names, lengths, enumerations.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError, NotSupported
from awslang.policy.action_table import table
from awslang.policy.document import MalformedPolicy, parse
from localaws import moto_bridge, shapes
from localaws.authorization import s3
from localaws.authorization.resources import key_arn
from localaws.calls import Call

# -- S3 ----------------------------------------------------------------------------------------

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
TAKEN_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
TAKEN_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
KEY_BYTES = 1024
NOT_WELL_FORMED = "The XML you provided was not well-formed or did not validate against our published schema"
# Condition keys that keep a statement for everybody from being public, where their values are fixed.
NOT_PUBLIC = {
    "aws:principalorgid", "aws:principalarn", "aws:principalaccount", "aws:sourceip", "aws:sourcearn", "aws:sourcevpc",
    "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount", "aws:userid", "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
}  # fmt: skip


def bucket_name(call: Call) -> None:
    name = call.params["Bucket"]
    address = re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name)
    wrong = not BUCKET.fullmatch(name) or ".." in name or address
    if wrong or name.startswith(TAKEN_STARTS) or name.endswith(TAKEN_ENDS):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.")


def written_object(call: Call) -> None:
    """PutObject, CopyObject, CreateMultipartUpload: the key, the ACL, the encryption."""
    params = call.params
    if len(params["Key"].encode()) > KEY_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long")
    asked, key = params.get("ServerSideEncryption"), params.get("SSEKMSKeyId")
    if asked and asked not in enumeration("ServerSideEncryption"):
        raise AwsError("InvalidArgument", "The encryption method specified is not supported")
    if key and "kms" not in (asked or ""):
        raise AwsError(
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
        )
    named = str(key or ("" if asked == "AES256" else s3.default_key(params["Bucket"])))
    if named and "alias/aws/" not in named:
        usable_key(key_arn(call.account, call.region, named))
    canned_acl(call, "ObjectCannedACL")


def encrypted_object(call: Call, _: Any) -> None:
    """An object remembers its key by ARN, however it was named: a key's alias may change afterwards."""
    found = s3.object_state(call.params["Bucket"], call.params["Key"])
    key = getattr(found, "kms_key_id", None)
    if key and "alias/aws/" not in key:
        found.kms_key_id = key_arn(call.account, call.region, key)


def usable_key(arn: str) -> None:
    _, _, _, region, account, name = arn.split(":", 5)
    found = moto_bridge.backend("kms", account, region).keys.get(name.removeprefix("key/"))
    if found is None:
        raise AwsError("KMS.NotFoundException", f"Key '{arn}' does not exist")
    if found.key_state == "PendingDeletion":
        raise AwsError("KMS.KMSInvalidStateException", f"{arn} is pending deletion.")
    if not found.enabled:
        raise AwsError("KMS.DisabledException", f"{arn} is disabled.")


def enumeration(shape: str) -> list[str]:
    return list(get_service_model("s3").shape_for(shape).metadata["enum"])


def canned_acl(call: Call, shape: str) -> None:
    if (asked := call.params.get("ACL")) and asked not in enumeration(shape):
        raise AwsError("InvalidArgument", f"The canned ACL {asked} is not supported")


def block_public_access(call: Call, _: Any) -> None:
    """A new bucket blocks public access (S3 User Guide, "Blocking public access", since April 2023)."""
    backend = moto_bridge.backend("s3", call.account, "aws")
    backend.put_public_access_block(call.params["Bucket"], dict.fromkeys(PUBLIC_ACCESS, True))


PUBLIC_ACCESS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def bucket_acl(call: Call) -> None:
    canned_acl(call, "BucketCannedACL")


def well_formed(call: Call) -> None:
    """A bucket's configuration keeps to S3's schema."""
    shape = get_service_model("s3").operation_model(call.operation).input_shape
    if shape is not None and shapes.violations(shape, call.params, ""):
        raise AwsError("MalformedXML", NOT_WELL_FORMED)


def bucket_encryption(call: Call) -> None:
    well_formed(call)
    for rule in call.params["ServerSideEncryptionConfiguration"].get("Rules", []):
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        if default.get("KMSMasterKeyID") and "kms" not in default.get("SSEAlgorithm", ""):
            raise AwsError(
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            )


LIFECYCLE_ACTIONS = ("Expiration", "Transitions", "NoncurrentVersionExpiration", "NoncurrentVersionTransitions",
                     "AbortIncompleteMultipartUpload")  # fmt: skip


def bucket_lifecycle(call: Call) -> None:
    well_formed(call)
    for rule in call.params.get("LifecycleConfiguration", {}).get("Rules", []):
        if not any(rule.get(action) for action in LIFECYCLE_ACTIONS):
            raise AwsError("InvalidRequest", "At least one action needs to be specified in a rule")
        if rule.get("Expiration", {}).get("Days", 1) <= 0:
            raise AwsError("InvalidArgument", "'Days' for Expiration action must be a positive integer")


def bucket_notification(call: Call) -> None:
    if call.params.get("NotificationConfiguration", {}).get("LambdaFunctionConfigurations"):
        raise NotSupported("a bucket that calls a function")


def bucket_policy(call: Call) -> None:
    """Actions that S3 has, on what they act on; nothing public where the bucket blocks it."""
    known = table("s3")
    assert known is not None
    try:
        statements = parse(call.params["Policy"], "the policy", call.account, "resource").statements
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicy", str(error)) from error
    for statement in statements:
        kinds: set[str] = set()
        for action in statement.actions:
            pattern = action.lower().removeprefix("s3:")
            found = [name for name in known.actions if fnmatchcase(name.lower(), pattern)]
            if not found:
                raise AwsError("MalformedPolicy", "Policy has invalid action")
            kinds |= {kind for name in found for kind in known.actions[name]}
        objects = any("/" in resource or resource.endswith("*") for resource in statement.resources or ())
        buckets = any("/" not in resource for resource in statement.resources or ())
        fits = (objects and "object" in kinds) or (buckets and "bucket" in kinds)
        if statement.resources and not statement.not_resources and not statement.not_actions and not fits:
            raise AwsError("MalformedPolicy", "Action does not apply to any resource(s) in statement")
    bucket = s3.bucket_state(call.params["Bucket"])
    blocks = (
        bucket is not None and bucket.public_access_block is not None and bucket.public_access_block.block_public_policy
    )
    if blocks and any(map(public, json_statements(call.params["Policy"]))):
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"arn:aws:s3:::{call.params["Bucket"]}" because public policies are prevented by the BlockPublicPolicy '
            "setting in S3 Block Public Access.",
            403,
        )


def json_statements(text: str) -> list[Mapping[str, Any]]:
    found = json.loads(text)["Statement"]
    return found if isinstance(found, list) else [found]


def public(statement: Mapping[str, Any]) -> bool:
    """Whether a statement allows something to everybody, as S3 understands it."""
    if statement["Effect"] != "Allow":
        return False
    principal = statement.get("Principal", {})
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    if "NotPrincipal" not in statement and "*" not in (named if isinstance(named, list) else [named]):
        return False
    for operator, tests in (statement.get("Condition") or {}).items():
        positive = not re.search(r"Not|Null|IfExists", operator)
        for key, value in tests.items():
            values = value if isinstance(value, list) else [value]
            if positive and key.lower() in NOT_PUBLIC and all(fixed(key.lower(), str(one)) for one in values):
                return False
    return True


def fixed(key: str, value: str) -> bool:
    if key == "aws:sourceip":
        network = ipaddress.ip_network(value, strict=False)
        return network.is_private or network.prefixlen >= (8 if network.version == 4 else 32)
    if key in ("s3:dataaccesspointarn", "aws:sourcearn", "aws:principalarn"):
        return "*" not in ":".join(value.split(":")[:5]) and "${" not in value
    return not re.search(r"[*?]|\$\{", value)


# -- queues, topics, logs ----------------------------------------------------------------------

RANGES = {
    "DelaySeconds": (0, 900), "MaximumMessageSize": (1024, 1_048_576), "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20), "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}  # fmt: skip
QUEUE_SETTABLE = {*RANGES, "Policy", "RedrivePolicy", "RedriveAllowPolicy", "FifoQueue", "ContentBasedDeduplication",
                  "KmsMasterKeyId", "DeduplicationScope", "FifoThroughputLimit", "SqsManagedSseEnabled"}  # fmt: skip


def queue_attributes(call: Call) -> None:
    for name, value in (call.params.get("Attributes") or {}).items():
        if name not in QUEUE_SETTABLE:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in RANGES:
            least, most = RANGES[name]
            if not str(value).isdigit() or not least <= int(value) <= most:
                raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


TOPIC_ATTRIBUTES = {
    "DeliveryPolicy", "DisplayName", "FifoTopic", "Policy", "SignatureVersion", "TracingConfig", "KmsMasterKeyId",
    "ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope", "DataProtectionPolicy",
}  # fmt: skip
FEEDBACK = re.compile(r"(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)")
PROTOCOLS = {"http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"}


def topic_attributes(call: Call) -> None:
    names = [
        *call.params.get("Attributes", {}),
        *([call.params["AttributeName"]] if "AttributeName" in call.params else []),
    ]
    if wrong := [name for name in names if name not in TOPIC_ATTRIBUTES and not FEEDBACK.fullmatch(name)]:
        raise AwsError("InvalidParameter", f"Invalid parameter: AttributeName ({wrong[0]})")


def subscription(call: Call) -> None:
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    if protocol not in PROTOCOLS:
        raise AwsError("InvalidParameter", "Invalid parameter: Does not support this protocol string: " + protocol)
    if protocol == "lambda":
        raise NotSupported("a function that subscribes to a topic")
    if protocol in ("email", "email-json") and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", endpoint):
        raise AwsError("InvalidParameter", "Invalid parameter: Email address")
    if protocol in ("http", "https") and not endpoint.startswith(f"{protocol}://"):
        raise AwsError("InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")
    if (filtering := call.params.get("Attributes", {}).get("FilterPolicy")) is not None:
        try:
            json.loads(filtering)
        except ValueError as error:
            raise AwsError("InvalidParameter", "Invalid parameter: FilterPolicy: failed to parse JSON") from error


RETENTION = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


def retention(call: Call) -> None:
    if call.params["retentionInDays"] not in RETENTION:
        raise AwsError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{call.params['retentionInDays']}' at 'retentionInDays' failed to "
            f"satisfy constraint: Member must satisfy enum value set: {sorted(RETENTION)}",
        )


# -- IAM, KMS ----------------------------------------------------------------------------------

ROLE_POLICIES, MANAGED_POLICY, MANAGED_PER_ROLE = 10_240, 6_144, 10  # characters without white space; policies


def plain(text: str) -> int:
    """The length of a policy, white space left out, as IAM counts it."""
    return len(re.sub(r"\s", "", text))


def iam_names(call: Call) -> None:
    shapes.check(call, "ValidationError")


def managed_policy(call: Call) -> None:
    iam_names(call)
    if plain(call.params["PolicyDocument"]) > MANAGED_POLICY:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PolicySize: {MANAGED_POLICY}", 409)


def inline_policy(call: Call) -> None:
    iam_names(call)
    role = list(moto_bridge.backend("iam", call.account, "aws").roles.values())
    found = next((one for one in role if one.name == call.params["RoleName"]), None)
    others = {} if found is None else {k: v for k, v in found.policies.items() if k != call.params["PolicyName"]}
    if sum(map(plain, [*others.values(), call.params["PolicyDocument"]])) > ROLE_POLICIES:
        raise AwsError(
            "LimitExceeded",
            f"Maximum policy size of {ROLE_POLICIES} bytes exceeded for role {call.params['RoleName']}",
            409,
        )


def attached_policy(call: Call) -> None:
    roles = list(moto_bridge.backend("iam", call.account, "aws").roles.values())
    found = next((one for one in roles if one.name == call.params["RoleName"]), None)
    known = found.managed_policies if found is not None else {}
    if len(known) >= MANAGED_PER_ROLE and call.params["PolicyArn"] not in known:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {MANAGED_PER_ROLE}", 409)


def key_alias(call: Call) -> None:
    if call.params["AliasName"].startswith("alias/aws/"):
        raise AwsError("NotAuthorizedException", "")


def key_deletion(call: Call) -> None:
    if not 7 <= call.params.get("PendingWindowInDays", 30) <= 30:
        raise AwsError("ValidationException", "PendingWindowInDays must be from 7 to 30")


CHECKS: dict[tuple[str, str], Callable[[Call], None]] = {
    ("s3", "CreateBucket"): bucket_name,
    ("s3", "PutBucketAcl"): bucket_acl,
    ("s3", "PutBucketEncryption"): bucket_encryption,
    ("s3", "PutBucketLifecycleConfiguration"): bucket_lifecycle,
    ("s3", "PutBucketNotificationConfiguration"): bucket_notification,
    ("s3", "PutBucketPolicy"): bucket_policy,
    ("sns", "CreateTopic"): topic_attributes,
    ("sns", "SetTopicAttributes"): topic_attributes,
    ("sns", "Subscribe"): subscription,
    ("sqs", "CreateQueue"): queue_attributes,
    ("sqs", "SetQueueAttributes"): queue_attributes,
    ("logs", "PutRetentionPolicy"): retention,
    ("iam", "CreateRole"): iam_names,
    ("iam", "CreatePolicy"): managed_policy,
    ("iam", "PutRolePolicy"): inline_policy,
    ("iam", "AttachRolePolicy"): attached_policy,
    ("kms", "CreateAlias"): key_alias,
    ("kms", "ScheduleKeyDeletion"): key_deletion,
}
CHECKS |= dict.fromkeys((("s3", name) for name in ("PutObject", "CopyObject", "CreateMultipartUpload")), written_object)
CHECKS |= dict.fromkeys(
    (("s3", name) for name in ("PutBucketVersioning", "PutBucketOwnershipControls", "PutPublicAccessBlock")),
    well_formed,
)
