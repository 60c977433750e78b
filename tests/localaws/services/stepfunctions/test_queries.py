"""Executions of state machines with JSONata."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.cloud import Cloud
from tests.support.codepipeline_setting import Stage, declaration
from tests.support.service_catalog import CatalogAccount
from tests.support.state_machines import definition, events, jsonata, played
from tests.support.waiting import until

SDK = "arn:aws:states:::aws-sdk:"
PUT: dict[str, Any] = {
    "Type": "Task",
    "Resource": f"{SDK}ssm:putParameter",
    "Arguments": {"Name": "{% $states.input.name %}", "Value": "{% $string($states.input.value) %}", "Type": "String"},
    "End": True,
}
# What the kit's own state machine will do: find the project, start its pipeline, go on without either.
FIND = {
    "Type": "Task",
    "Resource": f"{SDK}sagemaker:describeProject",
    "Arguments": {"ProjectName": "{% $states.input.project %}"},
    "Assign": {"pipeline": "{% 'sagemaker-' & $states.result.ProjectName & '-' & $states.result.ProjectId %}"},
    "Output": "{% $states.input %}",
    "Catch": [{"ErrorEquals": ["SageMaker.SageMakerException"], "Output": {"no": "project"}, "Next": "Done"}],
    "Next": "Start",
}
START = {
    "Type": "Task",
    "Resource": f"{SDK}codepipeline:startPipelineExecution",
    "Arguments": {
        "Name": "{% $pipeline %}",
        "Variables": [{"Name": "ModelPackageVersion", "Value": "{% $string($states.input.version) %}"}],
    },
    "Output": {"started": "{% $states.result.PipelineExecutionId %}"},
    "Catch": [
        {
            "ErrorEquals": ["CodePipeline.PipelineNotFoundException"],
            "Output": {"no": "{% $pipeline %}", "because": "{% $states.errorOutput.Error %}"},
            "Next": "Done",
        }
    ],
    "End": True,
}
STARTER = jsonata(Find=FIND, Start=START, Done={"Type": "Succeed"})


def output(ended: dict[str, Any]) -> Any:
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


class Studio(CatalogAccount):
    """A published product that is a SageMaker project's template."""

    def url(self, body: str = "", key: str = "product.yaml") -> str:
        parameters = "Parameters: {SageMakerProjectName: {Type: String}, SageMakerProjectId: {Type: String}}"
        return super().url(f"{parameters}\nResources: {{Queue: {{Type: AWS::SQS::Queue}}}}\n", key)


@pytest.fixture
def project(cloud: Cloud) -> str:
    """The id of the project "churn"."""
    studio = Studio(cloud)
    sagemaker = studio.scientist().client("sagemaker")
    details = {"ProductId": studio.published()[1]}
    made = sagemaker.create_project(ProjectName="churn", ServiceCatalogProvisioningDetails=details)
    until(lambda: sagemaker.describe_project(ProjectName="churn")["ProjectStatus"] == "CreateCompleted")
    return str(made["ProjectId"])


