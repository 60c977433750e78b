"""A project whose training repository is built on a push, and what the code of a build or of its jobs holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from awslang.principals import service_principal
from localaws.cloud import Session
from scripts.rehearsal.story import Story
from tests.support.attacks import LivePolicy, build_session, role_policy
from tests.support.installation import Installation
from tests.support.two_projects import KIT

ROLE, POLICY = f"{KIT}TrainingRole", "train-on-push"
TEST = "def test_of_the_team():\n    assert {}\n"
FAIL = {"Name": "Fail", "Type": "Fail", "Arguments": {"ErrorMessage": ""}}
EMPTY = json.dumps({"Version": "2020-12-01", "Steps": [FAIL]})


@dataclass
class World:
    kit: Installation

    @property
    def story(self) -> Story:
        return self.kit.story

    @property
    def root(self) -> Session:
        return self.story.cloud.root(self.kit.account, self.story.region)

    @property
    def project(self) -> str:
        return f"{self.story.project_name}-{self.story.project_id}"

    @property
    def pipeline(self) -> str:
        return f"sagemaker-{self.project}-train"

    @property
    def role(self) -> str:
        return f"arn:aws:iam::{self.kit.account}:role/service-role/{ROLE}"

    @property
    def tags(self) -> list[dict[str, str]]:
        story = self.story
        return [
            {"Key": "sagemaker:project-name", "Value": story.project_name},
            {"Key": "sagemaker:project-id", "Value": story.project_id},
        ]

    @property
    def artifacts(self) -> str:
        return f"sagemaker-project-{self.story.project_id}"

    @property
    def models(self) -> str:
        return f"sagemaker-multi-account-models-{self.kit.account}-{self.story.region}"

    @property
    def version(self) -> str:
        return f"arn:aws:sagemaker:{self.story.region}:{self.kit.account}:model-package/{self.story.project_name}/1"

    @property
    def build(self) -> Session:
        """What code in the build holds."""
        return build_session(self.story, ROLE, self.pipeline)

    @property
    def job(self) -> Session:
        """What code in a job of the build holds."""
        by = service_principal("sagemaker.amazonaws.com", SourceAccount=self.kit.account)
        return self.story.cloud.assume_role(self.role, "SageMaker", by, self.story.region)

    @property
    def policy(self) -> LivePolicy:
        return role_policy(self.root, ROLE, POLICY)

    def commit(self, **files: str) -> str:
        """A push of these files to the training repository; its commit."""
        codecommit, name = self.root.client("codecommit"), f"sagemaker-{self.project}-modelbuild"
        head = codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"]
        puts = [{"filePath": path, "fileContent": text.encode()} for path, text in files.items()]
        made = codecommit.create_commit(
            repositoryName=name, branchName="main", parentCommitId=head, putFiles=puts, authorName="Grace Hopper"
        )
        return str(made["commitId"])

    def executions(self) -> list[dict[str, Any]]:
        found = self.root.client("codepipeline").list_pipeline_executions(pipelineName=self.pipeline)
        executions: list[dict[str, Any]] = found["pipelineExecutionSummaries"]
        return executions

    def versions(self) -> list[dict[str, Any]]:
        found = self.root.client("sagemaker").list_model_packages(
            ModelPackageGroupName=self.story.project_name, SortOrder="Descending"
        )
        versions: list[dict[str, Any]] = found["ModelPackageSummaryList"]
        return versions


def full_pipeline(world: World) -> str:
    """project.toml with the pipeline of all steps for iris."""
    text = (world.kit.tree / "seed-code/model-build/project.toml").read_text()
    text = text.replace('pipeline = "short"', 'pipeline = "full"', 1)
    return re.sub(r'("(validation|train):.*\n)+', "accuracy = { goal = 'maximize', bound = 0.8 }\n", text, count=1)


def own(world: World, who: str) -> Session:
    session: Session = getattr(world, who)
    return session


def quiet(world: World) -> None:
    """What a wider policy lets through starts no pipeline: that is another test's."""
    for rule in ("approved", "pushed"):
        world.root.client("events").disable_rule(Name=f"sagemaker-multi-account-{rule}")


def pipeline_of(world: World, name: str, tags: list[dict[str, str]], role: str) -> str:
    world.root.client("sagemaker").create_pipeline(PipelineName=name, PipelineDefinition=EMPTY, RoleArn=role, Tags=tags)
    return name
