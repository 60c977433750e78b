"""The pipeline's steps fit the image of their builds, and the seeds' settings and payloads the registered version."""

from __future__ import annotations

import json

import pytest

from tests.judges import registered
from tests.judges.build_image import FLOOR, KNOWN, methods_now, modules, problems

MEMBERS = json.loads(KNOWN.read_text(encoding="utf-8"))


def test_every_request_of_the_pipeline_is_known_to_the_oldest_boto3_of_an_image() -> None:
    methods = methods_now()
    assert sorted(problems(modules(), MEMBERS, methods)) == []
    assert {"put_object", "describe_model_package", "invoke_endpoint", "list_action_executions"} <= {*MEMBERS}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("s3.put_object(Bucket=b, WriteOffsetBytes=1)", f"put_object has no WriteOffsetBytes in botocore {FLOOR}"),
        ("s3.rename_object(Bucket=b)", f"rename_object is not known to be in botocore {FLOOR} (botocore.json)"),
        ("ask = s3.rename_object", f"rename_object is not known to be in botocore {FLOOR} (botocore.json)"),
        ("getattr(s3, 'rename_object')()", f"rename_object is not known to be in botocore {FLOOR} (botocore.json)"),
        ("more = {'New': 1}; s3.put_object(**more)", f"put_object has no New in botocore {FLOOR}"),
        ("more = {}; more['New'] = 1; s3.put_object(**more)", f"put_object has no New in botocore {FLOOR}"),
        ("s3.put_object(**({'New': 1} if b else {}))", f"put_object has no New in botocore {FLOOR}"),
        ("s.add_tags(Tags=[{'Key': k, 'Kind': v}])", f"add_tags has no .Kind in botocore {FLOOR}"),
        ("s3.get_paginator('list_objects_v2').paginate(New=1)", f"list_objects_v2 has no New in botocore {FLOOR}"),
    ],
)  # fmt: skip
def test_a_request_that_is_newer_is_found(line: str, problem: str) -> None:
    assert [*problems({"a.py": line}, MEMBERS, methods_now())] == [f"a.py, line 1: {problem}"]


def test_syntax_that_the_image_does_not_have_is_found() -> None:
    with pytest.raises(SyntaxError):
        [*problems({"a.py": "type Number = int"}, MEMBERS, frozenset())]


@pytest.mark.parametrize("model", registered.PAYLOADS)
def test_the_seeds_settings_and_payloads_are_what_the_registered_version_supports(model: str) -> None:
    assert registered.findings({}, model) == []


def test_settings_and_payloads_that_it_does_not_support_are_found() -> None:
    payload = {"content_type": "image/png", "accept": "text/html"}
    wrong = {
        "seed-code/model-deploy/staging-config.json": '{"Parameters": {"InstanceType": "ml.c5.large"}}',
        "seed-code/model-deploy/tests/golden-payloads.json": json.dumps({"payloads": [payload]}),
    }
    assert registered.findings(wrong) == [
        "staging-config.json: ml.c5.large is not among SupportedRealtimeInferenceInstanceTypes",
        "tests/golden-payloads.json: image/png is not among SupportedContentTypes",
        "tests/golden-payloads.json: text/html is not among SupportedResponseMIMETypes",
    ]
