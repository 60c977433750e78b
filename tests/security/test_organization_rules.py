"""The whole story in an organization that refuses roles without its boundary, and resources without its tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed
from tests.support import organization_rules as rules
from tests.support.attacks import LivePolicy, check_denied
from tests.support.organization_rules import BOUNDARY, PATH, TAG_LIST, TAGS

PREFIX = "AmazonSageMakerServiceCatalogProductsMultiAccount"
TRUST = people.trust(Service="sagemaker.amazonaws.com")


@dataclass
class Ruled:
    """A deployed project under the organization's rules."""

    cloud: Cloud
    story: Story
    control: LivePolicy

    def client(self, service: str, account: str = "") -> Any:
        return self.cloud.root(account or self.story.setting.data_science, self.story.region).client(service)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruled]:
    folder = tmp_path_factory.mktemp("rules")
    with embedded_aws(folder) as cloud:
        story, control = rules.begin(cloud, folder)
        rules.set_up(story)
        chapters.publishing(story)
        rules.project(story)
        rules.deploy(story)
        yield Ruled(cloud, story, control)


def kit_roles(ruled: Ruled, account: str) -> list[dict[str, Any]]:
    iam = ruled.client("iam", account)
    pages = iam.get_paginator("list_roles").paginate()
    names = [role["RoleName"] for page in pages for role in page["Roles"]]
    ours = [name for name in names if name.startswith((PREFIX, "sagemaker-role-"))]
    return [iam.get_role(RoleName=name)["Role"] for name in ours]


def test_every_role_of_the_kit_has_the_boundary_and_the_tags(ruled: Ruled) -> None:
    setting = ruled.story.setting
    for account, number in ((setting.data_science, 7), *((target, 2) for target in setting.targets.values())):
        roles = kit_roles(ruled, account)
        assert len(roles) >= number
        for role in roles:
            arn = f"arn:aws:iam::{account}:policy/{BOUNDARY}"
            assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn, role["RoleName"]
            assert as_tags(role["Tags"]).items() >= TAGS.items(), role["RoleName"]
            assert role["Path"] == ("/service-role/" if role["RoleName"].startswith(PREFIX) else PATH)


def as_tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def test_what_a_project_is_made_of_has_the_tags(ruled: Ruled) -> None:
    story, account = ruled.story, ruled.story.setting.data_science
    prefix = f"sagemaker-{story.project_name}-{story.project_id}"
    sagemaker, pipelines = ruled.client("sagemaker"), ruled.client("codepipeline")
    group = sagemaker.describe_model_package_group(ModelPackageGroupName=story.project_name)["ModelPackageGroupArn"]
    build = ruled.client("codebuild").batch_get_projects(names=[f"{prefix}-build"])["projects"][0]
    pipeline = pipelines.list_tags_for_resource(
        resourceArn=f"arn:aws:codepipeline:{story.region}:{account}:{story.pipeline_name}"
    )
    found = {
        "bucket": ruled.client("s3").get_bucket_tagging(Bucket=f"sagemaker-project-{story.project_id}")["TagSet"],
        "build": [{"Key": tag["key"], "Value": tag["value"]} for tag in build["tags"]],
        "group": sagemaker.list_tags(ResourceArn=group)["Tags"],
        "pipeline": [{"Key": tag["key"], "Value": tag["value"]} for tag in pipeline["tags"]],
    }
    for stage in ("staging", "prod"):
        stack = ruled.client("cloudformation").describe_stacks(StackName=f"{prefix}-deploy-{stage}")["Stacks"][0]
        found[f"stack of {stage}"] = stack["Tags"]
    for kind, tags in found.items():
        assert as_tags(tags).items() >= TAGS.items(), kind


def test_endpoints_have_the_tags_and_the_projects_own(ruled: Ruled) -> None:
    story = ruled.story
    for stage, account in story.setting.targets.items():
        sagemaker = ruled.client("sagemaker", account)
        endpoint = sagemaker.describe_endpoint(EndpointName=f"{story.project_name}-{story.project_id}-{stage}")
        tags = as_tags(sagemaker.list_tags(ResourceArn=endpoint["EndpointArn"])["Tags"])
        assert tags.items() >= {**TAGS, "sagemaker:project-name": story.project_name}.items()
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        assert model["ExecutionRoleArn"].endswith(f":role{PATH}sagemaker-role-{stage}")


