"""Fixtures of the tests of stacks."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation.provider import PROVIDERS, provider_for
from tests.support.stacks import (
    ACCOUNT,
    QUEUE,
    REGION,
    FakeQueues,
)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> FakeQueues:
    fake = FakeQueues()
    assert provider_for(QUEUE), "loads the providers, so that this one is replaced"
    monkeypatch.setitem(PROVIDERS, QUEUE, fake)
    return fake


@pytest.fixture
def client(cloud: Cloud) -> Any:
    return cloud.root(ACCOUNT, REGION).client("cloudformation")
