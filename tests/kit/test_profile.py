"""README's installation, with --profile alone: no variable says where AWS is, as on a machine behind a proxy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import accounts, doctor, package, publish, teardown
from scripts.kit import console
from scripts.kit.names import MODELS_STACK, NOTICES_STACK, PEOPLE_STACK, ROLES_STACK, SHARED_STACK
from scripts.rehearsal import keeping
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support.accounts_setting import STUDIO

TARGETS = ("222222222222", "333333333333")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """What `make rehearse ARGS="--until organization --keep"` leaves running, signed in to by nothing but profiles."""
    folder = tmp_path_factory.mktemp("kept")
    with embedded_aws(folder) as cloud, pytest.MonkeyPatch.context() as patch:
        story = Story(cloud, folder)
        play(story, "organization")
        _, profiles = keeping.write_files(story)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(profiles))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        yield story
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


@pytest.fixture
def type_in(kept: Story, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Types a command; its stdout. It must succeed."""

    def run(module: object, profile: str, *arguments: str) -> str:
        main: Callable[[list[str]], int] = module.main  # type: ignore[attr-defined]
        options = ["--environment", str(kept.environment_path), "--profile", profile, *arguments]
        assert console.run(lambda: main(options)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def made(kept: Story, account: str) -> set[str]:
    stacks = kept.cloud.root(account, kept.region).client("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in stacks}


def test_accounts_are_set_up_through_the_profile_of_the_management_account(
    kept: Story, type_in: Callable[..., str]
) -> None:
    type_in(accounts, "management", "--invite")
    assert made(kept, kept.setting.data_science) == {
        MODELS_STACK,
        SHARED_STACK,
        ROLES_STACK,
        PEOPLE_STACK,
        NOTICES_STACK,
        *STUDIO,
    }
    type_in(accounts, "management")


def test_the_product_is_published_and_the_installation_is_checked(
    kept: Story, type_in: Callable[..., str], tmp_path: Path
) -> None:
    assert console.run(lambda: package.main(["--output", str(tmp_path / "bundle")])) == 0
    type_in(publish, "data-science", "--bundle", str(tmp_path / "bundle"))
    found = json.loads(type_in(doctor, "management", "--bundle", str(tmp_path / "bundle"), "--json"))
    assert found["not_checked"] == []
    assert {one["severity"] for one in found["findings"]} <= {"note", "warning"}


def test_orphans_and_the_teardown_reach_every_account(kept: Story, type_in: Callable[..., str]) -> None:
    found = json.loads(type_in(teardown, "management", "--orphans", "--json"))
    assert found == {"orphans": [], "not_looked_at": {}}
    type_in(teardown, "management", "--everything", "--yes")
    for account in (kept.setting.data_science, *TARGETS):
        stays = {*STUDIO} if account == kept.setting.data_science else set()
        assert made(kept, account) == stays
