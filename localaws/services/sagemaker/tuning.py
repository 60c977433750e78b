"""Hyperparameter tuning jobs: a few training jobs with values from ranges, really trained, and the best of them.

CreateHyperParameterTuningJob, DescribeHyperParameterTuningJob, ListHyperParameterTuningJobs,
ListTrainingJobsForHyperParameterTuningJob and StopHyperParameterTuningJob (SageMaker API Reference, the page of each
operation; Developer Guide, "Automatic model tuning with SageMaker AI", "Understand the hyperparameter tuning
strategies available in Amazon SageMaker AI", "Define Hyperparameter Ranges"). The values of the strategies Random and
Bayesian are drawn at random here, and nothing is learnt from one job for the next. Grid tries all combinations of
categorical ranges. Hyperband, warm starts, early stopping and several definitions are refused by name.
"""

from __future__ import annotations

import itertools
import math
import random
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.services.sagemaker import base, training
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.jobs import DEFECT, ENDED, Jobs, Kind
from localaws.services.sagemaker.service import sagemaker

MOST = 50  # training jobs of one tuning job: each really runs on this machine
LONGEST_NAME = 32
SHOWN = ("HyperParameterTuningJobName", "HyperParameterTuningJobConfig", "TrainingJobDefinition")
CONFIG = (
    "Strategy", "HyperParameterTuningJobObjective", "ResourceLimits", "ParameterRanges",
    "TrainingJobEarlyStoppingType", "RandomSeed",
)  # fmt: skip
OF_A_JOB = (  # members of the definition that a training job has too
    "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption", "Environment", "RetryStrategy",
)  # fmt: skip
SUMMARY = (
    "HyperParameterTuningJobName", "HyperParameterTuningJobArn", "CreationTime", "HyperParameterTuningEndTime",
    "HyperParameterTuningJobStatus", "HyperParameterTuningJobConfig", "TrainingJobStatusCounters",
    "ObjectiveStatusCounters",
)  # fmt: skip
COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")


@dataclass
class Job:
    """A tuning job: as it is described, its training jobs in the order of their creation, whether it is to stop."""

    shown: dict[str, Any]
    trained: list[str] = field(default_factory=list)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        return str(self.shown["HyperParameterTuningJobArn"])


class TuningJobs(Jobs[Job]):
    """The tuning jobs of an account in a Region."""


KIND = Kind(TuningJobs, "HyperParameterTuningJob", "tuning")


@sagemaker.operation("CreateHyperParameterTuningJob")
def create_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    params = call.params
    check_job(params)
    name = params["HyperParameterTuningJobName"]
    whole = arn("sagemaker", call.region, call.account, f"hyper-parameter-tuning-job/{name}")
    limits = params["HyperParameterTuningJobConfig"]["ResourceLimits"]
    drawn = list(itertools.islice(values_of(params), limits["MaxNumberOfTrainingJobs"]))
    requests = [training_request(params, number, values) for number, values in enumerate(drawn, 1)]
    training.check_job(call.cloud, requests[0], call.region)
    moment = base.now()
    shown = {member: params[member] for member in SHOWN if member in params} | {
        "HyperParameterTuningJobArn": whole,
        "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "TrainingJobStatusCounters": dict.fromkeys(COUNTERS, 0),
        "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 0, "Failed": 0},
    }
    job = KIND.jobs(call).add(name, whole, Job(shown), "Hyper parameter tuning job names must be unique")
    base.put_tags(call.cloud, whole, params.get("Tags", []))
    announce(call.cloud, job)
    call.cloud.background(f"tuning job {name}", run, call, job, list(zip(requests, drawn, strict=True)))
    return {"HyperParameterTuningJobArn": whole}


def check_supported(params: Mapping[str, Any]) -> None:
    """NotSupported for what only AWS has; a pipeline's step is checked by it too, whose values may be references."""
    config = params["HyperParameterTuningJobConfig"]
    base.only(config, "HyperParameterTuningJobConfig", *CONFIG)
    if config["Strategy"] == "Hyperband":
        raise NotSupported("the tuning strategy Hyperband")
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise NotSupported("TrainingJobEarlyStoppingType Auto")
    if "TrainingJobDefinitions" in params or "WarmStartConfig" in params:
        raise NotSupported("a tuning job with several definitions, or with a warm start")
    most = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", 0)
    if isinstance(most, int) and most > MOST:
        raise NotSupported(f"a tuning job of {most} training jobs: each runs on this machine, {MOST} at most")


