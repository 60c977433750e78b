"""CloudWatch alarms: the state that data puts them into, and what a change of it sets off."""

from __future__ import annotations

import json
import operator
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import moto_bridge
from localaws.cloud import Cloud
from localaws.services.cloudwatch import alarms
from scripts.rehearsal.embedded import embedded_aws
from tests.support.queues import bodies, open_to
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
A, O, I, K = "ALARM", "OK", "INSUFFICIENT_DATA", "keep"  # noqa: E741


@pytest.mark.parametrize(
    ("data", "needed", "states"),
    [
        ("0-X-X", 3, (O, O, O, O)),
        ("0----", 3, (O, O, O, O)),
        ("-----", 3, (I, K, A, O)),
        ("0XX-X", 3, (A, A, A, A)),
        ("--X--", 3, (A, K, A, O)),
        ("0-X-X", 2, (A, A, A, A)),
        ("00X0X", 2, (A, A, A, A)),
        ("0-X--", 2, (O, O, A, O)),
        ("----0", 2, (O, O, A, O)),
        ("---X-", 2, (A, K, A, O)),
    ],
)
def test_missing_data_is_treated_as_the_user_guides_tables_say(data: str, needed: int, states: tuple[str, ...]) -> None:
    """User Guide, "Configuring how CloudWatch alarms treat missing data": both tables, three evaluation periods."""
    points = [{"0": 0.0, "X": 9.0, "-": None}[letter] for letter in data]
    found = [alarms.state_of(points, lambda value: value > 5, 3, needed, treatment, K) for treatment in TREATMENTS]
    assert tuple(found) == states


@pytest.mark.parametrize("data", ["----X", "---X-"])
def test_an_alarm_is_not_raised_before_its_time(data: str) -> None:
    """The same page, "Avoiding premature transitions to alarm state"."""
    points = [{"X": 9.0, "-": None}[letter] for letter in data]
    assert alarms.state_of(points, lambda value: value > 5, 3, 3, "missing", "OK") == "OK"


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 10.0), ("Average", 2.5), ("Minimum", 1.0), ("Maximum", 4.0), ("SampleCount", 4.0), ("p50", 2.5),
     ("p100", 4.0)],
)  # fmt: skip
def test_statistics_are_of_all_samples_of_a_period(cloud: Cloud, statistic: str, expected: float) -> None:
    kind = "ExtendedStatistic" if statistic.startswith("p") else "Statistic"
    for threshold, operation, state in (
        (expected, "GreaterThanOrEqualToThreshold", "ALARM"), (expected, "GreaterThanThreshold", "OK"),
        (expected, "LessThanOrEqualToThreshold", "ALARM"), (expected, "LessThanThreshold", "OK"),
    ):  # fmt: skip
        name = f"{statistic}-{operation}"
        put(cloud, name, threshold=threshold, ComparisonOperator=operation, Period=86_400, **{kind: statistic})
        data(cloud, 1, 2, 3, 4)
        assert shown(cloud, name)["StateValue"] == state
        forget()


def test_percentiles_lie_between_values_in_proportion() -> None:
    values = [float(number) for number in range(101)]
    assert [alarms.percentile(values, rank) for rank in (0, 50, 99, 99.5, 100)] == [0, 50, 99, 99.5, 100]
    assert operator.eq(alarms.percentile([7.0], 99), 7.0)


def client(cloud: Cloud, service: str = "cloudwatch") -> Any:
    return cloud.root(ACCOUNT, REGION).client(service)


def put(cloud: Cloud, name: str = "high", threshold: float = 5, **more: Any) -> None:
    given = {"Namespace": "Test", "MetricName": "M", "Period": 60, "EvaluationPeriods": 1, "Threshold": threshold,
             "ComparisonOperator": "GreaterThanThreshold", **more}  # fmt: skip
    if "ExtendedStatistic" not in given:
        given.setdefault("Statistic", "Sum")
    client(cloud).put_metric_alarm(AlarmName=name, **given)


def data(cloud: Cloud, *values: float, **more: Any) -> None:
    items = [{"MetricName": "M", "Value": value, **more} for value in values]
    client(cloud).put_metric_data(Namespace="Test", MetricData=items)


def shown(cloud: Cloud, name: str = "high") -> dict[str, Any]:
    [found] = client(cloud).describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def forget() -> None:
    moto_bridge.backend("cloudwatch", ACCOUNT, REGION).metric_data.clear()


