"""Own tests are code of a deploy repository: what they reach with everything that their build has.

Two projects, iris and the payroll of other people, have their first versions in staging. The attacker's code runs as
the role of own tests, in a build of iris. The pipeline itself runs own tests in test_own_tests_in_the_pipeline.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session
from tests.support.attacks import Statement, bucket_policy, check_denied, trust_policy
from tests.support.two_projects import OTHER, World, ask, granting, open_condition, tags, two_projects


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with two_projects(tmp_path_factory.mktemp("own-tests")) as made:
        yield made


# -- becoming the tester's role ----------------------------------------------------------------


def test_own_tests_ask_their_own_endpoint_in_staging(world: World) -> None:
    tester = world.enter(world.attacker, world.own.tags)
    assert ask(tester, world.own.endpoint)()["Body"].read()
    assert tester.client("sagemaker").describe_endpoint(EndpointName=world.own.endpoint)


def test_own_tests_that_enter_productions_tester_are_refused(world: World) -> None:
    def enter() -> Any:
        return world.enter(world.attacker, world.own.tags, "prod", ExternalId="rehearsal-tester")

    check_denied(enter, "no role trust policy allows")
    trust = trust_policy(world.root("prod"), "sagemaker-role-prod-tester")
    role = world.attacker.principal.role_arn

    def trusting(statement: Statement) -> Statement:
        return {**open_condition(statement), "Principal": {"AWS": role}, "Action": ["sts:AssumeRole", "sts:TagSession"]}

    with trust.changed("PipelineTestsEndpoints", trusting):
        assert enter()


def test_own_tests_that_name_another_project_are_refused(world: World) -> None:
    check_denied(lambda: world.enter(world.attacker, world.other.tags), "BecomeTesterOfStaging")
    with world.policy("OwnTests").changed("BecomeTesterOfStaging", open_condition):
        tester = world.enter(world.attacker, world.other.tags)
        assert ask(tester, world.other.endpoint)()


def test_own_tests_that_cut_the_projects_name_elsewhere_reach_no_more(world: World) -> None:
    head, _, tail = world.own.id.partition("-")
    tester = world.enter(world.attacker, tags(f"{world.own.name}-{head}", tail))  # the same name when put together
    assert ask(tester, world.own.endpoint)()
    check_denied(ask(tester, world.other.endpoint), "AskEndpoints")
    config = tester.client("sagemaker").describe_endpoint(EndpointName=world.own.endpoint)["EndpointConfigName"]
    check_denied(
        lambda: tester.client("sagemaker").describe_endpoint_config(EndpointConfigName=config), "SeeWhichModelRuns"
    )


@pytest.mark.parametrize("given", [[], [0], [1]], ids=["none", "name", "id"])
def test_own_tests_that_leave_tags_out_are_refused_twice(world: World, given: list[int]) -> None:
    some = [world.own.tags[number] for number in given]
    check_denied(lambda: world.enter(world.attacker, some), "OwnTestsAskEndpoints")
    trust = trust_policy(world.root("staging"), "sagemaker-role-staging-tester")
    with trust.changed("OwnTestsAskEndpoints", open_condition):
        check_denied(lambda: world.enter(world.attacker, some), "BecomeTesterOfStaging")
        with world.policy("OwnTests").changed("BecomeTesterOfStaging", open_condition):
            tester = world.enter(world.attacker, some)
            check_denied(ask(tester, world.own.endpoint), "AskEndpoints")  # nothing fits a name without a value


@pytest.mark.parametrize("name", ["*", "iris*", "${aws:PrincipalTag/sagemaker:project-id}"])
def test_own_tests_that_name_a_pattern_are_refused_twice(world: World, name: str) -> None:
    """The value of a variable is no pattern, and no session has a tag with such characters (STS, AssumeRole)."""
    check_denied(lambda: world.enter(world.attacker, tags(name, world.own.id)), "BecomeTesterOfStaging")
    with (
        world.policy("OwnTests").changed("BecomeTesterOfStaging", open_condition),
        pytest.raises(ClientError, match="Member must satisfy regular expression pattern"),
    ):
        world.enter(world.attacker, tags(name, world.own.id))


def test_own_tests_that_add_a_tag_are_refused_by_the_target(world: World) -> None:
    more = [*world.own.tags, {"Key": "department", "Value": "finance"}]
    check_denied(lambda: world.enter(world.attacker, more), "OwnTestsAskEndpoints")
    trust = trust_policy(world.root("staging"), "sagemaker-role-staging-tester")
    with trust.changed("OwnTestsAskEndpoints", open_condition):
        assert world.enter(world.attacker, more)


def test_own_tests_that_name_their_session_as_the_pipelines_test_does_are_refused(world: World) -> None:
    name = f"test-{world.own.id}-staging"
    check_denied(lambda: world.enter(world.attacker, world.own.tags, RoleSessionName=name), "OwnTestsAskEndpoints")
    trust = trust_policy(world.root("staging"), "sagemaker-role-staging-tester")
    with trust.changed("OwnTestsAskEndpoints", open_condition):
        assert world.enter(world.attacker, world.own.tags, RoleSessionName=name)


@pytest.mark.parametrize(("kind", "region"), [("test", ""), ("own-tests", "eu-west-1"), ("mine-own-tests", "")])
def test_a_build_project_of_another_name_or_region_is_refused(world: World, kind: str, region: str) -> None:
    session = world.build("OwnTests", kind, region)
    check_denied(lambda: world.enter(session, world.own.tags), "BecomeTesterOfStaging")
    with world.policy("OwnTests").changed("BecomeTesterOfStaging", open_condition):
        assert world.enter(session, world.own.tags)


# -- with the tester's role --------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["invoke", "describe"])
def test_own_tests_that_reach_for_another_projects_endpoint_are_refused(world: World, operation: str) -> None:
    tester, name = world.enter(world.attacker, world.own.tags), world.other.endpoint
    act = ask(tester, name)
    if operation == "describe":
        act = lambda: tester.client("sagemaker").describe_endpoint(EndpointName=name)  # noqa: E731 - as the other one
    check_denied(act, "AskEndpoints")
    with world.tester_policy().changed("AskEndpoints", lambda one: {**one, "Resource": "*"}):
        assert act()


def test_an_endpoint_of_a_project_with_capital_letters_is_known_by_its_tags(world: World) -> None:
    """Whatever the case of the ARN that AWS asks for: the statement about names is taken away."""
    sagemaker, name = world.root("staging").client("sagemaker"), "Iris-multi-01"
    shown = sagemaker.describe_endpoint(EndpointName=world.own.endpoint)
    with world.policy("OwnTests").changed("BecomeTesterOfStaging", open_condition):
        small, tester = (world.enter(world.attacker, tags(each, world.own.id)) for each in (world.own.name, name))
    with world.tester_policy().without("AskEndpoints"):
        check_denied(ask(tester, world.own.endpoint), "AskEndpointsWithCapitals")  # its tag is another name
        sagemaker.add_tags(ResourceArn=shown["EndpointArn"], Tags=tags(name, world.own.id))
        assert ask(tester, world.own.endpoint)()
        check_denied(ask(tester, world.other.endpoint), "AskEndpointsWithCapitals")
        sagemaker.add_tags(ResourceArn=shown["EndpointArn"], Tags=world.own.tags)
        check_denied(ask(small, world.own.endpoint), "AskEndpointsWithCapitals")  # it has the names for that
        with world.tester_policy().changed("AskEndpointsWithCapitals", open_condition):
            assert ask(small, world.other.endpoint)()


@pytest.mark.parametrize("kind", ["config", "model"])
def test_own_tests_that_look_at_what_another_project_runs_are_refused(world: World, kind: str) -> None:
    sagemaker = world.root("staging").client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=world.other.endpoint)["EndpointConfigName"]
    shown = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    model = shown["ProductionVariants"][0]["ModelName"]
    tester = world.enter(world.attacker, world.own.tags).client("sagemaker")

    def look() -> Any:
        if kind == "config":
            return tester.describe_endpoint_config(EndpointConfigName=config)
        return tester.describe_model(ModelName=model)

    check_denied(look, "SeeWhichModelRuns")
    with world.tester_policy().changed("SeeWhichModelRuns", open_condition):
        assert look()


@pytest.mark.parametrize("action", ["DeleteEndpoint", "UpdateEndpoint", "CreateModel"])
def test_own_tests_that_change_what_is_deployed_are_refused(world: World, action: str) -> None:
    sagemaker = world.enter(world.attacker, world.own.tags).client("sagemaker")
    acts: dict[str, Callable[[], Any]] = {
        "DeleteEndpoint": lambda: sagemaker.delete_endpoint(EndpointName=world.own.endpoint),
        "UpdateEndpoint": lambda: sagemaker.update_endpoint(EndpointName=world.own.endpoint, EndpointConfigName="mine"),
        "CreateModel": lambda: sagemaker.create_model(ModelName="mine", ExecutionRoleArn=world.tester_arn("staging")),
    }
    check_denied(acts[action], f"sagemaker:{action}")
    if action == "UpdateEndpoint":  # it is then refused for what it asks for, and for no want of rights
        with (
            world.tester_policy().without("OwnTestsAskEndpointsAlone"),
            granting(world.tester_policy(), "sagemaker:*"),
            pytest.raises(ClientError, match="Could not find endpoint configuration"),
        ):
            acts[action]()


@pytest.mark.parametrize("action", ["s3:PutObject", "states:StartExecution", "sagemaker:InvokeEndpointAsync"])
def test_own_tests_that_exchange_what_the_pipelines_test_sends_and_reads_are_refused(world: World, action: str) -> None:
    """Its requests and answers of an asynchronous or batch stage, with what the tester's role may besides."""
    tester, name = world.enter(world.attacker, world.own.tags), world.own.endpoint
    bucket, s3 = "endpoint-data-of-staging", world.root("staging").client("s3")
    s3.create_bucket(Bucket=bucket)
    acts: dict[str, Callable[[], Any]] = {
        "s3:PutObject": lambda: tester.client("s3").put_object(
            Bucket=bucket, Key=f"batch/{name}/answers/tests/1/0.out", Body=b"9.0"
        ),
        "states:StartExecution": lambda: tester.client("stepfunctions").start_execution(
            stateMachineArn=f"arn:aws:states:{world.story.region}:{tester.account}:stateMachine:{name}", input="{}"
        ),
        "sagemaker:InvokeEndpointAsync": lambda: tester.client("sagemaker-runtime").invoke_endpoint_async(
            EndpointName=name, InputLocation=f"s3://{bucket}/asynchronous/{name}/requests/1"
        ),
    }
    with granting(world.tester_policy(), action):
        check_denied(acts[action], "OwnTestsAskEndpointsAlone")
        with world.tester_policy().without("OwnTestsAskEndpointsAlone"):
            if action == "s3:PutObject":
                assert acts[action]()
            else:  # this endpoint is neither: refused for what it is, and for no want of rights
                with pytest.raises(ClientError, match=r"does not exist|DoesNotExist|not asynchronous"):
                    acts[action]()
    s3.delete_object(Bucket=bucket, Key=f"batch/{name}/answers/tests/1/0.out")
    s3.delete_bucket(Bucket=bucket)