def check_job(params: Mapping[str, Any]) -> None:
    base.only(params, "CreateHyperParameterTuningJob", *SHOWN, "Tags")
    config = params["HyperParameterTuningJobConfig"]
    check_supported(params)
    if "TrainingJobDefinition" not in params:
        raise NotSupported("CreateHyperParameterTuningJob without TrainingJobDefinition")
    definition = params["TrainingJobDefinition"]
    base.only(definition, "TrainingJobDefinition", "StaticHyperParameters", "AlgorithmSpecification", *OF_A_JOB)
    if "ResourceConfig" not in definition:
        raise NotSupported("TrainingJobDefinition without ResourceConfig")
    if "HyperParameterTuningJobObjective" not in config:
        raise invalid("HyperParameterTuningJobObjective is required")
    base.only(config["ResourceLimits"], "ResourceLimits", "MaxNumberOfTrainingJobs", "MaxParallelTrainingJobs")
    ranges = list(every_range(config))
    if not ranges:
        raise invalid("ParameterRanges must hold at least one range")
    if config["Strategy"] == "Grid" and any(kind != "Categorical" for kind, _ in ranges):
        raise invalid("Grid strategy only supports categorical hyperparameter ranges.")
    for kind, one in ranges:
        if one["Name"] in definition.get("StaticHyperParameters", {}):
            raise invalid(f"The hyperparameter {one['Name']} cannot be both static and tunable.")
        if kind != "Categorical" and float(one["MinValue"]) > float(one["MaxValue"]):
            raise invalid(f"The MinValue of {one['Name']} must not be greater than its MaxValue.")


def every_range(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ranges with their kinds: Integer, Continuous, Categorical."""
    for member, ranges in config.get("ParameterRanges", {}).items():
        kind = member.removesuffix("ParameterRanges")
        if kind not in {"Integer", "Continuous", "Categorical"}:
            raise NotSupported(f"ParameterRanges with {member}")
        for one in ranges:
            yield kind, one


def values_of(params: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The values of one training job after another."""
    config = params["HyperParameterTuningJobConfig"]
    ranges = list(every_range(config))
    if config["Strategy"] == "Grid":
        names = [one["Name"] for _, one in ranges]
        for chosen in itertools.product(*(one["Values"] for _, one in ranges)):
            yield dict(zip(names, chosen, strict=True))
        return
    draw = random.Random(config.get("RandomSeed"))
    while True:
        yield {one["Name"]: drawn(draw, kind, one) for kind, one in ranges}


def drawn(draw: random.Random, kind: str, one: Mapping[str, Any]) -> str:
    """A value of a range; on a logarithmic scale where it says so, "Auto" counts as linear."""
    if kind == "Categorical":
        return str(draw.choice(one["Values"]))
    least, most = float(one["MinValue"]), float(one["MaxValue"])
    if one.get("ScalingType") == "Logarithmic" and least > 0:
        value = min(most, max(least, math.exp(draw.uniform(math.log(least), math.log(most)))))
    elif one.get("ScalingType") == "ReverseLogarithmic":
        raise NotSupported("ScalingType ReverseLogarithmic")
    else:
        value = draw.uniform(least, most)
    return str(round(value)) if kind == "Integer" else str(value)


def training_request(params: Mapping[str, Any], number: int, values: Mapping[str, str]) -> dict[str, Any]:
    """The training job of these values: its name is the tuning job's with a number."""
    definition = params["TrainingJobDefinition"]
    name = f"{params['HyperParameterTuningJobName'][:LONGEST_NAME]}-{number:03}-{secrets.token_hex(4)}"
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": definition["AlgorithmSpecification"],
        "HyperParameters": {**definition.get("StaticHyperParameters", {}), **values},
        **{member: definition[member] for member in OF_A_JOB if member in definition},
    }


def announce(cloud: Cloud, job: Job) -> None:
    KIND.announce(cloud, job, "HyperParameter Tuning", leave_out="BestTrainingJob")


def run(call: Call, job: Job, planned: list[tuple[dict[str, Any], dict[str, str]]]) -> None:
    """One training job after the other; the tuning job fails where none of them reaches its objective."""
    status, reason = "Completed", ""
    try:
        for request, values in planned:
            if job.stop.is_set() or call.cloud.stopping.is_set():
                break
            train(call, job, request, values)
        best = ranked(call, job)
        if job.stop.is_set():
            status = "Stopped"
        elif not best:
            status = "Failed"
            reason = f"No training job reached the objective. {failures(call, job)}"[:1024]
        if best:
            job.shown["BestTrainingJob"] = best[0]
    except AwsError as error:
        status, reason = "Failed", error.message[:1024]
    except Exception:  # a defect here: the job ends all the same
        status, reason = "Failed", DEFECT
        raise
    finally:
        moment = base.now()
        ended = {"HyperParameterTuningEndTime": moment, "LastModifiedTime": moment}
        job.shown |= {"HyperParameterTuningJobStatus": status, **ended, **({"FailureReason": reason} if reason else {})}
        announce(call.cloud, job)


