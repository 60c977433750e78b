"""A rehearsal needs nothing of its user's AWS settings, and its requests to this machine go past a proxy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.kit import regions
from scripts.rehearsal.apart import NOWHERE, apart, exports, past_proxies
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT

CLOSED = "http://127.0.0.1:9"  # nothing listens there: what asks it fails at once
PROXY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), CLOSED)
MOTOS = {  # of moto: another account and Region, nothing is refused, another history of executions, a broken number
    "MOTO_ACCOUNT_ID": "999988887777",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_S3_DEFAULT_MAX_KEYS": "1",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_ACM_VALIDATION_WAIT": "soon",
    "INITIAL_NO_AUTH_ACTION_COUNT": "0",
    "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
    "S3_UPLOAD_PART_MIN_SIZE": "many",
    "SF_EXECUTION_HISTORY_TYPE": "FAILURE",
    "TEST_SERVER_MODE": "true",
    "BOTO_EXPERIMENTAL__PLUGINS": "a=nowhere",
    "BOTOCORE_EXPERIMENTAL__PLUGINS": "a=nowhere",
}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A configuration file that no AWS client can read."""
    file = tmp_path / "broken"
    file.write_text("[profile a\nnonsense")
    return file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("until", "settings"),
    [
        ("staging", PROXY),
        ("organization", {"AWS_PROFILE": "missing", "AWS_DEFAULT_PROFILE": "missing too"}),
        ("organization", {"AWS_CONFIG_FILE": "{broken}", "AWS_SHARED_CREDENTIALS_FILE": "{broken}"}),
        ("organization", {"HOME": "{home}"}),
        ("project", MOTOS),
    ],
    ids=["proxy", "profile", "files", "files at home", "moto"],
)
def test_a_rehearsal_goes_through(until: str, settings: dict[str, str], broken: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    for name in ("config", "credentials"):
        (home / ".aws" / name).write_bytes(broken.read_bytes())
    given = {name: value.format(broken=broken, home=home) for name, value in settings.items()}
    kept = {name: value for name, value in os.environ.items() if name not in NOWHERE and name.lower() != "no_proxy"}
    line = [sys.executable, "-m", "scripts.rehearse", "--folder", str(tmp_path / "rehearsal"), "--until", until]
    done = subprocess.run(line, cwd=ROOT, env=kept | given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "stopped early in" in done.stderr


def test_an_embedded_aws_works_with_a_missing_profile_and_a_closed_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**PROXY, "AWS_PROFILE": "missing", "NO_PROXY": "", "no_proxy": ""}.items():
        monkeypatch.setenv(name, value)
    with embedded_aws(tmp_path) as cloud:
        assert "AWS_PROFILE" not in os.environ
        assert os.environ["NO_PROXY"] == "127.0.0.1,localhost,::1"
        code = "import os, urllib.request as r; print(r.urlopen(os.environ['AT'] + '/moto-api/').status)"
        line = [
            sys.executable,
            "-c",
            f"import urllib.error\ntry:\n    {code}\nexcept urllib.error.HTTPError: print('there')",
        ]
        environment = {**os.environ, "AT": cloud.endpoint}
        done = subprocess.run(line, env=environment, capture_output=True, text=True)
        assert done.stdout in {"there\n", "200\n"}, done.stderr
        assert cloud.root("111111111111", "us-east-1").client("sts").get_caller_identity()["Account"] == "111111111111"
    assert os.environ["AWS_PROFILE"] == "missing"
    assert os.environ["NO_PROXY"] == ""


def test_regions_are_known_whatever_profile_is_chosen(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(broken))
    for cached in (regions.botocore_session, regions.known_regions, regions.partition):
        cached.cache_clear()
    assert regions.check_region("eu-west-1") == ""
    assert regions.partition("cn-north-1") == "aws-cn"


def test_what_no_proxy_names_already_stays() -> None:
    ours = "127.0.0.1,localhost,::1"
    assert past_proxies({}) == {"NO_PROXY": ours, "no_proxy": ours}
    assert past_proxies({"NO_PROXY": "a.example, localhost", "no_proxy": "b"})["no_proxy"] == (
        "a.example,localhost,b,127.0.0.1,::1"
    )
    assert past_proxies({"no_proxy": "*"})["NO_PROXY"].startswith("*")


def test_within_another_block_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    with apart():
        inside = dict(os.environ)
        with apart():
            assert dict(os.environ) == inside
        assert dict(os.environ) == inside
    assert dict(os.environ) == before


def test_variables_of_moto_are_away_within_a_block_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MOTOS.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with apart():
        assert not [name for name in os.environ if name.startswith(("MOTO_", "TEST_"))]
        with apart():
            os.environ["MOTO_ACCOUNT_ID"] = "999988887777"
    assert dict(os.environ) == before


def test_a_proxy_of_the_user_stays_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", CLOSED)
    with apart():
        assert os.environ["HTTPS_PROXY"] == CLOSED


def test_a_kept_rehearsal_names_what_to_export_where_there_is_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY:
        monkeypatch.delenv(name, raising=False)
    assert exports() == {}
    monkeypatch.setenv("https_proxy", CLOSED)
    monkeypatch.setenv("NO_PROXY", "a.example")
    assert exports()["NO_PROXY"].startswith("a.example,")
    assert "127.0.0.1" in exports()["NO_PROXY"].split(",")
