"""An installation with a project whose stages deploy an alarm instead of an endpoint, which takes no time."""

from __future__ import annotations

import json
from pathlib import Path

from localaws.cloud import Cloud, Session
from scripts import teardown
from scripts.kit.bundle.pack import ROOT
from scripts.kit.names import bundle_bucket
from scripts.kit.stacks import stack as stacks
from scripts.kit.teardown.retained import TRAINING
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.story import Story
from tests.support.faults import Command, Kind, World

REGION = "us-east-1"
ALL_OF_A_PROJECT = ("--model-group", "--empty-buckets", "--logs")  # what `make teardown` keeps unless it is asked to
FAULT_KINDS: tuple[Kind, ...] = ("refused", "killed", "lost")
ENDPOINT = """\
{parameters}
Resources:
  Endpoint:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: !Ref ModelPackageName
      Namespace: AWS/SageMaker
      MetricName: Invocations
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanThreshold
"""


class LightInstallation:
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
        bucket = bundle_bucket(session.account, REGION)  # templates from elsewhere are refused
        whole = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
        parameters = whole[whole.index("\nParameters:") : whole.index("\nRules:")]
        body = ENDPOINT.format(parameters=parameters)
        key = "bundle/light/templates/50-endpoint.yaml"
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
        stacks.wait(cloudformation, stacks.WantedStack(session.account, name, "", {}), name)

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
        for kind in TRAINING:
            sagemaker.create_pipeline(
                PipelineName=f"{project}-{kind}",
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
        line = [*self.environment, *arguments, "--yes"]
        return lambda: teardown.main(line)
