"""A Python that has loaded boto3, and forks itself for each `python -m NAME` or `python -P -m NAME` of a build.

Run as a program: `python prepared_python.py DESCRIPTOR PROGRAM`, with a listening socket, the Python that all
are made of, and the variables that a Python reads at its start as builds have them. It answers until its
standard input ends.

Builds have prepared.CLIENT for their `python`: it hands its arguments, folder, umask, limits, variables and streams
over, and ends as the fork ends. The fork knows nothing else. It has these streams, these variables and the build's
own folders, and its state is that of a Python that has just started, but for the modules that it finds loaded and the
models of services that were read before. Where a new Python could behave otherwise (a module of the same name beside
the program, on PYTHONPATH or in a folder that an argument names, an installed package, another kind of command), the
fork becomes a new one.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import io
import marshal
import os
import resource
import runpy
import selectors
import shutil
import signal
import site
import socket
import sys
import threading
import time
import types
import unittest  # noqa: F401  # loaded for the tests of a project
import weakref
from _imp import _fix_co_filename as fix_place  # type: ignore[attr-defined]  # what Python's own import calls
from collections import namedtuple
from contextlib import suppress
from encodings import idna  # noqa: F401  # loaded for a program's first request
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

READ_AT_START = (b"PYTHON", b"LC_", b"LANG")  # how the names begin of the variables that a Python reads at its start
FOLDERS = b"PYTHONPATH"  # the one of them that a fork takes on
AT_START = {"sitecustomize", "usercustomize"}  # modules that a Python looks for at its start
LIMITS = {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
STANDARD = [path for path in sys.path[1:] if path.startswith(sys.base_prefix) and "site-packages" not in path]
PATIENCE = 1.0  # seconds between asking a program to end and ending it, as for any other command of a build

BEGUN = b"!"  # what a client hears once its program runs
WAIT = 1.0  # seconds for what a client has to say, while the others wait

# Arguments with the program first, folder, umask, the number of the client's process, variables.
Request = tuple[list[str], str, int, int, dict[bytes, bytes]]


def prepare() -> None:
    """Load what programs load, and let all forks have what each would find out again about botocore and its models."""
    import boto3  # only the prepared Python loads it: the client of builds takes its text from here
    from botocore import hooks, useragent  # likewise
    from botocore.loaders import JSONFileLoader, Loader  # likewise

    read: Any = JSONFileLoader.load_file
    known: dict[tuple[str, tuple[int, ...]], Any] = {}

    def load_file(self: JSONFileLoader, path: str) -> Any:
        """As before; a file that has changed is read again."""
        files = (Path(f"{path}{ending}") for ending in (".json", ".json.gz"))
        key = (path, tuple(file.stat().st_mtime_ns for file in files if file.exists()))
        if key not in known:
            known[key] = read(self, path)
        return known[key]

    look: Any = Loader.list_available_services
    own = {Loader.BUILTIN_DATA_PATH, str(Path(boto3.__file__).parent / "data")}
    listed: dict[tuple[str, ...], list[str]] = {}

    def list_available_services(self: Any, kind: str) -> list[str]:
        """As before; what botocore and boto3 bring themselves is looked through once: it is 4,000 files."""
        places: tuple[str, ...] = tuple(self._potential_locations())
        if not own.issuperset(places):
            found: list[str] = look(self, kind)
            return found
        if (kind, *places) not in listed:
            listed[kind, *places] = look(self, kind)
        return [*listed[kind, *places]]

    JSONFileLoader.load_file = load_file  # type: ignore[method-assign,assignment]
    Loader.list_available_services = list_available_services  # type: ignore[method-assign,assignment]
    begin: Any = hooks.EventAliaser.__init__
    named: dict[str, str] = {}

    def begin_aliaser(self: Any, *given: Any) -> None:
        """As before; what an event is called by the aliases that all sessions have is found once."""
        begin(self, *given)
        if self._event_aliases == hooks.EVENT_ALIASES:
            self._alias_name_cache = named

    hooks.EventAliaser.__init__ = begin_aliaser  # type: ignore[method-assign,assignment]
    hooks.accepts_kwargs = cache(hooks.accepts_kwargs)  # of botocore's functions: each session registers 128
    useragent.sanitize_user_agent_string_component = cache(useragent.sanitize_user_agent_string_component)
    session = boto3.Session("-", "-", region_name="us-east-1")
    session.client("cloudformation"), session.client("codepipeline"), session.client("organizations")
    session.client("kms"), session.client("s3"), session.client("ssm"), session.client("sts")
    session.client("sagemaker").can_paginate("list_models"), session.client("sagemaker-runtime")
    gc.collect()
    gc.freeze()


compiling: types.CodeType | None = None  # of the function that stands in for Python's own


def remember(folder: Path) -> None:
    """Have each module compiled once, and kept in a folder by its text: each build has a copy of the same ones."""
    compiler: Any = SourceFileLoader.source_to_code

    def source_to_code(self: SourceFileLoader, data: Any, path: Any) -> Any:
        """As before; the code says where its file is, as when Python reads it from __pycache__."""
        kept = folder / hashlib.sha256(data).hexdigest()
        with suppress(OSError, EOFError, ValueError, TypeError):
            code = marshal.loads(kept.read_bytes())
            fix_place(code, path)
            return code
        code = compiler(self, data, path)
        with suppress(OSError):
            begun = kept.with_name(f"{kept.name}-{os.getpid()}")
            begun.write_bytes(marshal.dumps(code))
            begun.replace(kept)
        return code

    global compiling
    folder.mkdir(mode=0o700)
    of_python = compiler.__code__.co_filename  # Python leaves its frames out where an import fails
    compiling = source_to_code.__code__ = source_to_code.__code__.replace(co_filename=of_python)
    SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign,assignment]


class Server:
    """Forks for each request, and tells each client how its program ended."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.running: dict[int, socket.socket] = {}  # by the number of the process, the client that waits
        self.handles: dict[int, int] = {}  # of the same processes, to wait for them
        self.ending: dict[int, float] = {}  # programs that were asked to end, and until when
        self.chosen = selectors.DefaultSelector()
        self.chosen.register(listener, selectors.EVENT_READ, self.asked)
        self.chosen.register(0, selectors.EVENT_READ, None)

    def serve(self) -> Request | None:
        """The request, in the fork for it; None in this process, once its standard input has ended."""
        while True:
            for key, _ in self.chosen.select(0.1 if self.ending else None):
                if key.data is None:
                    return None
                if (request := self.answer(key)) is not None:
                    return request
            for number, until in self.ending.items():
                if time.monotonic() > until:
                    end(number, signal.SIGKILL)

    @staticmethod
    def answer(key: selectors.SelectorKey) -> Request | None:
        found: Request | None = key.data(key.fileobj)
        return found

    def asked(self, listener: socket.socket) -> Request | None:
        connection, _ = listener.accept()
        received = receive(connection)
        if received is None:
            connection.close()
            return None
        request, streams = received
        try:
            number = os.fork()
        except OSError:  # no room for one more process: the client tries for itself
            number = -1
        if number == 0:
            for stream, descriptor in enumerate(streams):
                os.dup2(descriptor, stream)
            for handle in self.handles.values():  # with one, it could end the program of another build
                os.close(handle)
            for other in (listener, *self.running.values()):
                other.close()
            self.chosen.close()
        for descriptor in streams:
            os.close(descriptor)
        if number <= 0:
            connection.close()
            return request if number == 0 else None
        with suppress(OSError):  # it is gone already, as will be seen
            connection.sendall(BEGUN)
        self.running[number], self.handles[number] = connection, os.pidfd_open(number)
        self.chosen.register(self.handles[number], selectors.EVENT_READ, lambda _: self.ended(number))
        self.chosen.register(connection, selectors.EVENT_READ, lambda _: self.gone(number))
        return None

    def gone(self, number: int) -> None:
        """The client was ended: so is its program."""
        self.chosen.unregister(self.running[number])
        end(number, signal.SIGTERM)
        self.ending[number] = time.monotonic() + PATIENCE

    def ended(self, number: int) -> None:
        _, status = os.waitpid(number, 0)
        self.chosen.unregister(self.handles[number])
        os.close(self.handles.pop(number))
        with self.running.pop(number) as connection:
            if self.ending.pop(number, None) is None:
                self.chosen.unregister(connection)
                with suppress(OSError):  # it was ended at the same time
                    connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))


