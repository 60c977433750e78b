"""The builds of a project, should their code ever be someone else's: what they reach of another project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.attacks import bucket_policy, check_denied
from tests.support.two_projects import OTHER, World, ask, open_condition, tags, two_projects


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with two_projects(tmp_path_factory.mktemp("builds")) as made:
        yield made


def test_the_test_role_of_a_project_that_enters_another_is_refused(world: World) -> None:
    session, more = world.build("Test", "test"), {"ExternalId": "rehearsal-tester"}
    assert ask(world.enter(session, world.own.tags, **more), world.own.endpoint)()
    check_denied(lambda: world.enter(session, world.other.tags, **more), "BecomeTester")
    check_denied(lambda: world.enter(session, world.own.tags), "PipelineTestsEndpoints")  # without the external id
    with world.policy("Test").changed("BecomeTester", open_condition):
        assert ask(world.enter(session, world.other.tags, **more), world.other.endpoint)()


@pytest.mark.parametrize(("short", "kind"), [("Build", "build"), ("Test", "test")])
def test_a_build_that_reads_the_artifacts_of_another_project_is_refused(world: World, short: str, kind: str) -> None:
    listed = world.root().client("s3").list_objects_v2(Bucket=world.other.bucket)["Contents"]

    def read() -> Any:
        session = world.build(short, kind)
        return session.client("s3").get_object(Bucket=world.other.bucket, Key=listed[0]["Key"])

    check_denied(read, "OnlyOwnBuilds")
    with bucket_policy(world.root(), world.other.bucket).without("OnlyOwnBuilds"):
        assert read()


def test_a_build_that_writes_the_artifacts_of_another_project_is_refused(world: World) -> None:
    def write() -> Any:
        session = world.build("Build", "build")
        return session.client("s3").put_object(Bucket=world.other.bucket, Key="sagemaker-x/BuildOutpu/1", Body=b"mine")

    check_denied(write, "OnlyOwnBuilds")
    with bucket_policy(world.root(), world.other.bucket).without("OnlyOwnBuilds"):
        assert write()


def test_a_build_that_shares_the_model_group_of_another_project_is_refused(world: World) -> None:
    sagemaker = world.build("Build", "build").client("sagemaker")
    policy = sagemaker.get_model_package_group_policy(ModelPackageGroupName=world.own.name)["ResourcePolicy"]

    def share() -> Any:
        return sagemaker.put_model_package_group_policy(ModelPackageGroupName=OTHER, ResourcePolicy=policy)

    check_denied(share, "KeepModelGroup")
    with world.policy("Build").changed("KeepModelGroup", open_condition):
        assert share()


@pytest.mark.parametrize("whose", ["own", "other"])
def test_a_build_that_takes_the_model_group_of_another_project_is_refused(world: World, whose: str) -> None:
    """With the tags of its own project, and with those of the other one."""
    sagemaker = world.build("Build", "build").client("sagemaker")
    group = f"arn:aws:sagemaker:{world.story.region}:{world.story.setting.data_science}:model-package-group/{OTHER}"
    given = world.own.tags if whose == "own" else world.other.tags

    def take() -> Any:
        return sagemaker.add_tags(ResourceArn=group, Tags=given)

    check_denied(take, "MakeModelGroup")
    with world.policy("Build").changed("MakeModelGroup", open_condition):
        assert take()
        world.root().client("sagemaker").add_tags(ResourceArn=group, Tags=world.other.tags)


def test_a_build_that_makes_a_model_group_for_another_project_is_refused(world: World) -> None:
    sagemaker = world.build("Build", "build").client("sagemaker")

    def make() -> Any:
        return sagemaker.create_model_package_group(ModelPackageGroupName="forged", Tags=world.other.tags)

    check_denied(make, "MakeModelGroup")
    with world.policy("Build").changed("MakeModelGroup", open_condition):
        assert make()


def test_a_model_group_of_a_former_project_of_the_same_name_becomes_the_projects(world: World) -> None:
    root, group = world.root().client("sagemaker"), world.own.name
    arn = root.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    root.add_tags(ResourceArn=arn, Tags=tags(group, "p-former"))
    sagemaker = world.build("Build", "build").client("sagemaker")
    assert sagemaker.add_tags(ResourceArn=arn, Tags=world.own.tags)


def test_a_build_that_stops_the_pipeline_of_another_project_is_refused(world: World) -> None:
    codepipeline = world.build("Build", "build").client("codepipeline")

    def stop() -> Any:
        return codepipeline.stop_pipeline_execution(
            pipelineName=world.other.pipeline, pipelineExecutionId=world.story.execution_id, abandon=True
        )

    check_denied(stop, "GoBackAfterRejections")
    with world.policy("Build").changed("GoBackAfterRejections", open_condition):
        assert stop()
