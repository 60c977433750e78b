"""All that is wrong with a model, its data and its steps, before anything is paid for. Nothing here talks to AWS.

Each finding says where it is and what to do.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from definition import IMAGE_ACCOUNTS
from project import FILE, Project
from steps.common import Table, UserError, is_number, read_table
from steps.metrics import NAMES

LEAST_ROWS = {"short": 5, "full": 20}
LEAST_OF_A_CLASS = {"short": 1, "full": 5}  # so that each part has one of them
SHOWN = 3  # findings of a kind
OBJECTIVES = {"multiclass": ("multi:",), "binary": ("binary:",), "regression": ("reg:", "count:", "survival:", "rank:")}
CONTAINER_PYTHON = (3, 9)  # the oldest Python of SageMaker's images
NEEDED = ("preprocess.py", "train.py", "evaluate.py", "inference.py", "common.py")
INSTANCES = {"training_instance": "training", "processing_instance": "processing"}


def check(project: Project, region: str, instances: Mapping[str, list[str]]) -> Table:
    """The data; UserError with every finding. instances: the types that a job of each kind may have"""
    found = [
        *in_place(project, region, instances),
        *of_metrics(project),
        *of_hyperparameters(project),
        *of_steps(project.root / "steps"),
    ]
    table = read_table(project.file, project.header)
    columns = list(of_columns(project, table))
    found += columns or [*of_rows(project, table)]
    if found:
        raise UserError("\n".join(found))
    return table


def setting(project: Project, key: str) -> str:
    return f"{FILE}, [{project.name}] {key}"


def in_place(project: Project, region: str, instances: Mapping[str, list[str]]) -> Iterator[str]:
    if region not in IMAGE_ACCOUNTS:
        yield f"SageMaker has no {project.framework} image in {region}: train in one of {', '.join(IMAGE_ACCOUNTS)}"
    for key, kind in INSTANCES.items():
        used = kind == "training" or project.pipeline == "full"
        if used and (value := getattr(project, key)) not in instances[kind]:
            yield f"{setting(project, key)}: no {kind} job runs on {value}. {near(value, instances[kind])}"
    for value in project.serving_instances:
        if value not in instances["serving"]:
            examples = near(value, instances["serving"])
            yield f"{setting(project, 'serving_instances')}: no endpoint runs on {value}. {examples}"
    if project.framework == "sklearn" and project.pipeline == "short":
        yield f'{setting(project, "pipeline")}: sklearn takes "full": its metrics come from steps/evaluate.py'


def near(value: str, known: list[str]) -> str:
    """Types of the same family, or the smallest ones."""
    family = value.rpartition(".")[0] + "."
    return "Examples: " + ", ".join([k for k in known if k.startswith(family)][:SHOWN] or known[:SHOWN])


def of_metrics(project: Project) -> Iterator[str]:
    """Register would fail for a metric that nothing measures, after the training was paid for."""
    if project.pipeline == "full":
        known = set(NAMES[project.task])
        where = f"the evaluation of a {project.task} model measures {', '.join(NAMES[project.task])}"
    else:
        given = str(project.hyperparameters.get("eval_metric", ""))
        names = [name for name in given.replace(" ", "").split(",") if name]
        known = {f"{channel}:{name}" for channel in ("train", "validation") for name in names}
        where = f"the training measures {', '.join(sorted(known)) or 'nothing'}: see hyperparameters, eval_metric"
    for name in project.metrics:
        if name not in known:
            yield f"{setting(project, 'metrics')}: {name} is not measured; {where}"


def of_hyperparameters(project: Project) -> Iterator[str]:
    given, where = project.hyperparameters, setting(project, "hyperparameters")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            yield f"{where}: {name} is {value!r}: write a text or a number"
    if project.framework == "sklearn":
        yield from of_estimator(project, where)
        return
    objective, wanted = str(given.get("objective", "reg:squarederror")), OBJECTIVES[project.task]
    if not objective.startswith(wanted):
        yield f"{where}: {objective} is no objective of a {project.task} model: take one that begins with {wanted[0]}"
    if "num_round" not in given:
        yield f"{where}: num_round is missing, and SageMaker's XGBoost needs it. Example: num_round = 100"
    if ("num_class" in given) != objective.startswith("multi:"):
        cure = "leave it out" if "num_class" in given else "add it"
        yield f"{where}: num_class belongs to the objectives multi:… and to no other: {cure}"


def of_estimator(project: Project, where: str) -> Iterator[str]:
    if importlib.util.find_spec("sklearn") is None:
        return  # start.py does not need it: Studio has it, a build may not
    from steps.train import ESTIMATORS  # scikit-learn is heavy

    estimator = ESTIMATORS[project.task]
    known = inspect.signature(estimator).parameters
    for name in project.hyperparameters:
        if name not in known:
            yield f"{where}: {estimator.__name__} of steps/train.py has no {name}: it has {', '.join(known)}"


def of_steps(folder: Path) -> Iterator[str]:
    """The steps are there, and the containers' Python reads them."""
    for name in NEEDED:
        if not (folder / name).is_file():
            yield f"steps/{name} is missing: the pipeline runs it"
    for file in sorted(folder.glob("*.py")):
        try:
            ast.parse(file.read_text(encoding="utf-8"), feature_version=CONTAINER_PYTHON)
        except SyntaxError as error:
            oldest = ".".join(map(str, CONTAINER_PYTHON))
            yield f"steps/{file.name}, line {error.lineno}: {error.msg}. The containers run Python {oldest} or newer"


