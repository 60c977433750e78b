"""The table of corrections (localaws/corrections.py): each is in force, and moto alone still answers otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.kms.models import Key
from moto.s3 import notifications as moto_notifications
from moto.sns.models import Subscription
from moto.sqs.models import Queue

from localaws import moto_bridge, pages, registry
from localaws.cloud import Cloud
from localaws.corrections import CORRECTIONS
from localaws.service import EVERY
from localaws.services.codebuild.images import check_environment
from localaws.services.iam import ids
from localaws.services.kms import service as kms
from localaws.services.s3 import destinations
from localaws.services.sns import delivery
from localaws.services.sqs import service as sqs
from scripts.rehearsal.embedded import embedded_aws
from tests.support import (
    corrections_answers,
    corrections_network,
    corrections_operation,
    corrections_requests,
    corrections_storage,
)
from tests.support.authorization import allow, session
from tests.support.corrections_world import PROBES, A, B, World, refusal
from tests.support.waiting import until

assert corrections_answers  # they fill PROBES
assert corrections_network
assert corrections_operation
assert corrections_requests
assert corrections_storage


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("corrections") / "rehearsal") as running:
        yield running


@pytest.fixture
def moto_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services of the table without what this repository adds to moto."""
    for name in {correction.service for correction in CORRECTIONS}:
        service = registry.find(name)
        assert service is not None
        monkeypatch.setattr(service, "moto", EVERY)
        monkeypatch.setattr(service, "owner", None)
        monkeypatch.setattr(service, "invalid", "")
        for parts in ("handlers", "checks", "consequences"):
            monkeypatch.setattr(service, parts, {})
    monkeypatch.setattr(pages, "check", lambda call: None)
    monkeypatch.setattr(registry, "cut", lambda call, answer: answer)
    monkeypatch.setattr(Key, "to_dict", kms._metadata)
    monkeypatch.delattr(kms.Keys, "__missing__")
    monkeypatch.setattr(moto_notifications, "send_test_event", destinations._test_event)
    monkeypatch.setattr(Subscription, "publish", delivery._publish)
    monkeypatch.setattr(Queue, "attributes", property(sqs._attributes))
    monkeypatch.setattr(moto_bridge, "error_of", lambda call, status, body: (status, body))
    for kind, init in ids.OF_MOTO.items():
        monkeypatch.setattr(kind, "__init__", init)


def test_every_correction_has_a_probe() -> None:
    assert sorted(PROBES) == sorted(correction.name for correction in CORRECTIONS)


@pytest.mark.parametrize("name", PROBES)
def test_the_answer_is_that_of_aws(shared_cloud: Cloud, name: str) -> None:
    ask, wanted = PROBES[name]
    assert ask(World(shared_cloud)) == wanted
    assert not shared_cloud.faults


@pytest.mark.parametrize("name", PROBES)
def test_moto_alone_still_answers_otherwise(shared_cloud: Cloud, moto_alone: None, name: str) -> None:
    """A canary: where it fails, moto answers as AWS does, and the correction can go."""
    ask, wanted = PROBES[name]
    assert ask(World(shared_cloud)) != wanted
    shared_cloud.faults.clear()  # what breaks is moto


def test_a_subscription_is_confirmed_with_the_token_of_its_mail(shared_cloud: Cloud) -> None:
    world = World(shared_cloud)
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("t"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="b@example.com")
    mail = json.loads((shared_cloud.folder / "mail.jsonl").read_text().splitlines()[-1])
    assert (mail["to"], mail["topic"]) == ("b@example.com", topic)
    assert refusal(lambda: sns.confirm_subscription(TopicArn=topic, Token="0" * 128)) == "InvalidParameter"
    confirmed = sns.confirm_subscription(TopicArn=topic, Token=mail["token"])["SubscriptionArn"]
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == confirmed


