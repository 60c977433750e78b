"""The story without an organization: three accounts alone, and stack sets under the two roles of template 21.

The story runs once, and a day more: staging gets autoscaling, and the project is taken down. Every action of
template 21 is used in it, or says why it is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from localaws.authorization import authorizer
from scripts.rehearsal import deploying
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.permissions import Granted, Holder, read_refusals, read_requests, report
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.record import summary
from scripts.rehearsal.report.facts import Facts, Unit, gather
from scripts.rehearsal.report.page import page
from scripts.rehearsal.story import Story
from tests.support.accounts_setting import STUDIO
from tests.support.played import check_played
from tests.support.recorded_decisions import RecordedStory, check_needed, check_refused, statements_of
from tests.support.story_steps import configure

TEMPLATE = "templates/21-self-managed-roles.yaml"

AUTOSCALING = {
    "InstanceType": "ml.m5.large", "InitialInstanceCount": "1", "MaximumInstanceCount": "3",
    "OfficeHoursStart": "cron(0 7 ? * * *)", "OfficeHoursEnd": "cron(0 19 ? * * *)", "OfficeHoursInstanceCount": "2",
}  # fmt: skip
PARTS = ("AdministrationRole", "ExecutionRole")


@dataclass
class World:
    """What was seen when the story ended, and at the end of the day after."""

    story: Story
    facts: Facts = field(default_factory=lambda: Facts({}))
    stack_sets: list[dict[str, Any]] = field(default_factory=list)
    diagnosis: dict[str, Any] = field(default_factory=dict)  # of `make doctor`
    roles: list[Holder] = field(default_factory=list)  # at the end of the story
    day_after: list[Holder] = field(default_factory=list)
    recorded: RecordedStory = field(init=False)  # every decision, to be made again without a statement

    def __post_init__(self) -> None:
        self.recorded = RecordedStory(self.story)

    def holders(self) -> list[Holder]:
        policies: list[dict[str, Any]] = json.loads((self.story.folder / "policies.json").read_text())
        return report(policies, read_requests(self.story.folder / "requests.jsonl"))

    def granted(self) -> Iterator[tuple[str, Granted, int]]:
        """Every action of template 21's roles: the role, the grant, and its uses by any account in all of it."""
        found = [(h.logical_id, g) for h in self.day_after if h.logical_id in PARTS for g in h.granted]
        for role in PARTS:
            for key in dict.fromkeys((g.statement, g.action) for name, g in found if name == role):
                same = [g for name, g in found if name == role and (g.statement, g.action) == key]
                yield role, same[0], sum(g.used for g in same)


def scale_and_take_down(story: Story) -> None:
    """The day after: staging with autoscaling, and no project any more."""
    story.cloud.chapter = "autoscaling"
    assert configure(story, "staging", **AUTOSCALING)
    deploying.staging(story)
    story.cloud.chapter = "teardown"
    environment = ("--environment", str(story.environment_path))
    story.command(story.engineer, "scripts.teardown", *environment, "--project", story.project_name, "--yes")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("self-managed")
    with pytest.MonkeyPatch.context() as patch, embedded_aws(folder) as cloud:
        made = World(Story(cloud, folder, "self-managed"))
        patch.setattr(authorizer, "decide", made.recorded.record)
        play(made.story, "predictions")
        write_policies(cloud, folder / "policies.json")
        made.roles = made.holders()
        made.facts = gather(made.story, {"outcome": "succeeded", "seconds": 1.0, **summary(made.story)})
        cloudformation = made.story.engineer.client("cloudformation")
        for listed in cloudformation.list_stack_sets(Status="ACTIVE")["Summaries"]:
            named = {"StackSetName": listed["StackSetName"]}
            made.stack_sets.append(cloudformation.describe_stack_set(**named)["StackSet"])
        options = ("--environment", str(made.story.environment_path), "--bundle", str(folder / "bundle"), "--json")
        made.diagnosis = json.loads(made.story.command(made.story.engineer, "scripts.doctor", *options))
        scale_and_take_down(made.story)
        made.day_after = made.holders()
        yield made
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_the_endpoints_of_both_stages_predict_right(world: World) -> None:
    story = world.story
    assert {c.outcome for c in story.chapters if c.began} == {"succeeded"}
    assert story.setting.accounts.keys() == {"data science", "staging", "production"}
    assert {e["account"]: e["stage"] for e in story.endpoints} == {a: s for s, a in story.setting.targets.items()}
    for endpoint in story.endpoints:
        assert endpoint["status"] == "InService"
        assert endpoint["predictions"] == endpoint["expected"]
        assert len(endpoint["expected"]) == 6


def test_the_stages_are_self_managed_stack_sets_under_the_roles_of_template_21(world: World) -> None:
    assert {s["StackSetName"].rsplit("-", 1)[1] for s in world.stack_sets} == {"staging", "prod"}
    for stack_set in world.stack_sets:
        assert stack_set["PermissionModel"] == "SELF_MANAGED"
        assert stack_set["AdministrationRoleARN"].endswith(":role/AWSCloudFormationStackSetAdministrationRole")
        assert stack_set["ExecutionRoleName"] == "AWSCloudFormationStackSetExecutionRole"
        assert stack_set.get("OrganizationalUnitIds", []) == []


