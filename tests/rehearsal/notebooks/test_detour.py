"""The detour to the embedded AWS for requests to STS that ignore AWS_ENDPOINT_URL, and for no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ProxyConnectionError, SSLError

from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.notebooks.detour import Detour

ACCOUNT, REGION = "111111111111", "eu-west-1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Cloud, Detour]]:
    server = embedded_aws(tmp_path / "rehearsal")
    with server as cloud, Detour(tmp_path / "certificates", server.adopt) as detour:
        yield cloud, detour


def sts(world: tuple[Cloud, Detour], host: str, bundle: str = "") -> Any:
    """A client as the SDK makes it: with an endpoint of its own, and the proxy from its environment."""
    cloud, detour = world
    given = detour.environment()
    variables = cloud.root(ACCOUNT, REGION).environment()
    return boto3.client(
        "sts",
        region_name=REGION,
        endpoint_url=f"https://{host}",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables.get("AWS_SESSION_TOKEN"),
        verify=bundle or given["AWS_CA_BUNDLE"],
        config=Config(proxies={"https": given["HTTPS_PROXY"]}, retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize("host", [f"sts.{REGION}.amazonaws.com", "sts.amazonaws.com"])
def test_sts_under_its_own_name_is_answered_and_recorded(world: tuple[Cloud, Detour], host: str) -> None:
    client = sts(world, host)
    assert [client.get_caller_identity()["Account"] for _ in range(2)] == [ACCOUNT] * 2
    lines = (world[0].folder / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if '"operation": "GetCallerIdentity"' in line]) == 2
    assert world[1].refused == []


@pytest.mark.parametrize("host", ["s3.eu-west-1.amazonaws.com", "sts.amazonaws.com.example.org", "example.org"])
def test_no_other_host_is_reached(world: tuple[Cloud, Detour], host: str) -> None:
    with pytest.raises(ProxyConnectionError):
        sts(world, host).get_caller_identity()
    assert world[1].refused == [host]


def test_only_a_program_that_trusts_the_detour_takes_it(world: tuple[Cloud, Detour], tmp_path: Path) -> None:
    other = Detour(tmp_path / "other", lambda connection, address, host: None)  # an authority of its own
    with pytest.raises(SSLError):
        sts(world, f"sts.{REGION}.amazonaws.com", str(other.bundle)).get_caller_identity()
    assert sts(world, f"sts.{REGION}.amazonaws.com").get_caller_identity()["Account"] == ACCOUNT
    other._server.server_close()
