"""A request for a further page names a token that an answer gave; every other one is refused as its service does.

AWS's tokens are opaque: what a client makes up is refused, and so is a token of another operation or account. One
mechanism for every operation whose input has a token, whether a handler or moto answers: what an answer gives is
remembered, and what was never given is refused. What only looks like a token, and may be any value, is FREE.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from html import unescape
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError
from localaws.calls import Call


@dataclass(frozen=True)
class Invalid:
    """How a service refuses a token: the error's code and message, and the page that names it."""

    code: str
    message: str
    page: str
    members: dict[str, Any] = field(default_factory=dict)


COMMON = "{} API Reference, Common Errors: the operation's own page names no error for it"
INVALID = {
    "account": Invalid("ValidationException", "Invalid pagination token.", "Account Management API Reference, "
        "ListRegions"),
    "application-autoscaling": Invalid("InvalidNextTokenException", "The next token supplied was invalid.",
        "Application Auto Scaling API Reference, DescribeScalableTargets"),
    "cloudformation": Invalid("ValidationError", "NextToken is invalid", COMMON.format("CloudFormation")),
    "cloudtrail": Invalid("InvalidNextTokenException", "Invalid token.", "CloudTrail API Reference, LookupEvents"),
    "cloudwatch": Invalid("InvalidNextToken", "The next token specified is invalid.",
        "CloudWatch API Reference, DescribeAlarms"),
    "codebuild": Invalid("InvalidInputException", "Invalid next token", "CodeBuild API Reference, ListProjects"),
    "codecommit": Invalid("InvalidContinuationTokenException", "The specified continuation token is not valid.",
        "CodeCommit API Reference, ListBranches"),
    "codeconnections": Invalid("ValidationException", "The next token is not valid.",
        COMMON.format("CodeConnections")),
    "codestar-connections": Invalid("ValidationException", "The next token is not valid.",
        COMMON.format("CodeConnections")),
    "codepipeline": Invalid("InvalidNextTokenException", "The next token was specified in an invalid format. Make sure "
        "that the next token you provide is the token returned by a previous call.",
        "CodePipeline API Reference, ListPipelines"),
    "dynamodb": Invalid("ValidationException", "Invalid NextToken", COMMON.format("DynamoDB")),
    "ec2": Invalid("InvalidNextToken", "The specified NextToken is not valid.", "EC2 API Reference, Error codes"),
    "ecr": Invalid("InvalidParameterException", "Invalid parameter at 'nextToken'",
        "Amazon ECR API Reference, DescribeRepositories"),
    "events": Invalid("ValidationException", "Invalid NextToken", COMMON.format("EventBridge")),
    "iam": Invalid("ValidationError", "Invalid Marker.", COMMON.format("IAM")),
    "kms": Invalid("InvalidMarkerException", "The marker is not valid.", "KMS API Reference, ListKeys"),
    "lambda": Invalid("InvalidParameterValueException", "Invalid Marker", "Lambda API Reference, ListFunctions"),
    "logs": Invalid("InvalidParameterException", "The specified nextToken is invalid.",
        "CloudWatch Logs API Reference, DescribeLogGroups"),
    "organizations": Invalid("InvalidInputException", "You provided an invalid pagination token.",
        "AWS Organizations API Reference, ListAccounts", {"Reason": "INVALID_NEXT_TOKEN"}),
    "pricing": Invalid("InvalidNextTokenException", "The pagination token is invalid. Try again without a pagination "
        "token.", "Price List API Reference, GetProducts"),
    "resourcegroupstaggingapi": Invalid("InvalidParameterException", "The specified PaginationToken is not valid.",
        "Resource Groups Tagging API Reference, GetResources"),
    "s3": Invalid("InvalidArgument", "The continuation token provided is incorrect", "S3 API Reference, Error "
        "responses"),
    "sagemaker": Invalid("ValidationException", "Invalid pagination token.", COMMON.format("SageMaker")),
    "secretsmanager": Invalid("InvalidNextTokenException", "The NextToken value is invalid.",
        "Secrets Manager API Reference, ListSecrets"),
    "service-quotas": Invalid("InvalidPaginationTokenException", "Invalid pagination token.",
        "Service Quotas API Reference, ListServiceQuotas"),
    "servicecatalog": Invalid("InvalidParametersException", "Invalid page token",
        "Service Catalog API Reference, ListPortfolios"),
    "sns": Invalid("InvalidParameter", "Invalid parameter: NextToken", "SNS API Reference, ListTopics"),
    "sqs": Invalid("InvalidParameterValue", "The NextToken is not valid.", COMMON.format("SQS")),
    "ssm": Invalid("InvalidNextToken", "The specified token isn't valid.",
        "Systems Manager API Reference, DescribeParameters"),
    "stepfunctions": Invalid("InvalidToken", "Invalid Token: 'Invalid token'", "Step Functions API Reference, "
        "ListStateMachines"),
}  # fmt: skip
OTHERWISE = {  # by service and operation, where it is not the service's
    ("cloudwatch", "ListDashboards"): Invalid("InvalidParameterValue", "Request parameter NextToken is invalid",
        "CloudWatch API Reference, ListDashboards"),
    ("cloudwatch", "ListMetrics"): Invalid("InvalidParameterValue", "Request parameter NextToken is invalid",
        "CloudWatch API Reference, ListMetrics"),
    **{("logs", operation): Invalid("ValidationException", "The specified nextToken is invalid.",
        f"CloudWatch Logs API Reference, {operation}")
       for operation in ("DescribeDeliveries", "DescribeDeliveryDestinations", "DescribeDeliverySources")},
}  # fmt: skip
FREE = {
    ("s3", "ListObjects"),  # Marker: any key ("Amazon S3 starts listing after this specified key")
    ("codepipeline", "PutJobSuccessResult"),  # continuationToken: the worker's own
}
# By the member of the input: the members of the output that name a page.
TOKENS = {
    "NextToken": ("NextToken",),
    "nextToken": ("nextToken", "nextForwardToken", "nextBackwardToken"),
    "Marker": ("Marker", "NextMarker"),
    "PageToken": ("NextPageToken", "PageToken"),
    "PaginationToken": ("PaginationToken",),
    "ContinuationToken": ("ContinuationToken", "NextContinuationToken"),
}