def test_doctor_finds_nothing_wrong_and_checks_everything(world: World) -> None:
    assert world.diagnosis.pop("expected"), "who may get past the approver"
    assert world.diagnosis == {"findings": [], "not_checked": [], "errors": 0}


def test_no_request_goes_to_organizations(world: World) -> None:
    """Neither the kit's roles nor the people, not even to take a project down: there is none to have left."""
    entries = read_requests(world.story.folder / "requests.jsonl")
    assert [entry for entry in entries if entry["service"] == "organizations"] == []
    actions = {g.action for h in world.roles for g in h.granted}
    assert {action for action in actions if action.startswith("organizations:")} == set()


def test_nothing_is_refused_in_the_story_and_on_the_day_after(world: World) -> None:
    assert read_refusals(world.story.folder / "requests.jsonl") == []


def test_nothing_is_granted_without_use_or_reason(world: World) -> None:
    assert [(h.name, g.statement, g.action) for h in world.roles for g in h.unreasoned] == []


def test_every_reason_of_template_21_holds(world: World) -> None:
    """The day after uses what is marked Later; no request uses what is marked Not rehearsed."""
    grants = list(world.granted())
    assert {role for role, _, _ in grants} == set(PARTS)
    reasoned = [(role, g.statement, g.action, g.reason, used) for role, g, used in grants if g.reason]
    assert [one for one in reasoned if one[3].kind == "Later" and not one[4]] == [], "marked Later"
    whole = {(one[0], one[1]) for one in reasoned if not one[3].actions and not one[4]}  # some of it is never used
    held = [one for one in reasoned if one[3].kind == "Not rehearsed" and one[4] and (one[0], one[1]) not in whole]
    assert held == [], "marked Not rehearsed"


def test_what_rests_on_this_story_is_used_in_it(world: World) -> None:
    check_played(world.roles, __file__)


@pytest.mark.parametrize(("logical_id", "sid"), statements_of(TEMPLATE))
def test_without_any_single_statement_of_template_21_something_is_refused(
    world: World, logical_id: str, sid: str
) -> None:
    if sid == "RunStacks":  # its reason speaks of what else AWS's own cloudformation:* allows
        check_refused(world.recorded, logical_id, sid)
    else:
        check_needed(world.recorded, logical_id, sid, TEMPLATE)


def test_the_page_shows_the_accounts_without_units(world: World) -> None:
    accounts = {(member.id, member.name) for member in world.facts.organization.accounts}  # type: ignore[union-attr]
    assert isinstance(world.facts.organization, Unit)
    assert accounts == {(account, name) for name, account in world.story.setting.accounts.items()}
    assert world.facts.organization.units == ()
    document = page(world.facts)
    for account in world.story.setting.accounts.values():
        assert account in document
    assert sum(name.startswith("endpoint ") for line in world.facts.runs.values() for name in line) == 2


def test_everything_is_taken_down_with_the_roles_of_stack_sets_in_every_account(world: World) -> None:
    """Also a stack set of the kit's that lost its stack, or that was created manually."""
    story = world.story
    cloudformation = story.engineer.client("cloudformation")
    body = {"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}
    cloudformation.create_stack_set(StackSetName="multi-account-deployment-target", TemplateBody=json.dumps(body))
    places = {"Accounts": [story.setting.targets["staging"]], "Regions": [story.region]}
    cloudformation.create_stack_instances(StackSetName="multi-account-deployment-target", **places)
    asked = ("--everything", "--model-group", "--empty-buckets", "--logs", "--yes")
    environment = ("--environment", str(story.environment_path), "--json")
    done = json.loads(story.command(story.engineer, "scripts.teardown", *environment, *asked))
    deleted = [step["name"] for step in done["steps"] if step["kind"] == "stack"]
    assert [step["name"] for step in done["steps"] if step["kind"] == "stack set"] == [
        "multi-account-deployment-target"
    ]
    assert cloudformation.list_stack_sets(Status="ACTIVE")["Summaries"] == []
    for account in story.setting.targets.values():
        assert f"multi-account-deployment-target in {account}, {story.region}" in deleted
    for account in story.setting.accounts.values():
        assert f"multi-account-deployment-stack-sets in {account}, {story.region}" in deleted
        there = story.cloud.root(account, story.region)
        stacks = there.client("cloudformation").list_stacks()["StackSummaries"]
        stays = {*STUDIO} if account == story.setting.data_science else set()  # people's files are in the domain
        assert {stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"} == stays
        roles = [role["RoleName"] for role in there.client("iam").list_roles()["Roles"]]
        assert [name for name in roles if "StackSet" in name or name.startswith("sagemaker-")] == []
    assert ({orphan["name"] for orphan in done["orphans"]}, done["not_looked_at"]) == ({*STUDIO}, {})
    assert not any(step["kind"] == "organization" for step in done["steps"])
