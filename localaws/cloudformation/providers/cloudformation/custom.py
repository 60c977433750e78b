"""Custom resources: a request to a function or a topic, and the answer that it puts at a presigned URL.

CloudFormation User Guide, "Create custom provisioning logic with custom resources", "Custom resource request and
response reference"; Template Reference, "AWS::CloudFormation::CustomResource". The function is called, or the topic
published to, with the permissions of the stack's role, or of the caller.

The response bucket is CloudFormation's own. How long an answer may take is shortened like every waiting of AWS; the
time in which the function really runs does not count, because work is not shortened.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from localaws import moto_bridge
from localaws.cloud import Cloud, Session, new_id
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.services.awslambda.state import function_named
from localaws.services.s3.state import bucket_state, object_state

SERVICE_ACCOUNT = "000000000000"  # CloudFormation's own
DEFAULT_SECONDS = 3600  # ServiceTimeout
ANSWER_LIMIT = 4096  # bytes
IDENTITY_LIMIT = 1024


class CustomFailed(ResourceFailed):
    """The request failed; physical_id: what the provider, or CloudFormation, called the resource all the same."""

    def __init__(self, message: str, physical_id: str = "") -> None:
        super().__init__(message)
        self.physical_id = physical_id


@provides("AWS::CloudFormation::CustomResource")
class CustomResource:
    """AWS::CloudFormation::CustomResource and Custom::Whatever."""

    carried = frozenset({"ServiceTimeout", "ServiceToken"})  # and whatever its provider takes

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return ask(context, "Create", properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if old["ServiceToken"] != new["ServiceToken"]:
            raise ResourceFailed("Modifying service token is not allowed.")
        return ask(context, "Update", new, physical_id, old)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        ask(context, "Delete", properties, physical_id)


def ask(
    context: Context,
    kind: str,
    properties: dict[str, Any],
    physical_id: str = "",
    old: Mapping[str, Any] | None = None,
) -> Made:
    """Send one request and read its answer; CustomFailed where there is none, or it says FAILED."""
    token, request_id = str(properties["ServiceToken"]), new_id()
    check_token(context, token)
    session, bucket = response_bucket(context.cloud, context.region)
    place = {"Bucket": bucket, "Key": f"{context.stack_id}|{context.logical_id}|{request_id}"}
    request = {
        "RequestType": kind,
        "ServiceToken": token,
        "ResponseURL": session.client("s3").generate_presigned_url("put_object", Params=place, ExpiresIn=7200),
        "StackId": context.stack_id,
        "RequestId": request_id,
        "LogicalResourceId": context.logical_id,
        "ResourceType": context.type,
        "ResourceProperties": properties,
    }
    if physical_id:
        request["PhysicalResourceId"] = physical_id
    if old is not None:
        request["OldResourceProperties"] = dict(old)
    send(context, token, request)
    seconds = int(properties.get("ServiceTimeout") or DEFAULT_SECONDS)
    content = wait(context, token, place, seconds)
    named = physical_id or context.generated_name(128)
    if content is None:
        raise CustomFailed(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
            f"[{request_id}]. If you are using the Python cfn-response module, you may need to update your Lambda "
            "function code so that CloudFormation can attach the updated version.",
            named,
        )
    return answered(content, request, named)


def check_token(context: Context, token: str) -> None:
    """ServiceToken: the ARN of a function or a topic of the stack's Region."""
    parts = token.split(":")
    if len(parts) < 6 or parts[0] != "arn" or parts[2] not in ("lambda", "sns"):
        raise ResourceFailed(f"Invalid ServiceToken {token}: it must be the ARN of an SNS topic or a Lambda function")
    if parts[3] != context.region:
        raise ResourceFailed(f"The ServiceToken {token} must be of the stack's own region, {context.region}")


def response_bucket(cloud: Cloud, region: str) -> tuple[Session, str]:
    """CloudFormation's bucket for the answers of a Region, and CloudFormation itself as its owner."""
    session = cloud.root(SERVICE_ACCOUNT, region)
    name = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
    if bucket_state(name) is None:
        bucket = moto_bridge.backend("s3", SERVICE_ACCOUNT, "aws").create_bucket(name, region)
        bucket.versioning_status = "Enabled"  # several signals may come to one address
    return session, name


def send(context: Context, token: str, request: Mapping[str, Any]) -> None:
    text = json.dumps(request)
    if token.split(":")[2] == "lambda":
        context.client("lambda").invoke(FunctionName=token, InvocationType="Event", Payload=text.encode())
    else:
        subject = "AWS CloudFormation custom resource request"
        context.client("sns").publish(TopicArn=token, Subject=subject, Message=text)


def wait(context: Context, token: str, place: Mapping[str, str], seconds: int) -> bytes | None:
    """The answer, taken out of the bucket; None when time is over and no function works on it."""
    bucket, key = place["Bucket"], place["Key"]
    left, before = max(seconds * context.cloud.waits, 0.1), time.monotonic()
    while not context.cloud.stopping.is_set():
        found = object_state(bucket, key)
        if found is not None:
            content = bytes(found.value)
            moto_bridge.backend("s3", SERVICE_ACCOUNT, "aws").delete_object(bucket, key)
            return content
        function, now = function_named(context.cloud, token), time.monotonic()
        if function is None or not function.running:
            left -= now - before
            if left <= 0:
                return None
        before = now
        context.cloud.stopping.wait(0.02)
    return None


def answered(content: bytes, request: Mapping[str, Any], named: str) -> Made:
    """The resource as the answer describes it, checked as the page on response objects says."""
    if len(content) > ANSWER_LIMIT:
        raise CustomFailed("Response object is too long.", named)
    try:
        response = json.loads(content)
    except ValueError as error:
        raise CustomFailed("Invalid Json in response object.", named) from error
    if not isinstance(response, dict):
        raise CustomFailed("Invalid Json in response object.", named)
    identity = response.get("PhysicalResourceId")
    status = response.get("Status")
    if status not in ("SUCCESS", "FAILED"):
        raise CustomFailed(f"Invalid response status [{status}] from custom resource: SUCCESS or FAILED", named)
    if status == "FAILED":
        raise CustomFailed(
            f"Received response status [FAILED] from custom resource. Message returned: {response.get('Reason', '')} "
            f"(RequestId: {request['RequestId']})",
            str(identity or named),
        )
    if not isinstance(identity, str) or not 0 < len(identity.encode()) <= IDENTITY_LIMIT:
        raise CustomFailed("Invalid PhysicalResourceId", named)
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        if response.get(name) != request[name]:
            raise CustomFailed(f"Invalid response object: {name} is not that of the request", identity)
    data = response.get("Data") or {}
    if not isinstance(data, dict):
        raise CustomFailed("Invalid response object: Data must be an object", identity)
    values = {name: value for name, value in data.items() if value is not None}
    texts = {str(value) for value in values.values()} - {""}
    secret = texts if response.get("NoEcho") is True else set()
    return Made(identity, values, frozenset(secret))
