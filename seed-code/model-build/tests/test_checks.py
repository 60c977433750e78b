"""What start.py refuses before anything is paid for: each mistake with its place and its cure. No AWS, no training."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import checks
import project
import pytest
import start
import steps
from botocore.exceptions import ClientError, NoCredentialsError
from steps.common import UserError

INSTANCES = {kind: ["ml.m5.large", "ml.m5.xlarge", "ml.t3.medium"] for kind in ("training", "processing", "serving")}
BOOSTED = """
model = "mine"
[mine]
description = "Mine"
framework = "xgboost"
pipeline = "short"
task = "multiclass"
data = "data/mine.csv"
label = "kind"
[mine.hyperparameters]
objective = "multi:softmax"
num_class = 2
num_round = 5
eval_metric = "merror"
[mine.metrics]
"validation:merror" = { goal = "minimize", bound = 0.5 }
"""
LEARNT = """
model = "mine"
[mine]
description = "Mine"
framework = "sklearn"
task = "binary"
data = "data/mine.csv"
label = "kind"
positive = "1"
categories = ["colour"]
[mine.hyperparameters]
n_estimators = 5
[mine.metrics]
accuracy = { goal = "maximize", bound = 0.5 }
"""
OWN = """
model = "mine"
[mine]
description = "Mine"
framework = "container"
pipeline = "short"
image = "team/mine:1"
task = "regression"
data = "data/mine.csv"
label = "kind"
environment = { LEVEL = "1" }
[mine.hyperparameters]
depth = 3
[mine.metrics]
loss = { goal = "minimize", regex = "loss=([0-9.]+);" }
"""
FORTY = "".join(f'm{n} = {{ goal = "minimize", regex = "(1)" }}\n' for n in range(40))
ROWS = "kind,size,colour\n" + "0,1.5,1\n1,2.5,2\n" * 12


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with these steps and data of its own."""
    shutil.copytree(project.ROOT / "steps", tmp_path / "steps", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "project.toml").write_text(BOOSTED, encoding="utf-8")
    return tmp_path


def refused(repository: Path, region: str = "us-east-1") -> str:
    with pytest.raises(UserError) as refusal:
        checks.check(project.read(repository), region, INSTANCES)
    return str(refusal.value)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("text", [BOOSTED, LEARNT, OWN])
def test_what_is_right_is_let_through(repository: Path, text: str) -> None:
    (repository / "project.toml").write_text(text, encoding="utf-8")
    table = checks.check(project.read(repository), "us-east-1", INSTANCES)
    assert (len(table.rows), table.names) == (24, ["kind", "size", "colour"])


@pytest.mark.parametrize("name", ["iris", "penguins"])
def test_the_examples_are_right(name: str) -> None:
    if f"[{name}]" not in (project.ROOT / "project.toml").read_text(encoding="utf-8"):
        pytest.skip("this example was removed")
    known = [*INSTANCES["training"], "ml.t2.medium"]
    checks.check(project.read(model=name), "us-east-1", dict.fromkeys(INSTANCES, known))


