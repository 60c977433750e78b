"""The doctor's reader: an account stays entered for longer than its hour, and nothing stays open that is not needed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scripts.kit.connect import Connection
from scripts.kit.doctor.reader import UNREAD, Reader

HOME, ACCOUNT = "111111111111", "222222222222"


class Tokens:
    """An STS whose credentials last so many minutes, one number after the other; then it refuses with a code."""

    def __init__(self, *minutes: int, code: str = "AccessDenied") -> None:
        self.minutes, self.code, self.asked = list(minutes), code, 0

    def assume_role(self, **_: Any) -> dict[str, Any]:
        if not self.minutes:
            raise ClientError({"Error": {"Code": self.code, "Message": "no\nnever"}}, "AssumeRole")
        self.asked += 1
        ends = datetime.now(UTC) + timedelta(minutes=self.minutes.pop(0))
        keys = {"AccessKeyId": f"key-{self.asked}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": ends}}


def reader(tokens: Tokens) -> Reader:
    session = boto3.Session(region_name="us-east-1")
    return Reader(Connection(session, HOME, "us-east-1", {("sts", "us-east-1"): tokens}))


def signed_by(client: Any) -> str:
    """The access key of a request that is signed now."""
    url: str = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    return url.split("AWSAccessKeyId=")[-1].split("&")[0].split("X-Amz-Credential=")[-1].split("%2F")[0]


def test_an_account_is_entered_once_and_its_credentials_are_renewed_before_they_end() -> None:
    tokens = Tokens(60, 9, 60)
    found = reader(tokens)
    assert (found.enter(ACCOUNT, "access"), found.enter(ACCOUNT, "access")) == ("", "")
    assert tokens.asked == 1
    assert signed_by(found.client(ACCOUNT, "s3")) == "key-1"
    other = reader(tokens)  # its nine minutes are fewer than botocore waits for
    assert other.enter(ACCOUNT, "access") == ""
    assert signed_by(other.client(ACCOUNT, "s3")) == "key-3"


def test_an_account_that_cannot_be_entered_is_not_reached_and_the_reason_is_one_line() -> None:
    found = reader(Tokens())
    assert found.enter(ACCOUNT, "access") == "no"
    assert not found.reaches(ACCOUNT)
    assert found.ask(ACCOUNT, "iam", "GetRole", RoleName="r") is UNREAD


def test_credentials_of_the_caller_that_have_ended_stop_the_check() -> None:
    with pytest.raises(ClientError, match="ExpiredToken"):
        reader(Tokens(code="ExpiredToken")).enter(ACCOUNT, "access")


def test_forgetting_an_account_closes_its_clients_and_keeps_it_entered() -> None:
    found = reader(Tokens(60))
    found.enter(ACCOUNT, "access")
    first = found.client(ACCOUNT, "s3")
    assert found.client(ACCOUNT, "s3") is first
    found.forget(ACCOUNT)
    assert found.connections[ACCOUNT].clients == {}
    assert found.client(ACCOUNT, "s3") is not first
    assert signed_by(found.client(ACCOUNT, "s3")) == "key-1"


def test_the_callers_profile_travels_into_an_entered_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "aws_access_key_id = own\naws_secret_access_key = s\n"
    others = "endpoint_url = http://127.0.0.1:9\nca_bundle = /our.pem\nmax_attempts = 3\n"
    (tmp_path / "config").write_text(f"[profile company]\n{keys}{others}")
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "REQUESTS_CA_BUNDLE"]:
        monkeypatch.delenv(name)  # these override the profile
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    session = boto3.Session(profile_name="company", region_name="us-east-1")
    found = Reader(Connection(session, HOME, "us-east-1", {("sts", "us-east-1"): Tokens(60)}))
    assert found.enter(ACCOUNT, "access") == ""
    client = found.client(ACCOUNT, "iam")
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client._endpoint.http_session._verify == "/our.pem"
    assert client.meta.config.retries["total_max_attempts"] == 3
    assert client._request_signer._credentials.access_key == "key-1"  # and not the profile's own
