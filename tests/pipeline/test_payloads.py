"""Golden payloads: which versions they are for, and what is written from a model's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.answers import wrong
from pipeline.console import UserError
from pipeline.payloads import ANY, Golden, Payload, check_fits, read_golden, recorded
from pipeline.registry import read_version
from tests.support import ROOT

FILE = ROOT / "seed-code/model-deploy/tests/golden-payloads.json"
GOOD: dict[str, Any] = {"name": "n", "content_type": "text/csv", "body": "1", "expected": 0}


def read(folder: Path, **document: Any) -> Golden:
    file = folder / "golden-payloads.json"
    file.write_text(json.dumps({"payloads": [GOOD], **document}))
    return read_golden(file)


def test_what_holds_for_the_file_holds_for_a_payload_that_says_nothing_else(tmp_path: Path) -> None:
    own = {**GOOD, "name": "own", "tolerance": 3, "relative_tolerance": 0.5}
    golden = read(tmp_path, tolerance=1, relative_tolerance=0.1, payloads=[GOOD, own], latency={"max_ms": 50})
    assert [(one.tolerance, one.relative_tolerance) for one in golden.payloads] == [(1, 0.1), (3, 0.5)]
    assert golden.latency is not None
    assert (golden.latency.requests, golden.latency.percentile, golden.latency.max_ms) == (100, 95, 50)


@pytest.mark.parametrize(
    ("got", "failure"),
    [
        (109.0, ""),
        (110.1, "the answer: expected 100, got 110.1 (±10)"),
        (89.0, "the answer: expected 100, got 89.0 (±10)"),
    ],
)
def test_the_wider_tolerance_holds(got: float, failure: str) -> None:
    assert wrong(Payload("n", "text/csv", "1", 100, "", 1, 1000, relative_tolerance=0.1), got) == failure


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from_version": 3, "to_version": 2}, "payloads[0]: from_version 3 is above to_version 2"),
        ({"from_version": 0}, "payloads[0].from_version is 0: write the number of a version, such as 3"),
        ({"relative_tolerance": 1.5}, "payloads[0].relative_tolerance is 1.5: write a share from 0 to 1, such as 0.01"),
        (
            {"content_type": "application/json; charset=utf-8", "body": '{"instances": [[1, 2]'},
            "payloads[0].body is no JSON, and its content_type is application/json: correct one of them",
        ),
        ({"schema": 7}, "payloads[0].schema is 7: write the schema of the answer"),
        ({"schema": {"minimum": 1}}, 'payloads[0].schema.minimum holds for "type": "number" alone'),
    ],
)
def test_a_mistake_in_a_payload_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, payloads=[{**GOOD, **change}])
    assert message in str(caught.value)


def test_a_mistake_in_the_latency_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"latency.max is .* latency.percentile is 0: write a number from 1"):
        read(tmp_path, latency={"percentile": 0, "max": 4})


def test_payloads_and_model_change_together(tmp_path: Path) -> None:
    """The old answer holds to version 4, the new one from version 5 on."""
    old, new = {**GOOD, "to_version": 4}, {**GOOD, "name": "m", "from_version": 5, "expected": 1}
    golden = read(tmp_path, payloads=[old, new])
    found = {number: [one.expected for one in golden.of_version(number).payloads] for number in (1, 4, 5, 99)}
    assert found == {1: [0], 4: [0], 5: [1], 99: [1]}
    with pytest.raises(UserError, match=r"holds no payload for version 4: from_version and to_version leave it out"):
        check_fits(read(tmp_path, payloads=[new]), 4, "")


def test_payloads_of_another_model_are_refused() -> None:
    golden = read_golden(FILE)
    assert golden.model == "iris"
    check_fits(golden, 1, "iris")
    for model, other in (("churn", "one of churn"), ("", "of another one")):
        with pytest.raises(UserError, match=f"holds the payloads of the model iris, and version 1 is {other}: "):
            check_fits(golden, 1, model)


def test_rows_of_another_width_than_the_version_learnt_from_are_refused(tmp_path: Path) -> None:
    bodies = {"short": "1,2", "long": "1,2,3,4,5\n1,2,3,4\n", "right": '1,2,3,4\n\n1,"two\nlines",a\u2028b,4'}
    rows = [{**GOOD, "name": name, "body": body} for name, body in bodies.items()]
    golden = read(tmp_path, payloads=[*rows, {**GOOD, "name": "other", "content_type": "text/libsvm", "body": "0:1"}])
    check_fits(golden, 1, "")
    with pytest.raises(UserError) as refusal:
        check_fits(golden, 1, "", columns=4)
    said = "golden-payloads.json: short: a row of the body has 2 values, and the model learns from 4 columns: write one"
    assert said in str(refusal.value)
    assert "long: a row of the body has 5 values" in str(refusal.value)
    assert "right" not in str(refusal.value)
    assert "other" not in str(refusal.value)


@pytest.mark.parametrize(("said", "columns"), [("4", 4), ("", 0), ("four", 0), ("-4", 0), ("9" * 200, 0)])
def test_a_version_says_how_many_columns_it_learnt_from(said: str, columns: int) -> None:
    package = {
        "ModelPackageArn": "arn", "ModelPackageGroupName": "iris", "ModelPackageVersion": 1,
        "ModelApprovalStatus": "Approved", "ModelPackageStatus": "Completed",
        "InferenceSpecification": {"Containers": [{"Image": "image"}]}, "CustomerMetadataProperties": {"columns": said},
    }  # fmt: skip
    version = read_version(package, "", None)
    assert (version.columns, version.metrics) == (columns, {})


def test_recorded_answers_take_the_place_of_the_expected_ones(tmp_path: Path) -> None:
    schema = {"name": "s", "content_type": "a/b", "body": "", "schema": {"type": "number"}}
    document = {"model": "iris", "tolerance": 0.1, "payloads": [GOOD, {**GOOD, "name": "m"}, schema]}
    written = recorded(document, {"n": 7, "s": 1})
    assert written == {**document, "payloads": [{**GOOD, "expected": 7}, {**GOOD, "name": "m"}, schema]}
    (tmp_path / "golden.json").write_text(json.dumps(written))
    golden = read_golden(tmp_path / "golden.json")
    assert [one.expected for one in golden.payloads] == [7, 0, ANY]
