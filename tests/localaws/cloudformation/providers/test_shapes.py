"""Properties turned into the input of an API."""

from __future__ import annotations

import pytest

from awslang.errors import NotSupported
from localaws.cloud import Cloud
from localaws.cloudformation.providers.shapes import fill
from tests.support.providers import ACCOUNT, REGION, create_resource


def test_values_take_the_type_that_the_api_asks_for(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("codebuild")
    given = {
        "Name": "n",
        "TimeoutInMinutes": "5",
        "Source": {"Type": "CODEPIPELINE", "BuildSpec": "buildspec.yml"},
        "BadgeEnabled": "false",
        "Tags": [{"Key": "a", "Value": 1}],
    }
    assert fill(client, "CreateProject", given, "T") == {
        "name": "n",
        "timeoutInMinutes": 5,
        "source": {"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
        "badgeEnabled": False,
        "tags": [{"key": "a", "value": "1"}],
    }


def test_an_unknown_property_is_refused_by_type_and_name(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("codebuild")
    with pytest.raises(NotSupported, match=r"AWS::CodeBuild::Project\.Source: the property Bildspec"):
        fill(client, "CreateProject", {"Source": {"Bildspec": "x"}}, "AWS::CodeBuild::Project")
    with pytest.raises(NotSupported, match="AWS::S3::Bucket: the property ReplicationConfiguration"):
        create_resource(cloud, "AWS::S3::Bucket", {"ReplicationConfiguration": {}})
