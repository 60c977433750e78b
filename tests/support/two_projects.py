"""Two projects with their first versions in staging, and what code in a build of the first one holds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.cloud import Session
from scripts.rehearsal import chapters
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support.attacks import LivePolicy, Statement, build_session, role_policy
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
        return build_session(self.story, f"{KIT}{short}Role", f"sagemaker-{self.own.name}-{self.own.id}-{kind}", region)

    @property
    def attacker(self) -> Session:
        return self.build("OwnTests", "own-tests")

    def policy(self, short: str) -> LivePolicy:
        return role_policy(self.root(), f"{KIT}{short}Role", POLICIES[short])

    def tester_arn(self, stage: str) -> str:
        return f"arn:aws:iam::{self.story.setting.targets[stage]}:role/sagemaker-role-{stage}-tester"

    def enter(self, by: Session, session_tags: list[dict[str, str]], stage: str = "staging", **more: Any) -> Session:
        """The tester's session that by gets."""
        arn, name = self.tester_arn(stage), more.pop("RoleSessionName", "own-tests-mine")
        if session_tags:
            more["Tags"] = session_tags
        keys = by.client("sts").assume_role(RoleArn=arn, RoleSessionName=name, **more)["Credentials"]
        found = self.story.cloud.credentials(keys["AccessKeyId"])
        assert found is not None
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


@contextlib.contextmanager
def two_projects(folder: Path) -> Iterator[World]:
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
            InferenceSpecification=with_own_artifact(story, first["InferenceSpecification"]),
            ModelApprovalStatus="PendingManualApproval",
            CustomerMetadataProperties=first["CustomerMetadataProperties"],
        )
        story.model_package_arn = made["ModelPackageArn"]
        assert set_status(story, 1, "Approved")
        assert story.wait_for_stage("DeployStaging") == "Succeeded"
        yield World(story, own, Project(OTHER, story.project_id))
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def with_own_artifact(story: Story, specification: dict[str, Any]) -> dict[str, Any]:
    """The specification with a copy of the artifact among the project's own models: no other is deployed."""
    s3, (container,) = story.scientist.client("s3"), specification["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    own = f"{story.project_name}-{story.project_id}/models/copy/model.tar.gz"
    s3.put_object(Bucket=bucket, Key=own, Body=s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return {**specification, "Containers": [{**container, "ModelDataUrl": f"s3://{bucket}/{own}"}]}


def ask(session: Session, endpoint: str) -> Callable[[], Any]:
    return lambda: session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2"
    )
