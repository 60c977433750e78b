"""Attacks from a target account, whose administrators may do everything there: models and training data of others.

What the target account's own policies say is no protection: the account's root attacks. What refuses belongs to the
data science account: the model bucket's policy (template 10) and the model group's (pipeline/sharing.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from localaws.cloud import Session
from pipeline import sharing
from pipeline.console import UserError
from pipeline.frozen import etag_of_object
from pipeline.registry import read_version
from pipeline.settings import Settings
from scripts.kit.names import MODELS_STACK, model_bucket
from scripts.kit.stacks.data_science import UNTAGGED
from scripts.rehearsal.story import Story
from tests.support.attacks import LivePolicy, bucket_policy, build_session, check_denied, role_policy
from tests.support.story_steps import register, version_arn, whole_story

BUILD_ROLE = "AmazonSageMakerServiceCatalogProductsMultiAccountBuildRole"
GATE_ROLE = BUILD_ROLE.replace("Build", "Gate")
TAG = "s3:ExistingObjectTag/sagemaker-multi-account-"
SECRET = b"rows of customers"


@dataclass
class Models:
    """A project whose version 1 is live in both stages, and what is in the bucket with its model."""

    story: Story

    @property
    def data_science(self) -> Session:
        return self.story.cloud.root(self.story.setting.data_science, self.story.region)

    def target(self, stage: str) -> Session:
        return self.story.cloud.root(self.story.setting.targets[stage], self.story.region)

    @property
    def bucket(self) -> str:
        return model_bucket(self.story.setting.data_science, self.story.region)

    @property
    def folder(self) -> str:
        return f"{self.story.project_name}-{self.story.project_id}"

    @property
    def build(self) -> Session:
        return self.in_a_build(BUILD_ROLE, "build")

    @property
    def gate(self) -> Session:
        return self.in_a_build(GATE_ROLE, "gate")

    def in_a_build(self, role: str, kind: str) -> Session:
        return build_session(self.story, role, f"sagemaker-{self.folder}-{kind}")

    def get(self, session: Session, key: str) -> bytes:
        return bytes(session.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def put(self, key: str) -> str:
        """An object of the data scientist's, as training writes it; its key."""
        self.story.scientist.client("s3").put_object(Bucket=self.bucket, Key=key, Body=SECRET)
        return key

    def tag(self, session: Session, key: str, *names: str) -> Any:
        tags = {"TagSet": [{"Key": f"sagemaker-multi-account-{name}", "Value": "true"} for name in names]}
        version = self.data_science.client("s3").get_object_tagging(Bucket=self.bucket, Key=key)["VersionId"]
        asked: dict[str, Any] = {"Bucket": self.bucket, "Key": key, "VersionId": version, "Tagging": tags}
        return session.client("s3").put_object_tagging(**asked)

    @property
    def policy(self) -> LivePolicy:
        return bucket_policy(self.data_science, self.bucket)

    @property
    def group(self) -> LivePolicy:
        name, sagemaker = {"ModelPackageGroupName": self.story.project_name}, self.data_science.client("sagemaker")
        return LivePolicy(
            lambda: str(sagemaker.get_model_package_group_policy(**name)["ResourcePolicy"]),
            lambda text: sagemaker.put_model_package_group_policy(**name, ResourcePolicy=text),
        )

    def untagged_reads(self, stage: str) -> AbstractContextManager[None]:
        """The bucket's policy without the condition on the stage's tag."""

        def widen(statement: dict[str, Any]) -> dict[str, Any]:
            condition = json.loads(json.dumps(statement["Condition"]))
            del condition["StringEquals"][TAG + stage]
            return {**statement, "Condition": condition}

        return self.policy.changed({"staging": "StagingReadsModels", "prod": "ProductionReadsModels"}[stage], widen)

    def manifest(self, number: int) -> dict[str, Any]:
        """What the Build step writes down of a version, as far as sharing it needs."""
        arn = version_arn(self.story, number)
        described = self.data_science.client("sagemaker").describe_model_package(ModelPackageName=arn)
        region, setting = self.story.region, self.story.setting
        url = described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        etag = etag_of_object(self.data_science.client("s3"), url)
        return {
            "model_package": {
                "arn": arn,
                "group": self.story.project_name,
                "regions": {region: arn},
                "artifacts": [{"url": url, "etag": etag}],
            },
            "stages": {
                stage: {
                    "accounts": [{"id": account}],
                    "regions": [region],
                    "stack_set_name": f"sagemaker-{self.folder}-deploy-{stage}",
                }
                for stage, account in setting.targets.items()
            },
        }

    def share(self, number: int, stage: str) -> None:
        """What the pipeline does with a version before it deploys to a stage, as the role that does it."""
        session = self.build if stage == "staging" else self.gate
        sharing.share(lambda service, region: session.client(service, region), self.manifest(number), stage)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    with whole_story(tmp_path_factory.mktemp("models")) as story:
        yield Models(story)


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_a_target_account_that_reads_the_training_data_is_refused(models: Models, stage: str) -> None:
    listed = models.data_science.client("s3").list_objects_v2(Bucket=models.bucket, Prefix=f"{models.folder}/data/")
    key = listed["Contents"][0]["Key"]

    def read() -> bytes:
        return models.get(models.target(stage), key)

    check_denied(read, "s3:GetObject")
    with models.untagged_reads(stage):
        assert b"," in read()


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_a_target_account_that_reads_another_projects_model_is_refused(models: Models, stage: str) -> None:
    key = models.put("other-p-abcdefghijkl/models/train/output/model.tar.gz")

    def read() -> bytes:
        return models.get(models.target(stage), key)

    check_denied(read, "s3:GetObject")
    with models.untagged_reads(stage):
        assert read() == SECRET


