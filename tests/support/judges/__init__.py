"""Judges of the templates: each function yields a sentence for every mistake of its kind that a template holds.

metrics.py    alarms on what nothing publishes, and values in the wrong unit
literals.py   what differs from one installation to the next, written into a template
lasting.py    names that must survive from version to version
protections.py  properties that keep something closed
sequence.py   production before the approval, and an order that only timing gives
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from awslang.template.template import Template
from tests.support.judges import lasting, literals, metrics, protections, sequence

Judge = Callable[[str, Template], Iterator[str]]  # name of the template's file, the template
JUDGES: dict[str, Judge] = {
    "alarms": metrics.alarms,
    "units": metrics.units,
    "literals": literals.literals,
    "names": lasting.lost_names,
    "protections": protections.protections,
    "production": sequence.production,
    "actions": sequence.actions,
    "resources": sequence.resources,
}


def findings(name: str, template: Template) -> list[str]:
    """Everything that the judges say of a template."""
    return [said for judge in JUDGES.values() for said in judge(name, template)]
