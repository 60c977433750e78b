"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.rehearsal.cloud import Cloud
from scripts.rehearsal.server import EmbeddedAws


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """An empty embedded AWS; a fault in its background work fails the test."""
    with EmbeddedAws(tmp_path / "rehearsal") as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)