@pytest.mark.parametrize(
    ("old", "new", "place", "cure"),
    [
        ('model = "mine"', 'model = "mime"', r"project.toml: model is 'mime'", r"name one of mine"),
        ('framework = "xgboost"', 'framework = "pytorch"', r"framework is 'pytorch'", r"write xgboost or sklearn"),
        ('task = "multiclass"', 'tasks = "multiclass"', r"\[mine\]: tasks is no setting", r"framework, task, data"),
        ("[mine]", "[mine", r"project.toml cannot be read: .*line 3", r"Expected"),
        ('data = "data/mine.csv"', 'data = "mine.csv"', r"mine.csv does not exist", r"name another file"),
        ('label = "kind"', 'label = "Kind"', r"\] label: the header .* has no column Kind", r"kind, size, colour"),
        ('label = "kind"', "label = 9", r"\] label: mine.csv has 3 columns", r"no column 9"),
        ('label = "kind"', "label = 1", r"row 1: the label is 'kind'", r"a file with a header needs the label's name"),
        ("num_class = 2", "num_class = 1", r"\] hyperparameters: with 1 classes", r"correct num_class"),
        ("num_round = 5", "", r"\] hyperparameters: num_round is missing", r"num_round = 100"),
        ('"multi:softmax"', '"reg:squarederror"', r"is no objective of a multiclass", r"begins with multi:"),
        ('"validation:merror"', "accuracy", r"\] metrics: accuracy is not measured", r"measures train:merror"),
        ("bound = 0.5", 'bound = "0.5"', r"the bound of validation:merror is '0.5'", r"write a number"),
        ('"minimize"', '"less"', r"metrics: validation:merror is", r'goal = "maximize", bound = 0.8'),
        (
            'label = "kind"',
            'label = "kind"\ntraining_instance = "ml.m5.big"',
            r"no training job runs on",
            r"ml.m5.large",
        ),
        ('label = "kind"', 'label = "kind"\nserving_instances = ["m5"]', r"no endpoint runs on m5", r"ml.m5.large"),
        ('label = "kind"', 'label = "kind"\ncategories = ["colour"]', r"takes numbers alone", r"take sklearn"),
        ("num_round = 5", "num_round = 5\nmax_dept = 2", r"\] hyperparameters: .* has no max_dept", r"max_depth"),
        ("num_round = 5", "num_round = 0", r"\] hyperparameters: num_round is 0", r"write a whole number, 1 or more"),
        ("num_round = 5", "num_round = 5\neta = 20", r"eta is 20", r"write a number, 0 to 1$"),
        ("num_round = 5", "num_round = 5\nsubsample = 0", r"subsample is 0", r"write a number, 0 to 1, not 0$"),
        ("num_round = 5", "num_round = 5\nalpha = 'much'", r"alpha is 'much'", r"write a number, 0 or more"),
        ("multi:softmax", "multi:softmx", r"objective is 'multi:softmx'", r"write one of .*multi:softmax"),
        ('"merror"', '"merror,mlogless"', r"eval_metric: XGBoost measures no mlogless", r"it measures .*mlogloss"),
        ('"merror"', '"merror, mlogloss"', r"eval_metric is 'merror, mlogloss'", r"write commas without spaces"),
        ('"merror"', '"merror,auc"', r"eval_metric: auc belongs to the objectives binary", r"take another one"),
        (
            '"minimize"',
            '"maximize"',
            r"\] metrics: validation:merror: less of it is better",
            r'write goal = "minimize"',
        ),
        ("bound = 0.5", "bound = 15", r"validation:merror is 0 to 1: the bound 15 says nothing", r"correct it"),
        ("bound = 0.5", "bound = nan", r"the bound of validation:merror is nan", r"write a number"),
        ('"Mine"', '"""Mine\n"""', r"description is not one line", r"of at most 1024 characters: shorten it"),
        ('"Mine"', f'"{"x" * 1025}"', r"description is not one line", r"of at most 1024 characters: shorten it"),
        ('"validation:merror"', '"merror (%)"', r"metrics: the name 'merror \(%\)'", r"write at most 63 letters"),
        ('label = "kind"', 'label = "kind"\nignore = ["weight"]', r"no column weight", r"It has kind, size, colour"),
        ('label = "kind"', 'label = "kind"\nserving_instances = []', r"serving_instances is empty", r"name one"),
        ('label = "kind"', 'label = "kind"\npositive = "1"', r"positive belongs to task = .binary.", r"leave it out"),
        (
            "data/mine.csv",
            "../mine.csv",
            r"\] data is '\.\./mine\.csv', outside the repository",
            r"put the file into data/",
        ),
        (
            "data/mine.csv",
            "s3://mine/mine.csv",
            r"\] data is 's3://mine/mine.csv', outside",
            r"put the file into data/",
        ),
        (
            '"merror"\n[mine.metrics]\n"validation:merror"',
            '"error@0.7,merror"\n[mine.metrics]\n"validation:error@0.7"',
            r"metrics: validation:error@0.7 is not measured",
            r"the training measures train:merror, validation:merror",
        ),
    ],
)
def test_mistakes_in_project_toml_are_refused(repository: Path, old: str, new: str, place: str, cure: str) -> None:
    edit(repository / "project.toml", old, new)
    said = refused(repository)
    assert re.search(place, said), said
    assert re.search(cure, said), said


