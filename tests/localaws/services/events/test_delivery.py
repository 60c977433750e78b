"""Targets of event rules: events that a rule brings to the event bus of another account."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.events.service import deliveries, emit
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
OTHER = "222222222222"
BUS = f"arn:aws:events:{REGION}:{OTHER}:event-bus/default"


def role(cloud: Cloud) -> str:
    """The role that EventBridge sends as; without a right yet."""
    trusted = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    return str(iam.create_role(RoleName="sender", AssumeRolePolicyDocument=document)["Role"]["Arn"])


def sender(cloud: Cloud, *, may_put: bool) -> None:
    """A rule of ACCOUNT that sends alarms to OTHER's bus, and a rule of OTHER that brings them to a queue."""
    sending = role(cloud)
    iam, events = (cloud.root(ACCOUNT, REGION).client(name) for name in ("iam", "events"))
    if may_put:
        allowed = [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": BUS}]
        text = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_role_policy(RoleName="sender", PolicyName="send", PolicyDocument=text)
    events.put_rule(Name="alarms", EventPattern='{"source": ["aws.cloudwatch"]}')
    events.put_targets(Rule="alarms", Targets=[{"Id": "t", "Arn": BUS, "RoleArn": sending}])


def alarm(cloud: Cloud) -> None:
    emit(
        cloud, ACCOUNT, REGION, source="aws.cloudwatch", detail_type="CloudWatch Alarm State Change", resources=["a"],
        detail={"alarmName": "n"},
    )  # fmt: skip


def let_in(cloud: Cloud, detail_type: str) -> None:
    statement = {
        "Sid": "alarms", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "events:PutEvents", "Resource": BUS,
        "Condition": {"ForAllValues:StringEquals": {"events:detail-type": detail_type}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.root(OTHER, REGION).client("events").put_permission(EventBusName="default", Policy=policy)


def test_a_rule_brings_an_event_as_it_is_to_the_bus_of_another_account(cloud: Cloud) -> None:
    sender(cloud, may_put=True)
    let_in(cloud, "CloudWatch Alarm State Change")
    sqs, events = (cloud.root(OTHER, REGION).client(name) for name in ("sqs", "events"))
    queue_arn = f"arn:aws:sqs:{REGION}:{OTHER}:q"
    statement = {
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = sqs.create_queue(QueueName="q", Attributes={"Policy": policy})["QueueUrl"]
    events.put_rule(Name="in", EventPattern=json.dumps({"account": [{"anything-but": [OTHER]}]}))
    events.put_targets(Rule="in", Targets=[{"Id": "t", "Arn": queue_arn}])
    alarm(cloud)
    until(lambda: len(deliveries(cloud)) == 2)
    assert deliveries(cloud, failed=True) == []
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    event = json.loads(message["Body"])
    assert (event["account"], event["source"], event["detail"]) == (ACCOUNT, "aws.cloudwatch", {"alarmName": "n"})


@pytest.mark.parametrize(("may_put", "detail_type"), [(False, "CloudWatch Alarm State Change"), (True, "Another")])
def test_both_the_role_and_the_bus_must_allow_an_event_from_another_account(
    cloud: Cloud, may_put: bool, detail_type: str
) -> None:
    sender(cloud, may_put=may_put)
    let_in(cloud, detail_type)
    alarm(cloud)
    until(lambda: deliveries(cloud))
    [failed] = deliveries(cloud)
    assert "not authorized to perform: events:PutEvents" in failed.failed


def test_a_bus_of_another_account_needs_a_role_and_takes_no_input(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    events.put_rule(Name="r", EventPattern='{"source": ["kit"]}')
    with pytest.raises(ClientError, match="RoleArn is required"):
        events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": BUS}])
    sending = role(cloud)
    with pytest.raises(ClientError, match="with the event as it is"):
        events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": BUS, "RoleArn": sending, "Input": "{}"}])
