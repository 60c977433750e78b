"""Monitors of model quality: answers joined with labels, the figures of them, and what breaks the baseline."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import monitor_merge, monitor_quality
from localaws.services.sagemaker.monitor_definitions import seconds_of
from localaws.services.sagemaker.monitor_quality import Attributes, NoMeasure, Pair
from tests.support import ROOT
from tests.support.monitored import (
    CLUSTER,
    DATA,
    HOURLY,
    IMAGE,
    OUTPUT,
    client,
    file_lines,
    job_of,
    last,
    monitored_world,
    report_of,
)
from tests.support.roles import EVERYTHING, make_role

RANDOM = random.Random(3)
BINARY, MANY, NUMBER = "BinaryClassification", "MulticlassClassification", "Regression"


def binary(count: int, wrong: float = 0.2) -> list[Pair]:
    found = []
    for n in range(count):
        chance = round(
            RANDOM.uniform(0.5, 1) if (n % 3 == 0) ^ (RANDOM.random() < wrong) else RANDOM.uniform(0, 0.5), 2
        )
        found.append(Pair(str(int(n % 3 == 0)), str(int(chance > 0.5)), chance))
    return found


def samples() -> Iterator[Any]:
    yield pytest.param("binary", BINARY, binary(150), id="binary")
    three = [Pair("abc"[n % 3], RANDOM.choice("abc")) for n in range(150)]
    yield pytest.param("multiclass", MANY, three, id="multiclass")
    numbers = [Pair(f"{n}", f"{n + RANDOM.gauss(0, 3):.3f}") for n in range(150)]
    yield pytest.param("regression", NUMBER, numbers, id="regression")


@pytest.mark.parametrize(("task", "problem", "pairs"), [*samples()])
def test_the_figures_are_those_of_the_training_repositorys_evaluation(
    task: str, problem: str, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two implementations that know nothing of each other, so that a baseline and a monitor mean the same."""
    monkeypatch.syspath_prepend(str(ROOT / "seed-code/model-build"))
    from steps.metrics import GROUPS, Answer, report

    kind: Any = float if task == "regression" else str
    theirs = report(task, [Answer(kind(one.true), kind(one.said), one.chance or 0.0) for one in pairs], "1")
    ours = monitor_quality.measured(problem, pairs)
    assert f"{monitor_quality.GROUPS[problem]}_metrics" == GROUPS[task]
    figures = {name: one["value"] for name, one in theirs[GROUPS[task]].items() if "value" in one}
    assert figures == pytest.approx(monitor_quality.values_of(problem, ours))
    assert theirs[GROUPS[task]].get("confusion_matrix") == ours[GROUPS[task]].get("confusion_matrix")
    for name in [name for name in sys.modules if name.partition(".")[0] == "steps"]:
        monkeypatch.delitem(sys.modules, name)


