"""Attacks that are refused: what refused them, and that they get through once it is gone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.principals import Principal, service_principal
from localaws.cloud import Session
from scripts.rehearsal.story import Story

Statement = dict[str, Any]
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


@dataclass(frozen=True)
class LivePolicy:
    """A policy as it is in the account: how it is read and written."""

    read: Callable[[], str]
    write: Callable[[str], object]

    @contextlib.contextmanager
    def changed(self, sid: str, change: Callable[[Statement], Statement | None]) -> Iterator[None]:
        """The policy with one statement changed (None: removed), as an administrator would; put back in the end."""
        before = self.read()
        document = json.loads(before)
        found = [one for one in document["Statement"] if one.get("Sid") == sid]
        assert found, f"no statement {sid} in {before}"
        others = [one for one in document["Statement"] if one.get("Sid") != sid]
        changed = [new for one in found if (new := change(one)) is not None]
        self.write(json.dumps({**document, "Statement": others + changed}))
        try:
            yield
        finally:
            self.write(before)

    def without(self, sid: str) -> contextlib.AbstractContextManager[None]:
        return self.changed(sid, lambda statement: None)


def role_policy(root: Session, role: str, policy: str) -> LivePolicy:
    """An inline policy of a role. root: of the role's account"""
    iam, names = root.client("iam"), {"RoleName": role, "PolicyName": policy}
    return LivePolicy(
        lambda: json.dumps(iam.get_role_policy(**names)["PolicyDocument"]),
        lambda text: iam.put_role_policy(**names, PolicyDocument=text),
    )


def managed_policy(root: Session, name: str) -> LivePolicy:
    """A managed policy of the account, whose default version is replaced."""
    iam, arn = root.client("iam"), f"arn:aws:iam::{root.account}:policy/{name}"

    def version() -> str:
        return str(iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"])

    def write(text: str) -> None:
        before = version()
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
        iam.delete_policy_version(PolicyArn=arn, VersionId=before)

    def read() -> str:
        shown = iam.get_policy_version(PolicyArn=arn, VersionId=version())["PolicyVersion"]
        return json.dumps(shown["Document"])

    return LivePolicy(read, write)


def bucket_policy(root: Session, bucket: str) -> LivePolicy:
    s3 = root.client("s3")
    return LivePolicy(
        lambda: str(s3.get_bucket_policy(Bucket=bucket)["Policy"]),
        lambda text: s3.put_bucket_policy(Bucket=bucket, Policy=text),
    )


def trust_policy(root: Session, role: str) -> LivePolicy:
    """A role's trust policy. root: of the role's account"""
    iam = root.client("iam")
    return LivePolicy(
        lambda: json.dumps(iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]),
        lambda text: iam.update_assume_role_policy(RoleName=role, PolicyDocument=text),
    )


def topic_policy(root: Session, topic: str) -> LivePolicy:
    sns = root.client("sns")
    return LivePolicy(
        lambda: str(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]),
        lambda text: sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text),
    )


def build_session(story: Story, role: str, project: str, region: str = "") -> Session:
    """What code in a build of a CodeBuild project holds: the session of the kit's role, as CodeBuild gives it."""
    account = story.setting.data_science
    arn = f"arn:aws:codebuild:{region or story.region}:{account}"
    keys = {"codebuild:projectarn": f"{arn}:project/{project}", "codebuild:buildarn": f"{arn}:build/{project}:1"}
    by = service_principal("codebuild.amazonaws.com", SourceAccount=account)
    wanted = f"arn:aws:iam::{account}:role/service-role/{role}"
    return story.cloud.assume_role(wanted, "AWSCodeBuild-1", by, story.region, keys=keys)


def check_denied(act: Callable[[], object], by: str) -> None:
    """The request is refused for want of rights, and the refusal names what refused it: a statement, or a resource."""
    with pytest.raises(ClientError) as refusal:
        act()
    assert refusal.value.response["Error"]["Code"] in DENIED, refusal.value
    assert by in str(refusal.value), f"{by} is not what refused: {refusal.value}"


def administrator(story: Story, account: str) -> Session:
    """A role of the account that may do everything there: the account's root may assume no role."""
    iam, name = story.cloud.root(account, story.region).client("iam"), "Administrator"
    trusted = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    session = f"arn:aws:sts::{account}:assumed-role/{name}/mine"
    principal = Principal("role", account, session, role_arn=arn, session_name="mine")
    return Session(story.cloud, story.cloud.issue(principal), story.region)