def test_a_second_run_changes_nothing(ruled: Ruled) -> None:
    for module, more in (
        ("scripts.accounts", ()),
        ("scripts.publish", ("--bundle", str(ruled.story.folder / "bundle"))),
    ):
        who = (
            ruled.story.engineer
            if more
            else people.sign_in(ruled.cloud, ruled.story.setting.management, people.ENGINEER, ruled.story.region)
        )
        before = len(requests(ruled))
        ruled.story.command(who, module, "--environment", str(ruled.story.environment_path), *more)
        writes = [
            line
            for line in requests(ruled)[before:]
            if '"operation": "Update' in line or '"operation": "Create' in line
        ]
        assert writes == []


def requests(ruled: Ruled) -> list[str]:
    return (ruled.cloud.folder / "requests.jsonl").read_text().splitlines()


def test_a_project_from_a_template_in_s3_needs_the_tags_of_its_creator(ruled: Ruled) -> None:
    failed = rules.hosted_project(ruled.story, "untagged", [])
    assert failed["ProjectStatus"] == "CreateFailed"
    assert "DemandTag" in str(failed)
    made = rules.hosted_project(ruled.story, "tagged", TAG_LIST)
    assert made["ProjectStatus"] == "CreateCompleted", made
    tags = ruled.client("s3").get_bucket_tagging(Bucket=f"sagemaker-project-{made['ProjectId']}")["TagSet"]
    assert as_tags(tags).items() >= TAGS.items()


# -- what is refused otherwise -----------------------------------------------------------------


def test_a_role_without_the_boundary_is_refused(ruled: Ruled) -> None:
    iam = ruled.client("iam")

    def make(name: str) -> None:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=TAG_LIST)

    check_denied(lambda: make("Unbound"), "DemandBoundary")
    with ruled.control.without("DemandBoundary"):
        make("Unbound")


def test_a_resource_without_a_tag_is_refused(ruled: Ruled) -> None:
    sns = ruled.client("sns")
    check_denied(lambda: sns.create_topic(Name="t", Tags=TAG_LIST[1:]), "DemandTag1")
    with ruled.control.without("DemandTag1"):
        sns.create_topic(Name="t", Tags=TAG_LIST[1:])


def test_the_boundary_limits_what_a_role_of_the_kit_is_given(ruled: Ruled) -> None:
    """Even an administrator's policy, put on the stage role, makes no user there."""
    iam, account = ruled.client("iam"), ruled.story.setting.data_science
    name = f"{PREFIX}StageRole"
    arn = f"arn:aws:iam::{account}:role/service-role/{name}"
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    try:
        role = ruled.cloud.service_role(arn, "attack", "cloudformation.amazonaws.com", ruled.story.region).client("iam")
        check_denied(lambda: role.create_user(UserName="backdoor"), "NoUsers")
        with ruled.control.without("KeepBoundary"):
            iam.delete_role_permissions_boundary(RoleName=name)
        role.create_user(UserName="backdoor")
    finally:
        iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        iam.put_role_permissions_boundary(
            RoleName=name, PermissionsBoundary=f"arn:aws:iam::{account}:policy/{BOUNDARY}"
        )


def test_a_boundary_that_is_taken_out_of_the_settings_stays_on_the_roles(ruled: Ruled) -> None:
    path = ruled.story.environment_path
    before = path.read_text()
    path.write_text(before.replace(f"  permissions_boundary: {BOUNDARY}\n", ""))
    try:
        with pytest.raises(StoryFailed) as failed:
            rules.accounts(ruled.story)
        assert "KeepBoundary" in failed.value.log + str(failed.value)
    finally:
        path.write_text(before)
    assert all("PermissionsBoundary" in role for role in kit_roles(ruled, ruled.story.setting.data_science))


@pytest.mark.parametrize(
    ("left_out", "statement"),
    [(f"  permissions_boundary: {BOUNDARY}\n", "DemandBoundary"), ("  cost-center: '1234'\n", "DemandTag1")],
)
def test_settings_that_leave_a_rule_out_are_refused_at_the_first_stack(
    tmp_path: Path, left_out: str, statement: str
) -> None:
    with embedded_aws(tmp_path) as cloud:
        story, control = rules.begin(cloud, tmp_path)
        text = story.environment_path.read_text()
        assert left_out in text
        story.environment_path.write_text(text.replace(left_out, ""))
        with pytest.raises(StoryFailed) as failed:
            rules.accounts(story, "--invite")
        assert statement in failed.value.log + str(failed.value)
        with control.without(statement):
            rules.accounts(story, "--invite")
