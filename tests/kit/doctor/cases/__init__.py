"""One case for each finding of `make doctor`: how an installation breaks in exactly that way, and is fixed again."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.doctor_world import World


@dataclass(frozen=True)
class Case:
    """broken: within it, the installation is broken. fix: a text that the finding's fix must hold; project: as
    --project; region: as --region; fresh: the check signs in again; alone: without Organizations."""

    broken: Callable[[World], AbstractContextManager[None]]
    fix: str
    project: str = ""
    alone: bool = False
    region: str = ""
    fresh: bool = False


CASES: dict[str, Case] = {}


def cases() -> dict[str, Case]:
    """Every case, by the finding's id."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return CASES


def case(id: str, fix: str, **options: Any) -> Callable[[Callable[[World], Iterator[None]]], None]:
    """Register how to break an installation so that this finding is found: breaks, yields, fixes."""

    def register(breaks: Callable[[World], Iterator[None]]) -> None:
        assert id not in CASES

        @contextmanager
        def broken(world: World) -> Iterator[None]:
            steps = breaks(world)
            next(steps)
            try:
                yield
            finally:  # fixed also where a test failed
                next(steps, None)

        CASES[id] = Case(broken, fix, **options)

    return register


@contextmanager
def swapped(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Another value for an attribute of the embedded AWS's state, or for a key of a dictionary there."""
    if isinstance(thing, dict):
        missing = object()
        before = thing.get(name, missing)
        thing[name] = value
        try:
            yield
        finally:
            if before is missing:
                thing.pop(name, None)
            else:
                thing[name] = before
        return
    before = getattr(thing, name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        setattr(thing, name, before)


@contextmanager
def without(things: dict[Any, Any], key: Any) -> Iterator[None]:
    """A dictionary of the embedded AWS's state without one of its things."""
    before = things.pop(key)
    try:
        yield
    finally:
        things[key] = before