def receive(connection: socket.socket) -> tuple[Request, list[int]] | None:
    """A request with its streams; None where the client went away meanwhile, or says nothing."""
    streams: list[int] = []
    connection.settimeout(WAIT)
    with suppress(OSError, EOFError, TypeError, ValueError):
        head, streams, _, _ = socket.recv_fds(connection, 4, 3)
        text, more = b"", head
        while more and len(text) < int.from_bytes(head, "big"):
            more = connection.recv(1 << 20)
            text += more
        if more and len(streams) == 3:
            return marshal.loads(text), streams
    for descriptor in streams:
        os.close(descriptor)
    return None


def end(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def become(request: Request, program: str) -> str:
    """Take on what the request says; the module that is to run as the main one.

    A command that the fork cannot carry out as a new Python would replaces this process.
    """
    arguments, folder, mask, client, environment = request
    own = started_with(os.environb)
    os.setsid()
    os.umask(mask)
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, client))
    for limit in LIMITS:
        resource.prlimit(0, limit, resource.prlimit(client, limit))
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(environment)
    python = Path(folder, arguments[0])
    home = python.parent.parent
    libraries = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages = [path.name for path in libraries.iterdir()] if libraries.is_dir() else []
    safe = arguments[1:2] == ["-P"]
    options = arguments[2:] if safe else arguments[1:]
    named = [os.fsdecode(path) for path in environment.get(FOLDERS, b"").split(b":") if path]
    beside = [*named, *(folder for _ in range(not safe)), *(f"{folder}/{option}" for option in options)]
    if not (
        len(options) > 1
        and options[0] == "-m"
        and started_with(environment) == own
        and all(map(os.path.isabs, named))
        and packages == ["image.pth"]
        and importable(beside).isdisjoint({name.partition(".")[0] for name in sys.modules} | AT_START)
    ):
        os.execve(program, arguments, environment)
    image = os.path.normpath(libraries / (libraries / "image.pth").read_text().strip())
    first = [*(folder for _ in range(not safe)), *map(os.path.abspath, named)]
    sys.path[:] = dict.fromkeys([*first, *STANDARD, str(libraries), image])
    if safe:
        sys.flags = with_flag("safe_path")  # what says to a program how it was started
    sys.executable, sys.prefix, sys.exec_prefix = str(python), str(home), str(home)
    site.PREFIXES[:] = [str(home)]
    for name in ("stdin", "stdout", "stderr"):
        stream = opened(getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv[:] = ["-m", *options[2:]]
    sys.orig_argv[:] = arguments
    time.tzset()
    main_module = sys.modules["__main__"] = types.ModuleType("__main__")
    if "__annotations__" in globals():
        main_module.__annotations__ = {}
    sys.excepthook = show
    return options[1]


def opened(old: Any) -> Any:
    """A stream as at a Python's start, when it finds out of what kind its file is (create_stdio of CPython)."""
    binary: Any = open(old.fileno(), old.buffer.mode, closefd=False)  # noqa: SIM115  # open until the end
    binary.raw.name = old.name
    settings = {"line_buffering": old.line_buffering, "write_through": old.write_through}
    text: Any = io.TextIOWrapper(binary, old.encoding, old.errors, "\n", **settings)
    text.mode = old.mode
    return text


def started_with(environment: Any) -> dict[bytes, bytes]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START) and name != FOLDERS}


