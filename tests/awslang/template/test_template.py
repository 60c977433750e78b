"""Reading templates: short forms, line numbers, and what AWS refuses of their form."""

from __future__ import annotations

import json

import pytest

from awslang.template.template import Template, TemplateError, check_size, parse

TOPIC = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}"


def value(text: str) -> object:
    """The Value of the only output of a template, as it is read."""
    return parse(f"{TOPIC}\nOutputs:\n  Out:\n    Value: {text}\n").outputs["Out"]["Value"]


def refused(body: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        parse(body)
    return caught.value


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("!Ref Topic", {"Ref": "Topic"}),
        ("!GetAtt Topic.TopicName", {"Fn::GetAtt": ["Topic", "TopicName"]}),
        ("!GetAtt Nested.Outputs.Name", {"Fn::GetAtt": ["Nested", "Outputs.Name"]}),
        ("!GetAtt [Topic, TopicName]", {"Fn::GetAtt": ["Topic", "TopicName"]}),
        ("!Sub 'x-${Topic}'", {"Fn::Sub": "x-${Topic}"}),
        ("!Sub ['${A}', {A: !Ref Topic}]", {"Fn::Sub": ["${A}", {"A": {"Ref": "Topic"}}]}),
        ("!If [Prod, !Ref A, !Ref 'AWS::NoValue']", {"Fn::If": ["Prod", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}),
        ("!Join ['-', [a, !GetAZs '']]", {"Fn::Join": ["-", ["a", {"Fn::GetAZs": ""}]]}),
        ("!Condition Prod", {"Condition": "Prod"}),
        ("!Base64 {'Fn::Sub': x}", {"Fn::Base64": {"Fn::Sub": "x"}}),
        ("!FindInMap [A, B, C]", {"Fn::FindInMap": ["A", "B", "C"]}),
        ("!Equals [1, true]", {"Fn::Equals": [1, True]}),
    ],
)
def test_a_short_form_is_its_full_form(short: str, full: object) -> None:
    assert value(short) == full


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2012-10-17", "2012-10-17"),
        ("012345678901", "012345678901"),
        ("yes", True),
        ("5", 5),
        ("'5'", "5"),
        ("1.5", 1.5),
    ],
)
def test_plain_scalars_are_read_as_yaml_1_1_without_timestamps(text: str, read: object) -> None:
    assert value(text) == read


def test_keys_stay_as_they_are_written() -> None:
    body = f"Mappings:\n  Accounts:\n    012345678901: {{Name: a}}\n    111111111111: {{Name: b}}\n{TOPIC}"
    assert list(parse(body).mappings["Accounts"]) == ["012345678901", "111111111111"]


def test_json_templates_are_read_with_their_lines() -> None:
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "é"}}}}, indent=2)
    template = parse(body)
    assert template.resources["Topic"]["Properties"] == {"TopicName": "é"}
    assert template.line("Resources", "Topic", "Type") == 4


def test_lines_are_known_for_every_part_and_its_nearest_parent() -> None:
    template = parse(
        "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      Tags:\n        - Key: !Ref A\n"
    )
    assert template.line("Resources", "Topic") == 2
    assert template.line("Resources", "Topic", "Properties", "Tags", 0, "Key") == 6
    assert template.line("Resources", "Topic", "Properties", "Nowhere") == 4
    assert template.line("Nowhere") == 0


@pytest.mark.parametrize(
    "body",
    [
        "Resources:\n  A:\n    Type: AWS::SQS::Queue\n  A:\n    Type: AWS::SQS::Queue\n    Type: AWS::SNS::Topic\n",
        '{"Resources": {"A":\n {"Type": "AWS::SQS::Queue"},\n\n'
        '"A":\n {"Type": "AWS::SQS::Queue",\n "Type": "AWS::SNS::Topic"}}}',
    ],
)
def test_the_last_of_two_equal_keys_counts_and_is_a_warning(body: str) -> None:
    template = parse(body)
    assert template.resources == {"A": {"Type": "AWS::SNS::Topic"}}
    assert template.line("Resources", "A", "Type") == 6
    assert [warning.split(" stands twice")[0] for warning in template.warnings] == [
        "Resources/A (line 4)",
        "Resources/A/Type (line 6)",
    ]
    assert parse(TOPIC).warnings == ()


