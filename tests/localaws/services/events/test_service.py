"""EventBridge: patterns as AWS reads them, inputs as AWS builds them, deliveries that can be seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud
from localaws.services.events import input as events_input
from localaws.services.events import pattern as events_pattern
from localaws.services.events.service import deliveries, emit, tick
from tests.support.queues import bodies
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "SageMaker Model Package State Change",
    "source": "aws.sagemaker",
    "account": ACCOUNT,
    "time": "2026-11-11T21:29:54Z",
    "region": REGION,
    "resources": ["arn:aws:sagemaker:us-east-1:111111111111:model-package/churn/3"],
    "detail": {
        "ModelPackageGroupName": "churn",
        "ModelPackageVersion": 3,
        "ModelApprovalStatus": "Approved",
        "Path": "dir/model.png",
        "Odd": 'a"b\\c',
        "Address": "10.0.0.7",
        "Empty": "",
        "Nothing": None,
        "Live": True,
        "Containers": [{"Image": "a", "Size": 1}, {"Image": "b", "Size": 2}],
    },
}


@pytest.mark.parametrize(
    ("detail", "matched"),
    [
        ({"ModelApprovalStatus": ["Approved"]}, True),
        ({"ModelApprovalStatus": ["Rejected", "Approved"]}, True),
        ({"ModelApprovalStatus": ["approved"]}, False),
        ({"ModelApprovalStatus": [{"equals-ignore-case": "APPROVED"}]}, True),
        ({"ModelApprovalStatus": [{"prefix": "App"}]}, True),
        ({"ModelApprovalStatus": [{"prefix": {"equals-ignore-case": "app"}}]}, True),
        ({"ModelApprovalStatus": [{"suffix": "ved"}]}, True),
        ({"ModelApprovalStatus": [{"suffix": {"equals-ignore-case": "VED"}}]}, True),
        ({"ModelApprovalStatus": [{"anything-but": "Approved"}]}, False),
        ({"ModelApprovalStatus": [{"anything-but": ["Rejected", "Pending"]}]}, True),
        ({"ModelApprovalStatus": [{"anything-but": {"prefix": ["App", "Rej"]}}]}, False),
        ({"ModelApprovalStatus": [{"anything-but": {"wildcard": "*jec*"}}]}, True),
        ({"ModelApprovalStatus": [{"anything-but": {"equals-ignore-case": ["approved"]}}]}, False),
        ({"Path": [{"wildcard": "dir/*.png"}]}, True),
        ({"Path": [{"wildcard": "dir/\\*.png"}]}, False),
        ({"ModelPackageVersion": [3]}, True),
        ({"ModelPackageVersion": ["3"]}, False),
        ({"ModelPackageVersion": [{"numeric": [">", 2, "<=", 3]}]}, True),
        ({"ModelPackageVersion": [{"numeric": ["=", 4]}]}, False),
        ({"ModelPackageVersion": [{"anything-but": [1, 2]}]}, True),
        ({"Address": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"Address": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"Missing": [{"exists": False}]}, True),
        ({"Missing": {"Below": [{"exists": False}]}}, True),
        ({"Missing": ["x"]}, False),
        ({"Path": [{"exists": True}]}, True),
        ({"Containers": [{"exists": True}]}, False),  # not a leaf
        ({"Empty": [""]}, True),
        ({"Nothing": [None]}, True),
        ({"Live": [True]}, True),
        ({"Live": [1]}, False),
        ({"Containers": {"Image": ["a"], "Size": [1]}}, True),
        ({"Containers": {"Image": ["a"], "Size": [2]}}, False),  # not the same element
        ({"$or": [{"Path": ["x"]}, {"ModelPackageVersion": [3]}]}, True),
        ({"$or": [{"Path": ["x"]}, {"ModelPackageVersion": [4]}], "Live": [True]}, False),
    ],
)
def test_a_pattern_matches_as_the_user_guide_says(detail: dict[str, Any], matched: bool) -> None:
    pattern = events_pattern.parse(json.dumps({"source": ["aws.sagemaker"], "detail": detail}))
    assert events_pattern.matches(pattern, EVENT) is matched


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ('{"source": "aws.sagemaker"}', '"source" must be an object or an array'),
        ('{"detail": {"status": "Approved"}}', '"status" must be an object or an array'),
        ("{}", "Empty objects"),
        ("[]", "not an object"),
        ("{", "Expecting"),
        ('{"source": []}', "Empty arrays"),
        ('{"detail": {}}', "Empty objects"),
        ('{"source": [{"starts-with": "aws"}]}', "Unrecognized match type starts-with"),
        ('{"source": [{"prefix": 1}]}', "must be a string"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "Only one key"),
        ('{"source": [{"exists": "true"}]}', "true or false"),
        ('{"source": [{"numeric": ["~", 1]}]}', "numeric range operator"),
        ('{"source": [{"numeric": [">", 5, "<", 1]}]}', "Bottom must be less"),
        ('{"source": [{"cidr": "10.0.0/24"}]}', "Malformed CIDR"),
        ('{"source": [{"wildcard": "a**b"}]}', "Consecutive wildcard"),
        ('{"source": [{"anything-but": ["a", 1]}]}', "Inside anything but"),
        ('{"source": [{"anything-but": {"numeric": ["=", 1]}}]}', "Unsupported anything-but"),
        ('{"source": [["a"]]}', "Match value must be"),
        ('{"source": ["a"], "source": ["b"]}', "multiple times"),
        ('{"source": ["' + "a" * 4096 + '"]}', "longer than"),
    ],
)
def test_a_wrong_pattern_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    with pytest.raises(AwsError, match=reason) as refused:
        events_pattern.parse(pattern)
    assert refused.value.code == "InvalidEventPatternException"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('"<group> is <status>"', '"churn is Approved"'),
        ('{"group": <group>, "version": <version>}', '{"group": "churn", "version": 3}'),
        ('{"version": "<version>"}', '{"version": "3"}'),
        ('{"said": "\\"<group>\\""}', '{"said": "\\"churn\\""}'),
        ('{"all": <detail>}', json.dumps({"all": EVENT["detail"]})),
        ('{"rule": "<aws.events.rule-name>"}', '{"rule": "model"}'),
        ('{"first": <first>, "none": "<missing>"}', '{"first": "a", "none": ""}'),
        ('{"images": <images>}', '{"images": ["a", "b"]}'),
        ('"one <group>"\n"two"', '"one churn"\n"two"'),
        ('{"key": <odd>}', '{"key": "a"b\\c"}'),  # unescaped, so it is no JSON, and no state machine takes it
    ],
)
def test_an_input_transformer_quotes_as_aws_does(template: str, text: str) -> None:
    paths = {
        "group": "$.detail.ModelPackageGroupName",
        "status": "$.detail.ModelApprovalStatus",
        "version": "$.detail.ModelPackageVersion",
        "detail": "$.detail",
        "first": "$.detail.Containers[0].Image",
        "images": "$.detail.Containers[*].Image",
        "missing": "$.detail.Nowhere",
        "odd": "$.detail.Odd",
    }
    target = {"Id": "t", "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    events_input.check(target)
    built = events_input.build(target, EVENT, "arn:aws:events:us-east-1:111111111111:rule/model", "now")
    assert built == text


@pytest.mark.parametrize(
    "given",
    [
        {"Input": "{}", "InputPath": "$.detail"},
        {"Input": "{not json}"},
        {"InputPath": "detail.x"},
        {"InputTransformer": {"InputTemplate": '"<unknown>"'}},
        {"InputTransformer": {"InputPathsMap": {"AWS.x": "$.id"}, "InputTemplate": '"x"'}},
        {"InputTransformer": {"InputPathsMap": {"x": "$.id"}, "InputTemplate": "not quoted <x>"}},
        {"InputTransformer": {"InputPathsMap": {"x": "$.id"}, "InputTemplate": '{"a": <x>'}},
    ],
)
def test_a_wrong_input_of_a_target_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(AwsError) as refused:
        events_input.check({"Id": "t", **given})
    assert refused.value.code == "ValidationException"


def queue_with_policy(cloud: Cloud, name: str, service: str) -> tuple[str, str]:
    sqs = cloud.root(ACCOUNT, REGION).client("sqs")
    queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], queue_arn


def role(cloud: Cloud, name: str, service: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])


def test_an_event_reaches_the_targets_of_the_rules_that_it_matches(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    sqs = cloud.root(ACCOUNT, REGION).client("sqs")
    url, queue_arn = queue_with_policy(cloud, "models", "events.amazonaws.com")
    events.put_rule(Name="model", EventPattern=json.dumps({"detail": {"ModelApprovalStatus": ["Approved"]}}))
    events.put_targets(
        Rule="model",
        Targets=[{"Id": "queue", "Arn": queue_arn, "InputPath": "$.detail.ModelPackageVersion"}],
    )
    for status in ("Rejected", "Approved"):
        emit(
            cloud, ACCOUNT, REGION, source="aws.sagemaker", detail_type="SageMaker Model Package State Change",
            resources=[], detail={"ModelApprovalStatus": status, "ModelPackageVersion": 3},
        )  # fmt: skip
    until(lambda: deliveries(cloud))
    assert deliveries(cloud, failed=True) == []
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ["3"]


def test_a_delivery_that_fails_is_kept_with_its_reason_and_its_event_goes_to_the_dead_letter_queue(
    cloud: Cloud,
) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    sqs = cloud.root(ACCOUNT, REGION).client("sqs")
    url, dead = queue_with_policy(cloud, "dead", "events.amazonaws.com")
    events.put_rule(Name="mine", EventPattern='{"source": ["kit"]}')
    target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere"
    events.put_targets(Rule="mine", Targets=[{"Id": "t", "Arn": target, "DeadLetterConfig": {"Arn": dead}}])
    entry = {"Source": "kit", "DetailType": "Test", "Detail": '{"a": 1}'}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    until(lambda: deliveries(cloud, failed=True))
    [failed] = deliveries(cloud, failed=True)
    assert failed.target == target
    assert "NonExistentQueue" in failed.failed
    [message] = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"])["detail"] == {"a": 1}
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == target
    metrics = cloud.root(ACCOUNT, REGION).client("cloudwatch").list_metrics(Namespace="AWS/Events")["Metrics"]
    assert [(one["MetricName"], one["Dimensions"]) for one in metrics] == [
        ("FailedInvocations", [{"Name": "RuleName", "Value": "mine"}])
    ]


def test_a_disabled_rule_delivers_nothing(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    _, queue_arn = queue_with_policy(cloud, "quiet", "events.amazonaws.com")
    events.put_rule(Name="off", EventPattern='{"source": ["kit"]}', State="DISABLED")
    events.put_targets(Rule="off", Targets=[{"Id": "t", "Arn": queue_arn}])
    events.put_events(Entries=[{"Source": "kit", "DetailType": "Test", "Detail": "{}"}])
    until(lambda: not cloud.busy)
    assert deliveries(cloud) == []


@pytest.mark.parametrize(
    ("target", "code", "message"),
    [
        ({"Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:deploy"}, "ValidationException", "RoleArn is required"),
        ({"Arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:s"}, "ValidationException", "RoleArn is required"),
        ({"Arn": f"arn:aws:codepipeline:{REGION}:222222222222:deploy"}, "ValidationException", "cross-account"),
        ({"Arn": "arn:aws:codepipeline:eu-west-1:111111111111:d"}, "ValidationException", "not in the region"),
        ({"Arn": "deploy"}, "ValidationException", "not in correct format"),
        ({"Arn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"}, "NotSupported", "target like"),
        (
            {"Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t", "SqsParameters": {"MessageGroupId": "g"}},
            "ValidationException",
            "SqsParameters",
        ),
        (
            {"Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:d", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"},
            "ValidationException",
            "cannot be assumed by principal 'events.amazonaws.com'",
        ),
    ],
)
def test_put_targets_refuses_what_aws_refuses(cloud: Cloud, target: dict[str, Any], code: str, message: str) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    events.put_rule(Name="code", EventPattern='{"source": ["aws.codecommit"]}')
    with pytest.raises(ClientError, match=message) as refused:
        events.put_targets(Rule="code", Targets=[{"Id": "t", **target}])
    assert refused.value.response["Error"]["Code"] == code


def test_an_input_of_a_pipeline_target_carries_revisions_and_variables_and_nothing_else(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    events.put_rule(Name="code", EventPattern='{"source": ["aws.codecommit"]}')
    target = {
        "Id": "t",
        "Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:d",
        "RoleArn": role(cloud, "starter", "events.amazonaws.com"),
        "InputTransformer": {"InputTemplate": '{"name": "another"}'},
    }
    with pytest.raises(ClientError, match="beside sourceRevisions and variables"):
        events.put_targets(Rule="code", Targets=[target])
    events.put_targets(
        Rule="code", Targets=[{**target, "InputTransformer": {"InputTemplate": '{"sourceRevisions": []}'}}]
    )
    [kept] = events.list_targets_by_rule(Rule="code")["Targets"]
    assert kept["Arn"] == target["Arn"]


def test_a_scheduled_rule_brings_an_event_when_it_is_due(cloud: Cloud) -> None:
    """EventBridge User Guide, "Setting a schedule pattern for scheduled rules (legacy)"."""
    events, sqs = (cloud.root(ACCOUNT, REGION).client(name) for name in ("events", "sqs"))
    url, queue_arn = queue_with_policy(cloud, "due", "events.amazonaws.com")
    rule_arn = events.put_rule(Name="daily", ScheduleExpression="cron(0 10 * * ? *)")["RuleArn"]
    assert events.describe_rule(Name="daily")["ScheduleExpression"] == "cron(0 10 * * ? *)"
    events.put_targets(Rule="daily", Targets=[{"Id": "1", "Arn": queue_arn}])
    for minute in (0, 1):
        tick(cloud, datetime(2026, 11, 30, 10, minute, tzinfo=UTC))
    event = json.loads(until(lambda: bodies(sqs, url))[0])
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert (event["resources"], event["time"]) == ([rule_arn], "2026-11-30T10:00:00Z")
    events.disable_rule(Name="daily")
    tick(cloud, datetime(2026, 12, 1, 10, 0, tzinfo=UTC))
    assert bodies(sqs, url) == []


def test_rules_are_kept_replaced_and_deleted_as_aws_does(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    with pytest.raises(ClientError, match="EventPattern or ScheduleExpression must be specified"):
        events.put_rule(Name="r")
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        events.put_rule(Name="r", ScheduleExpression="rate(1 days)")
    with pytest.raises(ClientError, match="length less than or equal to 64"):
        events.put_rule(Name="r" * 65, EventPattern='{"source": ["kit"]}')
    made = events.put_rule(Name="r", EventPattern='{"source": ["kit"]}', Tags=[{"Key": "a", "Value": "b"}])
    assert made["RuleArn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"
    events.put_rule(Name="r", EventPattern='{"source": ["other"]}', Description="second")
    assert events.describe_rule(Name="r")["Description"] == "second"
    assert events.list_tags_for_resource(ResourceARN=made["RuleArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    events.disable_rule(Name="r")
    assert [rule["State"] for rule in events.list_rules()["Rules"]] == ["DISABLED"]
    _, queue_arn = queue_with_policy(cloud, "q", "events.amazonaws.com")
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": queue_arn}])
    assert events.list_rule_names_by_target(TargetArn=queue_arn)["RuleNames"] == ["r"]
    with pytest.raises(ClientError, match="it has targets"):
        events.delete_rule(Name="r")
    assert events.remove_targets(Rule="r", Ids=["t", "u"])["FailedEntryCount"] == 1
    events.delete_rule(Name="r")
    with pytest.raises(ClientError, match="Rule r does not exist on EventBus default"):
        events.describe_rule(Name="r")


def test_put_events_tells_of_each_wrong_entry(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    answer = events.put_events(
        Entries=[
            {"Source": "aws.sagemaker", "DetailType": "T", "Detail": "{}"},
            {"Source": "kit", "DetailType": "T", "Detail": "[1]"},
            {"Source": "kit", "Detail": "{}"},
            {"Source": "kit", "DetailType": "T", "Detail": "{}"},
        ]
    )
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == ["NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument", None]
    assert answer["FailedEntryCount"] == 3


def test_test_event_pattern_answers_as_the_rule_would(cloud: Cloud) -> None:
    events = cloud.root(ACCOUNT, REGION).client("events")
    event = json.dumps(EVENT)
    assert events.test_event_pattern(EventPattern='{"source": ["aws.sagemaker"]}', Event=event)["Result"] is True
    assert events.test_event_pattern(EventPattern='{"source": ["aws.s3"]}', Event=event)["Result"] is False
    with pytest.raises(ClientError, match="must be an object or an array"):
        events.test_event_pattern(EventPattern='{"source": "aws.s3"}', Event=event)
