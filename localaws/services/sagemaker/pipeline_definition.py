"""The definition of a SageMaker pipeline: checked, and its references resolved. Pure, no requests.

SageMaker Developer Guide, "Pipelines steps", "Pipeline parameters", "Condition types", "Pass Data Between Steps",
"Caching pipeline steps", "Retry Policy for Pipeline Steps"; the JSON schema of pipeline definitions, version
2020-12-01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import get_service_model

from awslang.bounded import is_number
from awslang.errors import NotSupported
from localaws.services.sagemaker import pipeline_cache, pipeline_retries, tuning
from localaws.services.sagemaker.base import invalid, only

VERSION = "2020-12-01"
LIMIT = 1024 * 1024  # characters: API Reference, "CreatePipeline"
STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
SUPPORTED = frozenset(
    {"Training", "Processing", "Tuning", "Transform", "RegisterModel", "Model", "Condition", "Fail", "Lambda"}
)
MEMBERS = {"Processing": ("PropertyFiles",), "Lambda": ("FunctionArn", "OutputParameters")}  # of one type of step alone
KINDS: dict[str, Callable[[Any], Any]] = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
EXECUTION = (
    "StartDateTime", "CurrentDateTime", "PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn",
)  # fmt: skip
REQUESTS = {  # of a step's kind: its operation, and the name that the execution makes
    "Training": ("CreateTrainingJob", "TrainingJobName"),
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "Transform": ("CreateTransformJob", "TransformJobName"),
    "Tuning": ("CreateHyperParameterTuningJob", "HyperParameterTuningJobName"),
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: bool(left == right),
    "GreaterThan": lambda left, right: bool(left > right),
    "GreaterThanOrEqualTo": lambda left, right: bool(left >= right),
    "LessThan": lambda left, right: bool(left < right),
    "LessThanOrEqualTo": lambda left, right: bool(left <= right),
}
PATH = re.compile(r"\.?([^.\[\]'\"]+)|\[([0-9]+)\]|\['([^']+)'\]|\[\"([^\"]+)\"\]")
NAMES = ("MetricName", "OutputName", "InputName", "ChannelName")  # by which a reference finds an item of a list
FUNCTIONS = frozenset({"Std:Join", "Std:JsonGet"})


@dataclass(frozen=True)
class Step:
    """One step: its kind, its arguments with references, the steps that it waits for."""

    name: str
    kind: str
    arguments: Mapping[str, Any]
    after: frozenset[str]
    display_name: str = ""
    description: str = ""
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # property files: output and path, by name
    cached: float | None = None  # for how many seconds a run may be used again
    retries: tuple[pipeline_retries.Policy, ...] = ()
    function: str = ""  # the ARN of a Lambda step's


@dataclass(frozen=True)
class Definition:
    """A checked definition: parameters by name (as written), steps in the order written."""

    parameters: Mapping[str, Mapping[str, Any]]
    steps: tuple[Step, ...]
    experiment: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str) -> Definition:
    """The definition; ValidationException where AWS refuses it, NotSupported for what is not supported here."""
    if len(text) > LIMIT:
        raise invalid(f"The pipeline definition is longer than {LIMIT} characters")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise invalid(f"Unable to parse pipeline definition. It is not valid JSON: {error}") from error
    if not isinstance(body, dict) or body.get("Version") != VERSION:
        raise invalid(f"Unable to parse pipeline definition. Version must be '{VERSION}'")
    only(body, "a pipeline definition", "Version", "Metadata", "Parameters", "PipelineExperimentConfig", "Steps")
    if not body.get("Steps"):
        raise invalid("Unable to parse pipeline definition. Steps must hold at least one step")
    parameters = {item.get("Name", ""): item for item in body.get("Parameters", [])}
    for name, parameter in parameters.items():
        check_parameter(name, parameter)
    definition = Definition(
        parameters, tuple(read_step(step) for step in body["Steps"]), body.get("PipelineExperimentConfig") or {}
    )
    check_references(definition)
    check_cycles(definition.steps)
    return definition


def check_parameter(name: str, parameter: Mapping[str, Any]) -> None:
    only(parameter, f"the pipeline parameter {name}", "Name", "Type", "DefaultValue", "EnumValues")
    if parameter.get("Type") not in KINDS:
        raise invalid(f"Parameter '{name}': Type must be one of {', '.join(KINDS)}")
    if "DefaultValue" in parameter:
        typed(name, parameter, parameter["DefaultValue"])


def typed(name: str, parameter: Mapping[str, Any], value: Any) -> Any:
    """The value in the parameter's type; ValidationException otherwise."""
    kind = parameter["Type"]
    try:
        if kind == "Boolean":
            if str(value).lower() not in {"true", "false"}:
                raise ValueError
            found: Any = str(value).lower() == "true"
        else:
            found = KINDS[kind](value)
    except (TypeError, ValueError) as error:
        raise invalid(f"The value '{value}' of parameter '{name}' is not of type {kind}") from error
    if "EnumValues" in parameter and found not in parameter["EnumValues"]:
        raise invalid(f"The value '{value}' of parameter '{name}' is not one of {parameter['EnumValues']}")
    return found


