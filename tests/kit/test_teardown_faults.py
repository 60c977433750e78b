"""`make teardown` interrupted at every request, and on half-broken installations.

The world is a real installation with a project, whose stages hold a stack that costs no time to deploy (a
parameter in each target account instead of an endpoint).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import teardown
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UserError
from scripts.kit.stacks import stack as stacks
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.story import Story
from tests.support.every_request import problems
from tests.support.faults import Command, Kind, Outcome, World, settle

REGION = "us-east-1"
ENDPOINT = """\
{parameters}
Resources:
  Endpoint:
    Type: AWS::SSM::Parameter
    Properties:
      Name: !Sub /endpoints/${{SageMakerProjectName}}-${{SageMakerProjectId}}-${{StageName}}
      Type: String
      Value: !Ref ModelPackageName
"""


class Installation:
    """The world, and the commands as they are typed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.story: Story
        self.world = World(folder / "faults", self.build)
        self.environment = ["--environment", str(self.story.environment_path)]

    def build(self, cloud: Cloud) -> None:
        self.story = Story(cloud, self.folder)
        play(self.story, until="project")
        for stage in ("staging", "prod"):
            self.deploy(stage)
        self.leave_traces(cloud)

    def deploy(self, stage: str) -> None:
        """The stage's stack as the pipeline deploys it, with the kit's template 40 and a lighter one for 50."""
        story, session = self.story, self.story.engineer
        bucket = f"sagemaker-project-{story.project_id}"
        whole = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
        parameters = whole[whole.index("\nParameters:") : whole.index("\nRules:")]
        body = ENDPOINT.format(parameters=parameters)
        key = "endpoint-templates/light/50-endpoint.yaml"
        session.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
        values = {
            "SageMakerProjectName": story.project_name,
            "SageMakerProjectId": story.project_id,
            "StageName": stage,
            "OrganizationalUnitId": story.setting.units[stage],
            "AccountIds": story.setting.targets[stage],
            "Regions": REGION,
            "EndpointTemplateUrl": f"https://{bucket}.s3.{REGION}.amazonaws.com/{key}",
            "ModelPackageName": f"arn:aws:sagemaker:{REGION}:{session.account}:model-package/{story.project_name}/1",
            "SageMakerExecutionRoleName": f"sagemaker-role-{stage}",
        }
        cloudformation = session.client("cloudformation")
        role = "service-role/AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"
        cloudformation.create_stack(
            StackName=f"sagemaker-{story.project_name}-{story.project_id}-deploy-{stage}",
            TemplateBody=(ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            RoleARN=f"arn:aws:iam::{session.account}:role/{role}",
        )
        name = f"sagemaker-{story.project_name}-{story.project_id}-deploy-{stage}"
        stacks.wait(cloudformation, stacks.Wanted(session.account, name, "", {}), name)

    def leave_traces(self, cloud: Cloud) -> None:
        """What training, testing and serving leave: a pipeline, an artifact and its version, reports, logs."""
        home = cloud.root(self.story.setting.data_science, REGION)
        project = f"{self.story.project_name}-{self.story.project_id}"
        step = {"Name": "Fail", "Type": "Fail", "Arguments": {"ErrorMessage": ""}}
        train = {"Version": "2020-12-01", "Steps": [step]}
        bucket = f"sagemaker-multi-account-models-{home.account}-{REGION}"
        home.client("s3").put_object(Bucket=bucket, Key=f"{project}/train/model.tar.gz", Body=b"model")
        container = {
            "Image": f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.0-5",
            "ModelDataUrl": f"s3://{bucket}/{project}/train/model.tar.gz",
        }
        contents = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        sagemaker = home.client("sagemaker")
        sagemaker.create_pipeline(
            PipelineName=f"{project}-train",
            PipelineDefinition=json.dumps(train),
            RoleArn=f"arn:aws:iam::{home.account}:role/service-role/{people.STUDIO_ROLE}",
        )
        sagemaker.create_model_package(
            ModelPackageGroupName=self.story.project_name,
            InferenceSpecification={"Containers": [container], **contents},
        )
        name, export = f"sagemaker-{project}-test-endpoints", {"exportConfigType": "NO_EXPORT"}
        home.client("codebuild").create_report_group(name=name, type="TEST", exportConfig=export)
        for stage, account in self.story.setting.targets.items():
            logs = cloud.root(account, REGION).client("logs")
            logs.create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{project}-{stage}")

    def manager(self, cloud: Cloud) -> Session:
        return people.sign_in(cloud, self.story.setting.management, people.ENGINEER, REGION)

    def teardown(self, *arguments: str) -> Command:
        line = [*self.environment, *arguments]
        return lambda: teardown.main(line)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installation"))


WHOLE = ("--model-group", "--empty-buckets", "--logs")


KINDS: tuple[Kind, ...] = ("refused", "killed", "lost")


def test_a_teardown_interrupted_at_any_request_and_run_again_ends_as_an_undisturbed_one(
    installation: Installation,
) -> None:
    command = installation.teardown("--project", installation.story.project_name, *WHOLE)
    assert problems(installation.world, command, installation.manager, KINDS) == []


# -- half-broken installations ------------------------------------------------------------------


def broken(installation: Installation, breaks: Callable[[Cloud], None], *arguments: str, runs: int = 1) -> Outcome:
    """What a teardown makes of an installation in which something was broken before."""

    def who(cloud: Cloud) -> Session:
        breaks(cloud)
        return installation.manager(cloud)

    line = arguments or ("--project", installation.story.project_name, *WHOLE)
    return installation.world.case(installation.teardown(*line), who, None, runs)


def nothing_left(outcome: Outcome, installation: Installation) -> bool:
    """No stack, stack set, project or bucket of the project is left."""
    held = json.dumps({k: v for k, v in outcome.state.items() if "Logs" not in k})
    return f"sagemaker-project-{installation.story.project_id}" not in held


def delete_failed(installation: Installation, cloud: Cloud) -> None:
    """The production account refuses, so that the stage's stack ends DELETE_FAILED; then it lets it go."""
    session = people.sign_in(cloud, installation.story.setting.data_science, people.ENGINEER, REGION)
    cloudformation = session.client("cloudformation")
    account = installation.story.setting.targets["prod"]
    iam = cloud.root(account, REGION).client("iam")
    role = next(r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("stacksets-exec-"))
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.detach_role_policy(RoleName=role, PolicyArn=administrator)
    name = f"sagemaker-{installation.story.project_name}-{installation.story.project_id}-deploy-prod"
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(UserError, match="DELETE_FAILED"):
        stacks.wait(cloudformation, stacks.Wanted(session.account, name, "", {}), name)
    iam.attach_role_policy(RoleName=role, PolicyArn=administrator)


def test_a_stage_whose_deletion_failed_is_deleted_once_its_account_lets_it_go(installation: Installation) -> None:
    outcome = broken(installation, lambda cloud: delete_failed(installation, cloud))
    assert outcome.codes == (0,), outcome.told
    assert "DELETE_FAILED" in outcome.told[0]
    assert nothing_left(outcome, installation)


def test_an_account_that_left_the_organization_is_forgotten(installation: Installation) -> None:
    account = installation.story.setting.targets["prod"]

    def leave(cloud: Cloud) -> None:
        organizations = cloud.root(installation.story.setting.management, REGION).client("organizations")
        organizations.remove_account_from_organization(AccountId=account)

    outcome = broken(installation, leave)
    assert outcome.codes == (0,), outcome.told
    assert re.search(rf"delete instance +{account} {REGION} of .*what is in it stays there", outcome.told[0])
    assert nothing_left(outcome, installation)


def test_stages_whose_project_is_gone_are_taken_down_all_the_same(installation: Installation) -> None:
    def delete_project(cloud: Cloud) -> None:
        session = people.sign_in(cloud, installation.story.setting.data_science, people.ENGINEER, REGION)
        sagemaker = session.client("sagemaker")
        sagemaker.delete_project(ProjectName=installation.story.project_name)
        settle(cloud)
        assert sagemaker.list_projects()["ProjectSummaryList"] == []

    outcome = broken(installation, delete_project)
    assert outcome.codes == (0,), outcome.told
    assert "delete stage" in outcome.told[0]
    assert nothing_left(outcome, installation)


def test_a_missing_role_is_named_with_the_command_that_makes_it_again(installation: Installation) -> None:
    role = "AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"

    def delete_role(cloud: Cloud) -> None:
        iam = cloud.root(installation.story.setting.data_science, REGION).client("iam")
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=policy)
        iam.delete_role(RoleName=role)

    outcome = broken(installation, delete_role)
    assert outcome.codes == (1,)
    assert role in outcome.told[0]
    assert "`make accounts` makes it again" in outcome.told[0]
