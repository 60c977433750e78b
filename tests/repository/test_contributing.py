"""CONTRIBUTING.md's first change, performed on a copy of the tree: the page's own edits, files and commands."""

from __future__ import annotations

from pathlib import Path

from tests.support import ROOT
from tests.support.exercises import Copy, steps_of

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEPS = steps_of(PAGE.split("## A first change")[1].split("\n## ")[0])


def test_the_steps_add_a_setting_that_is_seen_in_the_endpoints_configuration(tmp_path: Path) -> None:
    """The commands of each step end as the page says: the new test fails first and passes at the end."""
    copy = Copy.of_the_tree(tmp_path)
    looked_up, failing, endpoint_only, after_stage, rehearsed, said = STEPS
    (schema,) = copy.follow(looked_up)
    assert schema.returncode == 0
    assert all(name in schema.stdout for name in ("LEAST_OUTSTANDING_REQUESTS", "PREFIX_AWARE", "RANDOM"))
    (first,) = copy.follow(failing)
    assert first.returncode == 1
    assert "40-stage.yaml has no such setting" in first.stdout
    (promises,) = copy.follow(endpoint_only)
    assert promises.returncode == 1
    assert promises.stdout.count("FAILED") == 1
    assert "test_the_stage_passes_every_endpoint_setting_on_unchanged" in promises.stdout
    assert copy.follow(after_stage) == []
    (both,) = copy.follow(rehearsed)
    assert both.returncode == 0, both.stdout
    assert copy.follow(said) == []


def test_the_kit_itself_has_no_such_setting() -> None:
    assert "RoutingStrategy" not in (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
