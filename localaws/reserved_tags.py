"""Tags whose keys begin with aws: are AWS's own: no caller sets or removes one, in whichever service.

Tagging AWS Resources and Tag Editor User Guide, "Tag naming limits and requirements" (the prefix is reserved for AWS,
and such tags cannot be edited or deleted). The page names no error: each service has the one that its API Reference
gives to a tag, or to any value, that is not valid. CloudFormation, CodeCommit, Service Catalog, STS, S3 and the tagging
API see to it themselves: some of them pass on or show such tags.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError
from localaws.authorization.needs import TAG_MEMBERS, tag_keys
from localaws.calls import Call

PREFIX = "aws:"
CODES = {
    "application-autoscaling": "ValidationException", "cloudwatch": "InvalidParameterValue",
    "codebuild": "InvalidInputException", "codeconnections": "ValidationException",
    "codepipeline": "InvalidTagsException", "codestar-connections": "ValidationException",
    "dynamodb": "ValidationException", "ec2": "InvalidTagKey.Malformed",
    "ecr": "InvalidTagParameterException", "events": "ValidationException",
    "iam": "InvalidInput", "kms": "TagException", "lambda": "InvalidParameterValueException",
    "logs": "InvalidParameterException", "organizations": "InvalidInputException", "sagemaker": "ValidationException",
    "secretsmanager": "InvalidParameterException", "sns": "InvalidParameter", "sqs": "InvalidParameterValue",
    "ssm": "ValidationException", "stepfunctions": "ValidationException",
}  # fmt: skip
MEMBERS: dict[str, dict[str, Any]] = {"organizations": {"Reason": "INVALID_SYSTEM_TAGS_PARAMETER"}}


def check(call: Call) -> None:
    code = CODES.get(call.service)
    if code is None or call.params.keys().isdisjoint(TAG_MEMBERS):
        return
    keys = tag_keys(call.params).get("aws:tagkeys", ())
    if wrong := [key for key in keys if key.lower().startswith(PREFIX)]:
        words = f"The tag key {wrong[0]} begins with aws:, which is reserved for AWS"
        raise AwsError(code, words, **MEMBERS.get(call.service, {}))
