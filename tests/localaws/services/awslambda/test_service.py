"""Lambda: functions run for real, as their role, and only for callers that IAM and their own policy allow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support.roles import WRITE_LOGS, make_role
from tests.support.waiting import until
from tests.support.zips import zip_of

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "us-east-1"
ECHO = """
import json, logging, os

def handler(event, context):
    logging.getLogger().warning("seen %s", event.get("n"))
    print("plain")
    variables = {name: os.environ.get(name) for name in event.get("variables", [])}
    return {"event": event, "variables": variables, "name": context.function_name, "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis() > 0,
            "request": context.aws_request_id, "version": context.function_version}
"""


class World:
    """One embedded AWS for the whole module, with an execution role."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.role = make_role(cloud, "run", "lambda", WRITE_LOGS)

    def client(self, service: str, account: str = ACCOUNT) -> Any:
        return self.cloud.root(account, REGION).client(service)

    def make(self, name: str, code: str = ECHO, **more: Any) -> str:
        """The ARN of a function that is ready."""
        given = {"Runtime": "python3.12", "Handler": "index.handler", "Role": self.role, "Timeout": 20, **more}
        made = self.client("lambda").create_function(
            FunctionName=name, Code={"ZipFile": zip_of({"index.py": code})}, **given
        )
        self.ready(name)
        return str(made["FunctionArn"])

    def ready(self, name: str) -> None:
        def settled() -> bool:
            shown = self.client("lambda").get_function(FunctionName=name)["Configuration"]
            return bool(shown["State"] == "Active" and shown["LastUpdateStatus"] == "Successful")

        until(settled)

    def call(self, name: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)
        return json.loads(answer["Payload"].read()), answer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_aws(tmp_path_factory.mktemp("lambda")) as running:
        yield World(running)
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


# -- running -----------------------------------------------------------------------------------


def test_a_handler_gets_the_event_the_context_and_its_own_variables(world: World) -> None:
    """Developer Guide, "Using the Lambda context object to retrieve Python function information"."""
    arn = world.make("echo", MemorySize=256, Environment={"Variables": {"STAGE": "prod"}})
    names = ["STAGE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_EXECUTION_ENV", "AWS_REGION", "HOME", "VIRTUAL_ENV"]
    result, answer = world.call("echo", {"n": 1, "variables": names}, LogType="Tail")
    assert result["variables"] == {
        "STAGE": "prod", "AWS_LAMBDA_FUNCTION_NAME": "echo", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_REGION": REGION, "HOME": None, "VIRTUAL_ENV": None,
    }  # fmt: skip
    assert (result["name"], result["arn"], result["memory"], result["version"]) == ("echo", arn, "256", "$LATEST")
    assert result["left"]
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    log = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert log[0] == f"START RequestId: {result['request']} Version: $LATEST"
    assert "plain" in log
    assert log[-1].startswith(f"REPORT RequestId: {result['request']}\tDuration: ")
    assert any(line.startswith("[WARNING]\t") and line.endswith(f"Z\t{result['request']}\tseen 1") for line in log)


def test_what_a_function_prints_is_in_its_log_group(world: World) -> None:
    world.make("talks")
    world.call("talks")
    logs = world.client("logs")
    [stream] = logs.describe_log_streams(logGroupName="/aws/lambda/talks")["logStreams"]
    events = logs.get_log_events(logGroupName="/aws/lambda/talks", logStreamName=stream["logStreamName"])["events"]
    assert "plain" in [event["message"] for event in events]
    assert "[$LATEST]" in stream["logStreamName"]


