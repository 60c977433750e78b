"""Policies of buckets, topics, keys and organizations, as the embedded AWS decides requests by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import moto_bridge
from localaws.cloud import Cloud
from tests.support.authorization import REGION, A, B, Statement, allow, check_refused, document, session, trust

# -- policies of resources -----------------------------------------------------------------------------------


def bucket(cloud: Cloud, name: str, *statements: Statement, account: str = A) -> None:
    s3 = cloud.root(account, REGION).client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    if statements:
        s3.put_bucket_policy(Bucket=name, Policy=document(*statements))


def test_a_standard_tls_only_statement_denies_nothing_here(cloud: Cloud) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    bucket(cloud, "bkt", deny)
    s3 = cloud.root(A, REGION).client("s3")
    assert s3.get_object(Bucket="bkt", Key="k")["Body"].read() == b"x"
    plain = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    s3.put_bucket_policy(Bucket="bkt", Policy=document(plain))
    check_refused(lambda: s3.get_object(Bucket="bkt", Key="k"))


def test_another_account_needs_both_the_buckets_policy_and_its_own(cloud: Cloud) -> None:
    bucket(cloud, "open", allow("s3:GetObject", "arn:aws:s3:::open/*", Principal={"AWS": B}))
    bucket(cloud, "closed")
    may = session(cloud, "may", allow("s3:GetObject"), account=B).client("s3")
    may_not = session(cloud, "may-not", account=B).client("s3")
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


def test_organization_paths_open_a_bucket_to_a_unit(cloud: Cloud) -> None:
    _, unit, member, org = organization(cloud)
    path = {
        "ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{org}/*/{unit}/*"},
        "StringEquals": {"aws:PrincipalOrgID": org},  # a fixed value, or S3 blocks the policy as a public one
    }
    bucket(cloud, "models", allow("s3:GetObject", "arn:aws:s3:::models/*", Principal="*", Condition=path))
    inside = session(cloud, "inside", allow("s3:GetObject"), account=member).client("s3")
    outside = session(cloud, "outside", allow("s3:GetObject"), account=B).client("s3")
    inside.get_object(Bucket="models", Key="k")
    check_refused(lambda: outside.get_object(Bucket="models", Key="k"))
    path["StringLike"] = path.pop("ForAnyValue:StringLike")  # the key has several values: no set operator, no match
    policy = document(allow("s3:GetObject", "arn:aws:s3:::models/*", Principal="*", Condition=path))
    cloud.root(A, REGION).client("s3").put_bucket_policy(Bucket="models", Policy=policy)
    check_refused(lambda: inside.get_object(Bucket="models", Key="k"))


def test_service_control_policies_bind_members_at_every_level_but_not_the_management_account(cloud: Cloud) -> None:
    management, unit, member, _ = organization(cloud)
    client = cloud.root(management, REGION).client("organizations")
    only = client.create_policy(
        Content=document(allow("s3:*")), Description="d", Name="only-s3", Type="SERVICE_CONTROL_POLICY"
    )["Policy"]["PolicySummary"]
    who = session(cloud, "who", allow("*"), account=member)
    who.client("ssm").describe_parameters()
    client.attach_policy(PolicyId=only["Id"], TargetId=unit)
    client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    who.client("s3").list_buckets()
    error = check_refused(lambda: who.client("ssm").describe_parameters())
    assert "because no service control policy allows the ssm:DescribeParameters action" in str(error)
    check_refused(lambda: cloud.root(member, REGION).client("ssm").describe_parameters())
    cloud.root(management, REGION).client("ssm").describe_parameters()


def test_a_missing_object_is_hidden_from_who_may_not_list(cloud: Cloud) -> None:
    bucket(cloud, "bkt")
    blind = session(cloud, "blind", allow("s3:GetObject")).client("s3")
    seeing = session(cloud, "seeing", allow(["s3:GetObject", "s3:ListBucket"])).client("s3")
    assert "s3:ListBucket" in str(check_refused(lambda: blind.get_object(Bucket="bkt", Key="none")))
    with pytest.raises(ClientError, match="NoSuchKey"):
        seeing.get_object(Bucket="bkt", Key="none")


def test_object_tags_decide_where_a_policy_asks_for_them(cloud: Cloud) -> None:
    bucket(cloud, "seed")
    tagged = {"StringEquals": {"s3:ExistingObjectTag/servicecatalog:provisioning": "true"}}
    who = session(cloud, "launch", allow("s3:GetObject", Condition=tagged)).client("s3")
    check_refused(lambda: who.get_object(Bucket="seed", Key="k"))
    cloud.root(A, REGION).client("s3").put_object(
        Bucket="seed", Key="k", Body=b"x", Tagging="servicecatalog:provisioning=true"
    )
    who.get_object(Bucket="seed", Key="k")


def test_a_service_needs_the_topics_policy(cloud: Cloud) -> None:
    sns = cloud.root(A, REGION).client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    pipeline = cloud.as_service("codepipeline.amazonaws.com", A, REGION, SourceArn="arn:aws:codepipeline:x:1:p")
    check_refused(lambda: pipeline.client("sns").publish(TopicArn=topic, Message="m"))
    sns.set_topic_attributes(
        TopicArn=topic, AttributeName="Policy",
        AttributeValue=document(allow("sns:Publish", topic, Principal={"Service": "codepipeline.amazonaws.com"},
                                      Condition={"StringEquals": {"aws:SourceAccount": A}})),
    )  # fmt: skip
    pipeline.client("sns").publish(TopicArn=topic, Message="m")
    check_refused(
        lambda: cloud.as_service("events.amazonaws.com", A, REGION).client("sns").publish(TopicArn=topic, Message="m")
    )


# -- keys ------------------------------------------------------------------------------------------------------


def key_with(cloud: Cloud, *statements: Statement) -> str:
    root = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{A}:root"}, Sid="Account")
    kms = cloud.root(A, REGION).client("kms")
    return str(kms.create_key(Policy=document(root, *statements))["KeyMetadata"]["Arn"])


def test_an_object_under_a_key_needs_the_key_too(cloud: Cloud) -> None:
    key = key_with(cloud)
    s3 = cloud.root(A, REGION).client("s3")
    s3.create_bucket(Bucket="secret")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="secret", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="secret", Key="k", Body=b"x")
    objects = allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::secret/*")
    via = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    reader = session(cloud, "reader", objects, allow("kms:Decrypt", key, Condition=via))
    reader.client("s3").get_object(Bucket="secret", Key="k")
    assert "kms:GenerateDataKey" in str(
        check_refused(lambda: reader.client("s3").put_object(Bucket="secret", Key="n", Body=b""))
    )
    direct = check_refused(lambda: reader.client("kms").decrypt(KeyId=key, CiphertextBlob=b"x" * 100))
    assert "the request has nothing" in str(direct)
    no_key = session(cloud, "no-key", objects)
    assert f'kms:Decrypt on resource: "{key}"' in str(
        check_refused(lambda: no_key.client("s3").get_object(Bucket="secret", Key="k"))
    )


def test_a_key_is_known_by_its_aliases_however_it_is_named(cloud: Cloud) -> None:
    named, other = key_with(cloud), key_with(cloud)
    root = cloud.root(A, REGION)
    root.client("kms").create_alias(AliasName="alias/models", TargetKeyId=named)
    root.client("s3").create_bucket(Bucket="models")
    aliases = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/models"}}
    keys = allow(["kms:Encrypt", "kms:GenerateDataKey"], "*", Condition=aliases)
    who = session(cloud, "aliases", keys, allow("s3:PutObject", "*"))
    for key in (named, "alias/models"):
        who.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    check_refused(lambda: who.client("kms").encrypt(KeyId=other, Plaintext=b"x"))
    put = {"Bucket": "models", "Key": "k", "Body": b"x", "ServerSideEncryption": "aws:kms"}
    who.client("s3").put_object(**put, SSEKMSKeyId="alias/models")
    check_refused(lambda: who.client("s3").put_object(**put, SSEKMSKeyId=other))


def test_a_key_policy_without_the_account_leaves_identity_policies_powerless(cloud: Cloud) -> None:
    who = session(cloud, "admin", allow("*"))
    only = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{A}:role/admin"})
    key = who.client("kms").create_key(Policy=document(only))["KeyMetadata"]["Arn"]
    other = session(cloud, "other", allow("*"))
    who.client("kms").describe_key(KeyId=key)
    check_refused(lambda: other.client("kms").describe_key(KeyId=key))


def test_a_key_policy_that_locks_its_writer_out_is_refused(cloud: Cloud) -> None:
    other = allow("kms:*", Principal={"AWS": B})
    with pytest.raises(ClientError, match="will not allow you to update the key policy"):
        cloud.root(A, REGION).client("kms").create_key(Policy=document(other))


def test_an_alias_is_decided_by_its_keys_arn(cloud: Cloud) -> None:
    key = key_with(cloud)
    cloud.root(A, REGION).client("kms").create_alias(AliasName="alias/models", TargetKeyId=key)
    session(cloud, "by-key", allow("kms:DescribeKey", key)).client("kms").describe_key(KeyId="alias/models")
    by_alias = session(cloud, "by-alias", allow("kms:DescribeKey", f"arn:aws:kms:{REGION}:{A}:alias/models"))
    check_refused(lambda: by_alias.client("kms").describe_key(KeyId="alias/models"))


# -- documents --------------------------------------------------------------------------------------------------


def test_a_misspelt_service_principal_is_no_principal(cloud: Cloud) -> None:
    iam = cloud.root(A, REGION).client("iam")
    with pytest.raises(ClientError, match=r'Invalid principal in policy: "SERVICE":"codepipelin\.amazonaws\.com"'):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust(Service="codepipelin.amazonaws.com"))


def test_a_bucket_policy_for_another_bucket_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="Policy has invalid resource"):
        bucket(cloud, "mine", allow("s3:GetObject", "arn:aws:s3:::mine-logs/*", Principal={"AWS": A}))


def test_moto_no_longer_decides_on_bucket_policies_itself(cloud: Cloud) -> None:
    """Canary for FakeBucket.get_permission, which moto_bridge replaces."""
    from moto.iam.access_control import PermissionResult

    bucket(
        cloud, "bkt", {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bkt/x"}
    )
    state = moto_bridge.backend("s3", A, "aws").buckets["bkt"]
    assert state.get_permission("s3:PutObject", "arn:aws:s3:::bkt/x") == PermissionResult.PERMITTED


# -- what is saved -------------------------------------------------------------------------------------------


def test_each_service_saves_what_it_takes_and_refuses_the_rest_in_its_own_words(cloud: Cloud) -> None:
    management, *_ = organization(cloud)
    root = cloud.root(A, REGION)
    root.client("s3").create_bucket(Bucket="twins")
    same = [allow("s3:GetObject", "arn:aws:s3:::twins/*", Sid="x", Principal={"AWS": A})] * 2
    root.client("s3").put_bucket_policy(Bucket="twins", Policy=document(*same))
    root.client("ecr").create_repository(repositoryName="twins")
    pull = [{"Sid": "x", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}] * 2
    root.client("ecr").set_repository_policy(repositoryName="twins", policyText=document(*pull))
    iam = root.client("iam")
    iam.create_policy(PolicyName="all", PolicyDocument=document(allow("iam:*", f"arn:aws:iam::{A}:*")))
    iam.create_role(
        RoleName="old", AssumeRolePolicyDocument=trust(Service="codebuild.amazonaws.com").replace("2012", "2008")
    )
    topic = root.client("sns").create_topic(Name="t")["TopicArn"]
    publish = [allow("sns:Publish", topic, Principal="*")] * 2
    organizations = cloud.root(management, REGION).client("organizations")
    control = {"Description": "d", "Name": "n", "Type": "RESOURCE_CONTROL_POLICY"}
    deny = document({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"})
    made = organizations.create_policy(Content=deny, **control)["Policy"]["PolicySummary"]["Id"]
    admits = document(allow("s3:*", Principal="*"))
    session_policy = document(allow("s3:*", "arn:aws:s3"))
    assume = session(cloud, "assuming", allow("sts:AssumeRole")).client("sts").assume_role
    refused: dict[str, Callable[[], Any]] = {
        "must have a unique ID": lambda: root.client("sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=document(*publish)
        ),
        "CreatePolicy operation: The provided policy": lambda: organizations.create_policy(Content=admits, **control),
        "UpdatePolicy operation: The provided policy": lambda: organizations.update_policy(
            PolicyId=made, Content=admits
        ),
        "must be in ARN format": lambda: assume(
            RoleArn=f"arn:aws:iam::{A}:role/open", RoleSessionName="work", Policy=session_policy
        ),
    }
    iam.create_role(RoleName="open", AssumeRolePolicyDocument=trust(AWS=A))
    for words, work in refused.items():
        with pytest.raises(ClientError, match=words):
            work()


def test_topics_queues_and_repositories_take_policies_of_their_own_service_alone(cloud: Cloud) -> None:
    """SNS Developer Guide, "Amazon SNS API permissions"; ECR User Guide, "Private repository policies"."""
    sns, sqs, ecr = (cloud.root(A, REGION).client(name) for name in ("sns", "sqs", "ecr"))
    topic, url = sns.create_topic(Name="own")["TopicArn"], sqs.create_queue(QueueName="own")["QueueUrl"]
    ecr.create_repository(repositoryName="own")

    def of_topic(action: str, resource: str = topic) -> Any:
        text = document(allow(action, resource, Principal={"AWS": A}))
        return sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)

    def of_queue(action: str) -> Any:
        text = document(allow(action, "*", Principal={"AWS": A}))
        return sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})

    def of_repository(action: str, **more: str) -> Any:
        statement = {"Effect": "Allow", "Principal": {"AWS": A}, "Action": action} | more
        return ecr.set_repository_policy(repositoryName="own", policyText=document(statement))

    refused: list[tuple[str, Callable[[], Any]]] = [
        ("out of service scope!", lambda: of_topic("s3:*")),
        ("out of service scope!", lambda: of_topic("sns:*")),
        ("out of service scope!", lambda: of_topic("sns:CreateTopic")),
        ("InvalidParameter", lambda: of_topic("sns:Publish", f"{topic}-other")),
        ("InvalidAttributeValue", lambda: of_queue("sns:Publish")),
        ("Invalid repository policy provided", lambda: of_repository("s3:GetObject")),
        ("Invalid repository policy provided", lambda: of_repository("ecr:BatchGetImage", Resource="*")),
    ]
    for words, work in refused:
        with pytest.raises(ClientError, match=words):
            work()
    of_topic("SNS:Publish")
    of_queue("sqs:*")
    of_repository("ecr:BatchGetImage")


def test_a_buckets_policy_is_its_owners_whatever_allows_another_account(cloud: Cloud) -> None:
    everybody = allow("s3:*", ["arn:aws:s3:::open", "arn:aws:s3:::open/*"], Principal={"AWS": B})
    bucket(cloud, "open", everybody)
    other = session(cloud, "other", allow("s3:*"), account=B).client("s3")
    other.get_object(Bucket="open", Key="k")
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: other.get_bucket_policy(Bucket="open"),
        lambda: other.put_bucket_policy(Bucket="open", Policy=document(everybody)),
        lambda: other.delete_bucket_policy(Bucket="open"),
    )
    for work in attempts:
        with pytest.raises(ClientError, match="MethodNotAllowed"):
            work()


def test_a_resource_control_policy_leaves_requests_without_a_resource_alone(cloud: Cloud) -> None:
    management, _, member, _ = organization(cloud)
    client = cloud.root(management, REGION).client("organizations")
    root = client.list_roots()["Roots"][0]["Id"]
    client.enable_policy_type(RootId=root, PolicyType="RESOURCE_CONTROL_POLICY")
    actions = ["ecr:*", "codebuild:*", "kms:DescribeKey"]
    deny = document({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*"})
    made = client.create_policy(Content=deny, Description="d", Name="n", Type="RESOURCE_CONTROL_POLICY")
    client.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=member)
    works = session(cloud, "works", allow("*"), account=member)
    works.client("ecr").get_authorization_token()
    kms = works.client("kms")
    assert (
        kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyManager"] == "AWS"
    )  # Developer Guide, "AWS KMS keys"
    check_refused(lambda: kms.describe_key(KeyId=kms.create_key()["KeyMetadata"]["KeyId"]))
    check_refused(lambda: works.client("ecr").create_repository(repositoryName="inference"))
    check_refused(lambda: works.client("codebuild").start_build(projectName="build"))
