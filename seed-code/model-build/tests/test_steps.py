"""The steps, function by function, on small tables of their own."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import start
from project import ROOT, read
from sklearn import metrics as reference
from steps import baseline, evaluate, inference, preprocess, train
from steps.common import Settings, Table, UserError, read_table, write_rows
from steps.metrics import Answer, report
from steps.payloads import payload
from steps.report import page

SETTINGS = Settings(
    model="mine",
    framework="sklearn",
    task="binary",
    data="data/mine.csv",
    label="kind",
    features=["size", "colour"],
    categories=["colour"],
    positive="yes",
    unlabelled="drop",
    hyperparameters={"n_estimators": 5, "random_state": 1},
    metrics={"accuracy": {"goal": "maximize", "bound": 0.99}},
)
ROWS = [["yes", "3", "red"], ["no", "1", "blue"], ["yes", "NA", "red"], ["no", "", "blue"]] * 10


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("model")
    for name in ("train", "validation"):
        write_rows(tmp_path / name / f"{name}.csv", ROWS)
    train.train(tmp_path / "train", tmp_path / "validation", tmp_path / "model", SETTINGS, SETTINGS.hyperparameters)
    return tmp_path / "model"


@pytest.mark.parametrize("text", ["1, 2.5, 3\n", '"1"," 2.5 ",3\r\n', "\ufeff1,2.5,3\n\n"])
def test_a_table_is_read_whatever_blanks_and_quotes_it_has(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.csv").write_text(text + "0, , 4\n" * 441, encoding="utf-8")
    table = read_table(tmp_path / "data.csv", header=False)
    assert (table.names, len(table.rows)) == (["column 1", "column 2", "column 3"], 442)
    assert (table.rows[0], table.rows[1]) == (["1", "2.5", "3"], ["0", "", "4"])


def test_rows_without_a_label_are_left_out_and_the_label_comes_first() -> None:
    table = Table(["size", "kind", "colour"], [["1", "yes", "red"], ["2", "", "blue"]], [2, 3])
    assert preprocess.clean(table, SETTINGS) == [["yes", "1", "red"]]
    with pytest.raises(UserError, match="1 rows have no label"):
        preprocess.clean(table, replace(SETTINGS, unlabelled="refuse"))


def test_each_part_has_rows_of_each_class_and_none_twice() -> None:
    rows = [["yes", str(number)] for number in range(40)] + [["no", str(number)] for number in range(40, 50)]
    parts = preprocess.split(rows, stratify=True)
    assert {name: len(part) for name, part in parts.items()} == {"train": 34, "validation": 8, "test": 8}
    assert all({row[0] for row in part} == {"yes", "no"} for part in parts.values())
    assert sorted(row for part in parts.values() for row in part) == sorted(rows)
    assert preprocess.split(rows, stratify=True) == parts


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("3,red\n,blue\n", "text/csv"),
        (b'{"instances": [{"size": 3, "colour": "red"}, {"colour": "blue"}]}', "application/json"),
        ('{"instances": [["3", "red"], [null, "blue"]]}', "application/json; charset=utf-8"),
    ],
)
def test_requests_are_answered_in_every_form(model_dir: Path, body: str | bytes, kind: str) -> None:
    loaded = inference.model_fn(str(model_dir))
    answers = inference.predict_fn(inference.input_fn(body, kind), loaded)
    assert [answer["label"] for answer in answers] == ["yes", "no"]
    text, answered = inference.output_fn(answers, "*/*")
    assert (json.loads(text), answered) == ({"predictions": answers}, "application/json")
    text, answered = inference.output_fn(answers, "text/csv")
    assert (text, answered) == ("yes\nno\n", "text/csv")


@pytest.mark.parametrize("word", ["web, form", '5" pipe', "two\nlines", "a\u2028b", "a\x85b"])
def test_words_with_signs_of_csv_go_to_the_model_and_back_as_they_are(word: str) -> None:
    body = payload(0, [word, word, "2"], Answer(word, word, given=word))["body"]
    assert inference.input_fn(body, "text/csv") == [[word, "2"]]
    text, _ = inference.output_fn([{"label": word}, {"label": "plain"}], "text/csv")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[word], ["plain"]]
    name = payload(0, ["", "2"], Answer(word * 200, word, given=word))["name"]
    assert (len(name), name.splitlines()) == (200, [name])


def test_requests_that_cannot_be_answered_say_why(model_dir: Path) -> None:
    loaded = inference.model_fn(str(model_dir))
    with pytest.raises(ValueError, match="image/png is not supported: send text/csv or application/json"):
        inference.input_fn("x", "image/png")
    with pytest.raises(ValueError, match="row 1 has 1 values, the model takes size, colour"):
        inference.predict_fn([["3"]], loaded)
    with pytest.raises(ValueError, match="row 1: size is 'tall', no number"):
        inference.predict_fn([["tall", "red"]], loaded)


def test_the_metrics_are_those_of_scikit_learn() -> None:
    true = ["yes", "no", "yes", "yes", "no", "no", "no"] * 40
    chances = [0.9, 0.2, 0.4, 0.8, 0.6, 0.4, 0.1] * 40
    said = ["yes" if chance > 0.5 else "no" for chance in chances]
    answers = [Answer(*row) for row in zip(true, said, chances, strict=True)]
    found = report("binary", answers, "yes")["binary_classification_metrics"]
    wanted = {
        "accuracy": reference.accuracy_score(true, said),
        "precision": reference.precision_score(true, said, pos_label="yes"),
        "recall": reference.recall_score(true, said, pos_label="yes"),
        "f2": reference.fbeta_score(true, said, beta=2, pos_label="yes"),
        "auc": reference.roc_auc_score([name == "yes" for name in true], chances),
    }
    assert {name: found[name]["value"] for name in wanted} == pytest.approx(wanted)
    assert 0 < found["accuracy"]["standard_deviation"] < 0.1  # from 200 rows on
    assert report("binary", answers[:70], "yes")["binary_classification_metrics"]["auc"]["standard_deviation"] == "NaN"
    assert found["confusion_matrix"] == {"no": {"no": 120, "yes": 40}, "yes": {"no": 40, "yes": 80}}
    many = report("multiclass", answers)["multiclass_classification_metrics"]
    assert many["weighted_f1"]["value"] == pytest.approx(reference.f1_score(true, said, average="weighted"))
    numbers = [Answer(float(place), place * 1.1) for place in range(9)]
    fit = report("regression", numbers)["regression_metrics"]
    assert fit["r2"]["value"] == pytest.approx(
        reference.r2_score(*zip(*[(n.true, n.said) for n in numbers], strict=True))
    )


def test_the_report_says_which_bound_is_not_reached(model_dir: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "test/test.csv", [*ROWS, ["no", "3", "red"]])
    found = evaluate.evaluate(model_dir, tmp_path / "test", tmp_path / "evaluation", SETTINGS)
    assert json.loads((tmp_path / "evaluation/evaluation.json").read_text(encoding="utf-8")) == found
    golden = json.loads((tmp_path / "evaluation/golden-payloads.json").read_text(encoding="utf-8"))
    assert golden["model"] == "mine"
    assert 2 <= len(golden["payloads"]) <= 6
    assert {one["name"].rpartition(", ")[2] for one in golden["payloads"]} == {"yes", "no"}
    for one in golden["payloads"]:
        (said,) = inference.predict_fn(
            inference.input_fn(one["body"], one["content_type"]), inference.model_fn(str(model_dir))
        )
        assert one["expected"] == said["label"]
    text = (tmp_path / "evaluation/report.html").read_text(encoding="utf-8")
    assert "at least 0.99: not reached" in text
    assert "<svg" in text
    assert "http" not in text
    regression = replace(SETTINGS, task="regression", metrics={})
    numbers = [Answer(1.0, 1.5), Answer(2.0, 2.0)]
    assert page(regression, numbers, report("regression", numbers)).count("<circle") == 2


def test_a_model_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(Path(__file__), "../outside.py")
    with pytest.raises(UserError, match=r"holds \.\./outside\.py"):
        evaluate.unpack(tmp_path / "model.tar.gz", tmp_path / "model")


def test_the_code_that_is_uploaded_starts_where_the_containers_start_it() -> None:
    project = replace(read(), pipeline="full")
    files = start.code_files(project)
    assert {"files/preprocess.py", "files/steps/common.py", "sourcedir.tar.gz"} <= set(files)
    assert Settings(**json.loads(files["files/steps/settings.json"])) == project.for_steps()
    assert files == start.code_files(project)
    assert start.code_files(replace(project, pipeline="short")) == {}
    assert not (ROOT / "steps/settings.json").exists()


def test_the_baseline_is_of_the_training_rows_with_the_models_answers_before_them(
    model_dir: Path, tmp_path: Path
) -> None:
    for part in ("train", "test"):
        write_rows(tmp_path / part / f"{part}.csv", ROWS)
    evaluate.write_baseline(model_dir, tmp_path, tmp_path / "baseline", SETTINGS)
    statistics, constraints = (
        json.loads((tmp_path / "baseline" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("statistics", "constraints")
    )
    answer, size, colour = statistics["features"]
    assert [feature["name"] for feature in statistics["features"]] == ["answer", "size", "colour"]
    assert statistics["dataset"] == {"item_count": 40}
    assert answer["string_statistics"]["distinct_count"] == 2
    assert size["numerical_statistics"]["common"] == {"num_present": 20, "num_missing": 20}
    assert size["numerical_statistics"]["distribution"]["kll"]["sketch"]["data"] == [[1.0] * 10 + [3.0] * 10]
    assert [feature["completeness"] for feature in constraints["features"]] == [1.0, 0.5, 1.0]
    assert constraints["features"][2]["string_constraints"] == {"domains": ["blue", "red"]}
    assert colour["inferred_type"] == "String"
    quality = json.loads((tmp_path / "baseline/quality/constraints.json").read_text(encoding="utf-8"))
    (group,) = quality.keys() - {"version"}
    assert group == "multiclass_classification_constraints", "inference.py answers a class, and no chance of one"
    assert quality[group]["accuracy"]["comparison_operator"] == "LessThanThreshold"


def test_columns_have_names_that_a_monitor_takes() -> None:
    assert baseline.column_name("Sepal Length (cm)") == "sepal_length_cm"
    assert baseline.named(["column 2", "Ärger"]) == "column_2 rger"
    assert len(baseline.named(["x" * 60] * 12)) <= 256
    several = baseline.baseline(["a"], [["0", "1"]], [Answer("0", [0.1, 0.9], given=[0.1, 0.9])])
    assert [f["name"] for f in several["statistics.json"]["features"]] == ["answer_0", "answer_1", "a"]
