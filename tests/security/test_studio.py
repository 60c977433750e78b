"""Attacks from Studio, without push: what AWS's stock policy (AmazonSageMakerFullAccess) lets a data scientist do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session
from scripts.kit.names import CREATOR_POLICY, S3_LAUNCH_ROLE, SCIENTIST_POLICY, bundle_bucket
from scripts.kit.publish import hosting
from scripts.kit.stacks.project_roles import PREFIX, USE_ROLE
from scripts.rehearsal.embedded import embedded_aws
from tests.support.attacks import bucket_policy, check_denied, managed_policy, role_policy, topic_policy
from tests.support.installation import Installation

BUILDSPEC = "version: 0.2\nphases: {build: {commands: ['echo mine']}}\n"
EMPTY = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}\n"


@dataclass
class Studio:
    """An installation with a project, and the data scientist's session in Studio."""

    kit: Installation
    project: str

    @property
    def root(self) -> Session:
        return self.kit.cloud.root(self.kit.account, self.kit.story.region)

    def client(self, service: str) -> Any:
        return self.kit.story.scientist.client(service)

    def name(self, kind: str) -> str:
        return f"sagemaker-iris-{self.project}-{kind}"

    @property
    def artifacts(self) -> str:
        return f"sagemaker-project-{self.project}"

    @property
    def bundle(self) -> str:
        return bundle_bucket(self.kit.account, self.kit.story.region)

    @property
    def topic(self) -> str:
        return f"arn:aws:sns:{self.kit.story.region}:{self.kit.account}:sagemaker-multi-account-approvals"

    def role(self, short: str) -> str:
        name = f"AmazonSageMakerServiceCatalogProductsMultiAccount{short}Role"
        return f"arn:aws:iam::{self.kit.account}:role/service-role/{name}"

    def as_role(self, short: str) -> Session:
        """One of the kit's roles, as its service assumes it."""
        service = "codepipeline" if short == "Pipeline" else "codebuild"
        region, account = self.kit.story.region, self.kit.account
        role = self.role(short)
        return self.kit.cloud.service_role(role, "attack", f"{service}.amazonaws.com", region, SourceAccount=account)

    def scientist_without(self, sid: str) -> AbstractContextManager[None]:
        return managed_policy(self.root, SCIENTIST_POLICY).without(sid)

    def pass_role(self, pipeline: str, arn: str) -> Any:
        """Pass a role to SageMaker, for a pipeline of the data scientist's own."""
        step = {"Name": "Fail", "Type": "Fail", "Arguments": {"ErrorMessage": ""}}
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
        return self.client("sagemaker").create_pipeline(
            PipelineName=pipeline, PipelineDefinition=definition, RoleArn=arn
        )

    def write(self, bucket: str, key: str) -> Any:
        return self.client("s3").put_object(Bucket=bucket, Key=key, Body=b"mine")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        kit = Installation(cloud, folder, patch)
        yield Studio(kit, kit.project("iris"))
    assert not cloud.faults, cloud.faults


@pytest.mark.parametrize("kind", ["build", "gate", "own-tests", "test"])
def test_a_data_scientist_who_starts_a_build_with_another_buildspec_is_refused(studio: Studio, kind: str) -> None:
    def start() -> Any:
        given = {"sourceTypeOverride": "NO_SOURCE", "artifactsOverride": {"type": "NO_ARTIFACTS"}}
        codebuild = studio.client("codebuild")
        return codebuild.start_build(projectName=studio.name(kind), buildspecOverride=BUILDSPEC, **given)

    check_denied(start, "StartNoBuilds")
    with studio.scientist_without("StartNoBuilds"):
        assert start()["build"]["serviceRole"] == studio.role(kind.title().replace("-", ""))


@pytest.mark.parametrize("key", ["project-templates/mine.yaml", "bundle/0/pipeline.zip", "bundle/0/model-deploy.zip"])
def test_a_data_scientist_who_writes_published_code_is_refused_twice(studio: Studio, key: str) -> None:
    check_denied(lambda: studio.write(studio.bundle, key), "PublishNothing")
    with studio.scientist_without("PublishNothing"):
        check_denied(lambda: studio.write(studio.bundle, key), "OnlyPublishersWrite")
        with bucket_policy(studio.root, studio.bundle).without("OnlyPublishersWrite"):
            assert studio.write(studio.bundle, key)


