"""Events by operation: an update that fails and the rollback that follows it are two."""

from __future__ import annotations

from typing import Any

from tests.support.stacks import FakeQueues, create_stack, queue_resource, refusal, template_of, update_stack


def test_an_update_and_its_rollback_are_two_operations(client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"A": queue_resource(1)}))
    [created] = client.describe_stacks(StackName="shop")["Stacks"][0]["LastOperations"]
    assert created["OperationType"] == "CREATE_STACK"
    stack = update_stack(client, template_of({"A": queue_resource(13)}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    rollback, update = stack["LastOperations"]
    assert [one["OperationType"] for one in (rollback, update)] == ["ROLLBACK", "UPDATE_STACK"]
    failed = client.describe_events(OperationId=update["OperationId"], Filters={"FailedEvents": True})
    [event] = failed["OperationEvents"]
    assert (event["LogicalResourceId"], event["EventType"], event["ResourceStatus"]) == (
        "A", "PROVISIONING_ERROR", "UPDATE_FAILED",
    )  # fmt: skip
    every = client.describe_events(StackName="shop")["OperationEvents"]
    assert {one["OperationType"] for one in every} == {"CREATE_STACK", "UPDATE_STACK", "ROLLBACK"}
    assert (every[0]["EventType"], every[0]["OperationStatus"]) == ("STACK_EVENT", "SUCCEEDED")
    ids = {one["EventId"]: one["OperationId"] for one in every}
    listed = client.describe_stack_events(StackName="shop")["StackEvents"]
    assert {one["EventId"]: one["OperationId"] for one in listed} == ids
    assert "must be specified" in refusal(client.describe_events)
    assert "does not exist" in refusal(client.describe_events, OperationId="0" * 36)
    assert "does not exist" in refusal(client.describe_events, StackName="shop", ChangeSetName="x")


def test_a_change_set_is_an_operation_with_what_its_validation_found(client: Any, queues: FakeQueues) -> None:
    """User Guide, "Validate stack deployments"."""
    for name, size in (("good", 1), ("wrong", "many")):
        body = template_of({"A": queue_resource(size)})
        client.create_change_set(StackName="shop", ChangeSetName=name, ChangeSetType="CREATE", TemplateBody=body)
    [good] = client.describe_events(StackName="shop", ChangeSetName="good")["OperationEvents"]
    assert (good["OperationType"], good["OperationStatus"]) == ("CREATE_CHANGESET", "SUCCEEDED")
    ended, error = client.describe_events(StackName="shop", ChangeSetName="wrong")["OperationEvents"]
    assert (ended["EventType"], ended["OperationStatus"]) == ("STACK_EVENT", "FAILED")
    assert (error["EventType"], error["LogicalResourceId"]) == ("VALIDATION_ERROR", "A")
    assert error["ValidationName"] == "PROPERTY_VALIDATION"
    assert client.describe_events(OperationId=error["OperationId"])["OperationEvents"] == [ended, error]
    failed = client.describe_events(OperationId=error["OperationId"], Filters={"FailedEvents": True})
    assert failed["OperationEvents"] == [error]
