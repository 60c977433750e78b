"""Parameter Store: values, versions, paths and tags."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from scripts.rehearsal.cloud import Cloud

A, REGION = "111111111111", "us-east-1"


def test_a_parameter_keeps_its_value_its_version_and_its_tags(cloud: Cloud) -> None:
    ssm = cloud.root(A, REGION).client("ssm")
    ssm.put_parameter(Name="/kit/word", Value="one", Type="String", Tags=[{"Key": "k", "Value": "v"}])
    assert ssm.put_parameter(Name="/kit/word", Value="two", Overwrite=True)["Version"] == 2
    found = ssm.get_parameter(Name="/kit/word")["Parameter"]
    assert (found["Value"], found["Version"], found["ARN"]) == (
        "two",
        2,
        f"arn:aws:ssm:{REGION}:{A}:parameter/kit/word",
    )
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/kit/word")["TagList"]
    assert tags == [{"Key": "k", "Value": "v"}]


def test_missing_parameters_are_named(cloud: Cloud) -> None:
    ssm = cloud.root(A, REGION).client("ssm")
    ssm.put_parameter(Name="/kit/a", Value="1", Type="String")
    answer = ssm.get_parameters(Names=["/kit/a", "/kit/b"])
    assert [p["Name"] for p in answer["Parameters"]] == ["/kit/a"]
    assert answer["InvalidParameters"] == ["/kit/b"]
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/kit/b")


def test_a_path_shows_what_lies_below_it(cloud: Cloud) -> None:
    ssm = cloud.root(A, REGION).client("ssm")
    for name in ("/kit/a", "/kit/deep/b", "/kitten"):
        ssm.put_parameter(Name=name, Value="1", Type="String")
    shallow = ssm.get_parameters_by_path(Path="/kit")["Parameters"]
    deep = ssm.get_parameters_by_path(Path="/kit", Recursive=True)["Parameters"]
    assert [p["Name"] for p in shallow] == ["/kit/a"]
    assert [p["Name"] for p in deep] == ["/kit/a", "/kit/deep/b"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"Name": "/kit/a", "Value": "2", "Type": "String"}, "ParameterAlreadyExists"),
        ({"Name": "/aws/a", "Value": "2", "Type": "String"}, "ValidationException"),
        ({"Name": "/kit/new", "Value": "2"}, "ValidationException"),
        ({"Name": "/kit/long", "Value": "x" * 4097, "Type": "String"}, "ValidationException"),
        ({"Name": "/kit/secret", "Value": "x", "Type": "SecureString"}, "NotPlayed"),
    ],
)
def test_what_aws_refuses_is_refused(cloud: Cloud, arguments: dict[str, str], code: str) -> None:
    ssm = cloud.root(A, REGION).client("ssm")
    ssm.put_parameter(Name="/kit/a", Value="1", Type="String")
    with pytest.raises(ClientError) as caught:
        ssm.put_parameter(**arguments)
    assert caught.value.response["Error"]["Code"] == code
