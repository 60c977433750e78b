"""What has to exist before what."""

from __future__ import annotations

import pytest

from awslang.template.graph import dependencies, order
from awslang.template.template import TemplateError
from tests.support.cfn import evaluator


def needs(resources: str) -> dict[str, set[str]]:
    made = evaluator(f"Conditions: {{Never: !Equals [a, b]}}\nResources:\n{resources}")
    return dependencies(made.template, made)


def test_every_way_to_refer_to_a_resource_is_a_dependency() -> None:
    found = needs("""
  A: {Type: AWS::SNS::Topic}
  B: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref A}}
  C: {Type: AWS::SNS::Topic, Properties: {TopicName: !GetAtt A.TopicName}}
  D: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub '${B}${C.TopicName}'}}
  E: {Type: AWS::SNS::Topic, DependsOn: [A, B]}
  F: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub ['${A}', {A: x}]}}
  G: {Type: AWS::SNS::Topic, Metadata: {X: !Ref F}}
""")
    assert found == {"A": set(), "B": {"A"}, "C": {"A"}, "D": {"B", "C"}, "E": {"A", "B"}, "F": set(), "G": {"F"}}
    assert order(found) == [{"A", "F"}, {"B", "C", "G"}, {"D", "E"}]


def test_only_the_branch_that_holds_counts() -> None:
    found = needs("""
  A: {Type: AWS::SNS::Topic, Condition: Never}
  B: {Type: AWS::SNS::Topic, DependsOn: A, Properties: {TopicName: !If [Never, !Ref A, x]}}
""")
    assert found == {"B": set()}


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"A": {"A"}}, "[A]"),
        ({"A": {"B"}, "B": {"A"}, "C": {"A"}, "D": set()}, "[A, B]"),
        ({"A": {"B"}, "B": {"C"}, "C": {"A"}}, "[A, B, C]"),
    ],
)
def test_circles_are_named(wanted: dict[str, set[str]], named: str) -> None:
    with pytest.raises(TemplateError) as caught:
        order(wanted)
    assert str(caught.value) == f"Circular dependency between resources: {named}"
