"""What a CloudFormation request brings, and as whom the stack acts; with the providers of cheap types."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from localaws.cloud import Cloud
from tests.support.stacks import (
    ACCOUNT,
    REGION,
    create_stack,
    refusal,
    settled_stack,
    stack_events,
    template_of,
    update_stack,
)

TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "orders"}}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def requests(cloud: Cloud, service: str) -> list[dict[str, Any]]:
    lines = (cloud.folder / "requests.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["service"] == service]


@pytest.mark.parametrize(
    "form",
    [
        "https://templates.s3.us-east-1.amazonaws.com/shop/a%20b.json",
        "https://templates.s3.amazonaws.com/shop/a%20b.json",
        "https://s3.us-east-1.amazonaws.com/templates/shop/a%20b.json",
        "https://s3-us-east-1.amazonaws.com/templates/shop/a%20b.json",
        "{endpoint}/templates/shop/a%20b.json",
    ],
)
def test_a_template_is_read_from_s3(cloud: Cloud, client: Any, form: str) -> None:
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(
        Bucket="templates", Key="shop/a b.json", Body=template_of({"T": TOPIC}, Description="from S3").encode()
    )
    summary = client.get_template_summary(TemplateURL=form.format(endpoint=cloud.endpoint))
    assert (summary["Description"], summary["ResourceTypes"]) == ("from S3", ["AWS::SNS::Topic"])


def test_a_template_that_cannot_be_read_is_refused(cloud: Cloud, client: Any) -> None:
    message = refusal(client.validate_template, TemplateURL="https://example.com/a.json")
    assert message == "ValidationError: TemplateURL must be a supported URL."
    message = refusal(client.validate_template, TemplateURL="https://none.s3.us-east-1.amazonaws.com/a.json")
    assert message.startswith("ValidationError: S3 error: ")
    assert "Member must have length less than or equal to 51200" in refusal(
        client.validate_template, TemplateBody=template_of({"T": TOPIC}, Description="x" * 51_200)
    )


def test_a_stack_acts_as_its_role(cloud: Cloud, client: Any) -> None:
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=json.dumps(everything))
    stack = create_stack(client, template_of({"T": TOPIC}), RoleARN=role)
    assert (stack["StackStatus"], stack["RoleARN"]) == ("CREATE_COMPLETE", role)
    made = [r for r in requests(cloud, "sns") if r["operation"] == "CreateTopic"]
    assert made[0]["principal"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/AWSCloudFormation"
    client.delete_stack(StackName="shop")  # without a role: the stack's own is used again
    assert settled_stack(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    gone = [r for r in requests(cloud, "sns") if r["operation"] == "DeleteTopic"]
    assert gone[0]["principal"] == made[0]["principal"]


def test_a_role_that_is_not_there_is_refused(client: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/absent"
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template_of({"T": TOPIC}), RoleARN=role)
    assert message.splitlines() == [
        f"ValidationError: Role {role} is invalid or cannot be assumed",
        f"{role} has no policy of its own that could allow cloudformation.amazonaws.com",
    ]


def test_a_services_refusal_is_the_resources_reason(cloud: Cloud, client: Any) -> None:
    log = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/shop"}}
    cloud.root(ACCOUNT, REGION).client("logs").create_log_group(logGroupName="/shop")
    stack = create_stack(client, template_of({"L": log}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = next(reason for _, status, reason in stack_events(client, "shop") if status == "CREATE_FAILED")
    assert "(Service: Logs, Status Code: 400, Request ID: " in reason
    assert "HandlerErrorCode: AlreadyExists)" in reason
    found = cloud.root(ACCOUNT, REGION).client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in found] == ["/shop"]  # another's, so the rollback left it


def test_ssm_parameters_and_dynamic_references_are_looked_up(cloud: Cloud, client: Any) -> None:
    ssm = cloud.root(ACCOUNT, REGION).client("ssm")
    ssm.put_parameter(Name="/shop/topic", Value="orders", Type="String")
    ssm.put_parameter(Name="/shop/title", Value="Orders!", Type="String")
    topic = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"TopicName": {"Ref": "Name"}, "DisplayName": "{{resolve:ssm:/shop/title:1}}"},
    }
    declared = {"Name": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/shop/topic"}}
    stack = create_stack(client, template_of({"T": topic}, Parameters=declared))
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Parameters"] == [{"ParameterKey": "Name", "ParameterValue": "/shop/topic", "ResolvedValue": "orders"}]
    sns = cloud.root(ACCOUNT, REGION).client("sns")
    attributes = sns.get_topic_attributes(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:orders")["Attributes"]
    assert attributes["DisplayName"] == "Orders!"


def test_ten_cheap_resources_take_less_than_two_seconds_of_the_processor(client: Any) -> None:
    resources: dict[str, Any] = {
        f"P{i}": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": str(i)}} for i in range(5)
    }
    resources |= {f"T{i}": {"Type": "AWS::SNS::Topic"} for i in range(5)}
    create_stack(client, template_of({"Warm": TOPIC}), name="warm")
    began = time.process_time()
    assert create_stack(client, template_of(resources))["StackStatus"] == "CREATE_COMPLETE"
    assert time.process_time() - began < 2
    changed = {**resources, "P0": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}
    assert update_stack(client, template_of(changed))["StackStatus"] == "UPDATE_COMPLETE"


def test_what_is_not_supported_is_refused_by_name(client: Any) -> None:
    template = template_of({"T": TOPIC})
    for name, value in (
        ("NotificationARNs", ["arn:aws:sns:us-east-1:111111111111:x"]),
        ("ResourceTypes", ["AWS::SNS::*"]),
    ):
        message = refusal(client.create_stack, StackName="shop", TemplateBody=template, **{name: value})
        assert message.startswith("NotSupported: ")
        assert name in message
    assert refusal(client.estimate_template_cost, TemplateBody=template).startswith("NotSupported: ")


def test_a_template_is_summarised(client: Any) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x", "AssumeRolePolicyDocument": TRUST}}
    declared = {"Size": {"Type": "Number", "Default": 3, "AllowedValues": [1, 3], "Description": "how many"}}
    template = template_of({"R": role, "T": TOPIC}, Parameters=declared, Description="a shop", Metadata={"a": 1})
    summary = client.get_template_summary(TemplateBody=template)
    assert summary["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    reason = "The following resource(s) require capabilities: [AWS::IAM::Role]"  # english: quoted
    assert summary["CapabilitiesReason"] == reason
    assert summary["Parameters"] == [
        {
            "ParameterKey": "Size",
            "DefaultValue": "3",
            "ParameterType": "Number",
            "NoEcho": False,
            "Description": "how many",
            "ParameterConstraints": {"AllowedValues": ["1", "3"]},
        }
    ]
    assert (summary["Version"], json.loads(summary["Metadata"])) == ("2010-09-09", {"a": 1})
    validated = client.validate_template(TemplateBody=template)
    assert validated["Parameters"] == [
        {"ParameterKey": "Size", "DefaultValue": "3", "NoEcho": False, "Description": "how many"}
    ]


def test_a_bucket_that_holds_objects_stops_the_deletion(cloud: Cloud, client: Any) -> None:
    create_stack(client, template_of({"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "shop-orders"}}}))
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    s3.put_object(Bucket="shop-orders", Key="a", Body=b"1")
    client.delete_stack(StackName="shop")
    stack = settled_stack(client, "shop")
    assert stack["StackStatus"] == "DELETE_FAILED"
    reason = next(reason for _, status, reason in stack_events(client, "shop") if status == "DELETE_FAILED")
    assert "not empty" in reason
    s3.delete_object(Bucket="shop-orders", Key="a")
    client.delete_stack(StackName="shop")
    assert settled_stack(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_secret_that_is_looked_up_is_not_shown(cloud: Cloud, client: Any) -> None:
    secrets = cloud.root(ACCOUNT, REGION).client("secretsmanager")
    secrets.create_secret(Name="shop", SecretString=json.dumps({"word": "swordfish"}))
    topic = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"DisplayName": "{{resolve:secretsmanager:shop:SecretString:word}}"},
    }
    assert create_stack(client, template_of({"T": topic}))["StackStatus"] == "CREATE_COMPLETE"
    arn = client.describe_stack_resources(StackName="shop")["StackResources"][0]["PhysicalResourceId"]
    attributes = cloud.root(ACCOUNT, REGION).client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["DisplayName"] == "swordfish"
    assert "swordfish" not in str(client.describe_stack_events(StackName="shop"))


def test_parameters_that_the_stack_has_are_kept_and_unknown_ones_refused(client: Any) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Title"}}}
    declared = {"Title": {"Type": "String", "AllowedPattern": "[A-Z].*"}}
    template = template_of({"T": topic}, Parameters=declared)
    assert "Title" in refusal(client.create_stack, StackName="shop", TemplateBody=template)
    for given in ({"Title": "orders"}, {"Title": "Orders", "Other": "x"}):
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()]
        message = refusal(client.create_stack, StackName="shop", TemplateBody=template, Parameters=parameters)
        assert message.startswith("ValidationError: ")
    title = [{"ParameterKey": "Title", "ParameterValue": "Orders"}]
    create_stack(client, template, Parameters=title)
    second = template_of({"T": topic, "S": TOPIC}, Parameters=declared)
    kept = [{"ParameterKey": "Title", "UsePreviousValue": True}]
    stack = update_stack(client, second, Parameters=kept)
    assert (stack["StackStatus"], stack["Parameters"]) == ("UPDATE_COMPLETE", title)
    both = [{"ParameterKey": "Title", "UsePreviousValue": True, "ParameterValue": "x"}]
    message = refusal(client.update_stack, StackName="shop", TemplateBody=second, Parameters=both)
    assert "Cannot specify usePreviousValue as true and non empty value" in message


def test_a_transform_needs_a_capability_of_its_own(client: Any) -> None:
    template = template_of(
        {"T": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ToJsonString": {"a": 1}}}}},
        Transform="AWS::LanguageExtensions",
    )
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert message == "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    assert create_stack(client, template, Capabilities=["CAPABILITY_AUTO_EXPAND"])["StackStatus"] == "CREATE_COMPLETE"


def test_a_circle_of_resources_is_refused_by_name(client: Any) -> None:
    template = template_of({"A": {**TOPIC, "DependsOn": "B"}, "B": {**TOPIC, "DependsOn": "A"}})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert message.startswith("ValidationError: Circular dependency between resources: [A, B]")


def test_a_parameter_with_a_public_parameter_of_aws_is_refused_with_its_line(client: Any) -> None:
    template = json.dumps(
        {
            "Parameters": {
                "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/aws/service/ami-x"},
            },
            "Resources": {"T": TOPIC},
        },
        indent=1,
    )
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert (
        "Not supported by the embedded AWS: parameter Image (line 3): the public parameter /aws/service/ami-x"
        in message
    )


def test_names_that_a_loop_computes_are_known_to_the_stack(cloud: Cloud, client: Any) -> None:
    """Inputs of the page "Examples of Fn::ForEach": Ref of a computed logical id, a condition from a mapping."""
    condition = {"Fn::FindInMap": ["Of", "Condition", {"Ref": "N"}]}
    endpoint = {"Protocol": "email", "Endpoint": "x@example.com", "TopicArn": {"Ref": {"Fn::Sub": "Topic${N}"}}}
    fragment = {
        "Topic${N}": {"Type": "AWS::SNS::Topic", "Condition": condition},
        "Sub${N}": {"Type": "AWS::SNS::Subscription", "Condition": condition, "Properties": endpoint},
    }
    template = template_of(
        {"Fn::ForEach::T": ["N", ["A"], fragment]},
        Transform="AWS::LanguageExtensions",
        Mappings={"Of": {"Condition": {"A": "Yes"}}},
        Conditions={"Yes": {"Fn::Equals": ["a", "a"]}},
    )
    assert create_stack(client, template, Capabilities=["CAPABILITY_AUTO_EXPAND"])["StackStatus"] == "CREATE_COMPLETE"
    subscribed = cloud.root(ACCOUNT, REGION).client("sns").list_subscriptions()["Subscriptions"]
    assert [":shop-TopicA-" in one["TopicArn"] for one in subscribed] == [True]


def test_a_comparison_of_a_list_is_refused_before_the_stack(client: Any) -> None:
    template = template_of(
        {"T": TOPIC},
        Parameters={"L": {"Type": "CommaDelimitedList", "Default": ""}},
        Conditions={"C": {"Fn::Equals": [{"Ref": "L"}, ""]}},
    )
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert "every Fn::Equals object requires a list of 2 string parameters." in message


def test_a_property_that_is_not_supported_is_named_before_anything_is_created(cloud: Cloud, client: Any) -> None:
    table = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "WarmThroughput": {"ReadUnitsPerSecond": 12000},
        "ContributorInsightsSpecification": {"Ref": "AWS::NoValue"},
    }
    template = template_of({"T": TOPIC, "Orders": {"Type": "AWS::DynamoDB::Table", "Properties": table}})
    message = refusal(client.create_stack, StackName="shop", TemplateBody=template)
    assert "the property WarmThroughput of AWS::DynamoDB::Table (resource Orders, line 1)" in message
    assert "ContributorInsights" not in message
    assert client.describe_stacks()["Stacks"] == []
