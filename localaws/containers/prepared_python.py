"""A Python that has loaded what builds load, and becomes a build's `python …` by a fork.

Run by services/codebuild/prepared.py in a process that has an empty environment and no credentials: `python
prepared_python.py SOCKET SERVICE…`. A build's `python` (SHIM there) connects, and hands over its stdin, stdout and
stderr and a pipe. The copy that is forked for it reads the request from that pipe, so no process but the copy ever
holds a build's credentials. It ends with the embedded AWS, which holds the other end of its stdin.

The copy takes over arguments, environment, working folder and umask of the process that asked, and the build's own
sys.path. It runs the program as Python does; its parent is this process, in a session of its own.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import marshal
import os
import select
import shutil
import signal
import socket
import sys
import time
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

MODULES = (
    "argparse", "boto3", "boto3.s3.transfer", "botocore.client", "botocore.endpoint", "botocore.httpsession",
    "concurrent.futures", "concurrent.futures.thread", "csv", "dataclasses", "email.parser", "html", "json", "runpy",
    "tarfile", "tempfile", "unittest", "unittest.main", "unittest.mock", "xml.etree.ElementTree", "yaml", "zipfile",
)  # fmt: skip
GRACE = 1.0  # seconds between SIGTERM and SIGKILL for a program whose build was stopped


def load(services: list[str]) -> None:
    """Import what builds import, and read the services' models once: botocore reads a file only where none has."""
    for name in MODULES:
        importlib.import_module(name)
    loaders = importlib.import_module("botocore.loaders")
    read, known = loaders.JSONFileLoader.load_file, {}

    def load_file(self: object, path: str) -> object:
        if path not in known:
            known[path] = read(self, path)
        return known[path]

    loaders.JSONFileLoader.load_file = load_file
    session = importlib.import_module("botocore.session").Session()
    loader = session.get_component("data_loader")
    session.get_component("endpoint_resolver")
    for service in services:
        for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
            try:
                loader.load_service_model(service, kind)
            except Exception as error:  # a service without pages
                if type(error).__name__ not in {"UnknownServiceError", "DataNotFoundError"}:
                    raise


class Children:
    """The programs that run, each with the connection over which its exit status goes back."""

    def __init__(self) -> None:
        self.running: dict[int, socket.socket] = {}
        self.stopped: dict[int, float] = {}

    def add(self, child: int, connection: socket.socket) -> None:
        self.running[child] = connection

    def report(self) -> None:
        """Send back the status of each program that has ended."""
        while self.running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            self.stopped.pop(child, None)
            code = os.waitstatus_to_exitcode(status)
            with self.running.pop(child) as connection:
                try:
                    connection.sendall(bytes([max(code, 0), max(-code, 0)]))  # its status, or the signal that ended it
                except OSError:
                    continue  # it was stopped, and nothing waits for its status

    def stop(self, connections: list[socket.socket]) -> None:
        """End the programs whose builds are gone; those that go on regardless, after a while."""
        now = time.monotonic()
        for child, connection in self.running.items():
            if connection in connections and child not in self.stopped:
                self.stopped[child] = now
                kill(child, signal.SIGTERM)
        for child, since in self.stopped.items():
            if now - since > GRACE:
                kill(child, signal.SIGKILL)

    def waiting(self) -> list[socket.socket]:
        return [connection for child, connection in self.running.items() if child not in self.stopped]


def kill(child: int, number: int) -> None:
    try:
        os.killpg(child, number)
    except ProcessLookupError:
        os.kill(child, number)  # it has not yet begun its session


