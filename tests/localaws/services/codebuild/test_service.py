"""CodeBuild: projects are checked, and builds really run their commands."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session
from localaws.services.codebuild import run as codebuild_run
from localaws.services.codebuild.log import moment
from localaws.services.codebuild.state import PipelineBuild, PipelineWork
from scripts.rehearsal.embedded import embedded_aws
from tests.support.waiting import until
from tests.support.zips import files_in, zip_of

ACCOUNT, REGION = "111111111111", "us-east-1"
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
JUNIT = """<testsuites><testsuite name="s"><testcase classname="c" name="good" time="0.5"/>
<testcase classname="c" name="bad"><failure message="expected 1">got 2</failure></testcase></testsuite></testsuites>"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One embedded AWS for all tests here, with a role and a bucket: starting one takes a second."""
    with embedded_aws(tmp_path_factory.mktemp("rehearsal")) as cloud:
        session = cloud.root(ACCOUNT, REGION)
        iam = session.client("iam")
        iam.create_role(RoleName="builder", Path="/service-role/", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="builder", PolicyName="all", PolicyDocument=json.dumps(ALL))
        session.client("s3").create_bucket(Bucket="store")
        yield session
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


@pytest.fixture
def root(shared: Session) -> Iterator[Session]:
    yield shared
    codebuild = shared.client("codebuild")
    for name in codebuild.list_projects()["projects"]:
        codebuild.delete_project(name=name)


def project(buildspec: str = "", **changes: Any) -> dict[str, Any]:
    return {
        "name": "maker",
        "source": {"type": "NO_SOURCE", "buildspec": textwrap.dedent(buildspec) or "version: 0.2\nphases: {}\n"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": f"arn:aws:iam::{ACCOUNT}:role/service-role/builder",
        **changes,
    }


def finish(root: Session, build_id: str) -> dict[str, Any]:
    codebuild = root.client("codebuild")
    until(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["buildComplete"])
    return dict(codebuild.batch_get_builds(ids=[build_id])["builds"][0])


def build(root: Session, buildspec: str, start: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(buildspec, **changes))
    return finish(root, codebuild.start_build(projectName="maker", **(start or {}))["build"]["id"])


def log(root: Session, build: dict[str, Any]) -> str:
    logs = build["logs"]
    answer = root.client("logs").get_log_events(
        logGroupName=logs["groupName"], logStreamName=logs["streamName"], startFromHead=True
    )
    return "\n".join(event["message"] for event in answer["events"])


def phase(build: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in build["phases"] if item["phaseType"] == name)
    return found


def statuses(build: dict[str, Any]) -> dict[str, str]:
    return {item["phaseType"]: item.get("phaseStatus", "") for item in build["phases"]}


def unzipped(root: Session, key: str) -> dict[str, str]:
    body = root.client("s3").get_object(Bucket="store", Key=key)["Body"].read()
    return files_in(body)


# -- builds ------------------------------------------------------------------------------------


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
    assert (root.cloud.folder / "builds/maker" / f"{done['id'].split(':')[1]}.log").read_text().count("exit status 3")


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


def test_source_and_artifacts_are_zips_in_s3(root: Session) -> None:
    spec = """
    version: 0.2
    phases:
      build:
        commands: [mkdir -p out/deep, cp given.txt out/deep/, echo done > out/note.txt]
    artifacts:
      files: ['**/*']
      base-directory: out
      name: made-$CODEBUILD_BUILD_NUMBER
      secondary-artifacts:
        flat: {files: ['out/**/*'], discard-paths: yes}
    """
    root.client("s3").put_object(
        Bucket="store", Key="in.zip", Body=zip_of({"given.txt": "here", "buildspec.yml": textwrap.dedent(spec)})
    )
    s3 = {"type": "S3", "location": "store", "packaging": "ZIP", "path": "results"}
    done = build(
        root,
        "",
        source={"type": "S3", "location": "store/in.zip"},
        artifacts={**s3, "name": "x", "overrideArtifactName": True},
        secondaryArtifacts=[{**s3, "name": "flat.zip", "namespaceType": "BUILD_ID", "artifactIdentifier": "flat"}],
    )
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)
    assert done["artifacts"]["location"] == "arn:aws:s3:::store/results/made-1"
    assert unzipped(root, "results/made-1") == {"deep/given.txt": "here", "note.txt": "done\n"}
    flat = unzipped(root, f"results/{done['id'].split(':')[1]}/flat.zip")
    assert flat == {"given.txt": "here", "note.txt": "done\n"}


