"""Requests to the embedded AWS with authorization on: what is let through, what is refused, and how."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError
from awslang.principals import Principal, service_principal
from localaws import moto_bridge
from localaws.authorization.authorizer import Asker
from localaws.cloud import Cloud, Session

A, B, REGION = "111111111111", "222222222222", "us-east-1"
Statement = dict[str, Any]


@pytest.fixture
def strict(cloud: Cloud) -> Cloud:
    """The embedded AWS with authorization on."""
    return cloud


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Any, resources: Any = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def trust(**principal: Any) -> str:
    condition = principal.pop("Condition", None)
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return document(statement | ({"Condition": condition} if condition else {}))


def session(cloud: Cloud, name: str, *statements: Statement, account: str = A, path: str = "/", **more: Any) -> Session:
    """A session of a new role with these statements as its inline policy."""
    iam = cloud.root(account, REGION).client("iam")
    role = iam.create_role(
        RoleName=name, Path=path, AssumeRolePolicyDocument=trust(Service="codebuild.amazonaws.com"), **more
    )
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=document(*statements))
    return cloud.service_role(role["Role"]["Arn"], "work", "codebuild.amazonaws.com", REGION)


def check_refused(work: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        work()
    assert caught.value.response["Error"]["Code"] in (
        "AccessDenied", "AccessDeniedException", "AuthorizationError", "403",
    )  # fmt: skip
    return caught.value


def entries(cloud: Cloud) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (cloud.folder / "requests.jsonl").read_text().splitlines()]


# -- the words -----------------------------------------------------------------------------------------


def test_a_refusal_reads_as_aws_words_it_and_then_says_what_is_missing(strict: Cloud) -> None:
    s3 = session(strict, "reader", allow("s3:GetObject", "arn:aws:s3:::theirs/*", Sid="Theirs")).client("s3")
    strict.root(A, REGION).client("s3").create_bucket(Bucket="mine")
    message = check_refused(lambda: s3.get_object(Bucket="mine", Key="a")).response["Error"]["Message"]
    first, second = message.split("\n")
    assert first == (
        f"User: arn:aws:sts::{A}:assumed-role/reader/work is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::mine/a" because no identity-based policy allows the s3:GetObject action'
    )
    assert "statement Theirs of work (inline, role reader) allows the action, but not on this resource" in second


def test_an_explicit_deny_names_the_statement_the_policy_and_the_account(strict: Cloud) -> None:
    deny = {"Sid": "NotThese", "Effect": "Deny", "Action": "ssm:PutParameter", "Resource": "*"}
    ssm = session(strict, "writer", allow("ssm:*"), deny).client("ssm")
    error = check_refused(lambda: ssm.put_parameter(Name="/a", Value="1", Type="String"))
    assert "with an explicit deny in an identity-based policy" in str(error)
    assert f"statement NotThese of the identity-based policy work (inline, role writer) of account {A}" in str(error)


def test_the_status_and_code_follow_the_protocol(strict: Cloud) -> None:
    without_rights = session(strict, "powerless")
    expected = {"iam": ("AccessDenied", 403), "ssm": ("AccessDeniedException", 400), "sns": ("AuthorizationError", 403)}
    calls = {
        "iam": lambda: without_rights.client("iam").list_roles(),
        "ssm": lambda: without_rights.client("ssm").describe_parameters(),
        "sns": lambda: without_rights.client("sns").create_topic(Name="t"),
    }
    for service, call in calls.items():
        response = check_refused(call).response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == expected[service]


def test_every_decision_is_written_down_with_its_statement(strict: Cloud) -> None:
    session(strict, "lister", allow("ssm:DescribeParameters", Sid="See")).client("ssm").describe_parameters()
    entry = entries(strict)[-1]
    assert (entry["action"], entry["decision"]) == ("ssm:DescribeParameters", "allowed")
    assert entry["needs"][0]["statements"] == [["identity-based policy", A, "work (inline, role lister)", "See"]]


def test_a_decision_takes_less_than_a_millisecond(strict: Cloud) -> None:
    from localaws.service import Need

    who = session(strict, "quick", *[allow(f"s3:Get{n}", "arn:aws:s3:::x/*") for n in range(40)], allow("ssm:*"))
    need = Need("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{A}:parameter/a", A)
    strict.authorizer.decide(Asker(who.principal), need, REGION)
    start = time.thread_time()
    for _ in range(100):
        strict.authorizer.decide(Asker(who.principal), need, REGION)
    assert (time.thread_time() - start) / 100 < 0.004  # on an idle machine under 1 ms


def test_an_operation_whose_action_is_unknown_is_refused(strict: Cloud) -> None:
    with pytest.raises(ClientError, match="its action or resource is not known"):
        strict.root(A, REGION).client("dynamodb").execute_statement(Statement="SELECT * FROM t")


# -- who asks ------------------------------------------------------------------------------------------


def test_the_root_user_may_do_everything_in_its_own_account_and_nothing_elsewhere(strict: Cloud) -> None:
    strict.root(A, REGION).client("s3").create_bucket(Bucket="mine")
    check_refused(lambda: strict.root(B, REGION).client("s3").list_objects_v2(Bucket="mine"))


def test_a_deleted_role_has_no_permissions_left(strict: Cloud) -> None:
    who = session(strict, "gone", allow("*"))
    iam = strict.root(A, REGION).client("iam")
    who.client("iam").list_roles()
    iam.delete_role_policy(RoleName="gone", PolicyName="work")
    iam.delete_role(RoleName="gone")
    check_refused(lambda: who.client("iam").list_roles())


def test_managed_policies_count_in_their_default_version(strict: Cloud) -> None:
    who = session(strict, "managed")
    iam = strict.root(A, REGION).client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("ssm:GetParameter")))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="managed", PolicyArn=arn)
    check_refused(lambda: who.client("ssm").describe_parameters())
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("ssm:*")), SetAsDefault=True)
    who.client("ssm").describe_parameters()


def test_a_boundary_limits_and_grants_nothing(strict: Cloud) -> None:
    iam = strict.root(A, REGION).client("iam")
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("ssm:*")))["Policy"]["Arn"]
    who = session(strict, "bound", allow("s3:*"), PermissionsBoundary=arn)
    assert "no permissions boundary allows" in str(check_refused(lambda: who.client("s3").list_buckets()))
    assert "no identity-based policy" in str(check_refused(lambda: who.client("ssm").describe_parameters()))


def test_session_policies_limit_a_session(strict: Cloud) -> None:
    session(strict, "wide", allow("*"))
    narrow = strict.assume_role(
        f"arn:aws:iam::{A}:role/wide", "s", service_principal("codebuild.amazonaws.com"), REGION,
        policies=(json.loads(document(allow("ssm:*"))),),
    )  # fmt: skip
    narrow.client("ssm").describe_parameters()
    assert "no session policy allows" in str(check_refused(lambda: narrow.client("iam").list_roles()))


def test_a_user_is_known_by_its_groups_and_name(strict: Cloud) -> None:
    iam = strict.root(A, REGION).client("iam")
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="ann")
    own = allow("ssm:PutParameter", f"arn:aws:ssm:*:{A}:parameter/${{aws:username}}/*")
    iam.put_group_policy(GroupName="g", PolicyName="own", PolicyDocument=document(own))
    ssm = strict.session_for(Principal("user", A, f"arn:aws:iam::{A}:user/ann"), REGION).client("ssm")
    ssm.put_parameter(Name="/ann/x", Value="1", Type="String")
    check_refused(lambda: ssm.put_parameter(Name="/bob/x", Value="1", Type="String"))


# -- trust ----------------------------------------------------------------------------------------------


def test_a_role_is_assumed_only_by_the_service_it_trusts(strict: Cloud) -> None:
    session(strict, "build")
    with pytest.raises(AwsError, match="no role trust policy allows the sts:AssumeRole action"):
        strict.service_role(f"arn:aws:iam::{A}:role/build", "x", "codepipeline.amazonaws.com", REGION)
    last = entries(strict)[-1]
    assert (last["operation"], last["decision"], last["principal"]) == (
        "AssumeRole", "denied", "codepipeline.amazonaws.com",
    )  # fmt: skip


def test_another_account_needs_trust_permission_and_the_external_id(strict: Cloud) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": "secret"}}
    strict.root(B, REGION).client("iam").create_role(
        RoleName="tester", AssumeRolePolicyDocument=trust(AWS=A, Condition=wanted)
    )
    arn = f"arn:aws:iam::{B}:role/tester"
    may = session(strict, "may", allow("sts:AssumeRole", arn)).client("sts")
    may_not = session(strict, "may-not").client("sts")
    may.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="secret")
    check_refused(lambda: may.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="guess"))
    error = check_refused(lambda: may.assume_role(RoleArn=arn, RoleSessionName="me"))
    assert "its condition fails: StringEquals sts:ExternalId secret (the request has nothing)" in str(error)
    check_refused(lambda: may_not.assume_role(RoleArn=arn, RoleSessionName="me", ExternalId="secret"))


def test_a_trusted_role_of_the_same_account_needs_no_policy_and_its_path_counts(strict: Cloud) -> None:
    who = session(strict, "caller", path="/team/")
    iam = strict.root(A, REGION).client("iam")
    iam.create_role(RoleName="target", AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{A}:role/team/caller"))
    who.client("sts").assume_role(RoleArn=f"arn:aws:iam::{A}:role/target", RoleSessionName="me")
    with pytest.raises(ClientError, match="Invalid principal in policy"):
        iam.update_assume_role_policy(RoleName="target", PolicyDocument=trust(AWS=f"arn:aws:iam::{A}:role/caller"))


def test_trust_in_the_own_account_leaves_it_to_the_account(strict: Cloud) -> None:
    strict.root(A, REGION).client("iam").create_role(RoleName="target", AssumeRolePolicyDocument=trust(AWS=A))
    arn = f"arn:aws:iam::{A}:role/target"
    check_refused(lambda: session(strict, "no").client("sts").assume_role(RoleArn=arn, RoleSessionName="me"))
    session(strict, "yes", allow("sts:*")).client("sts").assume_role(RoleArn=arn, RoleSessionName="me")


def test_roles_that_do_not_exist_and_root_users_are_refused(strict: Cloud) -> None:
    who = session(strict, "caller", allow("*")).client("sts")
    error = check_refused(lambda: who.assume_role(RoleArn=f"arn:aws:iam::{B}:role/none", RoleSessionName="me"))
    assert "does not exist" in str(error)
    session(strict, "target")
    root = strict.root(A, REGION).client("sts")
    with pytest.raises(ClientError, match="Roles may not be assumed by root accounts"):
        root.assume_role(RoleArn=f"arn:aws:iam::{A}:role/target", RoleSessionName="me")


def test_session_tags_need_tag_session_and_become_principal_tags(strict: Cloud) -> None:
    iam = strict.root(A, REGION).client("iam")
    iam.create_role(
        RoleName="tagged",
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": A}, "Action": "sts:AssumeRole"},
        ),
    )
    arn, tags = f"arn:aws:iam::{A}:role/tagged", [{"Key": "team", "Value": "red"}]
    sts = session(strict, "caller", allow("sts:*")).client("sts")
    sts.assume_role(RoleArn=arn, RoleSessionName="me")
    assert "sts:TagSession" in str(check_refused(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="me", Tags=tags)))


# -- passing roles -----------------------------------------------------------------------------------------


def rule_with_target(who: Session, role: str) -> None:
    who.client("events").put_rule(Name="r", EventPattern='{"source": ["a"]}')
    who.client("events").put_targets(
        Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:states:{REGION}:{A}:stateMachine:m", "RoleArn": role}]
    )


def test_passing_a_role_needs_pass_role_to_that_service(strict: Cloud) -> None:
    strict.root(A, REGION).client("iam").create_role(
        RoleName="events", AssumeRolePolicyDocument=trust(Service="events.amazonaws.com")
    )
    role = f"arn:aws:iam::{A}:role/events"
    without = session(strict, "without", allow("events:*"))
    wrong = session(
        strict, "wrong", allow("events:*"),
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "codebuild.amazonaws.com"}}),
    )  # fmt: skip
    right = session(
        strict, "right", allow("events:*"),
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}),
    )  # fmt: skip
    assert f"iam:PassRole on resource: {role}" in str(check_refused(lambda: rule_with_target(without, role)))
    error = check_refused(lambda: rule_with_target(wrong, role))
    assert "codebuild.amazonaws.com (the request has events.amazonaws.com)" in str(error)
    rule_with_target(right, role)


def test_a_role_that_the_service_cannot_assume_is_refused_in_the_services_words(strict: Cloud) -> None:
    session(strict, "build")
    with pytest.raises(ClientError, match=r"cannot be assumed by principal 'events\.amazonaws\.com'"):
        rule_with_target(strict.root(A, REGION), f"arn:aws:iam::{A}:role/build")


# -- policies of resources -----------------------------------------------------------------------------------


def bucket(cloud: Cloud, name: str, *statements: Statement, account: str = A) -> None:
    s3 = cloud.root(account, REGION).client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    if statements:
        s3.put_bucket_policy(Bucket=name, Policy=document(*statements))


def test_a_standard_tls_only_statement_denies_nothing_here(strict: Cloud) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    bucket(strict, "bkt", deny)
    s3 = strict.root(A, REGION).client("s3")
    assert s3.get_object(Bucket="bkt", Key="k")["Body"].read() == b"x"
    plain = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    s3.put_bucket_policy(Bucket="bkt", Policy=document(plain))
    check_refused(lambda: s3.get_object(Bucket="bkt", Key="k"))


def test_another_account_needs_both_the_buckets_policy_and_its_own(strict: Cloud) -> None:
    bucket(strict, "open", allow("s3:GetObject", "arn:aws:s3:::open/*", Principal={"AWS": B}))
    bucket(strict, "closed")
    may = session(strict, "may", allow("s3:GetObject"), account=B).client("s3")
    may_not = session(strict, "may-not", account=B).client("s3")
    may.get_object(Bucket="open", Key="k")
    assert "has no policy of its own" in str(check_refused(lambda: may.get_object(Bucket="closed", Key="k")))
    check_refused(lambda: may_not.get_object(Bucket="open", Key="k"))


def organization(cloud: Cloud) -> tuple[str, str, str, str]:
    """Management account, unit, member within it, and the organization's id."""
    management = "999999999999"
    client = cloud.root(management, REGION).client("organizations")
    org = client.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="staging")["OrganizationalUnit"]["Id"]
    member = client.create_account(AccountName="m", Email="m@example.com")["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    return management, unit, member, org


def test_organization_paths_open_a_bucket_to_a_unit(strict: Cloud) -> None:
    _, unit, member, org = organization(strict)
    path = {
        "ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{org}/*/{unit}/*"},
        "StringEquals": {"aws:PrincipalOrgID": org},  # a fixed value, or S3 blocks the policy as a public one
    }
    bucket(strict, "models", allow("s3:GetObject", "arn:aws:s3:::models/*", Principal="*", Condition=path))
    inside = session(strict, "inside", allow("s3:GetObject"), account=member).client("s3")
    outside = session(strict, "outside", allow("s3:GetObject"), account=B).client("s3")
    inside.get_object(Bucket="models", Key="k")
    check_refused(lambda: outside.get_object(Bucket="models", Key="k"))


