"""Targets of event rules: the event bus of another account, and parameters that the event fills in."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.events.service import deliveries, emit
from tests.support.roles import make_role
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


def start_training(cloud: Cloud, value: str, detail: dict[str, str | int], *allowed: dict[str, str]) -> str:
    """A rule that starts a pipeline with a parameter, and an event; why the delivery failed"""
    sagemaker, events = (cloud.root(ACCOUNT, REGION).client(name) for name in ("sagemaker", "events"))
    said = {"Std:Join": {"On": "", "Values": ["asked with ", {"Get": "Parameters.CapturedData"}]}}
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "CapturedData", "Type": "String", "DefaultValue": "none"}],
        "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": said}}],
    }
    trainer = make_role(cloud, "trainer", "sagemaker")
    arn = sagemaker.create_pipeline(PipelineName="t", PipelineDefinition=json.dumps(definition), RoleArn=trainer)
    given = [{"Name": "CapturedData", "Value": value}]
    target = {
        "Id": "t", "Arn": arn["PipelineArn"], "RoleArn": make_role(cloud, "starter", "events", *allowed),
        "SageMakerPipelineParameters": {"PipelineParameterList": given},
    }  # fmt: skip
    events.put_rule(Name="drift", EventPattern='{"source": ["kit"]}')
    events.put_targets(Rule="drift", Targets=[target])
    events.put_events(Entries=[{"Source": "kit", "DetailType": "Drift", "Detail": json.dumps(detail)}])
    until(lambda: deliveries(cloud))
    (delivery,) = deliveries(cloud)
    return delivery.failed


START = {"Effect": "Allow", "Action": "sagemaker:StartPipelineExecution", "Resource": "*"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("$.detail.data", "s3://b/p"), ("s3://c", "s3://c"), ("in $.detail.data", "in $.detail.data")],
)
def test_a_pipeline_of_sagemaker_starts_with_what_the_event_holds(cloud: Cloud, value: str, expected: str) -> None:
    """EventBridge User Guide, "Dynamic path parameters": the entire value is a path, or it is text."""
    assert start_training(cloud, value, {"data": "s3://b/p"}, START) == ""
    sagemaker = cloud.root(ACCOUNT, REGION).client("sagemaker")
    (one,) = sagemaker.list_pipeline_executions(PipelineName="t")["PipelineExecutionSummaries"]
    arn = one["PipelineExecutionArn"]
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert given == [{"Name": "CapturedData", "Value": expected}]


@pytest.mark.parametrize("detail", [{"data": 1}, {"another": "a"}])
def test_a_parameter_whose_path_finds_no_text_starts_nothing(cloud: Cloud, detail: dict[str, str | int]) -> None:
    assert "a target's parameter $.detail.data that is no text in the event" in start_training(
        cloud, "$.detail.data", detail, START
    )


def test_the_role_of_the_target_must_be_allowed_to_start_the_pipeline(cloud: Cloud) -> None:
    refused = start_training(cloud, "$.detail.data", {"data": "s3://b/p"})
    assert "not authorized to perform: sagemaker:StartPipelineExecution" in refused
