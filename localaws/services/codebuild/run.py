"""One build of CodeBuild, from SUBMITTED to COMPLETED.

AWS CodeBuild User Guide, "Build phase transitions", "Build specification reference for
CodeBuild", "Environment variables in build environments", "Troubleshooting AWS CodeBuild" (the wording of the errors).

A phase that fails makes the build fail, also where `on-failure: CONTINUE` lets it go on: the
User Guide does not say otherwise.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from awslang.principals import service_principal
from localaws import confinement, places
from localaws.cloud import Cloud, Session
from localaws.confinement import Free
from localaws.services.codebuild import artifacts, prepared
from localaws.services.codebuild.buildspec import Buildspec, BuildspecError, parse, refuse_on_lambda
from localaws.services.codebuild.checks import is_inline
from localaws.services.codebuild.environment import PhaseFailed, read_parameters, read_secrets
from localaws.services.codebuild.images import is_amazon_linux, is_lambda, programs_of, runtimes, select_runtime
from localaws.services.codebuild.log import BuildLog, said, state_change
from localaws.services.codebuild.reports import publish
from localaws.services.codebuild.shell import (
    IMAGE_PACKAGES,
    SYSTEM_PATH,
    Interrupted,
    Shell,
    behind,
    interpreter,
    make_python,
)
from localaws.services.codebuild.state import BuildStop, CodeBuildState, PipelineBuild
from localaws.services.events.service import emit

MINUTE = 60.0  # seconds; a timeout is never shortened, because work is not
COMMAND_PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")


class BuildRun:
    """Runs one build and writes what happens into its record."""

    def __init__(
        self,
        cloud: Cloud,
        known: CodeBuildState,
        build: dict[str, Any],
        project: Mapping[str, Any],
        stop: BuildStop,
        work: PipelineBuild | None,
    ) -> None:
        self.cloud = cloud
        self.known = known
        self.build = build
        self.project = project
        self.stop = stop
        self.work = work
        self.account, self.region = build["arn"].split(":")[4], build["arn"].split(":")[3]
        places.spread(cloud.folder / "builds")
        self.folder = cloud.folder / "builds" / project["name"] / build["id"].split(":")[1]
        self.log = BuildLog(self.folder.with_suffix(".log"))
        self.failed = False
        self.place = Free()
        self.ends = time.monotonic() + build["timeoutInMinutes"] * MINUTE
        self.session: Session
        self.sources: artifacts.Sources
        self.spec: Buildspec
        self.shell: Shell

    def run(self) -> None:
        """The whole build. What a build can do wrong is in its record; only a defect here is an exception."""
        try:
            self._run()
        except Exception:
            self._end("FAULT")
            raise
        finally:
            self.place.end()

    def _run(self) -> None:
        self._tell()
        status = "FAILED"
        try:
            for name, work in (
                ("SUBMITTED", self._nothing),
                ("QUEUED", self._nothing),
                ("PROVISIONING", self._provision),
                ("DOWNLOAD_SOURCE", self._download),
            ):
                with self._phase(name):
                    work()
            self._commands()
            status = "FAILED" if self.failed else "SUCCEEDED"
        except PhaseFailed:
            pass
        except Interrupted as interrupted:
            status = interrupted.reason
        self._export()
        with self._phase("FINALIZING"):
            pass
        if status == "SUCCEEDED":  # of a build that failed, the folder stays to be looked at
            shutil.rmtree(self.folder, ignore_errors=True)
        self._end(status)

    def _end(self, status: str) -> None:
        self.log.close()
        with self.known.lock:
            now = datetime.now(UTC)
            self.build["phases"].append({"phaseType": "COMPLETED", "startTime": now})
            self.build.update(currentPhase="COMPLETED", buildStatus=status, endTime=now, buildComplete=True)
        self.cloud.changed(self.build["id"])
        self._tell()

    def interrupted(self) -> str:
        """Why the build must end now, or ""."""
        if self.stop.asked.is_set() or self.cloud.stopping.is_set():
            return "STOPPED"
        return "TIMED_OUT" if time.monotonic() > self.ends else ""

    # -- phases --------------------------------------------------------------------------------

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started = datetime.now(UTC)
        record: dict[str, Any] = {"phaseType": name, "startTime": started}
        with self.known.lock:
            self.build["phases"].append(record)
            self.build["currentPhase"] = name
        self.log.note(f"Phase is {name}" if name not in COMMAND_PHASES else f"Entering phase {name}")
        status, context = "SUCCEEDED", {"statusCode": "", "message": ""}
        try:
            yield
        except PhaseFailed as failure:
            self.failed = True
            status, context = "FAILED", {"statusCode": failure.code, "message": failure.message}
            raise
        except Interrupted as interrupted:
            status = interrupted.reason
            if status == "TIMED_OUT":
                context = {"statusCode": "BUILD_TIMED_OUT", "message": "Build has timed out. "}
            raise
        finally:
            ended = datetime.now(UTC)
            seconds = int((ended - started).total_seconds())
            with self.known.lock:
                record.update(phaseStatus=status, endTime=ended, durationInSeconds=seconds, contexts=[context])
            self.log.note(f"Phase complete: {name} State: {status}")
            self.log.note(f"Phase context status code: {context['statusCode']} Message: {context['message']}")
            self.log.send_if_due()

    def _nothing(self) -> None:
        """A phase in which this machine has nothing to do."""

    def _provision(self) -> None:
        """Take on the service role, whose requests then carry the ARNs of the build and of its project.

        IAM User Guide, "AWS global condition context keys": codebuild:BuildArn, codebuild:ProjectArn.
        """
        role, build_id = self.build["serviceRole"], self.build["id"].split(":")[1]
        project_arn = self.project["arn"]
        try:
            by = service_principal("codebuild.amazonaws.com", SourceArn=project_arn, SourceAccount=self.account)
            keys = {"codebuild:buildarn": self.build["arn"], "codebuild:projectarn": project_arn}
            self.session = self.cloud.assume_role(role, f"AWSCodeBuild-{build_id}", by, self.region, keys=keys)
        except AwsError as error:
            message = f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}"
            raise PhaseFailed("ACCESS_DENIED", message) from error
        logs = self.build["logs"]
        if "groupName" not in logs:
            return
        try:
            self.log.open_stream(self.session, logs["groupName"], logs["streamName"])
        except ClientError as error:
            raise PhaseFailed(
                "ACCESS_DENIED",
                f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for "
                f"build {self.build['arn']}. Error message: {error.response['Error'].get('Message', error)}",
            ) from error

    def _download(self) -> None:
        try:
            self.sources = artifacts.download(self.session, self.project["source"], self.work, self.folder)
        except (ClientError, artifacts.ArtifactError) as error:
            raise PhaseFailed("CLIENT_ERROR", f"{said(error)} for primary source and source version "
                              f"{self.build.get('sourceVersion', '')}") from error  # fmt: skip
        self.log.note(f"CODEBUILD_SRC_DIR={self.sources.primary}")
        try:
            self.spec = parse(self._buildspec())
            if is_lambda(self.build["environment"]):
                refuse_on_lambda(self.spec)
        except BuildspecError as error:
            raise PhaseFailed("YAML_FILE_ERROR", str(error)) from error
        self.log.note("Processing environment variables")
        variables = self._variables()
        names = []
        for name, asked in self.spec.runtimes.items():
            names += self._select(name, variables.get(asked.removeprefix("$").strip("{}"), asked))
        packages = self.cloud.folder / "builds" / ".image"
        client = "" if self.cloud.strangers else prepared.client()
        own = programs_of(self.build["environment"]["image"])
        shared = not self.cloud.strangers
        programs = make_python(self.folder / "python", packages, names, client, own=own, shared=shared)
        (self.folder / "home").mkdir()
        self.place = confinement.place(self.cloud.strangers, behind(packages, IMAGE_PACKAGES), [self.folder])
        environment = {
            "PATH": f"{programs}:{SYSTEM_PATH}",
            "HOME": str(self.folder / "home"),
            **prepared.ENVIRONMENT,
            **self.session.environment(),
            **self._codebuild_variables(),
            **variables,
        }
        self.shell = Shell(
            self.folder / "tmp",
            self.sources.primary,
            environment,
            interpreter(self.spec.shell, is_amazon_linux(self.build["environment"]["image"])),
            self.log.line,
            self.interrupted,
            self.place,
        )
        self.log.hidden.append(self.session.credentials.access_key_id)

    def _buildspec(self) -> str:
        given: str = self.build["source"].get("buildspec") or "buildspec.yml"
        if is_inline(given):
            return given
        if given.startswith("arn:"):
            bucket, _, key = given.split(":::", 1)[1].partition("/")
            try:
                body = self.session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                raise PhaseFailed("CLIENT_ERROR", f"{said(error)} for buildspec {given}") from error
            return bytes(body).decode()
        path = self.sources.primary / given
        self.log.note(f"YAML location is {path}")
        if not path.resolve().is_relative_to(self.sources.primary.resolve()) or not path.is_file():
            raise BuildspecError(f"stat {path}: no such file or directory")
        return path.read_text(encoding="utf-8")

    def _select(self, name: str, asked: str) -> list[str]:
        """Choose a runtime as the image does; the names of the programs that it brings."""
        image = self.build["environment"]["image"]
        if runtimes(image) is None:
            self.log.note(f"The embedded AWS does not know the runtimes of {image}: '{name}' {asked} is not checked")
        try:
            version = select_runtime(image, name, asked)
        except ValueError as error:
            raise PhaseFailed("YAML_FILE_ERROR", str(error)) from error
        self.log.note(f"Selecting '{name}' runtime version '{version}' based on manual selections...")
        if name != "python":
            self.log.note(f"The embedded AWS installs no {name}: commands find what this machine has, if anything")
            return []
        here = ".".join(map(str, sys.version_info[:3]))
        self.log.note(f"The embedded AWS runs Python {version} with the Python {here} of this machine")
        return [f"python{version}"]

    # -- environment variables -----------------------------------------------------------------

    def _variables(self) -> dict[str, str]:
        """What build, project and buildspec declare; the first of them wins."""
        plain = dict(self.spec.variables)
        parameters, secrets = dict(self.spec.parameters), dict(self.spec.secrets)
        by_type = {"PLAINTEXT": plain, "PARAMETER_STORE": parameters, "SECRETS_MANAGER": secrets}
        for item in self.build["environment"]["environmentVariables"]:
            for kind in by_type.values():
                kind.pop(item["name"], None)
            by_type[item.get("type", "PLAINTEXT")][item["name"]] = item["value"]
        self._secret = {*parameters, *secrets}
        fetched = {**read_parameters(self.session, parameters), **read_secrets(self.session, secrets)}
        self.log.hidden += [value for value in fetched.values() if value]
        return {**plain, **fetched}

    def _codebuild_variables(self) -> dict[str, str]:
        build = self.build
        found = {
            "CODEBUILD_BUILD_ARN": build["arn"],
            "CODEBUILD_BUILD_ID": build["id"],
            "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_INITIATOR": build["initiator"],
            "CODEBUILD_KMS_KEY_ID": build["encryptionKey"],
            "CODEBUILD_PROJECT_ARN": self.project["arn"],
            "CODEBUILD_SOURCE_REPO_URL": self.sources.url,
            "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion", ""),
            "CODEBUILD_SRC_DIR": str(self.sources.primary),
            "CODEBUILD_START_TIME": str(int(build["startTime"].timestamp() * 1000)),
        }
        if build.get("resolvedSourceVersion"):
            found["CODEBUILD_RESOLVED_SOURCE_VERSION"] = build["resolvedSourceVersion"]
        for name, folder in self.sources.secondary.items():
            found[f"CODEBUILD_SRC_DIR_{name}"] = str(folder)
        return found

    # -- commands ------------------------------------------------------------------------------

    def _commands(self) -> None:
        """The four phases of commands, then the artifacts.

        A failure in INSTALL or PRE_BUILD ends the build; after one in BUILD, POST_BUILD and
        UPLOAD_ARTIFACTS still run; `on-failure` decides otherwise.
        """
        for name in COMMAND_PHASES:
            try:
                with self._phase(name):
                    self._run_phase(name)
            except PhaseFailed:
                on_failure = self.spec.phases[name.lower()].on_failure
                goes_on = name in {"BUILD", "POST_BUILD"} or on_failure == "CONTINUE"
                if on_failure == "ABORT" or not goes_on:
                    raise
        with self._phase("UPLOAD_ARTIFACTS"):
            self._upload()

    def _run_phase(self, name: str) -> None:
        phase = self.spec.phases.get(name.lower())
        if phase is None:
            return
        self.shell.export("CODEBUILD_BUILD_SUCCEEDING", "0" if self.failed else "1")
        failures = []
        for commands in (phase.commands, phase.last):  # `finally` runs in any case
            for command in commands:
                self.log.note(f"Running command {command}")
                status = self.shell.run(command)
                if status:
                    self.log.note(f"Command did not exit successfully {command} exit status {status}")
                    failures.append(f"Error while executing command: {command}. Reason: exit status {status}")
                    break
        if failures:
            raise PhaseFailed("COMMAND_EXECUTION_ERROR", failures[0])

    def _export(self) -> None:
        """The values of `exported-variables`; neither AWS_… nor secrets can be exported."""
        if hasattr(self, "shell"):
            names = [n for n in self.spec.exported if not n.startswith("AWS_") and n not in self._secret]
            values = self.shell.values(names)
            with self.known.lock:
                self.build["exportedEnvironmentVariables"] = [
                    {"name": name, "value": value} for name, value in values.items()
                ]

    def _upload(self) -> None:
        problems = []
        for group, files in self.spec.reports.items():
            try:
                found = artifacts.select(self.sources.primary, files, self.shell.expand)
                report = publish(
                    self.session, self.known, self.build, self.shell.expand(group),
                    [(name, self.place.read(path)) for name, path in found],
                )  # fmt: skip
                with self.known.lock:
                    self.build["reportArns"].append(report)
                self.log.note(f"Report {report}")
            except (artifacts.ArtifactError, OSError, ValueError, AwsError, ClientError) as error:
                problems.append(f"Error in UPLOAD_ARTIFACTS phase: [{group}: [{said(error)}]]")
        try:
            uploaded = artifacts.upload(self.session, self.build, self.project, self.work, self.spec,
                                        self.sources.primary, self.shell, self.log.note)  # fmt: skip
            with self.known.lock:
                self.build.update(uploaded)
        except (artifacts.ArtifactError, OSError) as error:
            problems.append(str(error))
        except ClientError as error:
            problems.append(f"Error in UPLOAD_ARTIFACTS phase: {said(error)}")
        if problems:
            raise PhaseFailed("CLIENT_ERROR", "; ".join(problems))

    def _tell(self) -> None:
        with self.known.lock:
            detail = state_change(self.build)
        emit(
            self.cloud,
            self.account,
            self.region,
            source="aws.codebuild",
            detail_type="CodeBuild Build State Change",
            resources=[self.build["arn"]],
            detail=detail,
        )
