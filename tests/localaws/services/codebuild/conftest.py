"""Fixtures of the tests of CodeBuild."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from localaws.cloud import Session
from scripts.rehearsal.embedded import embedded_aws
from tests.support.codebuild_setting import ACCOUNT, ALL, REGION, TRUST


@pytest.fixture(scope="package")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One embedded AWS for all tests of CodeBuild, with a role and a bucket: starting one takes a second."""
    with embedded_aws(tmp_path_factory.mktemp("rehearsal")) as cloud:
        session = cloud.root(ACCOUNT, REGION)
        iam = session.client("iam")
        iam.create_role(RoleName="builder", Path="/service-role/", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="builder", PolicyName="all", PolicyDocument=json.dumps(ALL))
        session.client("s3").create_bucket(Bucket="store")
        yield session
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


@pytest.fixture
def root(shared_cloud: Session) -> Iterator[Session]:
    yield shared_cloud
    codebuild = shared_cloud.client("codebuild")
    for name in codebuild.list_projects()["projects"]:
        codebuild.delete_project(name=name)


@pytest.fixture
def limited(root: Session) -> Iterator[Callable[..., str]]:
    """Makes a role that may do these actions and nothing else; requests are authorized meanwhile."""
    iam = root.client("iam")

    def make(*actions: str) -> str:
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        made = iam.create_role(RoleName="limited", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="limited", PolicyName="p", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    yield make
    iam.delete_role_policy(RoleName="limited", PolicyName="p")
    iam.delete_role(RoleName="limited")