def read_step(body: Mapping[str, Any]) -> Step:
    name, kind = body.get("Name", ""), body.get("Type", "")
    if not STEP_NAME.fullmatch(name):
        raise invalid(f"The step name '{name}' must have 1 to 64 letters, digits, hyphens or underscores")
    if kind not in SUPPORTED:
        raise NotSupported(f"pipeline steps of type {kind} (step {name})")
    if kind == "Lambda" and not isinstance(body.get("FunctionArn"), str):
        raise invalid(f"Step '{name}': FunctionArn must be the ARN of a function")
    only(
        body, f"the pipeline step {name}", "Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description",
        "CacheConfig", "RetryPolicies", *MEMBERS.get(kind, ()),
    )  # fmt: skip
    arguments = body.get("Arguments", {})
    branches: dict[str, tuple[Step, ...]] = {}
    if kind == "Condition":
        branches = {key: tuple(read_step(item) for item in arguments.get(key, [])) for key in ("IfSteps", "ElseSteps")}
        only(arguments, f"the pipeline step {name}", "Conditions", "IfSteps", "ElseSteps")
        arguments = {"Conditions": arguments.get("Conditions", [])}
        for condition in arguments["Conditions"]:
            check_condition(name, condition)
    named = {path[1] for path in references(arguments) if path[0] == "Steps"}
    step = Step(
        name=name,
        kind=kind,
        arguments=arguments,
        after=frozenset(named | set(body.get("DependsOn", []))),
        display_name=body.get("DisplayName", ""),
        description=body.get("Description", ""),
        if_steps=branches.get("IfSteps", ()),
        else_steps=branches.get("ElseSteps", ()),
        files=property_files(name, body),
        cached=pipeline_cache.seconds(name, kind, body.get("CacheConfig") or {}),
        function=body.get("FunctionArn", ""),
        retries=pipeline_retries.read(name, kind, body.get("RetryPolicies") or []),
    )
    check_arguments(name, kind, arguments)
    return step


def check_arguments(name: str, kind: str, arguments: Mapping[str, Any]) -> None:
    """What the step's own request must have, but for the name of the job, which the execution gives.

    SageMaker Developer Guide, "Pipelines Pipeline Definition JSON Schema": Arguments are those of the request.
    """
    if kind not in REQUESTS:
        return
    operation, given_later = REQUESTS[kind]
    shape = get_service_model("sagemaker").operation_model(operation).input_shape
    lacking = [member for member in shape.required_members if member not in arguments and member != given_later]
    if lacking:
        raise invalid(f"Unable to parse pipeline definition. Step '{name}': Arguments lacks {', '.join(lacking)}")
    if kind == "Tuning":
        tuning.check_supported(arguments)


