"""Wait conditions and creation policies: what a creation waits for, and what ends the wait."""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stacks import (
    FakeQueues,
    create_stack,
    queue_resource,
    settled_stack,
    stack_events,
    template_of,
)
from tests.support.waiting import until

HANDLE = {"Type": "AWS::CloudFormation::WaitConditionHandle"}


def condition(count: int = 1, timeout: str = "43200") -> dict[str, Any]:
    properties = {"Handle": {"Ref": "Handle"}, "Timeout": timeout, "Count": count}
    return {"Type": "AWS::CloudFormation::WaitCondition", "Properties": properties}


def put(url: str, **signal: str) -> None:
    request = urllib.request.Request(url, json.dumps(signal).encode(), {"Content-Type": ""}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def address(client: Any) -> str:
    """Where the stack takes signals, once the condition waits."""

    def found() -> Any:
        return [e for e in client.describe_stack_events(StackName="shop")["StackEvents"]
                if (e["LogicalResourceId"], e["ResourceStatus"]) == ("Done", "CREATE_IN_PROGRESS")]  # fmt: skip

    until(found)
    return str(client.describe_stack_resource(StackName="shop", LogicalResourceId="Handle")["StackResourceDetail"][
        "PhysicalResourceId"
    ])  # fmt: skip


def test_a_wait_condition_waits_for_its_signals_and_keeps_their_data(client: Any) -> None:
    """User Guide, "Create wait conditions in a CloudFormation template"."""
    outputs = {"Data": {"Value": {"Fn::GetAtt": ["Done", "Data"]}}}
    client.create_stack(
        StackName="shop", TemplateBody=template_of({"Handle": HANDLE, "Done": condition(2)}, Outputs=outputs)
    )
    url = address(client)
    for number in (1, 2):
        put(url, Status="SUCCESS", UniqueId=str(number), Data=f"part {number}", Reason="done")
    assert settled_stack(client, "shop")["StackStatus"] == "CREATE_COMPLETE"
    [output] = settled_stack(client, "shop")["Outputs"]
    assert json.loads(output["OutputValue"]) == {"1": "part 1", "2": "part 2"}


def test_a_signal_of_failure_and_one_that_does_not_come_fail_the_stack(client: Any) -> None:
    template = template_of({"Handle": HANDLE, "Done": condition()})
    client.create_stack(StackName="shop", TemplateBody=template)
    put(address(client), Status="FAILURE", UniqueId="a", Data="", Reason="it broke")
    settled_stack(client, "shop")
    message = "WaitCondition received failed message: 'it broke' for uniqueId: a"
    assert ("Done", "CREATE_FAILED", message) in stack_events(client, "shop")
    client.delete_stack(StackName="shop")
    until(lambda: not client.list_stacks(StackStatusFilter=["ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"])[
        "StackSummaries"
    ])  # fmt: skip
    create_stack(client, template_of({"Handle": HANDLE, "Done": condition(timeout="60")}))
    late = "WaitCondition timed out. Received 0 conditions when expecting 1"
    assert ("Done", "CREATE_FAILED", late) in stack_events(client, "shop")


@pytest.mark.parametrize(("status", "ended"), [("SUCCESS", "CREATE_COMPLETE"), ("FAILURE", "ROLLBACK_COMPLETE")])
def test_a_creation_policy_waits_for_signal_resource(client: Any, status: str, ended: str) -> None:
    """Template Reference, "CreationPolicy attribute"; API Reference, "SignalResource"."""
    waits = {"Type": "AWS::CloudFormation::WaitCondition",
             "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT12H"}}}  # fmt: skip
    client.create_stack(StackName="shop", TemplateBody=template_of({"Done": waits}))
    signal = {"StackName": "shop", "LogicalResourceId": "Done", "UniqueId": "a", "Status": status}
    until(
        lambda: any(
            status == "CREATE_IN_PROGRESS" for name, status, _ in stack_events(client, "shop") if name == "Done"
        )
    )
    client.signal_resource(**signal)
    assert settled_stack(client, "shop")["StackStatus"] == ended
    if ended == "CREATE_COMPLETE":
        with pytest.raises(ClientError, match="is in CREATE_COMPLETE state and cannot be signaled"):
            client.signal_resource(**signal)
        other = template_of({"Done": {**waits, "CreationPolicy": {"ResourceSignal": {"Count": 2}}}})
        with pytest.raises(ClientError, match="No updates are to be performed"):
            client.update_stack(StackName="shop", TemplateBody=other)


def test_a_creation_policy_of_what_takes_none_is_refused_with_its_place(client: Any, queues: FakeQueues) -> None:
    template = template_of({"Orders": {**queue_resource(), "CreationPolicy": {"ResourceSignal": {}}}})
    with pytest.raises(ClientError, match=r"CreationPolicy \(resource Orders, line 1\)"):
        client.create_stack(StackName="shop", TemplateBody=template)


def test_stacks_that_wait_do_not_keep_each_other_waiting(client: Any) -> None:
    client.create_stack(StackName="shop", TemplateBody=template_of({"Handle": HANDLE, "Done": condition()}))
    url = address(client)
    thread = threading.Thread(target=lambda: put(url, Status="SUCCESS", UniqueId="a"))
    create_stack(client, template_of({"Handle": HANDLE}), name="other")
    thread.start()
    thread.join()
    assert settled_stack(client, "shop")["StackStatus"] == "CREATE_COMPLETE"
