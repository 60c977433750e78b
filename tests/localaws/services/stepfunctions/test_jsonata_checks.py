"""Definitions with JSONata, as CreateStateMachine takes and refuses them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awslang.errors import AwsError
from localaws.services.stepfunctions import language
from tests.support.state_machines import definition, jsonata

START = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:codepipeline:startPipelineExecution",
    "Arguments": {"Name": "{% $states.input.pipeline %}"},
    "Output": "{% $states.result %}",
    "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "A"}],
    "End": True,
}
PASS = {"Type": "Pass", "End": True}
CHOICE = {"Type": "Choice", "Default": "A", "Choices": [{"Condition": "{% $states.input.x = 1 %}", "Next": "A"}]}


def one(state: dict[str, Any], **change: Any) -> str:
    """A machine of one state, with some fields changed."""
    return jsonata(A={**state, **change})


@pytest.mark.parametrize(
    "text",
    [
        one(START),
        one(PASS, Output="{% $states.context.Execution.Id %}", Assign={"größe": [1, {"x": "{% $y %}"}]}),
        one(PASS, Output={"plain": "$.not an expression"}),
        one(CHOICE, Choices=[{"Condition": True, "Output": 1, "Assign": {"x": 1}, "Next": "A"}], Assign={"x": 2}),
        one({"Type": "Wait", "Seconds": "{% $seconds %}", "End": True}),
        one({"Type": "Succeed", "Output": None}),
        one({"Type": "Fail", "Error": "Mine", "Cause": "{% 'because ' & $why %}"}),
        definition(A={**PASS, "QueryLanguage": "JSONata", "Output": 1}),
        one(PASS, QueryLanguage="JSONata"),
    ],
)
def test_a_definition_with_jsonata_is_taken(text: str) -> None:
    assert language.parse(text) == json.loads(text)


@pytest.mark.parametrize("field", ["InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector"])
def test_a_field_of_jsonpath_is_refused_in_a_state_with_jsonata(field: str) -> None:
    with pytest.raises(AwsError, match=f"Field is not supported: {field} at /States/A"):
        language.parse(one(START, **{field: "$"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (definition(A={**PASS, "Output": 1}), "Field is not supported: Output"),
        (one(PASS, Result=1), "Field is not supported: Result"),
        (one(PASS, QueryLanguage="JSONPath"), "'QueryLanguage' can not be 'JSONPath'"),
        (one(PASS, Output={"a.$": "$.a"}), "'a.[$]' is only supported when the query language is JSONPath"),
        (one(START, Arguments={"Name.$": "$.pipeline"}), "'Name.[$]' is only supported"),
        (one(START, Arguments={"name": "x"}), 'field "name" is not supported'),
        (one(START, Arguments={}), 'field "Name" is required'),
        (one(START, Arguments={"Name": "{% $states.result.x %}"}), "[$]states.result is not accessible"),
        (one(START, Output="{% $states.errorOutput %}"), "[$]states.errorOutput is not accessible"),
        (one(START, Catch=[{"ErrorEquals": ["x"], "Output": "{% $states.result %}", "Next": "A"}]), "states.result is"),
        (one(START, Catch=[{"ErrorEquals": ["x"], "ResultPath": "$.x", "Next": "A"}]), "not supported: ResultPath"),
        (one(START, Retry=[{"MaxAttempts": 1}]), "required: .ErrorEquals."),
        (one(PASS, Output="{% $states.result %}"), "[$]states.result is not accessible"),
        (one(PASS, Output="{% 1 + %}"), "S0207: Unexpected end of expression at /States/A/Output"),
        (one(PASS, Output=[{"a": "{% 1"}]), r"must start with .* at /States/A/Output.0./a"),
        (one(PASS, Output="{% $eval('1') %}"), "[$]eval is not available"),
        (one(PASS, Output="{% total %}"), "must not refer to an input document"),
        (one(PASS, Output="{% States.UUID() %}"), "must not refer to an input document"),
        (one(PASS, Assign={"states": 1}), "'states' is no valid name of a variable"),
        (one(PASS, Assign={"x.y": 1}), "'x.y' is no valid name"),
        (one(PASS, Assign={"x" * 81: 1}), "is no valid name"),
        (one(PASS, Assign="{% {'x': 1} %}"), "'Assign' must be an object"),
        (one({"Type": "Succeed", "Assign": {"x": 1}}), "Field is not supported: Assign"),
        (one({"Type": "Fail", "Output": 1}), "Field is not supported: Output"),
        (one({"Type": "Fail", "CausePath": "$.x"}), "Field is not supported: CausePath"),
        (one(CHOICE, Choices=[]), "non-empty array"),
        (one(CHOICE, Choices=[{"Variable": "$.x", "IsNull": True, "Next": "A"}]), "Field is not supported: IsNull"),
        (one(CHOICE, Choices=[{"Condition": "yes", "Next": "A"}]), "'Condition' must be a boolean or a JSONata"),
        (one({"Type": "Wait", "SecondsPath": "$.x", "End": True}), "Field is not supported: SecondsPath"),
        (one({"Type": "Wait", "End": True}), "Exactly one of Seconds and Timestamp"),
    ],
)  # fmt: skip
def test_a_wrong_definition_with_jsonata_is_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError, match=message) as refused:
        language.parse(text)
    assert refused.value.code == "InvalidDefinition"


@pytest.mark.parametrize(
    "state", [{"Type": "Map", "End": True}, {"Type": "Wait", "Timestamp": "{% $x %}", "End": True}]
)
def test_what_is_not_supported_is_refused_by_name(state: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match=r"Map|until a time") as refused:
        language.parse(one(state))
    assert refused.value.code == "NotSupported"
