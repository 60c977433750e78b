"""AWS::S3::Bucket and AWS::S3::BucketPolicy (CloudFormation Template Reference, "Amazon S3")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore import xform_name

from awslang.errors import NotSupported
from localaws import moto_bridge
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    all_tags,
    document,
    fill,
    only,
    tag_list,
    tagging,
    undone_by,
    unless,
    without,
)

BUCKET = "AWS::S3::Bucket"
GONE = {"NoSuchBucket", "NoSuchBucketPolicy"}
DASHED_WEBSITES = {  # the others write s3-website.REGION (Amazon S3 User Guide, "Website endpoints")
    "us-east-1", "us-west-1", "us-west-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-west-1",
    "sa-east-1",
}  # fmt: skip
ACLS = {"Private": "private", "LogDeliveryWrite": "log-delivery-write"}


def encryption(given: Any) -> dict[str, Any]:
    rules = []
    for rule in given["ServerSideEncryptionConfiguration"]:
        renamed = without(rule, "ServerSideEncryptionByDefault")
        if "ServerSideEncryptionByDefault" in rule:
            renamed["ApplyServerSideEncryptionByDefault"] = rule["ServerSideEncryptionByDefault"]
        rules.append(renamed)
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def lifecycle(given: Any) -> dict[str, Any]:
    known = {"Rules", "TransitionDefaultMinimumObjectSize"}
    only(f"{BUCKET}.LifecycleConfiguration", given, known)
    answer: dict[str, Any] = {"LifecycleConfiguration": {"Rules": [lifecycle_rule(r) for r in given["Rules"]]}}
    if size := given.get("TransitionDefaultMinimumObjectSize"):
        answer["TransitionDefaultMinimumObjectSize"] = size
    return answer


def lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """The API's form of a rule: its filter and its expiration are objects of their own."""
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    expiration = {k: v for k, v in expiration.items() if v is not None}
    conditions = {
        k: rule[k] for k in ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan") if rule.get(k) is not None
    }
    tags = rule.get("TagFilters", [])
    if len(conditions) + len(tags) > 1:
        selected: dict[str, Any] = {"And": {**conditions, **({"Tags": tags} if tags else {})}}
    elif tags:
        selected = {"Tag": tags[0]}
    else:
        selected = conditions or {"Prefix": ""}
    renamed = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": selected,
        "Expiration": expiration or None,
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
        "NoncurrentVersionExpiration": rule.get("NoncurrentVersionExpiration"),
        "Transitions": [transition(t, "Days") for t in rule.get("Transitions", [])] or None,
        "NoncurrentVersionTransitions": [
            transition(t, "NoncurrentDays") for t in rule.get("NoncurrentVersionTransitions", [])
        ]
        or None,
    }
    carried = {
        "Id", "Status", "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "TagFilters", "ExpirationInDays",
        "ExpirationDate", "ExpiredObjectDeleteMarker", "AbortIncompleteMultipartUpload",
        "NoncurrentVersionExpiration", "Transitions", "NoncurrentVersionTransitions",
    }  # fmt: skip
    only(f"{BUCKET}.LifecycleConfiguration.Rules", rule, carried)
    return {k: v for k, v in renamed.items() if v is not None}


def transition(given: dict[str, Any], days: str) -> dict[str, Any]:
    renamed = without(given, "TransitionInDays", "TransitionDate")
    if "TransitionInDays" in given:
        renamed[days] = given["TransitionInDays"]
    if "TransitionDate" in given:
        renamed["Date"] = given["TransitionDate"]
    return renamed


def cors(given: Any) -> dict[str, Any]:
    names = {"ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"}
    rules = [{names.get(k, k): v for k, v in rule.items()} for rule in given["CorsRules"]]
    return {"CORSConfiguration": {"CORSRules": rules}}


def logging(given: Any) -> dict[str, Any]:
    only(f"{BUCKET}.LoggingConfiguration", given, {"DestinationBucketName", "LogFilePrefix"})
    if "DestinationBucketName" not in given:
        raise NotSupported(f"{BUCKET}: LoggingConfiguration without DestinationBucketName")
    target = {"TargetBucket": given["DestinationBucketName"], "TargetPrefix": given.get("LogFilePrefix", "")}
    return {"BucketLoggingStatus": {"LoggingEnabled": target}}


