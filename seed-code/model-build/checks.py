"""All that is wrong with a model, its data and its steps, before anything is paid for. Nothing here talks to AWS.

Each finding says where it is and what to do.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from definition import ECR_IMAGE, IMAGE_ACCOUNTS, IMAGES
from hyperparameters import is_reported, of_goal, of_xgboost
from project import FILE, Project, step_files
from steps.common import Table, UserError, is_number, read_table
from steps.metrics import NAMES

LEAST_ROWS = {"short": 5, "full": 20}
LEAST_OF_A_CLASS = {"short": 1, "full": 5}  # so that each part has one of them
SHOWN = 3  # findings of a kind
OBJECTIVES = {"multiclass": ("multi:",), "binary": ("binary:",), "regression": ("reg:", "count:", "survival:", "rank:")}
CONTAINER_PYTHON = (3, 9)  # the oldest Python of SageMaker's images
VARIABLE, MOST_VARIABLES, LONGEST_VALUE = re.compile("[a-zA-Z_][a-zA-Z0-9_]*"), 100, 1024
LONGEST_REGEX, MOST_METRICS = 500, 40  # API Reference, MetricDefinition and AlgorithmSpecification
LONGEST_HYPERPARAMETER = 2500  # API Reference, CreateTrainingJob, HyperParameters
INFINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)  # what Python's float reads besides numbers
SET_HERE = {"sklearn": ("SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY")}
NEEDED = ("preprocess.py", "train.py", "evaluate.py", "inference.py", "common.py")
ACCELERATED, CURE = re.compile(r"ml\.(g|p|inf|trn|dl)[0-9]"), "take one without, for example ml.m5.large"
INSTANCES = {"training_instance": "training", "processing_instance": "processing"}


def check(project: Project, region: str, instances: Mapping[str, list[str]]) -> Table:
    """The data; UserError with every finding. instances: the types that a job of each kind may have"""
    steps = list(of_steps(step_files(project.root)))
    found = [
        *in_place(project, region, instances),
        *of_image(project, region),
        *of_environment(project),
        *of_metrics(project),
        *of_hyperparameters(project),
        *(steps or of_estimator(project)),
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
    if region not in IMAGE_ACCOUNTS and project.framework in IMAGES:
        yield f"SageMaker has no {project.framework} image in {region}: train in one of {', '.join(IMAGE_ACCOUNTS)}"
    for key, kind in INSTANCES.items():
        used = kind == "training" or project.pipeline == "full"
        if used and (value := getattr(project, key)) not in instances[kind]:
            yield f"{setting(project, key)}: no {kind} job runs on {value}. {near(value, instances[kind])}"
    for value in project.serving_instances:
        if value not in instances["serving"]:
            examples = near(value, instances["serving"])
            yield f"{setting(project, 'serving_instances')}: no endpoint runs on {value}. {examples}"
    if project.framework == "sklearn":
        yield from on_accelerators(project)
    if project.framework == "sklearn" and project.pipeline == "short":
        yield f'{setting(project, "pipeline")}: sklearn takes "full": its metrics come from steps/evaluate.py'
    if project.framework == "container" and project.pipeline == "full":
        yield f'{setting(project, "pipeline")}: an own container takes "short": it prints its metrics as it trains'


def on_accelerators(project: Project) -> Iterator[str]:
    """Its image is made for processors alone, as its tag says ("Docker Registry Paths", sagemaker-scikit-learn)."""
    for key in (*INSTANCES, "serving_instances"):
        value = getattr(project, key)
        for one in value if isinstance(value, tuple) else (value,):
            if ACCELERATED.match(one):
                yield f"{setting(project, key)}: {one} has an accelerator, and scikit-learn's image uses none: {CURE}"


def near(value: str, known: list[str]) -> str:
    """Types of the same family, or the smallest ones."""
    family = value.rpartition(".")[0] + "."
    return "Examples: " + ", ".join([k for k in known if k.startswith(family)][:SHOWN] or known[:SHOWN])


def of_image(project: Project, region: str) -> Iterator[str]:
    where, value = setting(project, "image"), project.image
    if project.framework != "container":
        if value:
            yield f'{where}: {project.framework} has SageMaker\'s image: leave it out, or write framework = "container"'
        return
    found = ECR_IMAGE.fullmatch(value)
    if not found or not (found["tag"] or found["digest"]):
        yield f"{where} is {value!r}: write the repository of Amazon ECR with a tag, for example team/churn:7"
    elif found["tag"] == "latest":
        yield f"{where} is {value!r}: latest is another image tomorrow: give it a tag of its own, such as team/churn:7"
    elif found["region"] and found["region"] != region:
        yield f"{where}: it is in {found['region']}, and SageMaker takes images of its own Region: push it to {region}"


def of_environment(project: Project) -> Iterator[str]:
    """API Reference, ModelPackageContainerDefinition: at most 100 variables of at most 1,024 characters."""
    where = setting(project, "environment")
    if len(project.environment) > MOST_VARIABLES:
        yield f"{where}: {len(project.environment)} variables are too many: a version takes {MOST_VARIABLES}"
    for name, value in project.environment.items():
        if not VARIABLE.fullmatch(name):
            yield f"{where}: {name!r} is no name of a variable: write letters, digits and underscores"
        elif not isinstance(value, str) or len(value) > LONGEST_VALUE:
            yield f"{where}: {name} is {str(value)[:20]!r}: write a text of at most {LONGEST_VALUE} characters"
        elif name in SET_HERE.get(project.framework, ()):
            yield f"{where}: {name} is set by definition.py: leave it out"


def of_metrics(project: Project) -> Iterator[str]:
    """Register would fail for a metric that nothing measures, after the training was paid for."""
    if project.framework == "container":
        yield from of_expressions(project)
        return
    if project.pipeline == "full":
        known = set(NAMES[project.task])
        where = f"the evaluation of a {project.task} model measures {', '.join(NAMES[project.task])}"
    else:
        given = str(project.hyperparameters.get("eval_metric", ""))
        names = [name for name in given.replace(" ", "").split(",") if name and is_reported(name)]
        known = {f"{channel}:{name}" for channel in ("train", "validation") for name in names}
        where = f"the training measures {', '.join(sorted(known)) or 'nothing'}: see hyperparameters, eval_metric"
    for name, metric in project.metrics.items():
        if name not in known:
            yield f"{setting(project, 'metrics')}: {name} is not measured; {where}"
        else:
            yield from (f"{setting(project, 'metrics')}: {finding}" for finding in of_goal(name, metric))


def of_expressions(project: Project) -> Iterator[str]:
    """An own container's metrics are read from its log (Developer Guide, "Define Metrics")."""
    if len(project.metrics) > MOST_METRICS:
        yield f"{setting(project, 'metrics')}: {len(project.metrics)} are too many: a training job takes {MOST_METRICS}"
    for name, metric in project.metrics.items():
        where = f"{setting(project, 'metrics')}: {name}"
        if len(metric.get("regex", "")) > LONGEST_REGEX:
            yield f"{where}: regex is too long: write at most {LONGEST_REGEX} characters"
        try:
            groups = re.compile(metric.get("regex", "")).groups
        except re.error as error:
            yield f"{where}: regex is no regular expression: {error}"
            continue
        if groups != 1:
            yield f'{where}: regex must hold one pair of brackets around the number, for example "{name}=([0-9.]+)"'


