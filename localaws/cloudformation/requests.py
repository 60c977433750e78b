"""What a request to CloudFormation brings: the template, parameters, tags, and who acts.

API Reference, CreateStack and UpdateStack: TemplateBody, TemplateURL, Parameters, RoleARN, ClientRequestToken.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Session
from localaws.cloudformation.goals import Goal, prepare
from localaws.cloudformation.stacks import Stack, find_stack

SERVICE = "cloudformation.amazonaws.com"
MAX_INLINE = 51_200  # bytes of TemplateBody (CloudFormation User Guide, "Understand CloudFormation quotas")
MAX_STORED = 1_000_000  # bytes of a template in S3 (the same page: 1 MB)
PAGE = 100
NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
NOT_SUPPORTED = (
    "NotificationARNs",
    "ResourceTypes",
)


def refuse_unsupported_parameters(params: Mapping[str, Any], *more: str) -> None:
    """NotSupported for what the caller asks and the embedded AWS lacks."""
    for name in (*NOT_SUPPORTED, *more):
        if params.get(name):
            raise NotSupported(f"cloudformation: the parameter {name}")
    config = params.get("DeploymentConfig") or {}
    if config.get("Mode", "STANDARD") != "STANDARD" or config.get("DisableRollback"):  # what is not the default
        raise NotSupported("cloudformation: the parameter DeploymentConfig with another value than the default")
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise NotSupported("cloudformation: RollbackConfiguration with triggers")


def template_body(call: Call, params: Mapping[str, Any], stack: Stack | None = None) -> str:
    """The template's text: in the request, in S3 (read as the caller) or the one that the stack has."""
    sources = [name for name in ("TemplateBody", "TemplateURL") if params.get(name)]
    if params.get("UsePreviousTemplate"):
        sources.append("UsePreviousTemplate")
    if len(sources) != 1:
        given = "both" if len(sources) > 1 else "none"
        raise AwsError(
            "ValidationError",
            f"Either Template URL or Template Body must be specified, {given} were given."
            if stack is None
            else "Exactly one of TemplateBody, TemplateURL and UsePreviousTemplate must be specified.",
        )
    if sources == ["UsePreviousTemplate"]:
        if stack is None:
            raise AwsError("ValidationError", "UsePreviousTemplate cannot be used with a stack that does not exist")
        return stack.body
    if sources == ["TemplateURL"]:
        return stored_template(call.forward(SERVICE), str(params["TemplateURL"]))
    body = str(params["TemplateBody"])
    if len(body.encode()) > MAX_INLINE:
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_INLINE}",
        )
    return body


def stored_template(session: Session, url: str) -> str:
    """A template in S3, read with the permissions of the session."""
    return stored(session, url, MAX_STORED, "Template")


