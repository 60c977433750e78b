"""`--help` of every command is there at once: nothing that is slow to load is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SLOW = {  # each takes from a tenth of a second to a second
    "boto3", "botocore.session", "cfnlint", "cryptography", "jinja2", "localaws", "moto", "numpy", "rich",
    "scripts.kit.doctor.checks", "werkzeug", "xgboost",
}  # fmt: skip
COMMANDS = sorted(
    f"scripts.{path.stem}" for path in (ROOT / "scripts").glob("*.py") if "def main(" in path.read_text("utf-8")
)
COMMANDS += ["benchmarks.bench", "benchmarks.load"]
LOOK = """\
import runpy, sys
sys.argv = [{command!r}, "--help"]
try:
    runpy.run_module({command!r}, run_name="__main__", alter_sys=True)
except SystemExit as end:
    print(end.code, *sys.modules, file=sys.stderr)
"""


def loaded(command: str, folder: Path) -> tuple[str, set[str]]:
    """The help of a command, and the modules that it was printed with."""
    code = "import sys; sys.path.insert(0, sys.argv.pop())\n" + LOOK.format(command=command)
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], cwd=folder, capture_output=True, text=True)
    status, *modules = done.stderr.splitlines()[-1].split()
    assert status == "0", done.stderr
    return done.stdout, {*modules}


def test_every_command_is_looked_at() -> None:
    assert {"scripts.package", "scripts.rehearse", "scripts.doctor"} <= {*COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_that_is_slow(command: str, tmp_path: Path) -> None:
    text, modules = loaded(command, tmp_path)
    assert text.startswith(f"usage: python -m {command}")
    assert SLOW & modules == set()