# -- with the build's own role -----------------------------------------------------------------


@pytest.mark.parametrize("key", ["sagemaker-iris/BuildOutpu/1", "evidence/1.html", "record/decisions/1/1.json"])
def test_own_tests_that_write_into_the_artifacts_are_refused_twice(world: World, key: str) -> None:
    def write() -> Any:
        return world.attacker.client("s3").put_object(Bucket=world.own.bucket, Key=key, Body=b"mine")

    check_denied(write, "s3:PutObject")
    with granting(world.policy("OwnTests"), "s3:PutObject"):
        check_denied(write, "OnlyThePipelineWrites")
        if key.startswith("sagemaker-"):  # of the others, further statements say who writes
            with bucket_policy(world.root(), world.own.bucket).without("OnlyThePipelineWrites"):
                assert write()


@pytest.mark.parametrize("which", ["artifact", "evidence"])
def test_own_tests_that_read_what_is_not_their_input_are_refused(world: World, which: str) -> None:
    """Another project's artifact, and the evidence of its own."""
    bucket = world.other.bucket if which == "artifact" else world.own.bucket
    listed = world.root().client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    wanted = "/BuildOut" if which == "artifact" else "evidence/"
    key = next(one["Key"] for one in listed if wanted in one["Key"])

    def read() -> Any:
        return world.attacker.client("s3").get_object(Bucket=bucket, Key=key)

    if which == "artifact":
        check_denied(read, "OnlyOwnBuilds")
        with bucket_policy(world.root(), bucket).without("OnlyOwnBuilds"):
            assert read()
    else:
        check_denied(read, "ReadInput")
        with world.policy("OwnTests").changed("ReadInput", lambda one: {**one, "Resource": "arn:aws:s3:::*"}):
            assert read()