def test_the_page_s_example_of_four_rows() -> None:
    """Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring", Binary classification metrics."""
    pairs = [Pair("0", "0"), Pair("0", "1"), Pair("0", "1"), Pair("1", "1")]
    found = monitor_quality.measured(BINARY, pairs)["binary_classification_metrics"]
    assert found["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    assert found["recall"] == {"value": 1.0, "standard_deviation": "NaN"}
    assert found["precision"]["value"] == pytest.approx(1 / 3)
    assert found["f0_5"]["value"] == pytest.approx(0.3846153846153846)
    assert found["f2"]["value"] == pytest.approx(0.7142857142857143)
    assert "auc" not in found, "without a chance there is no curve"


def test_from_two_hundred_rows_on_a_figure_has_its_deviation() -> None:
    found = monitor_quality.measured(BINARY, binary(200))["binary_classification_metrics"]
    assert 0 < found["accuracy"]["standard_deviation"] < 0.1
    assert found["receiver_operating_characteristic_curve"]["true_positive_rates"][-1] == 1


def test_what_is_worse_than_the_baseline_is_a_violation_and_what_is_as_good_is_none() -> None:
    good = monitor_quality.measured(BINARY, binary(300, wrong=0.1))
    constraints = monitor_quality.suggested(BINARY, good)
    assert monitor_quality.violations(BINARY, good, constraints) == []
    broken = monitor_quality.violations(BINARY, monitor_quality.measured(BINARY, binary(300, wrong=0.4)), constraints)
    kinds = {one["metric_name"]: one["constraint_check_type"] for one in broken}
    assert kinds["accuracy"] == "LessThanThreshold"
    assert kinds["false_positive_rate"] == "GreaterThanThreshold"
    assert broken[0]["description"].startswith("Metric recall with 0.")
    with pytest.raises(NoMeasure, match="regression_constraints"):
        monitor_quality.violations(NUMBER, monitor_quality.measured(NUMBER, [Pair("1", "2")]), constraints)


@pytest.mark.parametrize(
    ("problem", "answer", "label", "expected"),
    [
        (BINARY, ["0.51"], ["1"], Pair("1", "1", 0.51)),
        (BINARY, ["0.5"], ["1.0"], Pair("1", "0", 0.5)),
        (MANY, ["2.0"], ["2.0"], Pair("2.0", "2.0")),
        (NUMBER, ["3.5"], ["4"], Pair("4", "3.5")),
        (BINARY, ["yes"], ["1"], "no number in it"),
        (MANY, [], ["1"], "no such column"),
        (NUMBER, ["1"], ["many"], "must be numbers"),
        (BINARY, ["0.9"], ["2"], "classes must be 0 and 1"),
        (MANY, ["a"], ["a", "b"], "a label has 2 columns"),
    ],
)
def test_an_answer_is_read_as_the_definition_says(problem: str, answer: Any, label: Any, expected: Any) -> None:
    of = Attributes(problem, None if problem == BINARY else 0, 0 if problem == BINARY else None, 0.5)
    if isinstance(expected, str):
        with pytest.raises(NoMeasure, match=expected):
            monitor_quality.pair(answer, label, of)
    else:
        assert monitor_quality.pair(answer, label, of) == expected


@pytest.mark.parametrize(("offset", "seconds"), [("-PT7H", 25_200), ("-P8D", 691_200), ("-P1DT30M", 88_200), ("", 0)])
def test_offsets_are_durations(offset: str, seconds: int) -> None:
    assert seconds_of(offset) == seconds


# -- executions ----------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Cloud]:
    """An endpoint that captures, and a baseline of a model that is right in nine of ten."""
    with monitored_world(tmp_path) as cloud:
        good = [Pair(str(n % 2), str(n % 2 if n % 10 else 1), 0.5) for n in range(100)]
        constraints = monitor_quality.suggested(BINARY, monitor_quality.measured(BINARY, good))
        body = json.dumps(constraints).encode()
        client(cloud, "s3").put_object(Bucket=DATA, Key="baseline/constraints.json", Body=body)
        yield cloud


def define(cloud: Cloud, role: str = "", **changed: Any) -> Any:
    endpoint = {
        "EndpointName": "shop", "LocalPath": "/opt/ml/processing/input_data", "ProbabilityAttribute": "0",
        "ProbabilityThresholdAttribute": 0.5, **changed.pop("EndpointInput", {}),
    }  # fmt: skip
    return client(cloud).create_model_quality_job_definition(
        **{
            "JobDefinitionName": "d",
            "ModelQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": f"s3://{DATA}/baseline/constraints.json"}},
            "ModelQualityAppSpecification": {"ImageUri": IMAGE, "ProblemType": BINARY},
            "ModelQualityJobInput": {
                "EndpointInput": {name: value for name, value in endpoint.items() if value is not None},
                "GroundTruthS3Input": {"S3Uri": f"s3://{DATA}/labels"},
            },
            "ModelQualityJobOutputConfig": OUTPUT,
            "JobResources": CLUSTER,
            "RoleArn": role or make_role(cloud, "monitor", "sagemaker", EVERYTHING),
            **changed,
        }
    )


def schedule(cloud: Cloud) -> None:
    config = {"ScheduleConfig": HOURLY, "MonitoringJobDefinitionName": "d", "MonitoringType": "ModelQuality"}
    client(cloud).create_monitoring_schedule(MonitoringScheduleName="s", MonitoringScheduleConfig=config)


def ask(cloud: Cloud, name: str, *answers: tuple[float, int], own: bool = False) -> None:
    """Requests with their answers and labels. own: the caller named each request, so that its id counts"""
    captured, labels = [], []
    for n, (chance, true) in enumerate(answers):
        event, identity = f"{name}-{n}", {"inferenceId": f"mine-{name}-{n}"} if own else {}
        data = {"endpointOutput": {"data": f"{chance}", "encoding": "CSV"}}
        captured.append({"captureData": data, "eventMetadata": {"eventId": event, **identity}, "eventVersion": "0"})
        about = {"eventId": identity.get("inferenceId", event)}
        label = {"groundTruthData": {"data": f"{true}", "encoding": "CSV"}, "eventMetadata": about}
        labels.append({**label, "eventVersion": "0"})
    file_lines(cloud, "labels", name, labels)
    file_lines(cloud, "capture/shop/AllTraffic", name, captured)


