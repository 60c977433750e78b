"""`make repair` of accounts that are gone or moved, of what an interrupted run left, and what it refuses.

Stages deploy an alarm instead of an endpoint, which takes no time (tests/support/light_installation.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation.stacks import Stacks
from localaws.cloudformation.stacksets.state import StackSet, sets_of
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.light_installation import REGION, LightInstallation
from tests.support.waiting import until


class Light(LightInstallation):
    """On an embedded AWS that is asked while it runs."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.folder = folder
        self.story = Story(cloud, folder)
        play(self.story, until="project")
        for stage in ("staging", "prod"):
            self.deploy(stage)
        until(lambda: not cloud.busy, 60)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("repair")
    with embedded_aws(folder) as cloud:
        yield Light(cloud, folder).story
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def repair(story: Story, *arguments: str, manager: bool = True) -> list[dict[str, Any]]:
    """The steps of the command, by the ML engineer of the management account or of the data science account."""
    by = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    line = ["--environment", str(story.environment_path), "--project", story.project_name, "--json", *arguments]
    steps: list[dict[str, Any]] = json.loads(story.command(by if manager else story.engineer, "scripts.repair", *line))[
        "steps"
    ]
    return steps


def refused(story: Story, *arguments: str, manager: bool = True) -> str:
    with pytest.raises(StoryFailed, match="ended with") as failed:
        repair(story, *arguments, manager=manager)
    return str(failed.value.log)


def stack_set(story: Story, stage: str) -> StackSet:
    name = f"sagemaker-{story.project_name}-{story.project_id}-deploy-{stage}"
    return next(s for s in sets_of(story.cloud, story.setting.management, REGION).by_id.values() if s.name == name)


def test_an_endpoint_that_nobody_has_seen_is_left_alone(story: Story) -> None:
    account = story.setting.targets["prod"]
    assert "these credentials cannot see whether the endpoint exists" in refused(
        story, "--account", account, manager=False
    )
    assert "no stage of this project is deployed to account 123456789012" in refused(story, "--account", "123456789012")
    assert "is not deployed to eu-west-1" in refused(story, "--account", account, "--endpoint-region", "eu-west-1")
    assert "name the account" in refused(story)


def test_a_missing_endpoint_of_one_account_is_created_again_and_dry_run_only_says_so(story: Story) -> None:
    """No alarm is an endpoint, so the command finds the endpoint missing."""
    account = story.setting.targets["staging"]
    before = stack_set(story, "staging").instances[account, REGION].stack_id
    others = {i.stack_id for i in stack_set(story, "prod").instances.values()}
    planned = repair(story, "--account", account, "--dry-run")
    assert [(step["action"], step["kind"]) for step in planned] == [("create", "endpoint")]
    assert stack_set(story, "staging").instances[account, REGION].stack_id == before
    repair(story, "--account", account)
    after = stack_set(story, "staging").instances[account, REGION]
    assert (after.status, after.stack_id != before) == ("CURRENT", True)
    assert {i.stack_id for i in stack_set(story, "prod").instances.values()} == others


def test_a_run_that_stopped_between_the_two_steps_is_ended_by_the_next(story: Story) -> None:
    account, stages = story.setting.targets["staging"], stack_set(story, "staging")
    client = story.engineer.client("cloudformation")
    client.delete_stack_instances(
        StackSetName=stages.name, CallAs="DELEGATED_ADMIN", RetainStacks=False, Regions=[REGION],
        DeploymentTargets={
            "OrganizationalUnitIds": [story.setting.units["staging"]],
            "Accounts": [account],
            "AccountFilterType": "INTERSECTION",
        },
    )  # fmt: skip
    until(lambda: (account, REGION) not in stages.instances, 60)
    (step,) = repair(story, "--account", account, manager=False)
    assert step["detail"] == "its stack instance is gone"
    assert stages.instances[account, REGION].status == "CURRENT"


def test_an_account_that_left_the_unit_loses_its_stack(story: Story) -> None:
    account, organizations = story.setting.targets["staging"], manager(story)
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.list_parents(ChildId=account)["Parents"][0]["Id"]
    organizations.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=root)
    assert "cannot enter it to delete its stack" in refused(story, "--account", account, manager=False)
    (step,) = repair(story, "--account", account)
    assert f"the account is not in {unit} any more" in step["detail"]
    assert (account, REGION) not in stack_set(story, "staging").instances
    there = story.cloud.state(Stacks, account, REGION).alive()
    assert not [stack for stack in there if "deploy-staging" in stack.name]
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)


def test_an_account_that_was_closed_leaves_the_stage(story: Story) -> None:
    """No deployment removes it: a suspended account is no target (CloudFormation API Reference, DeploymentTargets)."""
    account = story.setting.targets["prod"]
    manager(story).close_account(AccountId=account)
    assert (account, REGION) in stack_set(story, "prod").instances
    (step,) = repair(story, "--account", account, manager=False)
    assert "no longer active in the organization" in step["detail"]
    assert (account, REGION) not in stack_set(story, "prod").instances


def manager(story: Story) -> Any:
    return story.cloud.root(story.setting.management, story.region).client("organizations")
