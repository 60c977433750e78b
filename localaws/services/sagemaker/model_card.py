"""The model card of a version: what CreateModelPackage takes as ModelCardContent.

SageMaker Developer Guide, "Update the Details of a Model Version", Model package model card schema. Its patterns are
not anchored, so that a name needs one character and has no longest length; `maxContains` without `contains`, and
`maxItems` beside a reference, bind nothing in JSON Schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.services.sagemaker.base import invalid


@dataclass(frozen=True)
class Object:
    """An object with these members and no others, unless it is open; each member has a shape."""

    members: Mapping[str, Any]
    required: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True)
class Array:
    items: Any
    least: int = 0
    most: float = float("inf")


@dataclass(frozen=True)
class OneOf:
    """Texts of which one must be given."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class AnyOf:
    """What one of these shapes takes."""

    shapes: tuple[Any, ...]


# Beside these, a shape is the longest length of a text, or one of the following.
NAME, NUMBER, FLAG, ANYTHING = "name", "number", "boolean", "anything"
NUMBERS = Array(NUMBER, least=1)


def metric(kind: tuple[str, ...], value: Any, x: Any, y: Any) -> Object:
    members = {"name": NAME, "notes": 1024, "type": OneOf(kind), "value": value, "x_axis_name": x, "y_axis_name": y}
    return Object(members, ("name", "type", "value"))


METRICS = AnyOf(
    (
        metric(("number", "string", "boolean"), AnyOf((NUMBER, 63, FLAG)), 63, 63),
        metric(("linear_graph",), Array(Array(NUMBER, 2, 2), 1), 63, 63),
        metric(("bar_chart",), NUMBERS, Array(63), 63),
        metric(("matrix",), Array(Array(NUMBER, 1, 20), 1, 20), Array(63), Array(63)),
    )
)
TRAINING_METRICS = Array(Object({"name": NAME, "notes": 1024, "value": NUMBER}, ("name", "value")))
HYPERPARAMETERS = Array(Object({"name": NAME, "value": NAME}, ("name", "value")))
CARD = Object(
    {
        "model_overview": Object({"model_creator": 1024, "model_artifact": Array(1024)}),
        "intended_uses": Object(
            {
                **dict.fromkeys(("purpose_of_model", "intended_uses", "factors_affecting_model_efficiency"), 2048),
                "risk_rating": OneOf(("High", "Medium", "Low", "Unknown")),
                "explanations_for_risk_rating": 2048,
            }
        ),
        "business_details": Object(
            dict.fromkeys(("business_problem", "business_stakeholders", "line_of_business"), 2048)
        ),
        "training_details": Object(
            {
                "objective_function": ANYTHING,  # the schema declares nothing of it in `properties`
                "training_observations": 1024,
                "training_job_details": Object(
                    {
                        "training_arn": 1024,
                        "training_datasets": Array(1024),
                        "training_environment": Object({"container_image": Array(1024)}),
                        **dict.fromkeys(("training_metrics", "user_provided_training_metrics"), TRAINING_METRICS),
                        **dict.fromkeys(("hyper_parameters", "user_provided_hyper_parameters"), HYPERPARAMETERS),
                    }
                ),
            }
        ),
        "evaluation_details": Array(
            Object(
                {
                    "name": NAME,
                    "evaluation_observation": 2096,
                    "evaluation_job_arn": 256,
                    "datasets": Array(1024, most=10),
                    "metadata": Object({"": 1024}),
                    "metric_groups": Array(
                        Object({"name": NAME, "metric_data": Array(METRICS)}, ("name", "metric_data"), open=True)
                    ),
                },
                ("name",),
            )
        ),
        "additional_information": Object(
            {
                **dict.fromkeys(("ethical_considerations", "caveats_and_recommendations"), 2048),
                "custom_details": Object({"": 1024}),
            }
        ),
    }
)


def check_card(card: Mapping[str, Any]) -> None:
    """ValidationException for content that is no model card of a version."""
    text = card.get("ModelCardContent", "{}")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise invalid(f"ModelCardContent is not valid: it is no JSON ({error})") from error
    for problem in problems(content, CARD, "$"):
        raise invalid(f"ModelCardContent is not valid: {problem}")


def problems(value: Any, shape: Any, at: str) -> Iterator[str]:
    """What is wrong with a part of a card, with its place. A member "" of an Object stands for every name."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(shape, AnyOf):
        tried = [next(problems(value, one, at), "") for one in shape.shapes]
        yield from () if "" in tried else tried[:1]
    elif isinstance(shape, Object):
        yield from of_object(value, shape, at)
    elif isinstance(shape, Array):
        if not isinstance(value, list) or not shape.least <= len(value) <= shape.most:
            yield f"{at}: expected an array of {shape.least} to {shape.most} items"
        else:
            yield from (found for i, item in enumerate(value) for found in problems(item, shape.items, f"{at}[{i}]"))
    elif isinstance(shape, OneOf):
        if value not in shape.texts:
            yield f"{at}: expected one of {', '.join(shape.texts)}"
    elif shape == NUMBER and not number:
        yield f"{at}: expected a number"
    elif shape == FLAG and not isinstance(value, bool):
        yield f"{at}: expected true or false"
    elif shape == NAME and not (isinstance(value, str) and value):
        yield f"{at}: expected a text that is not empty"
    elif isinstance(shape, int) and not (isinstance(value, str) and len(value) <= shape):
        yield f"{at}: expected a text of at most {shape} characters"


def of_object(value: Any, shape: Object, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: expected an object"
        return
    yield from (f"{at}: {name} is required" for name in shape.required if name not in value)
    for name, part in value.items():
        declared = shape.members.get(name, shape.members.get(""))
        if declared is not None:
            yield from problems(part, declared, f"{at}.{name}")
        elif not shape.open:
            yield f"{at}: {name} is not in the schema"
