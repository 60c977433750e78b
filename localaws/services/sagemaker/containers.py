"""The container of a job on this machine: a process with the image's Python, to which a folder is /opt/ml.

On Linux the process runs in a room of its own (confinement.py): it sees the system's programs, the image's packages
and /opt/ml, and nothing else of this machine. Elsewhere there is no such room. Then the folder's path is put in place
of /opt/ml in the arguments, the variables and the text of every script in /opt/ml, and taken out of the log again.

The packages are those of the rehearsal's own Python, as far as the image has them too; what is not installed here
(pandas) is missing in both images.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from localaws import confinement
from localaws.cloud import Cloud, Session
from localaws.confinement import Free, Room
from localaws.services.codebuild.shell import SYSTEM_PATH, behind, make_python
from localaws.services.ecr.images import SKLEARN, XGBOOST
from localaws.stand_ins import StandIn

ML, PROGRAM = "/opt/ml", "/opt/program"  # where a team's own image has its files, SageMaker's tutorials too
SCRIPTS = frozenset({".py", ".sh"})
GRACE = 1.0  # seconds from SIGTERM to SIGKILL; SageMaker waits for two minutes
COMMON = ("boto3", "numpy", "scipy", "scikit-learn", "pandas", "requests", "PyYAML")
NAME = re.compile(r"[A-Za-z0-9._-]+")
NAMES = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*", re.MULTILINE)
# By the repository of SageMaker's own images (requirements.txt of github.com/aws/sagemaker-scikit-learn-container and
# of …/sagemaker-xgboost-container; XGBoost's image has scikit-learn too).
PACKAGES = {SKLEARN: COMMON, XGBOOST: (*COMMON, "xgboost-cpu", "xgboost")}


@cache
def with_needs(roots: tuple[str, ...]) -> tuple[str, ...]:
    """The names of packages and of all that they need, as far as they are installed."""
    found: dict[str, None] = {}
    left = list(roots)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = None
        left += [match[0] for need in needs if "extra ==" not in need and (match := NAME.match(need))]
    return tuple(found)


@dataclass
class Images:
    """The Pythons of the images, which all jobs share."""

    made: dict[str, Path] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def python_of(cloud: Cloud, image: str) -> Path:
    """The folder of the image's programs, made when it is first needed."""
    images = cloud.state(Images, "", "")
    with images.lock:
        if image not in images.made:
            folder = cloud.folder / "images" / image
            packages = with_needs(PACKAGES.get(image, ()))
            made = make_python(folder / "python", folder / "packages", (), contents=packages)
            if image in cloud.stand_ins and (requirements := cloud.stand_ins[image].requirements) is not None:
                install(made / "python", requirements)
            images.made[image] = made
        return images.made[image]


def install(python: Path, requirements: Path) -> None:
    """Install a file of packages into the image's Python; NotInstalled with uv's words where that fails."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotInstalled(f"{requirements}: uv is needed to install them ({error.strerror}: {uv})") from error
    if done.returncode:
        raise NotInstalled(f"{requirements}: {done.stderr.strip()[-600:]}")


class NotInstalled(Exception):  # a reason
    """Why an image's packages are not there."""


@dataclass
class Container:
    """A container of an image, not started yet. ml: what is /opt/ml in it; its parent is the container's as well."""

    cloud: Cloud
    image: str
    ml: Path
    variables: Mapping[str, str]
    session: Session | None = None  # whose credentials the program has; none with network isolation
    process: subprocess.Popen[bytes] | None = None
    place: Free | None = None
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def packages(self) -> tuple[str, ...]:
        added = self.own.requirements
        given = NAMES.findall(added.read_text(encoding="utf-8")) if added is not None else ()
        return (*with_needs(PACKAGES.get(self.image, ())), *given)

    @property
    def own(self) -> StandIn:
        """What stands in for the image, nothing for SageMaker's own."""
        return self.cloud.stand_ins.get(self.image, StandIn())

    def entry(self, argument: str) -> list[str]:
        """The team's own entry point: the image is run with train or serve."""
        return [*self.own.entrypoint, argument]

    def run(self, arguments: Sequence[str], seconds: float, folder: str = "/") -> tuple[str, int]:
        """What the program printed, and its exit status; ended where it is stopped or the time is over."""
        log = self.ml.parent / "log"
        with log.open("wb") as file:
            started = self.start(arguments, file.fileno(), folder)
        if started is None:
            return "", 1
        with suppress(subprocess.TimeoutExpired):
            started.wait(seconds)
        if started.poll() is None:
            self.stop()
        status = started.wait()
        self.close()
        text = log.read_text(encoding="utf-8", errors="replace")
        return self.as_aws(text), status if status >= 0 else 128 - status

    def start(self, arguments: Sequence[str], output: int, folder: str = "/") -> subprocess.Popen[bytes] | None:
        """The running program, whose output goes to the descriptor; None where the container was stopped before."""
        with self.lock:
            if self.stopped:
                return None
            if (files := self.own.folder) is not None:
                shutil.copytree(files, self.ml.parent / "program", dirs_exist_ok=True)
                folder = PROGRAM
            self.place = self._place()
            self.process = self._start(self.place, arguments, folder, output)
        self.cloud.on_stop.append(self.close)
        return self.process

    def close(self) -> None:
        """End the program, and what may still run in the room."""
        self._end()
        with self.lock:
            place, self.place = self.place, None
        if place is not None:
            place.end()

    def _place(self) -> Free:
        if confinement.problem():
            return Free()
        shared = self.cloud.folder / "images" / self.image
        python_of(self.cloud, self.image)
        sees = [Path(sys.base_prefix), shared, *behind(shared / "packages", self.packages)]
        return Room(sees, [self.ml.parent], self._shown())

    def _shown(self) -> dict[str, Path]:
        """What the program finds at which place."""
        return {ML: self.ml} | ({PROGRAM: self.ml.parent / "program"} if self.own.folder is not None else {})

    def _start(self, place: Free, arguments: Sequence[str], folder: str, output: int) -> subprocess.Popen[bytes] | None:
        if self.stopped:
            return None
        environment = {
            "PATH": f"{python_of(self.cloud, self.image)}:{SYSTEM_PATH}",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.own.environment,
            **(self.session.environment() if self.session is not None else {}),
            **self.variables,
        }
        arguments = list(arguments)
        if not isinstance(place, Room):
            arguments, folder = [self._here(text) for text in arguments], self._here(folder)
            environment = {name: self._here(value) for name, value in environment.items()}
            self._rewrite()
        command = ["/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, *arguments]
        nothing = subprocess.DEVNULL
        return place.start(command, environment, stdin=nothing, stdout=output, stderr=output, start_new_session=True)

    def stop(self) -> None:
        """End the program with all that it started, as a job is stopped."""
        with self.lock:
            self.stopped = True
        self._end()

    def _end(self) -> None:
        process = self.process
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process is None or process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)

    def _here(self, text: str) -> str:
        if text.startswith(str(self.ml.parent)):
            return text
        for there, here in self._shown().items():
            text = text.replace(there, str(here))
        return text

    def as_aws(self, text: str) -> str:
        """A log with the paths that it would have on AWS."""
        for there, here in self._shown().items():
            text = text.replace(str(here), there)
        return text

    def _rewrite(self) -> None:
        for path in (path for folder in self._shown().values() for path in folder.rglob("*")):
            if path.suffix in SCRIPTS and path.is_file():
                path.write_text(self._here(path.read_text(encoding="utf-8")), encoding="utf-8")