def test_artifacts_that_are_not_there_fail_the_upload(root: Session) -> None:
    done = build(
        root,
        "version: 0.2\nphases: {}\nartifacts: {files: [absent.txt]}\n",
        artifacts={"type": "S3", "location": "store", "name": "x"},
    )
    assert done["buildStatus"] == "FAILED"
    assert phase(done, "UPLOAD_ARTIFACTS")["contexts"] == [
        {"statusCode": "CLIENT_ERROR", "message": "no matching artifact paths found"}
    ]


def test_a_pipelines_build_takes_its_inputs_and_leaves_its_outputs(root: Session) -> None:
    spec = """
    version: 0.2
    phases:
      build:
        commands: ['cat given.txt $CODEBUILD_SRC_DIR_Other/more.txt > both.txt', 'echo by $CODEBUILD_INITIATOR']
    artifacts: {files: [both.txt]}
    """
    s3, codebuild = root.client("s3"), root.client("codebuild")
    s3.put_object(Bucket="store", Key="a", Body=zip_of({"given.txt": "1", "b/spec.yml": textwrap.dedent(spec)}))
    s3.put_object(Bucket="store", Key="b", Body=zip_of({"more.txt": "2"}))
    codebuild.create_project(
        **project(source={"type": "CODEPIPELINE", "buildspec": "b/spec.yml"}, artifacts={"type": "CODEPIPELINE"})
    )
    root.cloud.state(PipelineWork, ACCOUNT, REGION).by_token["action-1"] = PipelineBuild(
        pipeline_arn=f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:line",
        input_artifacts={"Main": ("store", "a"), "Other": ("store", "b")},
        primary="Main",
        output_artifacts={"Out": ("store", "out")},
    )
    started = codebuild.start_build(projectName="maker", idempotencyToken="action-1")["build"]
    again = codebuild.start_build(projectName="maker", idempotencyToken="action-1")["build"]
    assert again["id"] == started["id"]
    done = finish(root, started["id"])
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)
    assert unzipped(root, "out") == {"both.txt": "12"}
    assert "by codepipeline/line" in log(root, done)
    with pytest.raises(ClientError, match="built by CodePipeline"):
        codebuild.start_build(projectName="maker")


def test_reports_hold_the_test_cases(root: Session) -> None:
    codebuild = root.client("codebuild")
    done = build(
        root,
        f"""
        version: 0.2
        phases:
          build:
            commands:
              - mkdir reports
              - |
                cat > reports/r.xml <<'END'
                {JUNIT.replace(chr(10), " ")}
                END
        reports:
          unit: {{files: ['**/*'], base-directory: reports}}
        """,
    )
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)  # a failed test fails no build by itself
    group = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/maker-unit"
    assert codebuild.list_report_groups()["reportGroups"] == [group]
    assert codebuild.list_reports_for_report_group(reportGroupArn=group)["reports"] == done["reportArns"]
    report = codebuild.batch_get_reports(reportArns=done["reportArns"])["reports"][0]
    assert report["status"] == "FAILED"
    assert report["testSummary"]["total"] == 2
    assert report["testSummary"]["statusCounts"]["FAILED"] == 1
    failed = codebuild.describe_test_cases(reportArn=report["arn"], filter={"status": "FAILED"})["testCases"]
    assert [(case["name"], case["message"]) for case in failed] == [("bad", "expected 1 got 2")]


def test_a_report_without_files_fails_the_upload(root: Session) -> None:
    done = build(root, "version: 0.2\nphases: {}\nreports: {unit: {files: [r.xml]}}\n")
    assert done["buildStatus"] == "FAILED"
    assert "unit" in phase(done, "UPLOAD_ARTIFACTS")["contexts"][0]["message"]


