"""Interrupts a command at every single request, runs it again, and compares what AWS then holds.

    @pytest.fixture(scope="module")
    def world(tmp_path_factory):
        return World(tmp_path_factory.mktemp("faults"), build)      # build(cloud) makes what the command needs

    def test_…(world):
        assert problems(world, lambda: publish.main([…]), who) == []     # who(cloud) is the session that types it

The world is built once. Then no thread of it runs any more, and every case starts from it in a fork: one
process plays AWS, another runs the command as `console.run` does, with credentials in its environment,
through real HTTP. A case goes: the fault is set; the command runs; the command runs again undisturbed;
state_of(cloud) (tests/cloud_state.py) must be what one undisturbed run leaves. Faults, by the number of
the request that they meet (requests of services on the command's behalf are not counted):

    refused    the request is answered AccessDenied and not applied
    throttled  the request is answered ThrottlingException and not applied; botocore tries again
    lost       the request is applied, and the connection breaks before the answer; botocore tries again
    killed     the request is applied, and the command's process is killed with SIGKILL before the answer

What makes no difference is left out (`numbers`): being killed before request k is being killed after request k-1;
a run of requests that only read is one case for `killed` (its first); a read that botocore repeats, throttled or
lost, is the same read; the same read asked over and over, as waiting does, is refused twice and not more. And
where a first run failed and AWS still holds what the world was built with, its repetition is the undisturbed run
and is not played. The world's folder (its git repositories, say, and files that `build` writes beneath
World.folder) is put back before each case. A case takes up to two runs of the command.
"""

from __future__ import annotations

import gc
import multiprocessing.connection
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import botocore.endpoint
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.serving import make_server

from scripts.bundle import console
from scripts.bundle.sections import check_region
from scripts.rehearsal import models
from scripts.rehearsal.clients import Clients
from scripts.rehearsal.cloud import Cloud, Session
from scripts.rehearsal.errors import AwsError
from scripts.rehearsal.gateway import RAW_HEADERS, Gateway
from scripts.rehearsal.server import HOST, EmbeddedAws, RequestHandler
from tests.cloud_state import differences, state_of

Kind = Literal["refused", "throttled", "lost", "killed"]
KINDS: tuple[Kind, ...] = ("refused", "throttled", "lost", "killed")
PATIENCE = 120.0  # seconds for one run of a command, or for AWS's background work
MARK = "under-test-"  # the command's requests carry app/under-test-PID in their user agent
KILLED = -signal.SIGKILL

Command = Callable[[], int]
Who = Callable[[Cloud], Session]


@dataclass(frozen=True)
class Fault:
    """What happens to the request of this number (the first is 1)."""

    kind: Kind
    number: int


@dataclass(frozen=True)
class Outcome:
    """What a case gave.

    codes: the exit code of each run, KILLED for one that was killed; told: what each run printed
    requests: what the first run asked for (service:Operation); state: see state_of
    """

    codes: tuple[int, ...]
    told: tuple[str, ...]
    requests: tuple[str, ...]
    state: dict[str, Any]


