"""One execution of a monitor of model quality: a job that joins answers with labels, and one that measures them.

SageMaker Developer Guide, "Ingest Ground Truth labels and merge them with predictions" (inferenceId before eventId),
"Schedule model quality monitoring jobs" (offsets); the names, inputs and places of the two jobs: a user's log of them,
in the README of "The MLOps Pipeline MKV"; namespace and dimensions: "Model quality metrics and Amazon CloudWatch
monitoring" and the SDK's dashboard of model quality. Time runs faster here than the clock by which captured data are
filed: a request is measured once its label is there, and its age is counted against EndTimeOffset, shortened as all
waiting is. Whether a label may have several rows no page says: it has as many as its answer here (an open question).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.cloud import Session
from localaws.services.ecr.images import IMAGE
from localaws.services.sagemaker import base, processing, storage
from localaws.services.sagemaker.jobs import JobFailed
from localaws.services.sagemaker.monitor_definitions import seconds_of
from localaws.services.sagemaker.monitor_jobs import (
    NO_DATA,
    Execution,
    begin,
    concluded,
    lines_of,
    load,
    publish,
    report,
    work,
)
from localaws.services.sagemaker.monitor_quality import (
    Attributes,
    NoMeasure,
    Pair,
    measured,
    pair,
    suggested,
    values_of,
    violations,
)

NAMESPACE = "aws/sagemaker/Endpoints/model-metrics"
MERGER = "sagemaker-model-monitor-groundtruth-merger"  # in the same registries as the analyzer
FILED = re.compile(r"/([0-9]{4}(?:/[0-9]{2}){3}/[0-9]{2}-[0-9]{2}-[0-9]{1,6})-[^/]*$")
THRESHOLD = 0.5  # of a chance, where the definition names none


def run(execution: Execution, found: dict[str, Any]) -> str:
    """Both jobs; the ExitMessage of the second."""
    place, variants = execution.captured()
    truth = execution.definition["ModelQualityJobInput"]["GroundTruthS3Input"]["S3Uri"].rstrip("/")
    start, end = (seconds_of(execution.given.get(f"{name}TimeOffset", "")) for name in ("Start", "End"))
    waits = execution.cloud.waits
    since = execution.window[0] - timedelta(seconds=start)
    until = execution.window[1] - timedelta(seconds=end * waits)
    folders = [f"{one}/{hour}" for one in variants for hour in execution.hours(since)]
    labels = [f"{truth}/{hour}" for hour in execution.hours(since)]
    merge = begin_merge(execution, [f"{place}/{folder}" for folder in folders], labels)
    found["ProcessingJobArn"] = merge.arn
    merged: list[str] = []

    def join(session: Session) -> str:
        merged.extend(write_merged(execution, session, place, folders, labels, until))
        return ""

    work(execution, merge, join)
    job = begin_analysis(execution)
    found["ProcessingJobArn"] = job.arn
    return work(execution, job, lambda session: concluded(measure(execution, session, job, merged)))


def merges(execution: Execution) -> str:
    return f"{execution.output['S3Uri'].rstrip('/')}/merge"


def begin_merge(execution: Execution, captured: list[str], labels: list[str]) -> processing.Job:
    image = execution.definition["ModelQualityAppSpecification"]["ImageUri"]
    repository = IMAGE.fullmatch(image)
    local = "/opt/ml/processing/groundtruth"
    inputs = [
        *((f"groundtruth_input_{at}", url, f"{local}/{at}") for at, url in enumerate(labels, 1)),
        *((f"endpoint_input_{at}", url, f"{execution.given['LocalPath']}/{at}") for at, url in enumerate(captured, 1)),
    ]
    return begin(
        execution,
        f"groundtruth-merge-{execution.identity}",
        image.replace(repository[3], MERGER) if repository else image,
        inputs,
        {"S3UploadMode": "EndOfJob", "LocalPath": execution.output["LocalPath"], "S3Uri": merges(execution)},
        {
            "dataset_source": execution.given["LocalPath"],
            "ground_truth_source": local,
            "output_path": execution.output["LocalPath"],
        },
    )


def write_merged(
    execution: Execution, session: Session, place: str, folders: list[str], labels: list[str], until: datetime
) -> Iterator[str]:
    """The keys of the files that are written: the captured ones in which a request has its label, joined with it."""
    keys = [key for url in labels for key in storage.keys_under(session, f"{url}/")]
    truth = dict(map(label, lines_of(session, storage.split(labels[0])[0], keys)))
    bucket, written = storage.split(place)[0], 0
    for folder in folders:
        for key in storage.keys_under(session, f"{place}/{folder}/"):
            if key in execution.seen or filed(key) > until:
                continue
            joined = [one for line in lines_of(session, bucket, [key]) if (one := with_label(line, truth))]
            if not joined:
                continue
            execution.seen.add(key)
            url = f"{merges(execution)}/{execution.endpoint}/{folder}/{key.rsplit('/', 1)[1]}"
            storage.put(session, url, "".join(f"{one}\n" for one in joined).encode(), execution.key_id)
            written += 1
            yield storage.split(url)[1]
    if not written:
        raise JobFailed(NO_DATA)


def label(line: str) -> tuple[str, dict[str, Any]]:
    """The id of a request, and its groundTruthData. NoMeasure for a line of another form"""
    try:
        found = json.loads(line)
        return str(found["eventMetadata"]["eventId"]), found["groundTruthData"]
    except (ValueError, KeyError, TypeError) as error:
        raise NoMeasure(f"AlgorithmError: no record of ground truth: {line[:200]}") from error


def with_label(line: str, truth: dict[str, dict[str, Any]]) -> str:
    """The captured request joined with its label; "" where it has none."""
    captured = json.loads(line)
    about = captured["eventMetadata"]
    found = truth.get(about.get("inferenceId") or about["eventId"])
    return json.dumps({**captured, "groundTruthData": found}) if found else ""


def filed(key: str) -> datetime:
    """When a captured file was written, by its name; long ago where that does not say it."""
    found = FILED.search(f"/{key}")
    if found is None:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.strptime(found[1], "%Y/%m/%d/%H/%M-%S-%f").replace(tzinfo=UTC)


def begin_analysis(execution: Execution) -> processing.Job:
    given, application = execution.given, execution.definition["ModelQualityAppSpecification"]
    names = {
        "InferenceAttribute": "inference_attribute", "ProbabilityAttribute": "probability_attribute",
        "ProbabilityThresholdAttribute": "probability_threshold_attribute",
    }  # fmt: skip
    return begin(
        execution,
        f"model-quality-monitoring-{execution.identity}",
        application["ImageUri"],
        (
            (
                "constraints",
                execution.baseline("ConstraintsResource"),
                "/opt/ml/processing/baseline/constraints",
            ),
            ("endpoint_input_1", f"{merges(execution)}/{execution.endpoint}", given["LocalPath"]),
        ),
        {**execution.output, "S3Uri": execution.report},
        execution.environment(
            {
                "analysis_type": "MODEL_QUALITY",
                "problem_type": application["ProblemType"],
                "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
                "dataset_format": json.dumps({"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}),
                "dataset_source": given["LocalPath"],
                **{name: str(given[member]) for member, name in names.items() if member in given},
            }
        ),
    )


def measure(execution: Execution, session: Session, job: processing.Job, merged: list[str]) -> int:
    """Read, measure, write the three files and the metrics; how many violations there are."""
    constraints = load(session, execution.baseline("ConstraintsResource"), job)
    problem, given = execution.definition["ModelQualityAppSpecification"]["ProblemType"], execution.given
    inference, probability = (
        int(given[name]) if given.get(name) else None for name in ("InferenceAttribute", "ProbabilityAttribute")
    )
    of = Attributes(problem, inference, probability, float(given.get("ProbabilityThresholdAttribute", THRESHOLD)))
    bucket = storage.split(merges(execution))[0]
    pairs = [one for line in lines_of(session, bucket, merged) for one in pairs_of(json.loads(line), of)]
    found = measured(problem, pairs)
    times = {"start_time": execution.window[0], "end_time": execution.window[1], "evaluation_time": base.now()}
    found["dataset"] |= {name: base.plain(moment) for name, moment in times.items()}
    broken = violations(problem, found, constraints)
    files = {
        "statistics": found, "constraints": suggested(problem, found), "constraint_violations": {"violations": broken},
    }  # fmt: skip
    report(execution, session, job, len(pairs), files)
    publish(execution, session, NAMESPACE, {name: [value] for name, value in values_of(problem, found).items()})
    return len(broken)


def pairs_of(record: dict[str, Any], of: Attributes) -> Iterator[Pair]:
    """The answers of one captured request, each with its label."""
    said, true = record["captureData"].get("endpointOutput"), record["groundTruthData"]
    if said is None:
        raise NoMeasure("AlgorithmError: the output must be captured")
    for one in (said, true):
        if one["encoding"] != "CSV":
            raise NoMeasure(f"Not supported by the embedded AWS: answers or labels whose encoding is {one['encoding']}")
    answers, labels = ([[v.strip() for v in row] for row in csv.reader(io.StringIO(x["data"]))] for x in (said, true))
    if len(answers) == 1 and len(labels) == len(answers[0]) > 1:
        answers = [[value] for value in answers[0]]  # SageMaker's XGBoost answers several rows on one line
    if len(answers) != len(labels):
        raise NoMeasure(f"AlgorithmError: an answer has {len(answers)} rows and its label {len(labels)}")
    return (pair(answer, label, of) for answer, label in zip(answers, labels, strict=True))