def test_a_data_scientist_who_deletes_published_code_is_refused_twice(studio: Studio) -> None:
    key = studio.root.client("s3").list_objects_v2(Bucket=studio.bundle, Prefix="bundle/")["Contents"][0]["Key"]

    def delete() -> Any:
        return studio.client("s3").delete_object(Bucket=studio.bundle, Key=key)

    check_denied(delete, "PublishNothing")
    with studio.scientist_without("PublishNothing"):
        check_denied(delete, "OnlyPublishersWrite")
        with bucket_policy(studio.root, studio.bundle).without("OnlyPublishersWrite"):
            marker = delete()
    studio.kit.engineer.client("s3").delete_object(Bucket=studio.bundle, Key=key, VersionId=marker["VersionId"])


def test_a_data_scientist_who_exchanges_an_artifact_is_refused(studio: Studio) -> None:
    check_denied(lambda: studio.write(studio.artifacts, "iris/BuildOutp/1"), "OnlyThePipelineWrites")
    with bucket_policy(studio.root, studio.artifacts).without("OnlyThePipelineWrites"):
        assert studio.write(studio.artifacts, "iris/BuildOutp/1")


def test_a_data_scientist_who_forges_an_evidence_card_is_refused_twice(studio: Studio) -> None:
    policy = bucket_policy(studio.root, studio.artifacts)
    check_denied(lambda: studio.write(studio.artifacts, "evidence/1.html"), "OnlyThePipelineWrites")
    with policy.without("OnlyThePipelineWrites"):
        check_denied(lambda: studio.write(studio.artifacts, "evidence/1.html"), "OnlyTheGateWritesEvidence")
        with policy.without("OnlyTheGateWritesEvidence"):
            assert studio.write(studio.artifacts, "evidence/1.html")


@pytest.mark.parametrize(
    ("short", "key", "sid"),
    [
        ("Build", "evidence/2.html", "OnlyTheGateWritesEvidence"),
        ("Pipeline", "evidence/3.html", "OnlyTheGateWritesEvidence"),
        ("Build", "record/decisions/x/2.json", "OnlyTheGateWritesEvidence"),
        ("Build", "record/outcomes/x/prod-2.json", "OnlyTestsWriteOutcomes"),
        ("Pipeline", "record/outcomes/x/prod-3.json", "OnlyTestsWriteOutcomes"),
    ],
)
def test_a_role_of_the_pipeline_that_writes_evidence_is_refused(studio: Studio, short: str, key: str, sid: str) -> None:
    session = studio.as_role(short)

    def write() -> Any:
        return session.client("s3").put_object(Bucket=studio.artifacts, Key=key, Body=b"mine", IfNoneMatch="*")

    check_denied(write, sid)
    with bucket_policy(studio.root, studio.artifacts).without(sid):
        assert write()


@pytest.mark.parametrize(
    ("short", "policy", "sid"),
    [("Gate", "check-approvals", "WriteEvidence"), ("Test", "test-projects", "HandResultsOn")],
)
def test_the_gate_and_the_tests_exchange_no_artifact(studio: Studio, short: str, policy: str, sid: str) -> None:
    session = studio.as_role(short)

    def write() -> Any:
        return session.client("s3").put_object(Bucket=studio.artifacts, Key="iris/BuildOutp/2", Body=b"mine")

    check_denied(write, "no statement allows s3:PutObject")
    everything = f"arn:aws:s3:::{studio.artifacts}/*"
    role = role_policy(studio.root, studio.role(short).rsplit("/", 1)[1], policy)
    with role.changed(sid, lambda statement: {**statement, "Resource": everything}):
        assert write()