def of_hyperparameters(project: Project) -> Iterator[str]:
    given, where = project.hyperparameters, setting(project, "hyperparameters")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            yield f"{where}: {name} is {value!r}: write a text or a number"
        elif len(str(value)) > LONGEST_HYPERPARAMETER or "\n" in str(value):
            yield f"{where}: {name} is too long: write one line of at most {LONGEST_HYPERPARAMETER} characters"
    if project.framework != "xgboost":
        return
    objective, wanted = str(given.get("objective", "reg:squarederror")), OBJECTIVES[project.task]
    if not objective.startswith(wanted):
        yield f"{where}: {objective} is no objective of a {project.task} model: take one that begins with {wanted[0]}"
    if "num_round" not in given:
        yield f"{where}: num_round is missing, and SageMaker's XGBoost needs it. Example: num_round = 100"
    if ("num_class" in given) != objective.startswith("multi:"):
        cure = "leave it out" if "num_class" in given else "add it"
        yield f"{where}: num_class belongs to the objectives multi:… and to no other: {cure}"
    yield from (f"{where}: {finding}" for finding in of_xgboost(given))


def of_estimator(project: Project) -> Iterator[str]:
    if project.framework != "sklearn" or importlib.util.find_spec("sklearn") is None:
        return  # start.py does not need it: Studio has it, a build may not
    try:
        from steps.train import ESTIMATORS  # scikit-learn is heavy

        estimator = ESTIMATORS[project.task]
    except Exception as error:  # the team's own code
        yield f"steps/train.py, ESTIMATORS: {type(error).__name__}: {error}: correct it, or install what it imports"
        return
    where, known = setting(project, "hyperparameters"), inspect.signature(estimator).parameters
    unknown = [name for name in project.hyperparameters if name not in known]
    for name in unknown:
        yield f"{where}: {estimator.__name__} of steps/train.py has no {name}: it has {', '.join(known)}"
    if unknown:
        return
    try:  # as `fit` begins ("Developing scikit-learn estimators"); another library's estimator may lack it
        getattr(estimator(**project.hyperparameters), "_validate_params", int)()
    except (TypeError, ValueError) as error:
        yield f"{where}: {error}"


