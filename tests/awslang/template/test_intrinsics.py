"""Intrinsic functions, conditions, outputs and dynamic references (AWS page: Intrinsic function reference)."""

from __future__ import annotations

import time

import pytest

from awslang.errors import NotSupported
from awslang.template.intrinsics import UNKNOWN, Evaluator
from awslang.template.template import TemplateError
from tests.support.cfn import evaluator

PARTS = """
Parameters:
  Name: {Type: String, Default: iris}
  List: {Type: CommaDelimitedList, Default: 'a,b,c'}
  Key: {Type: String, Default: east}
Mappings:
  Sizes:
    east: {Small: t2, Zones: [x, y]}
    west: {Small: t3}
Conditions:
  Always: !Equals [!Ref Name, iris]
  Never: !Not [{Condition: Always}]
  Both: !And [!Condition Always, !Condition Never]
  Either: !Or [!Condition Always, !Condition Never]
  FromMap: !Equals [!FindInMap [Sizes, !Ref Key, Small], t2]
  Numbers: !Equals [5, '5']
  Joined: !Equals [!Join ['', !Ref List], abc]
"""
RESOURCES = """
Resources:
  Topic: {Type: 'AWS::SNS::Topic'}
  Queue: {Type: 'AWS::SQS::Queue', Condition: Never}
"""


def output(expression: str) -> object:
    body = f"{PARTS}{RESOURCES}Outputs:\n  Out:\n    Value: {expression}\n"
    made = evaluator(body)
    return made.value(made.template.outputs["Out"]["Value"])


