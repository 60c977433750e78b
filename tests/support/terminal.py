"""A real pseudo-terminal: a command runs on it as a person starts it, who reads its questions and types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

PATIENCE = 240  # seconds for a question or an end, on a machine with much else to do


@dataclass(frozen=True)
class Ended:
    """code: the exit code; seen: all that stood on the terminal; out: stdout, which goes to a program"""

    code: int
    seen: str
    out: str


class Terminal:
    """with Terminal(line, environment) as terminal: …  stderr: a file in the place of the terminal."""

    def __init__(
        self, line: Sequence[str], environment: Mapping[str, str], folder: Path = ROOT, stderr: Path | None = None
    ) -> None:
        self.ours, theirs = pty.openpty()
        errors = os.open(stderr, os.O_WRONLY | os.O_CREAT) if stderr else theirs

        def own() -> None:
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches the command

        self.process = subprocess.Popen(
            line, cwd=folder, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=errors, text=True,
            start_new_session=True, preexec_fn=own,  # no thread of ours is concerned
        )  # fmt: skip
        os.close(theirs)
        if stderr:
            os.close(errors)
        self.seen = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        os.close(self.ours)

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def wait_for(self, text: str) -> None:
        """Until the text stands on the terminal."""
        self._read(lambda: text in self.seen)
        assert text in self.seen, self.seen

    def end(self) -> Ended:
        self._read(lambda: False)
        out, _ = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, self.seen, out)

    def _read(self, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not enough():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.ours], [], [], left)[0]:
                raise AssertionError(f"nothing more after {PATIENCE} s: {self.seen}")
            try:
                piece = os.read(self.ours, 65536)
            except OSError:  # the command has ended, and no other has the terminal
                return
            if not piece:
                return
            self.seen += piece.decode("utf-8", "replace").replace("\r\n", "\n")
