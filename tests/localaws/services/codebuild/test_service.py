"""CodeBuild: builds really run their commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session
from localaws.services.codebuild import run as codebuild_run
from localaws.services.codebuild.log import moment
from tests.support.codebuild_setting import ACCOUNT, REGION, build, finish, log, phase, project, statuses
from tests.support.waiting import until


def test_folder_and_variables_carry_over_from_command_to_command_and_phase_to_phase(root: Session) -> None:
    done = build(
        root,
        """
        version: 0.2
        env:
          exported-variables: [PLACE, LATER, ABSENT, AWS_REGION]
        phases:
          pre_build:
            commands:
              - mkdir inner && cd inner
              - LATER="it's kept"
          build:
            commands:
              - export PLACE=$(basename "$PWD")
              - unset HOME
          post_build:
            commands:
              - test -z "$HOME" && test "$LATER" = "it's kept"
        """,
    )
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)
    exported = {item["name"]: item["value"] for item in done["exportedEnvironmentVariables"]}
    assert exported == {"PLACE": "inner", "LATER": "it's kept"}
    assert list(statuses(done)) == [
        "SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD",
        "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED",
    ]  # fmt: skip


def test_a_build_sees_declared_variables_and_nothing_of_this_machine(
    root: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_MACHINE", "leaked")
    done = build(
        root,
        "version: 0.2\nenv: {variables: {A: spec, B: spec, C: spec}}\nphases:\n  build:\n    commands: [env]\n",
        environment={
            **project()["environment"],
            "environmentVariables": [{"name": "A", "value": "project"}, {"name": "B", "value": "project"}],
        },
        start={"environmentVariablesOverride": [{"name": "A", "value": "start"}]},
    )
    lines = dict(line.split("=", 1) for line in log(root, done).splitlines() if "=" in line)
    assert (lines["A"], lines["B"], lines["C"]) == ("start", "project", "spec")
    assert "FROM_THE_MACHINE" not in lines
    assert lines["CODEBUILD_BUILD_ID"] == done["id"]
    assert lines["CODEBUILD_BUILD_NUMBER"] == "1"
    assert lines["CODEBUILD_BUILD_SUCCEEDING"] == "1"
    assert lines["CODEBUILD_INITIATOR"] == "root"
    assert lines["AWS_REGION"] == REGION
    assert not lines["PATH"].startswith(str(Path(sys.executable).parent))
    undeclared = {
        name
        for name in lines
        if not name.startswith(("CODEBUILD_", "AWS_", "["))
        and name
        not in {"A", "B", "C", "PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_", "PYTHONDONTWRITEBYTECODE"}
    }
    assert not undeclared


def test_the_requests_of_a_build_carry_the_arns_of_the_build_and_its_project(root: Session) -> None:
    done = build(root, "version: 0.2\nphases: {build: {commands: [id]}}\n")
    known = [credentials.principal.session_keys for credentials in root.cloud._credentials.values()]
    (keys,) = (one for one in known if one.get("codebuild:buildarn") == done["arn"])
    assert keys["codebuild:projectarn"] == f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{done['projectName']}"


def test_commands_act_as_the_service_role(root: Session) -> None:
    done = build(
        root,
        """
        version: 0.2
        phases:
          install: {runtime-versions: {python: 3.12}}
          build:
            commands:
              - python -c "import boto3; print('I am', boto3.client('sts').get_caller_identity()['Arn'])"
              - python -c "import pytest" 2>/dev/null || echo only what the image has
        """,
    )
    text = log(root, done)
    assert done["buildStatus"] == "SUCCEEDED", text
    assert f"I am arn:aws:sts::{ACCOUNT}:assumed-role/builder/AWSCodeBuild-{done['id'].split(':')[1]}" in text
    assert "only what the image has" in text
    assert "runs Python 3.12 with the Python" in text


def test_a_failing_command_ends_the_phase_and_is_named(root: Session) -> None:
    done = build(
        root,
        """
        version: 0.2
        phases:
          build:
            commands: [echo before, exit 3, echo after]
            finally: [echo always]
          post_build:
            commands: ['echo succeeding=$CODEBUILD_BUILD_SUCCEEDING']
        """,
    )
    text = log(root, done)
    assert done["buildStatus"] == "FAILED"
    assert phase(done, "BUILD")["contexts"] == [
        {
            "statusCode": "COMMAND_EXECUTION_ERROR",
            "message": "Error while executing command: exit 3. Reason: exit status 3",
        }
    ]
    assert "always" in text.splitlines()
    assert "after" not in text.splitlines()
    assert "succeeding=0" in text  # POST_BUILD runs after a failed BUILD
    folder = root.cloud.folder / "builds/maker" / done["id"].split(":")[1]
    assert folder.is_dir()  # to be looked at
    assert folder.with_suffix(".log").read_text().count("exit status 3")


def test_nothing_is_left_of_a_build_that_succeeded_but_its_log(root: Session) -> None:
    done = build(root, "version: 0.2\nphases: {build: {commands: ['touch made; pwd']}}")
    folder = root.cloud.folder / "builds/maker" / done["id"].split(":")[1]
    assert f"{folder}/src" in folder.with_suffix(".log").read_text()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("failing", "on_failure", "last_phase"),
    [
        ("pre_build", "", "PRE_BUILD"),
        ("pre_build", "CONTINUE", "UPLOAD_ARTIFACTS"),
        ("build", "ABORT", "BUILD"),
        ("build", "", "UPLOAD_ARTIFACTS"),
        ("post_build", "ABORT", "POST_BUILD"),
    ],
)
def test_after_a_failure_the_build_goes_on_as_on_failure_says(
    root: Session, failing: str, on_failure: str, last_phase: str
) -> None:
    extra = f"on-failure: {on_failure}, " if on_failure else ""
    done = build(root, f"version: 0.2\nphases:\n  {failing}: {{{extra}commands: ['false']}}\n")
    assert done["buildStatus"] == "FAILED"
    assert list(statuses(done))[-3:] == [last_phase, "FINALIZING", "COMPLETED"]


@pytest.mark.parametrize(
    ("buildspec", "code", "message"),
    [
        ("version: 0.2\nphases:\n  test:\n    commands: [a]\n", "YAML_FILE_ERROR", "Invalid buildspec phase name"),
        (
            "version: 0.2\nphases:\n  install:\n    runtime-versions: {python: 3.8}\n",
            "YAML_FILE_ERROR",
            "Unknown runtime version named '3.8' of python. This build image has the following versions: 3.9, 3.10",
        ),
        ("version: 0.2\nphases:\n  install:\n    runtime-versions: {perl: 5}\n", "YAML_FILE_ERROR", "Unknown runtime"),
        (
            "version: 0.2\nenv: {parameter-store: {A: /not/there}}\nphases: {}\n",
            "Decrypted Variables Error",
            "parameter does not exist: /not/there",
        ),
        (
            "version: 0.2\nenv: {secrets-manager: {A: nothing}}\nphases: {}\n",
            "Secrets Manager Error",
            "ResourceNotFoundException",
        ),
    ],
)
def test_what_cannot_be_read_fails_before_any_command(root: Session, buildspec: str, code: str, message: str) -> None:
    done = build(root, buildspec)
    context = phase(done, "DOWNLOAD_SOURCE")["contexts"][0]
    assert done["buildStatus"] == "FAILED"
    assert context["statusCode"] == code
    assert message in context["message"]
    assert "INSTALL" not in statuses(done)


def test_parameters_and_secrets_are_fetched_and_never_shown(root: Session) -> None:
    root.client("ssm").put_parameter(Name="/kit/login", Value="open sesame", Type="SecureString")
    root.client("secretsmanager").create_secret(Name="kit", SecretString='{"token": "t0ken"}')
    done = build(
        root,
        """
        version: 0.2
        env:
          parameter-store: {LOGIN: /kit/login}
          secrets-manager: {TOKEN: "kit:token"}
          exported-variables: [LOGIN]
        phases:
          build:
            commands: ['test "$LOGIN/$TOKEN" = "open sesame/t0ken"', 'echo "$LOGIN and $TOKEN"']
        """,
    )
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)
    assert "*** and ***" in log(root, done)
    assert done["exportedEnvironmentVariables"] == []


def test_a_role_that_may_not_write_logs_fails_before_the_source(root: Session, limited: Callable[..., str]) -> None:
    done = build(root, "version: 0.2\nphases: {}\n", serviceRole=limited("s3:GetObject"))
    context = phase(done, "PROVISIONING")["contexts"][0]
    assert context["statusCode"] == "ACCESS_DENIED"
    assert "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams" in context["message"]
    assert list(statuses(done))[-3:] == ["PROVISIONING", "FINALIZING", "COMPLETED"]


def test_a_build_goes_on_when_its_role_may_not_send_lines(root: Session, limited: Callable[..., str]) -> None:
    done = build(root, "version: 0.2\nphases: {}\n", serviceRole=limited("logs:Create*"))
    assert done["buildStatus"] == "SUCCEEDED"
    kept = (root.cloud.folder / "builds/maker" / f"{done['id'].split(':')[1]}.log").read_text()
    assert "not authorized to perform: logs:PutLogEvents" in kept


def test_a_defect_of_the_embedded_aws_ends_the_build_as_a_fault(root: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(codebuild_run.BuildRun, "_download", broken)
    done = build(root, "version: 0.2\nphases: {}\n")
    assert done["buildStatus"] == "FAULT"
    until(lambda: root.cloud.faults)
    assert "a defect" in root.cloud.faults.pop().traceback


def test_a_build_can_be_stopped(root: Session) -> None:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project("version: 0.2\nphases:\n  build:\n    commands: [sleep 60, echo never]\n"))
    started = codebuild.start_build(projectName="maker")["build"]
    until(lambda: codebuild.batch_get_builds(ids=[started["id"]])["builds"][0]["currentPhase"] == "BUILD")
    codebuild.stop_build(id=started["id"])
    done = finish(root, started["id"])
    assert done["buildStatus"] == "STOPPED"
    assert statuses(done)["BUILD"] == "STOPPED"


def test_a_build_that_takes_too_long_times_out(root: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codebuild_run, "MINUTE", 0.1)
    done = build(root, "version: 0.2\nphases:\n  build:\n    commands: [sleep 60]\n", timeoutInMinutes=5)
    assert done["buildStatus"] == "TIMED_OUT"
    assert phase(done, "BUILD")["contexts"][0]["statusCode"] == "BUILD_TIMED_OUT"


def test_a_build_tells_its_start_and_its_end(root: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(codebuild_run, "emit", lambda *a, **event: seen.append(event))
    done = build(root, "version: 0.2\nphases: {}\n")
    until(lambda: len(seen) >= 2)
    assert [event["detail"]["build-status"] for event in seen] == ["IN_PROGRESS", "SUCCEEDED"]
    assert seen[1]["source"] == "aws.codebuild"
    assert seen[1]["resources"] == [done["arn"]]
    assert seen[1]["detail"]["additional-information"]["phases"][0]["start-time"] == moment(done["startTime"])


def test_a_build_is_retried_with_what_it_was_given(root: Session) -> None:
    """CodeBuild API Reference, RetryBuild."""
    given = {"environmentVariablesOverride": [{"name": "A", "value": "start"}]}
    done = build(root, "version: 0.2\nphases: {build: {commands: ['test $A = start']}}\n", start=given)
    codebuild = root.client("codebuild")
    again = codebuild.retry_build(id=done["id"], idempotencyToken="one")["build"]
    assert (again["buildNumber"], again["id"] == done["id"]) == (2, False)
    assert finish(root, again["id"])["buildStatus"] == done["buildStatus"] == "SUCCEEDED"
    assert codebuild.retry_build(id=done["arn"], idempotencyToken="one")["build"]["id"] == again["id"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        codebuild.retry_build(id="maker:none")
    with pytest.raises(ClientError, match="InvalidInputException"):
        codebuild.retry_build()
    with pytest.raises(ClientError, match="newest' at 'sortOrder'"):
        codebuild.list_builds(sortOrder="newest")