def refused(expression: str, section: str = "Outputs") -> TemplateError:
    body = f"{PARTS}{RESOURCES}Outputs:\n  Out:\n    Value: {expression}\n"
    if section == "Conditions":
        body = f"{PARTS}  Tried: {expression}\n{RESOURCES}"
    with pytest.raises(TemplateError) as caught:
        evaluator(body).outputs()
    return caught.value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Name", "iris"),
        ("!Ref List", ["a", "b", "c"]),
        ("!Ref Topic", "Topic.Ref"),
        ("!Ref AWS::AccountId", "111111111111"),
        ("!Ref AWS::NotificationARNs", ["arn:aws:sns:us-east-1:111111111111:n"]),
        ("!GetAtt Topic.TopicName", "Topic.TopicName"),
        ("{'Fn::GetAtt': Topic.TopicArn}", "Topic.TopicArn"),
        ("!Sub '${Name}-${AWS::Region}-${Topic}-${Topic.TopicName}'", "iris-us-east-1-Topic.Ref-Topic.TopicName"),
        ("!Sub '${!Name} $ {x} $${Name}'", "${Name} $ {x} $iris"),
        ("!Sub ['${A}-${Name}', {A: !Select [1, !Ref List]}]", "b-iris"),
        ("!Sub ['${N}${B}', {N: 5, B: true}]", "5true"),
        ("!Join ['-', [a, 1, true, !Ref Name]]", "a-1-true-iris"),
        ("!Join [',', !Ref List]", "a,b,c"),
        ("!Join ['-', [a, !If [Never, b, !Ref 'AWS::NoValue']]]", "a"),
        ("!Split ['|', 'a||b']", ["a", "", "b"]),
        ("!Select ['2', !Ref List]", "c"),
        ("!Select [0, !Split ['/', 'a/b']]", "a"),
        ("!If [Always, 1, !GetAtt Topic.TopicName]", 1),
        ("!If [Never, 1, [!If [Always, a, b]]]", ["a"]),
        ("!FindInMap [Sizes, east, Small]", "t2"),
        ("!FindInMap [Sizes, !Ref Key, Zones]", ["x", "y"]),
        ("!Base64 'abc'", "YWJj"),
        ("!Base64 {'Fn::Sub': '${Name}'}", "aXJpcw=="),
        ("!Cidr ['10.0.0.0/16', 2, 8]", ["10.0.0.0/24", "10.0.1.0/24"]),
        ("!Cidr ['2001:db8::/56', 2, '64']", ["2001:db8::/64", "2001:db8:0:1::/64"]),
        ("!GetAZs ''", [f"us-east-1{letter}" for letter in "abcdef"]),
        ("!GetAZs us-west-1", ["us-west-1a", "us-west-1b"]),
        ("!GetAZs eu-west-1", ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ("!ImportValue network-Vpc", "vpc-1"),
        ("{A: {B: !Ref 'AWS::NoValue', C: 1}}", {"A": {"C": 1}}),
        ("!Ref AWS::NoValue", None),
    ],
)
def test_a_function_gives_what_aws_gives(expression: str, value: object) -> None:
    assert output(expression) == value


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("Always", True),
        ("Never", False),
        ("Both", False),
        ("Either", True),
        ("FromMap", True),
        ("Numbers", True),
        ("Joined", True),
    ],
)
def test_conditions_are_made_of_functions_and_conditions(name: str, holds: bool) -> None:
    assert evaluator(PARTS + RESOURCES).condition(name) is holds


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "!Ref Absent",
            "Template format error: Unresolved resource dependencies [Absent] in the Outputs block of the template",
        ),
        ("!Sub '${Absent}'", "Template format error: Unresolved resource dependencies [Absent] in the Outputs block"),
        ("!Sub '${AWS::Nothing}'", "Unresolved resource dependencies [AWS::Nothing]"),
        ("!GetAtt Absent.Arn", "Template error: instance of Fn::GetAtt references undefined resource Absent"),
        ("!GetAtt Topic.Arn", "Template error: resource Topic does not support attribute type Arn in Fn::GetAtt"),
        ("!Sub '${Topic.Arn}'", "Template error: resource Topic does not support attribute type Arn in Fn::Sub"),
        ("!GetAtt Topic", "every Fn::GetAtt object requires two non-empty parameters"),
        ("!Ref Queue", "Unresolved resource dependencies [Queue] in the Outputs block"),
        ("!Sub '${A B}'", "variable names in Fn::Sub syntax must contain only alphanumeric characters"),
        ("!Sub '${List}'", "variable List in Fn::Sub expression does not resolve to a string"),
        ("!Sub [a, b]", "One or more Fn::Sub intrinsic functions don't specify expected arguments"),
        ("!Join ['-', abc]", "every Fn::Join object requires two parameters"),
        ("!Join ['-', [!Ref List]]", "every Fn::Join object requires two parameters"),
        ("!Join ['-']", "every Fn::Join object requires two parameters"),
        ("!Join [!Ref Name, [a, b]]", "every Fn::Join object requires two parameters, (1) a string delimiter"),
        ("!Split [!Ref Name, a]", "every Fn::Split object requires two parameters, (1) a string delimiter"),
        ("!Split ['-']", "every Fn::Split object requires two parameters"),
        ("!Select [3, !Ref List]", "Fn::Select cannot select nonexistent value at index 3"),
        ("!Select [x, !Ref List]", "Fn::Select requires a list argument with two elements"),
        ("!If [Absent, 1, 2]", "Unresolved condition dependency Absent in the Outputs block of the template"),
        ("!If [Always, 1]", "Fn::If requires a list argument with three elements"),
        ("!FindInMap [Sizes, north, Small]", "Unable to get mapping for Sizes::north::Small"),
        ("!FindInMap [Nowhere, a, b]", "Mapping named 'Nowhere' is not present in the 'Mappings' section of template."),
        ("!FindInMap [Sizes, !Ref Name, Small]", "Unable to get mapping for Sizes::iris::Small"),
        ("!FindInMap [Sizes, !Ref Topic, Small]", "the names in Fn::FindInMap must not depend on any resources"),
        ("!ImportValue nothing", "No export named nothing found."),
        ("!ImportValue {Ref: Topic}", "the attribute in Fn::ImportValue must not depend on any resources"),
        ("!Cidr ['10.0.0.0/16', 300, 8]", "Fn::Cidr cannot make 300 blocks"),
        ("!Cidr [nonsense, 1, 8]", "every Fn::Cidr object requires"),
        ("!Equals [a, b]", "Fn::Equals cannot be used in the Outputs block of the template"),
        ("{'Fn::Foo': a}", "Encountered unsupported function: Fn::Foo Supported functions are: [Fn::Base64"),
        ("{Fn::Length: [a]}", "Encountered unsupported function: Fn::Length"),
        ("{'Fn::Sub': a, B: c}", "Fn::Sub must be the only member of its object"),
        ("!Ref List", "Output Out is malformed. The Value field of every Outputs member must evaluate to a String."),
    ],
)
def test_a_wrong_use_is_refused_where_it_stands(expression: str, message: str) -> None:
    error = refused(expression)
    assert message in str(error)
    assert (error.logical_id, error.line) == ("Out", (PARTS + RESOURCES).count("\n") + 3)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "!Equals [!GetAtt Topic.TopicName, a]",
            "Unresolved dependencies [Topic]. Cannot reference resources in the Conditions",
        ),
        ("!Equals [!Ref Topic, a]", "Unresolved dependencies [Topic]. Cannot reference resources in the Conditions"),
        ("!Equals [!ImportValue a, b]", "Fn::ImportValue cannot be used in the Conditions block"),
        ("!Equals [a]", "every Fn::Equals object requires a list of 2 string parameters."),
        ("!And [!Condition Always]", "requires a list of at least 2 and at most 10 boolean parameters"),
        ("!Not [!Condition Absent]", "Unresolved condition dependency Absent in the Conditions block"),
        ("!Not [!Condition Tried]", "Found circular condition dependency between Tried and Tried"),
    ],
)
def test_conditions_know_only_parameters_and_conditions(expression: str, message: str) -> None:
    assert message in str(refused(expression, "Conditions"))


