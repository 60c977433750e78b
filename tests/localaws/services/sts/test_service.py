"""STS: the tags of a session, and what names them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.principals import Principal, service_principal
from localaws.cloud import Cloud, Session
from tests.support import port
from tests.support.authorization import REGION, A, B, allow, check_refused, document, session, trust


def assume(by: Session, role: str, *tags: tuple[str, str], **more: Any) -> Session:
    given = [{"Key": key, "Value": value} for key, value in tags]
    asked = by.client("sts").assume_role(RoleArn=role, RoleSessionName="session", Tags=given, **more)["Credentials"]
    found = by.cloud.credentials(asked["AccessKeyId"])
    assert found is not None
    return Session(by.cloud, found, REGION)


@pytest.fixture
def asking(cloud: Cloud) -> Session:
    """A role of A that may assume the role `tester` of B."""
    iam = cloud.root(B, REGION).client("iam")
    iam.create_role(RoleName="tester", AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{A}:root"))
    own = allow("ssm:PutParameter", f"arn:aws:ssm:*:{B}:parameter/${{aws:PrincipalTag/team:name}}/*")
    iam.put_role_policy(RoleName="tester", PolicyName="own", PolicyDocument=document(own))
    return session(cloud, "asking", allow(["sts:AssumeRole", "sts:TagSession"]))


TESTER = f"arn:aws:iam::{B}:role/tester"


def test_a_tag_of_the_session_is_a_variable_of_its_policies(asking: Session) -> None:
    ssm = assume(asking, TESTER, ("team:name", "red")).client("ssm")
    ssm.put_parameter(Name="/red/a", Value="1", Type="String")
    check_refused(lambda: ssm.put_parameter(Name="/blue/a", Value="1", Type="String"))
    untagged = assume(asking, TESTER).client("ssm")
    check_refused(lambda: untagged.put_parameter(Name="/red/b", Value="1", Type="String"))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([("team", "*")], "Member must satisfy regular expression pattern"),
        ([("team", "red?")], "Member must satisfy regular expression pattern"),
        ([("team", "red"), ("TEAM", "blue")], "Duplicate tag keys found"),
        ([("aws:team", "red")], "Tag keys prefixed with 'aws:'"),
        ([("team", "x" * 257)], "Member must have length less than or equal to 256"),
    ],
)
def test_tags_that_aws_does_not_take_are_refused(asking: Session, tags: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(ClientError, match=message.replace("(", r"\(")):
        assume(asking, TESTER, *tags)


def test_tags_that_pass_on_are_not_supported(asking: Session) -> None:
    with pytest.raises(ClientError, match="TransitiveTagKeys"):
        assume(asking, TESTER, ("team", "red"), TransitiveTagKeys=["team"])


def test_tagging_a_session_is_a_right_of_its_own(cloud: Cloud) -> None:
    iam = cloud.root(B, REGION).client("iam")
    one = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{A}:root"}, "Action": "sts:AssumeRole"}
    whole = json.dumps({"Version": "2012-10-17", "Statement": [one]})
    iam.create_role(RoleName="closed", AssumeRolePolicyDocument=whole)
    by = session(cloud, "tagging", allow(["sts:AssumeRole", "sts:TagSession"]))
    assert assume(by, f"arn:aws:iam::{B}:role/closed")
    refused = check_refused(lambda: assume(by, f"arn:aws:iam::{B}:role/closed", ("team", "red")))
    assert "sts:TagSession" in str(refused)


def test_the_keys_of_a_delivering_service_are_in_every_request_of_its_session(cloud: Cloud) -> None:
    project = f"arn:aws:codebuild:{REGION}:{A}:project/red-build"
    pattern = f"arn:aws:codebuild:{REGION}:{A}:project/${{aws:RequestTag/team}}-build"
    condition = {"ArnLike": {"codebuild:ProjectArn": pattern}}
    session(cloud, "builder", {**allow("ssm:PutParameter"), "Condition": condition})
    role, by = f"arn:aws:iam::{A}:role/builder", service_principal("codebuild.amazonaws.com")

    def put(name: str, team: str, keys: dict[str, str]) -> Any:
        client = cloud.assume_role(role, "s", by, REGION, keys=keys).client("ssm")
        tags = [{"Key": "team", "Value": team}]
        return client.put_parameter(Name=name, Value="1", Type="String", Tags=tags)

    with_rights = {**allow("ssm:AddTagsToResource"), "Sid": "Tag"}
    iam = cloud.root(A, REGION).client("iam")
    iam.put_role_policy(RoleName="builder", PolicyName="tag", PolicyDocument=document(with_rights))
    assert put("/a", "red", {"codebuild:projectarn": project})
    check_refused(lambda: put("/b", "blue", {"codebuild:projectarn": project}))
    check_refused(lambda: put("/c", "red", {}))


def test_a_session_lasts_as_long_as_its_role_allows_and_a_chained_one_an_hour(cloud: Cloud) -> None:
    """STS API Reference, AssumeRole (DurationSeconds)."""
    iam = cloud.root(A, REGION).client("iam")
    role = iam.create_role(RoleName="long", AssumeRolePolicyDocument=trust(AWS=A), MaxSessionDuration=7200)["Role"]
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole")))
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = port.client(
        cloud.root(A, REGION), "sts", aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"], aws_session_token="",
    )  # fmt: skip
    asked: dict[str, Any] = {"RoleArn": role["Arn"], "RoleSessionName": "work"}
    user.assume_role(**asked, DurationSeconds=7200)
    with pytest.raises(ClientError, match=r"ValidationError.*MaxSessionDuration"):
        user.assume_role(**asked, DurationSeconds=7201)
    chained = session(cloud, "first", allow("sts:AssumeRole")).client("sts")
    chained.assume_role(**asked, DurationSeconds=3600)
    with pytest.raises(ClientError, match=r"ValidationError.*role chaining"):
        chained.assume_role(**asked, DurationSeconds=3601)


def test_a_session_token_of_a_user_is_for_everything_but_iam(cloud: Cloud) -> None:
    """STS API Reference, GetSessionToken: its durations, and what its credentials may not do without MFA."""
    iam = cloud.root(A, REGION).client("iam")
    iam.create_user(UserName="person")
    iam.put_user_policy(UserName="person", PolicyName="all", PolicyDocument=document(allow("*")))
    arn = f"arn:aws:iam::{A}:user/person"
    user = Session(cloud, cloud.issue(Principal("user", A, arn), None), REGION)

    def token(by: Session, **more: Any) -> Session:
        given = by.client("sts").get_session_token(**more)["Credentials"]
        found = cloud.credentials(given["AccessKeyId"])
        assert found is not None
        assert given["SessionToken"]
        return Session(cloud, found, REGION)

    def hours(session: Session) -> float:
        assert session.credentials.expiration is not None
        return round((session.credentials.expiration - datetime.now(UTC)).total_seconds() / 3600, 1)

    short = token(user)
    assert hours(short) == 12.0
    assert hours(token(user, DurationSeconds=129_600)) == 36.0
    assert hours(token(cloud.root(A, REGION))) == 1.0
    assert short.client("sts").get_caller_identity()["Arn"] == arn
    short.client("ssm").put_parameter(Name="a", Value="1", Type="String")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        short.client("iam").list_users()
    with pytest.raises(ClientError, match="Cannot call GetSessionToken with session credentials"):
        token(short)
    with pytest.raises(ClientError, match="Cannot call GetSessionToken with session credentials"):
        token(session(cloud, "role", allow("*")))