def test_a_target_account_that_lists_the_bucket_is_refused(models: Models) -> None:
    check_denied(lambda: models.target("staging").client("s3").list_objects_v2(Bucket=models.bucket), "s3:ListBucket")


def test_a_production_account_that_takes_a_version_that_is_only_in_staging_is_refused(models: Models) -> None:
    register(models.story)
    url = models.manifest(2)["model_package"]["artifacts"][0]["url"]
    key = models.put(f"{models.folder}/models/second/output/model.tar.gz")
    second = models.manifest(2)
    url = url.rpartition(models.folder)[0] + key
    second["model_package"]["artifacts"] = [{"url": url, "etag": etag_of_object(models.build.client("s3"), url)}]

    def share(stage: str) -> None:
        session = models.build if stage == "staging" else models.gate
        sharing.share(lambda service, region: session.client(service, region), second, stage)

    def describe(stage: str) -> Any:
        sagemaker = models.target(stage).client("sagemaker")
        return sagemaker.describe_model_package(ModelPackageName=version_arn(models.story, 2))

    def create(stage: str) -> Any:
        container = {"ModelPackageName": version_arn(models.story, 2)}
        account = models.story.setting.targets[stage]
        role = f"arn:aws:iam::{account}:role/sagemaker-role-{stage}"
        sagemaker = models.target(stage).client("sagemaker")
        return sagemaker.create_model(ModelName="taken", ExecutionRoleArn=role, Containers=[container])

    check_denied(lambda: describe("staging"), "sagemaker:DescribeModelPackage")  # a version that is registered only
    check_denied(lambda: models.get(models.target("staging"), key), "s3:GetObject")
    share("staging")
    assert describe("staging")["ModelPackageVersion"] == 2
    assert models.get(models.target("staging"), key) == SECRET
    check_denied(lambda: describe("prod"), "sagemaker:DescribeModelPackage")
    check_denied(lambda: create("prod"), "sagemaker:CreateModel")
    check_denied(lambda: models.get(models.target("prod"), key), "s3:GetObject")
    check_denied(lambda: models.tag(models.build, key, "prod"), "OnlyTheGateSharesWithProduction")
    with models.policy.without("OnlyTheGateSharesWithProduction"):
        assert models.tag(models.build, key, "prod")
        models.tag(models.build, key, "staging")  # the tag alone, as before
    share("prod")
    assert describe("prod")["ModelPackageVersion"] == 2
    assert models.get(models.target("prod"), key) == SECRET


def test_the_policy_of_before_let_every_version_out(models: Models) -> None:
    """What protects is that the statement names versions: with a star a version that is only registered is usable."""
    register(models.story)

    def describe() -> Any:
        sagemaker = models.target("prod").client("sagemaker")
        return sagemaker.describe_model_package(ModelPackageName=version_arn(models.story, 3))

    check_denied(describe, "sagemaker:DescribeModelPackage")
    every = f"{version_arn(models.story, 3).rpartition('/')[0]}/*"
    with models.group.changed("ProdUsesVersions", lambda statement: {**statement, "Resource": [every]}):
        assert describe()["ModelPackageVersion"] == 3


def test_a_target_account_that_tags_an_object_for_itself_is_refused(models: Models) -> None:
    key = models.put("other-p-abcdefghijkl/models/tagged/model.tar.gz")
    check_denied(lambda: models.tag(models.target("staging"), key, "staging"), "s3:PutObjectVersionTagging")


def test_a_data_scientist_who_shares_an_object_past_the_pipeline_is_refused_and_so_is_an_administrator(
    models: Models,
) -> None:
    key = models.put(f"{models.folder}/data/secret/rows.csv")
    check_denied(lambda: models.tag(models.story.scientist, key, "prod"), "s3:PutObjectVersionTagging")
    check_denied(lambda: models.tag(models.data_science, key, "prod"), "OnlyBuildsShare")

    def put_with_tag() -> Any:
        tag = "sagemaker-multi-account-prod=true"
        return models.data_science.client("s3").put_object(Bucket=models.bucket, Key=key, Body=SECRET, Tagging=tag)

    check_denied(put_with_tag, "OnlyBuildsShare")
    with models.policy.without("OnlyBuildsShare"):
        check_denied(put_with_tag, "OnlyTheGateSharesWithProduction")
        with models.policy.without("OnlyTheGateSharesWithProduction"):
            assert put_with_tag()
    assert models.get(models.target("prod"), key) == SECRET