@pytest.fixture
def limited(root: Session) -> Iterator[Callable[..., str]]:
    """Makes a role that may do these actions and nothing else; requests are authorized meanwhile."""
    iam = root.client("iam")

    def make(*actions: str) -> str:
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        made = iam.create_role(RoleName="limited", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="limited", PolicyName="p", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    yield make
    iam.delete_role_policy(RoleName="limited", PolicyName="p")
    iam.delete_role(RoleName="limited")


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


def test_a_role_that_may_not_write_reports_fails_the_upload(root: Session, limited: Callable[..., str]) -> None:
    role = limited("logs:*", "codebuild:CreateReportGroup", "codebuild:CreateReport", "codebuild:UpdateReport")
    spec = """
    version: 0.2
    phases: {build: {commands: ["echo '<testsuite/>' > r.xml"]}}
    reports: {denied: {files: [r.xml]}}
    """
    done = build(root, spec, serviceRole=role)
    assert done["buildStatus"] == "FAILED"
    message = phase(done, "UPLOAD_ARTIFACTS")["contexts"][0]["message"]
    assert "not authorized to perform: codebuild:BatchPutTestCases on resource" in message
    assert "report-group/maker-denied" in message


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


# -- projects ----------------------------------------------------------------------------------


def environment(**changes: Any) -> dict[str, Any]:
    return {"environment": {**project()["environment"], **changes}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "with space"}, "Invalid project name"),
        (environment(image="aws/codebuild/amazonlinux-x86_64-standard:5.9"), "CodeBuild has no image"),
        (environment(image="aws/codebuild/amazonlinux-aarch64-standard:3.0"), "does not run in environment type"),
        (environment(imagePullCredentialsType="SERVICE_ROLE"), "curated image"),
        (environment(image="not an image"), "Invalid image"),
        (environment(computeType="BUILD_GENERAL1_TINY"), "Compute type BUILD_GENERAL1_TINY"),
        (environment(type="LINUX"), "Invalid environment type"),
        (environment(type="WINDOWS_CONTAINER"), "Not supported by the embedded AWS"),
        (environment(environmentVariables=[{"name": "CODEBUILD_A", "value": ""}]), "reserved"),
        (environment(environmentVariables=[{"name": "A", "value": ""}] * 2), "Duplicate environment variable"),
        ({"source": {"type": "NO_SOURCE", "buildspec": "buildspec.yml"}}, "inline"),
        ({"source": {"type": "S3", "location": "bucket"}}, "bucket/key"),
        ({"source": {"type": "GITHUB", "location": "https://x"}}, "Not supported by the embedded AWS"),
        ({"source": {"type": "CODEPIPELINE"}}, "both be of type CODEPIPELINE"),
        ({"artifacts": {"type": "S3", "name": "x"}}, "location"),
        ({"timeoutInMinutes": 3000}, "must be between 5 and 2160"),
        ({"vpcConfig": {"vpcId": "vpc-1"}}, "Not supported by the embedded AWS: a CodeBuild project with vpcConfig"),
        ({"serviceRole": f"arn:aws:iam::{ACCOUNT}:role/absent"}, "not authorized to perform: sts:AssumeRole"),
    ],
)
def test_a_wrong_project_is_refused(root: Session, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        root.client("codebuild").create_project(**project(**changes))
    assert root.client("codebuild").list_projects()["projects"] == []


@pytest.mark.parametrize(
    "image",
    [
        "aws/codebuild/amazonlinux2-x86_64-standard:5.0",
        "aws/codebuild/standard:7.0-24.10.29",
        "aws/codebuild/standard:4.0",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/tools:1.2",
        "public.ecr.aws/docker/library/python:3.12",
    ],
)
def test_known_images_are_accepted(root: Session, image: str) -> None:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(**environment(image=image)))
    [made] = codebuild.batch_get_projects(names=codebuild.list_projects()["projects"])["projects"]
    assert made["environment"]["image"] == image


def test_projects_are_updated_listed_and_deleted(root: Session) -> None:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(tags=[{"key": "k", "value": "v"}]))
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        codebuild.create_project(**project())
    codebuild.update_project(name="maker", timeoutInMinutes=30)
    answer = codebuild.batch_get_projects(names=["maker", "other"])
    assert answer["projects"][0]["timeoutInMinutes"] == 30
    assert answer["projects"][0]["tags"] == [{"key": "k", "value": "v"}]
    assert answer["projects"][0]["encryptionKey"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3"
    assert answer["projectsNotFound"] == ["other"]
    codebuild.delete_project(name="maker")
    codebuild.delete_project(name="maker")
    assert codebuild.list_projects()["projects"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        codebuild.start_build(projectName="maker")
