"""The model card of each version, which Studio shows: what project.toml says of the model, and how it was trained.

SageMaker Developer Guide, "Update the Details of a Model Version", Model package model card schema. Its content is one
JSON text, which the pipeline completes as it registers the version; a person goes on writing it in Studio.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from project import Project
from steps.metrics import GROUPS

MOST_HYPERPARAMETERS, LONGEST_PURPOSE = 100, 2048


@dataclass(frozen=True)
class Later:
    """A value that the pipeline fills in. text: whether it is one; otherwise it is a number"""

    value: Any
    text: bool = True


def content(project: Project, image: str, metrics: Mapping[str, Any], filled: Mapping[str, Any]) -> list[Any]:
    """The JSON text of a card in pieces, to be joined; between them is what the pipeline fills in.

    metrics: the value of each; filled: author, artifact, training (its job's ARN), data, data-hash, commit
    """
    later = {name: Later(value) for name, value in filled.items()}
    measured = [{"name": n, "type": "number", "value": Later(value, text=False)} for n, value in metrics.items()]
    given = [{"name": name, "value": str(value)} for name, value in project.hyperparameters.items() if str(value)]
    training = {
        "training_arn": later["training"],
        "training_datasets": [later["data"]],
        "training_environment": {"container_image": [image]},
        "user_provided_hyper_parameters": given[:MOST_HYPERPARAMETERS],
    }
    evaluation = {
        "name": "training pipeline",
        "metric_groups": [{"name": GROUPS[project.task], "metric_data": measured}],
    }
    card = {
        "model_overview": {"model_creator": later["author"], "model_artifact": [later["artifact"]]},
        "intended_uses": {"purpose_of_model": project.description[:LONGEST_PURPOSE]},
        "training_details": {"training_job_details": training},
        "evaluation_details": [evaluation],
        "additional_information": {
            "custom_details": {"model": project.name, "commit": later["commit"], "data-hash": later["data-hash"]}
        },
    }
    runs = groupby(pieces(card), key=lambda piece: isinstance(piece, str))
    return [piece for texts, run in runs for piece in (["".join(run)] if texts else run)]


def pieces(node: Any) -> Iterator[Any]:
    """A document as JSON, piece by piece."""
    if isinstance(node, Later):
        yield from ['"', node.value, '"'] if node.text else [node.value]
    elif isinstance(node, dict):
        for number, (name, part) in enumerate(node.items()):
            yield f"{', ' if number else '{'}{json.dumps(name)}: "
            yield from pieces(part)
        yield "}"
    elif isinstance(node, list):
        yield "["
        for number, part in enumerate(node):
            yield ", " if number else ""
            yield from pieces(part)
        yield "]"
    else:
        yield json.dumps(node)
