"""The pipeline's steps fit the image of their builds, and the seeds' settings and payloads the registered version."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.judges.build_image import FLOOR, KNOWN, methods_now, modules, problems
from tests.support import ROOT

BUILD, DEPLOY = ROOT / "seed-code/model-build", ROOT / "seed-code/model-deploy"
MEMBERS = json.loads(KNOWN.read_text(encoding="utf-8"))
PAYLOADS = {"iris": "tests/golden-payloads.json", "penguins": "examples/sklearn/golden-payloads.json"}


def test_every_request_of_the_pipeline_is_known_to_the_oldest_boto3_of_an_image() -> None:
    methods = methods_now()
    assert sorted(problems(modules(), MEMBERS, methods)) == []
    assert {"put_object", "describe_model_package", "invoke_endpoint", "list_action_executions"} <= {*MEMBERS}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("s3.put_object(Bucket=b, WriteOffsetBytes=1)", f"put_object has no WriteOffsetBytes in botocore {FLOOR}"),
        ("s3.rename_object(Bucket=b)", f"rename_object is not known to be in botocore {FLOOR} (botocore.json)"),
        ("s3.get_paginator('list_objects_v2').paginate(New=1)", f"list_objects_v2 has no New in botocore {FLOOR}"),
    ],
)  # fmt: skip
def test_a_request_that_is_newer_is_found(line: str, problem: str) -> None:
    assert [*problems({"a.py": line}, MEMBERS, methods_now())] == [f"a.py, line 1: {problem}"]


def test_syntax_that_the_image_does_not_have_is_found() -> None:
    with pytest.raises(SyntaxError):
        [*problems({"a.py": "type Number = int"}, MEMBERS, frozenset())]


def registered(model: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The specification that the training pipeline of an example registers."""
    monkeypatch.syspath_prepend(str(BUILD))
    import definition  # the seed code, which is no package
    import project

    chosen = project.read(model=model)
    names = definition.names("p", "p-1", "1" * 12, "us-east-1", "arn:aws:iam::111111111111:role/r", "0" * 8)
    step: dict[str, Any] = definition.register_step(names, chosen)
    for name in {"definition", "project"} & set(sys.modules):
        del sys.modules[name]
    specification: dict[str, Any] = step["Arguments"]["InferenceSpecification"]
    return specification


def unsupported(specification: dict[str, Any], settings: dict[str, Any], payloads: list[dict[str, Any]]) -> list[str]:
    """What of a deploy repository the version is not registered for."""
    listed = [("SupportedRealtimeInferenceInstanceTypes", settings["Parameters"]["InstanceType"])]
    listed += [("SupportedContentTypes", one["content_type"]) for one in payloads]
    listed += [("SupportedResponseMIMETypes", one.get("accept", "text/csv")) for one in payloads]
    return [f"{value} is not among {name}" for name, value in listed if value not in specification[name]]


@pytest.mark.parametrize("model", PAYLOADS)
def test_the_seeds_settings_and_payloads_are_what_the_registered_version_supports(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = registered(model, monkeypatch)
    payloads = json.loads((DEPLOY / PAYLOADS[model]).read_text(encoding="utf-8"))["payloads"]
    for file in ("staging-config.json", "prod-config.json"):
        settings = json.loads((DEPLOY / file).read_text(encoding="utf-8"))
        assert unsupported(specification, settings, payloads) == [], file
    wrong = {"Parameters": {"InstanceType": "ml.c5.large"}}
    assert unsupported(specification, wrong, [{"content_type": "image/png", "accept": "text/html"}]) == [
        "ml.c5.large is not among SupportedRealtimeInferenceInstanceTypes",
        "image/png is not among SupportedContentTypes",
        "text/html is not among SupportedResponseMIMETypes",
    ]
