"""What a pipeline step may take over from an earlier execution.

SageMaker Developer Guide, "Caching pipeline steps", "Turn on step caching", "Default cache key attributes by pipeline
step type": of one pipeline, the newest successful run of a step with the same attributes that is not too old.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.services.sagemaker.base import invalid

# Of a step's arguments, by its type; a type that is not here is never taken over.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "Environment",
        "HyperParameters", "InputDataConfig",
    ),
    "Tuning": ("HyperParameterTuningJobConfig", "TrainingJobDefinition"),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}  # fmt: skip
AGE = re.compile(
    r"P?(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?",
    re.IGNORECASE,
)
SECONDS = (365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3_600, 60, 1)


def seconds(name: str, kind: str, config: Mapping[str, Any]) -> float | None:
    """For how long a run of the step may be used again; None where it is not to be. ValidationException otherwise."""
    if not config.get("Enabled"):
        return None
    if kind not in ATTRIBUTES:
        raise invalid(f"Step '{name}': steps of type {kind} have no CacheConfig")
    text = config.get("ExpireAfter", "")
    found = AGE.fullmatch(text)
    if found is None or not any(found.groups()):
        raise invalid(f"Step '{name}': ExpireAfter must be an ISO 8601 duration such as P30D, not '{text}'")
    return float(sum(int(count or 0) * unit for count, unit in zip(found.groups(), SECONDS, strict=True)))


@dataclass(frozen=True)
class Run:
    """A successful run of a step: when it ended (monotonic), of which execution, what it showed and gave."""

    ended: float
    execution: str
    metadata: Mapping[str, Any]
    output: Mapping[str, Any]


@dataclass
class Cache:
    """The successful runs of the steps of one pipeline, by name, type and attributes."""

    runs: dict[str, Run] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: str, age: float) -> Run | None:
        with self.lock:
            run = self.runs.get(key)
        return run if run is not None and time.monotonic() - run.ended <= age else None

    def keep(self, key: str, run: Run) -> None:
        with self.lock:
            self.runs[key] = run


def key(name: str, kind: str, arguments: Mapping[str, Any]) -> str:
    """What must be the same for a run to be used again."""
    attributes = {attribute: arguments.get(attribute) for attribute in ATTRIBUTES[kind]}
    return json.dumps([name, kind, attributes], sort_keys=True, default=str)