@pytest.mark.parametrize(
    ("body", "message", "line"),
    [
        ("", "Template format error: unsupported structure.", 1),
        ("- a", "Template format error: unsupported structure.", 1),
        ("Resources: {", "Template format error: YAML not well-formed. (line 2, column 1)", 2),
        ('{"Resources": }', "Template format error: JSON not well-formed. (line 1, column 15)", 1),
        (
            "Resources:\n  A: &a\n    Type: AWS::SNS::Topic\n  B: *a",
            "Template error: YAML aliases are not allowed in CloudFormation templates",
            2,
        ),
        (
            "Resources:\n  A:\n    Type: !Length [x]",
            "Template format error: YAML tag !Length is not a CloudFormation function",
            3,
        ),
        (
            "Resources:\n  A:\n    Type: !Foo x",
            "Template format error: YAML tag !Foo is not a CloudFormation function",
            3,
        ),
        (
            "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName:",
            "Template format error: [/Resources/A/Properties/TopicName] 'null' values are not allowed in templates",
            5,
        ),
        (f"{TOPIC}\nResource: {{}}", "Invalid template property or properties [Resource]", 2),
        ("Description: x", "Template format error: At least one Resources member must be defined.", 0),
        ("Resources: {}", "Template format error: At least one Resources member must be defined.", 1),
        ("Resources:\n  my-topic: {Type: T}", "Template format error: Resource name my-topic is non alphanumeric.", 2),
        (
            "Resources:\n  A: {Properties: {}}",
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
            2,
        ),
        ("Resources:\n  A: {Type: T, Propertys: {}}", "Invalid template resource property 'Propertys'", 2),
        (
            "Resources:\n  A:\n    Type: T\n    DeletionPolicy: Keep",
            "Template error: Unrecognized DeletionPolicy Keep for resource A",
            4,
        ),
        (
            "Resources:\n  A:\n    Type: T\n    DeletionPolicy: !Ref P",
            "Template format error: Every DeletionPolicy member must be a string.",
            4,
        ),
        (
            f"{TOPIC}\nParameters:\n  P:\n    Type: String\n    AllowedPattern: '['",
            "Template format error: AllowedPattern must be a regular expression.",
            5,
        ),
        (
            f"{TOPIC}\nParameters:\n  P: {{Type: Text}}",
            "Template format error: Unrecognized parameter type: Text",
            3,
        ),
        (
            f"{TOPIC}\nParameters:\n  P: {{Type: String, Pattern: x}}",
            "Invalid template parameter property 'Pattern'",
            3,
        ),
        (
            f"{TOPIC}\nParameters:\n  P:\n    Type: String\n    Default: !Ref Q",
            "Template format error: Every Default member must be a string.",
            5,
        ),
        (
            f"{TOPIC}\nMappings:\n  M: {{A: {{B: !Ref P}}}}",
            "Template format error: Every Mappings attribute must be a String or a List.",
            3,
        ),
        (
            f"{TOPIC}\nConditions:\n  C: !Ref P",
            "Template format error: Conditions can only be boolean operations on parameters and other conditions",
            3,
        ),
        (f"{TOPIC}\nOutputs:\n  O: {{}}", "Template format error: Every Outputs member must contain a Value object", 3),
        (f"{TOPIC}\nOutputs:\n  O: {{Value: a, Name: b}}", "Invalid template output property 'Name'", 3),
        (
            f"{TOPIC}\nDescription: {'x' * 1025}",
            "Template format error: 'Description' length is greater than 1024.",
            2,
        ),
    ],
)
def test_a_malformed_template_is_refused_with_its_line(body: str, message: str, line: int) -> None:
    error = refused(body)
    assert str(error) == message
    assert error.line == line


@pytest.mark.parametrize(
    ("section", "item", "most"),
    [
        ("Resources", {"Type": "AWS::SNS::Topic"}, 500),
        ("Parameters", {"Type": "String"}, 200),
        ("Outputs", {"Value": "a"}, 200),
    ],
)
def test_counts_are_limited(section: str, item: object, most: int) -> None:
    """AWS page: Understand CloudFormation quotas."""

    def body(count: int) -> str:
        return json.dumps(
            {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, section: {f"I{n}": item for n in range(count)}}
        )

    assert isinstance(parse(body(most)), Template)
    assert f"Number of {section.lower()}, {most + 1}, is greater than maximum allowed, {most}" in str(
        refused(body(most + 1))
    )


def test_sizes_are_limited() -> None:
    check_size("x" * 51_200, inline=True)
    check_size("x" * 1_000_000, inline=False)
    with pytest.raises(TemplateError, match="less than or equal to 51200"):
        check_size("x" * 51_201, inline=True)
    with pytest.raises(TemplateError, match="may not exceed 1000000 bytes"):
        check_size("x" * 1_000_001, inline=False)


def test_transforms_are_listed() -> None:
    assert parse(f"Transform: AWS::LanguageExtensions\n{TOPIC}").transforms == ["AWS::LanguageExtensions"]
    assert parse(f"Transform: [A, {{Name: B}}]\n{TOPIC}").transforms == ["A", "B"]


def test_members_that_only_a_macro_knows_are_left_to_it() -> None:
    """Whether the macro is supported shows when the template is evaluated."""
    assert parse("Transform: Count\nResources: {T: {Type: AWS::SNS::Topic, Count: 3}}").transforms == ["Count"]


def test_a_condition_may_have_signs_in_its_name() -> None:
    body = "Conditions: {Nat&Two_Zones: !Equals [a, a]}\nResources: {A: {Type: T, Condition: Nat&Two_Zones}}"
    assert list(parse(body).conditions) == ["Nat&Two_Zones"]
