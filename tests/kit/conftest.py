"""Fixtures of several commands' tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud
from tests.support.publisher import Publisher
from tests.support.rehearsed_organization import RehearsedOrganization
from tests.support.strangers import make_strangers


@pytest.fixture
def signed_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No sign-in, in a folder without any file."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def organization(cloud: Cloud, tmp_path: Path) -> Iterator[RehearsedOrganization]:
    with pytest.MonkeyPatch.context() as patch:
        yield RehearsedOrganization(cloud, tmp_path, patch)


@pytest.fixture
def bare(cloud: Cloud, tmp_path: Path) -> Iterator[RehearsedOrganization]:
    """Only the organization and its accounts, as the story begins."""
    with pytest.MonkeyPatch.context() as patch:
        yield RehearsedOrganization(cloud, tmp_path, patch, bare=True)


@pytest.fixture
def publisher(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    return Publisher(cloud, tmp_path, monkeypatch)


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    return make_strangers(tmp_path)
