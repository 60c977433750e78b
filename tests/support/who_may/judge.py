"""Every weakened statement of every set-up, with what notices it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.who_may.mutants import Mutant, Noticed, mutants, notice
from tests.support.who_may.policies import documents, set_ups
from tests.support.who_may.world import worlds


@dataclass(frozen=True)
class Verdict:
    """A mutant, and what notices it; None for nothing."""

    set_up: str
    mutant: Mutant
    noticed: Noticed | None

    @property
    def said(self) -> str:
        if self.noticed is None:
            return "nothing notices it"
        by = f"never: {self.noticed.promise}" if self.noticed.promise else "who-may.md"
        return f"{by} ({self.noticed.question})"


def judged() -> list[Verdict]:
    """Each mutant once: a statement that several set-ups have alike is judged until one of them notices it."""
    found: dict[tuple[str, str, str], Verdict] = {}
    for name, world in worlds().items():
        for document in world.documents:
            if document.place.endswith("in eu-west-1") and "ImageRepositories" not in document.place:
                continue  # the same template as in the first Region, whose resources are asked for
            for mutant in mutants(document):
                statement = next(s for s in document.statements if s["Sid"] == mutant.sid)
                key = (document.place, mutant.what, json.dumps(statement, sort_keys=True))
                if key not in found or found[key].noticed is None:
                    found[key] = Verdict(name, mutant, notice(world, mutant))
    return list(found.values())


def reasons() -> dict[str, str]:
    """Why a mutant changes nothing, by what its name matches."""
    written: dict[str, str] = yaml.safe_load(
        Path(__file__).with_name("changes-nothing.yaml").read_text(encoding="utf-8")
    )
    return written


def edited(template: str, text: str) -> Iterator[str]:
    """What an edit of a template lets someone do, or keeps someone from: a sentence for each statement."""
    for name, stacks in set_ups().items():
        world = worlds()[name]
        for stack in stacks:
            for changed in documents(stack, text) if stack.template == template else ():
                document = next((one for one in world.documents if one.place == changed.place), None)
                if document is None:
                    yield f"{changed.place} is a policy that was not there"
                    continue
                before = {s["Sid"]: s for s in document.statements}
                after = {s["Sid"]: s for s in changed.statements}
                for sid in sorted(before.keys() | after.keys()):
                    if before.get(sid) != after.get(sid):
                        mutant = Mutant(document, sid, "edited", after.get(sid))
                        verdict = Verdict(name, mutant, notice(world, mutant))
                        yield f"{mutant}: {verdict.said}"
