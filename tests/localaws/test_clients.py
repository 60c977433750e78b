"""Clients of the embedded AWS's own sessions: shared, and yet each acts as its own caller."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud

ACCOUNTS, REGION = ("111111111111", "222222222222"), "us-east-1"


def test_every_session_acts_as_itself_also_at_the_same_time(cloud: Cloud) -> None:
    clients = [cloud.root(account, REGION).client("sts") for account in ACCOUNTS]

    def ask(index: int) -> str:
        return str(clients[index % 2].get_caller_identity()["Account"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == [ACCOUNTS[index % 2] for index in range(40)]


def test_pages_and_presigned_addresses_are_the_callers_too(cloud: Cloud) -> None:
    one, two = (cloud.root(account, REGION) for account in ACCOUNTS)
    one.client("ssm").put_parameter(Name="/mine", Value="1", Type="String")
    pages = [session.client("ssm").get_paginator("describe_parameters") for session in (one, two)]
    found = [[p["Name"] for page in pager.paginate() for p in page["Parameters"]] for pager in pages]
    assert found == [["/mine"], []]
    address = two.client("s3").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert two.credentials.access_key_id in address


def test_a_streamed_answer_is_read_in_parts(cloud: Cloud) -> None:
    s3 = cloud.root(ACCOUNTS[0], REGION).client("s3")
    s3.create_bucket(Bucket="sagemaker-x")
    s3.put_object(Bucket="sagemaker-x", Key="k", Body=b"0123456789")
    assert s3.head_object(Bucket="sagemaker-x", Key="k")["ContentLength"] == 10
    body = s3.get_object(Bucket="sagemaker-x", Key="k")["Body"]
    assert (body.read(4), body.read()) == (b"0123", b"456789")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="sagemaker-x", Key="other")
