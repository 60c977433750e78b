"""Parameters."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource


def test_a_parameter_is_created_updated_and_deleted(cloud: Cloud) -> None:
    old = {"Name": "/kit/version", "Type": "String", "Value": "1", "Tags": {"a": "b"}}
    made = create_resource(cloud, "AWS::SSM::Parameter", old)
    assert made.attributes["Value"] == "1"
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        create_resource(cloud, "AWS::SSM::Parameter", old)
    update_resource(cloud, "AWS::SSM::Parameter", "/kit/version", old, {**old, "Value": "2"})
    ssm = cloud.root(ACCOUNT, REGION).client("ssm")
    assert ssm.get_parameter(Name="/kit/version")["Parameter"]["Value"] == "2"
    delete_resource(cloud, "AWS::SSM::Parameter", "/kit/version", old)
