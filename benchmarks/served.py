"""A rehearsal in a process of its own that stays, for benchmarks that work against it as a user does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.kit.console import UserError

PATIENCE = 300.0  # seconds until it is there
READY = "Ctrl-C stops it."  # the last line that it prints before it waits


@dataclass(frozen=True)
class Served:
    """process: its id; folder: where it writes; variables: the environment of those who work against it"""

    process: int
    folder: Path
    variables: Mapping[str, str]

    @property
    def environment(self) -> Path:
        return self.folder / "environment.yaml"

    @contextlib.contextmanager
    def signed_in(self) -> Iterator[None]:
        """This process with those variables, so that its own clients find the rehearsal."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.variables)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def served(folder: Path, *options: str, tree: Path) -> Iterator[Served]:
    """with served(folder, tree=ROOT) as rehearsal: …  UserError where it fails or takes too long."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    printed = folder.with_name(f"{folder.name}.txt")  # beside it: a rehearsal takes no folder that holds anything else
    line = [sys.executable, "-m", "scripts.rehearse", "--keep", "--folder", str(folder), *options]
    with printed.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(line, cwd=tree, stdout=output, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + PATIENCE
        while READY not in printed.read_text(encoding="utf-8"):
            if process.poll() is not None or time.monotonic() > end:
                raise UserError(f"the rehearsal in {folder} did not begin:\n{printed.read_text('utf-8')[-2000:]}")
            time.sleep(0.05)
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        yield Served(process.pid, folder, own | {"AWS_CONFIG_FILE": str(folder / "aws-config")})
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
