"""The transform of AWS SAM: what it makes, compared with aws-sam-translator 1.115.0, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awslang.errors import NotSupported
from awslang.template import serverless, template
from awslang.template.template import TemplateError

BASIC = "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"
CODE = {"Runtime": "python3.13", "Handler": "a.h", "CodeUri": "s3://bucket/key"}
PATTERN = {"Pattern": {"source": ["aws.s3"]}}


def expanded(resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    body = json.dumps({"Transform": serverless.NAME, "Resources": resources, **sections})
    found = serverless.expand(template.parse(body), lambda name: f"arn:aws:iam::aws:policy/{name}")
    return dict(found.document)


def function(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": CODE | properties}


def test_a_function_gets_a_role_with_its_policies_and_what_is_global() -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    common = {"Timeout": 5, "Environment": {"Variables": {"A": "1"}}, "Tags": {"g": "1"}}
    policies = ["AmazonS3ReadOnlyAccess", {"Statement": [statement]}]
    given = function(Environment={"Variables": {"B": "2"}}, Tags={"x": "y"}, Policies=policies)
    given |= {"Condition": "Yes", "Metadata": {"a": 1}}
    sections = {"Globals": {"Function": common}, "Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}}}
    document = expanded({"Hello": given}, **sections)
    assert set(document) == {"Conditions", "Resources"}
    tags = [{"Key": "lambda:createdBy", "Value": "SAM"}, {"Key": "g", "Value": "1"}, {"Key": "x", "Value": "y"}]
    assert document["Resources"]["Hello"] == {
        "Type": "AWS::Lambda::Function",
        "Condition": "Yes",
        "Metadata": {"a": 1},
        "Properties": {
            "Code": {"S3Bucket": "bucket", "S3Key": "key"}, "Handler": "a.h", "Runtime": "python3.13", "Timeout": 5,
            "Environment": {"Variables": {"A": "1", "B": "2"}}, "Role": {"Fn::GetAtt": ["HelloRole", "Arn"]},
            "Tags": tags,
        },
    }  # fmt: skip
    role = document["Resources"]["HelloRole"]
    assert (role["Condition"], "Metadata" in role, role["Properties"]["Tags"]) == ("Yes", False, tags)
    assert role["Properties"]["ManagedPolicyArns"] == [BASIC, "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
    [policy] = role["Properties"]["Policies"]
    assert policy == {"PolicyName": "HelloRolePolicy1", "PolicyDocument": {"Statement": [statement]}}


def test_events_reach_the_function_or_its_alias() -> None:
    topic = "arn:aws:sns:us-east-1:111111111111:t"
    events = {"Rule": {"Type": "EventBridgeRule", "Properties": PATTERN},
              "News": {"Type": "SNS", "Properties": {"Topic": topic}}}  # fmt: skip
    plain = expanded({"Hello": function(Events=events)})["Resources"]
    assert set(plain) == {"Hello", "HelloRole", "HelloRule", "HelloRulePermission", "HelloNews", "HelloNewsPermission"}
    [target] = plain["HelloRule"]["Properties"]["Targets"]
    assert target == {"Arn": {"Fn::GetAtt": ["Hello", "Arn"]}, "Id": "HelloRuleLambdaTarget"}
    assert plain["HelloRulePermission"]["Properties"] == {
        "Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Hello"}, "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["HelloRule", "Arn"]},
    }  # fmt: skip
    outputs = {"Alias": {"Value": {"Ref": "Hello.Alias"}}}
    document = expanded({"Hello": function(Events=events, AutoPublishAlias="live")}, Outputs=outputs)
    aliased = document["Resources"]
    [version] = [name for name, one in aliased.items() if one["Type"] == "AWS::Lambda::Version"]
    assert aliased[version]["DeletionPolicy"] == "Retain"
    assert aliased["HelloAliaslive"]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    assert aliased["HelloRule"]["Properties"]["Targets"][0]["Arn"] == {"Ref": "HelloAliaslive"}
    assert document["Outputs"]["Alias"]["Value"] == {"Ref": "HelloAliaslive"}
    other = expanded({"Hello": function(AutoPublishAlias="live", CodeUri="s3://bucket/other")})["Resources"]
    assert version not in other


def test_a_simple_table_is_a_table_with_one_key() -> None:
    number = {"PrimaryKey": {"Name": "n", "Type": "Number"}, "Tags": {"a": "b"}}
    made = expanded({name: {"Type": "AWS::Serverless::SimpleTable", "Properties": given}
                     for name, given in (("One", {}), ("Two", number))})["Resources"]  # fmt: skip
    assert made["One"]["Properties"] == {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    assert made["Two"]["Properties"]["AttributeDefinitions"] == [{"AttributeName": "n", "AttributeType": "N"}]
    assert made["Two"]["Properties"]["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"Type": "AWS::Serverless::Api", "Properties": {}}, "the resource type AWS::Serverless::Api"),
        (function(Events={"E": {"Type": "Api", "Properties": {}}}), "the event type Api"),
        (function(Policies=[{"S3ReadPolicy": {"BucketName": "b"}}]), "the policy template S3ReadPolicy"),
        (function(FunctionUrlConfig={"AuthType": "NONE"}), "the property FunctionUrlConfig"),
        (function(Events={"E": {"Type": "Schedule", "Properties": {"RoleArn": "x"}}}), "the property RoleArn"),
    ],
)
def test_the_rest_is_refused_by_name(resource: dict[str, Any], words: str) -> None:
    with pytest.raises(NotSupported, match=rf"{words} .*\(resource Hello, line 1\)" if " " in words else words):
        expanded({"Hello": resource})


def test_what_is_not_packaged_is_an_error_of_the_template() -> None:
    with pytest.raises(TemplateError, match="'CodeUri' is not a valid S3 Uri"):
        expanded({"Hello": function(CodeUri="./source")})
    with pytest.raises(NotSupported, match="Fn::ForEach together with the transform"):
        expanded({"Fn::ForEach::Loop": ["X", ["a"], {}], "Hello": function()})
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    assert serverless.expand(parsed := template.parse(body), str) is parsed
