"""A stage's configuration file in a project's deploy repository: staging-config.json or prod-config.json.

Anyone who may push to the repository writes these files, so reading one never fails: what is wrong is listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from awslang.template.reader import read_yaml
from scripts.kit.regions import known_regions
from scripts.kit.stacks import target_roles

KEYS = {"$schema", "Parameters", "Regions", "gates", "remove_after_production"}
STAGE_TEMPLATE = "templates/40-stage.yaml"
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")  # ASCII digits only: "²" is a digit to Python
# Quotas: how that of an instance type ends, and that of all types together.
ENDPOINT = (" for endpoint usage", "Number of instances across active endpoints")
TRANSFORM = (" for transform job usage", "Number of instances across all transform jobs")
PROCESSING = (" for processing job usage", "Number of instances across all processing jobs")
SERVERLESS = (
    "Maximum total concurrency that can be allocated across all serverless endpoints",
    "Maximum number of serverless endpoints",
)
KINDS = {dict: "an object", list: "a list", type(None): "null", bool: "a boolean", int: "a number", float: "a number"}


@dataclass(frozen=True)
class StageConfig:
    """What a file says. parameters, regions: those that are right; problems: what is wrong with the rest."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@cache
def stage_template() -> Mapping[str, Any]:
    """The head of templates/40-stage.yaml: its metadata and parameters."""
    document, _ = read_yaml(target_roles.template(STAGE_TEMPLATE))
    return dict(document)


def stage_parameters() -> Mapping[str, Mapping[str, Any]]:
    return dict(stage_template()["Parameters"])


def written_by_the_pipeline() -> frozenset[str]:
    """The parameters that the Build step writes itself: the first group."""
    return frozenset(stage_template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"][0]["Parameters"])


@cache
def read_config(content: bytes) -> StageConfig:
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        return StageConfig(problems=(f"it is not JSON ({error})",))
    if not isinstance(config, dict):
        return StageConfig(problems=(f"it must be an object with Parameters, not {kind(config)}",))
    unknown = [f"{shown(key)} is not known; it takes Parameters and Regions" for key in config.keys() - KEYS]
    parameters, wrong = read_parameters(config.get("Parameters", {}))
    regions, elsewhere = read_regions(config.get("Regions", []))
    return StageConfig(parameters, regions, (*sorted(unknown), *wrong, *elsewhere))


def read_parameters(value: Any) -> tuple[dict[str, str], list[str]]:
    """The parameters that are right, and what is wrong with the others."""
    if not isinstance(value, dict):
        return {}, [f"Parameters must be an object of names and texts, not {kind(value)}"]
    problems = {name: parameter_problem(name, one) for name, one in value.items()}
    return {name: one for name, one in value.items() if not problems[name]}, list(filter(None, problems.values()))


def read_regions(value: Any) -> tuple[tuple[str, ...], list[str]]:
    """The Regions that are right, and what is wrong with the others."""
    if not isinstance(value, list):
        return (), [f"Regions must be a list of Regions such as us-east-1, not {kind(value)}"]
    wrong = [f"Regions: {shown(region)} is not a Region with SageMaker" for region in value if not is_region(region)]
    return tuple(region for region in value if is_region(region)), wrong


def is_region(value: Any) -> bool:
    return isinstance(value, str) and value in known_regions()


def kind(value: Any) -> str:
    """What JSON calls a value that is not as it should be."""
    return KINDS.get(type(value), "text")


def shown(value: Any) -> str:
    """A value in a message: text in ASCII, and of anything else its kind only, however deep it is nested."""
    return json.dumps(value) if isinstance(value, str) else kind(value)


def parameter_problem(name: str, value: Any) -> str:
    """What 40-stage.yaml has against a parameter; "" for nothing."""
    declared = stage_parameters().get(name)
    if declared is None:
        return f"{shown(name)} is not a parameter of 40-stage.yaml"
    if name in written_by_the_pipeline():
        return f"{name} is written by the pipeline itself"
    if not isinstance(value, str):
        return f"{name} must be text, not {kind(value)}"
    return next(value_problems(name, value, declared), "")


def value_problems(name: str, value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    allowed, pattern = [str(one) for one in declared.get("AllowedValues", [])], declared.get("AllowedPattern")
    if allowed and value not in allowed:
        yield f"{name} is {shown(value)}, not one of {', '.join(allowed)}"
    if declared["Type"] == "Number":
        yield from number_problems(name, value, declared)
    elif pattern and not re.fullmatch(pattern, value, re.ASCII):
        yield f"{name} is {shown(value)}: {declared.get('ConstraintDescription', pattern)}"


def number_problems(name: str, value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    least, most = declared.get("MinValue", float("-inf")), declared.get("MaxValue", float("inf"))
    if not NUMBER.fullmatch(value):
        yield f"{name} is {shown(value)}, not a number"
    elif not least <= float(value) <= most:
        yield f"{name} is {value}, not between {declared.get('MinValue', '…')} and {declared.get('MaxValue', '…')}"


def needs(parameters: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """The quotas of SageMaker that a stage counts against in an account and Region, and with how much at most.

    AWS General Reference, "Amazon SageMaker AI endpoints and quotas". It has none of provisioned concurrency.
    """

    def value(name: str) -> str:
        return parameters.get(name) or str(stage_parameters()[name].get("Default", ""))

    def number(name: str) -> int:
        return int(value(name)) if re.fullmatch("[0-9]+", value(name)) else 1

    kind = value("EndpointKind")
    if kind == "serverless":
        yield SERVERLESS[0], number("ServerlessMaxConcurrency")
        yield SERVERLESS[1], 1
        return
    least, most = number("InitialInstanceCount"), number("MaximumInstanceCount")
    use, count = (TRANSFORM, least) if kind == "batch" else (ENDPOINT, max(least, most))
    yield f"{value('InstanceType')}{use[0]}", count
    yield use[1], count
    monitors = sum(value(name) != "0" for name in ("MonitorHours", "MonitorQualityHours"))
    if kind == "real-time" and monitors:
        yield f"{value('MonitorInstanceType')}{PROCESSING[0]}", monitors
        yield PROCESSING[1], monitors
