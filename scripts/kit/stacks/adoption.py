"""Buckets and keys that outlived their stack, such as those that `make teardown` leaves: the new stack takes them over.

CloudFormation imports them (User Guide, "Import AWS resources into a CloudFormation stack manually"). It does not look
whether a resource is what the template says, so the template of the import says no more than it must; the update that
follows, with the whole template, then writes every property.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, if_there, pages, unless
from scripts.kit.console import UserError, explain
from scripts.kit.names import bundle_bucket, model_bucket
from scripts.kit.patience import code, until

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ResourceToImportTypeDef, TagTypeDef

CHANGE_SET = "adopt-what-was-retained"
PATIENCE = 600.0  # seconds for an import


@dataclass(frozen=True)
class Retained:
    """A resource without a stack. identifier: as CloudFormation knows it; properties: those that the import needs."""

    logical_id: str
    type: str
    identifier: Mapping[str, str]
    properties: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        [id] = self.identifier.values()
        return f"{self.type.split('::')[-1].lower()} {id}"


# -- what there is -----------------------------------------------------------------------------


def of_models(home: Connection) -> tuple[Retained, ...]:
    """What template 10 retains in a Region: the models' bucket, and the key that it names. home: in that Region"""
    name = model_bucket(home.account, home.region)
    found = retained_bucket(home, "ModelBucket", name)
    return (*found, *(bucket_key(home, name) if found else ()))


def of_bundles(home: Connection) -> tuple[Retained, ...]:
    """What template 11 retains."""
    return retained_bucket(home, "BundleBucket", bundle_bucket(home.account, home.region))


def retained_bucket(home: Connection, logical_id: str, name: str) -> tuple[Retained, ...]:
    """The bucket, where there is one; UserError where it is another account's."""
    try:
        head = if_there(home.client("s3").head_bucket, Bucket=name, ExpectedBucketOwner=home.account)
    except ClientError as error:
        if code(error) != "403":
            raise
        raise UserError(
            f"the bucket {name} does not belong to account {home.account}, or these credentials may not read it. "
            "If another account has taken the name, contact AWS Support"
        ) from error
    identifier = {"BucketName": name}
    return (Retained(logical_id, "AWS::S3::Bucket", identifier, identifier),) if head else ()


def bucket_key(home: Connection, bucket: str) -> tuple[Retained, ...]:
    """The key with which a bucket's objects are encrypted; UserError where it cannot be used."""
    read = home.client("s3").get_bucket_encryption
    none = {"ServerSideEncryptionConfigurationNotFoundError"}
    found = unless(none, read, Bucket=bucket, ExpectedBucketOwner=home.account)
    rule = found["ServerSideEncryptionConfiguration"]["Rules"][0] if found else {}
    id = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "").rsplit("/", 1)[-1]
    key = if_there(home.client("kms").describe_key, KeyId=id) if id else None
    if key is None or key["KeyMetadata"]["KeyManager"] != "CUSTOMER":  # the bucket was made by hand
        return ()
    if key["KeyMetadata"]["KeyState"] != "Enabled":
        raise UserError(
            f"the bucket {bucket} is there, and its key {id} is {key['KeyMetadata']['KeyState']}: without it, none of "
            f"its models can be read. Bring it back (`aws kms cancel-key-deletion --key-id {id} "
            f"--region {home.region}`, then "
            f"`aws kms enable-key --key-id {id} --region {home.region}`), or delete the bucket too "
            '(`make teardown EVERYTHING=1 ARGS="--empty-buckets"`)'
        )
    return (Retained("ModelKey", "AWS::KMS::Key", {"KeyId": id}),)


def is_empty(cloudformation: CloudFormationClient, name: str) -> bool:
    """Whether a stack holds nothing."""
    return not any(
        True for _ in pages(cloudformation, "list_stack_resources", "StackResourceSummaries", StackName=name)
    )


# -- taking over -------------------------------------------------------------------------------


def template(retained: Sequence[Retained]) -> str:
    """The template of an import: what is retained, to be retained whatever happens next."""
    resources = {
        one.logical_id: {"Type": one.type, "DeletionPolicy": "Retain", "Properties": dict(one.properties)}
        for one in retained
    }
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


def take_over(
    cloudformation: CloudFormationClient, name: str, retained: Sequence[Retained], tags: list[TagTypeDef]
) -> None:
    """Make a stack of what is retained, and wait; UserError with the reasons where it fails."""
    wanted: list[ResourceToImportTypeDef] = [
        {
            "ResourceType": one.type,
            "LogicalResourceId": one.logical_id,
            "ResourceIdentifier": dict(one.identifier),
        }
        for one in retained
    ]
    if_there(cloudformation.delete_change_set, StackName=name, ChangeSetName=CHANGE_SET)  # of an interrupted run
    try:
        made = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=CHANGE_SET,
            ChangeSetType="IMPORT",
            TemplateBody=template(retained),
            ResourcesToImport=wanted,
            Tags=tags,
        )
    except ClientError as error:
        raise UserError(
            f"the stack {name} cannot take over {', '.join(map(str, retained))}: {explain(error)}"
        ) from error
    shown: dict[str, Any] = {}

    def ready() -> bool | None:
        shown.update(cloudformation.describe_change_set(ChangeSetName=made["Id"], StackName=made["StackId"]))
        return None if shown["Status"] in {"CREATE_PENDING", "CREATE_IN_PROGRESS"} else True

    until(f"the change set {CHANGE_SET}", ready, PATIENCE)
    if shown["Status"] != "CREATE_COMPLETE":
        raise UserError(f"the stack {name} cannot take over {', '.join(map(str, retained))}: {shown['StatusReason']}")
    cloudformation.execute_change_set(ChangeSetName=made["Id"], StackName=made["StackId"])
    if (ended := settled(cloudformation, made["StackId"])) != "IMPORT_COMPLETE":
        raise UserError(
            f"the stack {name} could not take over {', '.join(map(str, retained))}: it ended {ended}. Nothing of them "
            "was changed. Look at its events in the CloudFormation console"
        )


def settled(cloudformation: CloudFormationClient, id: str) -> str:
    """The status of a stack once it is not at work."""

    def status() -> str | None:
        now = str(cloudformation.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"])
        return None if now.endswith("_IN_PROGRESS") else now

    return until("the import", status, PATIENCE)
