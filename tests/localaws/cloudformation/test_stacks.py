"""Stacks through the API: created, rolled back, deleted, as CloudFormation does it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation.deploy import run_stack
from localaws.cloudformation.provider import Context, Made
from tests.support.stacks import (
    ACCOUNT,
    QUEUE,
    REGION,
    FakeQueues,
    create_stack,
    queue_resource,
    refusal,
    settled_stack,
    stack_events,
    template_of,
    update_stack,
)
from tests.support.waiting import until


def trusted(service: str) -> dict[str, Any]:
    principal = {"Service": f"{service}.amazonaws.com"}
    return {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}


# -- create ----------------------------------------------------------------------------------------


def test_a_stack_makes_its_resources_in_the_order_of_their_references(client: Any, queues: FakeQueues) -> None:
    template = template_of(
        {
            "Second": queue_resource(
                DelaySeconds=1, Tags=[{"Key": "after", "Value": {"Fn::GetAtt": ["First", "Arn"]}}]
            ),
            "First": queue_resource(),
            "Third": queue_resource(DependsOn="Second"),
        },
        Outputs={"Name": {"Value": {"Ref": "Third"}, "Description": "the last"}},
    )
    stack = create_stack(client, template, Tags=[{"Key": "team", "Value": "shop"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert queues.done == ["create First", "create Second", "create Third"]
    third = client.describe_stack_resource(StackName="shop", LogicalResourceId="Third")["StackResourceDetail"]
    outputs = [{"OutputKey": "Name", "OutputValue": third["PhysicalResourceId"], "Description": "the last"}]
    assert stack["Outputs"] == outputs
    assert third["PhysicalResourceId"].startswith("shop-Third-")
    second = next(p for p in queues.made.values() if p["DelaySeconds"] == 1)
    assert second["Tags"][0]["Value"].startswith("arn:aws:sqs:us-east-1:111111111111:shop-First-")
    assert set(map(str, queues.tags.values())) == {"{'team': 'shop'}"}


def test_a_resource_that_is_named_and_not_waited_for_comes_too_late(client: Any, cloud: Cloud) -> None:
    """CloudFormation User Guide, "DependsOn attribute": it may not exist yet, and here it never does."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "runs", "AssumeRolePolicyDocument": trusted("lambda")}}
    code = {"ZipFile": "def handler(event, context): pass"}
    function = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Code": code,
        "Role": f"arn:aws:iam::{ACCOUNT}:role/runs",
    }
    run = {"Type": "AWS::Lambda::Function", "Properties": function}
    capabilities: Any = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    stack = create_stack(client, template_of({"Role": role, "Run": run}), **capabilities)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "cannot be assumed by Lambda" in str(stack_events(client, "shop"))
    client.delete_stack(StackName="shop")
    settled_stack(client, stack["StackId"])
    stack = create_stack(client, template_of({"Role": role, "Run": run | {"DependsOn": "Role"}}), **capabilities)
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_a_roles_policy_apart_comes_after_what_runs_as_the_role(client: Any, cloud: Cloud) -> None:
    """The same page: "When a DependsOn attribute is required"."""
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trusted("codebuild")}}
    statement = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    policy = {
        "Roles": [{"Ref": "Role"}],
        "PolicyName": "p",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Role"}}}
    resources = {"Policy": {"Type": "AWS::IAM::Policy", "Properties": policy}, "Role": role, "User": topic}
    create_stack(client, template_of(resources), Capabilities=["CAPABILITY_IAM"])
    made = [name for name, status, _ in stack_events(client, "shop") if status == "CREATE_COMPLETE"]
    assert made == ["Role", "User", "Policy", "shop"]


def test_events_read_as_awss_do(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"First": queue_resource()}), ClientRequestToken="token-1")
    assert stack_events(client, "shop") == [
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


def test_a_failed_create_is_rolled_back_with_its_reason(client: Any, queues: FakeQueues) -> None:
    stack = create_stack(client, template_of({"Good": queue_resource(), "Bad": queue_resource(13, DependsOn="Good")}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert queues.made == {}
    events = stack_events(client, "shop")
    assert next(e for e in events if e[1] == "CREATE_FAILED")[2].endswith("cannot wait 13 seconds")
    reason = "The following resource(s) failed to create: [Bad]. Rollback requested by user."  # english: quoted
    assert ("shop", "ROLLBACK_IN_PROGRESS", reason) in events
    assert "ROLLBACK_COMPLETE state and can not be updated" in refusal(
        client.update_stack, StackName="shop", TemplateBody=template_of({"Good": queue_resource()})
    )


def test_what_is_retained_survives_a_rolled_back_create_unless_asked(client: Any, queues: FakeQueues) -> None:
    template = template_of(
        {
            "Kept": queue_resource(DeletionPolicy="Retain"),
            "Gone": queue_resource(DeletionPolicy="RetainExceptOnCreate"),
            "Bad": queue_resource(13, DependsOn=["Kept", "Gone"]),
        }
    )
    create_stack(client, template)
    assert [name.split("-")[1] for name in queues.made] == ["Kept"]
    queues.made.clear()
    create_stack(client, template, name="other", RetainExceptOnCreate=True)
    assert queues.made == {}


@pytest.mark.parametrize(
    ("asked", "status", "left"),
    [({"DisableRollback": True}, "CREATE_FAILED", 1), ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1),
     ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", 0), ({"OnFailure": "ROLLBACK"}, "ROLLBACK_COMPLETE", 0)],
)  # fmt: skip
def test_a_failed_create_ends_as_it_was_asked_to(
    client: Any, queues: FakeQueues, asked: dict[str, Any], status: str, left: int
) -> None:
    stack = create_stack(
        client, template_of({"Good": queue_resource(), "Bad": queue_resource(13, DependsOn="Good")}), **asked
    )
    if asked.get("OnFailure") == "DELETE":  # CREATE_FAILED is where its deletion begins
        until(lambda: client.describe_stacks(StackName=stack["StackId"])["Stacks"][0]["StackStatus"] == status)
        assert len(queues.made) == left
        return
    assert (stack["StackStatus"], len(queues.made)) == (status, left)


def test_nothing_is_made_where_the_schema_refuses_a_property(client: Any, queues: FakeQueues) -> None:
    stack = create_stack(
        client, template_of({"Good": queue_resource(), "Bad": queue_resource(DependsOn="Good", Delay=3)})
    )
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert queues.done == []
    failed = [event for event in stack_events(client, "shop") if event[1] == "CREATE_FAILED"]
    assert failed[0][0] == "Bad"
    assert "extraneous key [Delay] is not permitted" in failed[0][2]


def test_a_type_that_is_not_supported_is_refused_before_anything_is_made(client: Any, queues: FakeQueues) -> None:
    template = template_of({"Good": queue_resource(), "Cluster": {"Type": "AWS::ECS::Cluster"}})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert message.startswith("NotSupported: ")
    assert "AWS::ECS::Cluster (resource Cluster, line 1)" in message
    assert "does not exist" in refusal(client.describe_stacks, StackName="shop")
    wrong = template_of({"Good": {"Type": "AWS::SQS::Cue"}})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=wrong)
    assert message == (
        "ValidationError: Template format error: Unrecognized resource types: [AWS::SQS::Cue] (Good, line 1)"
    )
    macro = json.dumps({"Transform": "AWS::Include", **json.loads(wrong)})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=macro)
    assert "the transform AWS::Include (line 1)" in message


def test_an_update_policy_is_refused_since_it_is_not_supported(client: Any, queues: FakeQueues) -> None:
    template = template_of({"Good": {"Type": QUEUE, "CreationPolicy": {"ResourceSignal": {"Count": 1}}}})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert "CreationPolicy (resource Good" in message


def test_an_attribute_that_the_schema_does_not_have_is_refused(client: Any, queues: FakeQueues) -> None:
    template = template_of({"A": queue_resource(), "B": queue_resource(QueueName={"Fn::GetAtt": ["A", "Colour"]})})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert message.startswith("ValidationError: ")
    assert "Colour" in message


def test_names_and_second_creates_are_refused_as_aws_does(client: Any, queues: FakeQueues) -> None:
    template = template_of({"A": queue_resource()})
    assert "stackName" in refusal(client.create_stack, StackName="1shop", TemplateBody=template)
    first = client.create_stack(StackName="shop", TemplateBody=template, ClientRequestToken="a")
    settled_stack(client, "shop")
    again = client.create_stack(StackName="shop", TemplateBody=template, ClientRequestToken="a")
    assert again["StackId"] == first["StackId"]
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert message == "AlreadyExistsException: Stack [shop] already exists"


def test_iam_resources_need_a_capability(client: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": policy}}
    named = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x", "AssumeRolePolicyDocument": policy}}
    for resource, given, missing in (
        (role, [], "CAPABILITY_IAM"),
        (named, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    ):
        message = refusal(
            client.create_stack, StackName="x", TemplateBody=template_of({"R": resource}), Capabilities=given
        )
        assert message == f"InsufficientCapabilitiesException: Requires capabilities : [{missing}]"


def test_two_stacks_never_own_one_resource(client: Any, queues: FakeQueues) -> None:
    first = create_stack(client, template_of({"A": queue_resource(QueueName="orders")}))
    second = create_stack(client, template_of({"A": queue_resource(QueueName="orders")}), name="other")
    assert second["StackStatus"] == "ROLLBACK_COMPLETE"
    failed = [event for event in stack_events(client, "other") if event[1] == "CREATE_FAILED"]
    assert f"orders already exists in stack {first['StackId']}" in failed[0][2]
    assert list(queues.made) == ["orders"]


# -- delete ----------------------------------------------------------------------------------------


def test_a_deleted_stack_is_found_by_its_id_only(client: Any, queues: FakeQueues) -> None:
    stack_id = create_stack(
        client,
        template_of(
            {"A": queue_resource(), "B": queue_resource(DependsOn="A"), "Kept": queue_resource(DeletionPolicy="Retain")}
        ),
    )["StackId"]
    queues.done.clear()
    client.delete_stack(StackName="shop")
    assert settled_stack(client, stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert queues.done == ["delete B", "delete A"]
    assert len(queues.made) == 1
    assert ("Kept", "DELETE_SKIPPED", "") in stack_events(client, stack_id)
    message = refusal(client.describe_stacks, StackName="shop")
    assert message == "ValidationError: Stack with id shop does not exist"
    client.delete_stack(StackName="shop")  # deleted already
    summaries = client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [s["StackId"] for s in summaries] == [stack_id]


def test_a_delete_that_fails_says_why_and_may_leave_the_resource(client: Any, queues: FakeQueues) -> None:
    create_stack(
        client,
        template_of(
            {"Base": queue_resource(), "Stuck": queue_resource(14, DependsOn="Base"), "Other": queue_resource()}
        ),
    )
    client.delete_stack(StackName="shop")
    stack = settled_stack(client, "shop")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Stuck]."  # english: quoted
    assert len(queues.made) == 2  # what Stuck needs is still there
    client.delete_stack(StackName="shop", RetainResources=["Stuck"])
    assert settled_stack(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert [p["DelaySeconds"] for p in queues.made.values()] == [14]


def test_termination_protection_stops_a_delete(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource()}), EnableTerminationProtection=True)
    message = refusal(client.delete_stack, StackName="shop")
    assert "cannot be deleted while TerminationProtection is enabled" in message
    client.update_termination_protection(StackName="shop", EnableTerminationProtection=False)
    client.delete_stack(StackName="shop")


def test_a_reference_to_what_a_condition_leaves_out_is_refused_before_anything_is_created(
    client: Any, queues: FakeQueues
) -> None:
    """AWS names every such resource, and the section (CloudFormation Template Reference, "Condition functions")."""
    never = {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}}
    parts = {"A": queue_resource(), "B": {**queue_resource(), "Condition": "Never"}}
    named = {"Fn::If": ["Never", {"Ref": "B"}, "none"]}
    create_stack(client, template_of(parts, Outputs={"O": {"Value": named}}, **never))
    for output in ({"Ref": "B"}, {"Fn::Sub": "${B.Arn}"}, {"Fn::Join": ["", [{"Fn::GetAtt": ["B", "Arn"]}]]}):
        template = template_of(parts, Outputs={"O": {"Value": output}}, **never)
        message = refusal(client.create_stack, StackName="late", TemplateBody=template)
        assert "Unresolved resource dependencies [B] in the Outputs block of the template" in message
    using = {**parts, "C": queue_resource(Tags=[{"Key": "o", "Value": {"Ref": "B"}}])}
    message = refusal(client.create_stack, StackName="late", TemplateBody=template_of(using, **never))
    assert "Unresolved resource dependencies [B] in the Resources block of the template" in message
    assert client.list_stacks(StackStatusFilter=["ROLLBACK_COMPLETE"])["StackSummaries"] == []


# -- exports ---------------------------------------------------------------------------------------


def test_an_export_in_use_is_locked(client: Any, queues: FakeQueues) -> None:
    def exporting(value: str) -> str:
        return template_of({"A": queue_resource()}, Outputs={"O": {"Value": value, "Export": {"Name": "shop-o"}}})

    importing = template_of({"B": queue_resource(Tags=[{"Key": "o", "Value": {"Fn::ImportValue": "shop-o"}}])})
    exporter = create_stack(client, exporting("one"))
    create_stack(client, importing, name="user")
    assert client.list_exports()["Exports"] == [
        {"ExportingStackId": exporter["StackId"], "Name": "shop-o", "Value": "one"}
    ]
    assert client.list_imports(ExportName="shop-o")["Imports"] == ["user"]
    assert update_stack(client, exporting("two"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Export shop-o cannot be updated as it is in use by user" in str(stack_events(client, "shop"))
    client.delete_stack(StackName="shop")
    stack = settled_stack(client, "shop")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["StackStatusReason"] == "Delete canceled. Cannot delete export shop-o as it is in use by user."
    nothing = template_of({"A": queue_resource()}, Outputs={"P": {"Value": "1"}})
    assert update_stack(client, nothing)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Cannot delete export shop-o as it is in use by user" in str(stack_events(client, "shop"))
    twin = create_stack(client, exporting("x"), name="twin")
    assert twin["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Export with name shop-o is already exported by stack shop" in str(stack_events(client, "twin"))


def test_an_import_of_nothing_fails_the_stack(client: Any, queues: FakeQueues) -> None:
    template = template_of({"B": queue_resource(Tags=[{"Key": "o", "Value": {"Fn::ImportValue": "nowhere"}}])})
    assert create_stack(client, template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "No export named nowhere found" in str(stack_events(client, "shop"))
    assert queues.made == {}


# -- secrets ---------------------------------------------------------------------------------------


def test_a_noecho_value_is_never_shown(client: Any, queues: FakeQueues) -> None:
    template = template_of(
        {"A": queue_resource(Tags=[{"Key": "secret", "Value": {"Fn::Sub": "is ${Word}"}}])},
        Parameters={"Word": {"Type": "String", "NoEcho": True}},
    )
    given = [{"ParameterKey": "Word", "ParameterValue": "swordfish"}]
    stack = create_stack(client, template, Parameters=given)
    assert stack["Parameters"] == [{"ParameterKey": "Word", "ParameterValue": "****"}]
    assert "swordfish" not in str(client.describe_stack_events(StackName="shop"))
    assert next(iter(queues.made.values()))["Tags"][0]["Value"] == "is swordfish"


# -- for stack sets --------------------------------------------------------------------------------


def test_run_stack_creates_updates_and_deletes_and_says_why_not(cloud: Cloud, queues: FakeQueues) -> None:
    session = cloud.root(ACCOUNT, REGION)

    def run(action: Any, template: str = "") -> Any:
        return run_stack(cloud, session, ACCOUNT, REGION, "inner", template, {}, {}, action=action)

    assert run("create", template_of({"A": queue_resource(1)})).status == "CREATE_COMPLETE"
    assert run("update", template_of({"A": queue_resource(1)})).reason == "No updates are to be performed."
    failed = run("update", template_of({"A": queue_resource(13)}))
    assert (failed.status, failed.succeeded) == ("UPDATE_ROLLBACK_COMPLETE", False)
    assert failed.reason.startswith("ResourceLogicalId:A, ResourceType:AWS::SQS::Queue, ResourceStatusReason:")
    assert run("update", template_of({"A": queue_resource(2)})).succeeded
    assert run("delete").status == "DELETE_COMPLETE"
    assert queues.made == {}
    assert run("create", template_of({"A": queue_resource(13)})).status == "ROLLBACK_COMPLETE"
    assert run("update", template_of({"A": queue_resource(3)})).status == "CREATE_COMPLETE"


def test_independent_resources_are_made_at_the_same_time(client: Any, queues: FakeQueues) -> None:
    create, all_begun = queues.create, threading.Barrier(8, timeout=60)

    def together(context: Context, properties: dict[str, Any]) -> Made:
        all_begun.wait()
        return create(context, properties)

    queues.create = together  # type: ignore[method-assign]
    stack = create_stack(client, template_of({f"Q{i}": queue_resource() for i in range(8)}))
    assert stack["StackStatus"] == "CREATE_COMPLETE"
