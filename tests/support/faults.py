"""One fault in one run of a command: what it does to the command, and what AWS then holds.

    @pytest.fixture(scope="module")
    def world(tmp_path_factory):
        return World(tmp_path_factory.mktemp("faults"), build)      # build(cloud) makes what the command needs

    def test_…(world):
        outcome = world.case(lambda: publish.main([…]), who, Fault("killed", 7))  # who(cloud) is who types it

Every case of a command, one after the other: tests/support/every_request.py.

The world is built once. Then no thread of it runs any more, and every case starts from it in a fork: one
process plays AWS, another runs the command as `console.run` does, with credentials in its environment,
through real HTTP. A case goes: the fault is set; the command runs; the command runs again undisturbed;
state_of(cloud) (tests/support/cloud_state.py) must be what one undisturbed run leaves. Faults, by the number of
the request that they meet (requests of services on the command's behalf are not counted):

    refused    the request is answered AccessDenied and not applied
    throttled  the request is answered ThrottlingException and not applied; botocore tries again
    lost       the request is applied, and the connection breaks before the answer; botocore tries again
    killed     the request is applied, and the command's process is killed with SIGKILL before the answer

The world's folder (its git repositories, say, and files that `build` writes beneath World.folder) is put back
before each case.
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
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import botocore.endpoint
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.serving import make_server

from awslang.errors import AwsError
from localaws import models
from localaws.clients import Clients
from localaws.cloud import Cloud, Session
from localaws.gateway import RAW_HEADERS, Done, Gateway, Place
from localaws.server import HOST, RequestHandler
from scripts.kit import console
from scripts.kit.regions import check_region
from scripts.rehearsal.embedded import embedded_aws
from tests.support.cloud_state import differences, state_of

Kind = Literal["refused", "throttled", "lost", "killed"]
KINDS: tuple[Kind, ...] = ("refused", "throttled", "lost", "killed")
PATIENCE = 120.0  # seconds for one run of a command, or for AWS's background work
MARK = "under-test-"  # the command's requests carry app/under-test-PID in their user agent
KILLED = -signal.SIGKILL

Command = Callable[[], int]
Who = Callable[[Cloud], Session]


@dataclass(frozen=True)
class Fault:
    """What happens to one request: the one of this number (the first is 1).

    place: where it is given, the request is found by it: the (number of writes up to it, of reads since the last one).
    Waiting asks more often on one day than on another, so that numbers after it differ.
    """

    kind: Kind
    number: int
    place: tuple[int, int] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a case gave.

    codes: the exit code of each run, KILLED for one that was killed; printed: what each run printed
    requests: what the first run asked for (service:Operation); state: see state_of
    """

    codes: tuple[int, ...]
    printed: tuple[str, ...]
    requests: tuple[str, ...]
    state: dict[str, Any]


class Counted:
    """The requests of one run, and where it stands among them (see Fault)."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.place = (0, 0)

    def add(self, request: str) -> None:
        self.requests.append(request)
        self.place = after(self.place, request)

    def is_at(self, fault: Fault | None) -> bool:
        return fault is not None and (self.place == fault.place if fault.place else len(self.requests) == fault.number)


def after(place: tuple[int, int], request: str) -> tuple[int, int]:
    writes, since = place
    return (writes, since + 1) if reads(request) else (writes + 1, 0)


class FaultyGateway(Gateway):
    """The front door of the embedded AWS, with one fault in it."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.fault: Fault | None = None
        self.counted = Counted()
        self.lock = threading.Lock()
        self.this = threading.local()  # the request that this thread answers

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.this.pid, self.this.met = sender(dict(environ[RAW_HEADERS])), None
        answer = super().__call__(environ, start_response)
        met = self.this.met
        if met == "killed":
            os.kill(self.this.pid, signal.SIGKILL)
        if met in {"killed", "lost"}:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        return answer

    def carry_out(self, place: Place, read: Any, perform: Any, refuse: Any) -> Done:
        met = self.meet(f"{place.service}:{place.operation}") if self.this.pid else None
        self.this.met = met

        def instead(call: Any) -> Any:
            if met in {"refused", "throttled"}:
                raise refused_as(met, place.service)
            return perform(call)

        return super().carry_out(place, read, instead, refuse)

    def meet(self, request: str) -> Kind | None:
        """The kind of the fault, where this request meets it."""
        with self.lock:
            self.counted.add(request)
            if self.fault is None or not self.counted.is_at(self.fault):
                return None
            kind, self.fault = self.fault.kind, None
            return kind


def refused_as(kind: Kind, service: str) -> AwsError:
    if kind == "refused":
        return AwsError("AccessDenied", "Refused to see what becomes of it.", 403)
    return AwsError("ThrottlingException", "Rate exceeded", 503 if service == "s3" else 400)