def test_a_function_acts_as_its_execution_role_and_no_more(world: World) -> None:
    code = """
import boto3
def handler(event, context):
    s3 = boto3.client("s3")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    try:
        s3.create_bucket(Bucket="sagemaker-forbidden")
    except Exception as error:
        return {"who": boto3.client("sts").get_caller_identity()["Arn"], "message": str(error)[:200]}
"""
    allow = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    world.make("acts", code, Role=make_role(world.cloud, "acts", "lambda", allow))
    result, _ = world.call("acts")
    assert result["who"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/acts/acts"
    assert "AccessDenied" in result["message"]
    assert "s3:CreateBucket" in result["message"]


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("def handler(e, c):\n    raise KeyError('gone')", "index.handler", "KeyError", "'gone'"),
        ("import nothing_like_it", "index.handler", "Runtime.ImportModuleError",
         "Unable to import module 'index': No module named 'nothing_like_it'"),
        ("x = 1", "index.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("def handler(:", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("def handler(e, c):\n    return {1, 2}", "index.handler", "Runtime.MarshalError",
         "Unable to marshal response: Object of type set is not JSON serializable"),
        ("import os\ndef handler(e, c):\n    os._exit(3)", "index.handler", "Runtime.ExitError", "exit status 3"),
        ("x = 1", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
    ],
)  # fmt: skip
def test_an_error_is_answered_as_lambda_answers_it(
    world: World, code: str, handler: str, kind: str, message: str
) -> None:
    """Developer Guide, "Troubleshoot invocation issues in Lambda"."""
    name = f"fails-{kind.replace('.', '-')}"
    world.make(name, code, Handler=handler)
    result, answer = world.call(name)
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == kind
    assert message in result["errorMessage"]


def test_a_function_is_ended_at_its_timeout(world: World) -> None:
    world.make("slow", "import time\ndef handler(e, c):\n    time.sleep(60)", Timeout=1)
    result, answer = world.call("slow")
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in result["errorMessage"]


def test_an_invocation_that_asks_for_no_run_runs_nothing(world: World) -> None:
    world.make("dry", "raise SystemExit('ran')")
    assert world.client("lambda").invoke(FunctionName="dry", InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(ClientError, match="Could not parse request body into json"):
        world.client("lambda").invoke(FunctionName="dry", Payload=b"{")


# -- who may -----------------------------------------------------------------------------------


def test_another_account_gets_in_by_the_functions_policy_only(world: World) -> None:
    """Developer Guide, "Working with resource-based IAM policies in Lambda"."""
    arn = world.make("shared")
    theirs = world.client("lambda", OTHER)
    with pytest.raises(ClientError, match="lambda:InvokeFunction"):
        theirs.invoke(FunctionName=arn)
    mine = world.client("lambda")
    mine.add_permission(FunctionName="shared", StatementId="them", Action="lambda:InvokeFunction", Principal=OTHER)
    assert theirs.invoke(FunctionName=arn)["StatusCode"] == 200
    [statement] = json.loads(mine.get_policy(FunctionName="shared")["Policy"])["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{OTHER}:root"}
    assert statement["Resource"] == arn
    with pytest.raises(ClientError, match=r"The statement id \(them\) provided already exists"):
        mine.add_permission(FunctionName="shared", StatementId="them", Action="lambda:InvokeFunction", Principal=OTHER)
    mine.remove_permission(FunctionName="shared", StatementId="them")
    with pytest.raises(ClientError, match="AccessDenied"):
        theirs.invoke(FunctionName=arn)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        mine.get_policy(FunctionName="shared")


def test_a_permission_without_a_principal_or_an_action_is_refused(world: World) -> None:
    world.make("refuses")
    mine = world.client("lambda")
    with pytest.raises(ClientError, match="The provided principal was invalid"):
        mine.add_permission(
            FunctionName="refuses", StatementId="a", Action="lambda:InvokeFunction", Principal="unknown"
        )
    with pytest.raises(ClientError, match="none of Lambda's"):
        mine.add_permission(FunctionName="refuses", StatementId="a", Action="lambda:Call", Principal=OTHER)


@pytest.mark.parametrize(("source", "comes"), [("wanted", True), ("other", False)])
def test_a_rule_reaches_a_function_whose_policy_names_it(world: World, source: str, comes: bool) -> None:
    """EventBridge User Guide, "Using resource-based policies for Amazon EventBridge": AWS:SourceArn is the rule."""
    from localaws.services.events.service import deliveries

    name = f"target-{source}"
    arn = world.make(name)
    events = world.client("events")
    rule = events.put_rule(Name=f"rule-{source}", EventPattern=json.dumps({"source": [f"test.{source}"]}))["RuleArn"]
    named = rule if comes else rule + "-of-another-team"
    world.client("lambda").add_permission(
        FunctionName=name, StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=named,
    )  # fmt: skip
    events.put_targets(Rule=f"rule-{source}", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": f"test.{source}", "DetailType": "t", "Detail": '{"n": 7}'}])

    def delivered() -> list[Any]:
        return [d for d in deliveries(world.cloud) if d.target == arn]

    until(delivered)
    [delivery] = delivered()
    assert (not delivery.failed) is comes, delivery.failed
    if comes:
        path = Path(world.cloud.folder, "lambda", "logs", ACCOUNT, REGION, f"{name}.log")
        until(path.exists)


def test_creating_a_function_passes_its_role(world: World) -> None:
    allow = [{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}]
    builder = make_role(world.cloud, "builder", "codebuild", *allow)
    session = world.cloud.service_role(builder, "s", "codebuild.amazonaws.com", REGION)
    given = {"Runtime": "python3.12", "Handler": "index.handler", "Code": {"ZipFile": zip_of({"index.py": ECHO})}}
    with pytest.raises(ClientError, match="iam:PassRole"):
        session.client("lambda").create_function(FunctionName="passed", Role=world.role, **given)
    wrong = make_role(world.cloud, "of-another-service", "events")
    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        world.client("lambda").create_function(FunctionName="passed", Role=wrong, **given)


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Runtime": "python2.7"}, "no longer supported for creating or updating"),
        ({"Runtime": "nodejs24.x"}, "Not supported by the embedded AWS: the Lambda runtime nodejs24.x"),
        ({"Runtime": "python9.9"}, "Member must satisfy enum value set"),
        ({"Timeout": 901}, "Member must have value less than or equal to 900"),
        ({"MemorySize": 10241}, "less than or equal to 10240"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"LONG": "x" * 5000}}}, "exceeded the 4KB limit"),
        ({"Layers": ["arn:aws:lambda:us-east-1:111111111111:layer:x:1"]}, "a Lambda function with Layers"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "a Lambda function with VpcConfig"),
        ({"TracingConfig": {"Mode": "Active"}}, "TracingConfig Active"),
    ],
)
def test_a_function_that_aws_or_we_refuse_is_refused_by_name(world: World, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        world.make("never", **more)


def test_code_comes_from_a_bucket_with_the_callers_permissions(world: World) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="sagemaker-code")
    s3.put_object(Bucket="sagemaker-code", Key="f.zip", Body=zip_of({"index.py": ECHO}))
    s3.put_object(Bucket="sagemaker-code", Key="not.zip", Body=b"text")
    given = {"Runtime": "python3.12", "Handler": "index.handler", "Role": world.role}
    mine = world.client("lambda")
    for key, message in (("gone.zip", "S3 Error Code: NoSuchKey"), ("not.zip", "Could not unzip uploaded file")):
        with pytest.raises(ClientError, match=message):
            mine.create_function(FunctionName="stored", Code={"S3Bucket": "sagemaker-code", "S3Key": key}, **given)
    mine.create_function(FunctionName="stored", Code={"S3Bucket": "sagemaker-code", "S3Key": "f.zip"}, **given)
    world.ready("stored")
    assert world.call("stored")[0]["name"] == "stored"


