"""What a Task may call, and how CreateStateMachine checks its call.

AWS Step Functions Developer Guide, "Learning to use AWS service SDK integrations in Step Functions", "Invoke an AWS
Lambda function with Step Functions", "Handling errors in Step Functions workflows".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel

from awslang.errors import NotSupported
from localaws.services.stepfunctions import functions, jobs
from localaws.services.stepfunctions.refused import schema

SDK = "arn:aws:states:::aws-sdk:"
# aws-sdk names that are not botocore's
SERVICES = {
    "sfn": "stepfunctions",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "secretsmanager": "secretsmanager",
}
RETRIER = {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds"}


def check_call(state: Mapping[str, Any], field: str, place: str) -> None:
    """A Task's resource, and what its field (Parameters, Arguments) gives to it."""
    resource = state.get("Resource", "")
    if resource == jobs.SYNC:
        resource = jobs.OPERATION
    if not resource.startswith("arn:"):
        raise schema("The value for the field 'Resource' must be a valid ARN", f"{place}/Resource")
    given = state.get(field, {})
    if functions.calls_function(resource):
        if isinstance(given, dict) and (problem := functions.problem(given, resource)):
            raise schema(problem, f"{place}/{field}")
    elif not resource.startswith(SDK):
        raise NotSupported(f"the Task resource {resource} ({place})")
    elif (operation := task_operation(resource, place)[1]).input_shape is not None:
        _check_members(given, operation.input_shape, f"{place}/{field}")


def check_handlers(state: Mapping[str, Any], catcher: set[str], place: str) -> None:
    """A Task's retriers and catchers; catcher: the fields of one, beside those that all have."""
    for key, known, needed in (
        ("Retry", RETRIER, {"ErrorEquals"}),
        ("Catch", catcher | {"ErrorEquals", "Next"}, {"ErrorEquals", "Next"}),
    ):
        for number, item in enumerate(state.get(key, [])):
            where = f"{place}/{key}[{number}]"
            if "JitterStrategy" in item:
                raise NotSupported(f"JitterStrategy at {where}")
            if "Assign" in item and key == "Catch" and "Assign" not in known:
                raise NotSupported(f"Assign in a state whose query language is JSONPath ({where})")
            if unknown := set(item) - known - {"Comment"}:
                raise schema(f"Field is not supported: {sorted(unknown)[0]}", where)
            if not item.get("ErrorEquals") or needed - set(item):
                raise schema(f"These fields are required: [{', '.join(sorted(needed))}]", where)


def task_operation(resource: str, place: str = "") -> tuple[str, OperationModel]:
    """botocore's service name and the operation of an aws-sdk resource."""
    name, _, action = resource.removeprefix(SDK).partition(":")
    if "." in action:
        raise NotSupported(f"the service integration pattern {action.split('.', 1)[1]} ({resource})")
    service = SERVICES.get(name, name)
    known = _session().get_available_services()
    operation = action[:1].upper() + action[1:]
    model = _model(service) if service in known else None
    if model is None or action[:1].isupper() or operation not in model.operation_names:
        raise schema(
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            "resource is not available in this region.",
            f"{place}/Resource",
        )
    return service, model.operation_model(operation)


@cache
def _session() -> Any:
    return botocore.session.Session()


@cache
def _model(service: str) -> Any:
    return _session().get_service_model(service)


def members(shape: Any) -> dict[str, str]:
    """PascalCase name, as a state machine writes it, to the API's own name."""
    return {name[:1].upper() + name[1:]: name for name in shape.members}


def _check_members(value: Any, shape: Any, place: str) -> None:
    if shape.type_name == "structure" and isinstance(value, dict):
        known = members(shape)
        for key, item in value.items():
            name = key.removesuffix(".$")
            if name not in known:
                raise schema(f'The field "{name}" is not supported by Step Functions', place)
            if name == key:
                _check_members(item, shape.members[known[name]], f"{place}/{key}")
        missing = [n for n, own in known.items() if own in shape.required_members and not {n, f"{n}.$"} & set(value)]
        if missing:
            raise schema(f'The field "{missing[0]}" is required but was missing', place)
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            _check_members(item, shape.member, f"{place}[{number}]")
