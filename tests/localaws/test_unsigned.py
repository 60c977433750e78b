"""Which service a request without a signature is for."""

from __future__ import annotations

import pytest

from localaws.calls import HttpRequest
from localaws.unsigned import service_of

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("path", "headers", "body", "service"),
    [
        ("/", {"x-amz-target": "AmazonSSM.DescribeParameters"}, b"{}", "ssm"),
        ("/", {"x-amz-target": "com.amazonaws.codeconnections.CodeConnections_20231201.ListConnections"}, b"{}",
         "codeconnections"),
        ("/", {"x-amz-target": "Unknown.Operation"}, b"{}", "s3"),
        ("/service/GraniteServiceVersion20100801/operation/DescribeAlarms", {}, b"", "cloudwatch"),
        ("/service/Unknown/operation/Unknown", {}, b"", "s3"),
        ("/2015-03-31/functions", {}, b"", "lambda"),
        ("/listRegions", {}, b"{}", "account"),
        ("/endpoints/mine/invocations", {}, b"", "sagemaker-runtime"),
        ("/", FORM, b"Action=GetCallerIdentity&Version=2011-06-15", "sts"),
        ("/", FORM, b"Action=ListRoles&Version=2010-05-08", "iam"),
        ("/", FORM, b"Action=GetCallerIdentity&Version=1999-01-01", "s3"),
        ("/bucket/key", FORM, b"Action=GetCallerIdentity&Version=2011-06-15", "s3"),
        ("/", {}, b"", "s3"),
    ],
)  # fmt: skip
def test_the_protocol_says_which(path: str, headers: dict[str, str], body: bytes, service: str) -> None:
    assert service_of(HttpRequest("POST", path, "", headers, body)) == service
