"""Stacks through the API: created, updated, rolled back, deleted, as CloudFormation does it."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation import providers
from localaws.cloudformation.deploy import run_stack
from localaws.cloudformation.provider import Context, Made, ResourceFailed
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
QUEUE = "AWS::SQS::Queue"


class Queues:
    """A provider whose queues fail when asked to: a delay of 13 at create and update, of 14 at delete."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.lock = threading.Lock()

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        name = properties.get("QueueName") or context.generated_name(80)
        if properties.get("DelaySeconds") == 13:
            raise ResourceFailed(f"{name} cannot wait 13 seconds")
        with self.lock:
            self.made[name] = properties
            self.tags[name] = context.tags
            self.done.append(f"create {context.logical_id}")
        return Made(name, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name, "QueueUrl": name})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if new.get("DelaySeconds") == 13 or physical_id in self.broken:
            raise ResourceFailed(f"{physical_id} cannot be changed")
        with self.lock:
            self.made[physical_id] = new
            self.tags[physical_id] = context.tags
            self.done.append(f"update {context.logical_id}")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{physical_id}"
        return Made(physical_id, {"Arn": arn, "QueueName": physical_id, "QueueUrl": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        if properties.get("DelaySeconds") == 14:
            raise ResourceFailed("the queue is in use")
        with self.lock:
            self.made.pop(physical_id, None)
            self.done.append(f"delete {context.logical_id}")


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Queues:
    fake = Queues()
    monkeypatch.setitem(providers.PROVIDERS, QUEUE, fake)
    return fake


@pytest.fixture
def client(cloud: Cloud) -> Any:
    return cloud.root(ACCOUNT, REGION).client("cloudformation")


def body(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", **sections, "Resources": resources})


def queue(delay: int = 0, **more: Any) -> dict[str, Any]:
    names = ("DeletionPolicy", "UpdateReplacePolicy", "DependsOn")
    attributes: dict[str, Any] = {name: more.pop(name) for name in names if name in more}
    return {"Type": QUEUE, **attributes, "Properties": {"DelaySeconds": delay, **more}}


def settled(client: Any, name: str) -> dict[str, Any]:
    """The stack, once nothing happens to it any more."""

    def ended() -> dict[str, Any] | None:
        stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    return dict(until(ended))


def create(client: Any, template: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    stack_id = client.create_stack(StackName=name, TemplateBody=template, **more)["StackId"]
    return settled(client, stack_id)


def update(client: Any, template: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    client.update_stack(StackName=name, TemplateBody=template, **more)
    return settled(client, name)


def events(client: Any, name: str) -> list[tuple[str, str, str]]:
    """Logical id, status and reason, the oldest first."""
    found = client.describe_stack_events(StackName=name)["StackEvents"]
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in found[::-1]]


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return f"{caught.value.response['Error']['Code']}: {caught.value.response['Error']['Message']}"


# -- create ----------------------------------------------------------------------------------------


def test_a_stack_makes_its_resources_in_the_order_of_their_references(client: Any, queues: Queues) -> None:
    template = body(
        {
            "Second": queue(DelaySeconds=1, Tags=[{"Key": "after", "Value": {"Fn::GetAtt": ["First", "Arn"]}}]),
            "First": queue(),
            "Third": queue(DependsOn="Second"),
        },
        Outputs={"Name": {"Value": {"Ref": "Third"}, "Description": "the last"}},
    )
    stack = create(client, template, Tags=[{"Key": "team", "Value": "shop"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert queues.done == ["create First", "create Second", "create Third"]
    third = client.describe_stack_resource(StackName="shop", LogicalResourceId="Third")["StackResourceDetail"]
    told = [{"OutputKey": "Name", "OutputValue": third["PhysicalResourceId"], "Description": "the last"}]
    assert stack["Outputs"] == told
    assert third["PhysicalResourceId"].startswith("shop-Third-")
    second = next(p for p in queues.made.values() if p["DelaySeconds"] == 1)
    assert second["Tags"][0]["Value"].startswith("arn:aws:sqs:us-east-1:111111111111:shop-First-")
    assert set(map(str, queues.tags.values())) == {"{'team': 'shop'}"}


def test_events_read_as_awss_do(client: Any, queues: Queues) -> None:
    create(client, body({"First": queue()}), ClientRequestToken="token-1")
    assert events(client, "shop") == [
        ("shop", "CREATE_IN_PROGRESS", "User Initiated"),
        ("First", "CREATE_IN_PROGRESS", ""),
        ("First", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("First", "CREATE_COMPLETE", ""),
        ("shop", "CREATE_COMPLETE", ""),
    ]
    newest = client.describe_stack_events(StackName="shop")["StackEvents"]
    assert newest[0]["ResourceType"] == "AWS::CloudFormation::Stack"
    assert newest[0]["PhysicalResourceId"] == newest[0]["StackId"]
    assert newest[1]["EventId"].startswith("First-CREATE_COMPLETE-")
    assert json.loads(newest[1]["ResourceProperties"]) == {"DelaySeconds": 0}
    assert {event["ClientRequestToken"] for event in newest} == {"token-1"}


def test_a_failed_create_is_rolled_back_with_its_reason(client: Any, queues: Queues) -> None:
    stack = create(client, body({"Good": queue(), "Bad": queue(13, DependsOn="Good")}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert queues.made == {}
    told = events(client, "shop")
    assert next(e for e in told if e[1] == "CREATE_FAILED")[2].endswith("cannot wait 13 seconds")
    reason = "The following resource(s) failed to create: [Bad]. Rollback requested by user."
    assert ("shop", "ROLLBACK_IN_PROGRESS", reason) in told
    assert "ROLLBACK_COMPLETE state and can not be updated" in refused(
        client.update_stack, StackName="shop", TemplateBody=body({"Good": queue()})
    )


def test_what_is_retained_survives_a_rolled_back_create_unless_asked(client: Any, queues: Queues) -> None:
    template = body(
        {
            "Kept": queue(DeletionPolicy="Retain"),
            "Gone": queue(DeletionPolicy="RetainExceptOnCreate"),
            "Bad": queue(13, DependsOn=["Kept", "Gone"]),
        }
    )
    create(client, template)
    assert [name.split("-")[1] for name in queues.made] == ["Kept"]
    queues.made.clear()
    create(client, template, name="other", RetainExceptOnCreate=True)
    assert queues.made == {}


@pytest.mark.parametrize(
    ("asked", "status", "left"),
    [({"DisableRollback": True}, "CREATE_FAILED", 1), ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1),
     ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", 0), ({"OnFailure": "ROLLBACK"}, "ROLLBACK_COMPLETE", 0)],
)  # fmt: skip
def test_a_failed_create_ends_as_it_was_asked_to(
    client: Any, queues: Queues, asked: dict[str, Any], status: str, left: int
) -> None:
    stack = create(client, body({"Good": queue(), "Bad": queue(13, DependsOn="Good")}), **asked)
    if asked.get("OnFailure") == "DELETE":  # CREATE_FAILED is where its deletion begins
        until(lambda: client.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["StackStatus"] == status)
        assert len(queues.made) == left
        return
    assert (stack["StackStatus"], len(queues.made)) == (status, left)


def test_nothing_is_made_where_the_schema_refuses_a_property(client: Any, queues: Queues) -> None:
    stack = create(client, body({"Good": queue(), "Bad": queue(DependsOn="Good", Delay=3)}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert queues.done == []
    failed = [event for event in events(client, "shop") if event[1] == "CREATE_FAILED"]
    assert failed[0][0] == "Bad"
    assert "extraneous key [Delay] is not permitted" in failed[0][2]


def test_a_type_that_nobody_plays_is_refused_before_anything_is_made(client: Any, queues: Queues) -> None:
    template = body({"Good": queue(), "Cluster": {"Type": "AWS::ECS::Cluster"}})
    told = refused(client.create_stack, StackName="shop", TemplateBody=template)
    assert told.startswith("NotSupported: ")
    assert "AWS::ECS::Cluster (resource Cluster, line 1)" in told
    assert "does not exist" in refused(client.describe_stacks, StackName="shop")
    wrong = body({"Good": {"Type": "AWS::SQS::Cue"}})
    told = refused(client.create_stack, StackName="shop", TemplateBody=wrong)
    assert told == (
        "ValidationError: Template format error: Unrecognized resource types: [AWS::SQS::Cue] (Good, line 1)"
    )
    macro = json.dumps({"Transform": "AWS::Serverless-2016-10-31", **json.loads(wrong)})
    told = refused(client.create_stack, StackName="shop", TemplateBody=macro)
    assert "the transform AWS::Serverless-2016-10-31 (line 1)" in told


def test_an_update_policy_is_refused_since_nobody_carries_it_out(client: Any, queues: Queues) -> None:
    template = body({"Good": {"Type": QUEUE, "CreationPolicy": {"ResourceSignal": {"Count": 1}}}})
    told = refused(client.create_stack, StackName="shop", TemplateBody=template)
    assert "CreationPolicy (resource Good" in told


def test_an_attribute_that_the_schema_does_not_have_is_refused(client: Any, queues: Queues) -> None:
    template = body({"A": queue(), "B": queue(QueueName={"Fn::GetAtt": ["A", "Colour"]})})
    told = refused(client.create_stack, StackName="shop", TemplateBody=template)
    assert told.startswith("ValidationError: ")
    assert "Colour" in told


def test_names_and_second_creates_are_refused_as_aws_does(client: Any, queues: Queues) -> None:
    template = body({"A": queue()})
    assert "stackName" in refused(client.create_stack, StackName="1shop", TemplateBody=template)
    first = client.create_stack(StackName="shop", TemplateBody=template, ClientRequestToken="a")
    settled(client, "shop")
    again = client.create_stack(StackName="shop", TemplateBody=template, ClientRequestToken="a")
    assert again["StackId"] == first["StackId"]
    told = refused(client.create_stack, StackName="shop", TemplateBody=template)
    assert told == "AlreadyExistsException: Stack [shop] already exists"


def test_iam_resources_need_a_capability(client: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy}}
    named = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x", "AssumeRolePolicyDocument": policy}}
    for resource, given, missing in (
        (role, [], "CAPABILITY_IAM"),
        (named, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    ):
        told = refused(client.create_stack, StackName="x", TemplateBody=body({"R": resource}), Capabilities=given)
        assert told == f"InsufficientCapabilitiesException: Requires capabilities : [{missing}]"


def test_two_stacks_never_own_one_resource(client: Any, queues: Queues) -> None:
    first = create(client, body({"A": queue(QueueName="orders")}))
    second = create(client, body({"A": queue(QueueName="orders")}), name="other")
    assert second["StackStatus"] == "ROLLBACK_COMPLETE"
    failed = [event for event in events(client, "other") if event[1] == "CREATE_FAILED"]
    assert f"orders already exists in stack {first['StackId']}" in failed[0][2]
    assert list(queues.made) == ["orders"]


# -- update ----------------------------------------------------------------------------------------


def test_an_update_changes_only_what_differs(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue(1), "B": queue(1), "C": queue(1)}))
    queues.done.clear()
    stack = update(client, body({"A": queue(1), "B": queue(2), "D": queue(1)}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert sorted(queues.done) == ["create D", "delete C", "update B"]
    assert sorted(p["DelaySeconds"] for p in queues.made.values()) == [1, 1, 2]
    statuses = [status for name, status, _ in events(client, "shop") if name == "shop"][2:]
    assert statuses == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_an_update_without_a_change_is_refused(client: Any, queues: Queues) -> None:
    template = body({"A": queue({"Ref": "Delay"})}, Parameters={"Delay": {"Type": "Number", "Default": 3}})  # type: ignore[arg-type]
    create(client, template)
    told = refused(client.update_stack, StackName="shop", TemplateBody=template)
    assert told == "ValidationError: No updates are to be performed."
    given = [{"ParameterKey": "Delay", "ParameterValue": "4"}]
    client.update_stack(StackName="shop", UsePreviousTemplate=True, Parameters=given)
    assert settled(client, "shop")["Parameters"] == given
    kept = [{"ParameterKey": "Delay", "UsePreviousValue": True}]
    told = refused(client.update_stack, StackName="shop", UsePreviousTemplate=True, Parameters=kept)
    assert told.endswith("No updates are to be performed.")


def test_a_create_only_property_replaces_the_resource_and_what_refers_to_it_follows(
    client: Any, queues: Queues
) -> None:
    follower = queue(Tags=[{"Key": "of", "Value": {"Ref": "A"}}])
    create(client, body({"A": queue(QueueName="old"), "B": follower}))
    queues.done.clear()
    stack = update(client, body({"A": queue(QueueName="new"), "B": follower}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert queues.done == ["create A", "update B", "delete A"]
    assert "old" not in queues.made
    assert next(p for n, p in queues.made.items() if n != "new")["Tags"] == [{"Key": "of", "Value": "new"}]


def test_update_replace_policy_retain_leaves_the_old_resource(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue(QueueName="old")}))
    update(client, body({"A": queue(QueueName="new", UpdateReplacePolicy="Retain")}))
    assert sorted(queues.made) == ["new", "old"]
    assert ("A", "DELETE_SKIPPED", "") in events(client, "shop")


def test_a_resource_with_a_name_of_its_own_cannot_be_replaced(client: Any) -> None:
    name = "/aws/shop"
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders"}}
    create(client, body({"T": topic}))
    fifo = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders.fifo", "FifoTopic": True}}
    assert update(client, body({"T": fifo}))["StackStatus"] == "UPDATE_COMPLETE", name
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": "shop",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
        },
    }
    allowed = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    create(client, body({"R": role}), name="roles", **allowed)
    moved = {**role, "Properties": {**role["Properties"], "Path": "/moved/"}}  # type: ignore[dict-item]
    assert update(client, body({"R": moved}), name="roles", **allowed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    told = [reason for _, status, reason in events(client, "roles") if status == "UPDATE_FAILED"]
    assert told == [
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename shop and update the stack again."
    ]


def test_a_failed_update_comes_back_to_exactly_what_was(client: Any, queues: Queues) -> None:
    create(
        client,
        body({"A": queue(1), "B": queue(QueueName="old"), "C": queue(1)}, Outputs={"O": {"Value": "1"}}),
        Tags=[{"Key": "v", "Value": "1"}],
    )
    before = json.loads(json.dumps(queues.made))
    stack_before = settled(client, "shop")
    resources_before = client.describe_stack_resources(StackName="shop")["StackResources"]
    template = body(
        {
            "A": queue(2),
            "B": queue(QueueName="new"),
            "D": queue(1),
            "Bad": queue(13, DependsOn=["A", "B", "D"]),
        },
        Outputs={"O": {"Value": "2"}},
    )
    stack = update(client, template, Tags=[{"Key": "v", "Value": "2"}])
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert queues.made == before
    assert all(queues.tags[name] == {"v": "1"} for name in queues.made)
    for key in ("Outputs", "Tags", "Parameters"):
        assert stack[key] == stack_before[key]
    resources = client.describe_stack_resources(StackName="shop")["StackResources"]
    assert {r["PhysicalResourceId"] for r in resources} == {r["PhysicalResourceId"] for r in resources_before}
    assert json.loads(json.dumps(client.get_template(StackName="shop")["TemplateBody"]))["Resources"].keys() == {
        "A", "B", "C"
    }  # fmt: skip
    statuses = [status for name, status, _ in events(client, "shop") if name == "shop"][2:]
    assert statuses == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]


def test_a_rollback_that_fails_can_be_continued(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue(1, QueueName="a"), "B": queue(1)}))
    before = dict(queues.made)
    queues_update = queues.update

    def once_then_broken(context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        made = queues_update(context, physical_id, old, new)
        queues.broken.add(physical_id)
        return made

    queues.update = once_then_broken  # type: ignore[method-assign]
    stack = update(client, body({"A": queue(2, QueueName="a"), "B": queue(13, DependsOn="A")}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    queues.broken.clear()
    client.continue_update_rollback(StackName="shop")
    assert settled(client, "shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert queues.made == before


def test_a_failed_update_without_rollback_is_left_and_can_be_mended(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue(1)}))
    stack = update(client, body({"A": queue(2), "B": queue(13, DependsOn="A")}), DisableRollback=True)
    assert stack["StackStatus"] == "UPDATE_FAILED"
    assert [p["DelaySeconds"] for p in queues.made.values()] == [2]
    stack = update(client, body({"A": queue(2), "B": queue(3)}), DisableRollback=True)
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert sorted(p["DelaySeconds"] for p in queues.made.values()) == [2, 3]


def test_a_resource_whose_update_failed_is_updated_again(client: Any, queues: Queues) -> None:
    first = body({"A": queue(1)})
    create(client, first)
    assert update(client, body({"A": queue(13)}), DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    resource = client.describe_stack_resources(StackName="shop")["StackResources"][0]
    assert resource["ResourceStatus"] == "UPDATE_FAILED"
    queues.done.clear()
    assert update(client, first, DisableRollback=True)["StackStatus"] == "UPDATE_COMPLETE"
    assert queues.done == ["update A"]


def test_new_stack_tags_reach_the_resources(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue()}))
    update(client, body({"A": queue()}), Tags=[{"Key": "team", "Value": "shop"}])
    assert list(queues.tags.values()) == [{"team": "shop"}]


def test_a_resource_never_changes_its_type(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue()}))
    told = refused(client.update_stack, StackName="shop", TemplateBody=body({"A": {"Type": "AWS::SNS::Topic"}}))
    assert "modifies resource type of the following resources: [A]" in told


# -- delete ----------------------------------------------------------------------------------------


def test_a_deleted_stack_is_found_by_its_id_only(client: Any, queues: Queues) -> None:
    stack_id = create(client, body({"A": queue(), "B": queue(DependsOn="A"), "Kept": queue(DeletionPolicy="Retain")}))[
        "StackId"
    ]
    queues.done.clear()
    client.delete_stack(StackName="shop")
    assert settled(client, stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert queues.done == ["delete B", "delete A"]
    assert len(queues.made) == 1
    assert ("Kept", "DELETE_SKIPPED", "") in events(client, stack_id)
    told = refused(client.describe_stacks, StackName="shop")
    assert told == "ValidationError: Stack with id shop does not exist"
    client.delete_stack(StackName="shop")  # deleted already
    summaries = client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [s["StackId"] for s in summaries] == [stack_id]


def test_a_delete_that_fails_says_why_and_may_leave_the_resource(client: Any, queues: Queues) -> None:
    create(client, body({"Base": queue(), "Stuck": queue(14, DependsOn="Base"), "Other": queue()}))
    client.delete_stack(StackName="shop")
    stack = settled(client, "shop")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Stuck]."
    assert len(queues.made) == 2  # what Stuck needs is still there
    client.delete_stack(StackName="shop", RetainResources=["Stuck"])
    assert settled(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert [p["DelaySeconds"] for p in queues.made.values()] == [14]


def test_termination_protection_stops_a_delete(client: Any, queues: Queues) -> None:
    create(client, body({"A": queue()}), EnableTerminationProtection=True)
    told = refused(client.delete_stack, StackName="shop")
    assert "cannot be deleted while TerminationProtection is enabled" in told
    client.update_termination_protection(StackName="shop", EnableTerminationProtection=False)
    client.delete_stack(StackName="shop")


# -- exports ---------------------------------------------------------------------------------------


def test_an_export_in_use_is_locked(client: Any, queues: Queues) -> None:
    def exporting(value: str) -> str:
        return body({"A": queue()}, Outputs={"O": {"Value": value, "Export": {"Name": "shop-o"}}})

    importing = body({"B": queue(Tags=[{"Key": "o", "Value": {"Fn::ImportValue": "shop-o"}}])})
    exporter = create(client, exporting("one"))
    create(client, importing, name="user")
    assert client.list_exports()["Exports"] == [
        {"ExportingStackId": exporter["StackId"], "Name": "shop-o", "Value": "one"}
    ]
    assert client.list_imports(ExportName="shop-o")["Imports"] == ["user"]
    assert update(client, exporting("two"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Export shop-o cannot be updated as it is in use by user" in str(events(client, "shop"))
    client.delete_stack(StackName="shop")
    stack = settled(client, "shop")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "Export shop-o cannot be deleted as it is in use by user"
    twin = create(client, exporting("x"), name="twin")
    assert twin["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Export with name shop-o is already exported by stack shop" in str(events(client, "twin"))


def test_an_import_of_nothing_fails_the_stack(client: Any, queues: Queues) -> None:
    template = body({"B": queue(Tags=[{"Key": "o", "Value": {"Fn::ImportValue": "nowhere"}}])})
    assert create(client, template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "No export named nowhere found" in str(events(client, "shop"))
    assert queues.made == {}


# -- secrets ---------------------------------------------------------------------------------------


def test_a_noecho_value_is_never_shown(client: Any, queues: Queues) -> None:
    template = body(
        {"A": queue(Tags=[{"Key": "secret", "Value": {"Fn::Sub": "is ${Word}"}}])},
        Parameters={"Word": {"Type": "String", "NoEcho": True}},
    )
    given = [{"ParameterKey": "Word", "ParameterValue": "swordfish"}]
    stack = create(client, template, Parameters=given)
    assert stack["Parameters"] == [{"ParameterKey": "Word", "ParameterValue": "****"}]
    assert "swordfish" not in str(client.describe_stack_events(StackName="shop"))
    assert next(iter(queues.made.values()))["Tags"][0]["Value"] == "is swordfish"


# -- for stack sets --------------------------------------------------------------------------------


def test_run_stack_creates_updates_and_deletes_and_says_why_not(cloud: Cloud, queues: Queues) -> None:
    session = cloud.root(ACCOUNT, REGION)

    def run(action: Any, template: str = "") -> Any:
        return run_stack(cloud, session, ACCOUNT, REGION, "inner", template, {}, {}, action=action)

    assert run("create", body({"A": queue(1)})).status == "CREATE_COMPLETE"
    assert run("update", body({"A": queue(1)})).reason == "No updates are to be performed."
    failed = run("update", body({"A": queue(13)}))
    assert (failed.status, failed.succeeded) == ("UPDATE_ROLLBACK_COMPLETE", False)
    assert failed.reason.startswith("ResourceLogicalId:A, ResourceType:AWS::SQS::Queue, ResourceStatusReason:")
    assert run("update", body({"A": queue(2)})).succeeded
    assert run("delete").status == "DELETE_COMPLETE"
    assert queues.made == {}
    assert run("create", body({"A": queue(13)})).status == "ROLLBACK_COMPLETE"
    assert run("update", body({"A": queue(3)})).status == "CREATE_COMPLETE"


def test_independent_resources_are_made_at_the_same_time(client: Any, queues: Queues) -> None:
    slow_create = queues.create

    def slow(context: Context, properties: dict[str, Any]) -> Made:
        time.sleep(0.1)
        return slow_create(context, properties)

    queues.create = slow  # type: ignore[method-assign]
    began = time.monotonic()
    create(client, body({f"Q{i}": queue() for i in range(8)}))
    assert time.monotonic() - began < 0.6
