"""A role that is deleted and created again is another principal, until the policies that name it are saved again.

IAM User Guide, "AWS JSON policy elements: Principal".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session
from tests.support.authorization import REGION, A, B, allow, check_refused, document, trust

NAME = "reader"
ARN = f"arn:aws:iam::{B}:role/{NAME}"


def make_role(cloud: Cloud) -> str:
    """The role in account B, which may do everything that others let it do; its unique id."""
    iam = cloud.root(B, REGION).client("iam")
    made = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=trust(Service="codebuild.amazonaws.com"))
    iam.put_role_policy(RoleName=NAME, PolicyName="all", PolicyDocument=document(allow("*")))
    return str(made["Role"]["RoleId"])


def delete_role(cloud: Cloud) -> None:
    iam = cloud.root(B, REGION).client("iam")
    iam.delete_role_policy(RoleName=NAME, PolicyName="all")
    iam.delete_role(RoleName=NAME)


def acting(cloud: Cloud) -> Session:
    return cloud.service_role(ARN, "work", "codebuild.amazonaws.com", REGION)


def of_a_resource(resource: str, action: str) -> str:
    """resource: "" for a policy of a repository, which names none."""
    statement = allow(action, resource, Sid="reader", Principal={"AWS": [ARN, f"arn:aws:iam::{A}:root"]})
    return document({key: value for key, value in statement.items() if value})


Save = Callable[[Session], None]
Show = Callable[[Session], Any]


def kinds(cloud: Cloud) -> dict[str, tuple[Save, Show]]:
    """How to save and to show a policy that names the role, of each service that has such policies."""
    root = cloud.root(A, REGION)
    root.client("s3").create_bucket(Bucket="models")
    key = root.client("kms").create_key()["KeyMetadata"]["KeyId"]
    topic = root.client("sns").create_topic(Name="alarms")["TopicArn"]
    queue = root.client("sqs").create_queue(QueueName="events")["QueueUrl"]
    root.client("ecr").create_repository(repositoryName="inference")
    secret = root.client("secretsmanager").create_secret(Name="token", SecretString="x")["ARN"]
    root.client("sagemaker").create_model_package_group(ModelPackageGroupName="project")
    root.client("iam").create_role(RoleName="trusting", AssumeRolePolicyDocument=trust(AWS=ARN))
    group = f"arn:aws:sagemaker:{REGION}:{A}:model-package-group/project"
    queue_arn, bus = f"arn:aws:sqs:{REGION}:{A}:events", f"arn:aws:events:{REGION}:{A}:event-bus/default"
    everything = {
        "Effect": "Allow",
        "Principal": {"AWS": [ARN, f"arn:aws:iam::{A}:root"]},
        "Action": "kms:*",
        "Resource": "*",
    }
    return {
        "bucket": (
            lambda s: s.client("s3").put_bucket_policy(
                Bucket="models", Policy=of_a_resource("arn:aws:s3:::models/*", "s3:GetObject")
            ),
            lambda s: s.client("s3").get_bucket_policy(Bucket="models")["Policy"],
        ),
        "key": (
            lambda s: s.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(everything)),
            lambda s: s.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"],
        ),
        "topic": (
            lambda s: s.client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=of_a_resource(topic, "sns:Publish")
            ),
            lambda s: s.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"],
        ),
        "queue": (
            lambda s: s.client("sqs").set_queue_attributes(
                QueueUrl=queue, Attributes={"Policy": of_a_resource(queue_arn, "sqs:SendMessage")}
            ),
            lambda s: s.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"],
        ),
        "repository": (
            lambda s: s.client("ecr").set_repository_policy(
                repositoryName="inference", policyText=of_a_resource("", "ecr:BatchGetImage")
            ),
            lambda s: s.client("ecr").get_repository_policy(repositoryName="inference")["policyText"],
        ),
        "secret": (
            lambda s: s.client("secretsmanager").put_resource_policy(
                SecretId=secret, ResourcePolicy=of_a_resource("*", "secretsmanager:GetSecretValue")
            ),
            lambda s: s.client("secretsmanager").get_resource_policy(SecretId=secret)["ResourcePolicy"],
        ),
        "bus": (
            lambda s: s.client("events").put_permission(Policy=of_a_resource(bus, "events:PutEvents")),
            lambda s: s.client("events").describe_event_bus()["Policy"],
        ),
        "model group": (
            lambda s: s.client("sagemaker").put_model_package_group_policy(
                ModelPackageGroupName="project",
                ResourcePolicy=of_a_resource(group, "sagemaker:DescribeModelPackageGroup"),
            ),
            lambda s: s.client("sagemaker").get_model_package_group_policy(ModelPackageGroupName="project"),
        ),
        "trust": (
            lambda s: s.client("iam").update_assume_role_policy(
                RoleName="trusting", PolicyDocument=document(
                    {"Effect": "Allow", "Principal": {"AWS": ARN}, "Action": "sts:AssumeRole"}
                ),
            ),
            lambda s: s.client("iam").get_role(RoleName="trusting")["Role"]["AssumeRolePolicyDocument"],
        ),
    }  # fmt: skip


@pytest.fixture
def named(cloud: Cloud) -> dict[str, tuple[Save, Show]]:
    cloud.root(A, REGION).client("organizations").create_organization(FeatureSet="ALL")
    make_role(cloud)
    found = kinds(cloud)
    for save, _ in found.values():
        save(cloud.root(A, REGION))
    return found


def test_every_kind_of_policy_shows_the_id_of_a_deleted_role(cloud: Cloud, named: dict[str, tuple[Save, Show]]) -> None:
    root = cloud.root(A, REGION)
    unique_id = cloud.root(B, REGION).client("iam").get_role(RoleName=NAME)["Role"]["RoleId"]
    assert all(ARN in json.dumps(show(root)) for _, show in named.values())
    delete_role(cloud)
    assert make_role(cloud) != unique_id
    for kind, (_, show) in named.items():
        shown = json.dumps(show(root))
        assert unique_id in shown, kind
        assert ARN not in shown, kind
    for kind, (save, show) in named.items():
        save(root)
        assert ARN in json.dumps(show(root)), kind


def test_the_new_role_is_let_in_once_the_policies_are_saved_again(
    cloud: Cloud, named: dict[str, tuple[Save, Show]]
) -> None:
    cloud.root(A, REGION).client("s3").put_object(Bucket="models", Key="k", Body=b"x")
    before = acting(cloud)

    def read(session: Session) -> None:
        session.client("s3").get_object(Bucket="models", Key="k")

    def assume(session: Session) -> None:
        session.client("sts").assume_role(RoleArn=f"arn:aws:iam::{A}:role/trusting", RoleSessionName="work")

    for use in (read, assume):
        use(before)
    delete_role(cloud)
    make_role(cloud)
    check_refused(lambda: read(before))  # the sessions of the deleted role have no permissions any more
    for kind, use in {"bucket": read, "trust": assume}.items():
        check_refused(lambda use=use: use(acting(cloud)))
        named[kind][0](cloud.root(A, REGION))
        use(acting(cloud))


def test_a_policy_that_names_a_deleted_principal_by_its_id_is_refused(cloud: Cloud) -> None:
    unique_id = make_role(cloud)
    s3 = cloud.root(A, REGION).client("s3")
    s3.create_bucket(Bucket="models")
    statement = allow("s3:GetObject", "arn:aws:s3:::models/*", Principal={"AWS": unique_id})
    s3.put_bucket_policy(Bucket="models", Policy=document(statement))
    s3.put_object(Bucket="models", Key="k", Body=b"x")
    acting(cloud).client("s3").get_object(Bucket="models", Key="k")  # the id of a role that exists is a name of it
    delete_role(cloud)
    with pytest.raises(ClientError, match="Invalid principal in policy"):
        s3.put_bucket_policy(Bucket="models", Policy=document(statement))