def test_a_machine_finds_a_project_and_starts_its_pipeline(
    cloud: Cloud, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(cloud, monkeypatch)
    name = f"sagemaker-churn-{project}"
    stage.client.create_pipeline(pipeline={**declaration(), "name": name})
    started = output(played(cloud, STARTER, {"project": "churn", "version": 3}))["started"]
    found = stage.client.get_pipeline_execution(pipelineName=name, pipelineExecutionId=started)["pipelineExecution"]
    assert found["variables"] == [{"name": "ModelPackageVersion", "resolvedValue": "3"}]


def test_a_project_without_a_pipeline_is_an_error_that_can_be_caught(cloud: Cloud, project: str) -> None:
    assert output(played(cloud, STARTER, {"project": "churn", "version": 3})) == {
        "no": f"sagemaker-churn-{project}",
        "because": "CodePipeline.PipelineNotFoundException",
    }


def test_an_error_that_sagemakers_model_lacks_is_the_sdks_own_and_can_be_caught(cloud: Cloud) -> None:
    """SageMaker answers a ValidationException, which is in no operation's list of errors."""
    assert output(played(cloud, STARTER, {"project": "missing", "version": 3})) == {"no": "project"}


def test_a_task_without_output_puts_out_its_result_and_its_expressions_see_the_input(cloud: Cloud) -> None:
    ended = played(cloud, jsonata(Put=PUT), {"name": "/kit/version", "value": 3})
    assert output(ended)["Version"] == 1
    types = [event["type"] for event in events(cloud, ended)]
    assert types[1:5] == ["TaskStateEntered", "TaskScheduled", "TaskSucceeded", "TaskStateExited"]


def test_variables_are_assigned_after_all_expressions_and_hold_in_later_states(cloud: Cloud) -> None:
    states = {
        "First": {"Type": "Pass", "Assign": {"x": 3, "a": 6}, "Output": "{% $states.input.n %}", "Next": "Swap"},
        "Swap": {
            "Type": "Pass", "Assign": {"x": "{% $a %}", "nextX": "{% $x %}"}, "Output": "{% $x %}", "Next": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": "{% $x %}", "Assign": {"waited": True}, "Next": "Last"},
        "Last": {
            "Type": "Succeed",
            "Output": {
                "input": "{% $states.input %}", "vars": ["{% $x %}", "{% $nextX %}", "{% $waited %}"],
                "name": "{% $states.context.Execution.Name %}", "state": "{% $states.context.State.Name %}",
            },
        },
    }  # fmt: skip
    ended = played(cloud, jsonata(**states), {"n": None})
    assert output(ended) == {"input": 3, "vars": [6, 3, True], "name": ended["name"], "state": "Last"}
    exited = [event["stateExitedEventDetails"] for event in events(cloud, ended) if "Exited" in event["type"]]
    assert [one.get("assignedVariables") for one in exited] == [
        {"x": "3", "a": "6"}, {"x": "6", "nextX": "3"}, {"waited": "true"}, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "private", "value": 23}, ["twenties", {"type": "private", "value": 23}]),
        ({"type": "private", "value": 35}, ["default", {"over": 5}]),
        ({"type": "private", "value": 1}, ["default", "none"]),
    ],
)
def test_the_first_choice_rule_that_is_true_decides_output_and_variables(
    cloud: Cloud, given: dict[str, Any], expected: list[Any]
) -> None:
    choose = {
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $states.input.type != 'private' %}", "Next": "Bad"},
            {
                "Condition": "{% $states.input.value >= 20 and $states.input.value < 30 %}",
                "Assign": {"range": "twenties"},
                "Next": "Done",
            },
            {
                "Condition": "{% $states.input.value > 30 %}",
                "Assign": {"range": "default"},
                "Output": {"over": "{% $states.input.value - 30 %}"},
                "Next": "Done",
            },
        ],
        "Default": "Done",
        "Assign": {"range": "default"},
        "Output": "none",
    }
    done = {"Type": "Succeed", "Output": ["{% $range %}", "{% $states.input %}"]}
    assert output(played(cloud, jsonata(Choose=choose, Done=done, Bad={"Type": "Fail"}), given)) == expected


def test_a_machine_with_jsonpath_has_single_states_with_jsonata(cloud: Cloud) -> None:
    states = {
        "Path": {"Type": "Pass", "Parameters": {"n.$": "$.list[0]"}, "Next": "Query"},
        "Query": {
            "Type": "Pass", "QueryLanguage": "JSONata", "Output": {"n": "{% $states.input.n * 2 %}"}, "Next": "Last",
        },
        "Last": {"Type": "Pass", "OutputPath": "$.n", "End": True},
    }  # fmt: skip
    assert output(played(cloud, definition(**states), {"list": [21]})) == 42


def test_a_fail_state_says_error_and_cause_as_expressions(cloud: Cloud) -> None:
    fail = {"Type": "Fail", "Error": "{% $states.input.error %}", "Cause": "{% 'because ' & $states.input.why %}"}
    ended = played(cloud, jsonata(Fail=fail), {"error": "Mine", "why": "so"})
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Mine", "because so")