def train(call: Call, job: Job, request: dict[str, Any], values: dict[str, str]) -> None:
    name = request["TrainingJobName"]
    asked = replace(call, operation="CreateTrainingJob", params=request)
    training.create_training_job(asked)
    job.trained.append(name)
    job.values[name] = values
    found = training.find_job(replace(call, params={"TrainingJobName": name}))
    found.shown["TuningJobArn"] = job.arn
    counters = job.shown["TrainingJobStatusCounters"]
    counters["InProgress"] += 1
    while not found.done.is_set() and not call.cloud.stopping.is_set():
        if job.stop.is_set() and found.shown["TrainingJobStatus"] == "InProgress":
            training.stop_training_job(replace(call, params={"TrainingJobName": name}))
        call.cloud.watch(found.shown["TrainingJobArn"]).wait(0.2)
    counters["InProgress"] -= 1
    status = found.shown["TrainingJobStatus"]
    counters["NonRetryableError" if status == "Failed" else status] += 1
    reached = objective(found.shown, job) is not None
    job.shown["ObjectiveStatusCounters"]["Succeeded" if reached else "Failed"] += 1


def objective(shown: Mapping[str, Any], job: Job) -> dict[str, Any] | None:
    """The final value of the tuning job's metric; None where the training job has none."""
    wanted = job.shown["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    if shown["TrainingJobStatus"] != "Completed":
        return None
    for metric in shown.get("FinalMetricDataList", []):
        if metric["MetricName"] == wanted["MetricName"]:
            return {"Type": wanted["Type"], "MetricName": metric["MetricName"], "Value": metric["Value"]}
    return None


def summary(call: Call, job: Job, name: str) -> dict[str, Any]:
    shown = training.find_job(replace(call, params={"TrainingJobName": name})).shown
    members = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime",
               "TrainingJobStatus", "FailureReason")  # fmt: skip
    value = objective(shown, job)
    ended = shown["TrainingJobStatus"] in ENDED
    return {
        **{member: shown[member] for member in members if member in shown},
        "TunedHyperParameters": job.values[name],
        "ObjectiveStatus": "Succeeded" if value else "Failed" if ended else "Pending",
        **({"FinalHyperParameterTuningJobObjectiveMetric": value} if value else {}),
    }


def ranked(call: Call, job: Job) -> list[dict[str, Any]]:
    """The training jobs that reached the objective, the best first."""
    found = [summary(call, job, name) for name in job.trained]
    reached = [one for one in found if one["ObjectiveStatus"] == "Succeeded"]
    wanted = job.shown["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["Type"]
    return sorted(
        reached,
        key=metric_value,
        reverse=wanted == "Maximize",
    )


def metric_value(summary: Mapping[str, Any]) -> float:
    return float(summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def failures(call: Call, job: Job) -> str:
    """Why the first of its training jobs failed, or that they lack the metric."""
    reasons = [summary(call, job, name).get("FailureReason", "") for name in job.trained]
    lacking = job.shown["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"]
    return next(filter(None, reasons), f"None of them has the metric {lacking}.")


def find_job(call: Call) -> Job:
    name = call.params["HyperParameterTuningJobName"]
    return KIND.find(call, base.missing(f"Amazon SageMaker can't find a tuning job with the name {name}."))


@sagemaker.operation("DescribeHyperParameterTuningJob")
def describe_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    return dict(find_job(call).shown)


@sagemaker.operation("ListHyperParameterTuningJobs")
def list_hyper_parameter_tuning_jobs(call: Call) -> dict[str, Any]:
    answer = KIND.listed(call, SUMMARY)
    for item in answer["HyperParameterTuningJobSummaries"]:
        item["Strategy"] = item.pop("HyperParameterTuningJobConfig")["Strategy"]
    return answer


@sagemaker.operation("ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs_for_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    base.only(
        call.params, "ListTrainingJobsForHyperParameterTuningJob", "HyperParameterTuningJobName", "StatusEquals",
        "SortBy", "SortOrder", "MaxResults", "NextToken",
    )  # fmt: skip
    job = find_job(call)
    if call.params.get("SortBy") == "FinalObjectiveMetricValue":
        items = ranked(call, job)
        items.sort(key=metric_value, reverse=call.params.get("SortOrder") == "Descending")
    else:
        items = [summary(call, job, name) for name in job.trained]
        if call.params.get("SortBy", "Name") not in {"Name", "CreationTime"}:
            raise NotSupported(f"ListTrainingJobsForHyperParameterTuningJob with SortBy {call.params['SortBy']}")
        if call.params.get("SortOrder") == "Descending":
            items.reverse()
    if "StatusEquals" in call.params:
        items = [item for item in items if item["TrainingJobStatus"] == call.params["StatusEquals"]]
    return base.page(items, call.params, "TrainingJobSummaries")


@sagemaker.operation("StopHyperParameterTuningJob")
def stop_hyper_parameter_tuning_job(call: Call) -> dict[str, Any]:
    job = find_job(call)
    KIND.stop(job)
    announce(call.cloud, job)
    return {}
