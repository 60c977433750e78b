"""Custom resources: what a stack asks of a function or a topic, and what it makes of the answer.

CloudFormation User Guide, "Custom resource request and response reference".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.awslambda.state import functions_of
from scripts.rehearsal.embedded import embedded_aws
from tests.support.queues import open_to
from tests.support.stacks import settled_stack, stack_events
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
CODE = """
import json
import cfnresponse

def handler(event, context):
    print(json.dumps(event))
    given, kind = event["ResourceProperties"], event["RequestType"]
    if given.get("Silent") == kind:
        return
    status = cfnresponse.FAILED if given.get("Fail") == kind else cfnresponse.SUCCESS
    data = {"Twice": 2 * int(given.get("Number", 1)), "Word": "hush-hush", "Long": "x" * int(given.get("Long", 0))}
    name = given.get("Name") or event.get("PhysicalResourceId")
    cfnresponse.send(event, context, status, data, name, noEcho=given.get("Hide") == "true")
"""
PROVIDER: dict[str, Any] = {
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
        },
    },
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "provider",
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Timeout": 30,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": CODE},
        },
    },
}
TOKEN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:provider"


class World:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = cloud.root(ACCOUNT, REGION).client("cloudformation")
        made = self.create("provider", PROVIDER, Capabilities=["CAPABILITY_IAM"])
        assert made["StackStatus"] == "CREATE_COMPLETE", stack_events(self.client, "provider")

    def create(self, name: str, resources: dict[str, Any], **more: Any) -> dict[str, Any]:
        given = {"TemplateBody": json.dumps({"Resources": resources}), **more}
        self.client.create_stack(StackName=name, **given)
        return self.ended(name)

    def update(self, name: str, resources: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.client.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}), **more)
        return self.ended(name)

    def delete(self, name: str) -> dict[str, Any]:
        stack = self.client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.client.delete_stack(StackName=name)
        return self.ended(stack)

    def ended(self, name: str) -> dict[str, Any]:
        until(lambda: not self.status(name).endswith("_IN_PROGRESS"), 60)
        return settled_stack(self.client, name)

    def status(self, name: str) -> str:
        return str(self.client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])

    def asked(self, stack: str) -> list[dict[str, Any]]:
        """The requests that the function got from a stack, in order."""
        until(lambda: not functions_of(self.cloud, ACCOUNT, REGION).by_name["provider"].running)
        path = Path(self.cloud.folder, "lambda", "logs", ACCOUNT, REGION, "provider.log")
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith('{"RequestType"')]
        return [found for line in lines if f"stack/{stack}/" in (found := json.loads(line))["StackId"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_aws(tmp_path_factory.mktemp("custom")) as running:
        yield World(running)
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


def thing(kind: str = "Custom::Thing", **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": {"ServiceToken": TOKEN, **properties}}


def parameter(**value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/answer", "Type": "String", **value}}


def test_a_custom_resource_is_made_changed_and_deleted_by_its_function(world: World) -> None:
    reader = parameter(Value={"Fn::Sub": "${Thing} ${Thing.Twice}"})
    made = world.create("life", {"Thing": thing(Number=4, Name="one", List=[1, True]), "Told": reader})
    assert made["StackStatus"] == "CREATE_COMPLETE", stack_events(world.client, "life")
    ssm = world.cloud.root(ACCOUNT, REGION).client("ssm")
    assert ssm.get_parameter(Name="/answer")["Parameter"]["Value"] == "one 8"
    world.update("life", {"Thing": thing(Number=5, Name="one", List=[1, True]), "Told": reader})
    assert ssm.get_parameter(Name="/answer")["Parameter"]["Value"] == "one 10"
    assert world.delete("life")["StackStatus"] == "DELETE_COMPLETE"
    create, update, delete = world.asked("life")
    assert create["ResourceProperties"] == {
        "ServiceToken": TOKEN, "Number": "4", "Name": "one", "List": ["1", "true"],
    }  # fmt: skip
    assert {"RequestType", "ServiceToken", "ResponseURL", "StackId", "RequestId", "LogicalResourceId", "ResourceType",
            "ResourceProperties"} == set(create)  # fmt: skip
    assert (create["ResourceType"], create["LogicalResourceId"]) == ("Custom::Thing", "Thing")
    assert (update["RequestType"], update["PhysicalResourceId"]) == ("Update", "one")
    assert (update["OldResourceProperties"]["Number"], update["ResourceProperties"]["Number"]) == ("4", "5")
    assert (delete["RequestType"], delete["PhysicalResourceId"]) == ("Delete", "one")


def test_another_physical_id_is_a_replacement_and_the_old_one_is_deleted_after(world: World) -> None:
    """User Guide, "Update request for CloudFormation custom resources"."""
    world.create("moves", {"Thing": thing("AWS::CloudFormation::CustomResource", Name="old")})
    updated = world.update("moves", {"Thing": thing("AWS::CloudFormation::CustomResource", Name="new")})
    assert updated["StackStatus"] == "UPDATE_COMPLETE"
    assert [(r["RequestType"], r.get("PhysicalResourceId")) for r in world.asked("moves")] == [
        ("Create", None), ("Update", "old"), ("Delete", "old"),
    ]  # fmt: skip
    assert world.asked("moves")[2]["ResourceProperties"]["Name"] == "old"
    [shown] = world.client.describe_stack_resources(StackName="moves")["StackResources"]
    assert shown["PhysicalResourceId"] == "new"


def test_a_failure_is_reported_and_what_began_is_deleted(world: World) -> None:
    made = world.create("fails", {"Thing": thing(Fail="Create", Name="half")})
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    [reason] = [why for _, status, why in stack_events(world.client, "fails") if status == "CREATE_FAILED"]
    assert reason.startswith(
        "Received response status [FAILED] from custom resource. Message returned: See the details in CloudWatch Log "
        "Stream: "
    )
    assert [(r["RequestType"], r.get("PhysicalResourceId")) for r in world.asked("fails")] == [
        ("Create", None), ("Delete", "half"),
    ]  # fmt: skip


def test_an_update_that_fails_is_taken_back_with_the_former_properties(world: World) -> None:
    world.create("back", {"Thing": thing(Name="same")})
    updated = world.update("back", {"Thing": thing(Name="same", Fail="Update")})
    assert updated["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    last = world.asked("back")[-1]
    assert last["RequestType"] == "Update"
    assert last["OldResourceProperties"]["Fail"] == "Update"
    assert "Fail" not in last["ResourceProperties"]


def test_an_answer_that_does_not_come_fails_after_the_service_timeout(world: World) -> None:
    made = world.create("silent", {"Thing": thing(Silent="Create", ServiceTimeout=100)})
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    [reason] = [why for _, status, why in stack_events(world.client, "silent") if status == "CREATE_FAILED"]
    create, delete = world.asked("silent")
    assert f"Please check your logs for requestId [{create['RequestId']}]" in reason
    assert delete["PhysicalResourceId"].startswith("silent-Thing-")


def test_what_an_answer_hides_is_shown_nowhere(world: World) -> None:
    """User Guide, "Custom resource response objects": NoEcho."""
    reader = parameter(Value={"Fn::GetAtt": "Thing.Word"})
    world.create("hides", {"Thing": thing(Hide=True), "Told": reader})
    shown = world.client.describe_stack_events(StackName="hides")["StackEvents"]
    [made] = {e["ResourceProperties"] for e in shown if e["LogicalResourceId"] == "Told"}
    assert '"Value":"****"' in made
    assert "hush-hush" not in json.dumps(shown, default=str)
    world.delete("hides")


def test_an_attribute_that_the_answer_lacks_fails_where_it_is_asked_for(world: World) -> None:
    made = world.create("lacks", {"Thing": thing(), "Told": parameter(Value={"Fn::GetAtt": ["Thing", "Missing"]})})
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [
        why for name, status, why in stack_events(world.client, "lacks") if (name, status) == ("Told", "CREATE_FAILED")
    ]
    assert "Vendor response doesn't contain Missing attribute" in reasons[0]


def test_an_answer_of_more_than_4096_bytes_is_refused(world: World) -> None:
    world.create("long", {"Thing": thing(Long=5000)})
    assert any("Response object is too long." in why for _, _, why in stack_events(world.client, "long"))


def test_a_service_token_can_neither_change_nor_be_anything_else(world: World) -> None:
    world.create("token", {"Thing": thing(Name="t")})
    other = {"Type": "Custom::Thing", "Properties": {"ServiceToken": TOKEN + ":live", "Name": "t"}}
    world.update("token", {"Thing": other})
    assert any("Modifying service token is not allowed." in why for _, _, why in stack_events(world.client, "token"))
    for token, message in (
        (f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "Invalid ServiceToken"),
        (f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f", "must be of the stack's own region"),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:absent", "Function not found"),
    ):
        name = f"token-{message.split()[-1]}"
        world.create(name, {"Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": token}}})
        assert any(message in why for _, _, why in stack_events(world.client, name))


def test_the_function_is_called_as_the_stacks_role(world: World) -> None:
    """User Guide, "CloudFormation service role": the principal that acts for the stack needs lambda:InvokeFunction."""
    iam = world.cloud.root(ACCOUNT, REGION).client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="stack", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    world.create("denied", {"Thing": thing()}, RoleARN=role)
    assert any("lambda:InvokeFunction" in why for _, _, why in stack_events(world.client, "denied"))


def test_a_topic_gets_the_same_request(world: World) -> None:
    root = world.cloud.root(ACCOUNT, REGION)
    topic = root.client("sns").create_topic(Name="asked")["TopicArn"]
    url, queue = open_to(root.client("sqs"), "asked", "sns.amazonaws.com", topic)
    root.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    resources = {"Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": topic}}}
    world.client.create_stack(StackName="by-topic", TemplateBody=json.dumps({"Resources": resources}))
    messages: list[dict[str, Any]] = []

    def come() -> bool:
        messages.extend(root.client("sqs").receive_message(QueueUrl=url).get("Messages", []))
        return bool(messages)

    until(come)
    request = json.loads(json.loads(messages[0]["Body"])["Message"])
    answer = {"Status": "SUCCESS", "PhysicalResourceId": "by hand",
              **{name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")}}  # fmt: skip
    import urllib.request

    content, headers = json.dumps(answer).encode(), {"Content-Type": ""}  # the URL is signed without one
    put = urllib.request.Request(request["ResponseURL"], content, headers, method="PUT")
    with urllib.request.urlopen(put) as response:
        assert response.status == 200
    assert world.ended("by-topic")["StackStatus"] == "CREATE_COMPLETE"


# -- Lambda's own resource types -----------------------------------------------------------------


def test_a_function_with_version_alias_and_permission_is_made_changed_and_deleted(world: World) -> None:
    def resources(code: str, version: str) -> dict[str, Any]:
        function = json.loads(json.dumps(PROVIDER["Function"]))
        function["Properties"] |= {
            "FunctionName": "served", "Code": {"ZipFile": code}, "Environment": {"Variables": {"STAGE": version}},
            "Role": f"arn:aws:iam::{ACCOUNT}:role/" + role, "Tags": [{"Key": "a", "Value": version}],
        }  # fmt: skip
        if version == "2":
            function["Properties"]["ReservedConcurrentExecutions"] = "5"
        return {
            "Function": function,
            f"Version{version}": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": [f"Version{version}", "Version"]},
                    "Name": "live",
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": "Alias"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "events.amazonaws.com",
                    "SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r{version}",
                },
            },
            "Retries": {
                "Type": "AWS::Lambda::EventInvokeConfig",
                "Properties": {"FunctionName": {"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 0},
            },
        }

    found = world.client.describe_stack_resources(StackName="provider")["StackResources"]
    role = next(r["PhysicalResourceId"] for r in found if r["ResourceType"] == "AWS::IAM::Role")
    made = world.create("serves", resources("def handler(e, c):\n    return 1", "1"))
    assert made["StackStatus"] == "CREATE_COMPLETE", stack_events(world.client, "serves")
    client = world.cloud.root(ACCOUNT, REGION).client("lambda")

    def call() -> Any:
        return json.loads(client.invoke(FunctionName="served", Qualifier="live")["Payload"].read())

    assert call() == 1
    import_os = "import os\ndef handler(e, c):\n    return os.environ['STAGE']"
    updated = world.update("serves", resources(import_os, "2"))
    assert updated["StackStatus"] == "UPDATE_COMPLETE", stack_events(world.client, "serves")
    assert call() == "2"
    assert client.get_function(FunctionName="served")["Tags"]["a"] == "2"
    assert client.get_function_concurrency(FunctionName="served")["ReservedConcurrentExecutions"] == 5
    [statement] = json.loads(client.get_policy(FunctionName="served", Qualifier="live")["Policy"])["Statement"]
    assert statement["Condition"]["ArnLike"]["AWS:SourceArn"].endswith("rule/r2")
    assert client.get_function_event_invoke_config(FunctionName="served")["MaximumRetryAttempts"] == 0
    assert [v["Version"] for v in client.list_versions_by_function(FunctionName="served")["Versions"]] == [
        "$LATEST", "2",
    ]  # fmt: skip
    assert world.delete("serves")["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="Function not found"):
        client.get_function(FunctionName="served")


def test_a_runtime_that_does_not_run_here_is_refused_with_its_place_before_anything_is_made(world: World) -> None:
    function = json.loads(json.dumps(PROVIDER["Function"]))
    function["Properties"] |= {"Runtime": "nodejs22.x", "Role": "arn:aws:iam::111111111111:role/x"}
    with pytest.raises(ClientError, match=r"the Lambda runtime nodejs22\.x \(resource Function, line 1\)"):
        world.create("node", {"Function": function})
