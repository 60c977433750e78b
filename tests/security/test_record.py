"""Attacks on a project's record of approvals, from Studio, from builds, from the starter: forged, changed, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from localaws.cloud import Session
from pipeline import record
from scripts.rehearsal.embedded import embedded_aws
from tests.support.attacks import LivePolicy, bucket_policy, check_denied, role_policy
from tests.support.installation import Installation

APPROVAL = "record/approvals/2026-11-30T09-00-00Z-{}-Approved.json"
FORGED = json.dumps({"version": 1, "status": "Approved"}).encode()
SERVICES = {"Build": "codebuild", "Test": "codebuild", "Pipeline": "codepipeline", "Starter": "states"}


@dataclass
class Project:
    """An installation with a project, whose record is attacked."""

    kit: Installation
    id: str

    @property
    def root(self) -> Session:
        return self.kit.cloud.root(self.kit.account, self.kit.story.region)

    @property
    def bucket(self) -> str:
        return f"sagemaker-project-{self.id}"

    @property
    def policy(self) -> LivePolicy:
        return bucket_policy(self.root, self.bucket)

    def role(self, short: str) -> str:
        return f"AmazonSageMakerServiceCatalogProductsMultiAccount{short}Role"

    def s3(self, who: str) -> Any:
        """The S3 client of the data scientist, or of code that has taken over one of the kit's roles."""
        if who == "Studio":
            return self.kit.story.scientist.client("s3")
        arn = f"arn:aws:iam::{self.kit.account}:role/service-role/{self.role(who)}"
        service, region = f"{SERVICES[who]}.amazonaws.com", self.kit.story.region
        return self.kit.cloud.service_role(arn, "attack", service, region, SourceAccount=self.kit.account).client("s3")

    def write(self, who: str, key: str, **more: Any) -> Callable[[], Any]:
        client = self.s3(who)
        return lambda: client.put_object(Bucket=self.bucket, Key=key, Body=FORGED, **more)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("record")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        kit = Installation(cloud, folder, patch)
        yield Project(kit, kit.project("iris"))
    assert not cloud.faults, cloud.faults


def test_a_data_scientist_who_forges_an_approval_is_refused_twice(project: Project) -> None:
    forge = project.write("Studio", APPROVAL.format(1), IfNoneMatch="*")
    check_denied(forge, "OnlyThePipelineWrites")
    with project.policy.without("OnlyThePipelineWrites"):
        check_denied(forge, "OnlyTheStarterRecordsApprovals")
        with project.policy.without("OnlyTheStarterRecordsApprovals"):
            assert forge()


@pytest.mark.parametrize("who", ["Build", "Pipeline"])
def test_a_build_or_a_pipeline_that_forges_an_approval_is_refused(project: Project, who: str) -> None:
    forge = project.write(who, APPROVAL.format(f"2{len(who)}"), IfNoneMatch="*")
    check_denied(forge, "OnlyTheStarterRecordsApprovals")
    with project.policy.without("OnlyTheStarterRecordsApprovals"):
        assert forge()


@pytest.mark.parametrize(
    ("kind", "sid"), [("decisions", "OnlyTheGateWritesEvidence"), ("outcomes", "OnlyTestsWriteOutcomes")]
)
@pytest.mark.parametrize("who", ["Build", "Pipeline"])
def test_a_build_or_a_pipeline_that_forges_a_decision_or_an_outcome_is_refused(
    project: Project, who: str, kind: str, sid: str
) -> None:
    forge = project.write(who, f"record/{kind}/execution/{who}.json", IfNoneMatch="*")
    check_denied(forge, sid)
    with project.policy.without(sid):
        assert forge()


def test_a_starter_that_writes_anything_but_approvals_is_refused(project: Project) -> None:
    exchange = project.write("Starter", "iris/BuildOutp/1", IfNoneMatch="*")
    check_denied(exchange, "RecordApprovals")

    def wider(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "Resource": f"arn:aws:s3:::{project.bucket}/*"}

    with role_policy(project.root, project.role("Starter"), "start-pipelines").changed("RecordApprovals", wider):
        assert exchange()


