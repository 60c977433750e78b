"""Reads rehearsal-images.yaml: what stands in for a team's own images, by their repositories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from awslang.bounded import read_file
from localaws.services.ecr.images import TAGS
from localaws.stand_ins import StandIn
from scripts.kit.console import UserError
from scripts.rehearsal.names import IMAGES

LARGEST = 1_000_000  # bytes
MEMBERS = frozenset({"entrypoint", "folder", "requirements", "environment"})
REPOSITORY = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*")


def read(path: Path) -> dict[str, StandIn]:
    """The stand-ins of a file, whose paths are relative to it; UserError with place and cure for a wrong one."""
    try:
        body = yaml.safe_load(read_file(path, LARGEST).decode()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise UserError(
            f"{path}: write repositories and what stands in for them, e.g. team/model: {{entrypoint: [./run]}}"
        )
    return {name: _stand_in(path, name, entry) for name, entry in body.items()}


def chosen(path: Path | None) -> dict[str, StandIn]:
    """The stand-ins of the file that was named, or of the one in the working directory; {} without any."""
    if path is None:
        path = Path(IMAGES)
        if not path.exists():
            return {}
    return read(path)


def _stand_in(path: Path, name: Any, entry: Any) -> StandIn:
    where = f"{path}, {name}"
    if not isinstance(name, str) or not REPOSITORY.fullmatch(name):
        raise UserError(f"{where}: name a repository of Amazon ECR without registry and tag, e.g. team/model")
    if not isinstance(entry, dict) or set(entry) - MEMBERS:
        raise UserError(f"{where}: an image has {', '.join(sorted(MEMBERS))}, and nothing else")
    command = entry.get("entrypoint", [])
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        raise UserError(f"{where}: entrypoint must be a list of words, e.g. [python3, main.py]")
    if name in TAGS and set(entry) != {"requirements"}:
        raise UserError(f"{where}: SageMaker's own image can only have more requirements")
    if name not in TAGS and not command:
        raise UserError(f"{where}: entrypoint is missing: the command that gets train or serve as its argument")
    variables = entry.get("environment", {})
    if not isinstance(variables, Mapping) or not all(isinstance(value, str) for value in variables.values()):
        raise UserError(f"{where}: environment must hold texts, e.g. {{WORKERS: '2'}}")
    folder, requirements = (_found(where, path.parent, entry.get(member)) for member in ("folder", "requirements"))
    return StandIn(tuple(command), folder, requirements, dict(variables))


def _found(where: str, beside: Path, name: Any) -> Path | None:
    if name is None:
        return None
    found = beside / str(name)
    if not found.exists():
        raise UserError(f"{where}: {found} does not exist")
    return found.resolve()
