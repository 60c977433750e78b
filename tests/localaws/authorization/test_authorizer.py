"""Requests to the embedded AWS with authorization on: which are allowed, which are refused, and how."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError
from awslang.principals import Principal, service_principal
from localaws.authorization import requests
from localaws.authorization.authorizer import Asker
from localaws.cloud import Cloud, Session
from tests.support.authorization import REGION, A, B, allow, check_refused, document, session, trust


def entries(cloud: Cloud) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (cloud.folder / "requests.jsonl").read_text().splitlines()]


# -- the words -----------------------------------------------------------------------------------------


def test_a_refusal_reads_as_aws_words_it_and_then_says_what_is_missing(cloud: Cloud) -> None:
    s3 = session(cloud, "reader", allow("s3:GetObject", "arn:aws:s3:::theirs/*", Sid="Theirs")).client("s3")
    cloud.root(A, REGION).client("s3").create_bucket(Bucket="mine")
    message = check_refused(lambda: s3.get_object(Bucket="mine", Key="a")).response["Error"]["Message"]
    first, second = message.split("\n")
    assert first == (
        f"User: arn:aws:sts::{A}:assumed-role/reader/work is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::mine/a" because no identity-based policy allows the s3:GetObject action'
    )
    assert "statement Theirs of work (inline, role reader) allows the action, but not on this resource" in second


def test_an_explicit_deny_names_the_statement_the_policy_and_the_account(cloud: Cloud) -> None:
    deny = {"Sid": "NotThese", "Effect": "Deny", "Action": "ssm:PutParameter", "Resource": "*"}
    ssm = session(cloud, "writer", allow("ssm:*"), deny).client("ssm")
    error = check_refused(lambda: ssm.put_parameter(Name="/a", Value="1", Type="String"))
    assert "with an explicit deny in an identity-based policy" in str(error)
    assert f"statement NotThese of the identity-based policy work (inline, role writer) of account {A}" in str(error)


def test_the_status_and_code_follow_the_protocol(cloud: Cloud) -> None:
    without_rights = session(cloud, "powerless")
    expected = {"iam": ("AccessDenied", 403), "ssm": ("AccessDeniedException", 400), "sns": ("AuthorizationError", 403)}
    calls = {
        "iam": lambda: without_rights.client("iam").list_roles(),
        "ssm": lambda: without_rights.client("ssm").describe_parameters(),
        "sns": lambda: without_rights.client("sns").create_topic(Name="t"),
    }
    for service, call in calls.items():
        response = check_refused(call).response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == expected[service]


def test_every_decision_is_written_down_with_its_statement(cloud: Cloud) -> None:
    session(cloud, "lister", allow("ssm:DescribeParameters", Sid="See")).client("ssm").describe_parameters()
    entry = entries(cloud)[-1]
    assert (entry["action"], entry["decision"]) == ("ssm:DescribeParameters", "allowed")
    assert entry["needs"][0]["statements"] == [["identity-based policy", A, "work (inline, role lister)", "See"]]


def test_a_decision_takes_less_than_a_millisecond(cloud: Cloud) -> None:
    from localaws.service import Need

    who = session(cloud, "quick", *[allow(f"s3:Get{n}", "arn:aws:s3:::x/*") for n in range(40)], allow("ssm:*"))
    need = Need("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{A}:parameter/a", A)
    cloud.authorizer.decide(Asker(who.principal), need, REGION)
    start = time.thread_time()
    for _ in range(100):
        cloud.authorizer.decide(Asker(who.principal), need, REGION)
    assert (time.thread_time() - start) / 100 < 0.004  # on an idle machine under 1 ms


def test_an_operation_whose_action_is_unknown_is_refused(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """No supported one is (tests/repository/test_supported.py), so the table is taken away."""
    monkeypatch.setattr(requests, "table", lambda prefix: None)
    with pytest.raises(ClientError, match="its action or resource is not known"):
        cloud.root(A, REGION).client("dynamodb").list_tables()


# -- callers ------------------------------------------------------------------------------------------


def test_the_root_user_may_do_everything_in_its_own_account_and_nothing_elsewhere(cloud: Cloud) -> None:
    cloud.root(A, REGION).client("s3").create_bucket(Bucket="mine")
    check_refused(lambda: cloud.root(B, REGION).client("s3").list_objects_v2(Bucket="mine"))


def test_a_deleted_role_has_no_permissions_left(cloud: Cloud) -> None:
    who = session(cloud, "gone", allow("*"))
    iam = cloud.root(A, REGION).client("iam")
    who.client("iam").list_roles()
    iam.delete_role_policy(RoleName="gone", PolicyName="work")
    iam.delete_role(RoleName="gone")
    check_refused(lambda: who.client("iam").list_roles())


def test_managed_policies_count_in_their_default_version(cloud: Cloud) -> None:
    who = session(cloud, "managed")
    iam = cloud.root(A, REGION).client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("ssm:GetParameter")))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="managed", PolicyArn=arn)
    check_refused(lambda: who.client("ssm").describe_parameters())
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("ssm:*")), SetAsDefault=True)
    who.client("ssm").describe_parameters()


def test_a_boundary_limits_and_grants_nothing(cloud: Cloud) -> None:
    iam = cloud.root(A, REGION).client("iam")
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("ssm:*")))["Policy"]["Arn"]
    who = session(cloud, "bound", allow("s3:*"), PermissionsBoundary=arn)
    assert "no permissions boundary allows" in str(check_refused(lambda: who.client("s3").list_buckets()))
    assert "no identity-based policy" in str(check_refused(lambda: who.client("ssm").describe_parameters()))


def test_session_policies_limit_a_session(cloud: Cloud) -> None:
    session(cloud, "wide", allow("*"))
    narrow = cloud.assume_role(
        f"arn:aws:iam::{A}:role/wide", "s", service_principal("codebuild.amazonaws.com"), REGION,
        policies=(json.loads(document(allow("ssm:*"))),),
    )  # fmt: skip
    narrow.client("ssm").describe_parameters()
    assert "no session policy allows" in str(check_refused(lambda: narrow.client("iam").list_roles()))


def test_older_sessions_of_a_role_are_revoked(cloud: Cloud) -> None:
    """IAM User Guide, "Revoke IAM role temporary security credentials": by aws:TokenIssueTime."""
    for name, since in (("before", "2001-01-01T00:00:00Z"), ("after", "2999-01-01T00:00:00Z")):
        older = {"DateLessThan": {"aws:TokenIssueTime": since}}
        deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
        sns = session(cloud, name, allow("sns:*"), deny).client("sns")
        if name == "before":
            sns.list_topics()
        else:
            check_refused(sns.list_topics)


def test_a_user_is_known_by_its_groups_and_name(cloud: Cloud) -> None:
    iam = cloud.root(A, REGION).client("iam")
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ann")
    own = allow("ssm:PutParameter", f"arn:aws:ssm:*:{A}:parameter/${{aws:username}}/*")
    iam.put_group_policy(GroupName="g", PolicyName="own", PolicyDocument=document(own))
    ssm = cloud.session_for(Principal("user", A, f"arn:aws:iam::{A}:user/ann"), REGION).client("ssm")
    ssm.put_parameter(Name="/ann/x", Value="1", Type="String")
    check_refused(lambda: ssm.put_parameter(Name="/bob/x", Value="1", Type="String"))


# -- trust ----------------------------------------------------------------------------------------------


def test_a_role_is_assumed_only_by_the_service_it_trusts(cloud: Cloud) -> None:
    session(cloud, "build")
    with pytest.raises(AwsError, match="no role trust policy allows the sts:AssumeRole action"):
        cloud.service_role(f"arn:aws:iam::{A}:role/build", "x", "codepipeline.amazonaws.com", REGION)
    last = entries(cloud)[-1]
    assert (last["operation"], last["decision"], last["principal"]) == (
        "AssumeRole", "denied", "codepipeline.amazonaws.com",
    )  # fmt: skip


def test_another_account_needs_trust_permission_and_the_external_id(cloud: Cloud) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": "secret"}}
    cloud.root(B, REGION).client("iam").create_role(
        RoleName="tester", AssumeRolePolicyDocument=trust(AWS=A, Condition=wanted)
    )
    arn = f"arn:aws:iam::{B}:role/tester"
    may = session(cloud, "may", allow("sts:AssumeRole", arn)).client("sts")
    may_not = session(cloud, "may-not").client("sts")
    may.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="secret")
    check_refused(lambda: may.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="guess"))
    error = check_refused(lambda: may.assume_role(RoleArn=arn, RoleSessionName="me"))
    assert "its condition fails: StringEquals sts:ExternalId secret (the request has nothing)" in str(error)
    check_refused(lambda: may_not.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="secret"))


def test_a_trusted_role_of_the_same_account_needs_no_policy_and_its_path_counts(cloud: Cloud) -> None:
    who = session(cloud, "caller", path="/team/")
    iam = cloud.root(A, REGION).client("iam")
    iam.create_role(RoleName="target", AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{A}:role/team/caller"))
    who.client("sts").assume_role(RoleArn=f"arn:aws:iam::{A}:role/target", RoleSessionName="me")
    with pytest.raises(ClientError, match="Invalid principal in policy"):
        iam.update_assume_role_policy(RoleName="target", PolicyDocument=trust(AWS=f"arn:aws:iam::{A}:role/caller"))


def test_trust_in_the_own_account_leaves_it_to_the_account(cloud: Cloud) -> None:
    cloud.root(A, REGION).client("iam").create_role(RoleName="target", AssumeRolePolicyDocument=trust(AWS=A))
    arn = f"arn:aws:iam::{A}:role/target"
    check_refused(lambda: session(cloud, "no").client("sts").assume_role(RoleArn=arn, RoleSessionName="me"))
    session(cloud, "yes", allow("sts:*")).client("sts").assume_role(RoleArn=arn, RoleSessionName="me")


def test_roles_that_do_not_exist_and_root_users_are_refused(cloud: Cloud) -> None:
    who = session(cloud, "caller", allow("*")).client("sts")
    error = check_refused(lambda: who.assume_role(RoleArn=f"arn:aws:iam::{B}:role/none", RoleSessionName="me"))
    assert "does not exist" in str(error)
    session(cloud, "target")
    root = cloud.root(A, REGION).client("sts")
    with pytest.raises(ClientError, match="Roles may not be assumed by root accounts"):
        root.assume_role(RoleArn=f"arn:aws:iam::{A}:role/target", RoleSessionName="me")


def test_session_tags_need_tag_session_and_become_principal_tags(cloud: Cloud) -> None:
    iam = cloud.root(A, REGION).client("iam")
    iam.create_role(
        RoleName="tagged",
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": A}, "Action": "sts:AssumeRole"},
        ),
    )
    arn, tags = f"arn:aws:iam::{A}:role/tagged", [{"Key": "team", "Value": "red"}]
    sts = session(cloud, "caller", allow("sts:*")).client("sts")
    sts.assume_role(RoleArn=arn, RoleSessionName="me")
    assert "sts:TagSession" in str(check_refused(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="me", Tags=tags)))


# -- passing roles -----------------------------------------------------------------------------------------


def rule_with_target(who: Session, role: str) -> None:
    who.client("events").put_rule(Name="r", EventPattern='{"source": ["a"]}')
    who.client("events").put_targets(
        Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:states:{REGION}:{A}:stateMachine:m", "RoleArn": role}]
    )


def test_passing_a_role_needs_pass_role_to_that_service(cloud: Cloud) -> None:
    cloud.root(A, REGION).client("iam").create_role(
        RoleName="events", AssumeRolePolicyDocument=trust(Service="events.amazonaws.com")
    )
    role = f"arn:aws:iam::{A}:role/events"
    without = session(cloud, "without", allow("events:*"))
    wrong = session(
        cloud, "wrong", allow("events:*"),
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}),
    )  # fmt: skip
    right = session(
        cloud, "right", allow("events:*"),
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}),
    )  # fmt: skip
    assert f"iam:PassRole on resource: {role}" in str(check_refused(lambda: rule_with_target(without, role)))
    error = check_refused(lambda: rule_with_target(wrong, role))
    assert "codebuild.amazonaws.com (the request has events.amazonaws.com)" in str(error)
    rule_with_target(right, role)


def test_a_role_that_the_service_cannot_assume_is_refused_in_the_services_words(cloud: Cloud) -> None:
    session(cloud, "build")
    with pytest.raises(ClientError, match=r"cannot be assumed by principal 'events\.amazonaws\.com'"):
        rule_with_target(cloud.root(A, REGION), f"arn:aws:iam::{A}:role/build")