def test_an_approval_is_not_rewritten_not_even_by_the_starter(project: Project) -> None:
    """Neither at once, nor in parts, nor by a copy, nor where S3 compares the entry's own ETag."""
    key = APPROVAL.format(3)
    starter = project.s3("Starter")
    document = {"version": 3, "status": "Approved"}
    assert record.write(starter, project.bucket, key, document)
    assert not record.write(starter, project.bucket, key, {**document, "by": "mallory"})
    held = {"Bucket": project.bucket, "Key": key}
    etag = project.root.client("s3").head_object(**held)["ETag"]
    other = {**held, "Key": APPROVAL.format(4)}
    starter.put_object(**other, Body=FORGED, IfNoneMatch="*")
    attacks: list[Callable[[], Any]] = [
        lambda: starter.put_object(**held, Body=FORGED),
        lambda: starter.create_multipart_upload(**held),
        lambda: starter.copy_object(**held, CopySource={"Bucket": other["Bucket"], "Key": other["Key"]}),
        lambda: starter.put_object(**held, Body=FORGED, IfMatch=etag),
    ]
    with widened(project, "s3:GetObject"):  # so that nothing but writing is refused
        for attack in attacks:
            check_denied(attack, "TheRecordIsWrittenOnce")
        assert record.entry(project.root.client("s3"), project.bucket, key) == document
        with project.policy.without("TheRecordIsWrittenOnce"):
            for attack in reversed(attacks):
                assert attack()


def widened(project: Project, action: str) -> AbstractContextManager[None]:
    """The starter's role with one more right on the record."""
    policy = role_policy(project.root, project.role("Starter"), "start-pipelines")
    return policy.changed("RecordApprovals", lambda statement: {**statement, "Action": [action, "s3:PutObject"]})


@pytest.mark.parametrize("who", ["a data scientist", "an administrator"])
def test_an_approval_is_deleted_by_no_person_while_the_project_exists(project: Project, who: str) -> None:
    key = APPROVAL.format(len(who))
    project.write("Starter", key, IfNoneMatch="*")()
    person = {"a data scientist": project.kit.story.scientist, "an administrator": project.kit.engineer}[who]

    def delete() -> Any:
        return person.client("s3").delete_object(Bucket=project.bucket, Key=key)

    with ExitStack() as stack:
        for statement in ("OnlyThePipelineWrites", "OnlyTheStarterRecordsApprovals", "NothingIsDeleted"):
            check_denied(delete, statement)
            stack.enter_context(project.policy.without(statement))
        assert delete()


def test_an_approval_is_not_deleted_by_the_starter_either(project: Project) -> None:
    key = APPROVAL.format(6)
    project.write("Starter", key, IfNoneMatch="*")()

    def delete() -> Any:
        return project.s3("Starter").delete_object(Bucket=project.bucket, Key=key)

    with widened(project, "s3:DeleteObject"):
        check_denied(delete, "NothingIsDeleted")
        with project.policy.without("NothingIsDeleted"):
            assert delete()


def test_the_record_of_a_deleted_project_is_neither_written_nor_deleted(project: Project) -> None:
    key, story = APPROVAL.format(7), project.kit.story
    project.write("Starter", key, IfNoneMatch="*")()
    story.scientist.client("sagemaker").delete_project(ProjectName=story.project_name)
    cloudformation = project.root.client("cloudformation")

    def gone() -> bool:
        return not any(project.id in str(one.get("Parameters")) for one in cloudformation.describe_stacks()["Stacks"])

    story.until("the project's stack is deleted", gone)
    check_denied(project.write("Studio", key), "OnlyThePipelineWrites")
    engineer = project.kit.engineer.client("s3")
    check_denied(lambda: engineer.delete_object(Bucket=project.bucket, Key=key), "OnlyThePipelineWrites")
    with project.policy.without("OnlyThePipelineWrites"), project.policy.without("OnlyTheStarterRecordsApprovals"):
        check_denied(lambda: engineer.delete_object(Bucket=project.bucket, Key=key), "NothingIsDeleted")
    project.kit.command("teardown", "--project", story.project_name, "--empty-buckets", "--yes")
    assert project.bucket not in {one["Name"] for one in engineer.list_buckets()["Buckets"]}
