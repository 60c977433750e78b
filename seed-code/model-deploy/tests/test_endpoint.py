"""Tests of your own: every test_*.py of this folder runs against each staging endpoint, before an approver is asked.

The variables ENDPOINT_NAME and AWS_REGION say which one, ENDPOINT_KIND its EndpointKind. The credentials may describe
and invoke your project's endpoint, nothing else. unittest runs the tests; name pytest in a requirements.txt beside them
to use it instead.
"""

import json
import os
import unittest
from pathlib import Path

import boto3

ENDPOINT = os.environ["ENDPOINT_NAME"]
GOLDEN = Path(__file__).with_name("golden-payloads.json")


class AnswersTheSame(unittest.TestCase):
    """What golden payloads cannot say: the same request is answered the same each time."""

    def test_twice(self) -> None:
        if os.environ.get("ENDPOINT_KIND") == "batch":
            self.skipTest("a batch stage has no endpoint")
        if "AsyncInferenceConfig" in boto3.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT):
            self.skipTest("an asynchronous endpoint takes its requests from S3")
        first, *_ = json.loads(GOLDEN.read_text(encoding="utf-8"))["payloads"]
        runtime = boto3.client("sagemaker-runtime")

        def ask() -> bytes:
            answer = runtime.invoke_endpoint(
                EndpointName=ENDPOINT, ContentType=first["content_type"], Body=first["body"].encode()
            )
            return answer["Body"].read()

        answers = [ask(), ask()]
        assert answers[0] == answers[1], answers
