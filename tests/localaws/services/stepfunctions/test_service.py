"""State machines: definitions as CreateStateMachine takes them, executions as Step Functions runs them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud
from localaws.services.events.service import deliveries
from localaws.services.stepfunctions import language
from tests.support.codepipeline_setting import ACCOUNT, REGION
from tests.support.roles import EVERYTHING, make_role
from tests.support.state_machines import definition, events, jsonata, played
from tests.support.waiting import until

SDK = "arn:aws:states:::aws-sdk:"
START_PIPELINE = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:codepipeline:startPipelineExecution",
    "Parameters": {
        "Name.$": "$.pipeline",
        "ClientRequestToken.$": "$.event",
        "Variables": [{"Name": "ModelPackageVersion", "Value.$": "$.version"}],
    },
    "End": True,
}
PUT = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:ssm:putParameter",
    "Parameters": {"Name.$": "$.name", "Value.$": "$.value", "Type": "String"},
    "End": True,
}


def start(**change: Any) -> str:
    """A machine of one Task that starts a pipeline, with some fields changed."""
    return definition(A={**START_PIPELINE, **change})


def test_a_task_calls_the_service_as_the_machines_role_with_pascal_case_parameters(cloud: Cloud) -> None:
    ended = played(cloud, definition(Put=PUT), {"name": "/kit/version", "value": "3"})
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["Version"] == 1
    ssm = cloud.root(ACCOUNT, REGION).client("ssm")
    assert ssm.get_parameter(Name="/kit/version")["Parameter"]["Value"] == "3"
    assert [event["type"] for event in events(cloud, ended)] == [
        "ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskSucceeded", "TaskStateExited",
        "ExecutionSucceeded",
    ]  # fmt: skip


def test_a_service_error_has_its_service_and_name_and_can_be_caught(cloud: Cloud) -> None:
    get = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Parameters": {"Name": "/missing"},
        "Catch": [{"ErrorEquals": ["Ssm.ParameterNotFoundException"], "ResultPath": "$.failed", "Next": "Told"}],
        "End": True,
    }
    ended = played(cloud, definition(Get=get, Told={"Type": "Pass", "End": True}), {"kept": 1})
    output = json.loads(ended["output"])
    assert output["kept"] == 1
    assert output["failed"]["Error"] == "Ssm.ParameterNotFoundException"


def test_a_document_is_the_body_of_an_object_and_what_s3_refuses_is_the_sdks_exception(cloud: Cloud) -> None:
    """S3's model lacks the error, so it has the name of all others; its cause tells the status."""
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    s3.create_bucket(Bucket="sagemaker-machine")
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "Arguments": {
            "Bucket": "sagemaker-machine", "Key": "k", "Body": "{% $states.input.entry %}", "IfNoneMatch": "*",
            "ContentType": "application/json",
        },
        "End": True,
    }  # fmt: skip
    text = jsonata(Put=put)
    entry = {"n": 1, "more": [None, {"a": "b"}]}
    assert played(cloud, text, {"entry": entry})["status"] == "SUCCEEDED"
    found = s3.get_object(Bucket="sagemaker-machine", Key="k")
    assert (json.loads(found["Body"].read()), found["ContentType"]) == (entry, "application/json")
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    again = client.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps({"entry": {"n": 2}}))
    until(lambda: client.describe_execution(executionArn=again["executionArn"])["status"] == "FAILED")
    ended = client.describe_execution(executionArn=again["executionArn"])
    assert ended["error"] == "S3.S3Exception"
    assert "(Service: S3, Status Code: 412, " in ended["cause"]
    assert json.loads(s3.get_object(Bucket="sagemaker-machine", Key="k")["Body"].read()) == entry


def test_a_failed_task_is_retried_as_often_as_its_retrier_says(cloud: Cloud) -> None:
    get = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Parameters": {"Name": "/missing"},
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}],
        "End": True,
    }
    ended = played(cloud, definition(Get=get), {})
    assert (ended["status"], ended["error"]) == ("FAILED", "Ssm.ParameterNotFoundException")
    assert [event["type"] for event in events(cloud, ended)].count("TaskFailed") == 3


