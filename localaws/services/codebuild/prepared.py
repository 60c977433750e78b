"""The Python that builds are forked from, and a person's own commands: one for this process (prepared_python.py).

Only for builds that run where everything of this machine is to be seen (confinement.Free), and only on Linux,
which lets a process wait for another one and a script be the interpreter of a script (pidfd_open(2),
execve(2)).
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

from localaws.containers import prepared_python
from localaws.services.codebuild.shell import make_python

CLIENT = """\
#!{program} -IS
import os, sys
from _signal import SIG_DFL, SIGKILL, SIGSTOP, signal
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_STREAM, SOL_SOCKET, socket
from marshal import dumps
given = open("/proc/self/environ", "rb").read()  # as it was before this Python chose a locale
given = dict(item.split(b"=", 1) for item in given.split(b"\\0") if b"=" in item)
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
mask = os.umask(0o077)
os.umask(mask)
begun = answer = b""
try:
    asked = dumps((sys.argv, os.getcwd(), mask, os.getpid(), given))
    there = socket(AF_UNIX, SOCK_STREAM)
    if there.fileno() > 2:  # else it has the place of a stream that is closed, and would be taken for it
        there.connect({place!r})
        there.sendmsg([len(asked).to_bytes(4, "big")], [(SOL_SOCKET, SCM_RIGHTS, streams)])
        there.sendall(asked)
        begun = there.recv(1)
        answer = begun and there.recv(4)
except OSError:
    pass
if not begun:
    os.execve({program!r}, sys.argv, given)
if not answer:  # a second start could do twice what the program has done already
    os.write(2, b"the prepared Python was ended, and with it this program\\n")
    os._exit(1)
status = int.from_bytes(answer, "big", signed=True)
if status < 0:
    if -status not in (SIGKILL, SIGSTOP):
        signal(-status, SIG_DFL)  # a Python answers some with an exception, and ignores others
    os.kill(os.getpid(), -status)
os._exit(status)
"""
# What a Python reads at its start, all that a build has of it.
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
NOTHING = ("", None, None)  # what builds get where there can be none
_lock = threading.Lock()
_started: tuple[str, subprocess.Popen[bytes] | None, Path | None] | None = None


def client() -> str:
    """The text of the program that builds have for `python`: it asks the prepared Python, which the first call starts.

    Empty where there can be none.
    """
    global _started
    with _lock:
        _started = _started or (_start() if possible() else NOTHING)
        return _started[0]


def python() -> str:
    """A Python with every package of this one, for commands that have ENVIRONMENT; this one where there can be none."""
    client()
    home = _started[2] if _started else None
    return str(home) if home else sys.executable


def possible() -> bool:
    program = str(Path(sys.executable).resolve())
    plain = re.fullmatch(r"[!-~]{1,199}", program)  # the first line of a script holds it
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and plain is not None


def _start() -> tuple[str, subprocess.Popen[bytes] | None, Path | None]:
    """Nothing where the folder for temporary files holds no socket: builds start a Python each then."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="python-"))
    except OSError:
        return NOTHING
    try:
        return _start_in(folder)
    except OSError:  # the disk is full, or the path of the socket too long
        shutil.rmtree(folder, ignore_errors=True)
        return NOTHING


def _start_in(folder: Path) -> tuple[str, subprocess.Popen[bytes], Path]:
    place, program = folder / "socket", str(Path(sys.executable).resolve())
    python = make_python(folder / "python", folder / "packages", ()) / "python"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(64)
        process = subprocess.Popen(
            [str(python), prepared_python.__file__, str(listener.fileno()), program],
            env=ENVIRONMENT,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,  # it ends with this process, however that ends
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(_end, process, folder)
    text = CLIENT.format(program=program, place=os.fsencode(place))
    return text, process, _with_every_package(folder, text) / "python"


def _with_every_package(folder: Path, client: str) -> Path:
    programs = make_python(folder / "whole", folder / "none", (), client, contents=())
    [image] = (folder / "whole").glob("lib/*/site-packages/image.pth")
    image.write_bytes(os.fsencode(f"{sysconfig.get_path('purelib')}\n"))
    return programs


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.communicate()  # closes its standard input
    shutil.rmtree(folder, ignore_errors=True)
