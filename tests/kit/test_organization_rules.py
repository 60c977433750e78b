"""Boundary, role path and tags: what the environment file says reaches everything that the kit creates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from scripts.kit.publish import by_hand, catalog, tag_options
from scripts.kit.publish.tag_options import FoundOptions
from scripts.kit.settings import reading
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import data_science, organization_rules, target_roles
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.target_roles import TargetStage
from scripts.kit.stages import Stage
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed
from tests.support import EXAMPLE_SETTINGS
from tests.support import organization_rules as rules

RULED = EXAMPLE_SETTINGS.replace("  publishers:", f"{rules.SETTINGS}  publishers:", 1) + "tags: {cost-center: '1234'}\n"
OUTPUTS = dict.fromkeys(target_roles.NEEDED, "")


@pytest.fixture(scope="module")
def ruled() -> Settings:
    return reading.parse(RULED, "environment.yaml")


def every_stack(settings: Settings) -> Iterator[stacks.WantedStack]:
    yield data_science.models(settings, dict.fromkeys(Stage, "o/r/ou/*"))
    yield data_science.shared(settings)
    yield data_science.roles(settings, dict.fromkeys(Stage, ""))
    yield data_science.people(settings, "", dict.fromkeys(Stage, ""))
    yield target_roles.target_stack(settings, TargetStage(Stage.STAGING, "staging", "", ()), "2" * 12, OUTPUTS)
    yield target_roles.self_managed_stack(settings, "2" * 12)


# -- the environment file ----------------------------------------------------------------------


def test_without_settings_nothing_is_bounded_tagged_or_moved() -> None:
    settings = reading.parse(EXAMPLE_SETTINGS, "environment.yaml")
    assert (settings.roles.permissions_boundary, settings.roles.path, settings.tags) == ("", "/", {})


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("roles: {permissions_boundary: 'arn:aws:iam::111111111111:policy/B'}", "roles.permissions_boundary: "),
        ("roles: {path: ml}", "roles.path: 'ml' is not a path that begins and ends with a slash"),
        ("roles: {path: //}", "roles.path: "),
        ("tags: {aws:cost: '1'}", "tags.aws:cost: is no key of a tag: 'aws:cost' is not 1 to 128 letters"),
        ("tags: {SageMaker:project-id: x}", "tags.SageMaker:project-id: is no key of a tag: "),
        ("tags: {'a=b': x}", "tags.a=b: is no key of a tag: "),
        ("tags: {'a,b': x}", "tags.a,b: is no key of a tag: "),
        ("tags: {' a': x}", "tags. a: is no key of a tag: "),
        ("tags: {cost-center: 1234}", "tags.cost-center: YAML reads 1234 as a number"),
        ("tags: {team: ''}", "tags.team: '' is not 1 to 256 letters"),
        ("tags: {team: 'a,b'}", "tags.team: 'a,b' is not 1 to 256 letters"),
        ("tags: [team]", "tags: must hold keys of its own"),
        ("tags: {" + ", ".join(f"k{n}: v" for n in range(16)) + "}", "tags: has 16 tags, and there is room for 15"),
    ],
)
def test_a_setting_that_aws_would_refuse_is_refused(line: str, complaint: str) -> None:
    text = f"{EXAMPLE_SETTINGS}{line}\n"
    if line.startswith("roles"):
        key, value = line.removeprefix("roles: {").removesuffix("}").split(": ", 1)
        text = EXAMPLE_SETTINGS.replace("  publishers:", f"  {key}: {value}\n  publishers:", 1)
    with pytest.raises(UserError) as refused:
        reading.parse(text, "environment.yaml")
    assert complaint in str(refused.value)


# -- what is asked of AWS ----------------------------------------------------------------------


def test_every_stack_hands_boundary_and_path_to_the_template_that_has_them(ruled: Settings) -> None:
    for want in every_stack(ruled):
        declared = pack.product_parameters(replace_product(want.body))
        for name, value in (("BoundaryName", rules.BOUNDARY), ("RolePath", rules.PATH)):
            assert want.parameters.get(name) == (value if name in declared else None), (want.file, name)
        assert {"Key": "cost-center", "Value": "1234"} in want.tag_list
        assert {"Key": "multi-account-sagemaker", "Value": "accounts"} in want.tag_list


def replace_product(body: str) -> pack.Bundle:
    """A bundle whose product is this template, to read its parameters."""
    bundle = pack.pack(pack.read_tree(pack.ROOT))
    return replace(bundle, files={**bundle.files, pack.PRODUCT: body.encode()})


def test_the_builds_may_tag_model_groups_with_the_organizations_keys(ruled: Settings) -> None:
    want = data_science.roles(ruled, dict.fromkeys(Stage, ""))
    assert (
        want.parameters["TagKeys"] == "sagemaker:project-id,sagemaker:project-name,multi-account-sagemaker,cost-center"
    )


def test_a_tag_that_differs_is_a_change_and_one_of_another_owner_is_none(ruled: Settings) -> None:
    want = data_science.shared(ruled)
    same = dict(want.parameters)
    assert stacks.changes(want, want.body, same, {"cost-center": "1234", "made-by": "hand"}) == []
    assert stacks.changes(want, want.body, same, {"cost-center": "99"}) == ["tag cost-center"]


def test_a_tag_option_takes_the_place_of_another_value_of_its_key() -> None:
    there = FoundOptions({("a", "2"): "tag-2"}, {("a", "1"): "tag-1", ("b", "1"): "tag-3", ("c", "1"): "tag-4"})
    steps = tag_options.plan({"a": "2", "b": "1", "d": "1"}, there)
    assert [(step.action, step.name) for step in steps] == [("change", "a=2"), ("keep", "b=1"), ("create", "d=1")]
    assert steps[0].detail == "in place of 1"
    assert steps[0].request == {"tag": ("a", "2"), "id": "tag-2", "attach": True, "detach": ["tag-1"]}


def test_publishing_by_hand_says_which_tag_options_the_product_needs(ruled: Settings) -> None:
    want = catalog.wanted(ruled, pack.pack(pack.read_tree(pack.ROOT)), "1" * 12, "us-east-1", "aws")
    assert [form.fields for form in by_hand.steps(want) if form.id == "tag-options"] == [(("cost-center", "1234"),)]
    assert not [form for form in by_hand.steps(replace(want, tags={})) if form.id == "tag-options"]


def test_a_stage_that_is_there_at_another_path_is_refused_unless_its_suffix_changes(ruled: Settings) -> None:
    with pytest.raises(
        UserError, match=r"roles\.path is /ml/, but the roles sagemaker-role-prod of production are at /"
    ):
        organization_rules.refuse_move(ruled, Stage.PROD, {"SageMakerRoleSuffix": "prod"})
    organization_rules.refuse_move(ruled, Stage.PROD, {"SageMakerRoleSuffix": "old"})
    organization_rules.refuse_move(ruled, Stage.PROD, {"SageMakerRoleSuffix": "prod", "RolePath": "/ml/"})
    organization_rules.refuse_move(ruled, Stage.PROD, {})


def test_the_command_for_an_account_that_cannot_be_entered_carries_the_tags(ruled: Settings) -> None:
    stage = TargetStage(Stage.STAGING, "staging", "", ())
    want = target_roles.target_stack(ruled, stage, "2" * 12, OUTPUTS)
    alone = replace(ruled, accounts=replace(ruled.accounts, management=""))
    command = target_roles.waiting(want, alone, None, UserError("closed")).step.command  # type: ignore[arg-type]
    assert " BoundaryName=ml/Boundary RolePath=/ml/ --tags cost-center=1234" in command


# -- on the embedded AWS -----------------------------------------------------------------------


def writes(story: Story) -> list[dict[str, Any]]:
    """The requests of CloudFormation that change something."""
    lines = (story.cloud.folder / "requests.jsonl").read_text().splitlines()
    listed = [json.loads(line) for line in lines]
    return [r for r in listed if r["service"] == "cloudformation" and r["operation"].startswith(("Create", "Update"))]


def test_a_boundary_that_is_missing_is_refused_before_anything_is_created(tmp_path: Path) -> None:
    with embedded_aws(tmp_path) as cloud:
        story, _ = rules.begin(cloud, tmp_path)
        arn = f"arn:aws:iam::{story.setting.data_science}:policy/{rules.BOUNDARY}"
        cloud.root(story.setting.data_science, story.region).client("iam").delete_policy(PolicyArn=arn)
        with pytest.raises(StoryFailed) as failed:
            rules.accounts(story, "--invite")
        text = f"{failed.value}{failed.value.log}"
        assert "the policy ml/Boundary (roles.permissions_boundary) does not exist in account 111111111111" in text
        assert writes(story) == []


def test_tags_and_paths_change_as_far_as_aws_lets_them(tmp_path: Path) -> None:
    with embedded_aws(tmp_path) as cloud:
        story, _ = rules.begin(cloud, tmp_path)
        rules.set_up(story)
        chapters.publishing(story)
        text = story.environment_path.read_text()

        story.environment_path.write_text(text.replace("path: /ml/", "path: /other/"))
        assert (before := len(writes(story)))
        with pytest.raises(StoryFailed) as failed:
            rules.accounts(story)
        assert "no role's path can change" in f"{failed.value}{failed.value.log}"
        assert len(writes(story)) == before

        moved = text.replace("path: /ml/", "path: /other/").replace("staging: staging", "staging: stagingb")
        story.environment_path.write_text(moved.replace("production: prod\n", "production: prodb\n"))
        rules.accounts(story)
        iam = cloud.root(story.setting.targets["staging"], story.region).client("iam")
        assert iam.get_role(RoleName="sagemaker-role-stagingb-tester")["Role"]["Path"] == "/other/"

        changed = story.environment_path.read_text().replace("cost-center: '1234'", "cost-center: '1234'\n  team: ml")
        story.environment_path.write_text(changed)
        rules.accounts(story)
        publish(story)
        assert tags_of(iam.get_role(RoleName="sagemaker-role-stagingb")["Role"]["Tags"])["team"] == "ml"
        assert product(story)["options"] == {**rules.TAGS, "team": "ml"}

        story.environment_path.write_text(changed.replace("team: ml", "team: data"))
        publish(story)
        assert product(story)["options"]["team"] == product(story)["tags"]["team"] == "data"

        manager = people.sign_in(cloud, story.setting.management, people.ENGINEER, story.region)
        iam_home = cloud.root(story.setting.data_science, story.region).client("iam")
        iam_home.detach_role_policy(
            RoleName=people.APPROVER,
            PolicyArn=f"arn:aws:iam::{story.setting.data_science}:policy/{people.APPROVER_POLICY}",
        )
        story.command(
            manager, "scripts.teardown", "--everything", "--yes", "--environment", str(story.environment_path)
        )
        assert story.engineer.client("servicecatalog").list_portfolios()["PortfolioDetails"] == []


def test_without_an_organization_the_roles_follow_the_path_too(tmp_path: Path) -> None:
    """Its stack sets' roles have AWS's own names and no path; they pass the model's role, which has one."""
    with embedded_aws(tmp_path) as cloud:
        story = rules.organized(Story(cloud, tmp_path, administrator="self-managed"))
        for chapter in ("permissions", "publishing", "project", "training", "model-approval", "staging"):
            chapters.CHAPTERS[chapter][1](story)
        account = story.setting.targets["staging"]
        iam = cloud.root(account, story.region).client("iam")
        for name, path in (
            ("AWSCloudFormationStackSetExecutionRole", "/"),
            ("sagemaker-role-staging", rules.PATH),
            ("sagemaker-role-staging-tester", rules.PATH),
        ):
            role = iam.get_role(RoleName=name)["Role"]
            boundary = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
            assert (role["Path"], boundary) == (path, f"arn:aws:iam::{account}:policy/{rules.BOUNDARY}")
            assert tags_of(role["Tags"]).items() >= rules.TAGS.items()
        options = ("--environment", str(story.environment_path), "--bundle", str(story.folder / "bundle"), "--json")
        found = json.loads(story.command(story.engineer, "scripts.doctor", *options))["findings"]
        assert [one["id"] for one in found if one["severity"] == "error" or one["id"] == "role-unbound"] == []
        endpoint = f"{story.project_name}-{story.project_id}-staging"
        sagemaker = cloud.root(account, story.region).client("sagemaker")
        arn = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
        assert tags_of(sagemaker.list_tags(ResourceArn=arn)["Tags"]).items() >= rules.TAGS.items()


def publish(story: Story) -> None:
    bundle = str(story.folder / "bundle")
    environment = str(story.environment_path)
    story.command(story.engineer, "scripts.publish", "--environment", environment, "--bundle", bundle)


def product(story: Story) -> dict[str, dict[str, str]]:
    servicecatalog = story.engineer.client("servicecatalog")
    shown = servicecatalog.describe_product_as_admin(Name="Multi Account Deployment")
    return {"options": tags_of(shown["TagOptions"]), "tags": tags_of(shown["Tags"])}


def tags_of(listed: list[dict[str, Any]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}