def test_a_path_that_leads_nowhere_and_a_value_of_the_wrong_type_fail_at_run_time(cloud: Cloud) -> None:
    ended = played(cloud, definition(Put=PUT), {"name": "/kit"})
    assert ended["error"] == "States.Runtime"
    assert "'$.value' specified for the field 'Value.$' could not be found" in ended["cause"]
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    again = client.start_execution(
        stateMachineArn=ended["stateMachineArn"], input=json.dumps({"name": "/kit", "value": 3})
    )["executionArn"]
    until(lambda: client.describe_execution(executionArn=again)["status"] == "FAILED")
    assert "could not be used to start the Task" in client.describe_execution(executionArn=again)["cause"]


def test_states_pass_their_data_on_as_their_paths_say(cloud: Cloud) -> None:
    many = {"Variable": "$.count", "NumericGreaterThan": 2}
    states = {
        "Add": {
            "Type": "Pass", "Parameters": {"id.$": "$$.Execution.Name", "first.$": "$.items[0]"},
            "ResultPath": "$.added", "Next": "Pick",
        },
        "Pick": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.missing", "IsPresent": True, "Next": "Bad"},
                {"And": [many, {"Not": {"Variable": "$.name", "StringEquals": "x"}}], "Next": "Rest"},
            ],
            "Default": "Bad",
        },
        "Rest": {"Type": "Wait", "Seconds": 5, "OutputPath": "$.added", "Next": "Done"},
        "Done": {"Type": "Succeed"},
        "Bad": {"Type": "Fail", "Error": "Wrong", "Cause": "the choice"},
    }  # fmt: skip
    ended = played(cloud, definition(**states), {"items": ["a"], "count": 3, "name": "y"})
    assert json.loads(ended["output"]) == {"id": ended["name"], "first": "a"}
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    other = client.start_execution(
        stateMachineArn=ended["stateMachineArn"], input='{"items": ["a"], "count": 1, "name": "y"}', name="other"
    )["executionArn"]
    until(lambda: client.describe_execution(executionArn=other)["status"] == "FAILED")
    assert client.describe_execution(executionArn=other)["error"] == "Wrong"
    newest, _ = client.list_executions(stateMachineArn=ended["stateMachineArn"])["executions"]
    assert newest["name"] == "other"
    with pytest.raises(ClientError, match="Execution Already Exists"):
        client.start_execution(stateMachineArn=ended["stateMachineArn"], name="other", input="{}")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("{", "InvalidDefinition", "INVALID_JSON"),
        ('{"StartAt": "A", "States": {}}', "InvalidDefinition", "non-empty"),
        ('{"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}', "InvalidDefinition", "Missing 'Next' target: B"),
        (definition(A={"Type": "Pass"}), "InvalidDefinition", "Next and End"),
        (definition(A={"Type": "Pass", "Next": "C"}), "InvalidDefinition", "target: C"),
        (definition(A={"Type": "Succeed"}, B={"Type": "Succeed"}), "InvalidDefinition", "not reachable"),
        (definition(A={"Type": "Succeed", "Results": 1}), "InvalidDefinition", "not supported: Results"),
        (definition(A={"Type": "Done"}), "InvalidDefinition", "'Done' is not a type"),
        (start(Resource=f"{SDK}codepipeline:StartPipelineExecution"), "InvalidDefinition", "is not recognized"),
        (start(Resource=f"{SDK}codepipelines:start"), "InvalidDefinition", "is not recognized"),
        (start(Parameters={"name": "x"}), "InvalidDefinition", 'field "name" is not supported'),
        (start(Parameters={}), "InvalidDefinition", 'field "Name" is required'),
        (start(Parameters={"Name": "x", "Variables": [{"Key": "y"}]}), "InvalidDefinition", 'field "Key"'),
        (start(Parameters={"Name.$": "pipeline"}), "InvalidDefinition", "valid JSONPath"),
        (start(Parameters={"Name.$": "States.Format('x')"}), "NotSupported", "intrinsic"),
        (start(Resource="arn:aws:states:::lambda:invoke.waitForTaskToken"), "NotSupported", "lambda:invoke"),
        (start(Resource="arn:aws:states:::lambda:invoke"), "InvalidDefinition", "ClientRequestToken"),
        (definition(A={"Type": "Map", "End": True}), "NotSupported", "Map"),
        (
            '{"QueryLanguage": "XPath", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            "InvalidDefinition", "JSONPath or JSONata, not XPath",
        ),
        (definition(A={"Type": "Pass", "Assign": {"x": 1}, "End": True}), "NotSupported", "Assign"),
        (start(Catch=[{"ErrorEquals": ["x"], "Assign": {"x": 1}, "Next": "A"}]), "NotSupported", "Assign"),
        (
            definition(A={"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": True, "Assign": {}, "Next": "A"}]}),
            "NotSupported", "Assign",
        ),
        (
            definition(A={"Type": "Choice", "Choices": [{"Variable": "$.x", "Equals": 1, "Next": "A"}]}),
            "InvalidDefinition", "not supported: Equals",
        ),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused(text: str, code: str, message: str) -> None:
    with pytest.raises(AwsError, match=message) as refused:
        language.parse(text)
    assert refused.value.code == code


