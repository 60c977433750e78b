"""The kit as it was before the pipeline's code left the deploy repositories, with its own commands and templates.

Installations of it are what `make upgrade` has to bring behind today's boundary. The archive is not read by lint: it
must stay as it was. `python -m tests.support.before_0_3` writes it again from the commit.
"""

from __future__ import annotations

import lzma
import subprocess
import tarfile
from pathlib import Path

from tests.support import ROOT

COMMIT = "d3b3ab333f4bf4ad36e818b308a292f986f2583f"  # the last one before "Take the pipeline's code … out"
NAME = "0.2.0-bb66ebef"  # what its `make package` calls the bundle: eight digits of the hash of its content
ARCHIVE = ROOT / "tests/fixtures/before-0.3.tar.xz"
CONTENT = (  # what `make accounts`, `make package` and `make publish` of then read
    "pyproject.toml",
    "templates",
    "seed-code",
    "pipeline",
    "awslang/__init__.py",
    "awslang/template",
    "scripts/__init__.py",
    "scripts/accounts.py",
    "scripts/package.py",
    "scripts/publish.py",
    ":(glob)scripts/kit/*.py",
    "scripts/kit/bundle",
    "scripts/kit/organization",
    "scripts/kit/publish",
    "scripts/kit/settings",
    "scripts/kit/stacks",
)


def unpack(folder: Path) -> Path:
    """The tree of that version in a folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def write() -> None:
    content = subprocess.run(["git", "archive", COMMIT, *CONTENT], cwd=ROOT, check=True, capture_output=True).stdout
    ARCHIVE.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    write()
