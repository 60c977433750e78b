"""A profile's settings hold in its own account and in every account that is entered from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from botocore.session import Session

from scripts.kit.connect import Connection
from scripts.kit.session import MOST_ATTEMPTS, sign_in

REGION = "us-east-1"


class AnySts:
    """An STS that lets every caller assume every role."""

    def assume_role(self, RoleArn: str, RoleSessionName: str) -> dict[str, Any]:  # noqa: N803  # as boto3 has them
        ends = datetime.now(UTC) + timedelta(hours=1)
        return {
            "Credentials": {"AccessKeyId": "entered", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ends}
        }


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes the only profile of a config file, and signs in with it: its own connection, and an entered account's."""

    def write(settings: str, **variables: str) -> tuple[Connection, Connection]:
        keys = "aws_access_key_id = own\naws_secret_access_key = s"
        (tmp_path / "config").write_text(f"[profile behind-a-proxy]\n{keys}\n{settings}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        own = Connection(sign_in("behind-a-proxy", REGION), "111111111111", REGION, {("sts", REGION): AnySts()})
        return own, own.assume("222222222222", "access")

    return write


def settings_of(client: Any) -> tuple[str, Any, int, str]:
    """A client's endpoint, CA bundle, attempts and retry mode."""
    retries = client.meta.config.retries
    verify = client._endpoint.http_session._verify
    return client.meta.endpoint_url, verify, retries["total_max_attempts"], retries["mode"]


@pytest.mark.parametrize("service", ["cloudformation", "organizations", "s3"])
def test_endpoint_bundle_and_retries_of_a_profile_hold_in_an_entered_account(profile: Any, service: str) -> None:
    own, entered = profile(
        "endpoint_url = https://proxy.example.com\nca_bundle = /etc/ssl/company.pem\n"
        "max_attempts = 3\nretry_mode = legacy"
    )
    expected = ("https://proxy.example.com", "/etc/ssl/company.pem", 3, "legacy")
    assert settings_of(own.client(service)) == expected
    assert settings_of(entered.client(service)) == expected
    assert entered.session.get_credentials().access_key == "entered"


def test_an_endpoint_of_one_service_holds_for_that_service_alone(profile: Any) -> None:
    _, entered = profile("services = local\n[services local]\niam =\n  endpoint_url = http://localhost:9")
    assert entered.client("iam").meta.endpoint_url == "http://localhost:9"
    assert entered.client("kms").meta.endpoint_url == "https://kms.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ("use_fips_endpoint = true", "https://cloudformation-fips.us-east-1.amazonaws.com"),
        ("use_dualstack_endpoint = true", "https://cloudformation.us-east-1.api.aws"),
    ],
)
def test_fips_and_dual_stack_endpoints_of_a_profile_are_used_in_an_entered_account(
    profile: Any, setting: str, host: str
) -> None:
    own, entered = profile(setting)
    assert own.client("cloudformation").meta.endpoint_url == host
    assert entered.client("cloudformation").meta.endpoint_url == host


def test_retries_that_neither_profile_nor_environment_name_are_the_kits_own(profile: Any) -> None:
    for connection in profile("output = json"):
        assert settings_of(connection.client("iam"))[2:] == (MOST_ATTEMPTS, "standard")
        assert settings_of(connection.client("organizations"))[2:] == (MOST_ATTEMPTS, "adaptive")


def test_retries_of_the_environment_come_before_those_of_the_profile(profile: Any) -> None:
    for connection in profile("max_attempts = 3", AWS_MAX_ATTEMPTS="2", AWS_RETRY_MODE="standard"):
        assert settings_of(connection.client("organizations"))[2:] == (2, "standard")


def test_a_connection_in_another_region_has_the_same_credentials_and_closes_with_the_first(profile: Any) -> None:
    own, _ = profile("output = json")
    there = own.in_region("eu-west-1")
    assert (there.account, there.region) == (own.account, "eu-west-1")
    client = there.client("iam")
    assert own.client("iam", "eu-west-1") is client
    own.clients.pop(("sts", REGION))
    own.close()
    assert there.client("iam") is not client


def test_an_entered_account_has_botocores_handlers_which_are_registered_once(
    profile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, entered = profile("")
    registered: list[object] = []
    monkeypatch.setattr(Session, "_register_builtin_handlers", lambda *given: registered.append(given))
    other = own.assume("333333333333", "access")
    assert registered == []
    for there in (entered, other):
        with pytest.raises(ParamValidationError, match="Invalid bucket name"):
            there.client("s3").get_object(Bucket="no bucket", Key="key")


def test_a_handler_of_one_entered_account_is_of_no_other(profile: Any) -> None:
    own, entered = profile("")
    other = own.assume("333333333333", "access")
    entered.session.events.register("provide.something", lambda **_: "called")
    assert [answer for _, answer in entered.session.events.emit("provide.something")] == ["called"]
    assert other.session.events.emit("provide.something") == []