# -- changes, versions, aliases ----------------------------------------------------------------


def test_a_function_is_changed_published_and_deleted(world: World) -> None:
    """Developer Guide, "Manage Lambda function versions", "Create an alias for a Lambda function"."""
    mine = world.client("lambda")
    arn = world.make("grows", "def handler(e, c):\n    return 1")
    assert mine.publish_version(FunctionName="grows")["Version"] == "1"
    assert mine.publish_version(FunctionName="grows")["Version"] == "1"  # nothing has changed
    mine.create_alias(FunctionName="grows", Name="live", FunctionVersion="1")
    mine.update_function_code(FunctionName="grows", ZipFile=zip_of({"index.py": "def handler(e, c):\n    return 2"}))
    world.ready("grows")
    shown = mine.update_function_configuration(FunctionName="grows", Description="second", Timeout=30)
    assert (shown["Description"], shown["Timeout"], shown["LastUpdateStatus"]) == ("second", 30, "InProgress")
    world.ready("grows")
    assert mine.publish_version(FunctionName="grows")["FunctionArn"] == f"{arn}:2"
    assert [world.call("grows", Qualifier=q)[0] for q in ("live", "1", "2")] == [1, 1, 2]
    assert world.call("grows")[0] == 2
    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    mine.update_alias(FunctionName="grows", Name="live", RoutingConfig=weights)
    assert world.call("grows", Qualifier="live")[0] == 2
    with pytest.raises(ClientError, match="ResourceConflict"):
        mine.delete_function(FunctionName="grows", Qualifier="1")
    with pytest.raises(ClientError, match=r"Function not found: .*:3"):
        mine.update_alias(FunctionName="grows", Name="live", FunctionVersion="3", RoutingConfig={})
    with pytest.raises(ClientError, match="PreconditionFailed"):
        mine.publish_version(FunctionName="grows", RevisionId="old")
    mine.delete_alias(FunctionName="grows", Name="live")
    mine.delete_function(FunctionName="grows", Qualifier="1")
    assert [v["Version"] for v in mine.list_versions_by_function(FunctionName="grows")["Versions"]] == ["$LATEST", "2"]
    mine.delete_function(FunctionName="grows")
    with pytest.raises(ClientError, match="Function not found"):
        mine.get_function(FunctionName="grows")


