"""Monitors of data quality: that a stage that asks for one can have it, and what its stack is given for it. Pure.

SageMaker Developer Guide, "Data quality"; the Regions with Model Monitor's image: monitors.json, which is that of
SageMaker's Python SDK (image_uri_config/model-monitor.json). docs/decisions/0085-*.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.console import UserError
from pipeline.registry import COLUMNS, Version
from pipeline.settings import Stage

# The account of the registry with Model Monitor's image, by Region; 50-endpoint.yaml has the same.
REGISTRIES: dict[str, str] = json.loads(Path(__file__).with_name("monitors.json").read_text(encoding="utf-8"))
MOST = 10  # metrics of an alarm (CloudWatch User Guide, "Create a CloudWatch alarm based on a metric math expression")
NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
BASELINES = ("models/baselines/", "models/on-push/baselines/")  # in the project's folder of the model bucket
FILES = ("constraints.json", "statistics.json")


def parameters(stage: Stage, version: Version, folder: str) -> dict[str, str]:
    """The parameters of a stage with a monitor, {} for one without; UserError where it cannot have it.

    folder: the project's own in the model bucket, with a slash at its end
    """
    if stage.parameters.get("MonitorHours", "0") == "0":
        return {}
    name, file = f"version {version.number} of {version.group}", stage.file
    if without := [region for region in stage.regions if region not in REGISTRIES]:
        raise UserError(
            f"{file}: Model Monitor has no image in {', '.join(without)}. Leave the Region out, or write "
            '"0" as MonitorHours'
        )
    if not version.baseline:
        raise UserError(
            f"{name} has no baseline of data quality (DriftCheckBaselines.ModelDataQuality) in the model bucket, and "
            f'{file} asks for a monitor. Train with pipeline = "full" in project.toml, which makes one, or write "0" '
            "as MonitorHours"
        )
    keys = [url.removeprefix("s3://").partition("/")[2] for url in version.baseline]
    places = {key.rpartition("/")[0] for key in keys}
    of_project = tuple(folder + one for one in BASELINES)
    if len(places) > 1 or [key.rpartition("/")[2] for key in keys] != [*FILES] or not keys[0].startswith(of_project):
        raise UserError(
            f"{name}: its baseline is {' and '.join(version.baseline)}. Write {' and '.join(FILES)} into one folder "
            f"beneath {of_project[0]}, and register a version with them"
        )
    given = tuple(filter(None, stage.parameters.get("MonitorColumns", "").split(",")))
    columns = given or version.baseline_columns[:MOST]
    if not columns or not all(map(NAME.fullmatch, columns)):
        raise UserError(
            f"{name} does not say which columns its baseline has ({COLUMNS} of its metadata). Write at most {MOST} of "
            f"them as MonitorColumns in {file}"
        )
    filled = (*columns, *columns[:1] * (MOST - len(columns)))  # the alarm of 50-endpoint.yaml has as many metrics
    return {"MonitorBaseline": places.pop(), "MonitorColumns": ",".join(filled)}