class FaultyGateway(Gateway):
    """The front door of the embedded AWS, with one fault in it."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.fault: Fault | None = None
        self.requests: list[str] = []
        self.count = 0
        self.lock = threading.Lock()
        self.this = threading.local()  # the request that this thread answers

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        pid = sender(dict(environ[RAW_HEADERS]))
        with self.lock:
            self.count += bool(pid)
            met = self.fault if pid and self.fault and self.fault.number == self.count else None
        self.this.pid, self.this.met = pid, met
        answer = super().__call__(environ, start_response)
        if met and met.kind == "killed":
            os.kill(pid, signal.SIGKILL)
        if met and met.kind in {"killed", "lost"}:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        return answer

    def perform(self, call: Any, model: Any, operation: Any) -> tuple[int, dict[str, str], bytes]:
        met = self.this.met
        if self.this.pid:
            self.requests.append(f"{call.service}:{call.operation}")
        if met and met.kind == "refused":
            raise AwsError("AccessDenied", "Refused to see what becomes of it.", 403)
        if met and met.kind == "throttled":
            raise AwsError("ThrottlingException", "Rate exceeded", 503 if call.service == "s3" else 400)
        return super().perform(call, model, operation)


def sender(headers: dict[str, str]) -> int:
    """The process id of the command under test; 0 for a request of anybody else."""
    _, mark, rest = headers.get("User-Agent", "").partition(f"app/{MARK}")
    return int(rest.split()[0]) if mark else 0


class World:
    """An embedded AWS that is built once and from which every case starts anew.

    folder: put back before each case, with all that is in it; the embedded AWS writes to folder/aws
    build: makes what the command needs, with cloud.root(…), cloud.assume_role(…) or whole commands
    built: state_of what was built
    """

    def __init__(self, folder: Path, build: Callable[[Cloud], None]) -> None:
        self.folder, self.saved = folder / "world", folder / "saved"
        self.folder.mkdir(parents=True)
        before = set(threading.enumerate())
        aws = EmbeddedAws(self.folder / "aws")
        self.cloud = aws.cloud
        with aws._server:
            aws._thread.start()
            try:
                build(self.cloud)
                settle(self.cloud)
            finally:
                aws._server.shutdown()
        assert not self.cloud.faults, self.cloud.faults
        self.built = state_of(self.cloud)
        self.cloud._clients = Clients()
        gc.collect()  # closes the connections, and with them the threads that answered them
        come_to_rest(lambda: not set(threading.enumerate()) - before, "threads of the world still run")
        shutil.copytree(self.folder, self.saved, symlinks=True)
        gc.freeze()
        self._whole: dict[int, Outcome] = {}

    def undisturbed(self, command: Command, who: Who) -> Outcome:
        """One run, as it should be; told once for each command."""
        key = id(command)
        if key not in self._whole:
            self._whole[key] = self.case(command, who, None)
            warm({request.split(":")[0] for request in self._whole[key].requests})
        return self._whole[key]

    def case(self, command: Command, who: Who, fault: Fault | None, runs: int | None = None) -> Outcome:
        """Run the command with the fault and once more without; only once where there is no fault."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.saved, self.folder, symlinks=True)
        ours, theirs = multiprocessing.connection.Pipe()
        aws = os.fork()
        if aws == 0:
            ours.close()
            in_fork(lambda: play_aws(self.cloud, who, theirs))
        theirs.close()
        try:
            variables = ours.recv()
            codes, told, requests = [], [], ()
            for number in range(runs or (2 if fault else 1)):
                ours.send(("fault", fault if number == 0 else None))
                ours.recv()
                code, text = run(command, variables)
                codes.append(code)
                told.append(text)
                if number == 0:
                    ours.send(("requests", None))
                    requests = tuple(ours.recv())
            ours.send(("state", None))
            state, faults = ours.recv()
        finally:
            ours.close()
            os.kill(aws, signal.SIGKILL)
            os.waitpid(aws, 0)
        if faults:
            raise AssertionError("the embedded AWS broke:\n" + "\n".join(faults))
        return Outcome(tuple(codes), tuple(told), requests, state)


def warm(services: set[str]) -> None:
    """Read here what every fork would read anew: the models of the services."""
    for service in services:
        for kind in ("service-2", "paginators-1", "endpoint-rule-set-1"):
            with suppress(UnknownServiceError, DataNotFoundError):
                models.CLIENTS.load_service_model(service, kind)
        get_service_router(service) if service == "s3" else get_service_model(service)
    for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        models.CLIENTS.load_data(name)
    check_region("us-east-1")
    gc.collect()
    gc.freeze()


def settle(cloud: Cloud) -> None:
    """Wait until nothing goes on in the background."""
    come_to_rest(lambda: not cloud.busy, "the embedded AWS still works")


def come_to_rest(holds: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"{otherwise} after {PATIENCE:.0f} s: {threading.enumerate()}")
        time.sleep(0.01)


