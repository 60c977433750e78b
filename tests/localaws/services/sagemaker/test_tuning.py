"""Tuning jobs on the embedded AWS: a few training jobs that really run, and a pipeline that takes the best."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    REGION,
    client,
    job,
    make_bucket,
    make_trainer,
)
from tests.support.waiting import until


def request(role: str, **changed: Any) -> dict[str, Any]:
    """A tuning job of two training jobs, one of which cannot learn."""
    given = job("unused", role)
    definition = {
        "StaticHyperParameters": {"objective": "multi:softmax", "num_class": "3", "eval_metric": "merror"},
        **{name: given[name] for name in ("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig",
                                          "ResourceConfig", "StoppingCondition")},
    }  # fmt: skip
    config = {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:merror"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "num_round", "Values": ["1", "5"]}]},
    }
    return {
        "HyperParameterTuningJobName": "tune",
        "HyperParameterTuningJobConfig": config | changed,
        "TrainingJobDefinition": definition,
    }


def ended(cloud: Cloud, name: str = "tune") -> dict[str, Any]:
    def look() -> Any:
        shown = client(cloud, "sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        return shown if shown["HyperParameterTuningJobStatus"] in {"Completed", "Failed", "Stopped"} else None

    found: dict[str, Any] = until(look)
    return found


def test_the_best_of_its_training_jobs_is_the_one_with_the_lowest_error(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    make_bucket(cloud)
    sagemaker = client(cloud, "sagemaker")
    made = sagemaker.create_hyper_parameter_tuning_job(**request(role))
    assert made["HyperParameterTuningJobArn"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:hyper-parameter-tuning-job/tune"
    shown = ended(cloud)
    assert shown["HyperParameterTuningJobStatus"] == "Completed", shown
    assert shown["TrainingJobStatusCounters"]["Completed"] == 2
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune", SortBy="FinalObjectiveMetricValue"
    )["TrainingJobSummaries"]
    assert {one["TunedHyperParameters"]["num_round"] for one in listed} == {"1", "5"}
    errors = [one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for one in listed]
    assert errors == sorted(errors)
    best = shown["BestTrainingJob"]
    assert best["TrainingJobName"] == listed[0]["TrainingJobName"]
    trained = sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert trained["TuningJobArn"] == shown["HyperParameterTuningJobArn"]
    assert trained["HyperParameters"]["num_round"] == best["TunedHyperParameters"]["num_round"]
    assert (
        trained["ModelArtifacts"]["S3ModelArtifacts"]
        == f"s3://{BUCKET}/models/{best['TrainingJobName']}/output/model.tar.gz"
    )


def test_a_tuning_job_without_its_metric_fails_and_says_which(cloud: Cloud) -> None:
    role = make_trainer(cloud)
    make_bucket(cloud)
    objective = {"Type": "Minimize", "MetricName": "validation:rmse"}
    one = {"CategoricalParameterRanges": [{"Name": "num_round", "Values": ["1"]}]}
    given = request(role, HyperParameterTuningJobObjective=objective, ParameterRanges=one)
    client(cloud, "sagemaker").create_hyper_parameter_tuning_job(**given)
    shown = ended(cloud)
    assert shown["HyperParameterTuningJobStatus"] == "Failed"
    assert "None of them has the metric validation:rmse." in shown["FailureReason"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Strategy": "Hyperband"}, "tuning strategy Hyperband"),
        ({"TrainingJobEarlyStoppingType": "Auto"}, "TrainingJobEarlyStoppingType Auto"),
        (
            {"ResourceLimits": {"MaxNumberOfTrainingJobs": 60, "MaxParallelTrainingJobs": 1}},
            "of 60 training",
        ),
        ({"ParameterRanges": {}}, "must hold at least one range"),
        (
            {"ParameterRanges": {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "2"}]}},
            "Grid strategy only supports categorical",
        ),
        (
            {"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "num_class", "Values": ["3"]}]}},
            "num_class cannot be both static and tunable",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused_first(cloud: Cloud, changed: dict[str, Any], message: str) -> None:
    role = make_trainer(cloud)
    sagemaker = client(cloud, "sagemaker")
    with pytest.raises(ClientError, match=message):
        sagemaker.create_hyper_parameter_tuning_job(**request(role, **changed))
    assert sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
