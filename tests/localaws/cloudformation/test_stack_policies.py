"""Stack policies and wait conditions: what an update must leave alone, and what a creation waits for."""

from __future__ import annotations

import json
import threading
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation import stack_policies
from tests.localaws.cloudformation.test_stacks import (
    ACCOUNT,
    REGION,
    Queues,
    body,
    create,
    events,
    queue,
    queues,
    settled,
    update,
)
from tests.support.waiting import until

__all__ = ["queues"]  # the fixture
ALL: dict[str, Any] = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


@pytest.fixture
def client(cloud: Cloud) -> Any:
    return cloud.root(ACCOUNT, REGION).client("cloudformation")


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": list(statements)})


def deny(**changed: Any) -> dict[str, Any]:
    return {**ALL, "Effect": "Deny", **changed}


NAME = "LogicalResourceId/Orders"
TYPE = {"Condition": {"StringEquals": {"ResourceType": ["AWS::SQS::Queue"]}}}
LIKE = {"Condition": {"StringLike": {"ResourceType": ["AWS::SQS::*"]}}}


@pytest.mark.parametrize(
    ("statements", "action", "allowed"),
    [
        ([ALL], "Update:Modify", True),
        ([ALL, deny(Resource=NAME)], "Update:Delete", False),
        ([deny(Resource=NAME), ALL], "Update:Modify", False),
        ([ALL, deny(Resource="LogicalResourceId/Ord*")], "Update:Modify", False),
        ([ALL, deny(Resource="LogicalResourceId/Other")], "Update:Modify", True),
        ([ALL, deny(Action="Update:Replace")], "Update:Modify", True),
        ([ALL, deny(Action=["Update:Replace", "Update:Delete"])], "Update:Replace", False),
        (
            [{"Effect": "Allow", "NotAction": "Update:Delete", "Principal": "*", "Resource": "*"}],
            "Update:Delete",
            False,
        ),
        ([{"Effect": "Allow", "NotAction": "Update:Delete", "Principal": "*", "Resource": "*"}], "Update:Modify", True),
        ([{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "NotResource": NAME}], "Update:Modify", False),
        ([{**ALL, "Resource": "LogicalResourceId/Other"}], "Update:Modify", False),  # what nothing allows is protected
        ([ALL, deny(**TYPE)], "Update:Modify", False),
        ([ALL, deny(**LIKE)], "Update:Modify", False),
        ([ALL, deny(Condition={"StringEquals": {"ResourceType": ["AWS::SQS::*"]}})], "Update:Modify", True),
    ],
)
def test_a_stack_policy_decides_as_the_user_guide_says(
    statements: list[dict[str, Any]], action: str, allowed: bool
) -> None:
    """User Guide, "Prevent updates to stack resources"."""
    text = stack_policies.check(policy(*statements))
    assert (stack_policies.denial(text, action, "Orders", "AWS::SQS::Queue") == "") is allowed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "Invalid stack policy"),
        (policy({**ALL, "Action": "sqs:*"}), "sqs:.* is none of Update:Modify"),
        (policy({**ALL, "Principal": "me"}), "Principal must be"),
        (policy({**ALL, "Resource": "Orders"}), "Orders is not LogicalResourceId/NAME"),
        (policy({**ALL, "Condition": {"IpAddress": {"aws:SourceIp": "1.2.3.4"}}}), "compares ResourceType"),
        (policy({**ALL, "Effect": "Perhaps"}), "Effect must be Allow or Deny"),
    ],
)
def test_a_policy_that_is_none_is_refused(client: Any, queues: Queues, text: str, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        client.create_stack(StackName="shop", TemplateBody=body({"Orders": queue()}), StackPolicyBody=text)


def test_a_protected_resource_is_neither_changed_replaced_nor_removed(client: Any, queues: Queues) -> None:
    before = body({"Orders": queue(1, QueueName="a"), "Other": queue(1)})
    create(client, before, StackPolicyBody=policy(ALL, deny(Resource=NAME)))
    assert json.loads(client.get_stack_policy(StackName="shop")["StackPolicyBody"])["Statement"][1]["Resource"] == NAME
    for after, verb in (
        ({"Orders": queue(2, QueueName="a"), "Other": queue(1)}, "Modify"),
        ({"Orders": queue(1, QueueName="b"), "Other": queue(1)}, "Replace"),
        ({"Other": queue(1)}, "Delete"),
    ):
        assert update(client, body(after))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        told = f"Action denied by stack policy: Statement [#2] does not allow [Update:{verb}] for resource [{NAME}]"
        assert ("Orders", "UPDATE_FAILED", told) in events(client, "shop")
    assert set(queues.made) >= {"a"}
    assert update(client, body({"Orders": queue(1, QueueName="a"), "Other": queue(2)}))["StackStatus"] == (
        "UPDATE_COMPLETE"
    )


def test_one_update_may_override_the_policy_and_another_policy_may_take_its_place(client: Any, queues: Queues) -> None:
    create(client, body({"Orders": queue(1)}))
    client.set_stack_policy(StackName="shop", StackPolicyBody=policy(deny()))
    assert update(client, body({"Orders": queue(2)}))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    once = update(client, body({"Orders": queue(2)}), StackPolicyDuringUpdateBody=policy(ALL))
    assert once["StackStatus"] == "UPDATE_COMPLETE"
    again = update(client, body({"Orders": queue(3)}), StackPolicyBody=policy(ALL))
    assert again["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"  # the former policy is that of this update
    assert update(client, body({"Orders": queue(3)}))["StackStatus"] == "UPDATE_COMPLETE"


def test_an_update_with_a_policy_needs_the_permission_to_set_one(cloud: Cloud, client: Any, queues: Queues) -> None:
    create(client, body({"Orders": queue(1)}))
    from tests.localaws.services.awslambda.test_lambda import make_role

    allow = [{"Effect": "Allow", "Action": ["cloudformation:UpdateStack", "sqs:*"], "Resource": "*"}]
    role = make_role(cloud, "updater", allow, "codebuild.amazonaws.com")
    other = cloud.service_role(role, "s", "codebuild.amazonaws.com", REGION).client("cloudformation")
    with pytest.raises(ClientError, match="cloudformation:SetStackPolicy"):
        other.update_stack(
            StackName="shop", TemplateBody=body({"Orders": queue(2)}), StackPolicyDuringUpdateBody=policy(ALL)
        )
    other.update_stack(StackName="shop", TemplateBody=body({"Orders": queue(2)}))


# -- waiting -------------------------------------------------------------------------------------


HANDLE = {"Type": "AWS::CloudFormation::WaitConditionHandle"}


def condition(count: int = 1, timeout: str = "3600") -> dict[str, Any]:
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
    client.create_stack(StackName="shop", TemplateBody=body({"Handle": HANDLE, "Done": condition(2)}, Outputs=outputs))
    url = address(client)
    for number in (1, 2):
        put(url, Status="SUCCESS", UniqueId=str(number), Data=f"part {number}", Reason="done")
    assert settled(client, "shop")["StackStatus"] == "CREATE_COMPLETE"
    [output] = settled(client, "shop")["Outputs"]
    assert json.loads(output["OutputValue"]) == {"1": "part 1", "2": "part 2"}


def test_a_signal_of_failure_and_one_that_does_not_come_fail_the_stack(client: Any) -> None:
    template = body({"Handle": HANDLE, "Done": condition()})
    client.create_stack(StackName="shop", TemplateBody=template)
    put(address(client), Status="FAILURE", UniqueId="a", Data="", Reason="it broke")
    settled(client, "shop")
    told = "WaitCondition received failed message: 'it broke' for uniqueId: a"
    assert ("Done", "CREATE_FAILED", told) in events(client, "shop")
    client.delete_stack(StackName="shop")
    until(lambda: not client.list_stacks(StackStatusFilter=["ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"])[
        "StackSummaries"
    ])  # fmt: skip
    create(client, body({"Handle": HANDLE, "Done": condition(timeout="60")}))
    late = "WaitCondition timed out. Received 0 conditions when expecting 1"
    assert ("Done", "CREATE_FAILED", late) in events(client, "shop")


@pytest.mark.parametrize(("status", "ended"), [("SUCCESS", "CREATE_COMPLETE"), ("FAILURE", "ROLLBACK_COMPLETE")])
def test_a_creation_policy_waits_for_signal_resource(client: Any, status: str, ended: str) -> None:
    """Template Reference, "CreationPolicy attribute"; API Reference, "SignalResource"."""
    waits = {"Type": "AWS::CloudFormation::WaitCondition",
             "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1H"}}}  # fmt: skip
    client.create_stack(StackName="shop", TemplateBody=body({"Done": waits}))
    signal = {"StackName": "shop", "LogicalResourceId": "Done", "UniqueId": "a", "Status": status}
    until(lambda: any(status == "CREATE_IN_PROGRESS" for name, status, _ in events(client, "shop") if name == "Done"))
    client.signal_resource(**signal)
    assert settled(client, "shop")["StackStatus"] == ended
    if ended == "CREATE_COMPLETE":
        with pytest.raises(ClientError, match="is in CREATE_COMPLETE state and cannot be signaled"):
            client.signal_resource(**signal)
        other = body({"Done": {**waits, "CreationPolicy": {"ResourceSignal": {"Count": 2}}}})
        with pytest.raises(ClientError, match="No updates are to be performed"):
            client.update_stack(StackName="shop", TemplateBody=other)


def test_a_creation_policy_of_what_takes_none_is_refused_with_its_place(client: Any, queues: Queues) -> None:
    template = body({"Orders": {**queue(), "CreationPolicy": {"ResourceSignal": {}}}})
    with pytest.raises(ClientError, match=r"CreationPolicy \(resource Orders, line 1\)"):
        client.create_stack(StackName="shop", TemplateBody=template)


def test_stacks_that_wait_do_not_keep_each_other_waiting(client: Any) -> None:
    client.create_stack(StackName="shop", TemplateBody=body({"Handle": HANDLE, "Done": condition()}))
    url = address(client)
    thread = threading.Thread(target=lambda: put(url, Status="SUCCESS", UniqueId="a"))
    create(client, body({"Handle": HANDLE}), name="other")
    thread.start()
    thread.join()
    assert settled(client, "shop")["StackStatus"] == "CREATE_COMPLETE"