def test_service_control_policies_bind_members_at_every_level_but_not_the_management_account(strict: Cloud) -> None:
    management, unit, member, _ = organization(strict)
    client = strict.root(management, REGION).client("organizations")
    client.enable_policy_type(RootId=client.list_roots()["Roots"][0]["Id"], PolicyType="SERVICE_CONTROL_POLICY")
    only = client.create_policy(
        Content=document(allow("s3:*")), Description="d", Name="only-s3", Type="SERVICE_CONTROL_POLICY"
    )["Policy"]["PolicySummary"]
    who = session(strict, "who", allow("*"), account=member)
    who.client("ssm").describe_parameters()
    client.attach_policy(PolicyId=only["Id"], TargetId=unit)
    client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    who.client("s3").list_buckets()
    error = check_refused(lambda: who.client("ssm").describe_parameters())
    assert "because no service control policy allows the ssm:DescribeParameters action" in str(error)
    check_refused(lambda: strict.root(member, REGION).client("ssm").describe_parameters())
    strict.root(management, REGION).client("ssm").describe_parameters()


def test_a_missing_object_is_hidden_from_who_may_not_list(strict: Cloud) -> None:
    bucket(strict, "bkt")
    blind = session(strict, "blind", allow("s3:GetObject")).client("s3")
    seeing = session(strict, "seeing", allow(["s3:GetObject", "s3:ListBucket"])).client("s3")
    assert "s3:ListBucket" in str(check_refused(lambda: blind.get_object(Bucket="bkt", Key="none")))
    with pytest.raises(ClientError, match="NoSuchKey"):
        seeing.get_object(Bucket="bkt", Key="none")


