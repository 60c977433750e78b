"""The step OwnTests: which tests it runs, with which variables, and what counts as passed."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline import own_tests, testers
from pipeline.console import UserError
from tests.support.fake_services import Fake, error

MANIFEST: dict[str, Any] = {
    "project": {"name": "iris", "id": "p-1"},
    "model_package": {"arn": "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/3"},
    "stages": {
        "staging": {
            "accounts": [{"id": "333333333333", "name": "a"}, {"id": "444444444444", "name": "b"}],
            "regions": ["us-east-1", "eu-west-1"],
            "endpoint_name": "iris-p-1-staging",
            "config": {},
            "tester_role_name": "sagemaker-role-staging-tester",
        }
    },
}
HEAD = "import os, unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        "


def credentials(**asked: Any) -> dict[str, Any]:
    return {
        "Credentials": {
            "AccessKeyId": asked["RoleArn"].split(":")[4],
            "SecretAccessKey": asked["RoleSessionName"],
            "SessionToken": "token",
        }
    }


def sts(answer: Any = credentials) -> Any:
    return Fake(assume_role=answer)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    return tmp_path


def write(repository: Path, body: str, name: str = "test_mine.py") -> None:
    (repository / "tests" / name).write_text(body)


def run(repository: Path, service: Any = None) -> bool:
    return own_tests.run_tests(MANIFEST, repository, repository / "packages", service or sts())


def test_tests_are_the_files_with_pythons_name_for_them(repository: Path) -> None:
    for name in ("test_b.py", "test_a.py", "conftest.py", "golden-payloads.json", "mine_test.py"):
        write(repository, "", name)
    (repository / "tests" / "test_folder.py").mkdir()
    assert own_tests.find_tests(repository) == ["test_a.py", "test_b.py"]


def test_a_repository_without_a_folder_of_tests_has_none(tmp_path: Path) -> None:
    assert own_tests.find_tests(tmp_path) == []


def test_every_endpoint_is_tested_with_its_own_name_region_and_credentials(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of the build")
    names = "ENDPOINT_NAME AWS_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
    write(repository, f"{HEAD}print('HERE', *(os.environ[n] for n in '{names}'.split()))\n")
    write(
        repository,
        f"{HEAD}assert not [n for n in os.environ if n.startswith(('AWS_CONT', 'AWS_PROF'))]\n",
        "test_no.py",
    )
    assert run(repository)
    said = sorted(line.strip() for line in capsys.readouterr().err.splitlines() if "HERE" in line)
    assert [line[line.index("HERE") :] for line in said] == [
        f"HERE iris-p-1-staging {region} {account} own-tests-p-1-staging token"
        for region in ("eu-west-1", "us-east-1")
        for account in ("333333333333", "444444444444")
    ]


def test_a_test_that_fails_is_named_with_its_endpoint_and_output(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, f"{HEAD}assert os.environ['AWS_REGION'] != 'eu-west-1', 'too far away'\n")
    assert not run(repository)
    said = capsys.readouterr().err
    assert "FAILED  444444444444/eu-west-1  exit code 1" in said
    assert "     ok  444444444444/us-east-1" in said
    assert "too far away" in said
    assert "own tests: 2 of 4 endpoints failed" in said


@pytest.mark.parametrize("body", ["import unittest\n", "1 / 0\n", "raise SystemExit(0)\n"])
def test_files_that_test_nothing_do_not_pass(repository: Path, body: str) -> None:
    write(repository, body)
    assert not run(repository)


def test_a_role_that_cannot_be_assumed_fails_its_endpoint_alone(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, f"{HEAD}pass\n")

    def refuse(**asked: Any) -> dict[str, Any]:
        if "333333333333" in asked["RoleArn"]:
            raise error("AccessDenied", "no", "AssumeRole")
        return credentials(**asked)

    assert not run(repository, sts(refuse))
    said = capsys.readouterr().err
    assert "FAILED  333333333333/us-east-1  the tester's role cannot be assumed" in said
    assert "own tests: 2 of 4 endpoints failed" in said


def test_the_session_is_tagged_with_the_project_and_has_no_external_id() -> None:
    asked: list[dict[str, Any]] = []

    def answer(**given: Any) -> dict[str, Any]:
        asked.append(given)
        return credentials(**given)

    testers.enter(sts(answer), MANIFEST, "staging", "333333333333")
    testers.enter(sts(answer), MANIFEST, "staging", "333333333333", "word")
    assert [one.get("ExternalId") for one in asked] == [None, "word"]
    assert {tag["Key"]: tag["Value"] for tag in asked[0]["Tags"]} == {
        "sagemaker:project-name": "iris",
        "sagemaker:project-id": "p-1",
    }


def test_a_run_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    started = time.monotonic()
    code, output = own_tests.bounded([sys.executable, "-c", f"{child}; time.sleep(60)"], tmp_path, {}, 1)
    assert (code, output) == (1, "ended: it took too long\n")
    assert time.monotonic() - started < 30


def test_of_a_long_output_the_end_is_shown(tmp_path: Path) -> None:
    code, output = own_tests.bounded([sys.executable, "-c", "print('x' * 300_000 + 'end')"], tmp_path, {}, 60)
    assert code == 0
    assert len(output) == own_tests.SHOWN
    assert output.endswith("end\n")


def test_pytest_runs_the_tests_where_the_requirements_bring_it(tmp_path: Path) -> None:
    assert own_tests.runner(tmp_path)[2:4] == ["-m", "unittest"]
    (tmp_path / "pytest").mkdir()
    assert own_tests.runner(tmp_path)[2:4] == ["-m", "pytest"]


def test_requirements_are_installed_beside_the_repository(repository: Path) -> None:
    package = repository / "mine"
    package.mkdir()
    (package / "pyproject.toml").write_text("[project]\nname = 'broken'\n")  # no version: refused before any download
    packages = repository / "packages"
    own_tests.install(repository, packages)  # no file, nothing to do
    write(repository, "--no-index\nno-such-package-of-ours\n", "requirements.txt")
    with pytest.raises(UserError, match=r"tests/requirements.txt cannot be installed"):
        own_tests.install(repository, packages)
