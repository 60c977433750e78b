"""Runs a function's handler in a process of its own, with the execution role's credentials and nothing else.

AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" (at most 10 seconds to load,
the timeout counts from the handler on), "Working with Lambda environment variables", "Sending Lambda function logs to
CloudWatch Logs". Every invocation gets an execution environment of its own. /tmp is this machine's.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws import confinement
from localaws.cloud import Cloud, Session
from localaws.containers import lambda_python
from localaws.services.awslambda.state import Function, Version, invalid
from localaws.services.cloudwatch import own_metrics
from localaws.services.codebuild.shell import SYSTEM_PATH, behind, end, link_packages

PRINCIPAL = "lambda.amazonaws.com"
INIT_SECONDS = 10.0
# What Lambda's Python runtimes bring along ("Runtime-included SDK versions (Python)"), with what that needs.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")


@dataclass
class Outcome:
    """How one invocation ended: the payload, and the kind of error ("" for none)."""

    payload: bytes
    error: str = ""
    log: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Invocation:
    """One event for one version of a function."""

    function: Function
    version: Version
    arn: str  # as it was invoked, with its qualifier
    event: bytes
    request_id: str
    client_context: Any = None


def open_session(cloud: Cloud, function: Function, version: Version) -> Session:
    """The execution role; InvalidParameterValueException where Lambda may not assume it."""
    _, _, _, region, account, _ = function.arn.split(":", 5)
    source = {"SourceArn": function.arn, "SourceAccount": account}
    try:
        return cloud.service_role(version.shown["Role"], function.name, PRINCIPAL, region, **source)
    except AwsError as error:
        raise invalid(f"The role defined for the function cannot be assumed by Lambda. ({error.message})") from error


def run(cloud: Cloud, invocation: Invocation, session: Session) -> Outcome:
    """Start, wait, write the log and the metrics."""
    shown = invocation.version.shown
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[{invocation.version.number}]{secrets.token_hex(16)}"
    began = time.monotonic()
    outcome, memory, loaded = _execute(cloud, invocation, session, stream)
    took = (time.monotonic() - loaded) * 1000
    version = invocation.version.number
    outcome.log.insert(0, f"START RequestId: {invocation.request_id} Version: {version}")
    outcome.log += [
        f"END RequestId: {invocation.request_id}",
        f"REPORT RequestId: {invocation.request_id}\tDuration: {took:.2f} ms\tBilled Duration: {int(took) + 1} ms\t"
        f"Memory Size: {shown['MemorySize']} MB\tMax Memory Used: {memory} MB\t"
        f"Init Duration: {(loaded - began) * 1000:.2f} ms",
    ]
    _write_log(cloud, invocation.function, session, shown["LoggingConfig"]["LogGroup"], stream, outcome.log)
    _count(cloud, invocation.function, took, bool(outcome.error))
    return outcome


def _execute(cloud: Cloud, invocation: Invocation, session: Session, stream: str) -> tuple[Outcome, int, float]:
    """Outcome, memory in MB, and when the handler began (time.monotonic())."""
    shown = invocation.version.shown
    folder = cloud.folder / "lambda" / "run" / invocation.request_id
    folder.mkdir(parents=True, exist_ok=True)
    packages = cloud.folder / "lambda" / "packages"
    link_packages(packages, PACKAGES)
    request = folder / "request.json"
    context = {
        "function_name": invocation.function.name, "function_version": invocation.version.number,
        "invoked_function_arn": invocation.arn, "memory": shown["MemorySize"], "request_id": invocation.request_id,
        "log_group": shown["LoggingConfig"]["LogGroup"], "log_stream": stream, "timeout": shown["Timeout"],
        "client_context": invocation.client_context,
    }  # fmt: skip
    content = {"event": invocation.event.decode(), "context": context, "handler": shown["Handler"],
            "packages": str(packages)}  # fmt: skip
    request.write_text(json.dumps(content), encoding="utf-8")
    reading, writing = os.pipe()
    began = time.monotonic()
    program = Path(lambda_python.__file__)
    seen = [*behind(packages, PACKAGES), program.parent, invocation.version.folder]
    place = confinement.place(cloud.strangers, seen, [folder])
    process = place.start(
        [str(Path(sys.executable).resolve()), "-I", "-S", str(program), str(request), str(writing)],
        environment(invocation, session, stream, folder),
        cwd=invocation.version.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(writing,),
        start_new_session=True,
    )
    os.close(writing)
    log: list[str] = []
    reader = threading.Thread(target=_read, args=(process, log), daemon=True)
    reader.start()
    said = _Said(reading)
    answer, loaded = said.wait(cloud, process, began, float(shown["Timeout"]))
    late = answer is None and process.poll() is None
    if late:
        end(process)
    process.wait()
    reader.join(1)
    place.end()
    loaded = loaded or time.monotonic()
    if answer is not None:
        error = answer.get("error")
        payload = json.dumps({**error, "requestId": invocation.request_id}) if error else answer["payload"]
        return Outcome(payload.encode(), "Unhandled" if error else "", log), int(answer["memory"]), loaded
    if late:
        kind, message = "Sandbox.Timedout", f"Error: Task timed out after {float(shown['Timeout']):.2f} seconds"
    else:
        signal = f"signal: {-process.returncode}" if process.returncode < 0 else f"exit status {process.returncode}"
        kind, message = "Runtime.ExitError", f"Error: Runtime exited with error: {signal}"
    message = f"RequestId: {invocation.request_id} {message}"
    log.append(message)
    payload = json.dumps({"errorType": kind, "errorMessage": message})
    return Outcome(payload.encode(), "Unhandled", log), 0, loaded


class _Said:
    """What the runtime tells, line by line."""

    def __init__(self, descriptor: int) -> None:
        self.lines: list[dict[str, Any]] = []
        self.loaded = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._listen, args=(descriptor,), daemon=True)
        self.thread.start()

    def _listen(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8") as file:
            for line in file:
                message = json.loads(line)
                if "ready" in message:
                    self.loaded = time.monotonic()
                else:
                    self.lines.append(message)
                    break
        self.ended.set()

    def wait(
        self, cloud: Cloud, process: subprocess.Popen[bytes], began: float, timeout: float
    ) -> tuple[dict[str, Any] | None, float]:
        """The answer, or None where time is over or the process is gone; and when the handler began."""
        while not self.ended.wait(0.02):
            limit = self.loaded + timeout if self.loaded else began + INIT_SECONDS + timeout
            if time.monotonic() > limit or cloud.stopping.is_set():
                return None, self.loaded
        if not self.lines:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
        return (self.lines[0] if self.lines else None), self.loaded


def _read(process: subprocess.Popen[bytes], log: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        log.append(line.decode("utf-8", "replace").rstrip("\n"))


def environment(invocation: Invocation, session: Session, stream: str, folder: Path) -> dict[str, str]:
    """The variables of the execution environment, with the function's own over the unreserved ones."""
    shown = invocation.version.shown
    own = (shown.get("Environment") or {}).get("Variables", {})
    unreserved = {"LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": SYSTEM_PATH, "TMPDIR": str(folder)}
    reserved = {
        "_HANDLER": shown["Handler"],
        "_X_AMZN_TRACE_ID": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=0",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{shown['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": invocation.function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(shown["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": invocation.version.number,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": shown["LoggingConfig"]["LogGroup"],
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": str(invocation.version.folder),
        "LAMBDA_RUNTIME_DIR": str(Path(lambda_python.__file__).parent),
    }
    return {**unreserved, **own, **reserved, **session.environment()}


def _write_log(cloud: Cloud, function: Function, session: Session, group: str, stream: str, lines: list[str]) -> None:
    """A file for people here, a stream in CloudWatch Logs as on AWS; lost there where the role may not write."""
    _, _, _, region, account, _ = function.arn.split(":", 5)
    path = cloud.folder / "lambda" / "logs" / account / region / f"{function.name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    client, moment = session.client("logs"), int(time.time() * 1000)
    with suppress(ClientError):
        for create in _creating(client, group, stream):
            with suppress(client.exceptions.ResourceAlreadyExistsException):
                create()
        events = [{"timestamp": moment, "message": line} for line in lines if line.strip()]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _creating(client: Any, group: str, stream: str) -> Iterator[Any]:
    """The stream; the group before it where there is none yet."""
    try:
        client.create_log_stream(logGroupName=group, logStreamName=stream)
    except client.exceptions.ResourceNotFoundException:
        yield lambda: client.create_log_group(logGroupName=group)
        yield lambda: client.create_log_stream(logGroupName=group, logStreamName=stream)


def _count(cloud: Cloud, function: Function, milliseconds: float, failed: bool) -> None:
    """Developer Guide, "Types of metrics for Lambda functions"."""
    _, _, _, region, account, _ = function.arn.split(":", 5)
    values = [("Invocations", 1.0, "Count"), ("Errors", float(failed), "Count"),
              ("Duration", milliseconds, "Milliseconds")]  # fmt: skip
    own_metrics.publish(cloud, account, region, "AWS/Lambda", values, {"FunctionName": function.name})
