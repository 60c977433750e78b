"""Own tests are code of a deploy repository: what they reach with everything that their build has.

Two projects, iris and the payroll of other people, have their first versions in staging. The attacker's code runs as
the role of own tests, in a build of iris. The pipeline itself runs own tests in test_own_tests_in_the_pipeline.py.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.principals import Principal, service_principal
from localaws.cloud import Session
from scripts.rehearsal import chapters
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support.attacks import LivePolicy, Statement, bucket_policy, check_denied, role_policy, trust_policy
from tests.support.story_steps import set_status

KIT = "AmazonSageMakerServiceCatalogProductsMultiAccount"
OTHER = "payroll"
POLICIES = {"OwnTests": "run-own-tests", "Test": "test-projects", "Build": "build-projects"}
TESTER = "test-the-endpoints"  # the policy of the tester's roles


@dataclass(frozen=True)
class Project:
    name: str
    id: str

    @property
    def tags(self) -> list[dict[str, str]]:
        return tags(self.name, self.id)

    @property
    def endpoint(self) -> str:
        return f"{self.name}-{self.id}-staging"

    @property
    def bucket(self) -> str:
        return f"sagemaker-project-{self.id}"

    @property
    def pipeline(self) -> str:
        return f"sagemaker-{self.name}-{self.id}-deploy"


def tags(name: str, id: str) -> list[dict[str, str]]:
    return [{"Key": "sagemaker:project-name", "Value": name}, {"Key": "sagemaker:project-id", "Value": id}]


@dataclass
class World:
    story: Story
    own: Project
    other: Project

    def root(self, stage: str = "") -> Session:
        """The root of a stage's account, or of the data science account."""
        setting = self.story.setting
        return self.story.cloud.root(setting.targets[stage] if stage else setting.data_science, self.story.region)

    def build(self, short: str, kind: str, region: str = "") -> Session:
        """What code in a build of iris holds: the session of the role, as CodeBuild gives it."""
        account = self.story.setting.data_science
        name = f"sagemaker-{self.own.name}-{self.own.id}-{kind}"
        prefix = f"arn:aws:codebuild:{region or self.story.region}:{account}"
        keys = {"codebuild:projectarn": f"{prefix}:project/{name}", "codebuild:buildarn": f"{prefix}:build/{name}:1"}
        by = service_principal("codebuild.amazonaws.com", SourceAccount=account)
        role = f"arn:aws:iam::{account}:role/service-role/{KIT}{short}Role"
        return self.story.cloud.assume_role(role, "AWSCodeBuild-1", by, self.story.region, keys=keys)

    @property
    def attacker(self) -> Session:
        return self.build("OwnTests", "own-tests")

    def policy(self, short: str) -> LivePolicy:
        return role_policy(self.root(), f"{KIT}{short}Role", POLICIES[short])

    def tester_arn(self, stage: str) -> str:
        return f"arn:aws:iam::{self.story.setting.targets[stage]}:role/sagemaker-role-{stage}-tester"

    def enter(self, by: Session, session_tags: list[dict[str, str]], stage: str = "staging", **more: Any) -> Session:
        """The tester's session that by gets."""
        arn = self.tester_arn(stage)
        if session_tags:
            more["Tags"] = session_tags
        keys = by.client("sts").assume_role(RoleArn=arn, RoleSessionName="mine", **more)["Credentials"]
        found = self.story.cloud.credentials(keys["AccessKeyId"])
        assert found is not None
        assert isinstance(found.principal, Principal)
        return Session(self.story.cloud, found, self.story.region)

    def tester_policy(self) -> LivePolicy:
        return role_policy(self.root("staging"), "sagemaker-role-staging-tester", TESTER)


@contextlib.contextmanager
def granting(policy: LivePolicy, *actions: str) -> Iterator[None]:
    """The policy with one more statement, which allows the actions everywhere."""
    before = policy.read()
    document = json.loads(before)
    document["Statement"].append({"Sid": "More", "Effect": "Allow", "Action": list(actions), "Resource": "*"})
    policy.write(json.dumps(document))
    try:
        yield
    finally:
        policy.write(before)


def open_condition(statement: Statement) -> Statement:
    return {key: value for key, value in statement.items() if key != "Condition"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("own-tests")
    with embedded_aws(folder) as cloud:
        story = Story(cloud, folder)
        play(story, until="staging")
        own, version = Project(story.project_name, story.project_id), story.model_package_arn
        first = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=version)
        story.project_name, story.project_id = OTHER, chapters.create_project(story, OTHER)
        story.until("the first execution", lambda: next(iter(story.executions()), None))
        story.until("its end", lambda: story.executions()[0]["status"] == "Succeeded")
        made = story.scientist.client("sagemaker").create_model_package(
            ModelPackageGroupName=OTHER,
            InferenceSpecification=first["InferenceSpecification"],
            ModelApprovalStatus="PendingManualApproval",
        )
        story.model_package_arn = made["ModelPackageArn"]
        assert set_status(story, 1, "Approved")
        assert story.wait_for_stage("DeployStaging") == "Succeeded"
        yield World(story, own, Project(OTHER, story.project_id))
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def ask(session: Session, endpoint: str) -> Callable[[], Any]:
    return lambda: session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2"
    )


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
    with world.tester_policy().changed("AskEndpointsWithCapitals", open_condition):
        assert act()


def test_an_endpoint_is_also_known_by_its_tags(world: World) -> None:
    tester = world.enter(world.attacker, world.own.tags)
    with world.tester_policy().without("AskEndpoints"):
        assert ask(tester, world.own.endpoint)()
        check_denied(ask(tester, world.other.endpoint), "AskEndpointsWithCapitals")


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
            granting(world.tester_policy(), "sagemaker:*"),
            pytest.raises(ClientError, match="Could not find endpoint configuration"),
        ):
            acts[action]()


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
    """Another project's artifact, and the evidence of one's own."""
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


# -- the other builds, should their code ever be someone else's --------------------------------


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
