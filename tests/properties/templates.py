"""Templates and policies, as anybody may write them."""

from __future__ import annotations

from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from awslang.errors import AwsError
from awslang.policy.document import MalformedPolicy
from awslang.policy.document import parse as parse_policy
from awslang.template import graph, language_extensions, parameters, schemas
from awslang.template.intrinsics import UNKNOWN, Evaluator
from awslang.template.reader import FUNCTIONS
from awslang.template.template import TemplateError, parse
from tests.properties.kinds import Kind, said
from tests.properties.mutations import TEXTS, YAML_ODDITIES, anything, as_json, as_yaml, encoded, values
from tests.support import ROOT
from tests.support.cfn import EXPORTS, PSEUDO, RESOLVED

SMALL = """\
AWSTemplateFormatVersion: '2010-09-09'
Description: everything once
Parameters:
  Name: {Type: String, Default: x, AllowedPattern: '[a-z]+', MinLength: 1, MaxLength: 9}
  Count: {Type: Number, Default: 2, MinValue: 1, MaxValue: 5}
  Names: {Type: CommaDelimitedList, Default: 'a,b'}
  Looked: {Type: 'AWS::SSM::Parameter::Value<String>', Default: network-Vpc}
Rules:
  R:
    RuleCondition: {'Fn::Equals': [{Ref: Name}, x]}
    Assertions:
      - {Assert: {'Fn::Contains': [[x, y], {Ref: Name}]}, AssertDescription: not so}
Mappings:
  M: {us-east-1: {A: b, L: [c, d]}}
Conditions:
  C: {'Fn::And': [{'Fn::Equals': [{Ref: Name}, x]}, {'Fn::Not': [{Condition: D}]}]}
  D: {'Fn::Or': [{'Fn::Equals': [{Ref: Count}, '9']}, {'Fn::Equals': [a, b]}]}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    DeletionPolicy: Retain
    Properties:
      TopicName: {'Fn::Sub': ['${Name}-${V}', {V: {'Fn::FindInMap': [M, {Ref: 'AWS::Region'}, A]}}]}
      DisplayName: {'Fn::If': [C, {'Fn::Join': ['-', [a, {Ref: Name}]]}, {Ref: 'AWS::NoValue'}]}
      Tags:
        - {Key: a, Value: {'Fn::Select': [1, {'Fn::Split': [',', 'a,b']}]}}
        - {Key: b, Value: {'Fn::ImportValue': network-Vpc}}
        - {Key: c, Value: '{{resolve:ssm:name:2}}'}
  Repository:
    Type: AWS::CodeCommit::Repository
    Condition: C
    DependsOn: Topic
    Properties:
      RepositoryName: {'Fn::Sub': 'r-${Topic.TopicName}'}
      Code: {BranchName: main, S3: {Bucket: bucket, Key: seed.zip}}
      Tags: [{Key: a, Value: {'Fn::Base64': {'Fn::Select': [0, {'Fn::GetAZs': ''}]}}}]
Outputs:
  Arn: {Value: {'Fn::GetAtt': [Topic, TopicArn]}, Export: {Name: {'Fn::Sub': '${AWS::StackName}-Arn'}}}
  Block: {Value: {'Fn::Select': [0, {'Fn::Cidr': [10.0.0.0/16, 2, 8]}]}, Condition: C}
"""
LOOPS = """\
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: 'A,B'}}
Mappings: {M: {a: {b: [c, d]}}}
Resources:
  Fn::ForEach::Outer:
    - N
    - {Ref: Names}
    - Topic${N}:
        Type: AWS::SNS::Topic
        Properties:
          Fn::ForEach::P: [K, [TopicName, DisplayName], {'${K}': {'Fn::Sub': '${N}${K}'}}]
          Tags: [{Key: a, Value: {'Fn::ToJsonString': {a: {'Fn::Length': {Ref: Names}}}}}]
  Other: {Type: AWS::SNS::Topic, DependsOn: TopicA}
Outputs:
  Fn::ForEach::Out: [N, {'Fn::FindInMap': [M, a, b]}, {'X${N}': {Value: {Ref: Other}}}]
"""
BASES = [SMALL, LOOPS, (ROOT / "templates/20-target-account.yaml").read_text()]
FULL_FORMS = ["Ref", "Condition", *(f"Fn::{name}" for name in FUNCTIONS), "Fn::ForEach::X", "Fn::Nothing"]
REFERENCES = ["Name", "Count", "Names", "Topic", "Other", "C", "D", "M", "AWS::NoValue", "AWS::Region",
"Topic.TopicArn", "Gone",
              "{{resolve:ssm:name:2}}", "{{resolve:ssm-secure:p}}", "{{resolve:secretsmanager:s:SecretString:k}}",
              "{{resolve:nothing:x}}", "network-Vpc", "${Name}", "${Topic.TopicArn}", "${!x}", "${", "${a b}", "",
              "1", "-1", "99"]  # fmt: skip


LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(REFERENCES), st.sampled_from([0, 1, -1, 99, 1.5, True, None, [], {}]), st.sampled_from(TEXTS)
)
SLOTS: list[tuple[str | int, ...]] = [
    ("Resources", "Topic", "Properties", "TopicName"),
    ("Resources", "Topic", "Properties", "Tags"),
    ("Resources", "Topic", "Properties"),
    ("Resources", "Topic", "Metadata"),
    ("Resources", "Topic", "DeletionPolicy"),
    ("Resources", "Topic", "DependsOn"),
    ("Resources", "Repository", "Condition"),
    ("Resources", "Fn::ForEach::Outer", 1),
    ("Resources", "Fn::ForEach::Outer", 2),
    ("Resources", "Fn::ForEach::Outer", 2, "Topic${N}", "Properties", "TopicName"),
    ("Conditions", "C"),
    ("Conditions", "D", "Fn::Or", 0),
    ("Rules", "R", "RuleCondition"),
    ("Rules", "R", "Assertions", 0, "Assert"),
    ("Mappings", "M", "us-east-1", "A"),
    ("Parameters", "Name", "Default"),
    ("Parameters", "Count", "MaxValue"),
    ("Outputs", "Arn", "Value"),
    ("Outputs", "Arn", "Export", "Name"),
    ("Outputs", "Fn::ForEach::Out", 1),
]