def test_an_alarm_begins_without_data_and_goes_where_its_data_puts_it(tmp_path: Path) -> None:
    with embedded_aws(tmp_path, waits=0.01) as cloud:  # a minute lasts 0.6 s
        put(cloud)
        assert shown(cloud)["StateValue"] == "INSUFFICIENT_DATA"
        data(cloud, 3, 3, Dimensions=[{"Name": "Other", "Value": "x"}])
        assert shown(cloud)["StateValue"] == "INSUFFICIENT_DATA"  # another metric
        data(cloud, 3, 3)
        found = shown(cloud)
        assert found["StateValue"] == "ALARM"
        assert found["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [6.0 (")
        assert found["StateReason"].endswith("was greater than the threshold (5.0).")
        cloud.waits = 0.01  # from now on a minute lasts 0.6 s, and no more data comes
        until(lambda: shown(cloud)["StateValue"] == "INSUFFICIENT_DATA")
        assert not cloud.faults


def test_a_data_point_is_as_old_as_its_timestamp_says(cloud: Cloud) -> None:
    put(cloud, EvaluationPeriods=3, Period=86_400 // 3, DatapointsToAlarm=2)
    for hours in (1, 9, 17):
        data(cloud, 9, Timestamp=datetime.now(UTC) - timedelta(hours=hours))
    assert shown(cloud)["StateValue"] == "ALARM"
    put(cloud, EvaluationPeriods=1, Period=60, TreatMissingData="notBreaching")
    assert shown(cloud)["StateValue"] == "OK"


def test_a_change_is_an_event_and_a_message(cloud: Cloud) -> None:
    """User Guide, "Alarm events and EventBridge", "Notifying users on alarm changes"."""
    sqs, sns = client(cloud, "sqs"), client(cloud, "sns")
    services = {"events": "events.amazonaws.com", "mails": "sns.amazonaws.com"}
    urls = {name: open_to(sqs, name, service)[0] for name, service in services.items()}
    topic = sns.create_topic(Name="changes")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:mails")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}
    client(cloud, "events").put_rule(Name="r", EventPattern=json.dumps(pattern))
    client(cloud, "events").put_targets(
        Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:events"}]
    )
    put(cloud, AlarmActions=[topic], Period=86_400)
    data(cloud, 9)
    seen = {}
    for name, url in urls.items():
        messages: list[Any] = []
        until(lambda m=messages, u=url: m.extend(sqs.receive_message(QueueUrl=u).get("Messages", [])) or m)  # type: ignore[misc]
        seen[name] = json.loads(messages[0]["Body"])
    assert seen["events"]["detail-type"] == "CloudWatch Alarm State Change"
    assert seen["events"]["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert seen["mails"]["Subject"] == 'ALARM: "high" in US East (N. Virginia)'
    assert json.loads(seen["mails"]["Message"])["NewStateReason"].startswith("Threshold Crossed")


def test_a_state_set_by_hand_lasts_until_the_next_evaluation(tmp_path: Path) -> None:
    """API Reference, "SetAlarmState"."""
    with embedded_aws(tmp_path, waits=0.01) as cloud:
        put(cloud, TreatMissingData="notBreaching")
        client(cloud).set_alarm_state(AlarmName="high", StateValue="ALARM", StateReason="by hand")
        assert shown(cloud)["StateValue"] == "ALARM"
        until(lambda: shown(cloud)["StateValue"] == "OK")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": 60, "EvaluationPeriods": 1441}, "cannot be checked across more than 86400 seconds"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "DatapointsToAlarm must be from 1 to EvaluationPeriods"),
        ({"TreatMissingData": "perhaps"}, "Option perhaps is not supported"),
        ({"Statistic": "Sum", "ExtendedStatistic": "p99"}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"ExtendedStatistic": "q99"}, "parameter ExtendedStatistic is not supported"),
        ({"ExtendedStatistic": "tm99"}, "Not supported by the embedded AWS: an alarm with the statistic tm99"),
        (
            {"AlarmActions": ["arn:aws:swf:us-east-1:111111111111:action/x"]},
            "Not supported by the embedded AWS: the alarm action",
        ),
    ],
)
def test_an_alarm_that_is_refused_says_why(cloud: Cloud, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        put(cloud, **more)


def test_few_samples_of_a_percentile_may_be_left_out_of_account(cloud: Cloud) -> None:
    """User Guide, "Percentile-based alarms and low data samples"."""
    put(cloud, ExtendedStatistic="p99", EvaluateLowSampleCountPercentile="ignore", Period=86_400)
    data(cloud, *[9.0] * 20)
    assert shown(cloud)["StateValue"] == "INSUFFICIENT_DATA"
    for _ in range(49):
        data(cloud, *[9.0] * 20)
    assert shown(cloud)["StateValue"] == "ALARM"


def test_a_data_point_that_came_while_an_alarm_looks_is_new(cloud: Cloud) -> None:
    from localaws.services.cloudwatch.metrics import CAME, recent

    client(cloud).put_metric_data(Namespace="Test", MetricData=[{"MetricName": "M", "Value": 1.0}])
    [point] = moto_bridge.backend("cloudwatch", ACCOUNT, REGION).metric_data
    setattr(point, CAME, (time.monotonic() + 5, 0.0))
    assert [age for age, _ in recent(cloud, ACCOUNT, REGION, 180)] == [0.0]


def test_looking_at_many_data_points_takes_little_time(cloud: Cloud) -> None:
    """Data points older than the evaluation range are not walked through: the newest come first."""
    put(cloud, Period=60)
    for _ in range(20):
        client(cloud).put_metric_data(
            Namespace="Test", MetricData=[{"MetricName": "M", "Values": [1.0], "Counts": [500.0]}]
        )
    time.sleep(0.3)  # three periods of 0.06 s and more
    from localaws.services.cloudwatch.metrics import recent

    assert list(recent(cloud, ACCOUNT, REGION, 180)) == []


def expression(**changed: Any) -> dict[str, Any]:
    metrics = [
        {
            "Id": key,
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "Test", "MetricName": name}, "Period": 86_400, "Stat": "Maximum"},
        }
        for key, name in (("m1", "A"), ("m2", "B"))
    ]
    both = {"Id": "both", "Expression": "MAX(METRICS())", "ReturnData": True}
    return {
        "AlarmName": "either", "Metrics": [both, *metrics], "EvaluationPeriods": 1, "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore",
    } | changed  # fmt: skip


