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
    text = prepared_python.CLIENT.format(program=program, place=os.fsencode(place))
    return text, process, _with_every_package(folder, text) / "python"


def _with_every_package(folder: Path, client: str) -> Path:
    programs = make_python(folder / "whole", folder / "none", (), client, contents=())
    [image] = (folder / "whole").glob("lib/*/site-packages/image.pth")
    image.write_bytes(os.fsencode(f"{sysconfig.get_path('purelib')}\n"))
    return programs


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.communicate()  # closes its standard input
    shutil.rmtree(folder, ignore_errors=True)
