"""Running the inputs of a kind: each with a deadline, and with counts of what became of them."""

from __future__ import annotations

import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.properties.kinds import Kind

DEADLINE = 5.0  # seconds of processor time for one input, and ten times as many of any
MEMORY = 700 * 1024 * 1024  # bytes that the inputs of one kind may add to what the process takes


class Hang(AssertionError):
    """An input that is still being read at its deadline."""


@dataclass
class Counts:
    """What became of the inputs of a kind; slowest in seconds, memory in bytes beyond that before."""

    inputs: int = 0
    tracebacks: int = 0
    hangs: int = 0
    slowest: float = 0.0
    memory: int = 0
    failures: list[tuple[Any, BaseException]] = field(default_factory=list)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Hang in what still runs after the seconds, also where it is in a regular expression."""

    def late(*_: object) -> None:
        raise Hang(f"still reading after {seconds:g} s")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, seconds * 10))
    before = [signal.signal(sign, late) for sign, _, _ in timers]
    for _, timer, after in timers:
        signal.setitimer(timer, after, 0.5)  # again, should it be raised where errors are ignored
    try:
        yield
    finally:
        for (sign, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(sign, handler)


def peak() -> int:
    """The most memory that this process has taken, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def run(kind: Kind, inputs: int, *, fixed: bool, seconds: float = float("inf"), keep_on: bool = False) -> Counts:
    """The counts of so many inputs, or of as many as fit into the seconds.

    fixed: always the same inputs; keep_on: count a failure and go on, instead of raising it with its smallest input
    """
    counts, before, ends = Counts(), peak(), time.monotonic() + seconds
    phases = (Phase.generate,) if keep_on else (Phase.generate, Phase.shrink)

    with tempfile.TemporaryDirectory() as folder:

        @settings(
            max_examples=inputs,
            derandomize=fixed,
            database=None,
            deadline=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(kind.inputs)
        def every(given_input: Any) -> None:
            if time.monotonic() > ends:
                return
            counts.inputs += 1
            began = time.monotonic()
            try:
                with deadline(DEADLINE):
                    kind.check(given_input, Path(folder))
            except Exception as error:
                if not keep_on:
                    raise
                counts.hangs += isinstance(error, Hang)
                counts.tracebacks += not isinstance(error, Hang)
                counts.failures.append((given_input, error))
            counts.slowest = max(counts.slowest, time.monotonic() - began)

        every()
    counts.memory = peak() - before
    return counts
