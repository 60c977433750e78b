"""An upgrade interrupted at every single request, and run again, ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import upgrade
from tests.support.every_request import problems
from tests.support.faults import Command, World
from tests.support.installation import Installation

PROJECT, HOSTED = "iris-1", "iris-hosted"


class Place:
    """A world with a project from each publisher, a newer version, and `make upgrade` as it is typed there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.world = World(folder, self.build)

    def upgrade(self, project: str) -> Command:
        line = ["--environment", str(self.kit.story.environment_path), "--project", project]
        return lambda: upgrade.main(line)

    def build(self, cloud: Cloud) -> None:
        self.kit = Installation(cloud, self.folder, self.patch)
        self.kit.project(PROJECT)
        self.kit.hosted_project(HOSTED, self.kit.first)
        self.newer = self.kit.newer_version()

    def who(self, cloud: Cloud) -> Session:
        return self.kit.engineer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        yield Place(tmp_path_factory.mktemp("upgrade"), patch)


@pytest.mark.parametrize("project", [PROJECT, HOSTED])
def test_an_upgrade_interrupted_at_every_request_and_run_again_ends_as_an_undisturbed_run(
    place: Place, project: str
) -> None:
    command = place.upgrade(project)
    whole = place.world.undisturbed(command, place.who)
    assert f"{project} runs {place.newer}" in whole.printed[0]
    assert "sagemaker:UpdateProject" in whole.requests
    assert problems(place.world, command, place.who) == []
