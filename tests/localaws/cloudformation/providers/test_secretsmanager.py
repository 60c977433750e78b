"""Secrets."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import ResourceFailed
from tests.support.providers import client_of, create_resource, delete_resource, update_resource

TYPE = "AWS::SecretsManager::Secret"


def test_a_secret_is_generated_changed_and_gone_at_once(cloud: Cloud) -> None:
    wanted = {"SecretStringTemplate": '{"user": "a"}', "GenerateStringKey": "password", "PasswordLength": "20"}
    old = {"Name": "db", "GenerateSecretString": wanted, "Tags": [{"Key": "a", "Value": "b"}]}
    made = create_resource(cloud, TYPE, old)
    secrets = client_of(cloud, "secretsmanager")
    value = json.loads(secrets.get_secret_value(SecretId="db")["SecretString"])
    assert (value["user"], len(value["password"])) == ("a", 20)
    assert made.attributes == {"Id": made.physical_id}
    described = {"Name": "db", "GenerateSecretString": wanted, "Description": "of the database"}
    update_resource(cloud, TYPE, made.physical_id, old, described)
    assert json.loads(secrets.get_secret_value(SecretId="db")["SecretString"]) == value
    shown = secrets.describe_secret(SecretId="db")
    assert (shown["Description"], shown["Tags"]) == ("of the database", [{"Key": "project", "Value": "shop"}])
    update_resource(cloud, TYPE, made.physical_id, described, {"Name": "db", "SecretString": "x"})
    assert secrets.get_secret_value(SecretId="db")["SecretString"] == "x"
    delete_resource(cloud, TYPE, made.physical_id, old)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.describe_secret(SecretId="db")
    create_resource(cloud, TYPE, {"Name": "db", "SecretString": "y"})


def test_a_template_of_a_secret_needs_its_key(cloud: Cloud) -> None:
    with pytest.raises(ResourceFailed, match="must be given together"):
        create_resource(cloud, TYPE, {"GenerateSecretString": {"SecretStringTemplate": "{}"}})
