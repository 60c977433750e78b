"""The Makefile: help for every target, and a set-up that runs again only when the lock file changes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str, folder: Path = ROOT) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    run = subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, env=environment)
    return run.stdout + run.stderr


def test_help_is_the_default_and_shows_every_target() -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    assert make() == make("help")
    assert re.findall(r"^ {2}make ([a-z-]+) ", make(), re.MULTILINE) == targets
    assert {"setup", "rehearse", "test", "lint", "package", "publish", "accounts", "lock", "bench", "clean"} < {
        *targets
    }


def test_every_target_is_phony() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"^\.PHONY: ([\w-]+)$", MAKEFILE, re.MULTILINE)) == targets


def test_set_up_runs_again_only_when_the_lock_file_changes(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    for name, age in {
        "requirements.lock": 1,
        "requirements-lint.lock": 1,
        "requirements-notebooks.lock": 1,
        ".venv/.ready": 2,
        ".venv-lint/.ready": 3,
        ".venv-notebooks/.ready": 3,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (age, age))
    assert "pip install" not in make("-n", "test", folder=tmp_path)
    for name in ("requirements-lint.lock", "requirements-notebooks.lock"):
        os.utime(tmp_path / name, (4, 4))
        told = make("-n", "test", folder=tmp_path)
        assert f"-r {name}" in told
        assert "-r requirements.lock" not in told
    os.utime(tmp_path / ".venv/.ready", (0, 0))
    assert "-r requirements.lock" in make("-n", "test", folder=tmp_path)


def test_cleaning_removes_what_was_made_and_keeps_the_environment_file(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    made = ["build/manifest.json", ".venv/.ready", ".venv-notebooks/.ready", "scripts/__pycache__/x.pyc"]
    for name in [*made, "environment.yaml", "scripts/x.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    make("clean", folder=tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", "environment.yaml", "scripts/x.py"}


def test_continuous_integration_runs_the_tests_as_the_reader_does() -> None:
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "exec make test"
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_a_lock_file_names_no_host_and_pins_every_package_with_its_hash(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file", lock)
    pinned = re.findall(r"^([a-z0-9-]+)==(.*?)(?=^[a-z0-9-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
    assert pinned
    assert all("--hash=sha256:" in rest for _, rest in pinned)
    assert name != "requirements.lock" or {"boto3", "moto", "pytest"} <= {package for package, _ in pinned}