def serve(listener: socket.socket) -> int:
    """Answer until stdin ends: then -1. In each copy: the descriptor of the request that it is to carry out."""
    children, (woken, wake) = Children(), os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        sources: list[Any] = [0, listener, woken, *children.waiting()]
        ready, _, _ = select.select(sources, [], [], GRACE if children.stopped else None)
        if 0 in ready:
            for child in children.running:
                kill(child, signal.SIGKILL)
            return -1
        if woken in ready:
            os.read(woken, 4096)
        children.report()
        children.stop([one for one in ready if isinstance(one, socket.socket) and one is not listener])
        if listener in ready:
            connection, _ = listener.accept()
            _, given, _, _ = socket.recv_fds(connection, 1, 4)
            child = os.fork() if len(given) == 4 else -1
            if child == 0:
                signal.set_wakeup_fd(-1)
                for one in (listener, connection, *children.running.values()):
                    one.detach()  # take_over closes them, and their numbers will be those of other files
                return take_over(given)
            for descriptor in given:
                os.close(descriptor)
            if child > 0:
                children.add(child, connection)


def take_over(given: list[int]) -> int:
    """In a copy: its own session, the build's stdin, stdout and stderr, and nothing else that was open."""
    os.setsid()
    for number, descriptor in enumerate(given[:3]):
        os.dup2(descriptor, number)
    request = os.dup2(given[3], 3, inheritable=False)
    for path in [*Path("/proc/self/fd").iterdir()]:
        if int(path.name) > request:
            with contextlib.suppress(OSError):  # the one that listed them is closed
                os.close(int(path.name))
    for name in ("SIGCHLD", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    return request


def become(request: int) -> list[str]:
    """Take over what the process that asked was, but for the program itself: its arguments."""
    with os.fdopen(request, "rb") as file:
        program, arguments, environment, folder, mask = marshal.load(file)
    os.environ.clear()
    os.environb.update(environment)
    os.chdir(folder)
    os.umask(mask)
    own, here = Path(sys.prefix).parent, Path(program).parents[1]
    libraries = here / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages = (libraries / "image.pth").read_text(encoding="utf-8").strip()
    first = Path(folder) if arguments[0] == "-m" else Path(arguments[0]).resolve().parent
    if [path.name for path in libraries.iterdir()] != ["image.pth"] or hides(first):
        os.execve(Path(sys.executable).resolve(), [program, *arguments], os.environ)
    standard = [path for path in sys.path[1:] if not Path(path).is_relative_to(own)]
    sys.path[:] = [str(first), *standard, str(libraries), packages]
    sys.path_importer_cache.clear()
    sys.prefix = sys.exec_prefix = str(here)
    sys.executable = program
    return list(arguments)


def hides(folder: Path) -> bool:
    """Whether a folder has a module of the same name as one that is loaded here, and would be loaded in its place."""
    loaded = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
    return any(name.partition(".")[0] in loaded for name in (path.name for path in folder.iterdir()))


def run(arguments: list[str]) -> None:
    """Run `-m module …` or `file …` as Python's own main does."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if arguments[0] == "-m":
        sys.argv[:] = ["-m", *arguments[2:]]
        sys.orig_argv[:] = [sys.executable, *arguments]
        sys.modules["runpy"]._run_module_as_main(arguments[1])  # what Python calls for -m
        return
    sys.argv[:] = arguments
    sys.orig_argv[:] = [sys.executable, *arguments]
    path = arguments[0] if arguments[0].startswith("/") else f"{Path.cwd()}/{arguments[0]}"  # as Python writes it
    main.__dict__.update(__file__=path, __loader__=SourceFileLoader("__main__", path), __cached__=None)
    exec(compile(Path(path).read_bytes(), path, "exec"), main.__dict__)


def as_python(arguments: list[str]) -> None:
    """run(), with the traceback and the exit status of Python's own main."""
    try:
        run(arguments)
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        for _ in range(2):  # as_python and run
            trace = trace.tb_next if trace is not None else None
        error.__traceback__ = trace
        sys.excepthook(type(error), error, trace)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


if __name__ == "__main__":
    load(sys.argv[2:])
    gc.collect()
    gc.freeze()  # what is loaded is not looked through again, and stays shared by the copies
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sys.argv[1])
    listening.listen(64)
    if (asked := serve(listening)) >= 0:
        as_python(become(asked))
    else:
        shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)