def test_tags_and_reserved_concurrency_are_kept(world: World) -> None:
    arn = world.make("tagged", Tags={"a": "1"})
    mine = world.client("lambda")
    mine.tag_resource(Resource=arn, Tags={"b": "2"})
    mine.untag_resource(Resource=arn, TagKeys=["a"])
    assert mine.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    mine.put_function_concurrency(FunctionName="tagged", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded"):
        world.call("tagged")
    mine.delete_function_concurrency(FunctionName="tagged")
    assert world.call("tagged")[1]["StatusCode"] == 200


# -- events ------------------------------------------------------------------------------------


def test_an_event_that_fails_is_tried_again_and_its_outcome_reported(world: World) -> None:
    """Developer Guide, "How Lambda handles errors and retries with asynchronous invocation"."""
    sqs = world.client("sqs")
    url = sqs.create_queue(QueueName="ends")["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:ends"
    may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}
    world.make(
        "twice", "def handler(e, c):\n    raise ValueError('no')", Role=make_role(world.cloud, "twice", "lambda", may)
    )
    world.client("lambda").put_function_event_invoke_config(
        FunctionName="twice", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": queue}}
    )
    answer = world.client("lambda").invoke(FunctionName="twice", InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    messages: list[Any] = []

    def come() -> bool:
        messages.extend(sqs.receive_message(QueueUrl=url).get("Messages", []))
        return bool(messages)

    until(come)
    record = json.loads(messages[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"]["errorMessage"] == "no"


@pytest.mark.parametrize("direct", [False, True])
def test_a_state_machine_calls_a_function_and_catches_its_error_by_name(world: World, direct: bool) -> None:
    """Step Functions Developer Guide, "Invoke an AWS Lambda function with Step Functions"."""
    name = f"task-{direct}"
    arn = world.make(name, "def handler(e, c):\n    if e.get('bad'):\n        raise ValueError('bad')\n    return e")
    may = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    role = make_role(world.cloud, f"states-{direct}", "states", may)
    task: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    task["Parameters"] = {"FunctionName": arn, "Payload.$": "$"}
    if direct:
        task = {"Type": "Task", "Resource": arn, "End": True}
    task["Catch"] = [{"ErrorEquals": ["ValueError"], "Next": "Caught"}]
    states = {"Call": task, "Caught": {"Type": "Pass", "Result": "caught", "End": True}}
    client = world.client("stepfunctions")
    machine = client.create_state_machine(
        name=name, roleArn=role, definition=json.dumps({"StartAt": "Call", "States": states})
    )["stateMachineArn"]
    outputs = []
    for given in ({"n": 1}, {"bad": True}):
        execution = client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
        until(lambda e=execution: client.describe_execution(executionArn=e)["status"] != "RUNNING")  # type: ignore[misc]
        outputs.append(json.loads(client.describe_execution(executionArn=execution)["output"]))
    if not direct:
        assert outputs[0]["ExecutedVersion"] == "$LATEST"
    assert outputs == [{"n": 1} if direct else {**outputs[0], "Payload": {"n": 1}, "StatusCode": 200}, "caught"]


def test_invocations_and_errors_are_counted(world: World) -> None:
    world.make("counts", "def handler(e, c):\n    raise ValueError('no')")
    world.call("counts")
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    points = world.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName="Errors", Dimensions=[{"Name": "FunctionName", "Value": "counts"}],
        StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=5), Period=600, Statistics=["Sum"],
    )["Datapoints"]  # fmt: skip
    assert sum(point["Sum"] for point in points) == 1.0
