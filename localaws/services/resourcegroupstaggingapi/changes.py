"""Changes the tags of a resource by its own service's operation.

Most services have one that takes an ARN; botocore's model says how it names the tags. The others take the name.
"""

from __future__ import annotations

from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from localaws import registry
from localaws.calls import Call
from localaws.cloud import Session

OPERATIONS = {  # to add and to remove, where they are not TagResource and UntagResource
    "sagemaker": ("AddTags", "DeleteTags"),
    "sqs": ("TagQueue", "UntagQueue"),
    "ssm": ("AddTagsToResource", "RemoveTagsFromResource"),
}


def change(call: Call, service: str, arn: str, tags: dict[str, str], keys: list[str]) -> dict[str, Any] | None:
    """Add these tags to a resource, or remove these keys; what the service answered where it refused."""
    session = call.cloud.session_for(call.principal, call.region)
    try:
        if service in ("s3", "codebuild", "catalog"):
            {"s3": of_bucket, "codebuild": of_project, "catalog": of_catalog}[service](session, arn, tags, keys)
        else:
            by_arn(session, registry.named(service), arn, tags, keys)
    except ClientError as error:
        said = error.response
        return {
            "StatusCode": said["ResponseMetadata"]["HTTPStatusCode"],
            "ErrorCode": said["Error"]["Code"],
            "ErrorMessage": said["Error"]["Message"],
        }
    return None


def by_arn(session: Session, service: str, arn: str, tags: dict[str, str], keys: list[str]) -> None:
    add, remove = OPERATIONS.get(service, ("TagResource", "UntagResource"))
    operation = add if tags else remove
    shape = get_service_model(service).operation_model(operation).input_shape
    given: dict[str, Any] = {}
    for name, member in shape.members.items():
        if member.type_name == "map":
            given[name] = tags
        elif member.type_name == "list" and member.member.type_name == "structure":
            key, value = member.member.members  # Key and Value, TagKey and TagValue, key and value
            given[name] = [{key: one, value: text} for one, text in tags.items()]
        elif member.type_name == "list":
            given[name] = keys
        elif name == "ResourceType":
            given[name] = "Parameter"
        else:
            given[name] = named(session, service, arn)
    getattr(session.client(service), xform_name(operation))(**given)


def named(session: Session, service: str, arn: str) -> str:
    """The resource as its service's operation names it."""
    name = arn.split(":", 5)[5]
    if service == "sqs":
        return str(session.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])
    if service == "ssm":
        name = name.removeprefix("parameter")
        return name.removeprefix("/") if name.count("/") == 1 else name
    return arn


def of_bucket(session: Session, arn: str, tags: dict[str, str], keys: list[str]) -> None:
    """S3 replaces a bucket's tags as a whole."""
    s3, bucket = session.client("s3"), arn.rsplit(":", 1)[1]
    try:
        now = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchTagSet":
            raise
        now = {}
    if kept := {key: value for key, value in {**now, **tags}.items() if key not in keys}:
        tag_set = [{"Key": key, "Value": value} for key, value in kept.items()]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set})
    else:
        s3.delete_bucket_tagging(Bucket=bucket)


def of_project(session: Session, arn: str, tags: dict[str, str], keys: list[str]) -> None:
    """CodeBuild replaces a project's tags as a whole (CodeBuild API Reference, UpdateProject)."""
    codebuild, name = session.client("codebuild"), arn.split("/", 1)[1]
    found = codebuild.batch_get_projects(names=[name])["projects"]
    now = {tag["key"]: tag["value"] for tag in (found[0].get("tags", []) if found else [])}
    kept = {key: value for key, value in {**now, **tags}.items() if key not in keys}
    codebuild.update_project(name=name, tags=[{"key": key, "value": value} for key, value in kept.items()])


def of_catalog(session: Session, arn: str, tags: dict[str, str], keys: list[str]) -> None:
    catalog = session.client("servicecatalog")
    kind, _, id = arn.split(":", 5)[5].partition("/")
    update = catalog.update_product if kind == "product" else catalog.update_portfolio
    given: dict[str, Any] = {"AddTags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
    update(Id=id, **given, **({"RemoveTags": keys} if keys else {}))
