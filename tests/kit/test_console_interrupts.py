"""Commands that are interrupted, or cannot even load: they end soon and say so without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("signed_out")


def living(session: int) -> list[str]:
    """The processes of a terminal session that still run."""
    listed = subprocess.run(["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [row[-1] for row in rows if row[0] == str(session) and not row[1].startswith("Z")]


@pytest.mark.parametrize(
    ("chapter", "whole_terminal"),
    [("A model is trained", True), ("Units, delegation, roles", False)],
    ids=["Ctrl-C", "kill -INT"],
)
def test_an_interrupted_rehearsal_ends_soon_and_leaves_nothing_behind(
    tmp_path: Path, chapter: str, whole_terminal: bool
) -> None:
    start = time.monotonic()
    started = subprocess.Popen(
        [sys.executable, "-m", "scripts.rehearse", "--folder", str(tmp_path)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert started.stderr is not None
    said = ""
    for line in started.stderr:
        said += line
        if chapter in line:
            break
    time.sleep(0.3)  # in the middle of the chapter: a command of the story runs, or SageMaker's training
    begin = time.monotonic()
    if whole_terminal:
        os.killpg(started.pid, signal.SIGINT)
    else:
        started.send_signal(signal.SIGINT)
    out, more = started.communicate(timeout=300)
    assert started.returncode == 130, said + more
    assert time.monotonic() - begin < max(10, begin - start), "on a busy machine: sooner than it came this far"
    assert more.splitlines()[-1].startswith("interrupted")
    assert "Traceback" not in said + out + more
    until(lambda: living(started.pid) == [], 10)  # the worker for JSONata sees that its input has ended
    assert not (tmp_path / "summary.json").exists()


def test_a_python_without_the_kits_packages_is_reported() -> None:
    command = [sys.executable, "-S", "-m", "scripts.status"]  # without site-packages
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "lacks what the kit needs. `make setup` installs it" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_interrupt_while_a_command_loads_says_nothing(tmp_path: Path) -> None:
    code = "import os, signal, sys; sys.argv = ['-m']; import scripts; os.kill(os.getpid(), signal.SIGINT)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