def in_fork(work: Callable[[], int]) -> None:
    """What a fork does instead of going on with the tests."""
    code = 99
    try:
        code = work()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def play_aws(cloud: Cloud, who: Who, line: Any) -> int:
    """Answer requests on a port of this process's own until the other end of the line is closed."""
    cloud._requests = (cloud.folder / "requests.jsonl").open("ab", buffering=0)
    gateway = FaultyGateway(cloud)
    server = make_server(HOST, 0, gateway, threaded=True, request_handler=RequestHandler)
    cloud.endpoint = f"http://{HOST}:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    line.send(who(cloud).environment())
    while True:
        try:
            asked, value = line.recv()
        except EOFError:
            return 0
        if asked == "fault":
            gateway.fault, gateway.count, gateway.requests = value, 0, []
            line.send(None)
        elif asked == "requests":
            line.send(gateway.requests)
        else:
            settle(cloud)
            line.send((state_of(cloud), [f"{fault.where}\n{fault.traceback}" for fault in cloud.faults]))


def run(command: Command, variables: dict[str, str]) -> tuple[int, str]:
    """Run a command in a process of its own: its exit code (KILLED) and what it printed."""
    out, inside = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(out)
        in_fork(lambda: act(command, variables, inside))
    os.close(inside)
    text, end = b"", time.monotonic() + PATIENCE
    with os.fdopen(out, "rb", buffering=0) as reader:
        while multiprocessing.connection.wait([reader.fileno()], max(0.0, end - time.monotonic())):
            if not (more := reader.read(65536)):
                break
            text += more
        else:
            os.kill(process, signal.SIGKILL)
            text += f"\nstill running after {PATIENCE:.0f} s".encode()
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), text.decode()


def act(command: Command, variables: dict[str, str], out: int) -> int:
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    os.environ.update({**variables, **nowhere, "AWS_SDK_UA_APP_ID": f"{MARK}{os.getpid()}"})
    botocore.endpoint.time = SimpleNamespace(sleep=lambda seconds: None)  # type: ignore[attr-defined]  # no backing off
    return console.run(command)


def problems(world: World, command: Command, who: Who, kinds: Sequence[Kind] = KINDS) -> list[str]:
    """What went wrong in any of the cases, [] when every one ends as an undisturbed run does."""
    whole = world.undisturbed(command, who)
    if whole.codes != (0,):
        return [f"the undisturbed run ended {whole.codes}: {whole.told}"]
    found = []
    for kind in kinds:
        first_write = next((n for n, request in enumerate(whole.requests, 1) if not reads(request)), 0)
        for number in numbers(kind, whole.requests):
            fault = Fault(kind, number)
            early = kind in {"killed", "refused"} and (number < first_write or not first_write)
            outcome = world.case(command, who, fault, runs=1 if early else None)
            if early and outcome.codes[0] != 0 and outcome.state == world.built:
                outcome = replace(outcome, state=whole.state)  # its repetition is the undisturbed run
            elif early:
                outcome = world.case(command, who, fault)
            where = f"{kind} at {number} ({whole.requests[number - 1]})"
            found += [f"{where}: {what}" for what in wrong(kind, outcome, whole)]
    return found


def numbers(kind: Kind, requests: Sequence[str]) -> list[int]:
    """The requests at which a fault of this kind may make a difference, from 1 on."""
    found = []
    for number, request in enumerate(requests, 1):
        before = [*requests[max(0, number - 3) : number - 1]]
        if kind == "killed":
            leave_out = reads(request) and bool(before) and reads(before[-1])
        elif kind in {"throttled", "lost"}:
            leave_out = reads(request)
        else:
            leave_out = reads(request) and before == [request, request]
        if not leave_out:
            found.append(number)
    return found


def reads(request: str) -> bool:
    """True for service:Operation that changes nothing."""
    return re.match("[a-z0-9-]+:(Get|List|Describe|Head|Search|BatchGet|Scan)", request) is not None


def wrong(kind: Kind, outcome: Outcome, whole: Outcome) -> list[str]:
    """What is wrong with one case."""
    first, *others = outcome.codes
    found = [f"the second run ended {code}: {outcome.told[1]}" for code in others if code != 0]
    allowed = {"killed": {KILLED}, "throttled": {0}, "refused": {0, 1}, "lost": {0, 1}}[kind]
    if first not in allowed:
        found.append(f"the first run ended {first}: {outcome.told[0]}")
    found += [f"a traceback: {text}" for text in outcome.told if "Traceback" in text]
    return found + differences(outcome.state, whole.state)
