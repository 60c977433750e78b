"""Principals that could get past the approver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scripts.kit.doctor.facts import stacks
from scripts.kit.names import OTHERS_POLICY
from scripts.kit.stacks.project_roles import USE_ROLE
from scripts.rehearsal import setting as people
from tests.kit.doctor.cases import case
from tests.kit.doctor.cases.targets import TESTER
from tests.support.attacks import LivePolicy, bucket_policy
from tests.support.doctor_world import World

DEVELOPER = "Developer"
PUT = f"aws iam put-role-policy --role-name {DEVELOPER} --policy-name not-past-the-approver-"
ANYBODY = "arn:aws:iam::{}:root"


@contextmanager
def developer(world: World, *actions: str, account: str = "", resource: Any = "*") -> Iterator[str]:
    """A role of a developer, which the account's other principals may not take on, with these rights; its ARN."""
    account = account or world.account
    iam = world.client("iam", account)
    role = iam.create_role(RoleName=DEVELOPER, AssumeRolePolicyDocument=people.trust(Service="ec2.amazonaws.com"))
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=DEVELOPER, PolicyName="work", PolicyDocument=document)
    try:
        yield str(role["Role"]["Arn"])
    finally:
        for name in iam.list_role_policies(RoleName=DEVELOPER)["PolicyNames"]:
            iam.delete_role_policy(RoleName=DEVELOPER, PolicyName=name)
        iam.delete_role(RoleName=DEVELOPER)


def trust_policy(world: World, role: str, account: str = "") -> LivePolicy:
    iam = world.client("iam", account or world.account)
    return LivePolicy(
        lambda: json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]),
        lambda text: iam.update_assume_role_policy(RoleName=role, PolicyDocument=text),
    )


@contextmanager
def added(policy: LivePolicy, **statement: Any) -> Iterator[None]:
    """The policy with one more statement that allows."""
    before = policy.read()
    document = json.loads(before)
    document["Statement"].append({"Effect": "Allow", **statement})
    policy.write(json.dumps(document))
    try:
        yield
    finally:
        policy.write(before)


@case("could-start-builds", f"{PUT}builds")
def _(world: World) -> Iterator[None]:
    with developer(world, "codebuild:StartBuild"):
        yield


@case("could-write-buckets", f"{PUT}buckets")
def _(world: World) -> Iterator[None]:
    with developer(world, "s3:PutBucketPolicy"):
        yield


@case("could-pass-roles", f"{PUT}roles")
def _(world: World) -> Iterator[None]:
    with developer(world, "iam:PassRole", resource=f"arn:aws:iam::{world.account}:role/service-role/{stacks.PREFIX}*"):
        yield


@case("could-change-pipelines", f"{PUT}pipelines")
def _(world: World) -> Iterator[None]:
    with developer(world, "codepipeline:RollbackStage"):
        yield


@case("could-change-starts", f"{PUT}starts")
def _(world: World) -> Iterator[None]:
    with developer(world, "events:PutTargets"):
        yield


@case("could-change-stages", f"{PUT}stages")
def _(world: World) -> Iterator[None]:
    with developer(world, "cloudformation:*StackSet"):
        yield


@case("could-change-product", f"{PUT}portfolio")
def _(world: World) -> Iterator[None]:
    with developer(world, "servicecatalog:DeleteConstraint"):
        yield


@case("could-approve", f"{PUT}approvals")
def _(world: World) -> Iterator[None]:
    with developer(world, "codepipeline:PutApprovalResult"):
        yield


@case("could-message-approvers", f"{PUT}messages")
def _(world: World) -> Iterator[None]:
    with developer(world, "sns:SetTopicAttributes"):
        yield


@case("could-change-rights", f"{PUT}rights")
def _(world: World) -> Iterator[None]:
    with developer(world, "iam:PutRolePolicy", resource=f"arn:aws:iam::{world.account}:role/team/*"):
        yield


@case("could-take-on-others", f"{PUT}sessions")
def _(world: World) -> Iterator[None]:
    everybody = {"AWS": ANYBODY.format(world.account)}
    policy = trust_policy(world, people.APPROVER)
    with developer(world, "sts:AssumeRole"), added(policy, Principal=everybody, Action="sts:AssumeRole"):
        yield


@case("role-trusts-others", f"aws iam update-assume-role-policy --role-name {stacks.PREFIX}BuildRole")
def _(world: World) -> Iterator[None]:
    everybody = {"AWS": ANYBODY.format(world.account)}
    with added(trust_policy(world, f"{stacks.PREFIX}BuildRole"), Principal=everybody, Action="sts:AssumeRole"):
        yield


@contextmanager
def open_tester(world: World) -> Iterator[None]:
    """The tester's role of the staging account trusts the data science account as a whole."""
    everybody = {"AWS": ANYBODY.format(world.account)}
    with added(trust_policy(world, TESTER, world.staging), Principal=everybody, Action="sts:AssumeRole"):
        yield


@case("tester-trusts-others", f"aws iam update-assume-role-policy --role-name {TESTER}")
def _(world: World) -> Iterator[None]:
    assert stacks.TEST_ROLE in trust_policy(world, TESTER, world.staging).read()
    with open_tester(world):
        yield


@case("could-become-tester", f"{PUT}testers")
def _(world: World) -> Iterator[None]:
    with developer(world, "sts:AssumeRole"), open_tester(world):
        yield


@case("policy-admits-others", "aws s3api put-bucket-policy --bucket sagemaker-project-")
def _(world: World) -> Iterator[None]:
    root, bucket = world.cloud.root(world.account, "us-east-1"), f"sagemaker-project-{world.story.project_id}"
    policy = bucket_policy(root, bucket)
    stranger = {"AWS": ANYBODY.format("555555555555")}
    mine = added(policy, Principal=stranger, Action="s3:PutObject", Resource=f"arn:aws:s3:::{bucket}/*")
    with policy.without("OnlyThePipelineWrites"), policy.without("OnlyTheGateWritesEvidence"), mine:
        yield


@case("target-could-change-endpoints", f"{PUT}endpoints")
def _(world: World) -> Iterator[None]:
    with developer(world, "sagemaker:Update*", account=world.production):
        yield


@case("target-could-change-rights", f"{PUT}rights")
def _(world: World) -> Iterator[None]:
    with developer(world, "iam:AttachRolePolicy", account=world.production):
        yield


@case("stock-role-unlimited", "make accounts")
def _(world: World) -> Iterator[None]:
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{OTHERS_POLICY}"
    iam.detach_role_policy(RoleName=USE_ROLE, PolicyArn=arn)
    yield
    iam.attach_role_policy(RoleName=USE_ROLE, PolicyArn=arn)
