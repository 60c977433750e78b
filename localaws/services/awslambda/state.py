"""What Lambda keeps: functions with their versions, aliases, resource policies and asynchronous settings.

AWS Lambda API Reference, "FunctionConfiguration"; Developer Guide, "Manage Lambda function versions", "Lambda
function states". Every account and Region has its own Functions; a caller of another account names the ARN.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import Cloud, arn, new_id

LATEST = "$LATEST"
SETTLES = 2.0  # seconds of AWS's that a new or changed function is Pending or InProgress for
NAME = re.compile(
    r"(arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):function:"
    r"|((?P<owner>[0-9]{12}):)?(function:)?)(?P<name>[a-zA-Z0-9-_]{1,64})(:(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def conflict(message: str) -> AwsError:
    return AwsError("ResourceConflictException", message, 409)


def missing(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


@dataclass
class Version:
    """One version of a function: its configuration as the API shows it, and its code unpacked in a folder."""

    shown: dict[str, Any]
    folder: Path

    @property
    def number(self) -> str:
        return str(self.shown["Version"])


@dataclass
class Function:
    """A function.

    versions: by number, $LATEST among them; aliases: as GetAlias shows them, by name
    policies: statements by qualifier ("" for the function itself), in order
    invoke_configs: by qualifier, as GetFunctionEventInvokeConfig shows them
    running: invocations that have not ended, asynchronous ones with their retries among them
    """

    name: str
    arn: str
    versions: dict[str, Version]
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    policy_revisions: dict[str, str] = field(default_factory=dict)
    invoke_configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    next_version: int = 1
    settled: float = 0.0  # time.monotonic() when the last change is through
    created: bool = True  # the last change was the creation
    running: int = 0
    concurrent: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def latest(self) -> Version:
        return self.versions[LATEST]

    def changing(self, cloud: Cloud) -> None:
        """From now on the function is busy with a change for a moment."""
        self.settled = time.monotonic() + SETTLES * cloud.waits

    @property
    def settling(self) -> bool:
        return time.monotonic() < self.settled

    def show(self, version: Version) -> dict[str, Any]:
        """The configuration, with the state that it is in now."""
        shown = dict(version.shown)
        pending = self.settling and version.number == LATEST
        if pending and self.created:
            reason = "The function is being created."
            shown |= {"State": "Pending", "StateReason": reason, "StateReasonCode": "Creating"}
        else:
            shown |= {"State": "Active"}
        shown["LastUpdateStatus"] = "InProgress" if pending else "Successful"
        return shown


@dataclass
class Functions:
    """The functions of one account and Region, by name."""

    by_name: dict[str, Function] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True)
class Named:
    """A function as a request names it: by name, partial or whole ARN, with or without a qualifier."""

    account: str
    region: str
    name: str
    qualifier: str  # "" where none is given

    @property
    def arn(self) -> str:
        return arn("lambda", self.region, self.account, f"function:{self.name}")


def named(account: str, region: str, text: str, qualifier: str = "") -> Named:
    """ValidationException where the text names no function."""
    found = NAME.fullmatch(text)
    if found is None:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: Member must "
            f"satisfy regular expression pattern: {NAME.pattern}",
        )
    owner = found["account"] or found["owner"] or account
    own = found["qualifier"] or ""
    if own and qualifier and own != qualifier:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return Named(owner, found["region"] or region, found["name"], qualifier or own)


def asked(call: Call) -> Named:
    return named(call.account, call.region, call.params["FunctionName"], call.params.get("Qualifier") or "")


def functions_of(cloud: Cloud, account: str, region: str) -> Functions:
    return cloud.state(Functions, account, region)


def find(call: Call) -> tuple[Function, Named]:
    """The function that the request names; ResourceNotFoundException without it."""
    name = asked(call)
    found = functions_of(call.cloud, name.account, name.region).by_name.get(name.name)
    if found is None:
        full = name.arn + (f":{name.qualifier}" if name.qualifier else "")
        raise missing(f"Function not found: {full}")
    return found, name


def version_of(function: Function, qualifier: str) -> Version:
    """The version that a qualifier stands for: none, $LATEST, a number or an alias (its own version, not the other)."""
    alias = function.aliases.get(qualifier)
    found = function.versions.get(alias["FunctionVersion"] if alias else qualifier or LATEST)
    if found is None:
        raise missing(f"Function not found: {function.arn}:{qualifier}")
    return found


def check_revision(given: str | None, now: str) -> None:
    """RevisionId: only change what is still as it was read."""
    if given and given != now:
        raise AwsError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
            412,
        )


def stamp() -> str:
    """LastModified: 2026-11-26T11:19:02.000+0000."""
    moment = datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def revised(shown: dict[str, Any]) -> dict[str, Any]:
    """A configuration with a new revision and time."""
    return shown | {"LastModified": stamp(), "RevisionId": new_id()}


def function_named(cloud: Cloud, function_arn: str) -> Function | None:
    """The function of an ARN (with or without a qualifier), read directly; None where there is none."""
    found = NAME.fullmatch(function_arn)
    if found is None or not found["account"]:
        return None
    return functions_of(cloud, found["account"], found["region"]).by_name.get(found["name"])


def policy_of(cloud: Cloud, function_arn: str) -> dict[str, Any] | None:
    """The resource policy that decides for an ARN with its qualifier, as GetPolicy shows it; None without one."""
    function, found = function_named(cloud, function_arn), NAME.fullmatch(function_arn)
    if function is None or found is None:
        return None
    statements = function.policies.get(found["qualifier"] or "")
    return {"Version": "2012-10-17", "Id": "default", "Statement": statements} if statements else None