@pytest.mark.parametrize("compared", ["!Ref Names, a", "[a], [a]", "!Split [a, b], b"])
def test_only_strings_are_compared(compared: str) -> None:
    body = f"Parameters: {{Names: {{Type: CommaDelimitedList, Default: a}}}}\nConditions: {{C: !Equals [{compared}]}}\n"
    with pytest.raises(TemplateError, match="every Fn::Equals object requires a list of 2 string parameters"):
        evaluator(f"{body}Resources: {{T: {{Type: AWS::SNS::Topic}}}}").condition("C")


def test_every_unresolved_name_is_reported_at_once() -> None:
    body = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    DependsOn: X\n"
    body += "    Properties: {TopicName: !Ref Y, DisplayName: !Sub '${Z}'}"
    with pytest.raises(TemplateError) as caught:
        evaluator(body)
    assert "Unresolved resource dependencies [Y, Z, X] in the Resources block" in str(caught.value)
    assert (caught.value.logical_id, caught.value.line) == ("A", 5)


def test_types_that_the_registry_does_not_have_are_refused() -> None:
    with pytest.raises(TemplateError, match=r"Unrecognized resource types: \[AWS::SNS::Topik\]") as caught:
        evaluator("Resources:\n  A:\n    Type: AWS::SNS::Topik")
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            "Transform: AWS::CodeDeployBlueGreen\nResources: {A: {Type: 'AWS::SNS::Topic'}}",
            "AWS::CodeDeployBlueGreen (line 1)",
        ),
        (
            "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      Fn::Transform: {Name: AWS::Include}",
            "Fn::Transform (Resources/A, line 5)",
        ),
        ("Hooks: {}\nResources: {A: {Type: 'AWS::SNS::Topic'}}", "Hooks"),
        ("Resources: {A: {Type: 'X::Y::Z::MODULE'}}", "modules: X::Y::Z::MODULE (resource A, line 1)"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(body: str, what: str) -> None:
    with pytest.raises(NotSupported) as caught:
        evaluator(body)
    assert what in caught.value.message


def test_properties_are_resolved_without_what_is_not_there() -> None:
    body = """
Conditions: {Never: !Equals [a, b]}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    DeletionPolicy: Retain
    Metadata: {Owner: !Ref AWS::AccountId}
    Properties:
      TopicName: !Sub '${AWS::StackName}-topic'
      DisplayName: !If [Never, x, !Ref AWS::NoValue]
      Tags: [!If [Never, {Key: a, Value: b}, !Ref AWS::NoValue], {Key: c, Value: d}]
  Gone: {Type: AWS::SNS::Topic, Condition: Never}
"""
    made = evaluator(body)
    assert made.resource("Topic") == {"TopicName": "stack-topic", "Tags": [{"Key": "c", "Value": "d"}]}
    assert made.attribute_of_resource("Topic", "DeletionPolicy") == "Retain"
    assert made.attribute_of_resource("Topic", "Metadata") == {"Owner": "111111111111"}
    assert made.attribute_of_resource("Topic", "UpdatePolicy") is None
    assert made.active() == ["Topic"]


def test_functions_of_an_unknown_value_are_unknown() -> None:
    body = """
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Other:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: !Sub 'x-${Topic.TopicName}'
      DisplayName: !Select [0, !Split ['-', !Ref Topic]]
      KmsMasterKeyId: !Join ['', [a, !Base64 {Ref: Topic}]]
      Tags: [{Key: a, Value: !Ref Topic}]
"""
    found = evaluator(body, attributes=lambda name, attribute: UNKNOWN).resource("Other")
    assert [found[name] for name in ("TopicName", "DisplayName", "KmsMasterKeyId")] == [UNKNOWN] * 3
    assert found["Tags"] == [{"Key": "a", "Value": UNKNOWN}]


def test_outputs_have_their_exports() -> None:
    body = """
Conditions: {Never: !Equals [a, b]}
Resources: {Topic: {Type: AWS::SNS::Topic}}
Outputs:
  Arn:
    Description: The topic.
    Value: !Ref Topic
    Export: {Name: !Sub '${AWS::StackName}-Arn'}
  Number: {Value: 5}
  Gone: {Value: x, Condition: Never}
"""
    found = evaluator(body).outputs()
    assert [(o.name, o.value, o.description, o.export) for o in found] == [
        ("Arn", "Topic.Ref", "The topic.", "stack-Arn"),
        ("Number", "5", "", ""),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a b", "consist only of alphanumeric characters, colons, or hyphens"),
        ("!Ref Topic", "must not depend on any resources"),
    ],
)
def test_export_names_are_checked(name: str, message: str) -> None:
    body = f"Resources: {{Topic: {{Type: 'AWS::SNS::Topic'}}}}\nOutputs: {{A: {{Value: x, Export: {{Name: {name}}}}}}}"
    with pytest.raises(TemplateError, match=message):
        evaluator(body).outputs()