def test_a_role_that_states_may_not_assume_is_refused(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    with pytest.raises(ClientError, match="authorized to assume the provided role"):
        client.create_state_machine(
            name="m", definition=definition(A=START_PIPELINE), roleArn=f"arn:aws:iam::{ACCOUNT}:role/missing"
        )


def test_state_machines_are_described_updated_listed_and_deleted(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    role = make_role(cloud, "states", "states", EVERYTHING)
    given = {"name": "starter", "definition": definition(A=START_PIPELINE), "roleArn": role}
    machine = client.create_state_machine(**given, tags=[{"key": "a", "value": "b"}])["stateMachineArn"]
    assert client.create_state_machine(**given)["stateMachineArn"] == machine
    with pytest.raises(ClientError, match="Already Exists"):
        client.create_state_machine(**{**given, "definition": definition(B=START_PIPELINE)})
    client.update_state_machine(stateMachineArn=machine, definition=definition(B=START_PIPELINE))
    assert client.describe_state_machine(stateMachineArn=machine)["definition"] == definition(B=START_PIPELINE)
    assert client.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "a", "value": "b"}]
    assert [m["name"] for m in client.list_state_machines()["stateMachines"]] == ["starter"]
    client.delete_state_machine(stateMachineArn=machine)
    with pytest.raises(ClientError, match="State Machine Does Not Exist"):
        client.describe_state_machine(stateMachineArn=machine)
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: state machines of the type EXPRESS"):
        client.create_state_machine(**given, type="EXPRESS")


def test_a_rule_starts_a_state_machine_with_its_transformed_input(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    machine = client.create_state_machine(
        name="starter",
        definition=definition(Put=PUT),
        roleArn=make_role(cloud, "states", "states", EVERYTHING),
    )["stateMachineArn"]
    events = cloud.root(ACCOUNT, REGION).client("events")
    events.put_rule(Name="model", EventPattern='{"source": ["kit"]}')
    transformer = {
        "InputPathsMap": {"version": "$.detail.ModelPackageVersion", "event": "$.id"},
        "InputTemplate": '{"name": "/kit/<event>", "value": "<version>"}',
    }
    target = {
        "Id": "starter",
        "Arn": machine,
        "RoleArn": make_role(cloud, "events", "events", EVERYTHING),
        "InputTransformer": transformer,
    }
    events.put_targets(Rule="model", Targets=[target])
    entry = {"Source": "kit", "DetailType": "Approved", "Detail": '{"ModelPackageVersion": 3}'}
    event = events.put_events(Entries=[entry])["Entries"][0]["EventId"]
    execution = until(lambda: client.list_executions(stateMachineArn=machine)["executions"])[0]["executionArn"]
    until(lambda: client.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    found = cloud.root(ACCOUNT, REGION).client("ssm").get_parameter(Name=f"/kit/{event}")
    assert found["Parameter"]["Value"] == "3"
    assert deliveries(cloud, failed=True) == []
