"""What a training job brings besides what was asked for: its container's files, its metrics, its profiler.

Developer Guide, "How Amazon SageMaker AI Provides Training Information".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from awslang.errors import NotSupported
from localaws.containers import xgboost_hyperparameters
from localaws.services.sagemaker import base

PROFILED = 500  # milliseconds between system metrics where nothing else is asked for


def write_configuration(shown: dict[str, Any], folder: Path) -> None:
    """The files that a container finds in /opt/ml/input/config."""
    config = folder / "input" / "config"
    config.mkdir(parents=True)
    channels = {
        channel["ChannelName"]: {
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            "TrainingInputMode": "File",
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": "None",
        }
        for channel in shown.get("InputDataConfig", [])
    }
    contents = {
        "hyperparameters.json": shown.get("HyperParameters", {}),
        "inputdataconfig.json": channels,
        "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"},
    }
    for name, content in contents.items():
        (config / name).write_text(json.dumps(content), encoding="utf-8")


def check_profiler(config: Mapping[str, Any]) -> None:
    """The SDK's default, which asks for system metrics alone, is accepted; their files are not written to S3.

    API Reference, "ProfilerConfig"; NotSupported where a framework is to be profiled, or otherwise than by default.
    """
    base.only(config, "ProfilerConfig", "S3OutputPath", "DisableProfiler", "ProfilingIntervalInMilliseconds")
    if config.get("ProfilingIntervalInMilliseconds", PROFILED) != PROFILED:
        raise NotSupported("ProfilerConfig with another ProfilingIntervalInMilliseconds than 500")


def metric_definitions(algorithm: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Those that a built-in algorithm brings, as DescribeTrainingJob shows them; a script brings none.

    SageMaker Developer Guide, "Tune an XGBoost Model" (the names); the form of the expressions is that of public jobs.
    """
    if "sagemaker_program" in hyperparameters or "MetricDefinitions" in algorithm:
        return {}
    number = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
    shown = [
        {"Name": f"{of}:{name}", "Regex": rf".*\[[0-9]+\].*#011{of}-{name}:{number}.*"}
        for name in xgboost_hyperparameters.METRICS
        for of in ("train", "validation")
    ]
    return {"MetricDefinitions": shown, "EnableSageMakerMetricsTimeSeries": False}
