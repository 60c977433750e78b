"""Runs build commands as CodeBuild's build container does, with nothing of this machine's environment.

AWS CodeBuild User Guide, "Buildspec versions" (0.2: all commands in the same instance of the
shell, so folder and variables carry over) and "Environment variables in build environments".
Each command is a process of its own that starts where the one before ended: after it, its
variables and its folder are written down. An assignment without `export` carries over too.
"""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import select
import shlex
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from localaws.confinement import Free
from localaws.containers import local_pip
from localaws.private import make_program

# What the managed images install for each of their Pythons, with what that needs
# (github.com/aws/aws-codebuild-docker-images, al/x86_64/standard/5.0/Dockerfile).
IMAGE_PACKAGES = (
    "boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3", "PyYAML", "setuptools",
    "wheel", "pip",
)  # fmt: skip
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Each path is quoted once (shlex.quote) and within no other quotes: a function holds those that the trap needs.
SCRIPT = """\
cd -- {directory} || exit 1
. {variables}
localaws_keep() {{ export -p > {variables}; pwd > {folder}; }}
trap localaws_keep EXIT
set -a
{command}
"""
_packages_lock = threading.Lock()


class Interrupted(Exception):  # not an error of the command: it was stopped
    """The command was ended before it finished; `reason` is TIMED_OUT or STOPPED."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Shell:
    """The shell of one build.

    folder: for the shell's own files
    place: where its commands run
    interrupted: asked again and again while a command runs; a reason ends it (Interrupted)
    """

    def __init__(
        self,
        folder: Path,
        directory: Path,
        environment: Mapping[str, str],
        shell: Sequence[str],
        say: Callable[[str], None],
        interrupted: Callable[[], str],
        place: Free | None = None,
    ) -> None:
        folder.mkdir(parents=True)
        self.place = place or Free()
        self.shell = list(shell)
        self.say = say
        self.interrupted = interrupted
        self.folder = folder
        self.environment = folder / "env.sh"
        self.directory = folder / "dir.txt"
        self.environment.touch(mode=0o600)
        exports = "".join(exported(name, value) for name, value in environment.items())
        self.environment.write_bytes(os.fsencode(exports))  # no command has run yet that could have put a link here
        self.directory.write_bytes(os.fsencode(f"{directory}\n"))

    def export(self, name: str, value: str) -> None:
        self.place.write(self.environment, exported(name, value), append=True)

    def run(self, command: str) -> int:
        """The exit status of one command; its output goes to say(), line by line."""
        script = self.folder / "script.sh"
        text = SCRIPT.format(
            directory=shlex.quote(os.fsdecode(self.place.read(self.directory).removesuffix(b"\n"))),
            variables=shlex.quote(str(self.environment)),
            folder=shlex.quote(str(self.directory)),
            command=command,
        )
        self.place.write(script, text)
        process = self.place.start(
            [*self.shell, str(script)],
            {},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        while reader.is_alive() and process.poll() is None:
            reader.join(0.1)
            if reason := self.interrupted():
                end(process)
                reader.join(1)
                raise Interrupted(reason)
        status = process.wait()
        self._drain(process, reader)
        return status if status >= 0 else 128 - status

    def _drain(self, process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        """Wait until all the command wrote is read. A process it left running may keep the pipe open in silence."""
        assert process.stdout is not None
        reader.join(0.5)
        while reader.is_alive() and select.select([process.stdout], [], [], 0)[0]:
            reader.join(0.5)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.say(line.decode("utf-8", "replace").rstrip("\n"))

    def values(self, names: Sequence[str]) -> dict[str, str]:
        """The variables of these names that are set now."""
        tests = "".join(f'[ -n "${{{n}+x}}" ] && printf \'%s\\0%s\\0\' {n} "${n}"\n' for n in names)
        script = f". {shlex.quote(str(self.environment))}\n{tests}true\n"
        _, answer = self.place.output([*self.shell, "-c", script], {})
        fields = answer.split("\0")
        return dict(zip(fields[::2], fields[1::2], strict=False))

    def expand(self, text: str) -> str:
        """The text with its variables and commands replaced, as the shell does it."""
        if "$" not in text and "`" not in text:
            return text
        end = f"end-{secrets.token_hex(8)}"  # a here-document leaves quotes in the text as they are
        script = f". {shlex.quote(str(self.environment))}\ncat <<{end}\n{text}\n{end}\n"
        return self.place.output([*self.shell, "-c", script], {})[1].removesuffix("\n")


def exported(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}\n"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command with everything that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + 1
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)


def interpreter(shell: str, amazon_linux: bool) -> list[str]:
    """The program behind `env/shell`; Amazon Linux's /bin/sh is bash in POSIX mode."""
    bash = Path("/bin/bash")
    if shell == "bash":
        return [str(bash)]
    return [str(bash), "--posix"] if amazon_linux and bash.exists() else ["/bin/sh"]


