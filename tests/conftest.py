"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import botocore.client
import pytest

from localaws.cloud import Cloud
from scripts.rehearsal.apart import apart
from scripts.rehearsal.embedded import embedded_aws


def pytest_configure(config: pytest.Config) -> None:
    """No test depends on the AWS settings or the proxy of the person who runs it, or on a run in the background.

    A shell has what it starts in the background ignore Ctrl-C, and so would the commands that tests interrupt.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    stack = ExitStack()
    stack.enter_context(apart())
    config.add_cleanup(stack.close)
    keep_client_methods()


def keep_client_methods() -> None:
    """botocore makes the methods of a service's clients once in a process, not for each client.

    They are the same functions each time, and to make them is a fifth of what a short command takes.
    """
    creator = cast(Any, botocore.client.ClientCreator)
    create, made = creator._create_methods, dict[tuple[str, str], dict[str, Any]]()

    def kept(self: Any, service_model: Any) -> dict[str, Any]:
        key = (service_model.service_name, service_model.api_version)
        if key not in made:
            made[key] = create(self, service_model)
        return dict(made[key])  # handlers of events add methods to it

    creator._create_methods = kept


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """An empty embedded AWS; a fault in its background work fails the test."""
    with embedded_aws(tmp_path / "rehearsal") as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


SLOWEST_FIRST = (  # so that no worker is left with a long file at the end; the others follow in their order
    "kit/test_teardown_everything_faults.py",
    "mistakes/test_mistakes.py",
    "rehearsal/test_notebooks.py",
    "kit/doctor/test_doctor.py",
    "kit/test_teardown_faults.py",
    "mistakes/test_mistakes_deployed.py",
    "repository/test_installed_release.py",
    "security/test_gate.py",
    "judges/test_weakened_policies.py",
    "rehearsal/test_approvals.py",
    "kit/test_rollback_story.py",
    "pages/test_pages.py",
    "kit/test_served_story.py",
    "localaws/services/sagemaker/test_deployment_rollback.py",
    "kit/test_accounts_faults.py",
    "repository/test_developing.py",
    "security/test_replaced.py",
    "kit/test_asking.py",
    "rehearsal/test_story.py",
    "kit/test_teardown.py",
    "kit/test_upgrade_faults.py",
    "kit/test_publish_faults.py",
    "repository/test_contributing.py",
    "kit/test_any_folder.py",
    "kit/test_rollback_faults.py",
    "rehearsal/test_permissions.py",
    "rehearsal/test_regions.py",
    "kit/test_console_interrupts.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first, within a file the order stays. They, and tests on an embedded AWS, get the mark slow."""
    place = {Path(__file__).parent / path: number for number, path in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
    for item in items:
        if item.path in place or (isinstance(item, pytest.Function) and starts_an_aws(item)):
            item.add_marker(pytest.mark.slow)


def starts_an_aws(test: pytest.Function) -> bool:
    """Whether the test works on an embedded AWS: one of the fixtures, or one that its module can start.

    Other tests that take more than a second of processor time carry the mark `slow` in their file.
    """
    started = not {"cloud", "shared_cloud"}.isdisjoint(test.fixturenames)
    return started or not vars(test.module).keys().isdisjoint({"EmbeddedAws", "embedded_aws"})
