"""Change sets: what an update would do, shown before it does it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.stacks import (
    ACCOUNT,
    REGION,
    FakeQueues,
    create_stack,
    queue_resource,
    refusal,
    settled_stack,
    template_of,
)
from tests.support.waiting import until


def make(client: Any, template: str, name: str = "next", **more: Any) -> dict[str, Any]:
    arn = client.create_change_set(StackName="shop", ChangeSetName=name, TemplateBody=template, **more)["Id"]
    found: dict[str, Any] = client.describe_change_set(ChangeSetName=arn)
    return found


def changes(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    changes_made = [change["ResourceChange"] for change in found["Changes"]]
    return {c["LogicalResourceId"]: (c["Action"], c.get("Replacement", "")) for c in changes_made}


def test_a_change_set_tells_what_would_change_and_changes_nothing(client: Any, queues: FakeQueues) -> None:
    follower = queue_resource(Tags=[{"Key": "of", "Value": {"Ref": "B"}}])
    create_stack(
        client,
        template_of({"A": queue_resource(1), "B": queue_resource(QueueName="b"), "C": queue_resource(), "F": follower}),
    )
    queues.done.clear()
    found = make(
        client,
        template_of({"A": queue_resource(2), "B": queue_resource(QueueName="c"), "D": queue_resource(), "F": follower}),
    )
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(found) == {
        "A": ("Modify", "False"),
        "B": ("Modify", "True"),
        "C": ("Remove", ""),
        "D": ("Add", ""),
        "F": ("Modify", "False"),
    }
    modified = next(c["ResourceChange"] for c in found["Changes"] if c["ResourceChange"]["LogicalResourceId"] == "B")
    assert modified["Details"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "QueueName",
        "RequiresRecreation": "Always",
    }
    assert modified["PolicyAction"] == "ReplaceAndDelete"
    assert queues.done == []
    client.execute_change_set(StackName="shop", ChangeSetName="next")
    assert settled_stack(client, "shop")["StackStatus"] == "UPDATE_COMPLETE"
    assert {"create D", "delete C", "update A", "create B", "delete B", "update F"} == set(queues.done)
    assert client.list_change_sets(StackName="shop")["Summaries"] == []


def test_a_change_set_without_changes_fails(client: Any, queues: FakeQueues) -> None:
    template = template_of({"A": queue_resource(1)})
    create_stack(client, template)
    found = make(client, template)
    assert found["Status"] == "FAILED"
    assert found["StatusReason"].startswith("The submitted information didn't contain changes.")
    message = refusal(client.execute_change_set, StackName="shop", ChangeSetName="next")
    assert message.startswith("InvalidChangeSetStatus")


def test_a_change_set_that_the_schema_refuses_fails(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1)}))
    found = make(client, template_of({"A": queue_resource(1, Delay=1)}))
    assert found["Status"] == "FAILED"
    assert "extraneous key [Delay] is not permitted" in found["StatusReason"]


def test_a_change_set_can_create_the_stack(client: Any, queues: FakeQueues) -> None:
    found = make(client, template_of({"A": queue_resource(1)}), ChangeSetType="CREATE")
    assert client.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert changes(found) == {"A": ("Add", "")}
    client.execute_change_set(ChangeSetName=found["ChangeSetId"])
    assert settled_stack(client, "shop")["StackStatus"] == "CREATE_COMPLETE"
    assert len(queues.made) == 1


def test_no_change_set_is_executed_on_a_stack_that_was_updated_since(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1)}))
    make(client, template_of({"A": queue_resource(2)}), "first")
    client.update_stack(StackName="shop", TemplateBody=template_of({"A": queue_resource(3)}))
    settled_stack(client, "shop")
    shown = client.describe_change_set(StackName="shop", ChangeSetName="first")
    assert (shown["Status"], shown["ExecutionStatus"]) == ("CREATE_COMPLETE", "OBSOLETE")
    message = refusal(client.execute_change_set, StackName="shop", ChangeSetName="first")
    assert message.startswith("InvalidChangeSetStatus")


def test_a_change_set_is_deleted_and_its_name_is_free(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1)}))
    make(client, template_of({"A": queue_resource(2)}), "first")
    make(client, template_of({"A": queue_resource(3)}), "second")
    message = refusal(
        client.create_change_set,
        StackName="shop",
        ChangeSetName="first",
        TemplateBody=template_of({"A": queue_resource(2)}),
    )
    assert message.startswith("AlreadyExistsException")
    client.delete_change_set(StackName="shop", ChangeSetName="first")
    assert [s["ChangeSetName"] for s in client.list_change_sets(StackName="shop")["Summaries"]] == ["second"]
    message = refusal(client.describe_change_set, StackName="shop", ChangeSetName="first")
    assert message.startswith("ChangeSetNotFound")


def test_a_change_set_of_a_stack_that_is_not_there_is_refused(cloud: Cloud, client: Any) -> None:
    message = refusal(
        client.create_change_set, StackName="shop", ChangeSetName="x", TemplateBody=template_of({"A": queue_resource()})
    )
    assert message == "ValidationError: Stack [shop] does not exist"


def test_the_values_of_the_properties_are_shown_where_they_are_asked_for(client: Any, queues: FakeQueues) -> None:
    """CreateChangeSet's IncludePropertyValues, with defaults that change nothing (what `cdk deploy` sends)."""
    secret = {"Parameters": {"P": {"Type": "String", "NoEcho": True}}}
    tags = [{"Key": "p", "Value": {"Ref": "P"}}, {"Key": "of", "Value": {"Ref": "B"}}]
    body = template_of({"A": queue_resource(1, Tags=tags), "B": queue_resource()}, **secret)
    given: dict[str, Any] = {"Parameters": [{"ParameterKey": "P", "ParameterValue": "hidden"}]}
    create_stack(client, template_of({"A": queue_resource(2)}))
    defaults = {"IncludeNestedStacks": True, "ImportExistingResources": True, "DeploymentConfig": {"Mode": "STANDARD"}}
    found = make(client, body, **given | defaults)
    assert "BeforeContext" not in found["Changes"][0]["ResourceChange"]
    shown = client.describe_change_set(StackName="shop", ChangeSetName="next", IncludePropertyValues=True)["Changes"]
    found = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in shown}
    first, second = found["A"], found["B"]
    assert json.loads(first["BeforeContext"]) == {"Properties": {"DelaySeconds": 2}}
    assert json.loads(first["AfterContext"])["Properties"]["Tags"] == [
        {"Key": "p", "Value": "****"}, {"Key": "of", "Value": "{{changeSet:KNOWN_AFTER_APPLY}}"},
    ]  # fmt: skip
    delay = next(one["Target"] for one in first["Details"] if one["Target"]["Name"] == "DelaySeconds")
    assert (delay["BeforeValue"], delay["AfterValue"]) == ("2", "1")
    assert "BeforeContext" not in second
    assert json.loads(second["AfterContext"]) == {"Properties": {"DelaySeconds": 0}}
    nested = template_of({"N": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://a"}}})
    asked = {"StackName": "shop", "ChangeSetName": "other", "TemplateBody": nested}
    assert "IncludeNestedStacks" in refusal(client.create_change_set, **asked, IncludeNestedStacks=True)
    express = {**asked, "TemplateBody": body, **given, "DeploymentConfig": {"Mode": "EXPRESS"}}
    assert "DeploymentConfig" in refusal(client.create_change_set, **express)


def test_a_stack_in_review_has_no_template_yet(client: Any, queues: FakeQueues) -> None:
    make(client, template_of({"A": queue_resource(1)}), ChangeSetType="CREATE")
    assert client.get_template(StackName="shop")["TemplateBody"] == ""


def test_what_exists_already_is_not_imported_beside_what_is_made(cloud: Cloud) -> None:
    client = cloud.root("111111111111", "us-east-1").client("cloudformation")
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "taken"}}
    asked = {
        "StackName": "shop", "ChangeSetName": "next", "ChangeSetType": "CREATE", "ImportExistingResources": True,
        "TemplateBody": template_of({"A": bucket}),
    }  # fmt: skip
    client.create_change_set(**asked)
    cloud.root("111111111111", "us-east-1").client("s3").create_bucket(Bucket="taken")
    asked["StackName"] = "store"
    assert "ImportExistingResources of AWS::S3::Bucket taken, which exists" in refusal(
        client.create_change_set, **asked
    )