def importable(folders: list[str]) -> set[str]:
    """The names that could be imported from folders; what is no folder holds none."""
    there = [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112  # also of what is no path at all
    return {path.name.partition(".")[0] for folder in there for path in Path(folder).iterdir()}


def with_flag(name: str) -> Any:
    """sys.flags with one more that is set: they cannot be changed, and no program can make any."""
    flags = {flag: getattr(sys.flags, flag) for flag in sys.flags.__match_args__}
    changed = namedtuple("changed", flags)(**{**flags, name: type(flags[name])(True)})
    type(changed).__name__ = "sys.flags"
    return changed


def finish(status: int, loaded: frozenset[str]) -> None:
    """End as a Python does, but leave what was loaded before the fork: to take it apart costs more than most programs.

    Py_FinalizeEx of CPython: threads are waited for, the functions of atexit called, the streams flushed, and the
    program's own modules taken down, with which its objects end. Returns where a stream cannot be flushed.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # what Python itself calls
    atexit._run_exitfuncs()
    own = [weakref.ref(sys.modules.pop(name)) for name in [*sys.modules] if name not in loaded or name == "__main__"]
    for file in [found for found in gc.get_objects() if issubclass(type(found), io.TextIOWrapper | io.BufferedWriter)]:
        with suppress(OSError, ValueError):  # of two, the collector could take down the one below first
            file.flush()
    gc.collect()
    for module in filter(None, (found() for found in reversed(own))):
        vars(module).clear()
    gc.collect()
    with suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)


def show(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    """Show an error as a new Python does: without the frames of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    last = trace
    while last is not None and last.tb_next is not None:
        if last.tb_next.tb_frame.f_code is compiling:
            last.tb_next = last.tb_next.tb_next
        last = last.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def main() -> None:
    descriptor, program = sys.argv[1:]
    del sys.path[0]  # the folder of this file
    prepare()
    listener = socket.socket(fileno=int(descriptor))
    place, server = listener.getsockname(), Server(listener)
    remember(Path(place).parent / "compiled")
    loaded = frozenset(sys.modules)
    request = server.serve()
    if request is not None:
        run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]  # what `-m` calls
        module, status = become(request, program), 0
        try:
            run(module)
        except SystemExit as ended:
            if not isinstance(ended.code, int | None) or not 0 <= (ended.code or 0) <= 255:
                raise
            status = int(ended.code or 0)
        finish(status, loaded)
    for number in server.running:
        end(number, signal.SIGKILL)
    shutil.rmtree(Path(place).parent, ignore_errors=True)  # here, since the process that made it may have been killed
    os._exit(0)  # as finish() does


if __name__ == "__main__":
    main()
