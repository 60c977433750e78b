"""Attacks with the stage role: what a pipeline could do that deploys something other than the published template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from awslang.template.reader import read
from localaws.cloud import Cloud, Session
from scripts.kit.names import bundle_bucket
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import ROOT
from tests.support.attacks import LivePolicy, check_denied, role_policy

ROLE = "AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"
DELEGATED = {"CallAs": "DELEGATED_ADMIN"}
ALARM = """\
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      {Namespace: a, MetricName: b, Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 1,
       ComparisonOperator: GreaterThanThreshold}
"""
ADMINISTRATOR = """\
  Backdoor:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {AWS: 'arn:aws:iam::111111111111:root'}, Action: 'sts:AssumeRole'}]
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']
"""


@dataclass
class Attack:
    """The stage role in someone's hands, and stack sets to try it on."""

    cloud: Cloud
    story: Story
    role: Session
    policy: LivePolicy

    def url(self, name: str, body: str) -> str:
        """The address of a template in the bundle bucket, as if it were published."""
        bucket, key = (
            bundle_bucket(self.story.setting.data_science, self.story.region),
            f"bundle/{name}/templates/50-endpoint.yaml",
        )
        self.story.engineer.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
        return f"https://{bucket}.s3.{self.story.region}.amazonaws.com/{key}"

    def stack_set(self, name: str, **template: Any) -> str:
        self.role.client("cloudformation").create_stack_set(
            StackSetName=name,
            PermissionModel="SERVICE_MANAGED",
            AutoDeployment={"Enabled": False},
            Capabilities=["CAPABILITY_IAM"],
            **DELEGATED,
            **template,
        )
        return name

    def deploy(self, name: str, unit: str, account: str) -> str:
        targets = {"OrganizationalUnitIds": [unit], "Accounts": [account], "AccountFilterType": "INTERSECTION"}
        return str(
            self.role.client("cloudformation").create_stack_instances(
                StackSetName=name, Regions=[self.story.region], DeploymentTargets=targets, **DELEGATED
            )["OperationId"]
        )


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    folder = tmp_path_factory.mktemp("stage")
    with embedded_aws(folder / "aws") as cloud:
        story = Story(cloud, folder)
        chapters.organization(story)
        chapters.permissions(story)
        account = story.setting.data_science
        arn = f"arn:aws:iam::{account}:role/service-role/{ROLE}"
        role = cloud.service_role(arn, "stage", "cloudformation.amazonaws.com", story.region)
        story.setting = people.with_units(cloud, story.setting)
        yield Attack(cloud, story, role, role_policy(cloud.root(account, story.region), ROLE, "deploy-stages"))
    assert not cloud.faults, cloud.faults


def staging(attack: Attack) -> tuple[str, str]:
    return attack.story.setting.units["staging"], attack.story.setting.targets["staging"]


def test_the_stage_role_deploys_what_endpoints_need_to_a_published_unit(attack: Attack) -> None:
    name = attack.stack_set("sagemaker-fine", TemplateURL=attack.url("fine", ALARM))
    assert attack.deploy(name, *staging(attack))


def test_a_stage_whose_template_holds_an_iam_role_is_refused(attack: Attack) -> None:
    name = attack.stack_set("sagemaker-backdoor", TemplateURL=attack.url("backdoor", ALARM + ADMINISTRATOR))
    check_denied(lambda: attack.deploy(name, *staging(attack)), "type/resource/AWS-IAM-Role")
    every = "arn:aws:cloudformation:*:*:type/resource/*"
    with attack.policy.changed("DeployTheTypesOfEndpoints", lambda s: {**s, "Resource": [*s["Resource"], every]}):
        assert attack.deploy(name, *staging(attack))


@pytest.mark.parametrize("which", ["another OU", "the root"])
def test_a_stage_that_targets_what_was_not_published_is_refused(attack: Attack, which: str) -> None:
    organizations = attack.cloud.root(attack.story.setting.management, attack.story.region).client("organizations")
    unit = str(organizations.list_roots()["Roots"][0]["Id"])
    if which == "another OU":
        made = organizations.create_organizational_unit(ParentId=unit, Name="payroll")
        unit = str(made["OrganizationalUnit"]["Id"])
    name = attack.stack_set(f"sagemaker-{which.replace(' ', '-')}", TemplateURL=attack.url("fine", ALARM))
    check_denied(
        lambda: attack.deploy(name, unit, attack.story.setting.targets["prod"]), f"stackset-target/{name}/{unit}"
    )
    every = "arn:aws:cloudformation:*:*:stackset-target/sagemaker-*"
    session = attack.cloud.root(attack.story.setting.data_science, attack.story.region)
    policy = role_policy(session, ROLE, "deploy-to-published-units")
    with policy.changed("DeployToPublishedUnits", lambda s: {**s, "Resource": every}):
        assert attack.deploy(name, unit, attack.story.setting.targets["prod"])


def test_a_stage_whose_template_is_not_in_the_bundle_bucket_is_refused(attack: Attack) -> None:
    s3 = attack.cloud.root(attack.story.setting.data_science, attack.story.region).client("s3")
    s3.create_bucket(Bucket="sagemaker-elsewhere")
    s3.put_object(Bucket="sagemaker-elsewhere", Key="bundle/1/templates/50-endpoint.yaml", Body=ALARM.encode())
    elsewhere = (
        f"https://sagemaker-elsewhere.s3.{attack.story.region}.amazonaws.com/bundle/1/templates/50-endpoint.yaml"
    )
    check_denied(lambda: attack.stack_set("sagemaker-url", TemplateURL=elsewhere), "CreateStackSets")
    check_denied(lambda: attack.stack_set("sagemaker-text", TemplateBody=ALARM), "CreateStackSets")
    with attack.policy.changed("CreateStackSets", lambda s: {k: v for k, v in s.items() if k != "Condition"}):
        assert attack.stack_set("sagemaker-text", TemplateBody=ALARM)


def test_a_stage_that_is_updated_to_a_template_that_is_not_published_is_refused(attack: Attack) -> None:
    name = attack.stack_set("sagemaker-update", TemplateURL=attack.url("fine", ALARM))

    def update() -> object:
        client = attack.role.client("cloudformation")
        return client.update_stack_set(StackSetName=name, TemplateBody=ALARM, **DELEGATED)

    check_denied(update, "UpdateStackSets")
    with attack.policy.changed("UpdateStackSets", lambda s: {k: v for k, v in s.items() if k != "Condition"}):
        assert update()


def test_the_types_of_the_stage_role_are_those_of_the_endpoint_template() -> None:
    """All in one template: a role that has a policy of another stack is not deleted with its own."""

    def document(name: str) -> Any:
        return read((ROOT / f"templates/{name}").read_text(encoding="utf-8"))[0]

    needed = {one["Type"].replace("::", "-") for one in document("50-endpoint.yaml")["Resources"].values()}
    statements = document("12-project-roles.yaml")["Resources"]["StageRole"]["Properties"]["Policies"][0]
    (statement,) = (s for s in statements["PolicyDocument"]["Statement"] if s["Sid"] == "DeployTheTypesOfEndpoints")
    allowed = [one["Fn::Sub"].rsplit("type/resource/", 1) for one in statement["Resource"]]
    assert {parts[1] for parts in allowed if len(parts) == 2} == needed
