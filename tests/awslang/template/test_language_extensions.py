"""AWS::LanguageExtensions (AWS pages: AWS::LanguageExtensions transform, Fn::ForEach)."""

from __future__ import annotations

import pytest

from awslang.errors import NotSupported
from awslang.template import graph
from awslang.template.template import TemplateError
from tests.support.cfn import evaluator

HEAD = "Transform: AWS::LanguageExtensions\n"


def test_a_loop_makes_a_resource_and_an_output_of_each_value() -> None:
    made = evaluator(
        HEAD
        + """
Parameters: {Names: {Type: CommaDelimitedList, Default: 'Success,Failure'}}
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - Topic${Name}:
        Type: AWS::SNS::Topic
        Properties: {TopicName: !Sub '${Name}-${AWS::Region}', DisplayName: !Ref Name}
  Other: {Type: AWS::SNS::Topic, DependsOn: TopicFailure}
Outputs:
  Fn::ForEach::Out:
    - Name
    - [Success, Failure]
    - Arn${Name}: {Value: !GetAtt [!Sub 'Topic${Name}', TopicArn]}
"""
    )
    assert made.active() == ["TopicSuccess", "TopicFailure", "Other"]
    assert made.resource("TopicFailure") == {"TopicName": "Failure-us-east-1", "DisplayName": "Failure"}
    assert [(o.name, o.value) for o in made.outputs()] == [
        ("ArnSuccess", "TopicSuccess.TopicArn"),
        ("ArnFailure", "TopicFailure.TopicArn"),
    ]
    assert made.template.line("Resources", "TopicFailure") == 5
    assert made.template.transforms == []


def test_loops_nest_and_write_properties() -> None:
    made = evaluator(
        HEAD
        + """
Resources:
  Fn::ForEach::Outer:
    - Env
    - [dev, prod-1]
    - Fn::ForEach::Inner:
        - Kind
        - [A, B]
        - T&{Env}${Kind}:
            Type: AWS::SNS::Topic
            Properties:
              Fn::ForEach::Names: [P, [TopicName, DisplayName], {'${P}': !Sub '${Env}${Kind}'}]
"""
    )
    assert made.active() == ["TdevA", "TdevB", "Tprod1A", "Tprod1B"]
    assert made.resource("Tprod1B") == {"TopicName": "prod-1B", "DisplayName": "prod-1B"}


def test_the_further_functions_are_known() -> None:
    made = evaluator(
        HEAD
        + """
Parameters: {Names: {Type: CommaDelimitedList, Default: 'a,b'}, Keep: {Type: String, Default: Retain}}
Mappings: {M: {a: {b: c}}}
Conditions: {Two: !Equals [{Fn::Length: {Ref: Names}}, 2]}
Resources:
  T:
    Type: AWS::SNS::Topic
    DeletionPolicy: !Ref Keep
    Properties:
      TopicName: !FindInMap [M, x, y, {DefaultValue: !Ref Keep}]
      DisplayName: {Fn::ToJsonString: {A: [1, !Ref Keep, !Ref AWS::NoValue]}}
"""
    )
    assert made.condition("Two")
    assert made.attribute_of_resource("T", "DeletionPolicy") == "Retain"
    assert made.resource("T") == {"TopicName": "Retain", "DisplayName": '{"A":[1,"Retain"]}'}


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("[Name, [a]]", "requires an identifier, a collection and a fragment"),
        ("[Name, [a, b], {T: {Type: AWS::SNS::Topic}}]", "the output key T must include ${Name} or &{Name}"),
        ("[Name, [a], {T: {Type: AWS::SNS::Topic}}]", "the output key T must include ${Name} or &{Name}"),
        ("[Name, [a-b, a.b], {'&{Name}': {Type: AWS::SNS::Topic}}]", "makes ab twice"),
        ('[Name, !GetAtt T.TopicName, {"T${Name}": {Type: AWS::SNS::Topic}}]', "cannot be made by Fn::GetAtt"),
        ('[Name, !Ref T, {"T${Name}": {Type: AWS::SNS::Topic}}]', "cannot depend on T"),
        ('[P, [a], {"T${P}": {Type: AWS::SNS::Topic}}]', "the identifier P is in use already"),
        ('[Name, [a-b], {"T${Name}": {Type: AWS::SNS::Topic}}]', "Resource name Ta-b is non alphanumeric"),
    ],
)
def test_a_wrong_loop_is_refused(loop: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        evaluator(f"{HEAD}Parameters: {{P: {{Type: String, Default: a}}}}\nResources:\n  Fn::ForEach::L: {loop}\n")
    assert message in str(caught.value)


def test_a_loop_without_the_transform_is_refused() -> None:
    with pytest.raises(TemplateError, match="Resource name Fn::ForEach::L is non alphanumeric"):
        evaluator("Resources:\n  Fn::ForEach::L: [N, [a], {}]")


NAMES = """
Parameters: {Fast: {Type: String, Default: 'yes'}}
Mappings: {Of: {Condition: {A: IsFast, B: IsSlow}}}
Conditions: {IsFast: !Equals [!Ref Fast, 'yes'], IsSlow: !Not [!Condition IsFast]}
Resources:
  Fn::ForEach::T:
    - N
    - [A, B, C]
    - Topic${N}:
        Type: AWS::SNS::Topic
        Condition: !FindInMap [Of, Condition, !Ref N, {DefaultValue: !Ref AWS::NoValue}]
      Sub${N}:
        Type: AWS::SNS::Subscription
        Condition: !FindInMap [Of, Condition, !Ref N, {DefaultValue: !Ref AWS::NoValue}]
        Properties: {Protocol: email, Endpoint: a@example.com, TopicArn: {Ref: !Sub 'Topic${N}'}}
Outputs:
  Fn::ForEach::O:
    - N
    - [A, B]
    - Name${N}: {Condition: !Sub ['Is${Speed}', {Speed: !FindInMap [Of, Condition, !Ref N]}], Value: !Ref N}
"""


def test_conditions_and_logical_ids_may_be_computed() -> None:
    made = evaluator(HEAD + NAMES.replace("Is${Speed}", "${Speed}"))
    assert made.active() == ["TopicA", "SubA", "TopicC", "SubC"]
    assert made.resource("SubC")["TopicArn"] == "TopicC.Ref"
    assert graph.dependencies(made.template, made)["SubC"] == {"TopicC"}
    assert [output.name for output in made.outputs()] == ["NameA"]


def test_a_condition_that_a_mapping_lacks_is_refused() -> None:
    with pytest.raises(TemplateError, match="Unable to get mapping for Of::Condition::C"):
        evaluator(HEAD + NAMES.replace(", {DefaultValue: !Ref AWS::NoValue}", ""))


def test_a_condition_must_not_be_the_first_property_in_a_loop() -> None:
    with pytest.raises(TemplateError, match=r"Condition must not be the first property of T\$\{N\}"):
        evaluator(HEAD + "Resources: {Fn::ForEach::L: [N, [A], {'T${N}': {Condition: C, Type: AWS::SNS::Topic}}]}")


def test_a_logical_id_that_only_a_resource_gives_is_named_beforehand() -> None:
    body = "Resources: {T: {Type: AWS::SNS::Topic, Properties: {TopicName: {Ref: !GetAtt T.TopicName}}}}"
    with pytest.raises(
        NotSupported, match=r"a Ref or Fn::GetAtt whose name is given by Fn::GetAtt \(Resources/T, line 2\)"
    ):
        evaluator(HEAD + body)
