"""The rehearsal that the mistakes are made in: played up to an approved model, then changed and restored."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from scripts.kit.bundle import pack
from scripts.kit.console import UserError, explain
from scripts.kit.names import bundle_bucket
from scripts.kit.plan import PlanStep
from scripts.kit.projects.history import ENDED
from scripts.kit.stacks import data_science
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.target_roles import TARGET_TEMPLATE
from scripts.rehearsal import chapters, deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed, signed_in
from tests.mistakes import ROOT, Mistake, unit_tests
from tests.support.sagemaker_world import whole_template
from tests.support.story_steps import commit, new_execution, version_arn

TWENTY, THIRTY = TARGET_TEMPLATE, pack.PRODUCT
STAGE_ROLE = "AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"
TRAINING = "seed-code/model-build/"
STACKS = {  # the name of a template's stack, as a pattern
    **{template: name for name, template in data_science.TEMPLATES.items()},
    TWENTY: "StackSet-multi-account-deployment-target-staging-.+",
}
RULES = "sagemaker-multi-account"  # what the names of the event rules begin with
NO_CHANGE = "No updates are to be performed"


class World:
    """A story that stands after its deployment to staging, and what may be done to it."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.story = Story(cloud, folder)
        self.made = 0  # accounts and projects

    def prepare(self) -> None:
        """Play the unmodified bundle up to staging: every check passes on it."""
        chapters.play(self.story, until="staging")
        self.stop_execution()
        self.story.engineer.client("events").disable_rule(Name=f"{RULES}-pushed")  # the checks start the executions
        chapters.train(self.story)
        self.approve_second()
        self.story.model_package_arn = version_arn(self.story, 1)

    def approve_second(self) -> None:
        """Approve version 2, which the starter records; the execution that it starts is stopped."""
        before = {execution["pipelineExecutionId"] for execution in self.story.executions()}
        sagemaker = self.story.scientist.client("sagemaker")
        sagemaker.update_model_package(ModelPackageArn=version_arn(self.story, 2), ModelApprovalStatus="Approved")
        started = new_execution(self.story, before)
        assert started, "the approval of version 2 started nothing"
        self.story.execution_id = started
        self.stop_execution()

    @cached_property
    def unit_tests(self) -> unit_tests.Prepared:
        """The unit tests of the pipeline's steps, signed in as the data scientist."""
        with signed_in(self.story.scientist):
            return unit_tests.Prepared(self.story.folder, dict(os.environ))

    # -- sessions ------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        return self.story.setting.data_science

    @property
    def launcher(self) -> Session:
        """Service Catalog acting as AWS's launch role."""
        role = f"arn:aws:iam::{self.account}:role/service-role/{people.LAUNCH_ROLE}"
        return self.cloud.service_role(role, "servicecatalog", "servicecatalog.amazonaws.com", self.story.region)

    def decide(self, version: int, status: str) -> None:
        """Approve or reject a version of the project's model without starting the pipeline."""
        events, rule = self.story.engineer.client("events"), f"{RULES}-approved"
        events.disable_rule(Name=rule)
        sagemaker = self.story.scientist.client("sagemaker")
        sagemaker.update_model_package(ModelPackageArn=version_arn(self.story, version), ModelApprovalStatus=status)
        events.enable_rule(Name=rule)

    # -- stacks --------------------------------------------------------------------------------

    def account_stack(self, template: str, body: str) -> tuple[Any, stacks.WantedStack]:
        """CloudFormation in the account of a template, and the stack as it is there but with another body."""
        account = self.story.setting.targets["staging"] if template == TWENTY else self.account
        cloudformation = self.cloud.root(account, self.story.region).client("cloudformation")
        listed = cloudformation.describe_stacks()["Stacks"]
        found = next(stack for stack in listed if re.fullmatch(STACKS[template], stack["StackName"]))
        parameters = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found["Parameters"]}
        return cloudformation, stacks.WantedStack(account, found["StackName"], body, parameters, template)

    def update_account(self, template: str, body: str) -> None:
        """Deploy a template of the accounts as scripts.accounts does; UserError says what failed."""
        cloudformation, want = self.account_stack(template, body)
        stacks.apply(cloudformation, want, stacks.make_plan(want, stacks.look(cloudformation, want)))

    def create_account(self, template: str, body: str, **parameters: str) -> stacks.WantedStack:
        """The same in an account of its own, where nothing is yet but the role of Studio."""
        self.made += 1
        _, known = self.account_stack(template, body)
        want = replace(known, account=f"4{self.made:011}", parameters={**known.parameters, **parameters})
        there = self.cloud.root(want.account, self.story.region)
        there.client("iam").create_role(
            RoleName=people.STUDIO_ROLE, AssumeRolePolicyDocument=people.trust(Service="sagemaker.amazonaws.com")
        )
        stacks.apply(there.client("cloudformation"), want, PlanStep("create", "stack", want.name))
        return want

    def project_stack(self) -> str:
        found = self.story.engineer.client("sagemaker").describe_project(ProjectName=self.story.project_name)
        details = found["ServiceCatalogProvisionedProductDetails"]
        return f"SC-{self.account}-{details['ProvisionedProductId']}"

    def project_request(self, stack: str, body: str, **parameters: str) -> dict[str, Any]:
        """What Service Catalog asks CloudFormation for, from the parameters of the story's own project."""
        cloudformation = self.story.engineer.client("cloudformation")
        found = cloudformation.describe_stacks(StackName=self.project_stack())["Stacks"][0]
        values = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found["Parameters"]} | parameters
        return {
            "StackName": stack,
            "TemplateURL": self.put(body),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            "Tags": [tag for tag in found["Tags"] if not tag["Key"].startswith("aws:")],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }

    def put(self, body: str) -> str:
        """The URL of a template in the bundle bucket, where the launch role reads."""
        bucket, key = bundle_bucket(self.account, self.story.region), "bundle/mistake/templates/30-project.yaml"
        self.story.engineer.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
        return f"https://{bucket}.s3.{self.story.region}.amazonaws.com/{key}"

    def update_project(self, body: str) -> None:
        """Change the story's project to another template, as the launch role."""
        cloudformation, stack = self.launcher.client("cloudformation"), self.project_stack()
        try:
            cloudformation.update_stack(**self.project_request(stack, body))
        except ClientError as error:
            if NO_CHANGE not in str(error):
                raise
            return
        self.settle(stack)

    def settle(self, stack: str) -> None:
        """Wait for a stack; StoryFailed where it failed."""
        cloudformation = self.story.engineer.client("cloudformation")

        def status() -> str | None:
            found: str = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            return None if found.endswith("_IN_PROGRESS") else found

        ended = self.story.until(stack, status)
        if ended not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise StoryFailed(f"{stack}: {ended}", self.account, chapters.stack_failures(self.story, stack, THIRTY))

    @property
    def stage_role(self) -> str:
        return f"arn:aws:iam::{self.account}:role/service-role/{STAGE_ROLE}"

    def stage_status(self) -> str:
        cloudformation = self.story.engineer.client("cloudformation")
        return str(cloudformation.describe_stacks(StackName=self.stage_stack())["Stacks"][0]["StackStatus"])

    def stage_stack(self) -> str:
        return f"sagemaker-{self.story.project_name}-{self.story.project_id}-deploy-staging"

    def served(self) -> int:
        """The version in staging."""
        cloudformation = self.story.engineer.client("cloudformation")
        outputs = stacks.outputs(cloudformation.describe_stacks(StackName=self.stage_stack())["Stacks"][0])
        return int(outputs["ModelPackageName"].rsplit("/", 1)[1])

    def create_like(self, session: Session, stack: str, mistake: Mistake, **more: str) -> None:
        """Create a stack from a mistaken template for another project, with the parameters that a stack has."""
        self.made += 1
        id = f"p-mistake{self.made:04}"
        cloudformation = session.client("cloudformation")
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        values = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found["Parameters"]}
        values["SageMakerProjectId"] = id
        name, text = stack.replace(self.story.project_id, id), mistake.text()
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        try:
            stack_id = cloudformation.create_stack(
                StackName=name,
                **whole_template(self.cloud, text, session.account),
                Parameters=parameters,
                OnFailure="DELETE",
                **more,
            )["StackId"]
        except ClientError as error:
            raise UserError(f"{mistake.file}: {explain(error)}") from error
        stacks.wait(cloudformation, stacks.WantedStack(session.account, name, text, {}, mistake.file), stack_id)

    # -- the deploy repository and the pipeline's code ------------------------------------------

    def commit(self, file: str, text: str) -> None:
        """Write a file of the bundle into the project's deploy repository."""
        commit(self.story, file.removeprefix("seed-code/model-deploy/"), text, "A mistake, or its correction")

    def publish(self, file: str, text: str) -> None:
        """Write a file of the pipeline's code over the published one, which a publisher alone may."""
        s3 = self.story.engineer.client("s3")
        cloudformation = self.story.engineer.client("cloudformation")
        found = cloudformation.describe_stacks(StackName=self.project_stack())["Stacks"][0]["Parameters"]
        keys = {p["ParameterKey"]: p.get("ParameterValue", "") for p in found}
        sources = pack.read_tree(ROOT) | {file: text.encode()}
        bodies = {
            keys["PipelineCodeKey"]: pack.zip_bytes(pack.pipeline_code(sources)),
            keys["EndpointTemplateKey"]: sources["templates/50-endpoint.yaml"],
        }
        for key, body in bodies.items():
            s3.put_object(Bucket=bundle_bucket(self.account, self.story.region), Key=key, Body=body)

    @contextmanager
    def changed(self, mistake: Mistake) -> Iterator[None]:
        """With the mistake in the accounts, in the project or in its repositories, and without it afterwards."""
        write: Callable[[str], object]
        file = mistake.file
        if file in STACKS:
            write = lambda body: self.update_account(file, body)  # noqa: E731
        elif file == THIRTY:
            write = self.update_project
        elif file.startswith(TRAINING):
            write = (chapters.training_repository(self.story) / file.removeprefix(TRAINING)).write_text
        elif file in pack.AT_ROOT or file.startswith("pipeline/"):
            write = lambda body: self.publish(file, body)  # noqa: E731
        else:
            write = lambda body: self.commit(file, body)  # noqa: E731
        try:
            write(mistake.text())
            self.cloud.forget_sessions()
            yield
        finally:
            write((ROOT / file).read_text(encoding="utf-8"))
            self.repair()

    def repair(self) -> None:
        """Finish a rollback that the mistake made impossible."""
        stack = self.stage_stack()
        if self.stage_status() == "UPDATE_ROLLBACK_FAILED":
            self.cloud.forget_sessions()
            self.story.engineer.client("cloudformation").continue_update_rollback(
                StackName=stack, RoleARN=self.stage_role
            )
            self.story.until(stack, lambda: self.stage_status() == "UPDATE_ROLLBACK_COMPLETE")

    # -- executions ----------------------------------------------------------------------------

    def stop_execution(self) -> None:
        """Leave no execution of this story behind."""
        story = self.story
        if not story.execution_id:
            return
        ours = next(e for e in story.executions() if e["pipelineExecutionId"] == story.execution_id)
        if ours["status"] in ENDED:
            return
        story.engineer.client("codepipeline").stop_pipeline_execution(
            pipelineName=story.pipeline_name, pipelineExecutionId=story.execution_id, abandon=True
        )
        story.wait_for_execution(story.execution_id)

    def deploy(self) -> None:
        """Start the pipeline with the other version, and follow it until it waits for approval."""
        story = self.story
        version = "2" if self.served() == 1 else "1"
        story.execution_id = story.engineer.client("codepipeline").start_pipeline_execution(
            name=story.pipeline_name, variables=[{"name": "ModelPackageVersion", "value": version}]
        )["pipelineExecutionId"]
        try:
            deploying.staging(story)
            deploying.approval_token(story, story.scientist.client("codepipeline"))
        finally:
            self.stop_execution()


@contextmanager
def prepared(folder: Path) -> Iterator[World]:
    """A world in which the unmodified bundle has passed every check."""
    with embedded_aws(folder) as cloud:
        made = World(cloud, folder)
        made.prepare()
        try:
            yield made
        finally:
            if "unit_tests" in vars(made):
                made.unit_tests.close()
