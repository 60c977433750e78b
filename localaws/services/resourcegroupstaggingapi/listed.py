"""What each service has that can be tagged: its own list, read unseen, as AWS reads its own state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws.authorization.tags import tags_of
from localaws.calls import Call, unseen
from localaws.services.sagemaker.base import Tags


@dataclass(frozen=True)
class Listing:
    """An operation that lists resources. at: the list and the member with the ARN, or the name that fills arn."""

    service: str
    operation: str
    at: tuple[str, str]
    arn: str = "{}"


LISTINGS: dict[str, tuple[Listing, ...]] = {  # by the service in the ARN
    "catalog": (
        Listing("servicecatalog", "list_portfolios", ("PortfolioDetails", "ARN")),
        Listing("servicecatalog", "search_products_as_admin", ("ProductViewDetails", "ProductARN")),
    ),
    "cloudformation": (Listing("cloudformation", "describe_stacks", ("Stacks", "StackId")),),
    "cloudwatch": (Listing("cloudwatch", "describe_alarms", ("MetricAlarms", "AlarmArn")),),
    "codebuild": (Listing("codebuild", "list_projects", ("projects", ""), "arn:aws:codebuild:{place}:project/{}"),),
    "codecommit": (
        Listing("codecommit", "list_repositories", ("repositories", "repositoryName"), "arn:aws:codecommit:{place}:{}"),
    ),
    "codepipeline": (
        Listing("codepipeline", "list_pipelines", ("pipelines", "name"), "arn:aws:codepipeline:{place}:{}"),
    ),
    "dynamodb": (Listing("dynamodb", "list_tables", ("TableNames", ""), "arn:aws:dynamodb:{place}:table/{}"),),
    "ecr": (Listing("ecr", "describe_repositories", ("repositories", "repositoryArn")),),
    "events": (Listing("events", "list_rules", ("Rules", "Arn")),),
    "kms": (Listing("kms", "list_keys", ("Keys", "KeyArn")),),
    "lambda": (Listing("lambda", "list_functions", ("Functions", "FunctionArn")),),
    "logs": (
        Listing("logs", "describe_log_groups", ("logGroups", "logGroupName"), "arn:aws:logs:{place}:log-group:{}"),
    ),
    "s3": (Listing("s3", "list_buckets", ("Buckets", "Name"), "arn:aws:s3:::{}"),),
    "secretsmanager": (Listing("secretsmanager", "list_secrets", ("SecretList", "ARN")),),
    "sns": (Listing("sns", "list_topics", ("Topics", "TopicArn")),),
    "sqs": (Listing("sqs", "list_queues", ("QueueUrls", ""), "arn:aws:sqs:{place}:{}"),),
    "ssm": (Listing("ssm", "describe_parameters", ("Parameters", "Name"), "arn:aws:ssm:{place}:parameter/{}"),),
    "states": (Listing("stepfunctions", "list_state_machines", ("stateMachines", "stateMachineArn")),),
}
BUCKET = "arn:aws:s3:::"
SERVICES = {*LISTINGS, "sagemaker"}  # which keeps the tags of everything in one place


def resources(call: Call, services: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The ARN and the tags of every resource of these services that has tags, in the order of the ARNs."""
    arns = sorted({arn for service in services for arn in of_service(call, service)})
    for arn in arns:
        if tags := bucket_tags(call, arn) if arn.startswith(BUCKET) else tags_of(call.cloud, arn, call.region):
            yield arn, tags


def bucket_tags(call: Call, arn: str) -> dict[str, str]:
    """A bucket's tags, which authorization leaves out (PutBucketAbac)."""
    s3 = call.cloud.root(call.account, call.region).client("s3")
    try:
        with unseen():
            return {
                tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=arn.removeprefix(BUCKET))["TagSet"]
            }
    except ClientError:  # it has none
        return {}


def of_service(call: Call, service: str) -> Iterator[str]:
    if service == "sagemaker":
        yield from list(call.cloud.state(Tags, call.account, call.region).by_arn)
    for listing in LISTINGS.get(service, ()):
        client = call.cloud.root(call.account, call.region).client(listing.service)
        given = {"BucketRegion": call.region} if service == "s3" else {}
        with unseen():
            for answer in pages(client, listing.operation, given):
                for item in answer.get(listing.at[0]) or []:
                    yield arn_of(call, listing, item)


def pages(client: Any, operation: str, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate(**given)
    else:
        yield getattr(client, operation)(**given)


def arn_of(call: Call, listing: Listing, item: Any) -> str:
    value = item
    for member in filter(None, listing.at[1].split(".")):
        value = value[member]
    name = str(value).rsplit("/", 1)[-1] if listing.service == "sqs" else str(value)
    name = name.removeprefix("/") if listing.service == "ssm" else name
    return listing.arn.format(name, place=f"{call.region}:{call.account}")
