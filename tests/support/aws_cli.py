"""A command of the AWS CLI, as a person types it, sent to the embedded AWS: what `make doctor` gives as a cure.

AWS CLI User Guide, "Specify parameter values": options are the members of the operation's input with hyphens; a
list's values follow each other; a structure is JSON or the shorthand Key=…,Value=…; a truth value is --name or
--no-name.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import botocore.session
from botocore import xform_name

from localaws.cloud import Session

SERVICES = {"s3api": "s3"}  # that the AWS CLI names otherwise than botocore
OWN_NAMES = {("sns", "subscribe", "notification-endpoint"): "Endpoint"}  # options that it names otherwise
PLACEHOLDER = re.compile(r"[A-Z]{4,}|ID-OF-.*|ANOTHER NAME|.*…")  # a value that a person has to put in
SESSION = botocore.session.Session()


class NotACommand(Exception):
    """The text is no command that can be typed as it stands: words follow, or a value is left to the person."""


def parse(line: str) -> tuple[str, str, dict[str, Any], str]:
    """Service, operation, parameters and the Region ("" for the profile's) of a command."""
    try:
        program, service, name, *words = shlex.split(line)
    except ValueError as error:
        raise NotACommand(str(error)) from error
    model = SESSION.get_service_model(SERVICES.get(service, service)) if program == "aws" else None
    operations = {xform_name(operation, "-"): operation for operation in model.operation_names} if model else {}
    if model is None or name not in operations:
        raise NotACommand(line)
    given: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            given[word[2:]] = []
        elif not given:
            raise NotACommand(f"{word} belongs to no option")
        else:
            given[next(reversed(given))].append(word)
    region, profile = given.pop("region", [""]), given.pop("profile", [""])  # whose it is: tests/support/cures.py
    for shown in ("query", "output"):  # what is shown of the answer
        given.pop(shown, None)
    if len(region) != 1 or len(profile) != 1:
        raise NotACommand(f"--region and --profile take one value: {line}")
    shape = model.operation_model(operations[name]).input_shape
    options = {xform_name(member, "-"): member for member in shape.members} if shape else {}
    parameters = {}
    for option, values in given.items():
        no = option.startswith("no-") and option not in options
        member = OWN_NAMES.get((service, name, option)) or options.get(option.removeprefix("no-") if no else option, "")
        if not member or shape is None:
            raise NotACommand(f"--{option} is no option of aws {service} {name}")
        parameters[member] = convert(shape.members[member], values, not no)
    return SERVICES.get(service, service), operations[name], parameters, region[0]


def convert(shape: Any, values: list[str], flag: bool) -> Any:
    """The values of an option as its member's type."""
    if shape.type_name == "boolean" and not values:
        return flag
    if not values or any(map(PLACEHOLDER.fullmatch, set(values) - set(getattr(shape, "enum", ())))):
        raise NotACommand(f"{' '.join(values) or 'nothing'} is to be filled in")
    if values[0].startswith("file://"):
        return values[0]  # what the file holds, whatever its type
    if shape.type_name in ("structure", "map", "list") and values[0].startswith(("{", "[")):
        return json.loads(" ".join(values))
    if shape.type_name == "list":
        return [convert(shape.member, [value], flag) for value in values]
    if len(values) > 1:
        raise NotACommand(f"{' '.join(values[1:])} follows a value")
    if shape.type_name == "structure":
        return shorthand(shape, values[0])
    if shape.type_name == "boolean":
        return values[0] == "true"
    number = {"integer": int, "long": int, "float": float, "double": float}.get(shape.type_name)
    return number(values[0]) if number else values[0]


def shorthand(shape: Any, text: str) -> dict[str, Any]:
    """Key=…,Value=…; of a list the values follow each other: Accounts=1,2,OrganizationalUnitIds=3."""
    given: dict[str, list[str]] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals and name in shape.members:
            given[name] = [value]
        elif given:
            given[next(reversed(given))].append(part)
        else:
            raise NotACommand(f"{part} is no Key=Value")
    return {name: convert(shape.members[name], values, True) for name, values in given.items()}


def send(session: Session, line: str) -> Any:
    """The answer to the command; NotACommand where it cannot be typed as it stands."""
    service, operation, parameters, region = parse(line)
    client = session.client(service, region or session.region)
    return getattr(client, xform_name(operation))(**parameters)
