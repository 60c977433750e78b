"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """An empty embedded AWS; a fault in its background work fails the test."""
    with embedded_aws(tmp_path / "rehearsal") as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


SLOWEST_FIRST = [  # so that no worker is left with a long file at the end; the others come as they are
    "test_everything_faults.py", "test_mistakes.py", "test_mistakes_deployed.py", "test_notebooks.py",
    "test_release_faults.py", "test_upgrade_faults.py", "test_accounts_faults.py", "test_publish_faults.py",
    "test_story.py", "test_permissions.py", "test_release.py", "test_doctor.py",
    "test_teardown.py", "test_regions.py",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first; within a file the order stays."""
    place = {name: number for number, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