@pytest.mark.parametrize(
    ("old", "new", "place", "cure"),
    [
        ("1,2.5,2\n", "1,2.5\n", r"mine.csv, row 3 has 2 columns", r"nothing between two commas"),
        ("1,2.5,2\n", "1,tall,2\n", r"mine.csv, row 3: size is 'tall'", r"name the column in categories or ignore"),
        ("1,2.5,2\n", "1,inf,2\n", r"mine.csv, row 3: size is 'inf', no number", r"correct it"),
        ("1,2.5,2\n", "1,2_5,2\n", r"mine.csv, row 3: size is '2_5', no number", r"correct it"),
        ("1,2.5,2\n", ",2.5,2\n", r"mine.csv, row 3: the label is missing", r"fill it in"),
        ("1,2.5,2\n", "7,2.5,2\n", r"mine.csv has 7", r"number the classes from 0"),
        ("1,2.5,2\n", "one,2.5,2\n", r"row 3: the label is 'one'", r"no number"),
        ("kind,size,colour\n", "kind,size,size\n", r"row 1: 2 columns are named 'size'", r"name each differently"),
        (ROWS, "kind,size,colour\n0,1,2\n", r"mine.csv has 1 rows", r"5 are needed"),
        (ROWS, "kind\n0\n1\n", r"mine.csv has no column besides the label", r"nothing to learn from"),
        (ROWS, "kind,size\n" + "1,2\n" * 9, r"mine.csv holds 1 class", r"two are needed"),
        (ROWS, ROWS.replace(",", ";"), r"mine.csv separates its columns with ';'", r"write commas"),
        (ROWS, ROWS.replace(",", "\t"), r"mine.csv separates its columns with '\\t'", r"write commas"),
        (ROWS, "\n", r"mine.csv is empty", r"write one row a line"),
        (ROWS, "kind,size,colour\n" + "0,,1\n1,,2\n" * 12, r"mine.csv, column size has no value", r"take it out"),
        ("kind,size,colour\n", "kind,,colour\n", r"row 1: column 2 has no name", r"without the rows' numbers"),
        ("kind,size,colour\n", "0,1,2\n", r"no column kind", r"label the number of its column"),
    ],
)
def test_mistakes_in_the_data_are_refused(repository: Path, old: str, new: str, place: str, cure: str) -> None:
    edit(repository / "data/mine.csv", old, new)
    said = refused(repository)
    assert re.search(place, said), said
    assert re.search(cure, said), said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("n_estimators", "n_trees", "RandomForestClassifier of steps/train.py has no n_trees: it has n_estimators"),
        ("n_estimators = 5", "n_estimators = 0", "hyperparameters: The 'n_estimators' parameter of RandomForestClass"),
        ('"maximize"', '"minimize"', 'metrics: accuracy: less of it is worse: write goal = "maximize"'),
        ("bound = 0.5", "bound = 80", "metrics: accuracy is 0 to 1: the bound 80 says nothing: correct it"),
        ("accuracy", "merror", "merror is not measured; the evaluation of a binary model measures accuracy, precision"),
        ('positive = "1"', 'positive = "yes"', "positive is 'yes': name one of 0, 1"),
        ('task = "binary"', 'task = "binary"\npipeline = "short"', 'sklearn takes "full"'),
        (
            'task = "binary"',
            'task = "binary"\ntraining_instance = "ml.g5.xlarge"',
            "has an accelerator, and scikit-learn",
        ),
        (
            'task = "binary"',
            'task = "binary"\nserving_instances = ["ml.m5.large", "ml.inf1.xlarge"]',
            "serving_instances: ml.inf1.xlarge has an accelerator, and scikit-learn's image uses none: take one",
        ),
        ('task = "binary"', 'task = "binary"\nprocessing_instance = "ml.p9.huge"', "no processing job runs on ml.p9"),
    ],
)
def test_mistakes_of_a_model_of_ones_own_are_refused(repository: Path, old: str, new: str, said: str) -> None:
    (repository / "project.toml").write_text(LEARNT, encoding="utf-8")
    edit(repository / "project.toml", old, new)
    assert said in refused(repository)


