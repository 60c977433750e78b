"""Stacks within stacks."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.cloud import Cloud
from tests.support.stacks import (
    ACCOUNT,
    REGION,
    FakeQueues,
    create_stack,
    queue_resource,
    settled_stack,
    stack_events,
    template_of,
    update_stack,
)

URL = "https://templates.s3.us-east-1.amazonaws.com/inner.json"
DELAY = {"Delay": {"Type": "Number"}}


@pytest.fixture
def s3(cloud: Cloud) -> Any:
    found = cloud.root(ACCOUNT, REGION).client("s3")
    found.create_bucket(Bucket="templates")
    return found


def put(s3: Any, **sections: Any) -> None:
    inner = template_of({"Q": queue_resource({"Ref": "Delay"})}, Parameters=DELAY, **sections)
    s3.put_object(Bucket="templates", Key="inner.json", Body=inner.encode())


def outer(delay: int, **resources: Any) -> str:
    inner = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": URL, "Parameters": {"Delay": delay}}}
    return template_of(
        {"Inner": inner, **resources},
        Outputs={"Name": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Name"]}}},
    )


def test_an_inner_stack_lives_with_the_outer_one(client: Any, queues: FakeQueues, s3: Any) -> None:
    put(s3, Outputs={"Name": {"Value": {"Ref": "Q"}}})
    stack = create_stack(client, outer(3), Tags=[{"Key": "team", "Value": "shop"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert [o["OutputValue"] for o in stack["Outputs"]] == list(queues.made)
    assert list(queues.tags.values()) == [{"team": "shop"}]
    inner = client.describe_stack_resources(StackName="shop")["StackResources"][0]["PhysicalResourceId"]
    assert settled_stack(client, inner)["ParentId"] == stack["StackId"]
    assert update_stack(client, outer(4))["StackStatus"] == "UPDATE_COMPLETE"
    assert [p["DelaySeconds"] for p in queues.made.values()] == [4]
    client.delete_stack(StackName="shop")
    assert settled_stack(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert settled_stack(client, inner)["StackStatus"] == "DELETE_COMPLETE"
    assert queues.made == {}


def test_an_inner_stack_that_fails_takes_the_outer_one_with_it(client: Any, queues: FakeQueues, s3: Any) -> None:
    put(s3, Outputs={"Name": {"Value": {"Ref": "Q"}}})
    assert create_stack(client, outer(13))["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = next(reason for _, status, reason in stack_events(client, "shop") if status == "CREATE_FAILED")
    assert reason.startswith("Embedded stack arn:aws:cloudformation:us-east-1:111111111111:stack/shop-Inner-")
    assert "ResourceLogicalId:Q" in reason
    assert [s["StackName"] for s in client.describe_stacks()["Stacks"]] == ["shop"]


def test_a_failed_update_of_the_outer_stack_brings_the_inner_one_back(client: Any, queues: FakeQueues, s3: Any) -> None:
    put(s3, Outputs={"Name": {"Value": {"Ref": "Q"}}})
    create_stack(client, outer(3))
    assert (
        update_stack(client, outer(4, Bad=queue_resource(13, DependsOn="Inner")))["StackStatus"]
        == "UPDATE_ROLLBACK_COMPLETE"
    )
    assert [p["DelaySeconds"] for p in queues.made.values()] == [3]