def property_files(name: str, body: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The property files of a step, each the name of an output and a path in it."""
    outputs = {
        item.get("OutputName")
        for item in body.get("Arguments", {}).get("ProcessingOutputConfig", {}).get("Outputs", [])
    }
    found = {}
    for item in body.get("PropertyFiles") or []:
        if not {"PropertyFileName", "OutputName", "FilePath"} <= set(item):
            raise invalid(f"Step '{name}': a property file needs PropertyFileName, OutputName and FilePath")
        if item["OutputName"] not in outputs:
            raise invalid(f"Step '{name}': the property file names the unknown output '{item['OutputName']}'")
        found[item["PropertyFileName"]] = (item["OutputName"], item["FilePath"])
    return found


def check_condition(step: str, condition: Mapping[str, Any]) -> None:
    kind = condition.get("Type", "")
    if kind in {"Not", "Or", "In"}:
        members = {"Not": ("Expression",), "Or": ("Conditions",), "In": ("QueryValue", "Values")}[kind]
    elif kind in COMPARISONS:
        members = ("LeftValue", "RightValue")
    else:
        raise invalid(f"Step '{step}': unknown condition type '{kind}'")
    if not all(member in condition for member in members):
        raise invalid(f"Step '{step}': the condition {kind} needs {' and '.join(members)}")
    for inner in [condition["Expression"]] if kind == "Not" else condition["Conditions"] if kind == "Or" else []:
        check_condition(step, inner)


def references(value: Any) -> Iterator[list[str]]:
    """Every reference within a value, split into its parts; NotSupported for other functions."""
    if isinstance(value, Mapping):
        if set(value) == {"Get"}:
            yield split(value["Get"])
            return
        for name in value:
            if name.startswith("Std:") and name not in FUNCTIONS:
                raise NotSupported(f"the pipeline function {name}")
        if "Std:Join" in value and set(value["Std:Join"]) != {"On", "Values"}:
            raise invalid("Std:Join needs On and Values")
        if "Std:JsonGet" in value and set(value["Std:JsonGet"]) not in ({"PropertyFile", "Path"}, {"S3Uri", "Path"}):
            raise invalid("Std:JsonGet needs Path, and PropertyFile or S3Uri")
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def split(reference: str) -> list[str]:
    """Steps.Train.FinalMetricDataList['validation:merror'].Value as its parts."""
    return [next(part for part in found if part) for found in PATH.findall(reference)]


def every_step(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from every_step(step.if_steps + step.else_steps)


def check_references(definition: Definition) -> None:
    """ValidationException for a reference to something that the definition does not have."""
    steps = list(every_step(definition.steps))
    names = [step.name for step in steps]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise invalid(f"Step names must be unique: {', '.join(duplicates)}")
    files = {step.name: step.files for step in steps}
    for step in steps:
        for path in references(step.arguments):
            known = {"Parameters": definition.parameters, "Steps": names, "Execution": EXECUTION}.get(path[0])
            if known is None or len(path) < 2 or path[1] not in known:
                raise invalid(f"Step '{step.name}': the reference '{'.'.join(path)}' is not valid")
            if path[2:3] == ["PropertyFiles"] and (len(path) != 4 or path[3] not in files[path[1]]):
                raise invalid(f"Step '{step.name}': '{'.'.join(path)}' is not a property file of its step")
        for name in step.after:
            if name not in names:
                raise invalid(f"Step '{step.name}' depends on the unknown step '{name}'")


def check_cycles(steps: tuple[Step, ...]) -> None:
    waiting = {step.name: set(step.after) for step in every_step(steps)}
    while ready := [name for name, after in waiting.items() if not after & set(waiting)]:
        for name in ready:
            del waiting[name]
    if waiting:
        raise invalid(f"The steps {', '.join(sorted(waiting))} wait for each other")


def given_parameters(definition: Definition, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of all parameters of one execution."""
    for name in given:
        if name not in definition.parameters:
            raise invalid(f"Parameter '{name}' is not defined in the pipeline definition")
    values = {}
    for name, parameter in definition.parameters.items():
        if name not in given and "DefaultValue" not in parameter:
            raise invalid(f"Parameter '{name}' has no default value: a value must be given")
        values[name] = typed(name, parameter, given.get(name, parameter.get("DefaultValue")))
    return values


def resolve(value: Any, known: Mapping[str, Any]) -> Any:
    """The value with its references replaced.

    known: Parameters, Execution, Steps (name to description), and Read, which gives the text at an S3 URL
    """
    if isinstance(value, Mapping):
        if set(value) == {"Get"}:
            return look_up(split(value["Get"]), known)
        if set(value) == {"Std:Join"}:
            join = value["Std:Join"]
            return str(resolve(join["On"], known)).join(str(resolve(item, known)) for item in join["Values"])
        if set(value) == {"Std:JsonGet"}:
            return json_get(value["Std:JsonGet"], known)
        return {key: resolve(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, known) for item in value]
    return value


def json_get(function: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """What a JSON file in S3 holds at a path; LookupError where it holds nothing there."""
    url = resolve(function.get("PropertyFile", function.get("S3Uri")), known)
    path = resolve(function["Path"], known)
    try:
        body = json.loads(known["Read"](url))
    except ValueError as error:
        raise LookupError(f"{url} is not valid JSON: {error}") from error
    try:
        return look_up(split(str(path).removeprefix("$")), body)
    except (LookupError, TypeError) as error:
        raise LookupError(f"{url} has nothing at {path}") from error


def look_up(path: list[str], known: Any) -> Any:
    """The value at a path; a metric, an input or an output is found by its name in its list. LookupError otherwise."""
    found: Any = known
    for part in path:
        if isinstance(found, list) and not is_number(part):
            named = {name: item for item in found for kind in NAMES if (name := item.get(kind))}
            if part not in named:
                raise LookupError(f"there is no {part}, only {', '.join(sorted(map(str, named))) or 'an empty list'}")
            found = named[part]
        elif isinstance(found, list):
            found = found[int(part)]
        else:
            found = found[part]
    return found


def holds(condition: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether a condition is true."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"], known)
    if kind == "Or":
        return any(holds(item, known) for item in condition["Conditions"])
    if kind == "In":
        return resolve(condition["QueryValue"], known) in resolve(condition["Values"], known)
    return COMPARISONS[kind](resolve(condition["LeftValue"], known), resolve(condition["RightValue"], known))