def test_an_alarm_on_an_expression_is_raised_by_each_of_its_metrics(cloud: Cloud) -> None:
    """User Guide, "Create a CloudWatch alarm based on a metric math expression"."""
    sqs, events = client(cloud, "sqs"), client(cloud, "events")
    url, arn = open_to(sqs, "math", "events.amazonaws.com")
    events.put_rule(Name="math", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(Rule="math", Targets=[{"Id": "q", "Arn": arn}])
    client(cloud).put_metric_alarm(**expression())
    assert shown(cloud, "either")["StateValue"] == "INSUFFICIENT_DATA"
    client(cloud).put_metric_data(Namespace="Test", MetricData=[{"MetricName": "A", "Value": 1}])
    assert shown(cloud, "either")["StateValue"] == "OK"
    client(cloud).put_metric_data(Namespace="Test", MetricData=[{"MetricName": "B", "Value": 9}])
    assert shown(cloud, "either")["StateValue"] == "ALARM"
    received: list[Any] = []
    until(lambda: received.extend(map(json.loads, bodies(sqs, url))) or len(received) == 2)  # type: ignore[func-returns-value]
    detail = next(one["detail"] for one in received if one["detail"]["state"]["value"] == "ALARM")
    assert [one["id"] for one in detail["configuration"]["metrics"]] == ["both", "m1", "m2"]
    assert detail["configuration"]["metrics"][0]["expression"] == "MAX(METRICS())"


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"MetricName": "A", "Namespace": "Test"}, "ValidationError"),
        ({"Metrics": expression()["Metrics"][1:]}, "NotSupported|not supported"),
        ({"Metrics": [{**one, "ReturnData": True} for one in expression()["Metrics"]]}, "Exactly one of Metrics"),
        ({"Metrics": [{**expression()["Metrics"][0], "Expression": "MAX(m9)"}, expression()["Metrics"][1]]}, "m9"),
    ],
)
def test_an_alarm_on_wrong_metrics_is_refused(cloud: Cloud, changed: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ClientError, match=refusal):
        client(cloud).put_metric_alarm(**expression(**changed))
