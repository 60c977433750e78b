"""The build on a push runs code of the training repository: what it does, and what it cannot do with all that it has.

One project with builds.on_push, whose repository has a small test in place of the seed code's. The attacker's code runs
as the role of the build, in a build of the project, or in a job that the build started.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from localaws.cloud import Session
from scripts.kit.names import SCIENTIST_POLICY, bundle_bucket
from scripts.rehearsal import on_push
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.permissions import read_requests, uses
from scripts.rehearsal.playing import StoryFailed
from tests.support.attacks import bucket_policy, build_session, check_denied, managed_policy, trust_policy
from tests.support.installation import Installation
from tests.support.played import check_played, holders_of
from tests.support.training_build import EMPTY, POLICY, ROLE, TEST, World, full_pipeline, own, pipeline_of, quiet
from tests.support.two_projects import KIT, granting, open_condition


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("training-build")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        training = {"requirements.txt": "pytest\n", "test_team.py": TEST.format(False)}
        kit = Installation(cloud, folder, patch, to="service-catalog", training=training)
        kit.project("iris")
        yield World(kit)
    assert not cloud.faults, cloud.faults


# -- what a push does --------------------------------------------------------------------------


def test_a_build_whose_test_fails_registers_nothing_and_says_which_command_failed(world: World) -> None:
    """The first one, of the commit that the repository was made with; a rehearsal shows the build's log too."""
    with pytest.raises(StoryFailed, match=r"the build of commit [0-9a-f]{40} ended Failed") as failed:
        on_push.follow(world.story)
    assert "COMMAND_EXECUTION_ERROR Error while executing command: python -m pytest tests" in failed.value.log
    assert "def test_of_the_team" in failed.value.log
    assert ([one["trigger"]["triggerType"] for one in world.executions()], world.versions()) == (["CreatePipeline"], [])


def test_status_says_what_failed_in_the_newest_push(world: World) -> None:
    (found,) = json.loads(world.kit.command("status", "--project", "iris", "--json")[0])["projects"]
    assert (found["training"]["name"], found["training"]["status"]) == ("Train", "Failed")
    assert "command: python -m pytest tests" in found["training"]["why"]
    assert "\nbuild on a push    -        Failed" in world.kit.command("status", "--project", "iris")[0]


