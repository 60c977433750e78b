"""An organization that demands a permissions boundary and a tag: its service control policy, and the story under it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud
from scripts.kit.names import S3_LAUNCH_ROLE, bundle_bucket
from scripts.kit.publish import hosting
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.story import Story
from tests.support.attacks import LivePolicy

BOUNDARY, PATH = "ml/Boundary", "/ml/"
TAGS = {"cost-center": "1234", "data class": "internal only"}
TAG_LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]
# What creates something, and carries its tags in the same request (the resource types' schemas, tagging.tagOnCreate; of
# CodeBuild the API). A bucket of the embedded AWS gets its tags in a second one, and a rule none.
CREATES = [
    "cloudformation:CreateStack", "cloudwatch:PutMetricAlarm", "codebuild:CreateProject", "codecommit:CreateRepository",
    "codepipeline:CreatePipeline", "iam:CreateRole", "kms:CreateKey", "sagemaker:CreateEndpoint",
    "sagemaker:CreateEndpointConfig", "sagemaker:CreateModel", "sagemaker:CreateModelPackageGroup",
    "servicecatalog:CreatePortfolio", "servicecatalog:CreateProduct", "sns:CreateTopic", "ssm:PutParameter",
    "states:CreateStateMachine",
]  # fmt: skip
RULES: list[dict[str, Any]] = [
    {
        "Sid": "DemandBoundary",
        "Effect": "Deny",
        "Action": ["iam:CreateRole", "iam:PutRolePermissionsBoundary"],
        "Resource": "*",
        "Condition": {"ArnNotLike": {"iam:PermissionsBoundary": f"arn:aws:iam::*:policy/{BOUNDARY}"}},
    },
    {"Sid": "KeepBoundary", "Effect": "Deny", "Action": "iam:DeleteRolePermissionsBoundary", "Resource": "*"},
    *(
        {
            "Sid": f"DemandTag{number}",
            "Effect": "Deny",
            "Action": CREATES,
            "Resource": "*",
            "Condition": {"StringNotEquals": {f"aws:RequestTag/{key}": value}},
        }
        for number, (key, value) in enumerate(TAGS.items(), 1)
    ),
]
LIMITS: list[dict[str, Any]] = [  # what no role of the kit needs: a boundary that shows
    {"Sid": "AllElse", "Effect": "Allow", "Action": "*", "Resource": "*"},
    {"Sid": "NoUsers", "Effect": "Deny", "Action": ["iam:CreateUser", "iam:CreateAccessKey"], "Resource": "*"},
]
SETTINGS = f"""\
  permissions_boundary: {BOUNDARY}
  path: {PATH}
"""


def document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def begin(cloud: Cloud, folder: Path) -> tuple[Story, LivePolicy]:
    """The organization with its rules, its boundary in each account, and the settings that meet them."""
    story = organized(Story(cloud, folder))
    return story, demand(cloud, story)


def organized(story: Story) -> Story:
    """The accounts, with the boundary in each, and the settings."""
    chapters.organization(story)
    text = story.environment_path.read_text()
    tags = "".join(f"  {key}: '{value}'\n" for key, value in TAGS.items())
    text = text.replace("  publishers:", f"{SETTINGS}  publishers:", 1)
    story.environment_path.write_text(f"{text}publishing: {{to: both}}\ntags:\n{tags}")
    for account in (story.setting.data_science, *story.setting.targets.values()):
        story.cloud.root(account, story.region).client("iam").create_policy(
            PolicyName="Boundary", Path="/ml/", PolicyDocument=document(LIMITS)
        )
    return story


def demand(cloud: Cloud, story: Story) -> LivePolicy:
    """The service control policy, attached to the root of the organization."""
    organizations = cloud.root(story.setting.management, story.region).client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    made = organizations.create_policy(
        Content=document(RULES), Description="d", Name="rules", Type="SERVICE_CONTROL_POLICY"
    )
    id = made["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=id, TargetId=root)
    return LivePolicy(
        lambda: str(organizations.describe_policy(PolicyId=id)["Policy"]["Content"]),
        lambda text: organizations.update_policy(PolicyId=id, Content=text),
    )


def accounts(story: Story, *arguments: str) -> str:
    manager = people.sign_in(story.cloud, story.setting.set_up_from, people.ENGINEER, story.region)
    return story.command(manager, "scripts.accounts", "--environment", str(story.environment_path), *arguments)


def set_up(story: Story) -> None:
    """`make accounts`, and an approver's role, which people make by the same rules."""
    accounts(story, "--invite")
    story.setting = people.with_units(story.cloud, story.setting)
    account = story.setting.data_science
    iam = story.cloud.root(account, story.region).client("iam")
    iam.create_user(UserName=people.APPROVER)
    iam.create_role(
        RoleName=people.APPROVER,
        AssumeRolePolicyDocument=people.trust(AWS=f"arn:aws:iam::{account}:user/{people.APPROVER}"),
        PermissionsBoundary=f"arn:aws:iam::{account}:policy/{BOUNDARY}",
        Tags=TAG_LIST,
    )
    policy = f"arn:aws:iam::{account}:policy/{people.APPROVER_POLICY}"
    iam.attach_role_policy(RoleName=people.APPROVER, PolicyArn=policy)


def project(story: Story) -> None:
    """A project from the product, whose roles are those with the path."""
    roles = {
        "SageMakerExecutionRoleStagingName": "ml/sagemaker-role-staging",
        "SageMakerExecutionRoleProdName": "ml/sagemaker-role-prod",
    }
    story.project_id = chapters.create_project(story, story.project_name, **roles)
    first = story.until("the pipeline's first execution", lambda: next(iter(story.executions()), None))
    assert story.wait_for_execution(first["pipelineExecutionId"]) == "Succeeded", story.diagnosis()


def hosted_project(story: Story, name: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """A project from the template in S3, as the data scientist creates it; DescribeProject, once it has ended."""
    sagemaker, account = story.scientist.client("sagemaker"), story.setting.data_science
    bucket = bundle_bucket(account, story.region)
    listed = story.engineer.client("s3").list_objects_v2(Bucket=bucket, Prefix=hosting.PREFIX)["Contents"]
    provider = {
        "TemplateName": hosting.TEMPLATE_NAME,
        "TemplateURL": f"https://{bucket}.s3.{story.region}.amazonaws.com/{listed[0]['Key']}",
        "RoleARN": f"arn:aws:iam::{account}:role/{S3_LAUNCH_ROLE}",
    }
    given = {"Tags": tags} if tags else {}
    sagemaker.create_project(ProjectName=name, TemplateProviders=[{"CfnTemplateProvider": provider}], **given)

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
        return None if shown["ProjectStatus"].endswith(("Pending", "InProgress")) else shown

    found: dict[str, Any] = story.until(f"project {name}", ended)
    return found


def deploy(story: Story) -> None:
    """A version is trained, approved, tested in staging, approved for production and deployed there."""
    for chapter in ("training", "model-approval", "staging", "deployment-approval", "production", "predictions"):
        chapters.CHAPTERS[chapter][1](story)
