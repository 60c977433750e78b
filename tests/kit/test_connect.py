"""An account that is entered through a role stays entered for longer than its hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scripts.kit.connect import Connection

ACCOUNT = "222222222222"


class Tokens:
    """An STS whose credentials last so many minutes, one number after the other."""

    def __init__(self, *minutes: int) -> None:
        self.minutes = list(minutes)
        self.asked: list[str] = []

    def assume_role(self, RoleArn: str, RoleSessionName: str) -> dict[str, Any]:  # noqa: N803  # as boto3 has them
        if not self.minutes:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")
        self.asked.append(RoleArn)
        ends = datetime.now(UTC) + timedelta(minutes=self.minutes.pop(0))
        number = len(self.asked)
        keys = {"AccessKeyId": f"key-{number}", "SecretAccessKey": "s", "SessionToken": f"token-{number}"}
        return {"Credentials": {**keys, "Expiration": ends}}


def entered(tokens: Tokens) -> Connection:
    home = Connection(
        boto3.Session(region_name="us-east-1"), "111111111111", "us-east-1", {("sts", "us-east-1"): tokens}
    )
    return home.assume(ACCOUNT, "access")


def signed_by(connection: Connection) -> str:
    """The access key of a request that is signed now."""
    url: str = connection.client("s3").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    return url.split("AWSAccessKeyId=")[-1].split("&")[0].split("X-Amz-Credential=")[-1].split("%2F")[0]


def test_a_role_that_was_entered_is_asked_for_once_while_it_lasts() -> None:
    tokens = Tokens(60)
    connection = entered(tokens)
    assert [signed_by(connection), signed_by(connection)] == ["key-1", "key-1"]
    assert tokens.asked == [f"arn:aws:iam::{ACCOUNT}:role/access"]


def test_it_is_asked_for_again_before_its_hour_is_over() -> None:
    connection = entered(Tokens(9, 60))  # within the last ten minutes it must be renewed
    client = connection.client("s3")
    assert signed_by(connection) == "key-2"
    assert connection.client("s3") is client, "the code that holds the client goes on with it"


def test_a_role_that_cannot_be_assumed_is_reported_at_once() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        entered(Tokens())