def test_a_push_registers_a_version_that_waits_for_approval(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Followed by the chapter of `make rehearse ARGS=--build-on-push`."""
    commit = world.commit(**{"tests/test_team.py": TEST.format(True), "project.toml": full_pipeline(world)})
    on_push.follow(world.story)
    assert world.story.model_package_arn == world.version
    assert f"commit {commit[:7]}, whose author is Grace Hopper, was tested and trained with" in capsys.readouterr().err
    assert world.executions()[0]["trigger"]["triggerType"] == "StartPipelineExecution"
    assert [one["ModelApprovalStatus"] for one in world.versions()] == ["PendingManualApproval"]
    package = world.root.client("sagemaker").describe_model_package(ModelPackageName=world.version)
    assert package["CustomerMetadataProperties"].items() >= {"commit": commit, "author": "Grace Hopper"}.items()
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"].startswith(f"s3://{world.models}/{world.project}/models/on-push/")


def test_a_push_to_the_training_repository_deploys_nothing(world: World) -> None:
    assert [one["trigger"]["triggerType"] for one in world.story.executions()] == ["CreatePipeline"]


def test_every_right_of_the_build_is_needed(world: World) -> None:
    """But for those that AWS's pages name and the embedded AWS does not ask for."""
    world.build.client("sagemaker").update_pipeline(  # as the next push does
        PipelineName=f"{world.project}-on-push", PipelineDefinition=EMPTY, RoleArn=world.role
    )
    found = uses(read_requests(world.story.cloud.folder / "requests.jsonl"))
    used = {(sid, a) for (_, policy, sid), actions in found.items() if POLICY in policy for a in actions}
    granted = {
        (one["Sid"], action.lower())
        for one in json.loads(world.policy.read())["Statement"]
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    assert granted - used == {
        ("ReadInput", "s3:getobjectversion"),
        *(("SeeArtifactBuckets", f"s3:getbucket{name}") for name in ("acl", "location")),
        *(("RunJobs", f"sagemaker:{name}") for name in ("addtags", "stopprocessingjob", "stoptrainingjob")),
    }
    check_played(holders_of(world.story.cloud), __file__)


# -- what its code cannot do -------------------------------------------------------------------

NOTHING_ALLOWS = "no identity-based policy allows"
WHO = pytest.mark.parametrize("who", ["build", "job"])


@WHO
def test_a_build_that_approves_the_version_is_refused(world: World, who: str) -> None:
    quiet(world)

    def approve() -> Any:
        return (
            own(world, who)
            .client("sagemaker")
            .update_model_package(ModelPackageArn=world.version, ModelApprovalStatus="Approved")
        )

    check_denied(approve, f"{NOTHING_ALLOWS} the sagemaker:UpdateModelPackage")
    with granting(world.policy, "sagemaker:UpdateModelPackage"):
        assert approve()


@WHO
def test_a_build_that_registers_an_approved_version_is_refused(world: World, who: str) -> None:
    quiet(world)
    shown = world.root.client("sagemaker").describe_model_package(ModelPackageName=world.version)

    def register() -> Any:
        return (
            own(world, who)
            .client("sagemaker")
            .create_model_package(
                ModelPackageGroupName=world.story.project_name,
                InferenceSpecification=shown["InferenceSpecification"],
                ModelApprovalStatus="Approved",
            )
        )

    check_denied(register, "RegisterForApproval")
    with world.policy.changed("RegisterForApproval", open_condition):
        assert register()


@WHO
@pytest.mark.parametrize(
    ("key", "by"),
    [
        ("sagemaker-iris/BuildOutpu/mine", ""),
        ("sagemaker-iris/TrainingOu/mine", ""),
        ("evidence/mine.html", "OnlyTheGateWritesEvidence"),
        ("record/approvals/mine.json", "OnlyTheStarterRecordsApprovals"),
        ("record/outcomes/mine.json", "OnlyTestsWriteOutcomes"),
    ],
)
def test_a_build_that_writes_artifacts_evidence_or_the_record_is_refused_twice(
    world: World, who: str, key: str, by: str
) -> None:
    s3 = own(world, who).client("s3")
    write = partial(s3.put_object, Bucket=world.artifacts, Key=f"{key}-{who}", Body=b"mine", IfNoneMatch="*")
    check_denied(write, "OnlyThePipelineWrites")
    with bucket_policy(world.root, world.artifacts).without("OnlyThePipelineWrites"):
        check_denied(write, by or f"{NOTHING_ALLOWS} the s3:PutObject")
        with granting(world.policy, "s3:PutObject"):
            if by:
                check_denied(write, by)
            else:
                assert write()


def test_a_build_that_writes_published_code_is_refused_twice(world: World) -> None:
    bundle = bundle_bucket(world.kit.account, world.story.region)
    write = partial(world.build.client("s3").put_object, Bucket=bundle, Key="bundle/0/pipeline.zip", Body=b"mine")
    check_denied(write, "OnlyPublishersWrite")
    with bucket_policy(world.root, bundle).without("OnlyPublishersWrite"):
        check_denied(write, f"{NOTHING_ALLOWS} the s3:PutObject")
        with granting(world.policy, "s3:PutObject"):
            assert write()


def test_a_build_that_reads_manifests_or_another_projects_input_is_refused(world: World) -> None:
    def read(session: Session, key: str) -> Any:
        return session.client("s3").get_object(Bucket=world.artifacts, Key=key)

    listed = world.root.client("s3").list_objects_v2(Bucket=world.artifacts)["Contents"]
    keys = {part: next(one["Key"] for one in listed if part in one["Key"]) for part in ("BuildOut", "TrainingOu")}
    check_denied(lambda: read(world.build, keys["BuildOut"]), "ReadInput")
    assert read(world.build, keys["TrainingOu"])
    check_denied(lambda: read(world.job, keys["TrainingOu"]), "ReadInput")  # whose project a job is of, no key says
    with world.policy.changed("ReadInput", open_condition):
        assert read(world.job, keys["TrainingOu"])
    stranger = build_session(world.story, ROLE, "sagemaker-payroll-p-2-train")
    check_denied(lambda: read(stranger, keys["TrainingOu"]), "OnlyOwnBuilds")
    with bucket_policy(world.root, world.artifacts).without("OnlyOwnBuilds"):
        assert read(stranger, keys["TrainingOu"])


def test_a_build_that_looks_at_another_projects_commits_is_refused(world: World) -> None:
    def look(session: Session) -> Any:
        commit, name = (
            world.executions()[0]["sourceRevisions"][0]["revisionId"],
            f"sagemaker-{world.project}-modelbuild",
        )
        return session.client("codecommit").get_commit(repositoryName=name, commitId=commit)

    assert look(world.build)
    for stranger in (build_session(world.story, ROLE, "sagemaker-payroll-p-2-train"), world.job):
        check_denied(partial(look, stranger), "SeeWhoPushed")
        with world.policy.changed("SeeWhoPushed", open_condition):
            assert look(stranger)


def test_a_build_that_writes_into_the_gates_log_is_refused(world: World) -> None:
    """Through a stream with a name like its own group's."""
    group = f"/aws/codebuild/sagemaker-{world.project}-gate"
    world.root.client("logs").create_log_group(logGroupName=group)
    for who in ("build", "job"):
        write = partial(own(world, who).client("logs").create_log_stream, logStreamName=f"{who}-train")
        check_denied(partial(write, logGroupName=group), "WriteLogs")
        with world.policy.changed("WriteLogs", lambda one: {**one, "Resource": one["Resource"][0].replace(":*", "*")}):
            assert write(logGroupName=group)


@pytest.mark.parametrize("kind", ["build", "gate", "own-tests", "test", "train"])
def test_a_build_that_starts_a_build_is_refused(world: World, kind: str) -> None:
    def start() -> Any:
        return world.build.client("codebuild").start_build(
            projectName=f"sagemaker-{world.project}-{kind}",
            buildspecOverride="version: 0.2\nphases: {build: {commands: ['true']}}\n",
            sourceTypeOverride="NO_SOURCE",
            artifactsOverride={"type": "NO_ARTIFACTS"},
        )

    check_denied(start, f"{NOTHING_ALLOWS} the codebuild:StartBuild")
    if kind == "gate":
        with granting(world.policy, "codebuild:StartBuild"):
            assert start()


@pytest.mark.parametrize("repository", ["modeldeploy", "modelbuild"])
def test_a_build_that_pushes_is_refused(world: World, repository: str) -> None:
    quiet(world)
    name = f"sagemaker-{world.project}-{repository}"
    head = world.root.client("codecommit").get_branch(repositoryName=name, branchName="main")["branch"]["commitId"]

    def push() -> Any:
        return world.build.client("codecommit").put_file(
            repositoryName=name, branchName="main", parentCommitId=head, filePath="mine", fileContent=b"mine"
        )

    check_denied(push, f"{NOTHING_ALLOWS} the codecommit:PutFile")
    with granting(world.policy, "codecommit:PutFile"):
        assert push()


@pytest.mark.parametrize("role", ["studio", "Build", "Gate", "Pipeline", "Stage", "Test"])
def test_a_build_that_passes_another_role_is_refused(world: World, role: str) -> None:
    studio = world.story.scientist.principal.role_arn
    arn = studio if role == "studio" else world.role.replace(ROLE, f"{KIT}{role}Role")

    def create() -> Any:
        return world.build.client("sagemaker").create_pipeline(
            PipelineName="mine-on-push", PipelineDefinition=EMPTY, RoleArn=arn, Tags=world.tags
        )

    check_denied(create, "RunAsThisRoleOnly")
    if role == "studio":  # the others trust no SageMaker
        with granting(world.policy, "iam:PassRole"):
            assert create()


@pytest.mark.parametrize("operation", ["update", "start", "approve"])
def test_a_build_that_takes_part_in_the_deployment_is_refused(world: World, operation: str) -> None:
    name = world.story.pipeline_name
    declared = world.root.client("codepipeline").get_pipeline(name=name)["pipeline"]
    client = world.build.client("codepipeline")
    where = {"pipelineName": name, "stageName": "ApproveDeployment", "actionName": "ApproveDeployment"}
    acts: dict[str, tuple[str, Callable[[], Any]]] = {
        "update": ("UpdatePipeline", lambda: client.update_pipeline(pipeline=declared)),
        "start": ("StartPipelineExecution", lambda: client.start_pipeline_execution(name=name)),
        "approve": (
            "PutApprovalResult",
            lambda: client.put_approval_result(**where, result={"summary": "", "status": "Approved"}, token="1" * 36),
        ),
    }
    action, act = acts[operation]
    check_denied(act, f"{NOTHING_ALLOWS} the codepipeline:{action}")
    if operation == "update":
        with granting(world.policy, "codepipeline:UpdatePipeline", "iam:PassRole"):
            assert act()


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_a_build_that_enters_a_testers_role_is_refused_twice(world: World, stage: str) -> None:
    account = world.story.setting.targets[stage]
    arn = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}-tester"

    def enter() -> Any:
        return world.build.client("sts").assume_role(RoleArn=arn, RoleSessionName="mine", Tags=world.tags)

    check_denied(enter, "sts:AssumeRole")
    with granting(world.policy, "sts:AssumeRole", "sts:TagSession"):
        check_denied(enter, "no role trust policy allows")
        trust = trust_policy(world.story.cloud.root(account, world.story.region), arn.rsplit("/", 1)[1])
        opened = {"Principal": {"AWS": world.role}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        with trust.changed("PipelineTestsEndpoints", lambda one: {**open_condition(one), **opened}):
            assert enter()


# -- and with SageMaker's pipelines ------------------------------------------------------------


def test_a_build_that_starts_a_data_scientists_pipeline_with_other_code_is_refused(world: World) -> None:
    """start.py's own pipeline runs as the data scientist, who may approve, with the code that CodeUrl names."""
    studio = str(world.story.scientist.principal.role_arn)
    name = pipeline_of(world, f"{world.project}-train", world.tags, studio)

    def start() -> Any:
        return world.build.client("sagemaker").start_pipeline_execution(PipelineName=name)

    check_denied(start, "RunTrainingPipeline")
    with world.policy.changed("RunTrainingPipeline", lambda one: {**one, "Resource": "*"}):
        assert start()


@pytest.mark.parametrize(
    "key", ["data/code/0a1b/files/train.py", "data/0a1b/train/train.csv", "models/mine/model.tar.gz"]
)
@WHO
def test_a_build_that_writes_what_a_data_scientists_jobs_run_is_refused(world: World, who: str, key: str) -> None:
    def write() -> Any:
        return own(world, who).client("s3").put_object(Bucket=world.models, Key=f"{world.project}/{key}", Body=b"mine")

    check_denied(write, "KeepWhatWasTrained")
    with world.policy.changed("KeepWhatWasTrained", lambda one: {**one, "Resource": f"arn:aws:s3:::{world.models}/*"}):
        assert write()


@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_data_scientist_who_gives_the_builds_pipeline_another_role_is_refused(world: World, operation: str) -> None:
    """Whatever the build starts has the build's rights, and not those of a person."""
    client = world.story.scientist.client("sagemaker")
    given = {"PipelineDefinition": EMPTY, "RoleArn": world.story.scientist.principal.role_arn}

    def give() -> Any:
        if operation == "create":
            return client.create_pipeline(PipelineName="theirs-on-push", **given)
        return client.update_pipeline(PipelineName=f"{world.project}-on-push", **given)

    check_denied(give, "LeaveTheBuildsPipelines")
    with managed_policy(world.root, SCIENTIST_POLICY).without("LeaveTheBuildsPipelines"):
        assert give()


def test_a_data_scientist_who_stops_the_builds_by_the_pipelines_tags_is_refused(world: World) -> None:
    """The build starts what carries its project's tags alone."""
    name, client = "tagged-on-push", world.story.scientist.client("sagemaker")
    arn = f"arn:aws:sagemaker:{world.story.region}:{world.kit.account}:pipeline/{name}"
    pipeline_of(world, name, world.tags, world.role)
    for act in (
        partial(client.add_tags, ResourceArn=arn, Tags=[{"Key": "sagemaker:project-id", "Value": "p-2"}]),
        partial(client.delete_tags, ResourceArn=arn, TagKeys=["sagemaker:project-id"]),
        partial(client.delete_pipeline, PipelineName=name),
    ):
        check_denied(act, "LeaveTheBuildsPipelines")
        with managed_policy(world.root, SCIENTIST_POLICY).without("LeaveTheBuildsPipelines"):
            assert act()


def test_a_build_that_reaches_another_projects_training_pipeline_is_refused(world: World) -> None:
    theirs = [{"Key": "sagemaker:project-name", "Value": "payroll"}, {"Key": "sagemaker:project-id", "Value": "p-2"}]
    name, client = pipeline_of(world, "payroll-p-2-on-push", theirs, world.role), world.build.client("sagemaker")
    arn = f"arn:aws:sagemaker:{world.story.region}:{world.kit.account}:pipeline/{name}"
    acts: dict[str, Callable[[], Any]] = {
        "RunTrainingPipeline": lambda: client.start_pipeline_execution(PipelineName=name),
        "MakeTrainingPipeline": lambda: client.add_tags(ResourceArn=arn, Tags=world.tags),
    }
    for sid, act in acts.items():
        check_denied(act, sid)
        with world.policy.changed(sid, open_condition):
            assert act()
    another = {"PipelineName": "more-on-push", "PipelineDefinition": EMPTY, "RoleArn": world.role, "Tags": theirs}
    check_denied(lambda: client.create_pipeline(**another), "MakeTrainingPipeline")
    with world.policy.changed("MakeTrainingPipeline", open_condition):
        assert client.create_pipeline(**another)


def test_a_job_of_the_build_that_starts_or_changes_a_pipeline_is_refused(world: World) -> None:
    client, name = world.job.client("sagemaker"), f"{world.project}-on-push"
    given = {"PipelineName": name, "PipelineDefinition": EMPTY, "RoleArn": world.role}
    check_denied(lambda: client.start_pipeline_execution(PipelineName=name), "RunTrainingPipeline")
    check_denied(lambda: client.update_pipeline(**given), "RunTrainingPipeline")
    with world.policy.changed("RunTrainingPipeline", open_condition):
        assert client.update_pipeline(**given)


def test_a_data_scientist_who_starts_the_build_or_takes_its_role_is_refused(world: World) -> None:
    """They have more rights: but what is approved should come from what was pushed."""
    client, spec = world.story.scientist.client, "version: 0.2\nphases: {build: {commands: ['true']}}\n"
    start = partial(client("codebuild").start_build, projectName=world.pipeline, buildspecOverride=spec)
    check_denied(start, "StartNoBuilds")
    mine = {"PipelineName": "mine", "PipelineDefinition": EMPTY, "RoleArn": world.role}
    check_denied(lambda: client("sagemaker").create_pipeline(**mine), "PassNoRoleOfThePipelines")
    with managed_policy(world.root, SCIENTIST_POLICY).without("PassNoRoleOfThePipelines"):
        assert client("sagemaker").create_pipeline(**mine)