@pytest.mark.parametrize("short", ["Build", "Gate", "Pipeline", "Test"])
def test_no_other_role_of_the_pipeline_records_an_approval(studio: Studio, short: str) -> None:
    key = f"record/approvals/2026-11-30T09-00-00Z-{len(short)}-Approved.json"
    s3 = studio.as_role(short).client("s3")

    def write() -> Any:
        return s3.put_object(Bucket=studio.artifacts, Key=key, Body=b"{}", IfNoneMatch="*")

    check_denied(write, "OnlyTheStarterRecordsApprovals")
    if short in {"Build", "Pipeline"}:  # the others have no right of their own either
        with bucket_policy(studio.root, studio.artifacts).without("OnlyTheStarterRecordsApprovals"):
            assert write()


def test_no_build_deletes_the_stack_of_a_stage(studio: Studio) -> None:
    cloudformation = studio.as_role("Build").client("cloudformation")
    name = studio.name("deploy-prod")
    stack = f"arn:aws:cloudformation:{studio.kit.story.region}:{studio.kit.account}:stack/{name}/*"

    def delete() -> Any:
        return cloudformation.delete_stack(StackName=name)

    check_denied(delete, "cloudformation:DeleteStack")
    role = role_policy(studio.root, studio.role("Build").rsplit("/", 1)[1], "build-projects")
    allowed = ["cloudformation:DescribeStacks", "cloudformation:DeleteStack"]
    with role.changed("SeeStages", lambda statement: {**statement, "Action": allowed, "Resource": stack}):
        assert delete()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_data_scientist_who_deletes_an_artifact_is_refused_and_so_is_an_administrator(studio: Studio) -> None:
    policy = bucket_policy(studio.root, studio.artifacts)
    listed = studio.root.client("s3").list_objects_v2(Bucket=studio.artifacts)["Contents"]
    key = next(one["Key"] for one in listed if not one["Key"].startswith("evidence/"))

    def delete(session: Session) -> Any:
        return session.client("s3").delete_object(Bucket=studio.artifacts, Key=key)

    check_denied(lambda: delete(studio.kit.story.scientist), "OnlyThePipelineWrites")
    with policy.without("OnlyThePipelineWrites"):
        check_denied(lambda: delete(studio.kit.story.scientist), "NothingIsDeleted")
        check_denied(lambda: delete(studio.kit.engineer), "NothingIsDeleted")
        with policy.without("NothingIsDeleted"):
            assert delete(studio.kit.story.scientist)


def test_a_data_scientist_who_sends_the_approvers_a_message_is_refused(studio: Studio) -> None:
    def publish() -> Any:
        return studio.client("sns").publish(TopicArn=studio.topic, Subject="Approve", Message="https://example.com")

    check_denied(publish, "OnlyPipelinesAsk")
    policy = topic_policy(studio.root, studio.topic)
    with policy.changed("OnlyPipelinesAsk", lambda statement: {**statement, "Action": "sns:DeleteTopic"}):
        assert publish()


@pytest.mark.parametrize("short", ["Build", "Events", "Gate", "OwnTests", "Pipeline", "Stage", "Starter", "Test"])
def test_a_data_scientist_who_passes_a_role_of_the_pipelines_is_refused(studio: Studio, short: str) -> None:
    def make() -> Any:
        return studio.pass_role(f"as-{short}", studio.role(short))

    check_denied(make, "PassNoRoleOfThePipelines")
    with (
        studio.scientist_without("PassNoRoleOfThePipelines"),
        pytest.raises(ClientError, match="Could not assume role"),
    ):
        make()  # passed, and refused by the role's own trust policy: the statement stands where a trust is wider


@pytest.mark.parametrize("name", [USE_ROLE, f"{PREFIX}ExecutionRole", f"{PREFIX}GlueRole"])
def test_a_data_scientist_who_passes_a_role_of_awss_own_templates_is_refused(studio: Studio, name: str) -> None:
    """Those may start builds and update stacks with sagemaker in their names, and services trust them that run code."""

    def make() -> Any:
        return studio.pass_role(name[-20:], f"arn:aws:iam::{studio.kit.account}:role/service-role/{name}")

    check_denied(make, "PassNoRoleOfThePipelines")
    refused = pytest.raises(ClientError, match="Could not assume role")  # passed, to a service that it does not trust
    with studio.scientist_without("PassNoRoleOfThePipelines"), refused if "Glue" in name else nullcontext():
        make()


