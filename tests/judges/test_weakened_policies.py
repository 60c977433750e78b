"""Every statement of every policy is as narrow as it must be: weakened in any way, something fails by name.

What notices a mutant is a promise (tests/support/who_may/promises.yaml), or an answer of docs/generated/who-may.md that
changes. docs/developing/judges.md says how to work with both.
"""

from __future__ import annotations

import difflib
import re

import pytest

from awslang.template.template import parse
from tests.support import ROOT
from tests.support.who_may import page, promises
from tests.support.who_may.judge import Verdict, judged, reasons
from tests.support.who_may.policies import evaluator, set_ups
from tests.support.who_may.world import worlds

pytestmark = pytest.mark.slow  # about 45 s of one core


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return judged()


@pytest.fixture(scope="module")
def broken() -> dict[str, list[str]]:
    """What the policies allow against each promise."""
    found: dict[str, list[str]] = {}
    for world in worlds().values():
        for person in world.people:
            for question in world.asked(person):
                promise = promises.kept_by(world.name, person, question)
                if promise and world.may(person, question):
                    found.setdefault(promise.never, []).append(f"with {world.name}: {person.name} may {question}")
    return found


@pytest.mark.parametrize("promise", promises.load(), ids=lambda promise: promise.never)
def test_it_is_never_allowed_that(broken: dict[str, list[str]], promise: promises.Promise) -> None:
    assert broken.get(promise.never, []) == []


def test_every_promise_is_about_something() -> None:
    idle = {p.never for p in promises.load() if not any(any(promises.asked_about(p, w)) for w in worlds().values())}
    assert idle == set()


def test_every_condition_of_the_templates_with_roles_is_true_in_a_set_up() -> None:
    """What stands under a condition that is never true is not judged. 30 has no role: its conditions are of stages."""
    true, known = set(), set()
    for stack in (one for stacks in set_ups().values() for one in stacks if one.template != "30-project.yaml"):
        made = evaluator(parse((ROOT / "templates" / stack.template).read_text(encoding="utf-8")), stack)
        known |= {f"{stack.template[:2]} {name}" for name in made.template.conditions}
        true |= {f"{stack.template[:2]} {name}" for name in made.template.conditions if made.condition(name)}
    names = {one[3:] for one in known - true}
    # A boundary and a path change no statement; the rest of these make names of topics, buckets and Regions.
    assert names == {
        *("HasBoundary", "HasRolePath", "HasApprovalEmail", "HasNoticeEmail", "HasImages", "HasSecondRegion"),
        "HasThirdRegion",
    }


def test_who_may_do_what_is_what_the_reviewed_page_says() -> None:
    written, now = page.PLACE.read_text(encoding="utf-8"), page.page()
    changes = difflib.unified_diff(
        written.splitlines(), now.splitlines(), "who-may.md", "the templates", n=0, lineterm=""
    )
    assert written == now, "\n".join(["run python -m tests.support.who_may --write, and review:", *changes])


def test_every_weakened_statement_is_noticed(verdicts: list[Verdict]) -> None:
    """By a promise or an answer of the page; changes-nothing.yaml has a reason for each of the others."""
    unnoticed = [str(verdict.mutant) for verdict in verdicts if verdict.noticed is None]
    assert [name for name in unnoticed if not any(re.search(pattern, name) for pattern in reasons())] == []
    assert [pattern for pattern in reasons() if not any(re.search(pattern, name) for name in unnoticed)] == []


def test_every_statement_of_every_set_up_is_weakened(verdicts: list[Verdict]) -> None:
    weakened = {(verdict.mutant.document.place, verdict.mutant.sid) for verdict in verdicts}
    every = {(d.place, s["Sid"]) for world in worlds().values() for d in world.documents for s in d.statements}
    assert {one for one in every - weakened if not one[0].endswith("in eu-west-1")} == set()


def test_every_statement_of_every_template_is_in_a_set_up() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "templates").glob("*.yaml")))
    written = set(re.findall(r"""^\s*- Sid: (\w+)|"Sid": "(\w+)\"""", text, re.MULTILINE))
    asked = {s["Sid"] for world in worlds().values() for d in world.documents for s in d.statements}
    assert {one or other for one, other in written} - asked == set()