FAULTS = [
    ({"Type": "Pass", "Output": {"a": ["{% $states.input.missing %}"]}, "End": True}, "Output/a[0]",
     "'$states.input.missing' specified for the field 'Output/a[0]' returned nothing (undefined)."),
    ({"Type": "Pass", "Assign": {"x": "{% $y %}"}, "End": True}, "Assign/x", "returned nothing (undefined)."),
    ({"Type": "Pass", "Output": "{% $states.input + 1 %}", "End": True}, "Output",
     "threw an error during evaluation. T2001: The left side of the + operator must evaluate to a number"),
    ({"Type": "Fail", "Error": "{% 1 %}"}, "Error", "Expected 'string', but was 'number' for value: 1"),
    ({"Type": "Wait", "Seconds": "{% 'x' %}", "End": True}, "Seconds", "Expected 'number', but was 'string'"),
    ({"Type": "Wait", "Seconds": "{% true %}", "End": True}, "Seconds", "Expected 'number', but was 'boolean'"),
    ({"Type": "Wait", "Seconds": "{% -1 %}", "End": True}, "Seconds", "returned -1, which is no integer from 0"),
    ({"Type": "Wait", "Seconds": "{% 1.5 %}", "End": True}, "Seconds", "returned 1.5, which is no integer"),
    ({**PUT, "TimeoutSeconds": "{% 0 %}"}, "TimeoutSeconds", "returned 0, which is no integer from 1"),
    ({"Type": "Choice", "Choices": [{"Condition": "{% null %}", "Next": "A"}]}, "Choices[0]/Condition",
     "Expected 'boolean', but was 'null' for value: null"),
    ({"Type": "Pass", "Output": "{% ($f := function(){ $f() }; $f()) %}", "End": True}, "Output",
     "Expression evaluation timeout"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "field", "problem"), FAULTS)
def test_an_expression_without_a_fitting_value_fails_the_execution(
    cloud: Cloud, state: dict[str, Any], field: str, problem: str
) -> None:
    ended = played(cloud, jsonata(A=state), {"name": "/kit", "value": 1})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert ended["cause"].startswith("An error occurred while executing the state 'A' (entered at the event id #2).")
    assert problem in ended["cause"]
    [found] = [event for event in events(cloud, ended) if event["type"] == "EvaluationFailed"]
    reported = found["evaluationFailedEventDetails"]
    assert (reported["location"], reported["state"], reported["cause"]) == (field, "A", ended["cause"])


def test_a_choice_without_a_true_rule_and_default_fails(cloud: Cloud) -> None:
    choose = {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.x %}", "Next": "Choose"}]}
    ended = played(cloud, jsonata(Choose=choose), {"x": False})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign"])
def test_a_task_tries_again_and_catches_an_expression_that_fails(cloud: Cloud, field: str) -> None:
    broken = {"Name": "{% $states.input.missing %}", "Value": "x", "Overwrite": True, "Type": "String"}
    task = {
        **PUT,
        "Arguments": {**PUT["Arguments"], "Overwrite": True},
        field: broken,
        "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}],
        "Catch": [
            {
                "ErrorEquals": ["States.QueryEvaluationError"],
                "Assign": {
                    "cause": "{% $states.errorOutput.Cause %}",
                    "tries": "{% $states.context.State.RetryCount %}",
                },
                "Next": "Done",
            }
        ],
    }
    done = {"Type": "Succeed", "Output": ["{% $states.input.Error %}", "{% $cause %}", "{% $tries %}"]}
    error, cause, tries = output(played(cloud, jsonata(A=task, Done=done), {"name": "/kit", "value": 1}))
    assert (error, tries) == ("States.QueryEvaluationError", 1)
    assert f"for the field '{field}/Name' returned nothing (undefined)." in cause


def test_an_expression_of_a_catcher_that_fails_is_not_caught_again(cloud: Cloud) -> None:
    get = {
        "Type": "Task",
        "Resource": f"{SDK}ssm:getParameter",
        "Arguments": {"Name": "/missing"},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.None %}", "Next": "A"}],
        "End": True,
    }
    ended = played(cloud, jsonata(A=get), {})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "for the field 'Catch[0]/Output' returned nothing" in ended["cause"]
