"""Monitors of data and of model quality: that a stage can have what it asks for, and what its stack is given. Pure.

SageMaker Developer Guide, "Data quality", "Model quality", "Model quality metrics and Amazon CloudWatch monitoring";
the Regions with Model Monitor's images: monitors.json, which is that of SageMaker's Python SDK
(image_uri_config/model-monitor.json). docs/decisions/0085-*.md, docs/decisions/0094-*.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import UserError
from pipeline.documents import Broken, nearest
from pipeline.registry import ANSWERS, COLUMNS, Version

if TYPE_CHECKING:
    from pipeline.settings import Stage

# The account of the registry with Model Monitor's image, by Region; 50-endpoint.yaml has the same.
REGISTRIES: dict[str, str] = json.loads(Path(__file__).with_name("monitors.json").read_text(encoding="utf-8"))
MOST = 10  # metrics of an alarm (CloudWatch User Guide, "Create a CloudWatch alarm based on a metric math expression")
NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
BASELINES = ("models/baselines/", "models/on-push/baselines/")  # in the project's folder of the model bucket
FILES = ("constraints.json", "statistics.json")


SCORES = ("f0_5", "f1", "f2")
# By the kind of problem, what a monitor of model quality publishes.
METRICS = {
    "Regression": ("mae", "mse", "rmse", "r2"),
    "BinaryClassification": (
        "accuracy", "precision", "recall", "auc", *SCORES, "true_positive_rate", "true_negative_rate",
        "false_positive_rate", "false_negative_rate",
    ),
    "MulticlassClassification": (
        "accuracy", *(f"weighted_{name}" for name in ("precision", "recall", *SCORES)),
    ),
}  # fmt: skip
MORE_IS_WORSE = ("mae", "mse", "rmse", "false_positive_rate", "false_negative_rate")  # 50-endpoint.yaml has the same
NO_COLUMN = "none"
COLUMN = re.compile("[0-9]{1,3}|none")


def parameters(stage: Stage, version: Version, folder: str) -> dict[str, str]:
    """The parameters of a stage with monitors, {} for one without; UserError where it cannot have them.

    folder: the project's own in the model bucket, with a slash at its end
    """
    asked = [name for name in ("MonitorHours", "MonitorQualityHours") if stage.parameters.get(name, "0") != "0"]
    if asked and (without := [region for region in stage.regions if region not in REGISTRIES]):
        raise UserError(
            f"{stage.file}: Model Monitor has no image in {', '.join(without)}. Leave the Region out, or write "
            f'"0" as {" and ".join(asked)}'
        )
    found: dict[str, str] = {}
    if "MonitorHours" in asked:
        found |= of_data(stage, version, folder)
    if "MonitorQualityHours" in asked:
        found |= of_answers(stage, version, folder)
    return found


def of_data(stage: Stage, version: Version, folder: str) -> dict[str, str]:
    name, file = f"version {version.number} of {version.group}", stage.file
    if not version.baseline:
        raise UserError(
            f"{name} has no baseline of data quality (DriftCheckBaselines.ModelDataQuality) in the model bucket, and "
            f'{file} asks for a monitor. Train with pipeline = "full" in project.toml, which makes one, or write "0" '
            "as MonitorHours"
        )
    place = place_of(name, version.baseline, folder)
    given = tuple(filter(None, stage.parameters.get("MonitorColumns", "").split(",")))
    columns = given or version.baseline_columns[:MOST]
    if not columns or not all(map(NAME.fullmatch, columns)):
        raise UserError(
            f"{name} does not say which columns its baseline has ({COLUMNS} of its metadata). Write at most {MOST} of "
            f"them as MonitorColumns in {file}"
        )
    filled = (*columns, *columns[:1] * (MOST - len(columns)))  # the alarm of 50-endpoint.yaml has as many metrics
    return {"MonitorBaseline": place, "MonitorColumns": ",".join(filled)}


def of_answers(stage: Stage, version: Version, folder: str) -> dict[str, str]:
    name, file = f"version {version.number} of {version.group}", stage.file
    if not version.quality:
        raise UserError(
            f"{name} has no baseline of model quality (DriftCheckBaselines.ModelQuality) in the model bucket, and "
            f'{file} asks for a monitor of it. Train with pipeline = "full" in project.toml, or write "0" as '
            "MonitorQualityHours"
        )
    place, answers = place_of(name, version.quality, folder), version.answers
    problem, *columns = answers or ("",)
    if problem not in METRICS or len(columns) != 2 or not all(map(COLUMN.fullmatch, columns)):
        raise UserError(
            f"{name} does not say how its answers are read ({ANSWERS} of its metadata is "
            f"{' '.join(answers) or 'empty'}). Register it with one of {', '.join(METRICS)}, the column of the "
            'prediction and the column of the chance of class 1, such as "BinaryClassification none 0"'
        )
    metric, known = stage.parameters.get("MonitorQualityMetric", ""), METRICS[problem]
    if columns[1] == NO_COLUMN:
        known = tuple(one for one in known if one != "auc")  # a curve over chances
    if metric not in known:
        raise UserError(
            f"{file}: Parameters.MonitorQualityMetric is {metric}, and the answers of {name} are measured by "
            f"{', '.join(known)}. Write one of these"
        )
    return {"MonitorQualityBaseline": place, "MonitorQualityAnswers": ",".join(answers)}


def place_of(name: str, urls: tuple[str, ...], folder: str) -> str:
    """The folder of a baseline's files; UserError where it is not the project's."""
    keys = [url.removeprefix("s3://").partition("/")[2] for url in urls]
    places = {key.rpartition("/")[0] for key in keys}
    of_project = tuple(folder + one for one in BASELINES)
    if len(places) > 1 or [key.rpartition("/")[2] for key in keys] != [*FILES] or not keys[0].startswith(of_project):
        raise UserError(
            f"{name}: its baseline is {' and '.join(urls)}. Write {' and '.join(FILES)} into one folder "
            f"beneath {of_project[0]}, and register a version with them"
        )
    return places.pop()


def combined(values: Mapping[str, str]) -> Broken:
    """What is wrong beside other settings, with the way around: of real-time endpoints that capture."""
    asked = [name for name in ("MonitorHours", "MonitorQualityHours") if values[name] != "0"]
    if not asked or values["EndpointKind"] in ("serverless", "batch"):
        return
    if values["EndpointKind"] != "real-time":
        for name in asked:
            yield name, 'only a real-time endpoint has a monitor. Write "0", or "real-time" as EndpointKind'
    elif not values["DataCaptureS3Uri"]:
        words = " and ".join(asked)
        yield "DataCaptureS3Uri", f'a monitor looks at captured data. Write "account", or "0" as {words}'
    if "MonitorQualityHours" in asked:
        yield from quality(values)


def quality(values: Mapping[str, str]) -> Broken:
    known = sorted({one for metrics in METRICS.values() for one in metrics})
    if values["MonitorQualityMetric"] == "none":
        yield "MonitorQualityMetric", 'a monitor of model quality needs a metric for its alarm. Write one: "accuracy"'
    elif (metric := values["MonitorQualityMetric"]) not in known:
        yield (
            "MonitorQualityMetric",
            f"no monitor measures it. Write one of {', '.join(known)}, such as {nearest(metric, known)}",
        )
    if not values["MonitorQualityBound"]:
        yield "MonitorQualityBound", 'the alarm needs a bound, and the metric on its worse side is too bad. Write "0.9"'
    start, _, end = values["MonitorQualityWindowHours"].partition(",")
    if not end or int(start) <= int(end):
        yield (
            "MonitorQualityWindowHours",
            'the answers begin and end so many hours before an execution. Write the larger number first, as "72,48"',
        )