def test_imports_are_those_of_the_active_parts() -> None:
    body = """
Conditions: {Never: !Equals [a, b]}
Resources:
  A: {Type: AWS::SNS::Topic, Properties: {TopicName: !ImportValue network-Vpc}}
  B: {Type: AWS::SNS::Topic, Condition: Never, Properties: {TopicName: !ImportValue b}}
  C: {Type: AWS::SNS::Topic, Properties: {TopicName: !If [Never, !ImportValue c, d]}}
"""
    assert evaluator(body).imports() == {"network-Vpc"}


def dynamic(kind: str, properties: str) -> Evaluator:
    parameters = "Parameters: {P: {Type: String, Default: name}}"
    return evaluator(f"{parameters}\nResources: {{R: {{Type: '{kind}', Properties: {properties}}}}}")


def test_dynamic_references_are_looked_up_last() -> None:
    found = dynamic(
        "AWS::SNS::Topic",
        "{TopicName: !Sub 'a-{{resolve:ssm:${P}:2}}-b', DisplayName: '{{resolve:secretsmanager:s:SecretString:k}}'}",
    )
    assert found.resource("R") == {"TopicName": "a-two-b", "DisplayName": "secret"}


def test_secure_parameters_stand_only_where_aws_lets_them() -> None:
    """AWS page: Get a secure string value from Systems Manager Parameter Store."""
    allowed = dynamic("AWS::IAM::User", "{LoginProfile: {Password: '{{resolve:ssm-secure:p}}'}}")
    assert allowed.resource("R") == {"LoginProfile": {"Password": "hidden"}}
    with pytest.raises(TemplateError) as caught:
        dynamic("AWS::SNS::Topic", "{TopicName: '{{resolve:ssm-secure:p}}'}").resource("R")
    assert str(caught.value) == "SSM Secure reference is not supported in: [AWS::SNS::Topic/Properties/TopicName]"
    assert caught.value.logical_id == "R"


