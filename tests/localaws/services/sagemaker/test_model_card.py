"""The model card of a version is held to the schema of AWS's page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awslang.errors import AwsError
from localaws.services.sagemaker.model_card import check_card

METRIC = {"name": "rmse", "type": "number", "value": 1.5}
PLOT = {"name": "losses", "type": "linear_graph", "value": [[0, 1.5], [1, 0.5]], "x_axis_name": "epoch"}
MATRIX = {"name": "confusion", "type": "matrix", "value": [[1, 0], [0, 2]], "x_axis_name": ["a", "b"]}
CARD: dict[str, Any] = {
    "model_overview": {"model_creator": "Ada", "model_artifact": ["s3://models/a"]},
    "intended_uses": {"purpose_of_model": "rents", "risk_rating": "Low"},
    "training_details": {"training_job_details": {"hyper_parameters": [{"name": "eta", "value": "0.2"}]}},
    "evaluation_details": [{"name": "test", "metric_groups": [{"name": "all", "metric_data": [METRIC, PLOT, MATRIX]}]}],
    "additional_information": {"custom_details": {"commit": "c0ffee"}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The card with another value at a place, such as a.0.b."""
    card: Any = json.loads(json.dumps(CARD))
    *names, last = path.split(".")
    node = card
    for name in names:
        node = node[int(name)] if isinstance(node, list) else node[name]
    node[int(last) if isinstance(node, list) else last] = value
    return {"ModelCardContent": json.dumps(card)}


def test_a_card_as_the_page_describes_it_is_taken() -> None:
    check_card({"ModelCardContent": json.dumps(CARD), "ModelCardStatus": "Draft"})
    check_card({})


DATA = "evaluation_details.0.metric_groups.0.metric_data.0"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("model_package_details", {}, r"\$: model_package_details is not in the schema"),
        ("model_overview.model_creator", "x" * 1025, "model_creator: expected a text of at most 1024 characters"),
        ("model_overview.model_artifact", "s3://a", "model_artifact: expected an array"),
        ("intended_uses.risk_rating", "Small", "risk_rating: expected one of High, Medium, Low, Unknown"),
        ("evaluation_details.0", {}, r"evaluation_details\[0\]: name is required"),
        ("evaluation_details.0.name", "", r"\[0\].name: expected a text that is not empty"),
        ("evaluation_details.0.datasets", ["d"] * 11, "datasets: expected an array of 0 to 10 items"),
        (f"{DATA}.value", None, r"metric_data\[0\].value: expected a number"),
        (f"{DATA}.type", "figure", r"metric_data\[0\].type: expected one of number, string, boolean"),
        ("additional_information.custom_details.commit", 7, "commit: expected a text of at most 1024 characters"),
        ("training_details.training_job_details.hyper_parameters.0", 7, r"hyper_parameters\[0\]: expected an object"),
    ],
)
def test_what_the_schema_does_not_have_is_refused_with_its_place(path: str, value: Any, said: str) -> None:
    with pytest.raises(AwsError, match=said) as refused:
        check_card(changed(path, value))
    assert refused.value.code == "ValidationException"


def test_content_that_is_no_json_is_refused() -> None:
    with pytest.raises(AwsError, match="it is no JSON"):
        check_card({"ModelCardContent": '{"a": nan'})
