"""Starts a program of this folder as a process that has nothing of its starter's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]  # where `python -m scripts...` finds the program


def start(program: str, folder: Path, environment: Mapping[str, str], errors: int) -> subprocess.Popen[str]:
    """The running program, on the folder; errors: where its stderr goes, as for Popen."""
    return subprocess.Popen(
        [sys.executable, "-m", f"localaws.containers.{program}", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=ROOT,
        env={**environment, "PATH": os.defpath},
    )