def make_python(
    folder: Path,
    packages: Path,
    names: Sequence[str],
    client: str = "",
    contents: Sequence[str] = IMAGE_PACKAGES,
    own: Sequence[str] = ("python", "python3"),
    shared: bool = False,
) -> Path:
    """A Python of the build's own, like the image's, and the folder to put first on PATH.

    It is the Python that runs the rehearsal, with the image's packages only: what a build
    installs lands in its own folder, and what it forgets to install is missing, as on AWS.

    names: of the runtimes that were selected; own: those that the image has in any case
    client: the text of a program to be the Python in its place (prepared.py); contents: the image's packages
    shared: whether its pip takes packages that this machine has installed (containers/local_pip.py)
    """
    link_packages(packages, contents)
    base = Path(sys.executable).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    programs, libraries = folder / "bin", folder / "lib" / version / "site-packages"
    programs.mkdir(parents=True)
    libraries.mkdir(parents=True)
    if client:
        make_program(programs / version, client.encode())
    else:
        (programs / version).symlink_to(base)
    for name in {*own, *names} - {version}:
        if client:
            os.link(programs / version, programs / name)
        else:
            (programs / name).symlink_to(base)
    pip = ["-m", "pip"]
    if shared:
        paths = sysconfig.get_paths()
        pip = [local_pip.__file__, os.pathsep.join({paths["purelib"], paths["platlib"]}), str(libraries)]
    text = f'#!/bin/sh\nexec {shlex.join([f"{programs}/{version}", *pip])} "$@"\n'
    make_program(programs / "pip", os.fsencode(text))  # a path need not be text
    os.link(programs / "pip", programs / "pip3")
    home = Path(sys.base_prefix) / "bin"
    (folder / "pyvenv.cfg").write_bytes(os.fsencode(f"home = {home}\ninclude-system-site-packages = false\n"))
    (libraries / "image.pth").write_text(f"{os.path.relpath(packages, libraries)}\n")  # no name of a person's folder
    return programs


def link_packages(packages: Path, names: Sequence[str]) -> None:
    """A folder with links to these packages of the rehearsal's own Python, and nothing else.

    Links to another environment, which a folder that is used again may hold, are replaced.
    """
    wanted = locate(tuple(names))
    with _packages_lock:
        packages.mkdir(parents=True, exist_ok=True)
        there = {link.name: link.readlink() for link in packages.iterdir() if link.is_symlink()}
        for name in there.keys() | wanted.keys():
            if there.get(name) != wanted.get(name):
                (packages / name).unlink(missing_ok=True)
                if name in wanted:
                    (packages / name).symlink_to(wanted[name])


def behind(packages: Path, names: Sequence[str]) -> list[Path]:
    """The folder of link_packages, and those to which its links lead."""
    return [packages, *sorted({path.parent for path in locate(tuple(names)).values()})]


@cache
def locate(names: tuple[str, ...]) -> Mapping[str, Path]:
    """Where the files and folders of installed packages are, by their names beside each other."""
    found: dict[str, Path] = {}
    for package in names:
        try:
            distribution = importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}}
        for top in tops:
            found.setdefault(top, Path(str(distribution.locate_file(top))))
    return found
