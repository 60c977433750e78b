"""make setup, killed at every step: the next one begins again, and an environment that the kit did not make stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.makefile import FILES

# Stands for every program of a set-up. Each call counts; at the call DIE_AT it writes half of its work and kills make.
PROGRAM = """#!/bin/sh
name=$(basename "$0")
export PATH=/usr/bin:/bin
calls=$(($(cat "$STEPS") + 1)); echo $calls > "$STEPS"
half() { if [ $calls -eq "$DIE_AT" ]; then [ -z "$1" ] || touch "$1"; kill -9 0; fi; }
case "$name $*" in
  "python3 -c "*) half ;;
  "python3 -m venv "*) mkdir -p "$3/bin"; half "$3/half-made"
    for tool in python uv; do cp "$0" "$3/bin/$tool"; done ;;
  "python -m pip "*) half .venv/bin/half-installed ;;
  "uv venv "*) for folder; do :; done; rm -rf "$folder"; mkdir -p "$folder/bin"; half "$folder/half-made" ;;
  "uv pip "*) folder=${5%/bin/python}; half "$folder/half-installed"; touch "$folder/installed" ;;
  *) half; exec "$name" "$@" ;;
esac
"""
STEPS = 11  # that setting up .venv and .venv-lint takes at least


class Checkout:
    """A folder with the Makefile and lock files, in which no program of a set-up is the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.counter = folder / "checkout", folder / "steps"
        (self.folder / "requirements").mkdir(parents=True)
        for name in FILES:
            shutil.copy(ROOT / name, self.folder)
        for name in ("runtime", "uv", "lint"):
            (self.folder / "requirements" / f"{name}.txt").touch()
        self.programs = folder / "programs"
        self.programs.mkdir()
        for name in ("python3", "mv", "rm", "mkdir", "touch"):
            (self.programs / name).write_text(PROGRAM)
            (self.programs / name).chmod(0o755)

    def make(self, die_at: int = 0) -> subprocess.CompletedProcess[str]:
        """Set up .venv and .venv-lint; die_at: the call at which a signal ends it, 0 for none."""
        self.counter.write_text("0")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        mine = {"PATH": f"{self.programs}:/usr/bin:/bin", "STEPS": str(self.counter), "DIE_AT": str(die_at)}
        line = ["make", "setup", ".venv-lint/.ready"]
        return subprocess.run(
            line, cwd=self.folder, env=kept | mine, capture_output=True, text=True, start_new_session=True, timeout=60
        )

    @property
    def steps(self) -> int:
        return int(self.counter.read_text())

    def files(self) -> set[str]:
        found = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        return {name for name in found if name.startswith(".venv")}


@pytest.mark.slow
def test_a_set_up_that_was_killed_at_any_step_begins_again(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    assert checkout.make().returncode == 0
    steps, made = checkout.steps, checkout.files()
    assert steps >= STEPS
    assert {".venv/installed", ".venv/.ready", ".venv-lint/installed", ".venv-lint/.ready"} <= made
    for die_at in range(1, steps + 1):
        for lock in ("runtime", "lint"):  # they have changed, or nothing has been made yet
            os.utime(checkout.folder / "requirements" / f"{lock}.txt")
        if die_at % 2:
            shutil.rmtree(checkout.folder / ".venv")
        assert checkout.make(die_at).returncode == -signal.SIGKILL, die_at
        done = checkout.make()
        assert done.returncode == 0, (die_at, done.stderr)
        assert checkout.files() == made, die_at
    checkout.make()
    assert checkout.steps == 0, "everything was there"


def test_an_environment_that_the_kit_did_not_make_stays_as_it_is(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    (checkout.folder / ".venv" / "bin").mkdir(parents=True)
    (checkout.folder / ".venv" / "bin" / "mine").write_text("mine")
    done = checkout.make()
    assert done.returncode == 2
    assert ".venv was not made by make setup: rename it or delete it, then run make setup again" in done.stderr
    assert checkout.files() == {".venv/bin/mine"}
    assert (checkout.folder / ".venv" / "bin" / "mine").read_text() == "mine"


def test_an_environment_of_an_earlier_version_is_replaced(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    (checkout.folder / ".venv").mkdir()
    (checkout.folder / ".venv" / ".ready").touch()
    os.utime(checkout.folder / ".venv" / ".ready", (1, 1))
    (checkout.folder / ".venv" / "old").touch()
    assert checkout.make().returncode == 0
    assert ".venv/old" not in checkout.files()


def test_uv_itself_is_installed_from_wheels_with_their_hashes() -> None:
    line = "python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $(UV)"
    assert line in (ROOT / "Makefile").read_text(encoding="utf-8")
    lock = (ROOT / "requirements" / "uv.txt").read_text(encoding="utf-8")
    assert [line.split("==")[0] for line in lock.splitlines() if "==" in line] == ["uv"]


@pytest.mark.parametrize("name", FILES)
def test_every_installation_asks_for_hashes(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if "pip install" in line]
    assert lines
    assert all("--require-hashes" in line for line in lines)
