"""What a probe says of itself, before it sends a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scripts.kit.probes.lab import Lab

Answers = Mapping[str, object]  # what was asked → what AWS answered, as JSON holds it


class Skipped(Exception):
    """The account is not fit for a probe: why, and what would make it so."""


@dataclass(frozen=True)
class Cost:
    """At most these dollars for one run, by the page that says so."""

    dollars: float
    source: str


FREE = Cost(0.0, "none of its requests is billed")


@dataclass(frozen=True)
class Probe:
    """One experiment.

    name: on the command line, on the page and in its resources' names, at most 22 characters
    requests: the operations whose answers count, SERVICE:OPERATION; what only sets up and cleans up is not listed
    makes: the kinds of leftovers.py that it makes; () for a probe that only reads
    accounts: 2 where it needs --second-profile
    """

    name: str
    question: str
    requests: tuple[str, ...]
    makes: tuple[str, ...]
    run: Callable[[Lab], Answers]
    cost: Cost = FREE
    accounts: int = 1
