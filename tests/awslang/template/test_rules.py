"""The Rules section (AWS pages: CloudFormation template Rules syntax, Rule-specific intrinsic functions)."""

from __future__ import annotations

import pytest

from awslang.errors import NotSupported
from awslang.template.template import TemplateError
from tests.support.cfn import evaluator

BODY = """
Parameters:
  Stage: {Type: String, Default: prod}
  Type: {Type: String, Default: big}
  Names: {Type: CommaDelimitedList, Default: 'a,a'}
  More: {Type: CommaDelimitedList, Default: 'c,b,a'}
Rules:
  R:
    RuleCondition: CONDITION
    Assertions:
      - Assert: ASSERT
        AssertDescription: Prod needs a big one.
Resources: {T: {Type: AWS::SNS::Topic}}
"""


def passes(assertion: str, condition: str = "{'Fn::Equals': [a, a]}") -> bool:
    made = evaluator(BODY.replace("ASSERT", assertion, 1).replace("CONDITION", condition))
    try:
        made.check_rules()
    except TemplateError:
        return False
    return True


@pytest.mark.parametrize(
    ("assertion", "holds"),
    [
        ("!Equals [!Ref Stage, prod]", True),
        ("!Equals [!Ref Stage, test]", False),
        ("{'Fn::Contains': [[big, small], !Ref Type]}", True),
        ("{'Fn::Contains': [[small], !Ref Type]}", False),
        ("{'Fn::Contains': [!Ref More, b]}", True),
        ("{'Fn::EachMemberEquals': [!Ref Names, a]}", True),
        ("{'Fn::EachMemberEquals': [!Ref More, a]}", False),
        ("{'Fn::EachMemberIn': [!Ref Names, !Ref More]}", True),
        ("{'Fn::EachMemberIn': [!Ref More, !Ref Names]}", False),
        ("{'Fn::EachMemberIn': [[prod, big], {'Fn::RefAll': String}]}", True),
        ("{'Fn::EachMemberIn': [{'Fn::RefAll': String}, [prod]]}", False),
        ("{'Fn::EachMemberIn': [[prod, [big]], [[big], prod]]}", True),
        ("!And [!Equals [a, a], !Not [!Equals [a, b]]]", True),
        ("!Or [!Equals [a, b], {'Fn::Contains': [[x], y]}]", False),
    ],
)
def test_assertions_are_evaluated(assertion: str, holds: bool) -> None:
    assert passes(assertion) is holds


def test_a_failed_assertion_is_reported_by_its_description_and_place() -> None:
    made = evaluator(BODY.replace("ASSERT", "!Equals [a, b]", 1).replace("CONDITION", "!Equals [a, a]"))
    with pytest.raises(TemplateError, match=r"^Prod needs a big one\.$") as caught:
        made.check_rules()
    assert (caught.value.logical_id, caught.value.line) == ("R", 11)


def test_a_rule_counts_only_when_its_condition_holds() -> None:
    assert passes("!Equals [a, b]", condition="!Equals [!Ref Stage, test]")
    assert not passes("!Equals [a, b]", condition="!Equals [!Ref Stage, prod]")


@pytest.mark.parametrize(
    ("assertion", "message"),
    [
        ("!If [A, b, c]", "Fn::If cannot be used in the Rules block"),
        ("!Equals [!Ref T, a]", "Unresolved resource dependencies [T] in the Rules block"),
        ("!Equals [!Ref Absent, a]", "Unresolved resource dependencies [Absent] in the Rules block"),
        ("{'Fn::Contains': [[a]]}", "every Fn::Contains object requires two parameters"),
    ],
)
def test_only_rule_functions_of_parameters_are_accepted(assertion: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        passes(assertion)
    assert message in str(caught.value)


def test_a_rule_function_inside_an_object_is_refused() -> None:
    body = BODY.replace("ASSERT", "{'Fn::Equals': [{a: {'Fn::RefAll': String}}, b]}", 1)
    with pytest.raises(TemplateError, match="Fn::RefAll cannot be used inside another value"):
        evaluator(body.replace("CONDITION", "{'Fn::Equals': [a, a]}")).check_rules()


def test_looking_into_what_a_parameter_names_is_not_supported() -> None:
    with pytest.raises(NotSupported, match=r"Fn::ValueOf and Fn::ValueOfAll.*rule R, line 8"):
        passes("!Equals [{'Fn::ValueOf': [Stage, VpcId]}, a]")
