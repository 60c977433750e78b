"""The launch roles: AWS's, of the product, and the kit's, of the project template in S3.

Each must exist, trust the service that assumes it, and be allowed everything that creating a project asks of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from scripts.kit.doctor.checks.data_science import come_back
from scripts.kit.doctor.checks.roles import may, service, trust_fix, trusts
from scripts.kit.doctor.facts.stacks import PREFIX
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import LAUNCH_ROLE, PEOPLE_STACK, S3_LAUNCH_ROLE, bundle_bucket

PASSED_TO = {
    "BuildRole": "codebuild.amazonaws.com",
    "GateRole": "codebuild.amazonaws.com",
    "OwnTestsRole": "codebuild.amazonaws.com",
    "PipelineRole": "codepipeline.amazonaws.com",
    "TestRole": "codebuild.amazonaws.com",
}
STOCK_POLICY = "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy"
# What creating a stack of templates/30-project.yaml asks of the role; tests/kit/doctor/test_doctor.py compares it
# with what a rehearsal's launch asked. {a}: account, {r}: Region, {n}: a project's name and id, {i}: its id,
# {b}: the bundle bucket, {k}: the beginning of the kit's roles.
NEEDED = {
    "cloudformation:CreateStack": ["arn:aws:cloudformation:{r}:{a}:stack/SC-{a}-pp-1/*"],
    "cloudformation:DescribeStacks": ["arn:aws:cloudformation:{r}:{a}:stack/SC-{a}-pp-1/*"],
    "cloudformation:TagResource": ["arn:aws:cloudformation:{r}:{a}:stack/SC-{a}-pp-1/*"],
    "codebuild:CreateProject": ["arn:aws:codebuild:{r}:{a}:project/sagemaker-{n}-build"],
    "codecommit:CreateCommit": ["arn:aws:codecommit:{r}:{a}:sagemaker-{n}-modeldeploy"],
    "codecommit:CreateRepository": ["arn:aws:codecommit:{r}:{a}:sagemaker-{n}-modeldeploy"],
    "codecommit:TagResource": ["arn:aws:codecommit:{r}:{a}:sagemaker-{n}-modeldeploy"],
    "codepipeline:CreatePipeline": ["arn:aws:codepipeline:{r}:{a}:sagemaker-{n}-deploy"],
    "codepipeline:TagResource": ["arn:aws:codepipeline:{r}:{a}:sagemaker-{n}-deploy"],
    "iam:PassRole": ["arn:aws:iam::{a}:role/service-role/{k}" + name for name in PASSED_TO],
    "s3:CreateBucket": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:GetBucketPolicy": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:GetObject": ["arn:aws:s3:::{b}/bundle/1/model-deploy.zip"],
    "s3:PutBucketPolicy": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:PutBucketPublicAccessBlock": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:PutBucketTagging": ["arn:aws:s3:::sagemaker-project-{i}"],
    "s3:PutEncryptionConfiguration": ["arn:aws:s3:::sagemaker-project-{i}"],
}
Need = tuple[str, str, dict[str, tuple[str, ...]]]  # action, resource, condition keys


def needed(facts: Snapshot) -> Iterator[Need]:
    """Every action on an example of its resource, with the condition keys that the request has."""
    words = {
        "a": facts.account,
        "r": facts.region,
        "n": "example-p-a1b2c3d4e5f6",
        "i": "p-a1b2c3d4e5f6",
        "b": bundle_bucket(facts.account, facts.region),
        "k": PREFIX,
    }
    for action, resources in NEEDED.items():
        for resource in resources:
            arn = resource.format(**words).replace("arn:aws:", f"arn:{facts.partition}:", 1)
            keys: dict[str, tuple[str, ...]] = {}
            if action == "iam:PassRole":
                keys = {
                    "iam:passedtoservice": (next((to for name, to in PASSED_TO.items() if arn.endswith(name)), ""),)
                }
            if action == "cloudformation:TagResource":  # of a stack that the request makes with its tags
                keys = {"aws:resourcetag/sagemaker:project-name": ("example",)}
            yield action, arn, keys


def distrust(facts: Snapshot, role: Any, name: str, assuming: str) -> Iterator[Place]:
    """The launch role, where its trust policy does not allow the service. name: with its path."""
    if role and not trusts(role, service(assuming)).allowed:
        what = f"its trust policy does not allow {assuming}"
        yield here(facts, f"role {name}", what, trust_fix(name, {"Service": assuming}))


def gaps(facts: Snapshot, role: Any, name: str, needs: Iterable[Need]) -> Iterator[Place]:
    """The launch role, where its policies do not allow what is needed. name: with its path."""
    if not role or not known(role.policies):
        return
    if missing := [f"{action} on {arn}" for action, arn, keys in needs if not may(role, action, arn, keys)]:
        stock = f"arn:{facts.partition}:iam::aws:policy/{STOCK_POLICY}"
        fix = f"aws iam attach-role-policy --role-name {name.rsplit('/', 1)[-1]} --policy-arn {stock}"
        if stock in role.attached:
            fix = "the stock policy is attached and another policy denies these: look at the role's other policies"
            fix += " and its permissions boundary"
        yield here(facts, f"role {name}", f"it may not {'; '.join(missing)}", fix)


# -- AWS's, of the product in Service Catalog --------------------------------------------------


@check(
    "launch-role-missing",
    "error",
    "AWS's launch role is missing",
    "Service Catalog creates projects with it.",
)
def launch_role_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.launch_role is None:
        yield here(
            facts,
            f"role {LAUNCH_ROLE}",
            "there is no such role",
            facts.make_accounts,
        )


@check(
    "launch-role-trust",
    "error",
    "Service Catalog may not assume the launch role",
    "No project can be created, updated or deleted.",
)
def launch_role_trust(facts: Snapshot) -> Iterator[Place]:
    yield from distrust(facts, facts.launch_role, LAUNCH_ROLE, "servicecatalog.amazonaws.com")


@check(
    "launch-role-gaps",
    "error",
    "The launch role may not create everything that is in the product",
    "Creating a project fails half-way, and its stack is rolled back.",
)
def launch_role_gaps(facts: Snapshot) -> Iterator[Place]:
    yield from gaps(facts, facts.launch_role, LAUNCH_ROLE, needed(facts))


# -- the kit's, of the project template in S3 --------------------------------------------------


@check(
    "template-role-missing",
    "error",
    "The launch role of the project template in S3 is missing",
    "CloudFormation creates projects as this role, which template 13 has where templates are published to S3.",
)
def template_role_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.hosted.want and facts.hosted.role is None:
        fix = come_back(PEOPLE_STACK) if facts.data_science.hosting else facts.make_accounts
        yield here(facts, f"role {S3_LAUNCH_ROLE}", "there is no such role", fix)


@check(
    "template-role-trust",
    "error",
    "CloudFormation may not assume the launch role of the project template in S3",
    "No project can be created, updated or deleted.",
)
def template_role_trust(facts: Snapshot) -> Iterator[Place]:
    yield from distrust(facts, facts.hosted.role, S3_LAUNCH_ROLE, "cloudformation.amazonaws.com")


@check(
    "template-role-gaps",
    "error",
    "The launch role of the project template in S3 may not create everything that is in it",
    "Creating a project fails half-way, and its stack is rolled back.",
)
def template_role_gaps(facts: Snapshot) -> Iterator[Place]:
    own = (need for need in needed(facts) if not need[0].startswith("cloudformation:"))  # the caller creates the stack
    yield from gaps(facts, facts.hosted.role, S3_LAUNCH_ROLE, own)
