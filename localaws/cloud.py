"""The embedded AWS as one object: its state, its credentials, its background work.

A Cloud knows nothing of HTTP (gateway.py, server.py) and nothing of single services (services/).
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from awslang.errors import AwsError
from awslang.principals import Credentials, Principal
from localaws import models, private
from localaws.clients import Client, Clients
from localaws.stand_ins import StandIn

models.share()
State = TypeVar("State")
PARTITION = "aws"
SESSION_SECONDS = 3600


@dataclass(frozen=True)
class Fault:
    """Background work of the embedded AWS that broke: always a defect, never a user's mistake."""

    where: str
    traceback: str
    error: BaseException | None = field(default_factory=sys.exception)


@dataclass(frozen=True)
class Published:
    """What AWS publishes outside of its APIs, given by the program that starts the embedded AWS.

    registries: the account of SageMaker's own images, by Region
    prices: as_of, the day of the list, and regions: the hourly price of hosting instances, by Region and type
    monitors: the account of Model Monitor's image, by Region
    """

    registries: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, Any] = field(default_factory=lambda: {"as_of": "1970-01-01", "regions": {}})
    monitors: Mapping[str, str] = field(default_factory=dict)


class Session:
    """Credentials, with clients of the embedded AWS that sign with them."""

    def __init__(self, cloud: Cloud, credentials: Credentials, region: str) -> None:
        self.cloud = cloud
        self.credentials = credentials
        self.region = region

    @property
    def principal(self) -> Principal:
        return self.credentials.principal

    @property
    def account(self) -> str:
        return self.credentials.principal.account

    def client(self, service: str, region: str | None = None) -> Any:
        """A botocore client that acts with these credentials."""
        return self.cloud.client(service, self.credentials, region or self.region)

    def permit(
        self, action: str, resource: str, keys: Mapping[str, tuple[str, ...]] | None = None, owner: str = ""
    ) -> None:
        """AwsError, as the service would answer, unless these credentials may do the action on the resource (an ARN).

        For permissions without an API of their own, which a service asks for while it works as a role (Service
        Authorization Reference, "permission only" actions, such as codebuild:CreateReport): a request carries
        every other permission.
        keys: the condition keys of this request, in lower case
        owner: the resource's account, where its policy must allow another account; else the session's own
        """
        self.cloud.authorizer.permit(self, action, resource, keys or {}, owner)

    def profile(self, name: str) -> str:
        """A profile of the AWS configuration file that acts with these credentials on the embedded AWS."""
        lines = {
            "region": self.region,
            "endpoint_url": self.cloud.endpoint,
            "aws_access_key_id": self.credentials.access_key_id,
            "aws_secret_access_key": self.credentials.secret_access_key,
            "aws_session_token": self.credentials.session_token or "",
        }
        return "".join((f"[{name}]\n", *(f"{key} = {value}\n" for key, value in lines.items() if value)))

    def environment(self) -> dict[str, str]:
        """The variables that let another process act with these credentials on the embedded AWS."""
        variables = {
            "AWS_ENDPOINT_URL": self.cloud.endpoint,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        if self.credentials.session_token:
            variables["AWS_SESSION_TOKEN"] = self.credentials.session_token
        return variables


class Cloud:
    """One embedded AWS.

    folder: where builds, logs, model servers and requests.jsonl live
    stand_ins: what stands in for a team's own images, by their repositories, set by who starts it (stand_ins.py)
    endpoint, gateway: set by server.py; where it listens, and who answers a request
    strangers: whether another team wrote the builds and functions that run here (confinement.py)
    waits: how many seconds one second of AWS's own waiting lasts here (a canary's bake time,
        a cooldown); work itself is never shortened
    """

    def __init__(
        self, folder: Path, waits: float = 0.001, published: Published | None = None, strangers: bool = False
    ) -> None:
        self.folder = folder.resolve()  # a room has it at this place
        self.strangers = strangers
        self.published = published or Published()
        self.stand_ins: Mapping[str, StandIn] = {}
        self.endpoint = ""
        self.gateway: Any = None  # localaws.gateway.Gateway
        self.waits = waits
        self.chapter = ""
        self.stopping = threading.Event()
        self.faults: list[Fault] = []
        self.on_stop: list[Callable[[], None]] = []
        self.authorizer: Any = None  # localaws.authorization.Authorizer, set by server.py
        self._lock = threading.RLock()
        self._states: dict[type[Any], dict[tuple[str, str], Any]] = {}
        self._credentials: dict[str, Credentials] = {}
        self._sessions: dict[tuple[Any, ...], Credentials] = {}
        self._clients = Clients()
        self._threads: list[threading.Thread] = []
        self._awaited: dict[str, threading.Event] = {}
        self._requests = os.fdopen(private.make_file(self.folder / "requests.jsonl"), "ab", buffering=0)

    # -- state ---------------------------------------------------------------------------------

    def state(self, kind: type[State], account: str, region: str) -> State:
        """The one instance of kind for an account and Region, made by kind() when first asked for."""
        key = (account, region)
        of_kind = self._states.get(kind)
        if of_kind is None or key not in of_kind:  # nothing is ever taken away, so looking needs no lock
            with self._lock:
                of_kind = self._states.setdefault(kind, {})
                if key not in of_kind:
                    of_kind[key] = kind()
        return of_kind[key]  # type: ignore[no-any-return]

    def states(self, kind: type[State]) -> dict[tuple[str, str], State]:
        """Every instance of kind, by account and Region."""
        with self._lock:
            return dict(self._states.get(kind, {}))

    # -- credentials ---------------------------------------------------------------------------

    def issue(self, principal: Principal, seconds: int | None = SESSION_SECONDS) -> Credentials:
        """New credentials for a principal; None for ones that do not expire."""
        temporary = seconds is not None
        credentials = Credentials(
            access_key_id=("ASIA" if temporary else "AKIA") + secrets.token_hex(8).upper(),
            secret_access_key=secrets.token_urlsafe(30),
            session_token=secrets.token_urlsafe(48) if temporary else None,
            expiration=datetime.now(UTC) + timedelta(seconds=seconds) if seconds is not None else None,
            principal=principal,
        )
        with self._lock:
            self._credentials[credentials.access_key_id] = credentials
        return credentials

    def credentials(self, access_key_id: str) -> Credentials | None:
        """What an access key stands for; None for an unknown one."""
        return self._credentials.get(access_key_id)

    def session_for(self, principal: Principal, region: str) -> Session:
        """A session of this principal, kept and used again while it is valid."""
        key = ("principal", repr(principal))
        with self._lock:
            credentials = self._sessions.get(key)
            if credentials is None or credentials.expired:
                credentials = self._sessions[key] = self.issue(principal)
        return Session(self, credentials, region)

    def root(self, account: str, region: str) -> Session:
        """The root user of an account: where everything begins."""
        return self.session_for(Principal("root", account, f"arn:{PARTITION}:iam::{account}:root"), region)

    def assume_role(
        self,
        role_arn: str,
        session_name: str,
        by: Principal,
        region: str,
        *,
        external_id: str | None = None,
        policies: tuple[Mapping[str, Any], ...] = (),
        tags: Mapping[str, str] | None = None,
        keys: Mapping[str, str] | None = None,
        seconds: int = SESSION_SECONDS,
    ) -> Session:
        """A session of the role, if the role exists and trusts the caller.

        A service that acts as a role calls this with service_principal("codebuild.amazonaws.com"); keys: the
        condition keys that it adds to the session's requests (see Principal.session_keys).
        AwsError AccessDenied otherwise (STS API Reference, "AssumeRole": the same answer whether
        the role is missing or does not trust the caller).
        """
        unique_id = self.authorizer.assume_role(by, role_arn, external_id=external_id, tags=tags or {})
        account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[1]
        principal = Principal(
            kind="role",
            account=account,
            arn=f"arn:{PARTITION}:sts::{account}:assumed-role/{role}/{session_name}",
            role_arn=role_arn,
            session_name=session_name,
            session_policies=policies,
            session_tags=dict(tags or {}),
            session_keys={**(keys or {}), "aws:tokenissuetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
            unique_id=unique_id,
        )
        return Session(self, self.issue(principal, seconds), region)

    def service_role(self, role_arn: str, session_name: str, service: str, region: str, **source: str) -> Session:
        """A service acting as a role that was passed to it; the session is kept and used again.

        service: codepipeline.amazonaws.com; source: SourceArn="arn:…", SourceAccount="1111…"
        """
        key = ("service", role_arn, session_name, service, tuple(sorted(source.items())))
        with self._lock:
            credentials = self._sessions.get(key)
        if credentials is None or credentials.expired:
            by = Principal("service", "", service, source=source)
            credentials = self.assume_role(role_arn, session_name, by, region).credentials
            with self._lock:
                self._sessions[key] = credentials
        return Session(self, credentials, region)

    def forget_sessions(self) -> None:
        """Make services assume their roles again, as they do when an hour has passed."""
        with self._lock:
            self._sessions.clear()

    def as_service(self, service: str, account: str, region: str, **source: str) -> Session:
        """A service asking under its own name, not as a role (SNS publish by codepipeline.amazonaws.com).

        account: whose resources it asks for; the principal itself has no account.
        """
        principal = Principal("service", account, service, source={"SourceAccount": account, **source})
        return self.session_for(principal, region)

    def client(self, service: str, credentials: Credentials, region: str) -> Client:
        return self._clients.client(service, region, credentials, self.endpoint, self.gateway)

    # -- background work -----------------------------------------------------------------------

    def background(self, where: str, work: Callable[..., None], *args: Any) -> threading.Thread:
        """Run work in a thread; what it does not handle itself becomes a Fault and fails the rehearsal."""

        def guarded() -> None:
            try:
                work(*args)
            except Exception:
                if not self.stopping.is_set():
                    self.faults.append(Fault(where, traceback.format_exc()))

        thread = threading.Thread(target=guarded, name=where, daemon=True)
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()
        return thread

    def wait(self, seconds: float) -> None:
        """AWS's own waiting, shortened by `waits`; ends early when the embedded AWS stops."""
        self.stopping.wait(seconds * self.waits)

    def watch(self, what: str) -> threading.Event:
        """Set when `what` (an ARN or an id) has changed. Take it first, then look, then wait for it."""
        with self._lock:
            return self.stopping if self.stopping.is_set() else self._awaited.setdefault(what, threading.Event())

    def changed(self, what: str) -> None:
        """Wake the threads that wait for a change of `what`, so that none of them polls."""
        with self._lock:
            event = self._awaited.pop(what, None)
        if event is not None:
            event.set()

    @property
    def busy(self) -> bool:
        """True while background work runs."""
        with self._lock:
            return any(t.is_alive() for t in self._threads)

    def stop(self) -> None:
        """End the background work and every process that a service started."""
        with self._lock:
            self.stopping.set()
            for event in self._awaited.values():
                event.set()
        for end in reversed(self.on_stop):
            end()
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(timeout=30)
        self._requests.close()

    # -- the record of requests ----------------------------------------------------------------

    def record(self, entry: Mapping[str, Any]) -> None:
        """One line of requests.jsonl."""
        line = json.dumps({"time": time.time(), "chapter": self.chapter, **entry}, default=str)
        # One write appends one line whole. A lock would be held while the others run, and all would wait for it.
        try:
            self._requests.write(f"{line}\n".encode())
        except ValueError:
            pass  # the embedded AWS has stopped
        except OSError as error:
            if self._requests.closed:
                return  # it stopped between the file's own look at that and its write
            named = OSError(error.errno, error.strerror, self._requests.name)
            self.faults.append(Fault("requests.jsonl", str(named), named))


def new_id() -> str:
    """A fresh UUID, as AWS gives to executions, builds and requests."""
    return str(uuid.uuid4())


def arn(service: str, region: str, account: str, resource: str) -> str:
    """arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE."""
    return f"arn:{PARTITION}:{service}:{region}:{account}:{resource}"


def refuse_unless(condition: object, code: str, message: str) -> None:
    """AwsError(code, message) where the condition does not hold."""
    if not condition:
        raise AwsError(code, message)