def of_steps(files: Mapping[str, Path]) -> Iterator[str]:
    """The steps are there, and the containers' Python reads them."""
    for name in NEEDED:
        if name not in files:
            yield f"steps/{name} is missing: the pipeline runs it"
    if "requirements.txt" in files:  # Evaluate loads the model too, and a processing job installs nothing
        yield "steps/requirements.txt is installed by no step: take it out, or bring an image that has its packages"
    for name in (name for name in files if name.endswith(".py")):
        try:
            ast.parse(files[name].read_text(encoding="utf-8"), feature_version=CONTAINER_PYTHON)
        except SyntaxError as error:
            oldest = ".".join(map(str, CONTAINER_PYTHON))
            yield f"steps/{name}, line {error.lineno}: {error.msg}. The containers run Python {oldest} or newer"


# -- the data ----------------------------------------------------------------------------------


def of_columns(project: Project, table: Table) -> Iterator[str]:
    name, columns = project.file.name, ", ".join(table.names)
    if isinstance(project.label, int) and project.label > len(table.names):
        yield f"{setting(project, 'label')}: {name} has {len(table.names)} columns, and no column {project.label}"
    elif project.label_name not in table.names:
        yield f"{setting(project, 'label')}: the header of {name} has no column {project.label}. It has {columns}"
    if project.header and any(is_number(value) for value in table.names):
        yield f"{name}, row 1 holds numbers, no names: write a header, or give label the number of its column"
    yield from of_header(name, table)
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


def of_header(name: str, table: Table) -> Iterator[str]:
    """pandas writes the numbers of the rows as a column without a name, and a model would learn from them."""
    for column, times in Counter(table.names).items():
        if not column:
            place = table.names.index(column) + 1
            yield f"{name}, row 1: column {place} has no name: name it, or write the file without the rows' numbers"
        elif times > 1:
            yield f"{name}, row 1: {times} columns are named {column!r}: name each differently"


def of_rows(project: Project, table: Table) -> Iterator[str]:
    name, least = project.file.name, LEAST_ROWS[project.pipeline]
    if len(table.rows) < least:
        yield f"{name} has {len(table.rows)} rows: {least} are needed to train, to validate and to test"
    yield from first(of_label(project, table), f"{name}, the label {project.label_name}")
    for column in project.features:
        if not any(table.column(column)):
            yield f"{name}, column {column} has no value: take it out, or name it in ignore"
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
        elif not numeric and INFINITE.fullmatch(value):
            yield f"{where} is {value!r}, which answers in JSON cannot hold: write another word"


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
