"""`make teardown EVERYTHING=1` interrupted at every request, and run again, ends as an undisturbed one.

The world is an installation of the kit with everything it published to Service Catalog and to S3, and without a
project: test_teardown_faults.py removes projects.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import teardown
from scripts.rehearsal import setting as people
from tests.support.every_request import problems
from tests.support.faults import Command, World
from tests.support.installation import Installation
from tests.support.light_installation import ALL_OF_A_PROJECT, FAULT_KINDS, REGION


class Place:
    """The world, and the command as it is typed there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.world = World(folder, self.build)
        line = ["--environment", str(self.kit.story.environment_path), "--everything", "--yes", *ALL_OF_A_PROJECT]
        self.teardown: Command = lambda: teardown.main(line)

    def build(self, cloud: Cloud) -> None:
        self.kit = Installation(cloud, self.folder, self.patch)
        arn = f"arn:aws:iam::{self.kit.account}:policy/sagemaker-multi-account-approver"
        cloud.root(self.kit.account, REGION).client("iam").attach_role_policy(RoleName=people.ENGINEER, PolicyArn=arn)

    def manager(self, cloud: Cloud) -> Session:
        return people.sign_in(cloud, self.kit.story.setting.management, people.ENGINEER, REGION)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        yield Place(tmp_path_factory.mktemp("everything"), patch)


def test_a_teardown_of_everything_interrupted_at_any_request_and_run_again_ends_as_an_undisturbed_one(
    place: Place,
) -> None:
    whole = place.world.undisturbed(place.teardown, place.manager)
    assert whole.codes == (0,), whole.printed
    assert "everything is taken down" in whole.printed[0]
    assert "2 orphans, 2 of them retained" in whole.printed[0]  # the stacks of Studio
    assert problems(place.world, place.teardown, place.manager, FAULT_KINDS) == []
