"""Registry schemas: what they tell of a type, which values are converted, which are refused."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awslang.template import patterns, schema_rules, schemas
from awslang.template.values import UNKNOWN

ROLE = "arn:aws:iam::111111111111:role/r"


def test_a_schema_tells_what_an_update_replaces() -> None:
    bucket = schemas.schema("AWS::S3::Bucket")
    assert bucket.replaced_by({"BucketName": "a"}, {"BucketName": "b"}) == ["BucketName"]
    assert bucket.replaced_by({"BucketName": "a", "Tags": []}, {"BucketName": "a"}) == []
    assert bucket.replaced_by({}, {"BucketName": "b"}) == ["BucketName"]


def test_a_schema_tells_what_its_handlers_do() -> None:
    role = schemas.schema("AWS::IAM::Role")
    assert "iam:CreateRole" in role.handler_permissions("create")
    assert (role.taggable, role.tag_property) == (True, "Tags")
    assert role.required == {"AssumeRolePolicyDocument"}
    assert {"Arn", "RoleId"} <= role.read_only
    assert role.primary_identifier == ("RoleName",)


def test_nested_create_only_paths_are_compared() -> None:
    assert schemas.schema("AWS::SageMaker::Endpoint").create_only == {"EndpointName"}
    assert list(schemas.at({"A": [{"B": 1}, {"B": 2}]}, ["A", "*", "B"])) == [1, 2]


def test_unknown_types_are_not_known() -> None:
    assert schemas.known("AWS::S3::Bucket")
    assert schemas.known("Custom::Anything")
    assert not schemas.known("AWS::S3::Bukket")
    with pytest.raises(KeyError):
        schemas.schema("AWS::S3::Bukket")


@pytest.mark.parametrize(
    ("kind", "attribute", "has"),
    [
        ("AWS::S3::Bucket", "Arn", True),
        ("AWS::S3::Bucket", "BucketName", False),
        ("AWS::SNS::Topic", "TopicName", True),
        ("AWS::SageMaker::Endpoint", "EndpointName", True),
        ("AWS::RDS::DBInstance", "Endpoint.Address", True),
        ("AWS::CloudFormation::Stack", "Outputs.Anything", True),
        ("AWS::CloudFormation::Stack", "Nothing", False),
        ("Custom::X", "Anything", True),
    ],
)
def test_attributes_of_get_att_are_known(kind: str, attribute: str, has: bool) -> None:
    assert schemas.has_attribute(kind, attribute) is has


def test_the_attribute_tables_of_cfn_lint_are_where_they_were() -> None:
    """They are constants of a private module: this is the canary."""
    every, further = schemas.attribute_tables()
    assert "AWS::SNS::Topic" in every
    assert further["AWS::SageMaker::Model"] == ["ModelName"]


def test_scalars_are_converted_as_aws_does() -> None:
    given = {"VisibilityTimeout": "30", "FifoQueue": "true", "QueueName": 5, "Tags": [{"Key": "a", "Value": True}]}
    wanted = {"VisibilityTimeout": 30, "FifoQueue": True, "QueueName": "5", "Tags": [{"Key": "a", "Value": "true"}]}
    assert schemas.coerce("AWS::SQS::Queue", given) == wanted
    assert schemas.problems("AWS::SQS::Queue", wanted, "Queue") == []


def test_a_custom_resource_takes_anything_and_gets_strings() -> None:
    given = {"ServiceToken": "arn", "Deep": {"A": [1, True]}}
    assert schemas.coerce("Custom::X", given) == {"ServiceToken": "arn", "Deep": {"A": ["1", "true"]}}
    assert schemas.problems("Custom::X", schemas.coerce("Custom::X", given), "X") == []
    assert "required key [ServiceToken] not found" in schemas.problems("Custom::X", {}, "X")[0]


@pytest.mark.parametrize(
    ("kind", "properties", "message"),
    [
        ("AWS::S3::Bucket", {"BucketNam": "a"}, "#: extraneous key [BucketNam] is not permitted"),
        ("AWS::S3::Bucket", {"BucketName": ["a"]}, "#/BucketName: expected type: String, found: JSONArray"),
        ("AWS::S3::Bucket", {"Tags": [{"Key": "a"}]}, "#/Tags/0: required key [Value] not found"),
        ("AWS::S3::Bucket", {"Tags": {"a": "b"}}, "#/Tags: expected type: JSONArray, found: JSONObject"),
        ("AWS::S3::Bucket", {"Arn": "a"}, "#/Arn: is read-only and cannot be specified"),
        (
            "AWS::S3::Bucket",
            {"VersioningConfiguration": {"Status": "On"}},
            "#/VersioningConfiguration/Status: On is not a valid enum value. Valid values: [Enabled, Suspended]",
        ),
        ("AWS::SQS::Queue", {"VisibilityTimeout": "soon"}, "#/VisibilityTimeout: expected type: Integer, found: Str"),
        ("AWS::IAM::Role", {}, "#: required key [AssumeRolePolicyDocument] not found"),
        (
            "AWS::IAM::Role",
            {"AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "a b!", "Value": ""}]},
            "#/Tags/0/Key: failed validation constraint for keyword [pattern]: a b! does not match",
        ),
        ("AWS::Events::Rule", {}, "#: at least one of [EventPattern, ScheduleExpression] is required"),
        (
            "AWS::CodePipeline::Pipeline",
            {"RoleArn": ROLE, "Stages": []},
            "#: exactly one of [ArtifactStore, ArtifactStores] is required, none is given",
        ),
        (
            "AWS::SageMaker::Endpoint",
            {
                "EndpointConfigName": "e",
                "DeploymentConfig": {"BlueGreenUpdatePolicy": {"TerminationWaitInSeconds": 7200}},
            },
            "#/DeploymentConfig/BlueGreenUpdatePolicy/TerminationWaitInSeconds: 7200 is not less or equal to 3600",
        ),
    ],
)
def test_what_a_schema_refuses_is_reported_with_its_path(kind: str, properties: dict[str, Any], message: str) -> None:
    found = schemas.problems(kind, schemas.coerce(kind, properties), "Thing")
    assert all(
        problem.startswith("Properties validation failed for resource Thing with message: #") for problem in found
    )
    assert any(message in problem for problem in found), found


def test_unknown_values_pass() -> None:
    assert schemas.problems("AWS::S3::Bucket", {"BucketName": UNKNOWN, "Tags": [UNKNOWN]}, "B") == []
    assert schemas.problems("AWS::S3::Bucket", {"VersioningConfiguration": UNKNOWN}, "B") == []


def test_cfn_lint_itself_is_not_imported() -> None:
    """It takes seconds, and only its data is wanted."""
    code = "from awslang.template import schemas; schemas.attributes('AWS::S3::Bucket'); import sys; "
    code += "print([m for m in sys.modules if m.startswith('cfnlint')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


KINDS = ("AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::IAM::Role", "AWS::SageMaker::Endpoint")
LEAVES = st.sampled_from(["a", "Enabled", "http", 0, 5, True, "x" * 300, 1.5])
KEYS = st.sampled_from(["Key", "Value", "Status", "Endpoint", "Protocol"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_second_validator_agrees(data: st.DataObject) -> None:
    """jsonschema judges the same values by the same schemas, without what only registry schemas have."""
    kind = data.draw(st.sampled_from(KINDS))
    document = schemas.schema(kind).document
    names = st.sampled_from([*sorted(document["properties"]), "Nonsense"])
    value = data.draw(st.dictionaries(names, VALUES, max_size=4))
    plain = without_patterns(document)
    expected = jsonschema.Draft7Validator(plain).is_valid(value)
    assert (schema_rules.problems(plain, value) == []) is expected, json.dumps(value)


def without_patterns(node: Any) -> Any:
    """The schema with the keywords only that both validators have (Python knows no \\p{L})."""
    left_out = {
        "pattern",
        "requiredXor",
        "requiredOr",
        "dependentExcluded",
        "enumCaseInsensitive",
        "uniqueKeys",
        "format",
    }
    if isinstance(node, dict):
        return {key: without_patterns(part) for key, part in node.items() if key not in left_out}
    return [without_patterns(part) for part in node] if isinstance(node, list) else node


def test_every_pattern_of_the_registry_can_be_read() -> None:
    """Of the types that the templates use, and of one that writes UTF-16 pairs."""
    for kind in (*KINDS, "AWS::Glue::Session", "AWS::CodePipeline::Pipeline", "AWS::CloudFormation::StackSet"):
        assert all(patterns.compiled(pattern) for pattern in patterns_in(schemas.schema(kind).document)), kind


def patterns_in(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
        return own + [found for part in node.values() for found in patterns_in(part)]
    return [found for part in node for found in patterns_in(part)] if isinstance(node, list) else []


def test_the_attribute_tables_are_read_by_one_thread_whoever_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that parse at once may get a SystemError of CPython's, which failed one run in many."""
    inside, most = 0, 0

    def parse(text: str) -> ast.AST:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)
        inside -= 1
        return compile(text, "", "exec", ast.PyCF_ONLY_AST)

    schemas.read_attribute_tables.cache_clear()
    monkeypatch.setattr(ast, "parse", parse)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: schemas.attribute_tables(), range(4)))
    assert (most, found) == (1, [found[0]] * 4)