def same(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda given: {name: given}


# By property: the API operation that sets it, how its input looks, and how the property is taken
# away again (an operation's name, or the property's value that amounts to it).
SETTINGS: dict[str, tuple[str, Callable[[Any], dict[str, Any]], Any]] = {
    "OwnershipControls": ("PutBucketOwnershipControls", same("OwnershipControls"), "DeleteBucketOwnershipControls"),
    "PublicAccessBlockConfiguration": (
        "PutPublicAccessBlock",
        same("PublicAccessBlockConfiguration"),
        "DeletePublicAccessBlock",
    ),
    "BucketEncryption": ("PutBucketEncryption", encryption, "DeleteBucketEncryption"),
    "VersioningConfiguration": ("PutBucketVersioning", same("VersioningConfiguration"), {"Status": "Suspended"}),
    "LifecycleConfiguration": ("PutBucketLifecycleConfiguration", lifecycle, "DeleteBucketLifecycle"),
    "CorsConfiguration": ("PutBucketCors", cors, "DeleteBucketCors"),
    "LoggingConfiguration": ("PutBucketLogging", logging, None),
}


@provides("AWS::S3::Bucket")
class Bucket:
    carried = frozenset({*SETTINGS, "BucketName", "Tags", "AccessControl"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(BUCKET, properties, self.carried)
        name = str(properties.get("BucketName") or context.generated_name(63, lower=True))
        if name in moto_bridge.backend("s3", context.account, "aws").buckets:
            # In us-east-1 the API would answer 200 to a bucket's owner; CloudFormation does not take it over.
            raise ResourceFailed(f"{name} already exists")
        s3 = context.client("s3")
        arguments: dict[str, Any] = {"Bucket": name}
        if context.region != "us-east-1":
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": context.region}
        if acl := properties.get("AccessControl"):
            if acl not in ACLS:
                raise NotSupported(f"{BUCKET}: AccessControl {acl}")
            arguments["ACL"] = ACLS[acl]
            if acl != "Private" and "OwnershipControls" not in properties:
                raise ResourceFailed("Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
            if "OwnershipControls" in properties:
                arguments["ObjectOwnership"] = properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"]
        s3.create_bucket(**arguments)
        with undone_by(lambda: s3.delete_bucket(Bucket=name)):
            if tags := tagging(context, properties):
                s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags["Tags"]})
            for setting in SETTINGS:
                if properties.get(setting) is not None:
                    self._set(s3, name, setting, properties[setting])
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only(BUCKET, new, self.carried)
        if old.get("AccessControl") != new.get("AccessControl"):
            raise NotSupported(f"{BUCKET}: a change of AccessControl")
        s3 = context.client("s3")
        former = context.tags if context.former_tags is None else context.former_tags
        tags = all_tags(context.tags, new)
        if all_tags(former, old) != tags:
            s3.put_bucket_tagging(Bucket=physical_id, Tagging={"TagSet": tag_list(tags)})
        for setting in SETTINGS:
            if old.get(setting) != new.get(setting):
                self._set(s3, physical_id, setting, new.get(setting))
        return self._made(context, physical_id)

    def take_over(self, context: Context, physical_id: str) -> Made:
        context.client("s3").head_bucket(Bucket=physical_id)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        s3 = context.client("s3")
        unless(GONE, s3.delete_bucket, Bucket=physical_id)

    def _set(self, s3: Any, name: str, setting: str, value: Any) -> None:
        operation, shaped, undo = SETTINGS[setting]
        if value is None and undo is None:
            raise NotSupported(f"{BUCKET}: taking {setting} away")
        if value is None and isinstance(undo, str):
            operation, arguments = undo, {}
        else:
            arguments = shaped(undo if value is None else value)
        filled = fill(s3, operation, {"Bucket": name, **arguments}, f"{BUCKET}.{setting}")
        getattr(s3, xform_name(operation))(**filled)

    def _made(self, context: Context, name: str) -> Made:
        dot = "-" if context.region in DASHED_WEBSITES else "."
        return Made(
            name,
            {
                "Arn": f"arn:aws:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "RegionalDomainName": f"{name}.s3.{context.region}.amazonaws.com",
                "DualStackDomainName": f"{name}.s3.dualstack.{context.region}.amazonaws.com",
                "WebsiteURL": f"http://{name}.s3-website{dot}{context.region}.amazonaws.com",
            },
        )


@provides("AWS::S3::BucketPolicy")
class BucketPolicy:
    """One policy for one bucket: a second resource for the same bucket is refused."""

    carried = frozenset({"Bucket", "PolicyDocument"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        s3, name = context.client("s3"), str(properties["Bucket"])
        if unless({"NoSuchBucketPolicy"}, s3.get_bucket_policy, Bucket=name):
            raise ResourceFailed(f"The bucket policy already exists on bucket {name}.")
        return self.update(context, name, {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::S3::BucketPolicy", new, self.carried)
        context.client("s3").put_bucket_policy(Bucket=physical_id, Policy=document(new["PolicyDocument"]))
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(GONE, context.client("s3").delete_bucket_policy, Bucket=physical_id)