@dataclass
class Given:
    """The tokens that were given to an account in a Region, each with service and operation."""

    tokens: set[tuple[str, str, str]] = field(default_factory=set)


@cache
def token_of(service: str, operation: str) -> str:
    """The member of the input that names a page; "" for an operation without pages."""
    shape = get_service_model(service).operation_model(operation).input_shape
    members = shape.members if shape is not None and (service, operation) not in FREE else {}
    return next((name for name in TOKENS if name in members), "")


def check(call: Call) -> None:
    """AwsError for a page that no answer named."""
    name = token_of(call.service, call.operation)
    token = call.params.get(name) if name else None
    if token and (call.service, call.operation, token) not in given(call).tokens:
        raise refusal(call.service, call.operation)


def refusal(service: str, operation: str) -> AwsError:
    found = OTHERWISE.get((service, operation)) or INVALID[service]
    return AwsError(found.code, found.message, **found.members)


def remember(call: Call, answer: Any) -> None:
    """Keep the tokens of an answer: the output itself, or moto's text, in JSON or XML."""
    name = token_of(call.service, call.operation)
    for member in TOKENS.get(name, ()):
        token = answer.get(member) if isinstance(answer, dict) else in_text(member, answer)
        if token:
            given(call).tokens.add((call.service, call.operation, token))


def given(call: Call) -> Given:
    return call.cloud.state(Given, call.account, call.region)


def in_text(member: str, answer: bytes) -> str:
    found = re.search(rf'"{member}"\s*:\s*("(?:[^"\\]|\\.)*")|<{member}>([^<]*)</{member}>'.encode(), answer)
    if found is None:
        return ""
    return str(json.loads(found[1])) if found[1] else unescape(found[2].decode())
