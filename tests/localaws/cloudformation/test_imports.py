"""A stack takes existing resources over, as they are, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.cloud import Cloud
from tests.support.stacks import ACCOUNT, REGION, create_stack, refusal, settled_stack, stack_events

TAGS = [{"Key": "team", "Value": "ml"}]


def bucket(name: str = "kept-data", **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": name, **more}}


def template(**resources: Any) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


def asked(logical_id: str, type: str, **identifier: str) -> dict[str, Any]:
    return {"LogicalResourceId": logical_id, "ResourceType": type, "ResourceIdentifier": identifier}


DATA = asked("Data", "AWS::S3::Bucket", BucketName="kept-data")


def make(client: Any, body: str, *wanted: dict[str, Any], name: str = "shop") -> dict[str, Any]:
    made = client.create_change_set(
        StackName=name, ChangeSetName="take", ChangeSetType="IMPORT", TemplateBody=body, ResourcesToImport=[*wanted],
        Tags=TAGS,
    )  # fmt: skip
    found: dict[str, Any] = client.describe_change_set(ChangeSetName=made["Id"])
    return found


def carry_out(client: Any, name: str = "shop") -> str:
    client.execute_change_set(StackName=name, ChangeSetName="take")
    return str(settled_stack(client, name)["StackStatus"])


@pytest.fixture
def kept(cloud: Cloud) -> str:
    """A bucket with an object, and a key; the key's id."""
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    s3.create_bucket(Bucket="kept-data")
    s3.put_object(Bucket="kept-data", Key="model", Body=b"1")
    kms = cloud.root(ACCOUNT, REGION).client("kms")
    return str(kms.create_key(Description="as it was")["KeyMetadata"]["KeyId"])


def test_a_new_stack_takes_over_a_bucket_and_a_key_and_an_update_then_writes_their_properties(
    cloud: Cloud, client: Any, kept: str
) -> None:
    key = {"Type": "AWS::KMS::Key", "DeletionPolicy": "Retain", "Properties": {}}
    found = make(client, template(Data=bucket(), Key=key), DATA, asked("Key", "AWS::KMS::Key", KeyId=kept))
    assert (found["Status"], [c["ResourceChange"]["Action"] for c in found["Changes"]]) == (
        "CREATE_COMPLETE", ["Import", "Import"]
    )  # fmt: skip
    assert carry_out(client) == "IMPORT_COMPLETE"
    resources = client.describe_stack_resources(StackName="shop")["StackResources"]
    assert {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources} == {"Data": "kept-data", "Key": kept}
    statuses = [status for logical_id, status, _ in stack_events(client, "shop") if logical_id == "Data"]
    assert statuses == ["IMPORT_IN_PROGRESS", "IMPORT_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    root = cloud.root(ACCOUNT, REGION)
    assert {t["Key"] for t in root.client("s3").get_bucket_tagging(Bucket="kept-data")["TagSet"]} >= {"team"}
    whole = template(
        Data=bucket(VersioningConfiguration={"Status": "Enabled"}), Key={**key, "Properties": {"Description": "new"}}
    )
    client.update_stack(StackName="shop", TemplateBody=whole)
    assert settled_stack(client, "shop")["StackStatus"] == "UPDATE_COMPLETE"
    assert root.client("s3").get_bucket_versioning(Bucket="kept-data")["Status"] == "Enabled"
    assert root.client("s3").get_object(Bucket="kept-data", Key="model")["Body"].read() == b"1"
    assert root.client("kms").describe_key(KeyId=kept)["KeyMetadata"]["Description"] == "new"


def test_a_stack_that_is_there_takes_over_one_more_and_no_stack_takes_it_twice(client: Any, kept: str) -> None:
    own = template(Own=bucket("own-data"))
    create_stack(client, own)
    make(client, template(Own=bucket("own-data"), Data=bucket()), DATA)
    assert carry_out(client) == "IMPORT_COMPLETE"
    make(client, template(Data=bucket()), DATA, name="other")
    assert carry_out(client, "other") == "IMPORT_ROLLBACK_COMPLETE"
    assert any("already exists in stack" in reason for _, _, reason in stack_events(client, "other"))


def test_what_does_not_exist_leaves_the_stack_as_it_was(client: Any) -> None:
    create_stack(client, template(Own=bucket("own-data")))
    make(client, template(Own=bucket("own-data"), Data=bucket()), DATA)
    assert carry_out(client) == "IMPORT_ROLLBACK_COMPLETE"
    assert [r["LogicalResourceId"] for r in client.describe_stack_resources(StackName="shop")["StackResources"]] == [
        "Own"
    ]
    assert "Data" not in client.get_template(StackName="shop", TemplateStage="Original")["TemplateBody"]


def test_an_import_adds_and_changes_nothing_else(client: Any, kept: str) -> None:
    create_stack(client, template(Own=bucket("own-data")))
    plain = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "kept-data"}}
    queue = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"}
    refused = {
        "cannot add resources": (template(Own=bucket("own-data"), Data=bucket(), New=bucket("new")), DATA),
        "cannot delete resources": (template(Data=bucket()), DATA),
        "must have a DeletionPolicy": (template(Own=bucket("own-data"), Data=plain), DATA),
        "are not in the template": (template(Own=bucket("own-data")), DATA),
        "is identified by": (
            template(Own=bucket("own-data"), Data=bucket()), asked("Data", "AWS::S3::Bucket", Arn="arn:aws:s3:::b")
        ),
        "not a AWS::KMS::Key": (
            template(Own=bucket("own-data"), Data=bucket()), asked("Data", "AWS::KMS::Key", KeyId="kept-data")
        ),
        "import of a resource of type AWS::SQS::Queue": (
            template(Own=bucket("own-data"), Q=queue), asked("Q", "AWS::SQS::Queue", QueueUrl="https://q")
        ),
    }  # fmt: skip
    for words, (body, wanted) in refused.items():
        arguments = {"TemplateBody": body, "ResourcesToImport": [wanted], "ChangeSetType": "IMPORT"}
        assert words in refusal(client.create_change_set, StackName="shop", ChangeSetName="take", **arguments)
    changed = template(Own=bucket("own-data", VersioningConfiguration={"Status": "Enabled"}), Data=bucket())
    make(client, changed, DATA)
    assert carry_out(client) == "IMPORT_ROLLBACK_COMPLETE"
    assert any("You have modified resources" in reason for _, _, reason in stack_events(client, "shop"))