def sender(headers: dict[str, str]) -> int:
    """The process id of the command under test; 0 for a request of anybody else."""
    _, mark, rest = headers.get("User-Agent", "").partition(f"app/{MARK}")
    return int(rest.split()[0]) if mark else 0


class World:
    """An embedded AWS that is built once and from which every case starts.

    folder: put back before each case, with all that is in it; the embedded AWS writes to folder/aws
    build: makes what the command needs, with cloud.root(…), cloud.assume_role(…) or whole commands
    built: state_of what was built
    """

    def __init__(self, folder: Path, build: Callable[[Cloud], None]) -> None:
        self.folder, self.saved = folder / "world", folder / "saved"
        self.folder.mkdir(parents=True)
        before = set(threading.enumerate())
        aws = embedded_aws(self.folder / "aws")
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
        self._whole: dict[Command, Outcome] = {}

    def undisturbed(self, command: Command, who: Who) -> Outcome:
        """One undisturbed run; made once for each command."""
        if command not in self._whole:
            self._whole[command] = self.case(command, who, None)
            warm({request.split(":")[0] for request in self._whole[command].requests})
        return self._whole[command]

    def put_back(self) -> None:
        """The folder as it was when the world was built."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.saved, self.folder, symlinks=True)

    def case(self, command: Command, who: Who, fault: Fault | None, runs: int | None = None) -> Outcome:
        """Run the command with the fault and once more without; only once where there is no fault."""
        self.put_back()
        ours, theirs = multiprocessing.connection.Pipe()
        aws = os.fork()
        if aws == 0:
            ours.close()
            in_fork(lambda: play_aws(self.cloud, who, theirs))
        theirs.close()
        try:
            variables = ours.recv()
            codes, printed, requests = [], [], ()
            for number in range(runs or (2 if fault else 1)):
                ours.send(("fault", fault if number == 0 else None))
                ours.recv()
                code, text = run(command, variables)
                codes.append(code)
                printed.append(text)
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
        return Outcome(tuple(codes), tuple(printed), requests, state)


def warm(services: set[str]) -> None:
    """Read here what every fork would read again: the models of the services."""
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
    gc.disable()  # it does not live long, and looking for garbage would copy the pages that it shares
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
    gateway = FaultyGateway(cloud)
    listen(cloud, gateway)
    line.send(who(cloud).environment())
    while True:
        try:
            asked, value = line.recv()
        except EOFError:
            return 0
        if asked == "fault":
            gateway.fault, gateway.counted = value, Counted()
            line.send(None)
        elif asked == "requests":
            line.send(gateway.counted.requests)
        else:
            settle(cloud)
            line.send((state_of(cloud), broken(cloud)))


def listen(cloud: Cloud, gateway: Gateway) -> None:
    """Answer on a port of this process's own."""
    cloud._requests = (cloud.folder / "requests.jsonl").open("ab", buffering=0)
    server = make_server(HOST, 0, gateway, threaded=True, request_handler=RequestHandler)
    cloud.endpoint = f"http://{HOST}:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def broken(cloud: Cloud) -> list[str]:
    """What broke in the embedded AWS itself."""
    return [f"{fault.where}\n{fault.traceback}" for fault in cloud.faults]


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
    sign_in(variables)
    return console.run(command)


def sign_in(variables: dict[str, str]) -> None:
    """Have this process's clients act with these credentials and no others, and never back off."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    os.environ.update({**variables, **nowhere, "AWS_SDK_UA_APP_ID": f"{MARK}{os.getpid()}"})
    botocore.endpoint.time = SimpleNamespace(sleep=lambda seconds: None)  # type: ignore[attr-defined]


def reads(request: str) -> bool:
    """True for service:Operation that changes nothing (a role's credentials are nothing that others could see)."""
    return re.match("[a-z0-9-]+:(Get|List|Describe|Head|Search|BatchGet|Scan)|sts:AssumeRole", request) is not None


def wrong(kind: Kind, outcome: Outcome, whole: Outcome) -> list[str]:
    """What is wrong with one case."""
    first, *others = outcome.codes
    found = [f"the second run ended {code}: {outcome.printed[1]}" for code in others if code != 0]
    allowed = {"killed": {KILLED}, "throttled": {0}, "refused": {0, 1}, "lost": {0, 1}}[kind]
    if first not in allowed:
        found.append(f"the first run ended {first}: {outcome.printed[0]}")
    found += [f"a traceback: {text}" for text in outcome.printed if "Traceback" in text]
    return found + differences(outcome.state, whole.state)
