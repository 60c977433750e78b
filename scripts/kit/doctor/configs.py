"""The configuration files in a project's deploy repository: staging-config.json and prod-config.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from scripts.kit.bundle import pack
from scripts.kit.doctor import kit
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.projects import SHORT, each
from scripts.kit.doctor.reader import known
from scripts.kit.regions import known_regions

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

STAGE_TEMPLATE = pack.TEMPLATES[3]


@cache
def stage_template() -> Mapping[str, Any]:
    """The head of templates/40-stage.yaml: its metadata and parameters."""
    text = re.split(r"^(?:Rules|Mappings|Conditions|Resources):", kit.template(STAGE_TEMPLATE), flags=re.MULTILINE)[0]
    return dict(YAML(typ="safe", pure=True).load(text))


def stage_parameters() -> Mapping[str, Mapping[str, Any]]:
    return dict(stage_template()["Parameters"])


def written_by_the_pipeline() -> frozenset[str]:
    """The parameters that the Build step writes itself: the first group."""
    return frozenset(stage_template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"][0]["Parameters"])


def read_config(content: bytes) -> tuple[dict[str, str], list[str]]:
    """The parameters in a file that are right, and what is wrong with it."""
    try:
        config = json.loads(content)
        parameters = config.get("Parameters", {})
        items = parameters.items()
    except (ValueError, AttributeError) as error:
        return {}, [f"it is not a JSON object with Parameters ({error})"]
    wrong = [f"{key} is not known; it takes Parameters and Regions" for key in set(config) - {"Parameters", "Regions"}]
    wrong += [problem for name, value in items if (problem := parameter_problem(name, value))]
    for region in config.get("Regions", []):
        if region not in known_regions():
            wrong.append(f"Regions: {region} is no region with SageMaker")
    return {name: str(value) for name, value in items}, wrong


def parameter_problem(name: str, value: Any) -> str:
    """What 40-stage.yaml has against a parameter; "" for nothing."""
    declared = stage_parameters().get(name)
    if declared is None:
        return f"{name} is no parameter of 40-stage.yaml"
    if name in written_by_the_pipeline():
        return f"{name} is written by the pipeline itself"
    if not isinstance(value, str):
        return f"{name} must be text: {json.dumps(str(value))}"
    allowed = [str(one) for one in declared.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"{name} is {value!r}, none of {', '.join(allowed)}"
    if declared["Type"] == "Number":
        return number_problem(name, value, declared)
    if (pattern := declared.get("AllowedPattern")) and not re.fullmatch(pattern, value):
        return f"{name} is {value!r}: {declared.get('ConstraintDescription', pattern)}"
    return ""


def number_problem(name: str, value: str, declared: Mapping[str, Any]) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"{name} is {value!r}, no number"
    if float(value) < declared.get("MinValue", float("-inf")) or float(value) > declared.get("MaxValue", float("inf")):
        return f"{name} is {value}, not between {declared.get('MinValue', '…')} and {declared.get('MaxValue', '…')}"
    return ""


def instances(parameters: Mapping[str, str]) -> tuple[str, int]:
    """Instance type and how many of them an endpoint may come to have; ("", 0) for a serverless one."""

    def value(name: str) -> str:
        return parameters.get(name) or str(stage_parameters()[name].get("Default", ""))

    if value("EndpointKind") == "serverless":
        return "", 0
    numbers = [text for name in ("InitialInstanceCount", "MaximumInstanceCount") if (text := value(name)).isdigit()]
    return value("InstanceType"), max((int(text) for text in numbers), default=1)


@finding(
    "config-missing",
    "stops",
    "A project's deploy repository has lost a stage's configuration file",
    "The Build step fails.",
)
def config_missing(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for name, stage in project.stages.items():
            if stage.config is None:
                yield here(
                    it,
                    f"repository sagemaker-{project.name}-{project.id}-modeldeploy",
                    f"there is no {SHORT[name]}-config.json on its main branch",
                    f"copy seed-code/model-deploy/{SHORT[name]}-config.json into it, and commit",
                )


@finding(
    "config-wrong",
    "stops",
    "A stage's configuration file has mistakes",
    "The Build step refuses it, or the stage's stack does.",
)
def config_wrong(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for name, stage in project.stages.items():
            if stage.config and known(stage.config) and (wrong := read_config(stage.config)[1]):
                yield here(
                    it,
                    f"repository sagemaker-{project.name}-{project.id}-modeldeploy",
                    f"{SHORT[name]}-config.json: {'; '.join(wrong)}",
                    f"put it right in {SHORT[name]}-config.json, and commit",
                )
