"""The JSON schema of a stage's settings file, from the parameters of 40-stage.yaml: editors complete and check with it.

Pure. JSON Schema 2020-12; what it cannot say (settings that exclude each other) is checked by the Build step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awslang.template.reader import read
from scripts.kit.console import UserError

WRITTEN = "written by the pipeline"  # in the label of the group whose parameters are no settings
MOST_GATES = 50  # metrics (pipeline/metric_gates.py)


def settings_schema(template: bytes) -> bytes:
    """The schema of staging-config.json and prod-config.json. template: 40-stage.yaml"""
    stage = read(template.decode())[0]
    try:
        written = written_parameters(stage)
        settings = {name: setting(body) for name, body in stage["Parameters"].items() if name not in written}
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(
            "templates/40-stage.yaml needs Parameters with Type and Description, and a group of them labelled as "
            f"{WRITTEN} in AWS::CloudFormation::Interface: the settings' schema comes from them ({error!r})"
        ) from error
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of a stage's endpoints",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "$schema": {"type": "string"},
            "Parameters": {
                "description": "Each value is text, numbers too.",
                "type": "object",
                "additionalProperties": False,
                "properties": settings,
            },
            "Regions": {
                "description": "Regions of the endpoints, e.g. us-east-1. Without it, those of the project.",
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {"type": "string", "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]$"},
            },
            "gates": gates(),
            "remove_after_production": {
                "description": "Whether a stage before production is removed once production has passed its tests.",
                "type": "boolean",
                "default": False,
            },
        },
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def gates() -> dict[str, Any]:
    """The schema of the gates (pipeline/metric_gates.py)."""
    number = {"type": "number"}
    metric = {
        "type": "object",
        "additionalProperties": False,
        "required": ["goal"],
        "properties": {
            "goal": {
                "enum": ["minimize", "maximize"],
                "description": "Which direction is better.",
            },
            "bound": {**number, "description": "The worst value that passes, e.g. 0.1."},
            "worse_by": {
                **number,
                "minimum": 0,
                "description": "How much worse than the live version's it may be, e.g. 0.02.",
            },
        },
    }
    override = {
        "description": "Lets one version through that the gates refuse. The approver reads the reason.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "reason"],
        "properties": {
            "version": {"type": "integer", "minimum": 1},
            "reason": {"type": "string", "minLength": 1, "maxLength": 300},
        },
    }
    return {
        "description": "How good a version must be before it is deployed. In prod-config.json alone.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "metrics": {
                "description": "By the name of the metric, as the versions state it, e.g. validation:merror.",
                "type": "object",
                "maxProperties": MOST_GATES,
                "additionalProperties": metric,
            },
            "agreement": {
                **number,
                "minimum": 0,
                "maximum": 1,
                "description": "The share of golden payloads with the live version's answer in staging, e.g. 0.95.",
            },
            "override": override,
        },
    }


def written_parameters(stage: Mapping[str, Any]) -> list[str]:
    """The parameters that the pipeline writes, as the template's interface groups them; LookupError without them."""
    groups = stage["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    (names,) = [group["Parameters"] for group in groups if WRITTEN in group["Label"]["default"]] or ([],)
    if not names:
        raise LookupError(WRITTEN)
    return list(names)


def setting(body: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one setting's text."""
    found: dict[str, Any] = {"type": "string", "description": " ".join(str(body["Description"]).split())}
    if "Default" in body:
        found["default"] = str(body["Default"])
    if "AllowedValues" in body:
        found["enum"] = [str(value) for value in body["AllowedValues"]]
    elif "AllowedPattern" in body:
        found["pattern"] = f"^(?:{body['AllowedPattern']})$"
    elif body["Type"] == "Number":
        found["pattern"] = "^[0-9]+$"
        least, most = body.get("MinValue", 0), body.get("MaxValue")
        found["description"] += f" A number from {least}" + (f" to {most}." if most is not None else " up.")
    return found
