"""What must never be allowed, whatever the policies say today: promises.yaml, by meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.who_may.people import Person

if TYPE_CHECKING:
    from tests.support.who_may.world import Question, World

PLACE = Path(__file__).with_name("promises.yaml")


@dataclass(frozen=True)
class Promise:
    """One sentence, and the questions that it is about: patterns of names, and those that are excepted."""

    never: str
    who: tuple[str, ...]
    but: tuple[str, ...]
    actions: tuple[str, ...]
    what: tuple[str, ...]
    ways: tuple[str, ...]
    set_ups: tuple[str, ...]

    def covers(self, set_up: str, person: Person, question: Question) -> bool:
        return (
            fits(question.action, self.actions)
            and self.is_about(question.thing.name)
            and fits(question.way, self.ways)
            and fits(person.name, self.who)
            and not fits(person.name, self.but)
            and fits(set_up, self.set_ups)
        )

    def is_about(self, thing: str) -> bool:
        """Whether a name is meant; the like of a thing elsewhere is only where it is named, or everything is."""
        elsewhere = ", in another" in thing
        return any(_fits(thing, (one,)) for one in self.what if not elsewhere or one == "*" or "in another" in one)


@cache
def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    return _fits(name, patterns)


@cache
def load() -> list[Promise]:
    """Every promise."""
    written: list[Mapping[str, Any]] = yaml.safe_load(PLACE.read_text(encoding="utf-8"))
    return [
        Promise(
            one["never"],
            *(
                tuple(one.get(key, default))
                for key, default in (
                    ("who", ["*"]),
                    ("but", []),
                    ("actions", ["*"]),
                    ("what", ["*"]),
                    ("ways", ["*"]),
                    ("set_ups", ["*"]),
                )
            ),
        )
        for one in written
    ]


def kept_by(set_up: str, person: Person, question: Question) -> Promise | None:
    """The promise that is broken where this person may do this."""
    return next((one for one in _of(set_up, person.name) if one.covers(set_up, person, question)), None)


@cache
def _of(set_up: str, person: str) -> list[Promise]:
    return [p for p in load() if fits(set_up, p.set_ups) and fits(person, p.who) and not fits(person, p.but)]


def asked_about(promise: Promise, world: World) -> Iterator[tuple[Person, Question]]:
    """The questions of a set-up that the promise is about."""
    for person in world.people:
        if fits(person.name, promise.who) and not fits(person.name, promise.but):
            asked = world.questions(action for action in world.actions if fits(action, promise.actions))
            yield from ((person, one) for one in asked if promise.covers(world.name, person, one))