def fitting(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Calls with as many arguments as each function takes."""
    boolean = st.sampled_from([{"Condition": "C"}, {"Condition": "D"}, {"Fn::Equals": ["a", "a"]}])
    items = st.lists(inner, max_size=4) | st.sampled_from(
        [{"Ref": "Names"}, {"Fn::GetAZs": ""}, {"Fn::Split": [",", "a,b"]}]
    )
    index = st.sampled_from([0, 1, "1", "²", -1, 99, "9" * 5000, {"Ref": "Count"}])
    block = st.sampled_from(["10.0.0.0/16", "::/8", "10.0.0.0", "x", 7, {"Ref": "Name"}])
    count = st.sampled_from([1, 2, "2", 257, -1, 10**30, "9" * 5000, 1e308, float("inf"), {"Ref": "Count"}])
    arguments: dict[str, st.SearchStrategy[Any]] = {
        "Ref": st.sampled_from(REFERENCES),
        "Fn::GetAtt": st.tuples(st.sampled_from(REFERENCES), st.sampled_from(["TopicArn", "Arn", "", "a.b"]) | inner),
        "Fn::Sub": st.sampled_from(REFERENCES)
        | st.tuples(st.just("${a}-${Name}"), st.dictionaries(st.just("a"), inner, max_size=1)),
        "Fn::Select": st.tuples(index, items),
        "Fn::Split": st.tuples(st.sampled_from([",", "", "-"]), inner),
        "Fn::Join": st.tuples(st.sampled_from([",", ""]), items),
        "Fn::FindInMap": st.tuples(st.sampled_from(["M", "X"]) | inner, inner, inner)
        | st.just(["M", {"Ref": "AWS::Region"}, "L"]),
        "Fn::If": st.tuples(st.sampled_from(["C", "D", "X"]), inner, inner),
        "Fn::And": st.lists(boolean | inner, min_size=2, max_size=3),
        "Fn::Or": st.lists(boolean | inner, min_size=2, max_size=3),
        "Fn::Not": st.lists(boolean | inner, min_size=1, max_size=1),
        "Fn::Equals": st.tuples(inner, inner),
        "Fn::Contains": st.tuples(items, inner),
        "Fn::EachMemberIn": st.tuples(items, items),
        "Fn::EachMemberEquals": st.tuples(items, inner),
        "Fn::RefAll": inner,
        "Fn::Cidr": st.tuples(block, count) | st.tuples(block, count, count),
        **{f"Fn::{name}": inner for name in ("ImportValue", "GetAZs", "Base64", "Length", "ToJsonString")},
    }

    def call(name: str) -> st.SearchStrategy[Any]:
        return arguments[name].map(lambda given: {name: list(given) if isinstance(given, tuple) else given})

    return st.sampled_from(sorted(arguments)).flatmap(call)


def calls() -> st.SearchStrategy[Any]:
    """Function calls in each other, most with fitting arguments, some with any."""
    names = st.sampled_from(FULL_FORMS)
    return st.recursive(
        LEAVES,
        lambda inner: st.one_of(
            fitting(inner),
            fitting(inner),
            st.builds(lambda name, argument: {name: argument}, names, inner | st.lists(inner, max_size=4)),
            st.dictionaries(st.sampled_from(REFERENCES) | names, inner, max_size=2),
        ),
        max_leaves=12,
    )


@st.composite
def filled(draw: st.DrawFn) -> bytes:
    """A small template with a call in one or two of the places where a value stands."""
    document = yaml.safe_load(draw(st.sampled_from([SMALL, LOOPS])))
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(SLOTS))
        with suppress(LookupError, TypeError):  # the other template's place, or one that a call replaced
            reduce(getitem, path, document)[last] = draw(calls())
    if draw(st.booleans()):
        document["Transform"] = "AWS::LanguageExtensions"
    return encoded(draw(st.sampled_from([as_yaml, as_json]))(document))


def attribute(name: str, asked: str) -> Any:
    return UNKNOWN if asked == "TopicArn" else f"{name}.{asked}"


def dynamic(service: str, reference: str) -> str:
    try:
        return RESOLVED[service, reference]
    except KeyError as error:
        raise TemplateError(f"Parameters: [{service}:{reference}] cannot be found.") from error


def check_template(content: bytes, _: Path) -> None:
    """A template is read, checked and evaluated completely, as before a stack is created."""
    try:
        template = parse(content.decode("utf-8", "replace"))
        language_extensions.refuse_macros(template)
        resolved = parameters.resolve(template, {}, None, EXPORTS.__getitem__)
        evaluator = Evaluator(template, resolved, PSEUDO, EXPORTS.__getitem__, attribute, dynamic)
        evaluator.check_rules()
        graph.order(graph.dependencies(evaluator.template, evaluator))
        for name in evaluator.active():
            kind = str(evaluator.template.resources[name]["Type"])
            for member in ("Metadata", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy"):
                evaluator.attribute_of_resource(name, member)
            coerced = schemas.coerce(kind, evaluator.resource(name), "us-east-1")
            schemas.problems(kind, coerced, name)
        evaluator.outputs()
        evaluator.imports()
    except (TemplateError, AwsError) as error:
        said(str(error))


POLICIES: list[Any] = [
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "One",
                "Effect": "Allow",
                "Action": ["s3:Get*", "sagemaker:*"],
                "Resource": ["arn:aws:s3:::a/*", "*"],
                "Condition": {
                    "StringLike": {"aws:PrincipalArn": ["a", "b"]},
                    "DateLessThan": {"aws:CurrentTime": "2030"},
                },
            },
            {"Effect": "Deny", "NotAction": "iam:*", "NotResource": "*"},
        ],
    },
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": ["111111111111", "arn:aws:iam::111111111111:role/x"], "Service": "s3.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    },
]


def check_policy(content: bytes, _: Path) -> None:
    text = content.decode("utf-8", "replace")
    for kind in ("identity", "resource", "trust", "control"):
        try:
            parse_policy(text, "policy", "111111111111", kind)
        except MalformedPolicy as error:
            said(str(error))


ANY = anything(
    as_yaml,
    as_json,
    bases=[yaml.safe_load(text) for text in BASES[:2]],
    texts=BASES,
    oddities=YAML_ODDITIES,
    extra=calls(),
)
KINDS = [
    Kind(
        "template",
        st.booleans().flatmap(lambda aimed: filled() if aimed else ANY),
        check_template,
        250,
    ),
    Kind(
        "policy",
        anything(as_json, bases=POLICIES, texts=[as_json(one) for one in POLICIES], oddities=['"\\ud800"', "NaN",
        "[" * 5000], extra=values()),
        check_policy,
    ),
]  # fmt: skip