def test_a_deleted_endpoint_is_no_scalable_target_if_its_deleter_may_say_so(shared_cloud: Cloud) -> None:
    """SageMaker Developer Guide, "Delete endpoints configured for auto scaling"."""
    world = World(shared_cloud)
    names, scaling = world.endpoint("ml.m5.large"), world.client("application-autoscaling")
    scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=2)

    def delete_by(role: str, *actions: str) -> Any:
        by = session(shared_cloud, world.name(role), allow(list(actions)))
        return by.client("sagemaker").delete_endpoint(EndpointName=world.name("endpoint"))

    with pytest.raises(ClientError, match="does not have application-autoscaling:DeregisterScalableTarget permission"):
        delete_by("one", "sagemaker:DeleteEndpoint")
    of = {"ServiceNamespace": "sagemaker", "ResourceIds": [names["ResourceId"]]}
    assert len(scaling.describe_scalable_targets(**of)["ScalableTargets"]) == 1
    delete_by("other", "sagemaker:DeleteEndpoint", "application-autoscaling:DeregisterScalableTarget")
    assert scaling.describe_scalable_targets(**of)["ScalableTargets"] == []


def test_a_key_that_is_to_be_deleted_can_be_kept(shared_cloud: Cloud) -> None:
    world = World(shared_cloud)
    kms, key = world.client("kms"), world.key()
    assert refusal(lambda: kms.cancel_key_deletion(KeyId=key)) == "KMSInvalidStateException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_a_bucket_name_that_another_account_has_is_taken(shared_cloud: Cloud) -> None:
    world = World(shared_cloud)
    name = world.bucket()
    assert refusal(lambda: world.client("s3", B).create_bucket(Bucket=name)) == "BucketAlreadyExists"


def test_a_caller_is_named_by_its_unique_id(shared_cloud: Cloud) -> None:
    """IAM User Guide, "IAM identifiers": the role's id and the session's name."""
    world = World(shared_cloud)
    by = session(shared_cloud, world.name("caller"), allow("sts:*"))
    role = world.client("iam").get_role(RoleName=world.name("caller"))["Role"]["RoleId"]
    assert by.client("sts").get_caller_identity()["UserId"] == f"{role}:work"
    assert world.client("sts").get_caller_identity()["UserId"] == A


def test_executions_are_listed_of_a_state_machine(shared_cloud: Cloud) -> None:
    assert refusal(lambda: World(shared_cloud).client("stepfunctions").list_executions()) == "ValidationException"


def test_an_empty_file_is_not_put(shared_cloud: Cloud) -> None:
    """CodeCommit API Reference, PutFile: FileContentRequiredException."""
    world = World(shared_cloud)
    codecommit = world.client("codecommit")
    codecommit.create_repository(repositoryName=world.name("r"))
    file = {"repositoryName": world.name("r"), "branchName": "main", "filePath": "f"}
    assert refusal(lambda: codecommit.put_file(**file, fileContent=b"")) == "FileContentRequiredException"


@pytest.mark.parametrize("image", ["docker:dind", "python", "me/image:1", "public.ecr.aws/docker/library/python:3.12"])
def test_a_build_runs_in_an_image_of_a_public_registry(image: str) -> None:
    environment = {"type": "LINUX_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL", "image": image}
    check_environment(environment)


def test_a_refused_stack_leaves_anothers_scalable_target_as_it_is(shared_cloud: Cloud) -> None:
    world = World(shared_cloud)
    names, cloudformation = world.endpoint("ml.m5.large"), world.client("cloudformation")

    def create(name: str, most: int) -> str:
        properties = {**names, "MinCapacity": 1, "MaxCapacity": most}
        resource = {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": properties}
        made = cloudformation.create_stack(
            StackName=world.name(name), TemplateBody=json.dumps({"Resources": {"Target": resource}})
        )["StackId"]
        until(lambda: not status(made).endswith("_IN_PROGRESS"))
        return status(made)

    def status(stack: str) -> str:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    assert (create("first", 2), create("second", 9)) == ("CREATE_COMPLETE", "ROLLBACK_COMPLETE")
    found = world.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    mine = [one["MaxCapacity"] for one in found["ScalableTargets"] if one["ResourceId"] == names["ResourceId"]]
    assert mine == [2]
