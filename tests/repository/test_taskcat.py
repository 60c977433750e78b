"""`.taskcat.yml` gives each template what it needs, and `make taskcat` deploys only with AWS credentials."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from awslang.template.reader import read
from scripts import taskcat
from scripts.kit import console
from tests.support import ROOT

CONFIG = yaml.safe_load((ROOT / ".taskcat.yml").read_text())
TESTS: dict[str, dict[str, Any]] = CONFIG["tests"]
RANDOM = {"$[taskcat_random-string]": "a" * 20}  # what taskcat puts there


def test_the_templates_that_stand_alone_are_tested() -> None:
    tested = {Path(test["template"]).name[:2] for test in TESTS.values()}
    assert tested == {"09", "10", "11", "12", "13", "20", "50"}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_gives_every_parameter_without_a_default_a_value_of_its_pattern(name: str) -> None:
    document, _ = read((ROOT / TESTS[name]["template"]).read_text(encoding="utf-8"))
    given = TESTS[name].get("parameters", {})
    declared = document["Parameters"]
    assert set(given) <= set(declared)
    assert {key for key, parameter in declared.items() if "Default" not in parameter} <= set(given)
    for key, value in given.items():
        text = RANDOM.get(value, value)
        assert "$[" not in text
        assert re.fullmatch(declared[key].get("AllowedPattern", ".*"), text), key
        assert text in declared[key].get("AllowedValues", [text]), key


class Runs:
    """What would have been run."""

    def __init__(self, patch: pytest.MonkeyPatch, program: Path) -> None:
        self.lines: list[tuple[str, ...]] = []
        program.touch()
        patch.setattr(taskcat, "PROGRAM", program)
        patch.setattr(taskcat, "taskcat", self.run)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        self.patch = patch

    def run(self, *arguments: str) -> int:
        self.lines.append(arguments)
        return 0


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    return Runs(monkeypatch, tmp_path / "taskcat")


def test_without_credentials_only_the_lint_runs(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert taskcat.main([]) == 0
    assert runs.lines == [("lint",)]
    assert "nothing was deployed" in capsys.readouterr().err


def test_with_credentials_the_test_runs_too_unless_it_is_not_wanted(runs: Runs) -> None:
    runs.patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    runs.patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert taskcat.main(["--lint-only"]) == 0
    assert runs.lines == [("lint",)]
    assert taskcat.main(["--test", "endpoint"]) == 0
    assert runs.lines[2][:2] == ("test", "run")
    assert runs.lines[2][-2:] == ("--test-names", "endpoint")


def test_a_failed_lint_ends_it(runs: Runs) -> None:
    runs.patch.setattr(taskcat, "taskcat", lambda *_: 1)
    assert taskcat.main([]) == 1


def test_taskcat_that_is_not_installed_is_a_usage_error(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.patch.setattr(taskcat, "PROGRAM", Path("/nowhere/taskcat"))
    assert console.run(lambda: taskcat.main([])) == 2
    assert "run `make taskcat`" in capsys.readouterr().err
