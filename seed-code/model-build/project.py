"""Reads project.toml: which model this repository trains, and all that is said of it."""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from steps.common import Settings, UserError, read_table

ROOT = Path(__file__).resolve().parent
FILE = "project.toml"
FRAMEWORKS, PIPELINES = ("xgboost", "sklearn", "container"), ("short", "full")
TASKS, UNLABELLED = ("multiclass", "binary", "regression"), ("drop", "refuse")
GOALS = ("maximize", "minimize")
LONGEST_DESCRIPTION = 1024  # API Reference, CreateModelPackage, ModelPackageDescription
NAME = re.compile(r"[A-Za-z0-9 _.:/=+@-]{1,63}")  # of a model, as golden payloads name it, and of a metric


@dataclass(frozen=True)
class Project:
    """The table of project.toml that `model` names.

    features: the columns that the model sees
    image: of framework "container": REPOSITORY:TAG of the project's own account and Region, or a whole URI
    environment: variables of the container that serves the model; they are a part of each version
    """

    name: str
    description: str
    framework: str
    task: str
    data: str
    label: str | int
    hyperparameters: Mapping[str, str | int | float]
    metrics: Mapping[str, Mapping[str, Any]]
    pipeline: str = "full"
    positive: str = ""
    categories: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    unlabelled: str = "refuse"
    training_instance: str = "ml.m5.large"
    processing_instance: str = "ml.t3.medium"
    serving_instances: tuple[str, ...] = ("ml.m5.large",)
    image: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # of the data's columns; never in the file
    root: Path = ROOT  # of the repository

    @property
    def file(self) -> Path:
        return self.root / self.data

    @property
    def header(self) -> bool:
        return isinstance(self.label, str)

    @property
    def label_name(self) -> str:
        return self.label if isinstance(self.label, str) else f"column {self.label}"

    @property
    def features(self) -> list[str]:
        return [name for name in self.names if name != self.label_name and name not in self.ignore]

    @property
    def bounds(self) -> dict[str, tuple[str, float]]:
        """Goal and bound of each metric that has one."""
        return {name: (m["goal"], float(m["bound"])) for name, m in self.metrics.items() if "bound" in m}

    def for_steps(self) -> Settings:
        return Settings(
            model=self.name,
            framework=self.framework,
            task=self.task,
            data=self.data,
            label=self.label,
            features=self.features,
            categories=list(self.categories),
            positive=self.positive,
            unlabelled=self.unlabelled,
            hyperparameters=dict(self.hyperparameters),
            metrics={name: dict(metric) for name, metric in self.metrics.items()},
        )


CHOICES = {"framework": FRAMEWORKS, "pipeline": PIPELINES, "task": TASKS, "unlabelled": UNLABELLED}
LISTS = {"categories", "ignore", "serving_instances"}
TABLES = {"hyperparameters", "metrics", "environment"}
TEXTS = {"description", "data", "positive", "training_instance", "processing_instance", "image"}


def read(root: Path = ROOT, model: str = "") -> Project:
    """The model that project.toml chooses, or another one of it; UserError names everything that is wrong with it."""
    try:
        whole = tomllib.loads((root / FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{FILE} cannot be read: {error}") from error
    name = model or whole.get("model")
    models = [key for key, value in whole.items() if isinstance(value, dict)]
    if name not in models:
        raise UserError(f"{FILE}: model is {name!r}, and there is no table [{name}]: name one of {', '.join(models)}")
    table = whole[name]
    if problems := name_problems(str(name), "the name of the table is") + problems_of(table):
        raise UserError("\n".join(f"{FILE}, [{name}]: {problem}" for problem in problems))
    values: dict[str, Any] = {key: tuple(value) if key in LISTS else value for key, value in table.items()}
    found = Project(name=str(name), root=root, **values)
    if "://" in found.data or not found.file.resolve().is_relative_to(root.resolve()):
        raise UserError(f"{FILE}, [{name}] data is {found.data!r}, outside the repository: put the file into data/")
    names = read_table(root / found.data, found.header).names
    return Project(**{**vars(found), "names": tuple(names)})


def step_files(root: Path) -> dict[str, Path]:
    """Every file of steps/ that goes along, by its path there: not caches, nor what begins with a dot."""
    files = {path.relative_to(root / "steps"): path for path in sorted((root / "steps").rglob("*")) if path.is_file()}
    left_out = (".", "__pycache__")
    return {
        name.as_posix(): path for name, path in files.items() if not any(p.startswith(left_out) for p in name.parts)
    }


def is_control(sign: str) -> bool:
    return unicodedata.category(sign).startswith("C")


def name_problems(name: str, what: str) -> list[str]:
    """A version carries it as metadata (API Reference, CreateModelPackage, CustomerMetadataProperties)."""
    if NAME.fullmatch(name):
        return []
    return [f"{what} {name!r}: write at most 63 letters of English, digits, spaces and _ . : / = + - @"]


def problems_of(table: Mapping[str, Any]) -> list[str]:
    """What is wrong with a model's table, without a look at its data."""
    known = [one.name for one in fields(Project) if one.name not in {"name", "names", "root"}]
    needed = ("description", "framework", "task", "data", "label", "hyperparameters", "metrics")
    problems = [f"{key} is missing" for key in needed if key not in table]
    problems += [f"{key} is no setting: {', '.join(known)} are" for key in table if key not in known]
    for key, value in table.items():
        if key in CHOICES and value not in CHOICES[key]:
            problems.append(f"{key} is {value!r}: write {' or '.join(CHOICES[key])}")
        elif key in LISTS and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            problems.append(f"{key} is {value!r}: write a list of texts")
        elif key == "serving_instances" and not value:
            problems.append('serving_instances is empty: name one, for example ["ml.m5.large"], or leave it out')
        elif key in TABLES and not isinstance(value, dict):
            problems.append(f"{key} is {value!r}: write a table")
        elif key in TEXTS and not (isinstance(value, str) and value):
            problems.append(f"{key} is {value!r}: write a text")
    description = str(table.get("description", ""))
    if len(description) > LONGEST_DESCRIPTION or any(map(is_control, description)):
        problems.append(f"description is not one line of at most {LONGEST_DESCRIPTION} characters: shorten it")
    label = table.get("label", "")
    if "label" in table and (isinstance(label, bool) or not isinstance(label, (str, int)) or label in {"", 0}):
        problems.append(
            f"label is {label!r}: write the column's name, or its number from 1 on in a file without header"
        )
    if table.get("positive") and table.get("task") in TASKS and table["task"] != "binary":
        problems.append(f'positive belongs to task = "binary", and task is "{table["task"]}": leave it out')
    metrics = table.get("metrics", {})
    for metric, wanted in metrics.items() if isinstance(metrics, dict) else ():
        problems += metric_problems(metric, wanted) + name_problems(metric, "metrics: the name")
    return problems


def metric_problems(metric: str, wanted: Any) -> list[str]:
    if not isinstance(wanted, dict) or wanted.get("goal") not in GOALS or set(wanted) - {"goal", "bound", "regex"}:
        return [f'metrics: {metric} is {wanted!r}: write {{ goal = "maximize", bound = 0.8 }} or "minimize"']
    bound = wanted.get("bound", 0)
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
        return [f"metrics: the bound of {metric} is {bound!r}: write a number"]
    if not isinstance(wanted.get("regex", ""), str):
        return [f"metrics: the regex of {metric} is {wanted['regex']!r}: write a text"]
    return []
