"""Containers that endpoints share on this machine, which has no room for thousands of them.

The first OWN containers are each an endpoint's own. Beyond, an endpoint whose image and model are byte for byte
those of a container that runs is served by that container: downloaded, unpacked and pinged for the endpoint as
ever, but not started again. A shared container's log is the one of the endpoint that started it; the others have
its first lines.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.services.sagemaker import containers
from localaws.services.sagemaker.models import Container

OWN = 24


class StartFailed(Exception):  # what happened to it
    """Why a fleet did not start: the endpoint's FailureReason."""


def identity(container: Container, content: bytes) -> str:
    """What endpoints that share have in common: the image (the same in every Region), its variables, the model."""
    named = [container.image.split("/", 1)[1], sorted(container.environment.items())]
    return hashlib.sha256(json.dumps(named).encode() + content).hexdigest()


@dataclass
class Running:
    """A container, and how many endpoints it serves.

    key: without it no request is answered; folder: its model and log; said: its log until it was healthy
    container: what else ends with it, for a team's own functions
    """

    process: subprocess.Popen[Any]
    port: int
    key: str
    folder: Path
    users: int = 1
    said: str = ""
    container: containers.Container | None = None


@dataclass
class Shared:
    """The running containers of the embedded AWS."""

    by_identity: dict[str, Running] = field(default_factory=dict)
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def join(self, identity: str) -> Running | None:
        """A container that serves one more endpoint; None where the endpoint is to start its own, which counts."""
        with self.lock:
            found = self.by_identity.get(identity)
            if self.count >= OWN and found is not None and found.process.poll() is None:
                found.users += 1
                return found
            self.count += 1
            return None

    def give_up(self) -> None:
        """A container that was to start did not."""
        with self.lock:
            self.count -= 1

    def offer(self, identity: str, running: Running) -> None:
        """A container that answers its ping may serve others as well."""
        with self.lock:
            self.by_identity[identity] = running

    def leave(self, running: Running) -> bool:
        """One endpoint less; True where it was the last, so that the container ends."""
        with self.lock:
            running.users -= 1
            self.count -= not running.users
            if not running.users:
                self.by_identity = {key: one for key, one in self.by_identity.items() if one is not running}
            return not running.users