def test_a_model_that_became_wrong_breaks_the_baseline_and_one_that_is_right_does_not(world: Cloud) -> None:
    define(world)
    schedule(world)
    assert last(world, "Failed")["FailureReason"] == "Job inputs had no data"
    ask(world, "right", *[(0.9, 1), (0.1, 0)] * 50, own=True)
    done = last(world, "Completed")
    job = job_of(world, done)
    assert job["ProcessingJobName"].startswith("model-quality-monitoring-")
    assert job["Environment"]["analysis_type"] == "MODEL_QUALITY"
    ask(world, "wrong", *[(0.9, 1), (0.8, 0)] * 50)
    found = last(world, "CompletedWithViolations")
    report = report_of(world, found)
    assert report["statistics.json"]["dataset"]["item_count"] == 100
    assert report["statistics.json"]["binary_classification_metrics"]["accuracy"]["value"] == 0.5
    assert "accuracy" in {one["metric_name"] for one in report["constraint_violations.json"]["violations"]}
    assert report["constraints.json"]["binary_classification_constraints"]["recall"]["threshold"] == 1.0
    metric = {"Namespace": monitor_merge.NAMESPACE, "MetricName": "accuracy"}
    (listed,) = client(world, "cloudwatch").list_metrics(**metric)["Metrics"]
    assert {one["Name"]: one["Value"] for one in listed["Dimensions"]} == {
        "Endpoint": "shop", "MonitoringSchedule": "s",
    }  # fmt: skip
    s3 = client(world, "s3")
    (merged, _) = s3.list_objects_v2(Bucket=DATA, Prefix="reports/merge/shop/AllTraffic/")["Contents"]
    line = json.loads(s3.get_object(Bucket=DATA, Key=merged["Key"])["Body"].read().splitlines()[0])
    assert line.keys() == {"captureData", "eventMetadata", "eventVersion", "groundTruthData"}


def test_a_request_without_its_label_waits_for_it(world: Cloud) -> None:
    define(world)
    data = {"endpointOutput": {"data": "0.9", "encoding": "CSV"}}
    file_lines(world, "capture/shop/AllTraffic", "a", [{"captureData": data, "eventMetadata": {"eventId": "a"}}])
    schedule(world)
    assert last(world, "Failed")["FailureReason"] == "Job inputs had no data"
    label = {"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "a"}}
    file_lines(world, "labels", "a", [label])
    last(world, "CompletedWithViolations", "Completed")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([{"eventId": "a"}], "no record of ground truth"),
        ([{"groundTruthData": {"data": "e30=", "encoding": "BASE64"}, "eventMetadata": {"eventId": "a"}}], "BASE64"),
        ([{"groundTruthData": {"data": "1\n0", "encoding": "CSV"}, "eventMetadata": {"eventId": "a"}}], "2"),
    ],
    ids=["form", "encoding", "rows"],
)
def test_labels_that_are_none_are_said(world: Cloud, labels: list[Any], reason: str) -> None:
    define(world)
    data = {"endpointOutput": {"data": "0.9", "encoding": "CSV"}}
    file_lines(world, "labels", "a", labels)
    file_lines(world, "capture/shop/AllTraffic", "a", [{"captureData": data, "eventMetadata": {"eventId": "a"}}])
    schedule(world)
    assert reason in last(world, "Failed")["FailureReason"]


def test_the_role_pulls_both_images(world: Cloud) -> None:
    narrow: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": ["s3:*", "ecr:GetAuthorizationToken", "logs:*"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "ecr:*",
            "Resource": "arn:aws:ecr:*:*:repository/sagemaker-model-monitor-analyzer",
        },
    ]
    define(world, role=make_role(world, "narrow", "sagemaker", *narrow))
    ask(world, "right", (0.9, 1))
    schedule(world)
    assert "sagemaker-model-monitor-groundtruth-merger" in last(world, "Failed")["FailureReason"]


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"ModelQualityAppSpecification": {"ImageUri": IMAGE}}, "without ProblemType"),
        ({"EndpointInput": {"ProbabilityAttribute": None}}, "missing required field.*InferenceAttribute"),
        ({"EndpointInput": {"InferenceAttribute": "$.label"}}, "the number of a column of answers in CSV"),
        ({"EndpointInput": {"StartTimeOffset": "P1D"}}, "no duration such as"),
        ({"EndpointInput": {"FeaturesAttribute": "1"}}, "FeaturesAttribute"),
        ({"ModelQualityBaselineConfig": {}}, "without ConstraintsResource"),
    ],
)
def test_a_wrong_definition_is_refused(world: Cloud, changed: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ClientError, match=refusal):
        define(world, **changed)


def test_definitions_of_both_kinds_have_names_of_their_own(world: Cloud) -> None:
    sagemaker = client(world)
    arn = define(world)["JobDefinitionArn"]
    assert arn.endswith(":model-quality-job-definition/d")
    with pytest.raises(ClientError, match="Could not find data quality job definition"):
        sagemaker.describe_data_quality_job_definition(JobDefinitionName="d")
    shown = sagemaker.describe_model_quality_job_definition(JobDefinitionName="d")
    assert shown["StoppingCondition"] == {"MaxRuntimeInSeconds": 3_600}
    (listed,) = sagemaker.list_model_quality_job_definitions(EndpointName="shop")["JobDefinitionSummaries"]
    assert listed["MonitoringJobDefinitionArn"] == arn
    sagemaker.delete_model_quality_job_definition(JobDefinitionName="d")
    assert sagemaker.list_model_quality_job_definitions()["JobDefinitionSummaries"] == []