def test_a_label_that_answers_cannot_hold_is_refused(repository: Path) -> None:
    (repository / "project.toml").write_text(LEARNT, encoding="utf-8")
    edit(repository / "data/mine.csv", "1,2.5,2\n", "-Inf,2.5,2\n")
    assert "mine.csv, row 3: the label is '-Inf', which answers in JSON cannot hold" in refused(repository)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("team/mine:1", "team/mine", "image is 'team/mine': write the repository of Amazon ECR with a tag"),
        ("team/mine:1", "team/mine:latest", "latest is another image tomorrow"),
        ("team/mine:1", "111111111111.dkr.ecr.eu-west-1.amazonaws.com/mine:1", "push it to us-east-1"),
        ('"short"', '"full"', 'an own container takes "short"'),
        ("([0-9.]+)", "[0-9.]+", "loss: regex must hold one pair of brackets around the number"),
        ("([0-9.]+)", "([0-9.]+", "loss: regex is no regular expression"),
        ("([0-9.]+)", f"({'[0-9.]' * 90})", "loss: regex is too long: write at most 500 characters"),
        ("loss = {", f"{FORTY}loss = {{", "41 are too many"),
        ('LEVEL = "1"', '"NO-NAME" = "1"', "'NO-NAME' is no name of a variable"),
        ('LEVEL = "1"', "LEVEL = 1", "LEVEL is '1': write a text of at most 1024 characters"),
        ('framework = "container"', 'framework = "xgboost"', 'leave it out, or write framework = "container"'),
        ("depth = 3", f'depth = "{"x" * 2501}"', "depth is too long: write one line of at most 2500 characters"),
        ("depth = 3", "depth = [3]", "depth is [3]: write a text or a number"),
    ],
)
def test_mistakes_of_an_own_container_are_refused(repository: Path, old: str, new: str, said: str) -> None:
    (repository / "project.toml").write_text(OWN, encoding="utf-8")
    edit(repository / "project.toml", old, new)
    assert said in refused(repository)


def test_an_image_that_is_not_there_is_refused_and_one_that_may_not_be_looked_for_is_not() -> None:
    class Registry:
        code = "RepositoryNotFoundException"

        def batch_get_image(self, **_: object) -> dict[str, Any]:
            if self.code == "ImageNotFound":
                return {"images": [], "failures": [{"failureCode": self.code, "failureReason": "absent"}]}
            raise ClientError({"Error": {"Code": self.code, "Message": "absent"}}, "BatchGetImage")

    registry: Any = Registry()
    for code in ("RepositoryNotFoundException", "ImageNotFound"):
        registry.code = code
        with pytest.raises(UserError, match=r"team/mine:1 is not there: push it, or correct image\. absent"):
            start.check_image(registry, "111111111111.dkr.ecr.us-east-1.amazonaws.com/team/mine:1")
    registry.code = "AccessDeniedException"
    start.check_image(registry, "111111111111.dkr.ecr.us-east-1.amazonaws.com/team/mine:1")


