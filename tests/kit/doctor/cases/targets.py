"""A target account, broken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localaws import moto_bridge
from localaws.cloudformation.stacks import Stack, Stacks
from localaws.cloudformation.stacksets.state import sets_of
from localaws.services.servicequotas.service import Quotas, code_of
from scripts.kit.builds import LAMBDA_QUOTA
from tests.kit.doctor.cases import case, swapped, without
from tests.kit.doctor.cases.projects import quiet
from tests.support.doctor_world import REGION, World

MODEL, TESTER = "sagemaker-role-staging", "sagemaker-role-staging-tester"


def stack(world: World, account: str, name: str) -> Stack:
    """A living stack whose name begins so."""
    return next(s for s in world.cloud.state(Stacks, account, REGION).alive() if s.name.startswith(name))


def target_stack(world: World) -> Stack:
    found = [s for s in world.cloud.state(Stacks, world.staging, REGION).alive() if "deployment-target" in s.name]
    return found[0]


@contextmanager
def no_role(world: World, account: str, name: str) -> Iterator[None]:
    roles = moto_bridge.backend("iam", account, "aws").roles
    id = next(id for id, role in roles.items() if role.name == name)
    with without(roles, id):
        yield


@contextmanager
def trust(world: World, account: str, name: str, **principal: Any) -> Iterator[None]:
    """The role with another trust policy; condition: of its statement."""
    condition = principal.pop("condition", None)
    iam = world.client("iam", account)
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    statement |= {"Condition": condition} if condition else {}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    yield
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


def test_role(world: World) -> str:
    name = "AmazonSageMakerServiceCatalogProductsMultiAccountTestRole"
    return f"arn:aws:iam::{world.account}:role/service-role/{name}"


@contextmanager
def quota(world: World, account: str, code: str, value: float) -> Iterator[None]:
    with swapped(world.cloud.state(Quotas, account, REGION).values, code, value):
        yield


@case("target-closed", "arn:aws:iam::999999999999:root", fresh=True)
def _(world: World) -> Iterator[None]:
    with trust(world, world.staging, "OrganizationAccountAccessRole", AWS=f"arn:aws:iam::{world.production}:root"):
        yield


@case("target-stack-missing", "make accounts")
def _(world: World) -> Iterator[None]:
    with (
        swapped(target_stack(world), "status", "DELETE_COMPLETE"),
        no_role(world, world.staging, MODEL),
        no_role(world, world.staging, TESTER),
    ):
        yield


@case(
    "target-stack-failed", "aws cloudformation delete-stack-instances --stack-set-name multi-account-deployment-target"
)
def _(world: World) -> Iterator[None]:
    with swapped(target_stack(world), "status", "UPDATE_ROLLBACK_FAILED"):
        yield


@case("target-stack-differs", "make accounts")
def _(world: World) -> Iterator[None]:
    old = target_stack(world)
    with swapped(old, "body", old.body + "\n# as it was in the last version\n"):
        yield


def target_set(world: World) -> Any:
    sets = sets_of(world.cloud, world.management, REGION)
    return next(s for s in sets.by_id.values() if s.name == "multi-account-deployment-target-staging")


@case("target-set-differs", "make accounts")
def _(world: World) -> Iterator[None]:
    found = target_set(world)
    with swapped(found, "body", found.body + "\n# as it was in the last version\n"):
        yield


@case("target-set-account", "make accounts")
def _(world: World) -> Iterator[None]:
    with swapped(target_set(world).instances[world.staging, REGION], "status", "OUTDATED"):
        yield


@case("model-role-missing", "make accounts")
def _(world: World) -> Iterator[None]:
    with no_role(world, world.staging, MODEL):
        yield


@case("model-role-trust", '"Service": "sagemaker.amazonaws.com"')
def _(world: World) -> Iterator[None]:
    with trust(world, world.staging, MODEL, Service="ec2.amazonaws.com"):
        yield


@case("model-role-reads", "templates/20-target-account.yaml")
def _(world: World) -> Iterator[None]:
    iam = world.client("iam", world.staging)
    before = iam.get_role_policy(RoleName=MODEL, PolicyName="run-the-model")["PolicyDocument"]
    iam.delete_role_policy(RoleName=MODEL, PolicyName="run-the-model")
    yield
    iam.put_role_policy(RoleName=MODEL, PolicyName="run-the-model", PolicyDocument=json.dumps(before))


@case("tester-role-missing", "make accounts")
def _(world: World) -> Iterator[None]:
    with no_role(world, world.staging, TESTER):
        yield


@case("tester-role-trust", "MultiAccountTestRole")
def _(world: World) -> Iterator[None]:
    other = f"arn:aws:iam::{world.account}:role/MLEngineer"
    asked = {"StringEquals": {"sts:ExternalId": "rehearsal-tester"}}
    with trust(world, world.staging, TESTER, AWS=other, condition=asked):
        yield


@case("tester-external-id", '"sts:ExternalId": "rehearsal-tester"')
def _(world: World) -> Iterator[None]:
    asked = {"StringEquals": {"sts:ExternalId": "another-word"}}
    with trust(world, world.staging, TESTER, AWS=test_role(world), condition=asked):
        yield


@case("tester-role-open", '"sts:ExternalId": "rehearsal-tester"')
def _(world: World) -> Iterator[None]:
    with trust(world, world.staging, TESTER, AWS=test_role(world)):
        yield


@case("quota-instances", "aws service-quotas request-service-quota-increase --service-code sagemaker")
def _(world: World) -> Iterator[None]:
    with quota(world, world.staging, code_of("ml.t2.medium for endpoint usage"), 0.0):
        yield


@case("quota-blue-green", "--desired-value 2")
def _(world: World) -> Iterator[None]:
    with quota(world, world.staging, code_of("ml.t2.medium for endpoint usage"), 1.0):
        yield


@case("quota-builds", "--service-code codebuild")
def _(world: World) -> Iterator[None]:
    with quota(world, world.account, code_of(LAMBDA_QUOTA), 0.0):
        yield


@case("quota-training", "--service-code sagemaker")
def _(world: World) -> Iterator[None]:
    with quota(world, world.account, code_of("ml.m5.large for training job usage"), 0.0):
        yield


@contextmanager
def staging_has(world: World, **settings: str) -> Iterator[None]:
    """A push of other settings for staging, which starts nothing."""
    with quiet(world) as file:
        content = json.dumps({"Parameters": settings}).encode()
        world.client("codecommit").put_file(**file, fileContent=content)
        yield


@case("quota-jobs", "--desired-value 1 --region us-east-1")
def _(world: World) -> Iterator[None]:
    monitor = {"DataCaptureS3Uri": "account", "MonitorHours": "24", "MonitorInstanceType": "ml.m5.xlarge"}
    with (
        staging_has(world, InstanceType="ml.t2.medium", **monitor),
        quota(world, world.staging, code_of("ml.m5.xlarge for processing job usage"), 0.0),
    ):
        yield


@case("quota-serverless", "--quota-code L-96300102 --desired-value 20")
def _(world: World) -> Iterator[None]:
    with staging_has(world, EndpointKind="serverless", ServerlessMaxConcurrency="20"):
        yield
