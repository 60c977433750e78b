"""The step OwnTests: the tests of the deploy repository (tests/test_*.py), once for each staging endpoint.

They are code of the repository and may do whatever this step's role may: become the tester's role of staging accounts
for its own project, and nothing else (12-project-roles.yaml). So the step hands nothing on but whether they passed: no
artifact, no variable, no report. They run with unittest, or with pytest where tests/requirements.txt brings it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.asynchronous import parameters
from pipeline.console import UserError, counted, run, say
from pipeline.testers import CONFIG, enter

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

STAGE = "staging"  # the tester's roles of production do not trust this step's role
MANIFEST = "deployment.json"
# CodeBuild's variables for the folders of the input artifacts.
BUILD_OUTPUT, REPOSITORY = "CODEBUILD_SRC_DIR_BuildOutput", "CODEBUILD_SRC_DIR_SourceOutput"
TESTS, REQUIREMENTS = Path("tests"), Path("tests/requirements.txt")
PACKAGES = Path("own-tests-packages")
AT_ONCE = 4  # test runs at the same time: the build has 2 processors
SECONDS = 22 * 60.0  # for all of them; the build has 45 minutes, and the tester's credentials last an hour
INSTALLING = 10 * 60.0  # seconds
SHOWN = 100_000  # characters of a run's output that the log shows, the last ones
NO_TESTS = re.compile(r"^Ran 0 tests in ", re.MULTILINE)  # unittest's; before Python 3.12 it counts as a success
# A test run has the tester's credentials and not this step's.
OWN_CREDENTIALS = re.compile(r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|CONTAINER_.*)")


def find_tests(repository: Path) -> list[str]:
    """The files of tests, by name."""
    return sorted(path.name for path in (repository / TESTS).glob("test_*.py") if path.is_file())


def install(repository: Path, packages: Path) -> None:
    """Put what tests/requirements.txt names into a folder, where there is such a file."""
    if not (repository / REQUIREMENTS).is_file():
        return
    say(f"installing {REQUIREMENTS}")
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--target", str(packages), "--requirement", str(REQUIREMENTS)]
    code, output = bounded(command, repository, dict(os.environ), INSTALLING)
    say(output.rstrip())
    if code != 0:
        raise UserError(f"{REQUIREMENTS} cannot be installed: pip says above why")


def runner(packages: Path) -> list[str]:
    """The command that runs the tests, in the repository's folder, whose own modules are not on Python's path (-P)."""
    if (packages / "pytest").is_dir():
        return [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", str(TESTS)]
    return [sys.executable, "-P", "-m", "unittest", "discover", "--verbose", "--start-directory", str(TESTS)]


def environment(
    given: Mapping[str, str], credentials: Mapping[str, Any], part: Mapping[str, Any], region: str, packages: Path
) -> dict[str, str]:
    """The variables of a test run. given: those of this step; part: of the manifest"""
    kept = {name: value for name, value in given.items() if not OWN_CREDENTIALS.fullmatch(name)}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "ENDPOINT_NAME": part["endpoint_name"],
        "ENDPOINT_KIND": parameters(part).get("EndpointKind", "real-time"),
        "PYTHONPATH": str(packages),
    }


def bounded(command: list[str], folder: Path, variables: Mapping[str, str], seconds: float) -> tuple[int, str]:
    """The exit code of a command and the end of its output; what is at work after so many seconds is ended."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(variables), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        note = ""
        try:
            code = process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            code, note = 1, "ended: it took too long\n"
        finally:
            end(process)
        output.seek(max(output.seek(0, os.SEEK_END) - SHOWN, 0))
        return code, output.read(SHOWN).decode(errors="replace") + note


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command with everything that it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_place(
    sts: STSClient, manifest: Mapping[str, Any], place: tuple[str, str], repository: Path, packages: Path, ends: float
) -> tuple[str, str]:
    """Run the tests against the endpoint of an account and Region: why they failed ("" if they passed), their output.

    ends: when, in time.monotonic(), what is at work is ended
    """
    account, region = place
    try:
        credentials = enter(sts, manifest, STAGE, account)
    except (ClientError, BotoCoreError) as error:
        return f"the tester's role cannot be assumed: {error}", ""
    variables = environment(os.environ, credentials, manifest["stages"][STAGE], region, packages)
    code, output = bounded(runner(packages), repository, variables, ends - time.monotonic())
    if code == 0 and NO_TESTS.search(output):
        return "no test was found in the files", output
    return (f"exit code {code}" if code else ""), output


def run_tests(manifest: Mapping[str, Any], repository: Path, packages: Path, sts: STSClient) -> bool:
    """Run the tests against every endpoint of staging; whether all passed."""
    part, ends = manifest["stages"][STAGE], time.monotonic() + SECONDS
    places = [(account["id"], region) for account in part["accounts"] for region in part["regions"]]
    failed = 0
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        results = pool.map(lambda place: test_place(sts, manifest, place, repository, packages, ends), places)
        for place, (failure, output) in zip(places, results, strict=True):
            say(f"{'FAILED' if failure else 'ok':>7}  {'/'.join(place)}  {failure}".rstrip())
            say("".join(f"         {line}\n" for line in output.splitlines()).rstrip())
            failed += bool(failure)
    say(f"own tests: {failed} of {counted(len(places), 'endpoint')} failed" if failed else "own tests: passed")
    return not failed


def main() -> int:
    manifest = json.loads((Path(os.environ.get(BUILD_OUTPUT, "")) / MANIFEST).read_text(encoding="utf-8"))
    if not os.environ.get(REPOSITORY):
        raise UserError(f"the build project is not complete: environment variable {REPOSITORY} is not set")
    repository, packages = Path(os.environ[REPOSITORY]), PACKAGES.resolve()
    found = find_tests(repository)
    if not found:
        say("no own tests: the deploy repository holds no tests/test_*.py")
        return 0
    say(f"own tests: {', '.join(found)}")
    install(repository, packages)
    return 0 if run_tests(manifest, repository, packages, boto3.client("sts", config=CONFIG)) else 1


if __name__ == "__main__":
    raise SystemExit(run(main))
