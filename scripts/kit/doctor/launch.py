"""The launch role: whether it is there, and may make everything that is in the product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor import kit
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.doctor.roles import may, read_role, service, trusts
from scripts.kit.publish.catalog import LAUNCH_ROLE, bundle_bucket
from scripts.kit.settings.model import Settings

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

NAME = LAUNCH_ROLE.rsplit("/", 1)[1]
STOCK_POLICY = "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy"
# What making templates/30-project.yaml asks of the role; tests/kit/doctor/test_doctor.py compares it with what a
# rehearsal's launch asked. {a}: account, {r}: region, {n}: a project's name and id, {i}: its id, {b}: the bundle
# bucket, {k}: the beginning of the kit's roles.
NEEDED = {
    "cloudformation:CreateStack": ["arn:aws:cloudformation:{r}:{a}:stack/SC-{a}-pp-1/*"],
    "cloudformation:DescribeStacks": ["arn:aws:cloudformation:{r}:{a}:stack/SC-{a}-pp-1/*"],
    "codebuild:CreateProject": ["arn:aws:codebuild:{r}:{a}:project/sagemaker-{n}-build"],
    "codecommit:CreateCommit": ["arn:aws:codecommit:{r}:{a}:sagemaker-{n}-modeldeploy"],
    "codecommit:CreateRepository": ["arn:aws:codecommit:{r}:{a}:sagemaker-{n}-modeldeploy"],
    "codecommit:TagResource": ["arn:aws:codecommit:{r}:{a}:sagemaker-{n}-modeldeploy"],
    "codepipeline:CreatePipeline": ["arn:aws:codepipeline:{r}:{a}:sagemaker-{n}-deploy"],
    "codepipeline:TagResource": ["arn:aws:codepipeline:{r}:{a}:sagemaker-{n}-deploy"],
    "events:DescribeRule": ["arn:aws:events:{r}:{a}:rule/sagemaker-{i}-model"],
    "events:PutRule": ["arn:aws:events:{r}:{a}:rule/sagemaker-{i}-model"],
    "events:PutTargets": ["arn:aws:events:{r}:{a}:rule/sagemaker-{i}-model"],
    "iam:PassRole": [
        "arn:aws:iam::{a}:role/service-role/{k}" + name
        for name in ("BuildRole", "EventsRole", "PipelineRole", "TestRole")
    ],
    "s3:CreateBucket": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:GetBucketPolicy": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:GetObject": ["arn:aws:s3:::{b}/bundle/1/model-deploy.zip"],
    "s3:PutBucketPolicy": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:PutBucketPublicAccessBlock": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:PutBucketTagging": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:PutEncryptionConfiguration": ["arn:aws:s3:::sagemaker-project-{i}"],
}
PASSED_TO = {
    "BuildRole": "codebuild.amazonaws.com",
    "EventsRole": "events.amazonaws.com",
    "PipelineRole": "codepipeline.amazonaws.com",
    "TestRole": "codebuild.amazonaws.com",
}


def gather(reader: Reader, settings: Settings) -> Any:
    if settings.publishing.to == "s3":  # then the kit has a launch role of its own
        return UNREAD
    return read_role(reader, settings.accounts.data_science, NAME, policies=True)


def needed(it: Snapshot) -> Iterator[tuple[str, str, dict[str, tuple[str, ...]]]]:
    """Every action on an example of its resource, with the condition keys that the request has."""
    words = {
        "a": it.account,
        "r": it.region,
        "n": "example-p-a1b2c3d4e5f6",
        "i": "p-a1b2c3d4e5f6",
        "b": bundle_bucket(it.account, it.region),
        "k": kit.PREFIX,
    }
    for action, resources in NEEDED.items():
        for resource in resources:
            arn = resource.format(**words).replace("arn:aws:", f"arn:{it.partition}:", 1)
            passed = next((to for name, to in PASSED_TO.items() if arn.endswith(name)), "")
            yield action, arn, {"iam:passedtoservice": (passed,)} if action == "iam:PassRole" else {}


@finding(
    "launch-role-missing",
    "stops",
    "AWS's launch role is missing",
    "Service Catalog makes projects with it.",
)
def launch_role_missing(it: Snapshot) -> Iterator[Place]:
    if it.launch_role is None:
        yield here(
            it,
            f"role {LAUNCH_ROLE}",
            "there is no such role",
            'SageMaker console, Domains, the domain, App Configurations, "Enable Amazon SageMaker AI project '
            'templates": that makes it',
        )


@finding(
    "launch-role-trust",
    "stops",
    "Service Catalog may not become the launch role",
    "No project can be created, updated or deleted.",
)
def launch_role_trust(it: Snapshot) -> Iterator[Place]:
    if it.launch_role and not trusts(it.launch_role, service("servicecatalog.amazonaws.com")).allowed:
        yield here(
            it,
            f"role {LAUNCH_ROLE}",
            "its trust policy does not allow servicecatalog.amazonaws.com",
            f"aws iam update-assume-role-policy --role-name {NAME} --policy-document "
            '\'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
            '"Principal": {"Service": "servicecatalog.amazonaws.com"}}]}\'',
        )


@finding(
    "launch-role-gaps",
    "stops",
    "The launch role may not make everything that is in the product",
    "Creating a project fails half-way, and its stack is rolled back.",
)
def launch_role_gaps(it: Snapshot) -> Iterator[Place]:
    if not it.launch_role or not known(it.launch_role.policies):
        return
    gaps = [f"{action} on {arn}" for action, arn, keys in needed(it) if not may(it.launch_role, action, arn, keys)]
    if gaps:
        stock = f"arn:{it.partition}:iam::aws:policy/{STOCK_POLICY}"
        yield here(
            it,
            f"role {LAUNCH_ROLE}",
            f"it may not {'; '.join(gaps)}",
            f"aws iam attach-role-policy --role-name {NAME} --policy-arn {stock}"
            if stock not in it.launch_role.attached
            else "the stock policy is attached, and something denies these: look at the role's other policies and its "
            "permissions boundary",
        )