def test_own_tests_read_their_input(world: World) -> None:
    listed = world.root().client("s3").list_objects_v2(Bucket=world.own.bucket)["Contents"]
    for part in ("/BuildOut", "/KitOutpu", "/SourceOu"):
        key = next(one["Key"] for one in listed if part in one["Key"])
        assert world.attacker.client("s3").get_object(Bucket=world.own.bucket, Key=key)


ACTIONS: dict[str, Callable[[World, Session], Any]] = {
    "codepipeline:StartPipelineExecution": lambda world, by: by.client("codepipeline").start_pipeline_execution(
        name=world.own.pipeline
    ),
    "codepipeline:PutApprovalResult": lambda world, by: by.client("codepipeline").put_approval_result(
        pipelineName=world.own.pipeline,
        stageName="ApproveDeployment",
        actionName="ApproveDeployment",
        result={"summary": "mine", "status": "Approved"},
        token="11111111-1111-1111-1111-111111111111",
    ),
    "codebuild:StartBuild": lambda world, by: by.client("codebuild").start_build(
        projectName=world.own.pipeline.replace("-deploy", "-build"), sourceTypeOverride="NO_SOURCE",
        artifactsOverride={"type": "NO_ARTIFACTS"}, buildspecOverride="version: 0.2\nphases: {build: {commands: [id]}}",
    ),
    "sagemaker:UpdateModelPackage": lambda world, by: by.client("sagemaker").update_model_package(
        ModelPackageArn=f"arn:aws:sagemaker:{world.story.region}:{by.account}:model-package/{OTHER}/1",
        ApprovalDescription="mine",
    ),
    "sagemaker:PutModelPackageGroupPolicy": lambda world, by: by.client("sagemaker").put_model_package_group_policy(
        ModelPackageGroupName=world.own.name,
        ResourcePolicy=world.root().client("sagemaker").get_model_package_group_policy(
            ModelPackageGroupName=world.own.name
        )["ResourcePolicy"],
    ),
    "ssm:GetParameters": lambda world, by: by.client("ssm").get_parameters(
        Names=["/sagemaker-multi-account/tester-external-id"]
    ),
    "sns:Publish": lambda world, by: by.client("sns").publish(
        TopicArn=f"arn:aws:sns:{world.story.region}:{by.account}:sagemaker-multi-account-approvals", Message="mine"
    ),
    "iam:CreateUser": lambda world, by: by.client("iam").create_user(UserName="mine"),
}  # fmt: skip


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_own_tests_that_take_part_in_the_pipeline_are_refused(world: World, action: str) -> None:
    def act() -> Any:
        return ACTIONS[action](world, world.attacker)

    check_denied(act, action)
    with granting(world.policy("OwnTests"), action):
        if action == "sns:Publish":
            check_denied(act, "OnlyPipelinesAsk")  # of the topic's policy
        elif action == "codepipeline:PutApprovalResult":
            with pytest.raises(ClientError, match=r"(?i)token|approval"):  # no approval has that token
                act()
        else:
            assert act()