def stored(session: Session, url: str, most: int, what: str) -> str:
    """A text of at most so many bytes in S3, read with the permissions of the session; what: how AWS calls it."""
    bucket, key, region, version = s3_place(session.cloud.endpoint, url)
    arguments = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
    try:
        answer = session.client("s3", region or None).get_object(**arguments)
    except ClientError as error:
        message = error.response["Error"].get("Message", "")
        raise AwsError(
            "ValidationError",
            f"S3 error: {message}\nFor more information check "
            "http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        ) from error
    content = answer["Body"].read()
    if len(content) > most:
        raise AwsError("ValidationError", f"{what} may not exceed {most} bytes in size.")
    try:
        return str(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise AwsError("ValidationError", f"{what} format error: the file is not UTF-8 text") from error


def s3_place(endpoint: str, url: str) -> tuple[str, str, str, str]:
    """Bucket, key, Region ("" when not said) and version of an S3 URL, in every form that AWS gives.

    Amazon S3 User Guide, "Virtual hosting of general purpose buckets"; the embedded AWS's own
    address counts as path style.
    """
    parts = urlsplit(url)
    path, query = unquote(parts.path).lstrip("/"), parse_qs(parts.query)
    if "X-Amz-Signature" in query or "Signature" in query:
        raise NotSupported("cloudformation: a presigned TemplateURL")
    version = query.get("versionId", [""])[0]
    if url.startswith(endpoint + "/"):
        bucket, _, key = path.partition("/")
        return bucket, key, "", version
    host = re.fullmatch(
        r"(?:(?P<bucket>[a-z0-9.-]+)\.)?s3(?:[.-](?:dualstack\.)?(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]))?\.amazonaws\.com",
        parts.netloc,
    )
    if parts.scheme != "https" or not host:
        raise AwsError("ValidationError", "TemplateURL must be a supported URL.")
    bucket, key = (host["bucket"], path) if host["bucket"] else (path.partition("/")[0], path.partition("/")[2])
    if not bucket or not key:
        raise AwsError("ValidationError", "TemplateURL must reference a valid S3 object to which you have access.")
    return bucket, key, host["region"] or "", version


def given_parameters(params: Mapping[str, Any], stack: Stack | None) -> tuple[dict[str, str], dict[str, str] | None]:
    """The values given, and those kept from the stack (UsePreviousValue)."""
    given: dict[str, str] = {}
    kept: dict[str, str] = {}
    for item in params.get("Parameters", []):
        key = item["ParameterKey"]
        if key in given or key in kept:
            raise AwsError("ValidationError", f"Parameter [{key}] is given more than once")
        if not item.get("UsePreviousValue"):
            given[key] = item.get("ParameterValue", "")
        elif "ParameterValue" in item:
            raise AwsError(
                "ValidationError",
                f"Invalid input for parameter key {key}. Cannot specify usePreviousValue "
                "as true and non empty value for a parameter",
            )
        elif stack is None or key not in stack.given:
            raise AwsError("ValidationError", f"Invalid input for parameter key {key}. No previous value exists for it")
        else:
            kept[key] = stack.given[key]
    return given, None if stack is None else kept


def given_tags(params: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}


def tag_needs(call: Call, was: Mapping[str, str]) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """The actions, each with its condition keys, that the tags of a request need besides. was: the tags until now

    Service Authorization Reference, "Actions, resources, and condition keys for AWS CloudFormation", API operations;
    API Reference, CreateStackSet and UpdateStackSet, Tags. AWS General Reference, "Tagging AWS resources": tags whose
    key begins with aws: cannot be removed by a request.
    """
    tags = given_tags(call.params)
    new = {key: value for key, value in tags.items() if was.get(key) != value}
    lost = tuple(key for key in was if key not in tags and not key.startswith("aws:"))
    operation = {"cloudformation:createaction": (call.operation,)}
    if new:
        asked = {f"aws:requesttag/{key.lower()}": (value,) for key, value in new.items()}
        yield "TagResource", {**asked, "aws:tagkeys": tuple(new), **operation}
    if lost:
        yield "UntagResource", {"aws:tagkeys": lost, **operation}


def acting(call: Call, role_arn: str) -> Session:
    """Who the stack's requests are made as: its role, else the caller (API Reference, CreateStack: RoleARN)."""
    if not role_arn:
        return call.forward(SERVICE)
    try:
        return call.cloud.service_role(role_arn, "AWSCloudFormation", SERVICE, call.region)
    except AwsError as error:
        raise AwsError("ValidationError", f"Role {role_arn} is invalid or cannot be assumed") from error


def goal_of(call: Call, params: Mapping[str, Any], stack: Stack, session: Session, *, update: bool) -> Goal:
    """The checked goal of a create, update or change set request."""
    body = template_body(call, params, stack if update else None)
    given, kept = given_parameters(params, stack if update else None)
    tags = given_tags(params) if "Tags" in params or not update else dict(stack.tags)
    capabilities = tuple(params.get("Capabilities", ()))
    if call.operation == "CreateChangeSet":  # it needs no consent to transforms (API Reference: Capabilities)
        capabilities += ("CAPABILITY_AUTO_EXPAND",)
    goal = prepare(call.cloud, session, stack, body, given, kept, tags, capabilities)
    goal.capabilities = tuple(params.get("Capabilities", ()))
    return goal


def stack_for(call: Call, name: str = "") -> Stack:
    return find_stack(call.cloud, call.account, call.region, name or str(call.params.get("StackName", "")))


def repeated(call: Call, stack: Stack) -> bool:
    """Whether the request was made already with this token (API Reference: ClientRequestToken)."""
    token = str(call.params.get("ClientRequestToken") or "")
    if token and stack.last[1] == token:
        if stack.last[0] != call.operation:
            raise AwsError(
                "TokenAlreadyExistsException",
                f"A client request token already exists for another operation on stack {stack.name}",
            )
        return True
    return False


def accept(call: Call, stack: Stack) -> None:
    """Remember the token of an operation that begins."""
    stack.token = str(call.params.get("ClientRequestToken") or "")
    stack.last = call.operation, stack.token


def page(call: Call, key: str, items: Sequence[Any]) -> dict[str, Any]:
    """One page of a list operation's answer: at most MaxResults items (DescribeStackResourceDrifts)."""
    token, size = call.params.get("NextToken"), min(int(call.params.get("MaxResults", PAGE)), PAGE)
    start = int(base64.b64decode(str(token))) if token else 0
    answer: dict[str, Any] = {key: list(items[start : start + size])}
    if len(items) > start + size:
        answer["NextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return answer


def clean(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without the members that have nothing to say."""
    return {k: v for k, v in members.items() if v not in (None, "")}
