"""A target account in someone's hands, with every right there: what it reaches in the other accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from localaws.cloud import Session
from scripts.kit.names import bundle_bucket, model_bucket
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support.attacks import LivePolicy, administrator, bucket_policy, check_denied, trust_policy

ROLES = ("Build", "Gate", "OwnTests", "Pipeline", "Stage", "Test")


@dataclass
class Target:
    """A story up to staging, and the administrator of the staging account."""

    story: Story
    intruder: Session

    @property
    def home(self) -> Session:
        return self.story.cloud.root(self.story.setting.data_science, self.story.region)

    def client(self, service: str) -> Any:
        return self.intruder.client(service)

    @property
    def version(self) -> str:
        listed = self.home.client("sagemaker").list_model_packages(ModelPackageGroupName=self.story.project_name)
        return str(listed["ModelPackageSummaryList"][0]["ModelPackageArn"])

    @property
    def group_policy(self) -> LivePolicy:
        sagemaker, name = self.home.client("sagemaker"), {"ModelPackageGroupName": self.story.project_name}
        return LivePolicy(
            lambda: str(sagemaker.get_model_package_group_policy(**name)["ResourcePolicy"]),
            lambda text: sagemaker.put_model_package_group_policy(**name, ResourcePolicy=text),
        )

    def allowing(self, bucket: str, action: str) -> Any:
        """The bucket's policy with a statement for the account in place of its own rule about plain HTTP."""
        account = self.story.setting.targets["staging"]
        allow = {"Sid": "Open", "Effect": "Allow", "Principal": {"AWS": account}, "Action": action}
        resource = f"arn:aws:s3:::{bucket}/*"
        return bucket_policy(self.home, bucket).changed("DenyPlainHttp", lambda _: {**allow, "Resource": resource})


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("target")
    with embedded_aws(folder) as cloud:
        story = Story(cloud, folder)
        play(story, until="staging")
        yield Target(story, administrator(story, story.setting.targets["staging"]))
    assert not cloud.faults, cloud.faults


def test_a_target_account_that_approves_a_version_is_refused(target: Target) -> None:
    def approve() -> Any:
        sagemaker = target.client("sagemaker")
        return sagemaker.update_model_package(ModelPackageArn=target.version, ModelApprovalStatus="Approved")

    check_denied(approve, "UpdateModelPackage")

    def open_up(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "Action": [*statement["Action"], "sagemaker:UpdateModelPackage"]}

    with target.group_policy.changed("StagingUsesVersions", open_up):
        assert approve()


def test_a_target_account_that_changes_who_may_read_the_versions_is_refused(target: Target) -> None:
    def change() -> Any:
        arn = target.version.replace(":model-package/", ":model-package-group/").rsplit("/", 1)[0]
        sagemaker = target.client("sagemaker")
        return sagemaker.put_model_package_group_policy(
            ModelPackageGroupName=arn, ResourcePolicy=target.group_policy.read()
        )

    check_denied(change, "PutModelPackageGroupPolicy")


@pytest.mark.parametrize("which", ["models", "bundle", "artifacts"])
def test_a_target_account_that_writes_what_others_deploy_is_refused(target: Target, which: str) -> None:
    account, region = target.story.setting.data_science, target.story.region
    bucket = {
        "models": model_bucket(account, region),
        "bundle": bundle_bucket(account, region),
        "artifacts": f"sagemaker-project-{target.story.project_id}",
    }[which]

    def write() -> Any:
        return target.client("s3").put_object(Bucket=bucket, Key="mine/model.tar.gz", Body=b"mine")

    check_denied(write, "s3:PutObject")
    with target.allowing(bucket, "s3:PutObject"):
        if which == "models":  # a key, whose policy lets target accounts decrypt alone
            check_denied(write, "kms:GenerateDataKey")
        else:  # and the rule about who writes stands against every grant
            check_denied(write, {"bundle": "OnlyPublishersWrite", "artifacts": "OnlyThePipelineWrites"}[which])


def test_a_target_account_that_reads_manifests_and_evidence_is_refused(target: Target) -> None:
    bucket = f"sagemaker-project-{target.story.project_id}"
    key = target.home.client("s3").list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]

    def read() -> Any:
        return target.client("s3").get_object(Bucket=bucket, Key=key)

    check_denied(read, "s3:GetObject")
    with target.allowing(bucket, "s3:GetObject"):
        assert read()["Body"].read()


def assume(target: Target, arn: str, **more: Any) -> Callable[[], Any]:
    return lambda: target.client("sts").assume_role(RoleArn=arn, RoleSessionName="mine", **more)


def open_to(account: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A trust statement that trusts the account instead, without any condition."""

    def change(statement: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in statement.items() if key not in ("Condition", "Principal")}
        return {**kept, "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}

    return change


def test_a_target_account_that_enters_a_role_of_the_pipelines_is_refused(target: Target) -> None:
    iam, account = target.home.client("iam"), target.story.setting.targets["staging"]
    names = [f"AmazonSageMakerServiceCatalogProductsMultiAccount{short}Role" for short in ROLES]
    made = {role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]}
    assert made.intersection(names)
    for name in made.intersection(names):
        arn = f"arn:aws:iam::{target.story.setting.data_science}:role/service-role/{name}"
        check_denied(assume(target, arn), "sts:AssumeRole")
        trust = trust_policy(target.home, name)
        (first, *_) = json.loads(trust.read())["Statement"]
        with trust.changed(first["Sid"], open_to(account)):
            assert assume(target, arn)()


def test_staging_that_enters_productions_tester_is_refused(target: Target) -> None:
    production, account = target.story.setting.targets["prod"], target.story.setting.targets["staging"]
    name = "sagemaker-role-prod-tester"
    arn = f"arn:aws:iam::{production}:role/{name}"
    check_denied(assume(target, arn, ExternalId="sagemaker-multi-account"), "sts:AssumeRole")
    trust = trust_policy(target.story.cloud.root(production, target.story.region), name)
    (first, *_) = json.loads(trust.read())["Statement"]
    with trust.changed(first["Sid"], open_to(account)):
        assert assume(target, arn, ExternalId="sagemaker-multi-account")()
