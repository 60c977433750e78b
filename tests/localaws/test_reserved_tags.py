"""Keys that begin with aws:, in every service that has tags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from awslang.template.patterns import compiled
from localaws import registry
from localaws.authorization.needs import tag_keys
from localaws.cloud import Cloud
from localaws.reserved_tags import CODES
from scripts.rehearsal.embedded import embedded_aws

A, REGION, KEY = "111111111111", "us-east-1", "aws:mine"
ANY_ARN = f"arn:aws:{{service}}:{REGION}:{A}:any"
# Refused by the service's own code: a request of each, and the error's code.
OWN: dict[str, tuple[str, dict[str, Any], str]] = {
    "cloudformation": (
        "create_stack",
        {"StackName": "s", "TemplateBody": "{}", "Tags": [{"Key": KEY, "Value": "v"}]},
        "ValidationError",
    ),
    "codecommit": (
        "create_repository",
        {"repositoryName": "r", "tags": {KEY: "v"}},
        "InvalidSystemTagUsageException",
    ),
    "resourcegroupstaggingapi": (
        "tag_resources",
        {"ResourceARNList": [ANY_ARN.format(service="sqs")], "Tags": {KEY: "v"}},
        "InvalidParameterException",
    ),
    "s3": ("put_bucket_tagging", {"Bucket": "mine", "Tagging": {"TagSet": [{"Key": KEY, "Value": "v"}]}}, "InvalidTag"),
    "servicecatalog": (
        "create_portfolio",
        {"DisplayName": "p", "ProviderName": "p", "Tags": [{"Key": KEY, "Value": "v"}]},
        "InvalidParametersException",
    ),
    "sts": (
        "assume_role",
        {"RoleArn": f"arn:aws:iam::{A}:role/r", "RoleSessionName": "name", "Tags": [{"Key": KEY, "Value": "v"}]},
        "AccessDenied",  # of the root user, before the tags are looked at
    ),
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder: Path = tmp_path_factory.mktemp("tags")
    with embedded_aws(folder / "rehearsal") as running:
        running.root(A, REGION).client("s3").create_bucket(Bucket="mine")
        yield running


def tagged(service: str) -> list[str]:
    """The supported operations of a service that set tags."""
    found, model = registry.find(service), get_service_model(service)
    assert found is not None
    shapes = {name: model.operation_model(name).input_shape for name in model.operation_names}
    members = {name: set(shape.members) if shape is not None else set() for name, shape in shapes.items()}
    return [
        name
        for name, given in members.items()
        if (name in found.handlers or found.answered_by_moto(name))
        and given & {"Tags", "tags", "Tagging", "TagList"}
        and not name.startswith(("Get", "List"))
    ]


def example(shape: Any) -> Any:
    """A value that a shape takes, with the key in whatever names a tag."""
    if shape.type_name == "structure":
        wanted = {*shape.required_members, *(name for name in shape.members if name.lower() in ("tags", "tagging"))}
        return {
            name: KEY if name.lower() in ("key", "tagkey") else example(shape.members[name])
            for name in wanted or list(shape.members)[:1]
        }
    if shape.type_name == "list":
        return [KEY if "key" in shape.member.name.lower() else example(shape.member)]
    if shape.type_name == "map":
        return {KEY: example(shape.value)}
    if shape.type_name in ("integer", "long"):
        return shape.metadata.get("min", 1)
    if shape.type_name == "string":
        least = shape.metadata.get("enum", ["a" * max(1, shape.metadata.get("min", 1))])[0]
        arns = [ANY_ARN.format(service=service) for service in ("sns", "codepipeline")]
        arns += [f"arn:aws:lambda:{REGION}:{A}:function:any", f"arn:aws:iam::{A}:role/any"]
        pattern = shape.metadata.get("pattern", ".*")
        if "arn" not in f"{shape.name.lower()} {pattern}":
            return least
        return next((one for one in arns if compiled(pattern).fullmatch(one)), arns[0])
    return {"boolean": False, "blob": b"x", "double": 1.0, "float": 1.0, "timestamp": 0}[shape.type_name]


def test_every_service_with_tags_is_known() -> None:
    assert {service for service in registry.SERVICES if tagged(service)} == CODES.keys() | OWN.keys()


@pytest.mark.parametrize("service", sorted(CODES))
def test_a_reserved_key_is_refused(cloud: Cloud, service: str) -> None:
    """By one operation of each service: they share the check."""
    model, codes = get_service_model(service), {}
    for operation in tagged(service):
        given = example(model.operation_model(operation).input_shape)
        assert KEY in tag_keys(given)["aws:tagkeys"], operation
        with pytest.raises(ClientError) as refused:
            getattr(cloud.root(A, REGION).client(service), xform_name(operation))(**given)
        codes[operation] = refused.value.response["Error"]
    assert any(one["Code"] == CODES[service] and KEY in one["Message"] for one in codes.values()), codes


@pytest.mark.parametrize("service", sorted(OWN))
def test_a_reserved_key_is_refused_by_the_service_itself(cloud: Cloud, service: str) -> None:
    operation, given, code = OWN[service]
    with pytest.raises(ClientError) as refused:
        getattr(cloud.root(A, REGION).client(service), operation)(**given)
    assert refused.value.response["Error"]["Code"] == code
