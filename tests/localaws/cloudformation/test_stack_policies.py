"""Stack policies: what an update must leave alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation import stack_policies
from tests.support.roles import make_role
from tests.support.stacks import (
    REGION,
    FakeQueues,
    create_stack,
    queue_resource,
    stack_events,
    template_of,
    update_stack,
)

ALL: dict[str, Any] = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


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
        (policy({**ALL, "Action": "sqs:*"}), "sqs:.* is not one of Update:Modify"),
        (policy({**ALL, "Principal": "me"}), "Principal must be"),
        (policy({**ALL, "Resource": "Orders"}), "Orders is not LogicalResourceId/NAME"),
        (policy({**ALL, "Condition": {"IpAddress": {"aws:SourceIp": "1.2.3.4"}}}), "compares ResourceType"),
        (policy({**ALL, "Effect": "Perhaps"}), "Effect must be Allow or Deny"),
    ],
)
def test_an_invalid_policy_is_refused(client: Any, queues: FakeQueues, text: str, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        client.create_stack(
            StackName="shop", TemplateBody=template_of({"Orders": queue_resource()}), StackPolicyBody=text
        )


def test_a_protected_resource_is_neither_changed_replaced_nor_removed(client: Any, queues: FakeQueues) -> None:
    before = template_of({"Orders": queue_resource(1, QueueName="a"), "Other": queue_resource(1)})
    create_stack(client, before, StackPolicyBody=policy(ALL, deny(Resource=NAME)))
    assert json.loads(client.get_stack_policy(StackName="shop")["StackPolicyBody"])["Statement"][1]["Resource"] == NAME
    for after, verb in (
        ({"Orders": queue_resource(2, QueueName="a"), "Other": queue_resource(1)}, "Modify"),
        ({"Orders": queue_resource(1, QueueName="b"), "Other": queue_resource(1)}, "Replace"),
        ({"Other": queue_resource(1)}, "Delete"),
    ):
        assert update_stack(client, template_of(after))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        message = f"Action denied by stack policy: Statement [#2] does not allow [Update:{verb}] for resource [{NAME}]"
        assert ("Orders", "UPDATE_FAILED", message) in stack_events(client, "shop")
    assert set(queues.made) >= {"a"}
    assert update_stack(client, template_of({"Orders": queue_resource(1, QueueName="a"), "Other": queue_resource(2)}))[
        "StackStatus"
    ] == ("UPDATE_COMPLETE")


def test_one_update_may_override_the_policy_and_another_policy_may_take_its_place(
    client: Any, queues: FakeQueues
) -> None:
    create_stack(client, template_of({"Orders": queue_resource(1)}))
    client.set_stack_policy(StackName="shop", StackPolicyBody=policy(deny()))
    assert update_stack(client, template_of({"Orders": queue_resource(2)}))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    once = update_stack(client, template_of({"Orders": queue_resource(2)}), StackPolicyDuringUpdateBody=policy(ALL))
    assert once["StackStatus"] == "UPDATE_COMPLETE"
    again = update_stack(client, template_of({"Orders": queue_resource(3)}), StackPolicyBody=policy(ALL))
    assert again["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"  # the former policy is that of this update
    assert update_stack(client, template_of({"Orders": queue_resource(3)}))["StackStatus"] == "UPDATE_COMPLETE"


def test_an_update_with_a_policy_needs_the_permission_to_set_one(cloud: Cloud, client: Any, queues: FakeQueues) -> None:
    create_stack(client, template_of({"Orders": queue_resource(1)}))
    allow = [{"Effect": "Allow", "Action": ["cloudformation:UpdateStack", "sqs:*"], "Resource": "*"}]
    role = make_role(cloud, "updater", "codebuild", *allow)
    other = cloud.service_role(role, "s", "codebuild.amazonaws.com", REGION).client("cloudformation")
    with pytest.raises(ClientError, match="cloudformation:SetStackPolicy"):
        other.update_stack(
            StackName="shop",
            TemplateBody=template_of({"Orders": queue_resource(2)}),
            StackPolicyDuringUpdateBody=policy(ALL),
        )
    other.update_stack(StackName="shop", TemplateBody=template_of({"Orders": queue_resource(2)}))