def test_a_change_set_of_sam_makes_a_function_that_runs(cloud: Cloud, client: Any) -> None:
    """What `sam deploy` asks: consent to transforms is not needed, to named and other roles it is."""
    by = cloud.root(ACCOUNT, REGION)
    code = "def handler(event, context):\n    return {'seen': event['source']}\n"
    events = {"Rule": {"Type": "EventBridgeRule", "Properties": {"Pattern": {"source": ["team"]}}},
              "Daily": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)"}}}  # fmt: skip
    properties = {"Runtime": "python3.13", "Handler": "index.handler", "InlineCode": code, "Events": events}
    function = {"Type": "AWS::Serverless::Function", "Properties": properties}
    body = json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Hello": function},
                       "Outputs": {"Name": {"Value": {"Ref": "Hello"}}}})  # fmt: skip
    given = {"StackName": "sam", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": body}
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        client.create_change_set(**given)
    resources = {"Hello": function, "Other": {"Type": "AWS::SNS::Subscription", "Properties": {"ReplayPolicy": {}}}}
    other = given | {"TemplateBody": json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})}
    refused = r"the property ReplayPolicy of AWS::SNS::Subscription \(resource Other"
    with pytest.raises(ClientError, match=refused):  # before anything is created
        client.create_change_set(**other, Capabilities=["CAPABILITY_IAM"])
    client.create_change_set(**given, Capabilities=["CAPABILITY_IAM"])
    changes = client.describe_change_set(StackName="sam", ChangeSetName="first")["Changes"]
    assert {one["ResourceChange"]["LogicalResourceId"] for one in changes} == {
        "Hello", "HelloRole", "HelloRule", "HelloRulePermission", "HelloDaily", "HelloDailyPermission",
    }  # fmt: skip
    client.execute_change_set(StackName="sam", ChangeSetName="first")
    until(lambda: client.describe_stacks(StackName="sam")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
    [output] = client.describe_stacks(StackName="sam")["Stacks"][0]["Outputs"]
    answer = by.client("lambda").invoke(FunctionName=output["OutputValue"], Payload=b'{"source": "me"}')
    assert json.loads(answer["Payload"].read()) == {"seen": "me"}
    assert client.get_template(StackName="sam", TemplateStage="Original")["TemplateBody"]["Transform"]
    assert set(client.get_template(StackName="sam")["TemplateBody"]["Resources"]) > {"Hello", "HelloRole"}
    with pytest.raises(ClientError, match=r"Requires capabilities : .*CAPABILITY_AUTO_EXPAND"):
        client.create_stack(StackName="other", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
