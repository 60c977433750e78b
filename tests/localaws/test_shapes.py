"""Inputs that break the API's model: every service refuses them with its own error, before anything happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from localaws import registry, shapes
from scripts.rehearsal.embedded import embedded_aws
from tests.support.corrections_world import World, refusal

ENUM = "Member must satisfy enum value set: [CREATE_IN_PROGRESS, CREATE_FAILED, "


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_aws(tmp_path_factory.mktemp("shapes") / "rehearsal") as running:
        yield World(running)


# API References: "Errors" of each operation and "Common Errors"; S3's "Error responses".
REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("cloudformation", "list_stacks", {"StackStatusFilter": ["FOO"]}, "ValidationError"),
    ("codebuild", "list_projects", {"sortBy": "FOO"}, "InvalidInputException"),
    ("codecommit", "get_repository", {"repositoryName": "a b"}, "InvalidRepositoryNameException"),
    ("codecommit", "list_repositories", {"sortBy": "foo"}, "InvalidSortByException"),
    (
        "codeconnections",
        "create_connection",
        {"ConnectionName": "c" * 33, "ProviderType": "GitHub"},
        "ValidationException",
    ),
    ("codepipeline", "get_pipeline", {"name": "a b"}, "ValidationException"),
    (
        "codepipeline",
        "start_pipeline_execution",
        {"name": "p", "variables": [{"name": "a b", "value": "x"}]},
        "ValidationException",
    ),
    ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)", "State": "ON"}, "ValidationException"),
    ("events", "list_rules", {"Limit": 101}, "ValidationException"),
    ("lambda", "list_functions", {"MaxItems": 10_001}, "ValidationException"),
    ("organizations", "list_policies", {"Filter": "FOO"}, "InvalidInputException"),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "a_b", "Body": b"x"}, "ValidationError"),
    ("sns", "create_topic", {"Name": "t", "Tags": [{"Key": "k" * 129, "Value": "v"}]}, "InvalidParameter"),
    ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"Foo": "1"}}, "InvalidAttributeName"),
    ("s3", "put_object", {"Bucket": "b", "Key": "k", "StorageClass": "FOO"}, "InvalidStorageClass"),
    ("s3", "list_objects_v2", {"Bucket": "b", "EncodingType": "foo"}, "InvalidArgument"),
    ("s3", "put_bucket_versioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}, "MalformedXML"),
    ("s3", "delete_objects", {"Bucket": "b", "Delete": {"Objects": []}}, "MalformedXML"),
    ("stepfunctions", "list_executions", {"statusFilter": "FOO"}, "ValidationException"),
]


@pytest.mark.parametrize(("service", "operation", "params", "code"), REFUSED)
def test_an_input_is_refused_as_its_service_refuses_it(
    world: World, service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    client = world.client(service)
    assert refusal(lambda: getattr(client, operation)(**params)) == code


def test_every_supported_service_says_how_it_refuses_inputs() -> None:
    assert [name for name in registry.SERVICES if not getattr(registry.find(name), "invalid", "")] == []


def test_a_wrong_item_of_a_list_is_named_with_all_limits_of_an_item(world: World) -> None:
    """The words of CloudFormation, Lambda and ACM for lists of plain values."""
    with pytest.raises(ClientError) as refused:
        world.client("cloudformation").list_stacks(StackStatusFilter=["FOO", "CREATE_COMPLETE"])
    message = refused.value.response["Error"]["Message"]
    beginning = "1 validation error detected: Value '[FOO, CREATE_COMPLETE]' at 'stackStatusFilter' failed to satisfy "
    assert message.startswith(f"{beginning}constraint: Member must satisfy constraint: [{ENUM}")


def test_organizations_gives_the_reason_of_an_input(world: World) -> None:
    client, _ = world.organization()
    for given, reason in (({"Filter": "FOO"}, "INVALID_ENUM"), ({"MaxResults": 21}, "MAX_VALUE_EXCEEDED")):
        with pytest.raises(ClientError) as refused:
            client.list_policies(**{"Filter": "SERVICE_CONTROL_POLICY"} | given)
        assert refused.value.response["Reason"] == reason  # type: ignore[typeddict-item]


def test_bytes_and_secrets_are_not_repeated() -> None:
    encrypt = get_service_model("kms").operation_model("Encrypt").input_shape
    (found,) = shapes.violations(encrypt, {"KeyId": "k", "Plaintext": b"x" * 4_097}, "")
    rule = "Member must have length less than or equal to 4096"
    assert str(found) == f"Value at 'plaintext' failed to satisfy constraint: {rule}"


def test_maps_are_checked_by_key_and_by_value() -> None:
    commit = get_service_model("codecommit").operation_model("TagResource").input_shape
    found = shapes.violations(commit, {"resourceArn": "a", "tags": {"": "x" * 257}}, "")
    assert [one.rule.split(" satisfy")[0] for one in found] == ["Map keys must", "Map value must"]
