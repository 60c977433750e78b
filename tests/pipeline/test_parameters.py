"""What 40-stage.yaml says of a setting: the Build step's small reader agrees with a real one, and so do its rules."""

from __future__ import annotations

from typing import Any

import pytest

from awslang.template.parameters import broken_constraint
from awslang.template.reader import read_yaml
from pipeline.parameters import Declared, declared_parameters, value_problem
from pipeline.settings import WRITTEN_HERE
from tests.support import ROOT

TEXT = (ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8")
DECLARED = declared_parameters(TEXT)
REAL: dict[str, dict[str, Any]] = read_yaml(TEXT)[0]["Parameters"]
SETTINGS = [name for name in REAL if name not in WRITTEN_HERE]
VALUES = ("", "0", "1", "1.5", "-1", "7", "100", "101", "4096", "²", "٣", "１", "1e3", "nan", "ml.m5.large",
          "real-time", "true", "PARALLEL", "s3://a-bucket/x", "s3://X", "a/b", "x" * 3000, "ä")  # fmt: skip


@pytest.mark.parametrize("name", list(REAL))
def test_a_parameter_is_read_as_a_real_reader_reads_it(name: str) -> None:
    real, found = REAL[name], DECLARED[name]
    assert list(found.allowed) == [str(value) for value in real.get("AllowedValues", [])]
    for member in real.keys() - {"AllowedValues", "Description"}:
        assert found.members[member] == str(real[member])
    assert found.members.keys() == real.keys()


def test_every_parameter_is_read_and_no_other() -> None:
    assert list(DECLARED) == list(REAL)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("value", VALUES)
def test_what_the_build_takes_cloudformation_takes(name: str, value: str) -> None:
    """The other way round it is stricter: a setting that is a Number is a whole one, written in at most 15 digits."""
    refused = DECLARED[name].rule(value)
    broken = broken_constraint(value, REAL[name])
    assert refused or not broken, broken
    if refused and REAL[name]["Type"] != "Number":
        assert broken


@pytest.mark.parametrize("name", SETTINGS)
def test_the_example_of_a_message_is_a_value_that_is_taken(name: str) -> None:
    assert DECLARED[name].rule(DECLARED[name].example.strip('"')) == ""


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("InitialInstanceCount", "²", r'is "\u00b2": write a whole number from 1, such as "2"'),
        ("InitialInstanceCount", "0", 'is "0": write a whole number from 1, such as "2"'),
        ("InitialInstanceCount", "9" * 5000, "…: write at most 4096 bytes"),
        ("BakeSeconds", "3601", 'is "3601": write a whole number from 120 to 3600, such as "300"'),
        ("InstanceType", "m5", 'is "m5": write an instance type of SageMaker hosting, such as "ml.m5.large"'),
        ("EndpointKind", "lambda", "write one of real-time, serverless, asynchronous, batch, such as \"real-time\""),
        ("AdditionalAlarmName", "a\nb", r'is "a\nb": write text without control characters'),
        ("VpcSubnetIds", "x" * 4097, "write at most 4096 bytes"),
    ],
)  # fmt: skip
def test_a_value_that_is_refused_is_reported_with_place_value_rule_and_example(
    name: str, value: str, message: str
) -> None:
    found = value_problem(f"prod-config.json: Parameters.{name}", value, DECLARED[name])
    assert found.startswith(f"prod-config.json: Parameters.{name} is ")
    assert message in found
    assert len(found) < 400


def test_a_parameter_without_members_takes_any_text() -> None:
    assert Declared("Any").rule("x") == ""
