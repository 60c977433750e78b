"""Fixtures of the tests of CodePipeline."""

from __future__ import annotations

import pytest

from localaws.cloud import Cloud
from tests.support.codepipeline_setting import (
    Stage,
)


@pytest.fixture
def stage(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(cloud, monkeypatch)
