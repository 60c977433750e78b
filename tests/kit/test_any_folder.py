"""Every command in a checkout, and with an environment file, whose path holds what a shell or make stumbles over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.rehearsal.embedded import embedded_aws
from tests.support import NASTY, ROOT
from tests.support.installation import Installation

PROJECT = "churn"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a project, from the tree, the bundle and the environment file in such a folder."""
    folder = tmp_path_factory.mktemp("any") / NASTY
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        made = Installation(cloud, folder, patch, to="service-catalog")
        made.project(PROJECT)
        yield made
    assert not cloud.faults, cloud.faults[0].traceback


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("accounts", ["--dry-run"], 0),
        ("console_bundle", ["--bundle", "{build}", "--output", "{folder}/console"], 1),  # it needs the units' ids
        ("publish", ["--bundle", "{build}"], 0),
        ("doctor", ["--bundle", "{build}", "--project", PROJECT], 0),
        ("versions", [], 0),
        ("diff", ["--project", PROJECT], 0),
        ("upgrade", ["--project", PROJECT], 0),
        ("status", ["--project", PROJECT], 0),
        ("rollback", ["--project", PROJECT, "--stage", "prod", "--yes"], 1),  # nothing was deployed yet
        ("project", ["--project", PROJECT], 1),  # it exists
        ("seed", ["--project", PROJECT], 1),  # its repositories are in CodeCommit
        ("teardown", ["--project", PROJECT, "--dry-run"], 0),
    ],
)
def test_a_command_works_in_any_folder(kit: Installation, name: str, arguments: list[str], code: int) -> None:
    places = {"build": kit.tree / "build", "folder": kit.folder, "tree": kit.tree}
    _, said = kit.command(name, *(word.format(**places) for word in arguments), code=code)
    assert ("error: " in said) == bool(code)
    assert "No such file" not in said


def test_the_data_scientist_creates_a_project_without_studio(kit: Installation) -> None:
    line = ("project", "--project", "fresh-1", "--json")
    planned = json.loads(kit.command(*line, "--dry-run", who=kit.story.scientist)[0])
    assert (planned["applied"], planned["publisher"], planned["version"]) == (False, "service-catalog", kit.first)
    out, err = kit.command(*line, who=kit.story.scientist)
    made = json.loads(out)
    names = {r["repositoryName"] for r in kit.engineer.client("codecommit").list_repositories()["repositories"]}
    assert {address.rsplit("/", 1)[1] for address in made["repositories"].values()} <= names
    assert f"git clone {made['repositories']['training']}\n" in err
    assert kit.settled("fresh-1")["ProjectId"] == made["id"]
    kit.command(*line, code=1, who=kit.story.scientist)
    assert (
        "does not see a product"
        in kit.command(*line[:2], "other", code=1, who=kit.cloud.root(kit.account, "us-east-1"))[1]
    )


def test_the_whole_story_is_rehearsed_in_a_checkout_in_any_folder(tmp_path: Path) -> None:
    tree = tmp_path / NASTY / "checkout"
    for name in ("awslang", "localaws", "pipeline", "scripts", "seed-code", "templates", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree)
    beside = tmp_path / NASTY.split()[0]
    beside.write_text("a stranger's")
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, "-m", "scripts.rehearse", "--json"]
    done = subprocess.run(line, cwd=tree, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "succeeded"
    assert (tree / "build/rehearsal/report.html").is_file()
    assert beside.read_text() == "a stranger's"
    assert {path.name for path in tmp_path.iterdir()} == {NASTY, beside.name}
