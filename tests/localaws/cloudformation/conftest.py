"""Fixtures of the tests of stacks."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation import providers
from tests.support.stacks import (
    ACCOUNT,
    QUEUE,
    REGION,
    FakeQueues,
)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> FakeQueues:
    fake = FakeQueues()
    monkeypatch.setitem(providers.PROVIDERS, QUEUE, fake)
    return fake


@pytest.fixture
def client(cloud: Cloud) -> Any:
    return cloud.root(ACCOUNT, REGION).client("cloudformation")
