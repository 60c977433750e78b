"""Whom the notifier names, by an alarm's name: the template's own expressions."""

from __future__ import annotations

import re
from typing import Any

import jsonata
import pytest

from tests.support import ROOT

TEMPLATE = (ROOT / "templates/15-notices.yaml").read_text(encoding="utf-8")
ENDPOINT = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
NAME = "$happened.detail.alarmName"
KINDS = sorted(set(re.findall(r"AlarmName: !Sub \S+\$\{StageName\}-([a-z-]+)$", ENDPOINT, re.MULTILINE)))


def named(alarm: str) -> tuple[str, str]:
    """The project and its id that a notice names for an alarm."""
    project = re.search(rf'project: "{{% (\$replace\({re.escape(NAME)}.+?\)) %}}"', TEMPLATE)
    of = re.search(rf"project_id: >-\s+{{% (\(\$of := \$match\({re.escape(NAME)}.+?'\)) %}}", TEMPLATE, re.DOTALL)
    assert project, "the expression has another form"
    assert of, "the expression has another form"

    def value(expression: str) -> Any:
        return jsonata.Jsonata(" ".join(expression.replace(NAME, "name").split())).evaluate({"name": alarm})

    return value(project[1]), value(of[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["churn", "x-prod", "churn-p-a1b2c3d4e5f6-prod"])
def test_a_project_that_is_called_as_anothers_alarm_begins_is_named_as_itself(name: str, kind: str) -> None:
    """Its id may have letters alone, as an alarm's own name has."""
    assert named(f"{name}-p-qwertyuiopas-prod-{kind}") == (name, "p-qwertyuiopas")
    assert named(f"{name}-p-a1b2c3d4e5f6-prod-{kind}") == (name, "p-a1b2c3d4e5f6")


def test_there_are_alarms() -> None:
    assert {"drift", "quality", "server-errors", "batch-lost-arrivals"} <= {*KINDS}