# -- the data ----------------------------------------------------------------------------------


def of_columns(project: Project, table: Table) -> Iterator[str]:
    name, columns = project.file.name, ", ".join(table.names)
    if isinstance(project.label, int) and project.label > len(table.names):
        yield f"{setting(project, 'label')}: {name} has {len(table.names)} columns, and no column {project.label}"
    elif project.label_name not in table.names:
        yield f"{setting(project, 'label')}: the header of {name} has no column {project.label}. It has {columns}"
    if project.header and any(is_number(value) for value in table.names):
        yield f"{name}, row 1 holds numbers, no names: write a header, or give label the number of its column"
    for column, times in Counter(table.names).items():
        if times > 1:
            yield f"{name}, row 1: {times} columns are named {column!r}: name each differently"
    for key in ("categories", "ignore"):
        for column in getattr(project, key):
            if column not in table.names:
                yield f"{setting(project, key)}: {name} has no column {column}. It has {columns}"
    if project.label_name in {*project.categories, *project.ignore}:
        yield f"{setting(project, 'label')}: {project.label} is among categories or ignore too: it is what is learnt"
    if not project.features:
        yield f"{name} has no column besides the label: there is nothing to learn from"
    if project.framework == "xgboost" and project.categories:
        yield f"{setting(project, 'categories')}: SageMaker's XGBoost takes numbers alone: encode them, or take sklearn"


def of_rows(project: Project, table: Table) -> Iterator[str]:
    name, least = project.file.name, LEAST_ROWS[project.pipeline]
    if len(table.rows) < least:
        yield f"{name} has {len(table.rows)} rows: {least} are needed to train, to validate and to test"
    yield from first(of_label(project, table), f"{name}, the label {project.label_name}")
    for column in project.features:
        if column not in project.categories:
            yield from first(of_number(project, table, column), f"{name}, column {column}")
    yield from of_classes(project, table.column(project.label_name))


def first(findings: Iterator[str], of: str) -> Iterator[str]:
    """The first findings of a kind, and how many more there are."""
    for number, finding in enumerate(findings):
        if number == SHOWN:
            yield f"{of}: and {1 + sum(1 for _ in findings)} more rows like these"
            return
        yield finding


def of_label(project: Project, table: Table) -> Iterator[str]:
    numeric = project.framework == "xgboost" or project.task == "regression"
    for at, value in enumerate(table.column(project.label_name)):
        where = f"{project.file.name}, row {table.numbers[at]}: the label"
        if not value:
            if project.unlabelled != "drop" or project.pipeline == "short":
                cure = 'fill it in, or set unlabelled = "drop"' if project.pipeline == "full" else "fill it in"
                yield f"{where} is missing: {cure}"
        elif numeric and not is_number(value):
            header = (
                "; a file with a header needs the label's name in project.toml"
                if not project.header and at == 0
                else ""
            )
            yield f"{where} is {value!r}, no number{header}"


def of_number(project: Project, table: Table, column: str) -> Iterator[str]:
    for at, value in enumerate(table.column(column)):
        if value and not is_number(value):
            where = f"{project.file.name}, row {table.numbers[at]}: {column} is {value!r}, no number"
            yield f"{where}: correct it, or name the column in categories or ignore"


def of_classes(project: Project, labels: list[str]) -> Iterator[str]:
    if project.task == "regression":
        return
    name, counted = project.file.name, Counter(label for label in labels if label)
    least, where = LEAST_OF_A_CLASS[project.pipeline], setting(project, "label")
    if len(counted) < 2:
        yield f"{where}: {name} holds {len(counted)} class: two are needed to learn a difference"
    for label, times in sorted(counted.items()):
        if times < least:
            yield f"{name}: the class {label} has {times} rows: {least} are needed, so that it is trained and tested"
    if project.task == "binary":
        if len(counted) > 2:
            yield f'{setting(project, "task")}: {name} holds {len(counted)} classes: write task = "multiclass"'
        if project.pipeline == "full" and project.positive not in counted:
            yield f"{setting(project, 'positive')} is {project.positive!r}: name one of {', '.join(sorted(counted))}"
    if project.framework == "xgboost":
        yield from of_numbered_classes(project, {float(label) for label in counted if is_number(label)})


def of_numbered_classes(project: Project, labels: set[float]) -> Iterator[str]:
    """SageMaker's XGBoost numbers its classes from 0."""
    classes = 2 if project.task == "binary" else project.hyperparameters.get("num_class")
    if isinstance(classes, int) and not labels <= set(range(classes)):
        wrong = ", ".join(f"{label:g}" for label in sorted(labels - set(range(classes)))[:SHOWN])
        yield (
            f"{setting(project, 'hyperparameters')}: with {classes} classes the labels are 0 to {classes - 1}, and "
            f"{project.file.name} has {wrong}: correct num_class, or number the classes from 0"
        )