def test_a_check_without_credentials_says_that_the_own_image_was_not_looked_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "project.toml").write_text(OWN, encoding="utf-8")
    monkeypatch.setattr(start, "read", lambda: project.read(repository))
    monkeypatch.setattr(start, "instances", lambda sagemaker: INSTANCES)

    def account(made: Any) -> str:
        raise NoCredentialsError

    monkeypatch.setattr(start, "account_of", account)
    here = ["--project", "mine", "--region", "us-east-1"]
    assert start.main([*here, "--check"]) == 0
    assert "the image team/mine:1 was not looked for" in capsys.readouterr().err
    with pytest.raises(NoCredentialsError):
        start.main(here)


def test_variables_that_the_kit_sets_itself_are_refused(repository: Path) -> None:
    named = 'categories = ["colour"]\nenvironment = { SAGEMAKER_PROGRAM = "mine.py" }'
    text = LEARNT.replace('categories = ["colour"]', named)
    (repository / "project.toml").write_text(text, encoding="utf-8")
    assert "SAGEMAKER_PROGRAM is set by definition.py: leave it out" in refused(repository)


def test_all_files_of_steps_go_along_but_caches_and_hidden_ones(repository: Path) -> None:
    (repository / "project.toml").write_text(LEARNT, encoding="utf-8")
    for name in ("words/__init__.py", "words/stop.txt", "__pycache__/a.pyc", ".ipynb_checkpoints/train.py"):
        (repository / "steps" / name).parent.mkdir(exist_ok=True)
        (repository / "steps" / name).write_text("", encoding="utf-8")
    files = start.code_files(project.read(repository))
    assert {"files/steps/words/__init__.py", "files/steps/words/stop.txt", "files/train.py"} <= set(files)
    assert not [name for name in files if "pycache" in name or "ipynb" in name]


def test_steps_that_the_containers_cannot_run_are_refused(repository: Path) -> None:
    (repository / "steps/inference.py").unlink()
    edit(repository / "steps/train.py", "def labels(", "match 1:\n    case 1:\n        pass\n\n\ndef labels(")
    (repository / "steps/words").mkdir()
    (repository / "steps/words/old.py").write_text("print 1", encoding="utf-8")
    (repository / "steps/requirements.txt").write_text("lightgbm", encoding="utf-8")
    said = refused(repository)
    assert "steps/inference.py is missing" in said
    assert "steps/words/old.py, line 1: " in said
    assert "steps/requirements.txt is installed by no step: take it out, or bring an image that has its pack" in said
    assert re.search(r"steps/train.py, line [0-9]+: .* The containers run Python 3\.9 or newer", said)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "import absent_library",
            "steps/train.py, ESTIMATORS: ModuleNotFoundError: No module named 'absent_library': corr",
        ),
        ("ESTIMATORS = {}", "steps/train.py, ESTIMATORS: KeyError: 'binary': correct it, or install what it imports"),
        ("def", "steps/train.py, line 1: invalid syntax. The containers run Python 3.9 or newer"),
    ],
)
def test_an_own_train_that_cannot_be_imported_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    (repository / "project.toml").write_text(LEARNT, encoding="utf-8")
    (repository / "steps/train.py").write_text(code, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "steps.train", raising=False)
    monkeypatch.setattr(steps, "__path__", [str(repository / "steps")])
    monkeypatch.delattr(steps, "train", raising=False)
    assert said in refused(repository)
    sys.modules.pop("steps.train", None)


def test_a_region_without_the_image_and_every_other_finding_are_said_at_once(repository: Path) -> None:
    edit(repository / "project.toml", '"validation:merror"', "accuracy")
    edit(repository / "data/mine.csv", "1,2.5,2\n", "1,tall,2\n")
    lines = refused(repository, "xx-north-1").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("SageMaker has no xgboost image in xx-north-1: train in one of af-south-1")


def test_many_rows_with_the_same_mistake_are_counted(repository: Path) -> None:
    (repository / "data/mine.csv").write_text(ROWS.replace("2.5", "tall"), encoding="utf-8")
    lines = refused(repository).splitlines()
    assert len(lines) == 4
    assert lines[3] == "mine.csv, column size: and 9 more rows like these"