def test_a_build_that_shares_training_data_is_refused(models: Models) -> None:
    key = models.put(f"{models.folder}/data/more/rows.csv")
    check_denied(lambda: models.tag(models.build, key, "staging"), "ShareModels")
    policy = role_policy(models.data_science, BUILD_ROLE, "build-projects")

    def widen(statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "Resource": f"arn:aws:s3:::{models.bucket}/*"}

    with policy.changed("ShareModels", widen):
        assert models.tag(models.build, key, "staging")


def test_a_version_that_names_another_projects_model_is_not_shared(models: Models) -> None:
    """Without check_place the role would tag it: it is that of every project's build."""
    key = models.put("other-p-abcdefghijkl/models/named/model.tar.gz")
    described = models.data_science.client("sagemaker").describe_model_package(
        ModelPackageName=version_arn(models.story, 1)
    )
    containers = [
        {**described["InferenceSpecification"]["Containers"][0], "ModelDataUrl": f"s3://{models.bucket}/{key}"}
    ]
    version = read_version({**described, "InferenceSpecification": {"Containers": containers}}, "", None)
    name, id = models.story.project_name, models.story.project_id
    settings = Settings(name, id, name, 1, "SELF", "", "", "", "", "", "", models.story.region, ())
    with pytest.raises(UserError, match="is not among the project's models"):
        sharing.check_place(settings, version)
    assert models.tag(models.build, key, "staging")
    assert models.get(models.target("staging"), key) == SECRET


def test_a_model_that_is_exchanged_after_its_deployment_reaches_no_target_account(models: Models) -> None:
    """A new version of an object has no tags: an endpoint that starts another instance is refused, and runs on."""
    key = models.put(f"{models.folder}/models/exchanged/model.tar.gz")
    models.tag(models.gate, key, "prod")
    assert models.get(models.target("prod"), key) == SECRET
    models.put(key)

    def read() -> bytes:
        return models.get(models.target("prod"), key)

    check_denied(read, "s3:GetObject")
    with models.untagged_reads("prod"):
        assert read() == SECRET


def test_models_of_before_can_stay_readable_but_not_the_training_data(models: Models) -> None:
    """AllowUntaggedModels of template 10, until every project has deployed once."""
    old, data = models.put("anywhere/model.tar.gz"), models.put(f"{models.folder}/data/old/rows.csv")
    tagged = models.put(f"{models.folder}/models/staged/model.tar.gz")
    models.tag(models.build, tagged, "staging")
    allow_untagged(models, "true")
    assert models.get(models.target("prod"), old) == SECRET
    check_denied(lambda: models.get(models.target("prod"), data), "s3:GetObject")
    check_denied(lambda: models.get(models.target("prod"), tagged), "s3:GetObject")
    allow_untagged(models, "false")
    check_denied(lambda: models.get(models.target("prod"), old), "s3:GetObject")


def allow_untagged(models: Models, value: str) -> None:
    """Update the stack of template 10 with one other parameter, as `make accounts` does."""
    cloudformation = models.data_science.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=MODELS_STACK)["Stacks"][0]
    parameters = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in stack["Parameters"]]
    others = [one for one in parameters if one["ParameterKey"] != UNTAGGED]
    cloudformation.update_stack(
        StackName=MODELS_STACK,
        UsePreviousTemplate=True,
        Parameters=[*others, {"ParameterKey": UNTAGGED, "ParameterValue": value}],
    )

    def settled() -> bool:
        status = cloudformation.describe_stacks(StackName=MODELS_STACK)["Stacks"][0]["StackStatus"]
        return str(status) == "UPDATE_COMPLETE"

    models.story.until("the update", settled)


def test_an_account_of_the_organization_that_runs_no_models_reads_nothing_even_with_both_tags(models: Models) -> None:
    key = models.put(f"{models.folder}/models/public/model.tar.gz")
    models.tag(models.gate, key, "staging", "prod")
    other = models.story.cloud.root(models.story.setting.management, models.story.region)
    check_denied(lambda: models.get(other, key), "s3:GetObject")

    def anywhere(statement: dict[str, Any]) -> dict[str, Any]:
        condition = {name: tests for name, tests in statement["Condition"].items() if name != "ForAnyValue:StringLike"}
        return {**statement, "Condition": condition}

    with models.policy.changed("ProductionReadsModels", anywhere):
        check_denied(lambda: models.get(other, key), "kms:Decrypt")  # the key's policy names the OUs as well