def test_object_tags_decide_where_a_policy_asks_for_them(strict: Cloud) -> None:
    bucket(strict, "seed")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/servicecatalog:provisioning": "true"}}
    who = session(strict, "launch", allow("s3:GetObject", Condition=tagged)).client("s3")
    check_refused(lambda: who.get_object(Bucket="seed", Key="k"))
    strict.root(A, REGION).client("s3").put_object(
        Bucket="seed", Key="k", Body=b"x", Tagging="servicecatalog:provisioning=true"
    )
    who.get_object(Bucket="seed", Key="k")


def test_a_service_needs_the_topics_policy(strict: Cloud) -> None:
    sns = strict.root(A, REGION).client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    pipeline = strict.as_service("codepipeline.amazonaws.com", A, REGION, SourceArn="arn:aws:codepipeline:x:1:p")
    check_refused(lambda: pipeline.client("sns").publish(TopicArn=topic, Message="m"))
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy",
        AttributeValue=document(allow("sns:Publish", topic, Principal={"Service": "codepipeline.amazonaws.com"},
                                      Condition={"StringEquals": {"aws:SourceAccount": A}})),
    )  # fmt: skip
    pipeline.client("sns").publish(TopicArn=topic, Message="m")
    check_refused(
        lambda: strict.as_service("events.amazonaws.com", A, REGION).client("sns").publish(TopicArn=topic, Message="m")
    )


