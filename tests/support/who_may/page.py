"""docs/generated/who-may.md: everything that the policies of the templates allow, as answers to questions."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support import ROOT
from tests.support.who_may.people import Person
from tests.support.who_may.policies import Document
from tests.support.who_may.world import Question, World, worlds

PLACE = ROOT / "docs/generated/who-may.md"
HEAD = """\
# Who may do what

The answers of the policies of all templates to {asked} questions, written by `python -m tests.support.who_may --write`.
A change of this page is a change of what someone may do: read it before you commit it
([Weakened policies](../developing/judges.md#weakened-policies)).

A request needs the caller's own policies and, where there is one, the resource's. Each is shown by itself: what callers
may *by their own policies*, wherever the resource admits them, and what *the policies of resources* allow a caller
whose own policies allow everything. The questions are each action of the templates and those next to them, on the kit's
resources, on those of other projects and teams, and on their like in another Region and in another account
(`tests/support/who_may/`). What is not listed is refused.
"""


def rows(found: Iterable[Question]) -> list[str]:
    """One row for the same actions on the same resources."""
    of_action: dict[str, dict[str, list[str]]] = {}
    for question in found:
        of_action.setdefault(question.action, {}).setdefault(question.thing.name, []).append(question.way)
    grouped: dict[str, list[str]] = {}
    for action, resources in of_action.items():
        by_ways: dict[str, list[str]] = {}
        for name, ways in resources.items():
            by_ways.setdefault(" or ".join(filter(None, ways)), []).append(name)
        on = "; ".join(", ".join(names) + (f" ({ways})" if ways else "") for ways, names in by_ways.items())
        grouped.setdefault(on, []).append(action)
    return [f"| {', '.join(f'`{action}`' for action in actions)} | {on} |" for on, actions in grouped.items()]


def table(verb: str, found: Iterable[Question]) -> str:
    lines = "\n".join(rows(found))
    return f"\n| {verb} | on |\n|---|---|\n{lines}\n" if lines else "\nNothing.\n"


def own(world: World, person: Person) -> str:
    """What a person's own policies allow; "" for one without any."""
    if not set(person.policies) & set(world.by_holder):
        return ""
    verb = "may not" if person.everything else "may"
    return f"\n#### {person.name}\n" + table(verb, world.own_answers(person))


def lets_in(world: World, document: Document) -> str:
    """Whom a resource's policy lets do what; everyone with the same answers together."""
    groups: dict[str, list[str]] = {}
    for person in world.concerned(document):
        groups.setdefault(table("may", world.resource_answers(document, person)), []).append(person.name)
    nothing = groups.pop("\nNothing.\n", [])
    made = "".join(f"\n{', '.join(names)}:\n{found}" for found, names in groups.items())
    rest = f"\nNothing: {', '.join(nothing)}.\n" if nothing and groups else "" if groups else "\nNobody may anything.\n"
    return f"\n#### {document.place}\n" + made + rest


def page() -> str:
    """The whole page."""
    made, before = [], dict[str, str]()
    asked = max(sum(1 for _ in world.questions(world.actions)) for world in worlds().values())
    for name, world in worlds().items():
        parts = {person.name: own(world, person) for person in world.people}
        resources = {d.place: lets_in(world, d) for d in world.documents if d.kind != "identity"}
        made.append(f"\n## With {name}\n")
        for title, sections in (
            ("What callers may by their own policies", parts),
            ("What the policies of resources allow", resources),
        ):
            new = [text for key, text in sections.items() if text and before.get(key) != text]
            same = [key for key, text in sections.items() if text and before.get(key) == text]
            made += [f"\n### {title}, with {name}\n", *new] if new or same else []
            made += [f"\nAs above: {', '.join(same)}.\n"] if same else []
            before |= {key: text for key, text in sections.items() if key not in before}
    return HEAD.format(asked=asked) + "".join(made)


def write() -> None:
    PLACE.write_text(page(), encoding="utf-8")
