"""The number of a stage's endpoint configuration: another one with each configuration, and only then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from awslang.template.template import parse
from pipeline.parameters import declared_parameters
from pipeline.release import FIRST, MOST, SHAPING, release
from tests.support import ROOT

STAGE = (ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8")
DECLARED = declared_parameters(STAGE)
ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/"
ONE = {"ModelPackageName": f"{ARN}1", "SageMakerExecutionRoleName": "sagemaker-role-staging", "AccountIds": "2" * 12}


def stack(values: dict[str, str], number: int | None = 7) -> dict[str, str]:
    """The parameters of a stack, as CloudFormation shows them: with every default."""
    defaults = {name: one.members["Default"] for name, one in DECLARED.items() if "Default" in one.members}
    found = {**defaults, **values, "Release": str(number)}
    return {name: value for name, value in found.items() if name != "Release" or number is not None}


def last(**endpoint: Any) -> dict[str, Any]:
    return {"endpoints": [{"status": "InService", "as_deployed": True}, {"status": "InService", **endpoint}]}


def test_what_makes_no_other_configuration_keeps_the_number() -> None:
    assert release(ONE, stack(ONE), DECLARED, None) == 7
    assert release({**ONE, "InstanceType": "ml.m5.large"}, stack(ONE), DECLARED, None) == 7, "the default, written"
    for name, value in {"BakeSeconds": "300", "AccountIds": "3" * 12, "MaximumInstanceCount": "4"}.items():
        assert release({**ONE, name: value}, stack(ONE), DECLARED, None) == 7, name
    for name, value in {"ServerlessMemorySizeInMB": "4096", "DataCapturePercentage": "20"}.items():
        assert release({**ONE, name: value}, stack(ONE), DECLARED, None) == 7, f"{name} counts for another kind"


@pytest.mark.parametrize("name", SHAPING)
def test_what_makes_another_configuration_gets_another_number(name: str) -> None:
    kinds = {"Serverless": "serverless", "Batch": "batch"}
    of_kind = next((kind for start, kind in kinds.items() if name.startswith(start)), "real-time")
    before = {**ONE, "EndpointKind": of_kind, "DataCaptureS3Uri": "s3://bucket/capture"}
    changed = {"EndpointKind": "asynchronous"}.get(name, "other")
    found = release({**before, name: changed}, stack(before), DECLARED, None)
    assert found != 7
    assert 1 <= found <= MOST
    assert found == release({**before, name: changed}, stack(before), DECLARED, None), "two builds agree"


def test_an_update_that_was_taken_back_gets_another_number_for_the_same_content() -> None:
    again = release(ONE, stack(ONE), DECLARED, last(as_deployed=False))
    assert again != 7
    third = release(ONE, stack(ONE, again), DECLARED, last(as_deployed=False))
    assert third not in {7, again}
    assert release(ONE, stack(ONE), DECLARED, last(as_deployed=True)) == 7
    assert release(ONE, stack(ONE), DECLARED, last(as_deployed=None)) == 7, "a place that was not asked"


def test_nothing_moves_as_long_as_an_endpoint_is_missing() -> None:
    found = {"endpoints": [{"status": "missing", "as_deployed": False}, {"status": "InService", "as_deployed": False}]}
    assert release(ONE, stack(ONE), DECLARED, found) == 7


def test_a_stack_from_before_the_number_keeps_its_configuration() -> None:
    assert release(ONE, stack(ONE, None), DECLARED, None) == FIRST
    assert DECLARED["Release"].members["Default"] == str(FIRST)
    assert DECLARED["Release"].members["MaxValue"] == str(MOST)


def test_every_parameter_that_makes_another_model_or_configuration_counts() -> None:
    """SHAPING against 50-endpoint.yaml: what its Model, EndpointConfig and Batch refer to, through conditions too."""
    template = parse((ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8"))
    conditions = template.document["Conditions"]
    parts = ("Model", "ShadowModel", "EndpointConfig", "Batch")
    text = json.dumps([template.resources[name]["Properties"] for name in parts])
    used = {name for name in template.parameters if f'"Ref": "{name}"' in text or f"${{{name}}}" in text}
    for name, condition in conditions.items():
        if f'"{name}"' in text:
            used |= {p for p in template.parameters if f'"Ref": "{p}"' in json.dumps(condition)}
    named = {"SageMakerProjectName", "SageMakerProjectId", "StageName"}
    beside = {*named, "CopyRegions", "CopyModelPackageNames", "ShadowCopyModelPackageNames", "Release"}
    beside |= {"MaximumInstanceCount"}  # of a shadow's instances, and production's settings stay while it has one
    assert used - beside == set(SHAPING)
