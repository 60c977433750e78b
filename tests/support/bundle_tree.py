"""A small tree of sources with everything that a bundle holds."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.kit.bundle import pack
from tests.support import ROOT

FIXTURES = ROOT / "tests/fixtures/bundle"
PRODUCT = FIXTURES / pack.PRODUCT


def make_bundle_tree(root: Path) -> Path:
    """A small tree with everything that a bundle holds."""
    (root / "templates").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "kit"\nversion = "1.2.3"\n')
    for name in pack.TEMPLATES:
        (root / name).write_text(f"Description: {name}\nResources: {{}}\n")
    for name in (pack.PRODUCT, pack.STAGE):
        shutil.copy(FIXTURES / name, root / name)
    for folder in (*pack.SEEDS.values(), pack.PIPELINE):
        (root / folder / "scripts").mkdir(parents=True)
        (root / folder / "README.md").write_text(f"{folder}\n")
        (root / folder / "scripts/run.sh").write_text("#!/bin/sh\n")
    return root
