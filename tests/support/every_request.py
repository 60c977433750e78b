"""Every case of a command's faults (tests/support/faults.py), in forks of one run that meets all of its requests.

    assert problems(world, command, who) == []

The command and AWS run in one process here, the recorder. At each request it forks, and the fork goes its own way:

    refused    the request is answered AccessDenied, and the command continues from there
    throttled, lost    likewise
    killed     the command of the first run is left where it is, for good, and is run again

so that what came before a request happens once, not once for each case. Where a refused run asked for nothing more
that writes, AWS is as after the last write before it: its repetition is that of the run that was killed there. So
each of these runs once, before the next write, when AWS has come to rest. Where a run with a fault ends well and leaves
what an undisturbed one leaves, its repetition is that of the run that was killed after its last write. A request that
was throttled and is asked again, before anything was written, goes on as the recorder does.

What a fork cannot run, because it has none of the threads in which AWS still works at something, runs in real
processes (World.case): a command killed when its write has begun such work, and a refused one that goes on asking.

Left out, because it makes no difference: being killed before request k is being killed after request k-1; being
killed between two writes is the same wherever; a read that botocore repeats, throttled or lost, is the same read;
one read asked over and over, or two in turn, as waiting does, are refused twice and not more.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.endpoint import Endpoint
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from moto.core.utils import get_service_model

from localaws.calls import HttpRequest
from localaws.clients import answered
from localaws.cloud import new_id
from localaws.gateway import Gateway
from localaws.wire import refusal
from scripts.kit import console, together
from tests.support.cloud_state import differences, state_of
from tests.support.faults import (
    KILLED,
    KINDS,
    PATIENCE,
    Command,
    Counted,
    Fault,
    Kind,
    Outcome,
    Who,
    World,
    broken,
    in_fork,
    listen,
    reads,
    refused_as,
    settle,
    sign_in,
    wrong,
)

LONGEST_PAUSE = 0.05  # seconds for which a command waits between two looks


@dataclass(frozen=True)
class Run:
    """One run of the command: its exit code and what it printed."""

    code: int
    printed: str


@dataclass(frozen=True)
class Forked:
    """What became of a fault: the first run (None where it was killed), the second, and what AWS then held.

    again: None where it is that of the run that was killed after the same write, or, where the first run left what an
    undisturbed one leaves (whole), after the last one.
    """

    fault: Fault
    request: str
    first: Run | None
    again: tuple[Run, dict[str, Any]] | None
    faults: tuple[str, ...] = ()
    whole: bool = False


Case = tuple[Fault, str, Outcome]  # what it met, at which service:Operation, and what came of it


def problems(world: World, command: Command, who: Who, kinds: Sequence[Kind] = KINDS) -> list[str]:
    """What went wrong in any of the cases, [] when every one ends as an undisturbed run does."""
    whole = world.undisturbed(command, who)
    if whole.codes != (0,):
        return [f"the undisturbed run ended {whole.codes}: {whole.printed}"]
    return [
        f"{fault.kind} at {fault.number} ({request}): {what}"
        for fault, request, outcome in sweep(world, command, who, kinds)
        for what in wrong(fault.kind, outcome, whole)
    ]


def sweep(world: World, command: Command, who: Who, kinds: Sequence[Kind] = KINDS) -> list[Case]:
    """Play every case; AssertionError where the embedded AWS itself broke."""
    whole = world.undisturbed(command, who)
    forked, left = recorded(world, command, who, kinds)
    again = {one.fault.place[0]: one.again for one in forked if one.first is None and one.fault.place}
    again[0] = Run(0, whole.printed[0]), whole.state  # nothing was written: the repetition is the undisturbed run
    found: list[Case] = []
    for one in forked:
        if one.faults:
            raise AssertionError("the embedded AWS broke:\n" + "\n".join(one.faults))
        first = one.first or Run(KILLED, "")
        assert one.fault.place is not None
        second, state = one.again or again[one.fault.place[0]]  # type: ignore[misc]
        outcome = Outcome((first.code, second.code), (first.printed, second.printed), (), state)
        found.append((one.fault, one.request, outcome))
    found += [(fault, request, world.case(command, who, fault)) for fault, request in left]
    return [case for case in found if case[0].kind in kinds]


def recorded(
    world: World, command: Command, who: Who, kinds: Sequence[Kind]
) -> tuple[list[Forked], list[tuple[Fault, str]]]:
    """What the recorder found, and what it left to real processes."""
    world.put_back()
    shutil.rmtree(before(world), ignore_errors=True)
    ours, theirs = Pipe(duplex=False)
    recorder = os.fork()
    if recorder == 0:
        in_fork(lambda: Recorder(world, command, who, kinds, theirs).work())
    theirs.close()
    try:
        received: tuple[list[Forked], list[tuple[Fault, str]]] | str = ours.recv()
    finally:
        ours.close()
        os.kill(recorder, signal.SIGKILL)
        os.waitpid(recorder, 0)
    assert not isinstance(received, str), received
    return received


class InTurn:
    """In place of a pool of threads: a fork has no thread but the one that forked, so jobs are done one by one."""

    def __init__(self, workers: int) -> None:
        pass

    def __enter__(self) -> InTurn:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(job())
        except Exception as error:
            done.set_exception(error)
        return done

    def shutdown(self, **options: bool) -> None:
        pass


class Recorder:
    """AWS and the command in one process; in a fork of it, what becomes of one fault."""

    def __init__(self, world: World, command: Command, who: Who, kinds: Sequence[Kind], line: Connection) -> None:
        self.world, self.cloud, self.command, self.kinds, self.line = world, world.cloud, command, kinds, line
        self.who = who
        self.gateway = Gateway(self.cloud)
        self.counted, self.this = Counted(), threading.local()
        self.asked: list[str] = []  # each request with all that it says
        self.forked: list[Forked] = []
        self.left: list[tuple[Fault, str]] = []
        self.fault: Fault | None = None  # in a fork: what it has met
        self.name = self.met = ""  # of the request that met it, and with all that it says
        self.was_busy = self.wrote = False
        listen(self.cloud, self.gateway)
        sign_in(who(self.cloud).environment())

    def work(self) -> int:
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: a fork while AWS's server listens
        self.listen_to_clients()
        first = self.run()
        if self.fault is None:
            self.killed()
            self.line.send((self.repeated(), self.left) if first.code == 0 else f"the recorder's run ended {first}")
        elif self.fault.kind == "refused" and not self.wrote:
            self.tell(first, None)
        elif first.code == 0 and self.holds_the_whole():
            self.tell(first, None, whole=True)
        else:
            self.tell(first, self.again())
        return 0

    def holds_the_whole(self) -> bool:
        """Whether AWS holds what an undisturbed run leaves."""
        settle(self.cloud)
        return not differences(state_of(self.cloud), self.world.undisturbed(self.command, self.who).state)

    def repeated(self) -> list[Forked]:
        """What the forks found; a whole run's repetition is that of the run that was killed after its last write."""
        writes, killed = self.counted.place[0], [one for one in self.forked if one.first is None]
        last = [one.again for one in killed if one.fault.place and one.fault.place[0] == writes]
        if not last and any(one.whole for one in self.forked):
            last = [self.again()]  # nothing else happens in this process any more
        return [replace(one, again=last[0]) if one.whole else one for one in self.forked]

    def listen_to_clients(self) -> None:
        """Answer the clients of the command, which runs in the main thread, without a wire."""
        recorder, endpoint, session, clock = self, cast(Any, Endpoint), cast(Any, URLLib3Session), cast(Any, time)
        do_get_response, sleep = endpoint._do_get_response, clock.sleep

        def named(self: Any, request: Any, operation_model: Any, context: Any) -> Any:
            recorder.this.name = f"{operation_model.service_model.service_name}:{operation_model.name}"
            return do_get_response(self, request, operation_model, context)

        endpoint._do_get_response = named
        session.send = lambda self, request: recorder.ask(recorder.this.name, request)
        clock.sleep = lambda seconds: sleep(min(seconds, LONGEST_PAUSE))
        cast(Any, together).ThreadPoolExecutor = InTurn

    def run(self) -> Run:
        """The command as `python -m scripts.NAME` runs it."""
        boto3.DEFAULT_SESSION = None
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = console.run(self.command)
            except SystemExit as end:
                code = int(end.code or 0)
            except Exception:
                code = 1
                traceback.print_exc()
        return Run(code, out.getvalue())

    def again(self) -> tuple[Run, dict[str, Any]]:
        """The second run, and what AWS holds after it."""
        settle(self.cloud)
        second = self.run()
        settle(self.cloud)
        return second, state_of(self.cloud)

    # -- each request --------------------------------------------------------------------------

    def ask(self, name: str, request: AWSPreparedRequest) -> AWSResponse:
        """The answer to a request of the command."""
        whole = f"{name} {request.url} {request.body!r}"
        if self.fault is not None:
            if self.was_busy:
                self.line.send(None)  # no thread works here: for real processes
                os._exit(0)
            if self.fault.kind == "throttled" and not self.wrote and whole == self.met:
                self.tell(Run(0, ""), None, whole=True)
            if not reads(name):
                self.part()
            return answered(self.gateway.respond, request)
        if not reads(name) and self.counted.place[0]:
            self.killed()
        for kind in self.kinds:
            if kind != "killed" and makes_a_difference(kind, self.asked, whole) and self.fork(kind, name):
                self.met = whole
                return self.meet(kind, name, request)
        self.asked.append(whole)
        self.counted.add(name)
        answer = answered(self.gateway.respond, request)
        if not reads(name) and self.cloud.busy:
            self.left.append((Fault("killed", len(self.counted.requests), self.counted.place), name))
        return answer

    def meet(self, kind: Kind, name: str, request: AWSPreparedRequest) -> AWSResponse:
        """In a fork: what the command is answered."""
        if kind == "lost":
            self.part()
            answered(self.gateway.respond, request)
            raise ConnectionClosedError(error=ConnectionResetError(), endpoint_url=request.url)
        service, operation = name.split(":")
        model, error = get_service_model(service), refused_as(kind, service)

        def refuse(request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
            return refusal(model, model.operation_model(operation), request, error, new_id())

        return answered(refuse, request)

    def killed(self) -> None:
        """Once after each write, when AWS has come to rest: the command is run again in a fork."""
        settle(self.cloud)
        if not self.counted.place[0] or not {"killed", "refused"} & set(self.kinds):
            return
        if self.fork("killed", self.counted.requests[-1], here=True):
            self.part()
            self.tell(None, self.again())

    # -- forks ---------------------------------------------------------------------------------

    def fork(self, kind: Kind, name: str, here: bool = False) -> bool:
        """True in the fork, which meets the fault; False in the recorder, when the fork has reported its outcome.

        here: the fault is met by the last request, not by the next one
        """
        counted = Counted()
        counted.requests, counted.place = list(self.counted.requests), self.counted.place
        if not here:
            counted.add(name)
        fault = Fault(kind, len(counted.requests), counted.place)
        busy = self.cloud.busy
        if busy and kind != "refused":
            self.left.append((fault, name))
            return False
        ours, theirs = Pipe(duplex=False)
        process = os.fork()
        if process == 0:
            self.fault, self.name, self.was_busy, self.line = fault, name, busy, theirs
            return True
        theirs.close()
        try:
            forked = ours.recv() if ours.poll(PATIENCE) else None
        except EOFError:
            self.line.send(f"the fork that was {kind} at {fault.number} ({name}) broke: see stderr")
            os._exit(1)
        ours.close()
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        if before(self.world).exists():
            shutil.rmtree(self.world.folder)
            before(self.world).rename(self.world.folder)
        if forked is None:
            self.left.append((fault, name))
        else:
            self.forked.append(forked)
        return False

    def part(self) -> None:
        """In a fork, before it changes anything: keep the folder for the recorder, and listen at a port of its own."""
        if not self.wrote:
            self.wrote = True
            shutil.copytree(self.world.folder, before(self.world), symlinks=True)
            listen(self.cloud, self.gateway)

    def tell(self, first: Run | None, again: tuple[Run, dict[str, Any]] | None, whole: bool = False) -> None:
        assert self.fault is not None
        fault = self.fault
        if not whole and fault.kind == "refused" and again is None and not reads(self.name):
            fault = replace(fault, place=(fault.place[0] - 1, 0) if fault.place else None)  # it was not applied
        self.line.send(Forked(fault, self.name, first, again, tuple(broken(self.cloud)), whole))
        os._exit(0)


def before(world: World) -> Path:
    """The world's folder, as it was before a fork changed it."""
    return world.folder.with_name("before")


def makes_a_difference(kind: Kind, earlier: Sequence[str], request: str) -> bool:
    """Whether this fault, met by the request after the earlier ones, is a case of its own (each with all it says)."""
    if not reads(request):
        return True
    if kind != "refused":
        return False
    last = list(earlier)
    return not any(last[-2 * n :] == last[-n:] * 2 and last[-n] == request for n in (1, 2) if last)
