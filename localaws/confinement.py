"""Where strangers' commands run: builds and functions of another team's template.

They run with the rights of the rehearsal's user, since the machine gives an ordinary user no others to run them with.
On Linux they see only a room of their own, as containers/confined.py makes it: no file of the user's but the build's
own, no process but the build's own, no variable but the declared ones. The network is the machine's: a build installs
packages and asks the embedded AWS. So is the amount of memory, processor time and disk.

The kit's own steps run without a room.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from localaws.containers import confined

PYTHON = (str(Path(sys.executable).resolve()), "-I", "-S", confined.__file__)


class NotConfined(Exception):  # reads as what it says
    """This machine does not let the user make such a room; the text says why."""


class Free:
    """Runs commands where everything of this machine is to be seen."""

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[bytes]:
        """The running program; options are Popen's."""
        return subprocess.Popen([*arguments], env=dict(environment), **options)

    def output(self, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        """The program's exit status and what it printed."""
        nothing = subprocess.DEVNULL
        with self.start(arguments, environment, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as process:
            text, _ = process.communicate()
        return process.returncode, text.decode("utf-8", "replace")

    def read(self, path: Path) -> bytes:
        """A file that the commands have left."""
        return path.read_bytes()

    def write(self, path: Path, text: str, append: bool = False) -> None:
        """Give the commands a file, or more of one."""
        with path.open("ab" if append else "wb") as file:
            file.write(os.fsencode(text))

    def end(self) -> None:
        """End whatever still runs in it."""


class Room(Free):
    """Runs commands in a room that has the system's programs, and these folders.

    sees: read-only; writes: with all that is in them; shows: at another place, by that place (/opt/ml), writable
    """

    def __init__(self, sees: Iterable[Path], writes: Iterable[Path], shows: Mapping[str, Path] | None = None) -> None:
        seen = [path for path in sees if path.exists()]
        self._writes = [path.resolve() for path in writes]
        spec = {
            "sees": sorted({*(str(path.resolve()) for path in seen), *_names()}),
            "writes": [*map(str, self._writes)],
            "hides": _homes(),
            "links": {str(path): str(path.resolve()) for path in seen if path != path.resolve()},
            "shows": {place: str(path.resolve()) for place, path in (shows or {}).items()},
        }
        self._holder = subprocess.Popen(
            [*PYTHON, "hold", json.dumps(spec)],
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the rehearsal's to answer
        )
        assert self._holder.stdout is not None
        self._first = self._holder.stdout.readline().decode().strip()
        if not self._first:
            _, said = self._holder.communicate()
            raise NotConfined(said.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it could not be made")

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile("w+") as file:  # no variable of the program's acts on what leads it in
            json.dump(dict(environment), file)
            file.flush()
            descriptors = (file.fileno(), *options.pop("pass_fds", ()))
            command = [*PYTHON, "enter", self._first, str(file.fileno()), *arguments]
            return subprocess.Popen(command, env={}, pass_fds=descriptors, **options)

    def read(self, path: Path) -> bytes:
        """OSError for a file that is not in the room: a link may lead out of it, and change at any time."""
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            real = Path(f"/proc/self/fd/{file.fileno()}").readlink()
            if not any(real.is_relative_to(folder) for folder in self._writes):
                raise OSError(f"{path} leads out of the build's folder")
            return file.read()

    def write(self, path: Path, text: str, append: bool = False) -> None:
        """Written in the room, whatever the commands have made of the place meanwhile."""
        script = f'cat {">>" if append else ">"} "$1"'
        process = self.start(["/bin/sh", "-c", script, "sh", str(path)], {"PATH": os.defpath}, stdin=subprocess.PIPE)
        process.communicate(os.fsencode(text))

    def end(self) -> None:
        self._holder.communicate()


def _names() -> list[str]:
    """The files of the resolver, where /etc only links to them."""
    links = (Path("/etc/resolv.conf"), Path("/etc/hosts"), Path("/etc/nsswitch.conf"))
    return [os.path.realpath(link) for link in links if link.is_symlink()]


def _homes() -> list[str]:
    """The user's home, which may be below a folder of the system (/usr/home, /opt/home)."""
    found = (Path("~").expanduser(), Path(pwd.getpwuid(os.getuid()).pw_dir))
    return sorted({str(home.resolve()) for home in found} - {"/"})


@cache
def problem() -> str:
    """Why this machine confines nothing; "" where it does."""
    if sys.platform != "linux":
        return "only Linux has namespaces"
    try:
        with tempfile.TemporaryDirectory() as folder:
            room = Room([Path(sys.base_prefix)], [Path(folder)])
            try:
                status, text = room.output([PYTHON[0], "-I", "-S", "-c", "import os; print(os.getpid())"], {})
            finally:
                room.end()
    except (NotConfined, OSError) as error:
        return str(error)
    return "" if status == 0 and text.strip() != "1" else "a program in its own namespaces did not run"


def place(strangers: bool, sees: Iterable[Path] = (), writes: Iterable[Path] = ()) -> Free:
    """Where commands run: in a room if strangers wrote them and this machine can make one."""
    if not strangers or problem():
        return Free()
    return Room([Path(sys.base_prefix), *sees], writes)