def test_custom_resources_get_no_secrets() -> None:
    with pytest.raises(TemplateError, match="not supported in custom resources"):
        dynamic("Custom::X", "{ServiceToken: '{{resolve:secretsmanager:s:SecretString:k}}'}").resource("R")


def test_a_template_of_three_hundred_lines_takes_far_less_than_a_tenth_of_a_second() -> None:
    one = "  T{n}:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: !Sub '${{AWS::StackName}}-{n}'\n"
    body = "Resources:\n" + "".join(one.format(n=n) for n in range(75))
    evaluator(body)  # the schemas are read once
    started = time.process_time()
    made = evaluator(body)
    assert len([made.resource(name) for name in made.active()]) == 75
    assert time.process_time() - started < 0.1


def test_if_may_choose_between_whole_sets_of_properties() -> None:
    body = """
Parameters: {Big: {Type: String, Default: 'no'}}
Conditions: {IsBig: !Equals [!Ref Big, 'yes']}
Resources:
  Q: {Type: AWS::SQS::Queue, Properties: !If [IsBig, {DelaySeconds: 9}, {QueueName: !Sub '${Big}-q'}]}
"""
    assert evaluator(body).resource("Q") == {"QueueName": "no-q"}
    assert evaluator(body, {"Big": "yes"}).resource("Q") == {"DelaySeconds": 9}


@pytest.mark.parametrize("inner", ["{'Fn::GetAtt': 7}", "{'Fn::GetAtt': [a]}", "{'Fn::Sub': 7}", "{'Fn::Sub': [a]}"])
def test_a_malformed_function_inside_another_is_refused(inner: str) -> None:
    body = f"Resources: {{T: {{Type: AWS::SNS::Topic, Properties: {{TopicName: {{'Fn::ImportValue': {inner}}}}}}}}}"
    with pytest.raises(TemplateError, match=r"Fn::(GetAtt|Sub)"):
        evaluator(body)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("{'Fn::Join': {'Fn::Split': [',', 'a,b,c']}}", "every Fn::Join object requires two parameters"),
        ("{'Fn::Select': {'Fn::Split': [',', 'a']}}", "Fn::Select requires a list argument with two elements"),
        ("{'Fn::Join': ['', {'Fn::Cidr': [10.0.0.0/16, .inf, 8]}]}", "every Fn::Cidr object requires two or three"),
        ("{'Fn::Join': ['', {'Fn::Cidr': [10.0.0.0/16, 2, .inf]}]}", "every Fn::Cidr object requires two or three"),
    ],
)
def test_arguments_that_no_function_takes_are_refused(call: str, message: str) -> None:
    body = "Transform: AWS::LanguageExtensions\nResources: {T: {Type: AWS::SNS::Topic, Properties: {TopicName: CALL}}}"
    with pytest.raises(TemplateError, match=message):
        evaluator(body.replace("CALL", call)).resource("T")
