"""Runs the notebooks on the embedded AWS."""

from __future__ import annotations

from scripts.kit.bundle.pack import ROOT

DEFAULT_FOLDER = ROOT / "build" / "notebooks"