def test_a_stranger_who_owns_a_bucket_of_a_predictable_name_gets_nothing_from_a_build(studio: Studio) -> None:
    kit, bucket = studio.kit, "sagemaker-project-p-ofastranger"
    theirs = kit.cloud.root("555555555555", kit.story.region).client("s3")
    theirs.create_bucket(Bucket=bucket)
    everything = {"Effect": "Allow", "Principal": {"AWS": kit.account}, "Action": "s3:*"}
    statement = {**everything, "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    theirs.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    build = kit.cloud.service_role(
        studio.role("Build"), "attack", "codebuild.amazonaws.com", kit.story.region, SourceAccount=kit.account
    )

    def write() -> Any:
        return build.client("s3").put_object(Bucket=bucket, Key="manifest.json", Body=b"{}")

    check_denied(write, "HandArtifactsOn")
    policy = role_policy(studio.root, studio.role("Build").rsplit("/", 1)[1], "build-projects")
    with policy.changed("HandArtifactsOn", lambda one: {key: one[key] for key in one if key != "Condition"}):
        assert write()


@pytest.mark.parametrize("text", [True, False])
def test_a_creator_who_makes_a_stack_of_another_template_as_the_launch_role_is_refused(
    studio: Studio, text: bool
) -> None:
    bucket = "sagemaker-of-mine" if not text else ""
    if bucket:
        studio.client("s3").create_bucket(Bucket=bucket)
        studio.client("s3").put_object(Bucket=bucket, Key="project-templates/x.yaml", Body=EMPTY.encode())
    url = f"https://{bucket}.s3.{studio.kit.story.region}.amazonaws.com/project-templates/x.yaml"
    template = {"TemplateBody": EMPTY} if text else {"TemplateURL": url}
    launch = f"arn:aws:iam::{studio.kit.account}:role/{S3_LAUNCH_ROLE}"

    def create() -> Any:
        name = f"SP-mine-{'text' if text else 'url'}"
        return studio.client("cloudformation").create_stack(StackName=name, RoleARN=launch, **template)

    check_denied(create, "MakeProjects")

    def narrow(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "Condition": {"ArnEquals": statement["Condition"]["ArnEquals"]}}

    with managed_policy(studio.root, CREATOR_POLICY).changed("MakeProjects", narrow):
        assert create()


def test_a_creator_who_changes_a_projects_stack_to_another_template_is_refused(studio: Studio) -> None:
    made = studio.kit.hosted_project("hosted", studio.kit.first)
    detail = made["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
    assert detail["TemplateURL"].endswith(hosting.template_key(studio.kit.first))
    name, role = detail["StackDetail"]["Name"], detail["RoleARN"]

    def update() -> Any:
        return studio.client("cloudformation").update_stack(StackName=name, RoleARN=role, TemplateBody=EMPTY)

    check_denied(update, "MakeProjects")

    def narrow(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "Condition": {"ArnEquals": statement["Condition"]["ArnEquals"]}}

    with managed_policy(studio.root, CREATOR_POLICY).changed("MakeProjects", narrow):
        assert update()


def test_a_creator_who_makes_a_project_from_an_older_template_in_s3_is_refused(studio: Studio) -> None:
    older = studio.kit.first
    studio.kit.newer_version()
    refused = studio.kit.hosted_project("older", older)
    assert refused["ProjectStatus"] == "CreateFailed"
    (provider,) = refused["TemplateProviderDetails"]
    why = provider["CfnTemplateProviderDetail"]["StackDetail"]["StatusMessage"]
    assert "OnlyShownTemplatesMakeProjects" in why, why
    with bucket_policy(studio.root, studio.bundle).without("OnlyShownTemplatesMakeProjects"):
        assert studio.kit.hosted_project("older-open", older)["ProjectStatus"] == "CreateCompleted"