# -- keys ------------------------------------------------------------------------------------------------------


def key_with(cloud: Cloud, *statements: Statement) -> str:
    root = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{A}:root"}, Sid="Account")
    kms = cloud.root(A, REGION).client("kms")
    return str(kms.create_key(Policy=document(root, *statements))["KeyMetadata"]["Arn"])


def test_an_object_under_a_key_needs_the_key_too(strict: Cloud) -> None:
    key = key_with(strict)
    s3 = strict.root(A, REGION).client("s3")
    s3.create_bucket(Bucket="secret")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="secret", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="secret", Key="k", Body=b"x")
    objects = allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::secret/*")
    via = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    reader = session(strict, "reader", objects, allow("kms:Decrypt", key, Condition=via))
    reader.client("s3").get_object(Bucket="secret", Key="k")
    assert "kms:GenerateDataKey" in str(
        check_refused(lambda: reader.client("s3").put_object(Bucket="secret", Key="n", Body=b""))
    )
    direct = check_refused(lambda: reader.client("kms").decrypt(KeyId=key, CiphertextBlob=b"x" * 100))
    assert "the request has nothing" in str(direct)
    no_key = session(strict, "no-key", objects)
    assert f'kms:Decrypt on resource: "{key}"' in str(
        check_refused(lambda: no_key.client("s3").get_object(Bucket="secret", Key="k"))
    )


def test_a_key_policy_without_the_account_leaves_identity_policies_powerless(strict: Cloud) -> None:
    who = session(strict, "admin", allow("*"))
    only = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{A}:role/admin"})
    key = who.client("kms").create_key(Policy=document(only))["KeyMetadata"]["Arn"]
    other = session(strict, "other", allow("*"))
    who.client("kms").describe_key(KeyId=key)
    check_refused(lambda: other.client("kms").describe_key(KeyId=key))


def test_a_key_policy_that_locks_its_writer_out_is_refused(strict: Cloud) -> None:
    other = allow("kms:*", Principal={"AWS": B})
    with pytest.raises(ClientError, match="will not allow you to update the key policy"):
        strict.root(A, REGION).client("kms").create_key(Policy=document(other))


def test_an_alias_is_decided_by_its_keys_arn(strict: Cloud) -> None:
    key = key_with(strict)
    strict.root(A, REGION).client("kms").create_alias(AliasName="alias/models", TargetKeyId=key)
    session(strict, "by-key", allow("kms:DescribeKey", key)).client("kms").describe_key(KeyId="alias/models")
    by_alias = session(strict, "by-alias", allow("kms:DescribeKey", f"arn:aws:kms:{REGION}:{A}:alias/models"))
    check_refused(lambda: by_alias.client("kms").describe_key(KeyId="alias/models"))


# -- documents --------------------------------------------------------------------------------------------------


def test_a_misspelt_service_principal_is_no_principal(strict: Cloud) -> None:
    iam = strict.root(A, REGION).client("iam")
    with pytest.raises(ClientError, match=r'Invalid principal in policy: "SERVICE":"codepipelin\.amazonaws\.com"'):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(Service="codepipelin.amazonaws.com"))


def test_a_bucket_policy_for_another_bucket_is_refused(strict: Cloud) -> None:
    with pytest.raises(ClientError, match="Policy has invalid resource"):
        bucket(strict, "mine", allow("s3:GetObject", "arn:aws:s3:::mine-logs/*", Principal={"AWS": A}))


def test_moto_no_longer_decides_on_bucket_policies_itself(strict: Cloud) -> None:
    """Canary for FakeBucket.get_permission, which moto_bridge replaces."""
    from moto.iam.access_control import PermissionResult

    bucket(
        strict, "bkt", {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bkt/x"}
    )
    state = moto_bridge.backend("s3", A, "aws").buckets["bkt"]
    assert state.get_permission("s3:PutObject", "arn:aws:s3:::bkt/x") == PermissionResult.PERMITTED
