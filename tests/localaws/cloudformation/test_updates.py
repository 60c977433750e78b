"""Updates of stacks through the API: what changes, what is replaced, and what a failed one restores."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, Made
from tests.support.roles import make_role, policy_document
from tests.support.stacks import (
    ACCOUNT,
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


def test_an_update_changes_only_what_differs(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1), "B": queue_resource(1), "C": queue_resource(1)}))
    queues.done.clear()
    stack = update_stack(client, template_of({"A": queue_resource(1), "B": queue_resource(2), "D": queue_resource(1)}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert sorted(queues.done) == ["create D", "delete C", "update B"]
    assert sorted(p["DelaySeconds"] for p in queues.made.values()) == [1, 1, 2]
    statuses = [status for name, status, _ in stack_events(client, "shop") if name == "shop"][2:]
    assert statuses == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_an_update_without_a_change_is_refused(client: Any, queues: FakeQueues) -> None:
    template = template_of(
        {"A": queue_resource({"Ref": "Delay"})}, Parameters={"Delay": {"Type": "Number", "Default": 3}}
    )
    create_stack(client, template)
    message = refusal(client.update_stack, StackName="shop", TemplateBody=template)
    assert message == "ValidationError: No updates are to be performed."
    given = [{"ParameterKey": "Delay", "ParameterValue": "4"}]
    client.update_stack(StackName="shop", UsePreviousTemplate=True, Parameters=given)
    assert settled_stack(client, "shop")["Parameters"] == given
    kept = [{"ParameterKey": "Delay", "UsePreviousValue": True}]
    message = refusal(client.update_stack, StackName="shop", UsePreviousTemplate=True, Parameters=kept)
    assert message.endswith("No updates are to be performed.")


def test_a_create_only_property_replaces_the_resource_and_what_refers_to_it_follows(
    client: Any, queues: FakeQueues
) -> None:
    follower = queue_resource(Tags=[{"Key": "of", "Value": {"Ref": "A"}}])
    create_stack(client, template_of({"A": queue_resource(QueueName="old"), "B": follower}))
    queues.done.clear()
    stack = update_stack(client, template_of({"A": queue_resource(QueueName="new"), "B": follower}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert queues.done == ["create A", "update B", "delete A"]
    assert "old" not in queues.made
    assert next(p for n, p in queues.made.items() if n != "new")["Tags"] == [{"Key": "of", "Value": "new"}]


def test_update_replace_policy_retain_leaves_the_old_resource(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(QueueName="old")}))
    update_stack(client, template_of({"A": queue_resource(QueueName="new", UpdateReplacePolicy="Retain")}))
    assert sorted(queues.made) == ["new", "old"]
    assert ("A", "DELETE_SKIPPED", "") in stack_events(client, "shop")


def test_a_resource_with_a_name_of_its_own_cannot_be_replaced(client: Any) -> None:
    name = "/aws/shop"
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders"}}
    create_stack(client, template_of({"T": topic}))
    fifo = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders.fifo", "FifoTopic": True}}
    assert update_stack(client, template_of({"T": fifo}))["StackStatus"] == "UPDATE_COMPLETE", name
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
    create_stack(client, template_of({"R": role}), name="roles", **allowed)
    moved = {**role, "Properties": {**role["Properties"], "Path": "/moved/"}}  # type: ignore[dict-item]
    assert (
        update_stack(client, template_of({"R": moved}), name="roles", **allowed)["StackStatus"]
        == "UPDATE_ROLLBACK_COMPLETE"
    )
    events = [reason for _, status, reason in stack_events(client, "roles") if status == "UPDATE_FAILED"]
    assert events == [
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename shop and update the stack again."
    ]


def test_a_failed_update_comes_back_to_exactly_what_was(client: Any, queues: FakeQueues) -> None:
    create_stack(
        client,
        template_of(
            {"A": queue_resource(1), "B": queue_resource(QueueName="old"), "C": queue_resource(1)},
            Outputs={"O": {"Value": "1"}},
        ),
        Tags=[{"Key": "v", "Value": "1"}],
    )
    before = json.loads(json.dumps(queues.made))
    stack_before = settled_stack(client, "shop")
    resources_before = client.describe_stack_resources(StackName="shop")["StackResources"]
    template = template_of(
        {
            "A": queue_resource(2),
            "B": queue_resource(QueueName="new"),
            "D": queue_resource(1),
            "Bad": queue_resource(13, DependsOn=["A", "B", "D"]),
        },
        Outputs={"O": {"Value": "2"}},
    )
    stack = update_stack(client, template, Tags=[{"Key": "v", "Value": "2"}])
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
    statuses = [status for name, status, _ in stack_events(client, "shop") if name == "shop"][2:]
    assert statuses == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]


def test_a_rollback_that_fails_can_be_continued(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1, QueueName="a"), "B": queue_resource(1)}))
    before = dict(queues.made)
    queues_update = queues.update

    def once_then_broken(context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        made = queues_update(context, physical_id, old, new)
        queues.broken.add(physical_id)
        return made

    queues.update = once_then_broken  # type: ignore[method-assign]
    stack = update_stack(
        client, template_of({"A": queue_resource(2, QueueName="a"), "B": queue_resource(13, DependsOn="A")})
    )
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    queues.broken.clear()
    client.continue_update_rollback(StackName="shop")
    stack = settled_stack(client, "shop")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["LastOperations"][0]["OperationType"] == "CONTINUE_ROLLBACK"
    assert queues.made == before


def test_a_failed_update_without_rollback_is_left_and_can_be_fixed(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1)}))
    stack = update_stack(
        client, template_of({"A": queue_resource(2), "B": queue_resource(13, DependsOn="A")}), DisableRollback=True
    )
    assert stack["StackStatus"] == "UPDATE_FAILED"
    assert [p["DelaySeconds"] for p in queues.made.values()] == [2]
    stack = update_stack(client, template_of({"A": queue_resource(2), "B": queue_resource(3)}), DisableRollback=True)
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert sorted(p["DelaySeconds"] for p in queues.made.values()) == [2, 3]


def test_a_resource_whose_update_failed_is_updated_again(client: Any, queues: FakeQueues) -> None:
    first = template_of({"A": queue_resource(1)})
    create_stack(client, first)
    assert (
        update_stack(client, template_of({"A": queue_resource(13)}), DisableRollback=True)["StackStatus"]
        == "UPDATE_FAILED"
    )
    resource = client.describe_stack_resources(StackName="shop")["StackResources"][0]
    assert resource["ResourceStatus"] == "UPDATE_FAILED"
    queues.done.clear()
    assert update_stack(client, first, DisableRollback=True)["StackStatus"] == "UPDATE_COMPLETE"
    assert queues.done == ["update A"]


def test_new_stack_tags_reach_the_resources(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource()}))
    update_stack(client, template_of({"A": queue_resource()}), Tags=[{"Key": "team", "Value": "shop"}])
    assert list(queues.tags.values()) == [{"team": "shop"}]


def test_tags_of_a_stack_need_the_permissions_to_set_and_to_remove_them(
    cloud: Cloud, client: Any, queues: FakeQueues
) -> None:
    red, blue = ([{"Key": key, "Value": "shop"}] for key in ("red", "blue"))
    create_stack(client, template_of({"A": queue_resource()}), Tags=red)
    actions = ["cloudformation:UpdateStack", "sqs:*"]
    update = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    role = make_role(cloud, "updater", "codebuild", update)
    other = cloud.service_role(role, "s", "codebuild.amazonaws.com", REGION).client("cloudformation")
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    request = {"StackName": "shop", "TemplateBody": template_of({"A": queue_resource(1)})}
    for action in ("TagResource", "UntagResource"):
        with pytest.raises(ClientError, match=f"not authorized to perform: cloudformation:{action}"):
            other.update_stack(**request, Tags=blue)
        actions.append(f"cloudformation:{action}")
        iam.put_role_policy(RoleName="updater", PolicyName="inline", PolicyDocument=policy_document(update))
    other.update_stack(**request, Tags=blue)
    assert settled_stack(client, "shop")["Tags"] == blue


def test_a_resource_never_changes_its_type(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource()}))
    message = refusal(
        client.update_stack, StackName="shop", TemplateBody=template_of({"A": {"Type": "AWS::SNS::Topic"}})
    )
    assert "modifies resource type of the following resources: [A]" in message


def test_an_update_that_is_cancelled_goes_back(
    client: Any, queues: FakeQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """API Reference, CancelUpdateStack: of stacks in UPDATE_IN_PROGRESS alone; the update is rolled back."""
    before = template_of({"A": queue_resource(1), "B": queue_resource(1, Tags=[{"Key": "a", "Value": {"Ref": "A"}}])})
    create_stack(client, before)
    message = refusal(client.cancel_update_stack, StackName="shop")
    assert message == "ValidationError: CancelUpdateStack cannot be called from current stack status"
    real = queues.update

    def cancelled(context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if new["DelaySeconds"] == 2:
            client.cancel_update_stack(StackName="shop", ClientRequestToken="stop")
        return real(context, physical_id, old, new)

    monkeypatch.setattr(queues, "update", cancelled)
    queues.done.clear()
    stack = update_stack(client, before.replace('"DelaySeconds": 1', '"DelaySeconds": 2'))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert [one["OperationType"] for one in stack["LastOperations"]] == ["ROLLBACK", "UPDATE_STACK"]
    assert queues.done == ["update A", "update A"]
    assert [one["DelaySeconds"] for one in queues.made.values()] == [1, 1]
    reasons = {status: reason for name, status, reason in stack_events(client, "shop") if name == "shop"}
    assert reasons["UPDATE_ROLLBACK_IN_PROGRESS"] == "User Initiated"
    assert (
        update_stack(client, before.replace('"DelaySeconds": 1', '"DelaySeconds": 3'))["StackStatus"]
        == "UPDATE_COMPLETE"
    )
