"""Imports point one way, without a cycle and without one that is hidden in a function (tests/support/imports.py)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.imports import ROOT, TOPS, problems


def test_imports_point_one_way() -> None:
    assert problems() == []


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layers") / "tree"
    for top in TOPS:
        shutil.copytree(ROOT / top, root / top, ignore=lambda _, names: [n for n in names if n.startswith("__pyc")])
    return root


HIDDEN = "is imported in a function: only a heavy library is, with its reason in a comment"
SERVICES_CYCLE = (
    "import cycle: localaws.services.cloudwatch → localaws.services.application_autoscaling → "
    "localaws.services.events → localaws.services.cloudwatch"
)
CYCLE = "import cycle: localaws.calls → localaws.service → localaws.shapes → localaws.calls"


@pytest.mark.parametrize(
    ("path", "line", "problem"),
    [
        ("awslang/errors.py", "import localaws.cloud", "awslang does not import localaws.cloud"),
        ("awslang/errors.py", "import moto.core", "moto.core belongs to the embedded AWS"),
        ("localaws/cloud.py", "import scripts.kit.console", "localaws does not import scripts.kit.console"),
        ("localaws/cloud.py", "from tests.support import waiting", "localaws does not import tests.support.waiting"),
        ("scripts/kit/plan.py", "import localaws.cloud", "scripts.kit does not import localaws.cloud"),
        (
            "scripts/kit/plan.py",
            "import scripts.rehearsal.story",
            "scripts.kit does not import scripts.rehearsal.story",
        ),
        ("scripts/kit/plan.py", "import moto", "moto belongs to the embedded AWS"),
        ("scripts/publish.py", "from scripts import rehearse", "scripts does not import scripts.rehearse"),
        ("pipeline/build.py", "import awslang.errors", "pipeline does not import awslang.errors"),
        ("seed-code/model-build/start.py", "import pipeline.build", "seed-code does not import pipeline.build"),
        ("tests/conftest.py", "from tests.repository import test_lint", "tests.repository.test_lint is a test file"),
        ("scripts/kit/plan.py", "def late():\n    import localaws.cloud", "scripts.kit does not import localaws.cloud"),
        ("scripts/kit/plan.py", "def late():\n    import scripts.kit.console", f"scripts.kit.console {HIDDEN}"),
        ("localaws/cloud.py", "def late():\n    import xgboost", f"xgboost {HIDDEN}"),
        ("scripts/publish.py", "def late():\n    import scripts.kit.plan", f"scripts.kit.plan {HIDDEN}"),
        ("localaws/calls.py", "from localaws.service import Service", CYCLE),
        ("localaws/services/events/pattern.py", "import localaws.services.cloudwatch.metrics", SERVICES_CYCLE),
    ],
)
def test_an_import_the_wrong_way_is_found(tree: Path, path: str, line: str, problem: str) -> None:
    text = (tree / path).read_text(encoding="utf-8")
    before = set(problems(tree))
    (tree / path).write_text(f"{text}\n{line}\n", encoding="utf-8")
    try:
        assert any(problem in one for one in set(problems(tree)) - before)
    finally:
        (tree / path).write_text(text, encoding="utf-8")


def test_a_heavy_library_may_be_imported_where_it_is_needed(tree: Path) -> None:
    path, before = tree / "localaws/cloud.py", problems(tree)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\ndef late():\n    import xgboost  # takes a second, and few requests need it\n")
    assert problems(tree) == before
    path.write_text(text, encoding="utf-8")


def test_a_command_may_import_what_is_slow_once_its_arguments_are_read(tree: Path) -> None:
    path, before = tree / "scripts/publish.py", problems(tree)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\ndef late():\n    import scripts.kit.plan  # a second, after the arguments\n")
    assert problems(tree) == before
    path.write_text(text, encoding="utf-8")
