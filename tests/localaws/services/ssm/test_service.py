"""Parameter Store on the embedded AWS: versions, paths, tags."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud


@pytest.fixture
def ssm(cloud: Cloud) -> Any:
    client = cloud.root("111111111111", "us-east-1").client("ssm")
    client.put_parameter(Name="/kit/stage", Value="staging", Type="String", Tags=[{"Key": "team", "Value": "a"}])
    return client


def test_every_version_stays_readable(ssm: Any) -> None:
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        ssm.put_parameter(Name="/kit/stage", Value="prod", Type="String")
    assert ssm.put_parameter(Name="/kit/stage", Value="prod", Overwrite=True)["Version"] == 2
    shown = {name: ssm.get_parameter(Name=name)["Parameter"] for name in ("/kit/stage", "/kit/stage:1", "/kit/stage:2")}
    assert [parameter["Value"] for parameter in shown.values()] == ["prod", "staging", "prod"]
    assert ssm.get_parameter(Name=f"{shown['/kit/stage']['ARN']}:1")["Parameter"]["Value"] == "staging"
    with pytest.raises(ClientError, match="could not find version 3"):
        ssm.get_parameter(Name="/kit/stage:3")
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: a label"):
        ssm.get_parameter(Name="/kit/stage:newest")


def test_a_path_lists_what_lies_beneath_it(ssm: Any) -> None:
    ssm.put_parameter(Name="/kit/deep/er", Value="1", Type="String")
    ssm.put_parameter(Name="/kitten", Value="2", Type="String")

    def beneath(**more: Any) -> list[str]:
        return [parameter["Name"] for parameter in ssm.get_parameters_by_path(Path="/kit", **more)["Parameters"]]

    assert beneath() == ["/kit/stage"]
    assert beneath(Recursive=True) == ["/kit/deep/er", "/kit/stage"]
    described = ssm.describe_parameters()["Parameters"]
    assert [parameter["Name"] for parameter in described] == ["/kit/deep/er", "/kit/stage", "/kitten"]
    assert "Value" not in described[0]


def test_missing_parameters_are_reported(ssm: Any) -> None:
    found = ssm.get_parameters(Names=["/kit/stage", "/none"])
    assert (found["Parameters"][0]["Value"], found["InvalidParameters"]) == ("staging", ["/none"])
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/none")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Name": "kit/x"}, "fully qualified"),
        ({"Name": "/aws/x"}, "prefixed"),
        ({"Value": "x" * 4097}, "4096 bytes"),
        ({"Type": "SecureString", "KeyId": "alias/mine"}, "Not supported by the embedded AWS"),
        ({"Tier": "Advanced"}, "Not supported by the embedded AWS"),
        ({"Name": "/kit/stage", "Type": "StringList", "Overwrite": True}, "HierarchyTypeMismatchException"),
        ({"Name": "/kit/stage", "Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}, "tags and overwrite"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(ssm: Any, more: dict[str, Any], message: str) -> None:
    """Systems Manager API Reference, PutParameter."""
    with pytest.raises(ClientError, match=message):
        ssm.put_parameter(**{"Name": "/kit/new", "Value": "1", "Type": "String", **more})


def test_tags_are_added_and_removed(ssm: Any) -> None:
    at = {"ResourceType": "Parameter", "ResourceId": "/kit/stage"}
    ssm.add_tags_to_resource(**at, Tags=[{"Key": "cost", "Value": "42"}])
    ssm.remove_tags_from_resource(**at, TagKeys=["team"])
    assert ssm.list_tags_for_resource(**at)["TagList"] == [{"Key": "cost", "Value": "42"}]


def test_aws_own_public_parameters_are_refused_by_name(ssm: Any) -> None:
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64"
    with pytest.raises(ClientError, match=f"Not supported by the embedded AWS: the public parameter {name}"):
        ssm.get_parameter(Name=name)


def test_a_secure_string_is_shown_only_to_who_decrypts_it(ssm: Any) -> None:
    ssm.put_parameter(Name="/kit/secret", Value="open sesame", Type="SecureString")
    assert "sesame" not in ssm.get_parameter(Name="/kit/secret")["Parameter"]["Value"]
    assert ssm.get_parameter(Name="/kit/secret", WithDecryption=True)["Parameter"]["Value"] == "open sesame"
    assert ssm.get_parameters(Names=["/kit/secret"], WithDecryption=True)["Parameters"][0]["Value"] == "open sesame"
