"""A project's record from before it was protected: it counts for nothing, and is deleted when the project is upgraded.

The record decides whether an approver is asked (pipeline/unasked.py). In a bucket of a version before 0.3 AWS's
stock Studio policy is enough to write it. The bucket's policy that the upgrade brings protects it, and denies deleting.
"""

from __future__ import annotations

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection, pages
from scripts.kit.console import UserError, counted, say
from scripts.kit.projects.provisioned import ProvisionedProject

PREFIX = "record/"  # of pipeline/record.py
POLICY = "ArtifactsPolicy"  # of template 30


def is_unprotected(project: ProvisionedProject) -> bool:
    """Whether its version has the pipeline's code in the repository, and no policy that protects the record."""
    return not pack.CODE_KEYS.keys() & project.parameters.keys()


def clear(connection: Connection, project: ProvisionedProject) -> None:
    """Delete every entry, before the project is upgraded."""
    s3, bucket = connection.client("s3"), project.project.bucket
    listed = list(pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=PREFIX))
    for item in listed:
        s3.delete_object(Bucket=bucket, Key=item["Key"], ExpectedBucketOwner=connection.account)
    if listed:
        say(f"  deleted {counted(len(listed), 'object')} below s3://{bucket}/{PREFIX}: nothing protected the record")


def check_empty(connection: Connection, project: ProvisionedProject) -> None:
    """UserError where something was written between clear() and the policy of the upgraded project."""
    cloudformation, bucket = connection.client("cloudformation"), project.project.bucket
    shown = cloudformation.describe_stack_resource(StackName=project.stack_name, LogicalResourceId=POLICY)
    protected = shown["StackResourceDetail"]["LastUpdatedTimestamp"]
    listed = pages(connection.client("s3"), "list_objects_v2", "Contents", Bucket=bucket, Prefix=PREFIX)
    if early := [item["Key"] for item in listed if item["LastModified"] <= protected]:
        raise UserError(
            f"{project.project.name} is upgraded, but s3://{bucket}/{early[0]} was written before the upgrade "
            "protected its record. Let an administrator find out who wrote it (CloudTrail) and delete it, for which "
            "the bucket's policy is taken away and put back. Then run this command again: it lets the project deploy"
        )
