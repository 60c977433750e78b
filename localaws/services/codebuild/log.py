"""What a build tells: its log, its events, and AWS errors as it repeats them.

AWS CodeBuild User Guide, "Build notifications input format reference".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Session

LOG_BATCH = 500  # lines sent to CloudWatch Logs in one request
SENT_EVERY = 1.0  # seconds between two requests with fewer lines; AWS documents none


class BuildLog:
    """The build's log: a file for people here, a stream in CloudWatch Logs as on AWS."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.hidden: list[str] = []  # values that are never shown
        self._file = path.open("w", encoding="utf-8")
        self._unsent: list[dict[str, Any]] = []
        self._send: Callable[[list[dict[str, Any]]], Any] | None = None
        self._sent = time.monotonic()

    def line(self, text: str) -> None:
        for value in self.hidden:
            text = text.replace(value, "***")
        self._file.write(text + "\n")
        self._file.flush()
        self._unsent.append({"timestamp": int(time.time() * 1000), "message": text or " "})
        if len(self._unsent) >= LOG_BATCH:
            self.send()

    def note(self, text: str) -> None:
        """A line of CodeBuild's own."""
        self.line(f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} {text}")

    def open_stream(self, session: Session, group: str, stream: str) -> None:
        """Create the log stream with the service role, and send to it from now on."""
        logs = session.client("logs")
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        self._send = lambda lines: logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)

    def send_if_due(self) -> None:
        """Send where a second has passed since the last time: most builds here take less."""
        if time.monotonic() - self._sent > SENT_EVERY:
            self.send()

    def send(self) -> None:
        if self._send is not None and self._unsent:
            lines, self._unsent, self._sent = self._unsent, [], time.monotonic()
            try:
                self._send(lines)
            except ClientError as error:  # the build goes on, its log ends here
                self._send = None
                self.note(f"Could not send the log: {said(error)}")

    def close(self) -> None:
        self.send()
        self._file.close()


def state_change(build: Mapping[str, Any]) -> dict[str, Any]:
    """The detail of the event CodeBuild Build State Change."""
    environment, logs = build["environment"], build["logs"]
    artifact, source = build["artifacts"], build["source"]
    return {
        "build-status": build["buildStatus"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "additional-information": {
            "artifact": {k: artifact[k] for k in ("md5sum", "sha256sum", "location") if k in artifact},
            "environment": {
                "image": environment["image"],
                "privileged-mode": environment.get("privilegedMode", False),
                "compute-type": environment["computeType"],
                "type": environment["type"],
                "environment-variables": environment["environmentVariables"],
            },
            "timeout-in-minutes": build["timeoutInMinutes"],
            "build-complete": build["buildComplete"],
            "initiator": build["initiator"],
            "build-start-time": moment(build["startTime"]),
            "source": {k: source[k] for k in ("type", "location") if k in source},
            "logs": {
                "group-name": logs.get("groupName"),
                "stream-name": logs.get("streamName"),
                "deep-link": logs.get("deepLink"),
            },
            "phases": [shown_phase(phase) for phase in build["phases"]],
        },
        "current-phase": build["currentPhase"],
        "current-phase-context": "[]",
        "version": "1",
    }


def shown_phase(phase: Mapping[str, Any]) -> dict[str, Any]:
    """One phase in an event."""
    answer = {"start-time": moment(phase["startTime"]), "phase-type": phase["phaseType"]}
    if "endTime" in phase:
        answer |= {
            "phase-context": [f"{item['statusCode']}: {item['message']}" for item in phase["contexts"]],
            "end-time": moment(phase["endTime"]),
            "duration-in-seconds": phase["durationInSeconds"],
            "phase-status": phase["phaseStatus"],
        }
    return answer


def moment(time_: datetime) -> str:
    """Sep 1, 2017 4:12:29 PM, as CodeBuild's events write it."""
    return f"{time_:%b} {time_.day}, {time_.year} {time_.hour % 12 or 12}:{time_:%M:%S %p}"


def said(error: Exception) -> str:
    """An AWS error as CodeBuild repeats it: code, message, HTTP status."""
    if isinstance(error, ClientError):
        cause = error.response["Error"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return f"{cause.get('Code')}: {cause.get('Message')} status code: {status}"
    return str(error)
