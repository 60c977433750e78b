"""The container of a job on this machine: a process with the image's Python, to which a folder is /opt/ml.

On Linux the process runs in a room of its own (confinement.py): it sees the system's programs, the image's packages
and /opt/ml, and nothing else of this machine. Elsewhere there is no such room. Then the folder's path is put in place
of /opt/ml in the arguments, the variables and the text of every script in /opt/ml, and taken out of the log again.

The packages are those of the rehearsal's own Python, as far as the image has them too; what is not installed here
(pandas) is missing in both images.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from localaws import confinement
from localaws.cloud import Cloud, Session
from localaws.confinement import Free, Room
from localaws.services.codebuild.shell import SYSTEM_PATH, behind, make_python
from localaws.services.ecr.images import SKLEARN, XGBOOST

ML = "/opt/ml"
SCRIPTS = frozenset({".py", ".sh"})
GRACE = 1.0  # seconds from SIGTERM to SIGKILL; SageMaker waits for two minutes
COMMON = (
    "boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3", "numpy", "scipy",
    "scikit-learn", "joblib", "threadpoolctl", "narwhals", "pandas", "pytz", "tzdata",
)  # fmt: skip
# By the repository of SageMaker's own images (requirements.txt of github.com/aws/sagemaker-scikit-learn-container and
# of …/sagemaker-xgboost-container; XGBoost's image has scikit-learn too).
PACKAGES = {SKLEARN: COMMON, XGBOOST: (*COMMON, "xgboost-cpu", "xgboost")}


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
            images.made[image] = make_python(folder / "python", folder / "packages", (), contents=PACKAGES[image])
        return images.made[image]


@dataclass
class Container:
    """A container of an image, not started yet. ml: what is /opt/ml in it; its parent is the container's as well."""

    cloud: Cloud
    image: str
    ml: Path
    variables: Mapping[str, str]
    session: Session | None = None  # whose credentials the program has; none with network isolation
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, arguments: Sequence[str], seconds: float, folder: str = "/") -> tuple[str, int]:
        """What the program printed, and its exit status; ended where it is stopped or the time is over."""
        place = self._place()
        log = self.ml.parent / "log"
        try:
            with log.open("wb") as file, self.lock:
                started = self._start(place, arguments, folder, file.fileno())
            if started is None:
                return "", 1
            self.cloud.on_stop.append(self.stop)
            with suppress(subprocess.TimeoutExpired):
                started.wait(seconds)
            if started.poll() is None:
                self.stop()
        finally:
            place.end()
        status = started.wait()
        text = log.read_text(encoding="utf-8", errors="replace")
        return self._as_aws(text), status if status >= 0 else 128 - status

    def _place(self) -> Free:
        if confinement.problem():
            return Free()
        shared = self.cloud.folder / "images" / self.image
        python_of(self.cloud, self.image)
        sees = [Path(sys.base_prefix), shared, *behind(shared / "packages", PACKAGES[self.image])]
        return Room(sees, [self.ml.parent], {ML: self.ml})

    def _start(self, place: Free, arguments: Sequence[str], folder: str, output: int) -> subprocess.Popen[bytes] | None:
        if self.stopped:
            return None
        environment = {
            "PATH": f"{python_of(self.cloud, self.image)}:{SYSTEM_PATH}",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
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
        self.process = place.start(
            command, environment, stdin=nothing, stdout=output, stderr=output, start_new_session=True
        )
        return self.process

    def stop(self) -> None:
        """End the program with all that it started, as a job is stopped."""
        with self.lock:
            self.stopped = True
            process = self.process
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process is None or process.poll() is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)

    def _here(self, text: str) -> str:
        return text if text.startswith(str(self.ml)) else text.replace(ML, str(self.ml))

    def _as_aws(self, text: str) -> str:
        return text.replace(str(self.ml), ML)

    def _rewrite(self) -> None:
        for path in self.ml.rglob("*"):
            if path.suffix in SCRIPTS and path.is_file():
                path.write_text(self._here(path.read_text(encoding="utf-8")), encoding="utf-8")
