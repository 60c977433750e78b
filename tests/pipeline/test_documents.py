"""The files of the deploy repository may hold anything: the Build step says what is wrong, and deploys nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.console import UserError
from pipeline.payloads import read_golden
from pipeline.settings import read_settings
from tests.support import ROOT
from tests.support.deploy_repository import ENVIRONMENT

GOOD: dict[str, Any] = {"name": "n", "content_type": "text/csv", "body": "1", "expected": 0}
NOT_JSON = [
    (b"", "is not JSON: Expecting value"),
    (b"\xff\xfe", "is not JSON: it is not text in UTF-8 from byte 1 on"),
    (b'\xef\xbb\xbf{"payloads": []}', "is not JSON: it begins with a byte order mark: save it as UTF-8 without one"),
    (b"[" * 100_000, "is not JSON: it is nested deeper than 32 levels"),
    (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "is not JSON: it is nested deeper than 32 levels"),
    (b'{"a": 1, "a": 2}', "is not JSON: the key a is given twice"),
    (b'{"a": 1e999}', "is not JSON: the number 1e999 is too large"),
    (b'{"a": NaN}', "is not JSON: NaN is no number of JSON"),
    (b'{"a": -Infinity}', "is not JSON: -Infinity is no number of JSON"),
    (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON: a number has 5000 digits"),
    (b'{"a": ["\\ud800"]}', r'is not JSON: a[0] holds half of a character, "\ud800"'),
    (b'{"\\ud800": 1}', r"is not JSON: a key of the file holds half of a character"),
    (b" " * 10_000_001, "is not JSON: it has more than 10,000,000 bytes"),
]


def payloads(folder: Path, content: bytes) -> str:
    file = folder / "golden-payloads.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_golden(file)
    message = str(caught.value)
    message.encode("utf-8")
    assert len(message) < 3000
    return message


@pytest.mark.parametrize(("content", "message"), NOT_JSON)
def test_a_file_that_is_no_json_is_refused_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in payloads(tmp_path, content)
    assert message.replace("is not JSON", "staging-config.json is not JSON") in settings(tmp_path, content)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be a JSON object with payloads, not a list"),
        (7, "must be a JSON object with payloads, not 7"),
        ({}, "holds no payloads"),
        ({"payloads": []}, "holds no payloads"),
        ({"payloads": None}, "holds no payloads"),
        ({"payloads": {"n": GOOD}}, "payloads is an object: write a list of requests with their answers"),
        ({"payloads": "x"}, 'payloads is "x": write a list'),
        ({"payloads": [[[]]]}, "payloads[0] is a list: write an object with name, content_type, body, expected"),
        ({"payloads": [None]}, "payloads[0] is null: write an object"),
        ({"payloads": [{**GOOD, "body": [1]}]}, "payloads[0].body is a list: write text of at most 6291456 bytes"),
        ({"payloads": [{**GOOD, "body": "x" * 7_000_000}]}, "payloads[0].body is \"xxx"),
        ({"payloads": [{**GOOD, "name": ["n"]}]}, "payloads[0].name is a list: write text of 1 to 200 characters"),
        ({"payloads": [{**GOOD, "name": ""}]}, 'payloads[0].name is ""'),
        ({"payloads": [{**GOOD, "name": "a\x1b[31m"}]}, r'payloads[0].name is "a\u001b[31m"'),
        ({"payloads": [{**GOOD, "content_type": "text/ä"}]}, "write a content type in ASCII, such as \"text/csv\""),
        ({"payloads": [{**GOOD, "accept": None}]}, "payloads[0].accept is null: write a content type in ASCII"),
        ({"payloads": [{**GOOD, "tolerance": "2 %"}]}, 'payloads[0].tolerance is "2 %": write a number from 0, such'),
        ({"payloads": [{**GOOD, "tolerance": True}]}, "payloads[0].tolerance is true: write a number from 0"),
        ({"payloads": [{**GOOD, "max_latency_ms": 0}]}, "payloads[0].max_latency_ms is 0: write milliseconds from 1"),
        ({"payloads": [{**GOOD, "weight": 1}]}, "payloads[0].weight is 1: no such key is known"),
        ({"payloads": [{"name": "n"}]}, "payloads[0].content_type is missing: write a content type"),
        ({"payloads": [GOOD, GOOD]}, 'payloads[1]: the name "n" is there twice'),
        ({"tolerance": None, "payloads": [GOOD]}, "tolerance is null: write a number from 0, such as 0.01"),
        ({"tolerance": -1, "payloads": [GOOD]}, "tolerance is -1: write a number from 0, such as 0.01"),
        ({"max_latency_ms": 60_001, "payloads": [GOOD]}, "max_latency_ms is 60001: write milliseconds from 1 to 60000"),
        ({"tolerence": 1, "payloads": [GOOD]}, "tolerence is 1: no such key is known. Write one of model, tolerance"),
        ({"payloads": [GOOD] * 1001}, "payloads has 1,001 entries, and at most 1,000 are sent"),
        ({"payloads": [7] * 30}, "payloads[19] is 7: write an object with name, content_type, body, expected; and 10"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_payloads_is_reported_with_its_place(tmp_path: Path, document: Any, message: str) -> None:
    assert message in payloads(tmp_path, json.dumps(document).encode())


@pytest.mark.parametrize("expected", [0, 1.5, True, None, "text", [1, [2]], {"a": {"b": 1}}])
def test_every_kind_of_answer_can_be_expected(tmp_path: Path, expected: Any) -> None:
    file = tmp_path / "golden-payloads.json"
    file.write_text(json.dumps({"payloads": [{**GOOD, "expected": expected}]}))
    assert read_golden(file).payloads[0].expected == expected


def test_a_folder_in_the_place_of_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "golden-payloads.json").mkdir()
    with pytest.raises(UserError, match=r"golden-payloads.json cannot be read: Is a directory"):
        read_golden(tmp_path / "golden-payloads.json")


# -- the configuration files -------------------------------------------------------------------


def settings(folder: Path, staging: bytes) -> str:
    for template in ("40-stage.yaml", "50-endpoint.yaml"):
        shutil.copy(ROOT / "templates" / template, folder)
    (folder / "staging-config.json").write_bytes(staging)
    (folder / "prod-config.json").write_text("{}")
    with pytest.raises(UserError) as caught:
        read_settings(ENVIRONMENT, folder, folder)
    message = str(caught.value)
    message.encode("utf-8")
    assert len(message) < 5000
    return message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "staging-config.json must be a JSON object, not null"),
        ([], "staging-config.json must be a JSON object, not a list"),
        ({"Parameters": None}, 'Parameters is null: write an object of names and texts, such as {"Inst'),
        ({"Parameters": []}, "Parameters is a list: write an object of names and texts"),
        ({"Regions": None}, 'Regions is null: write a list of Regions, such as ["us-east-1"]'),
        ({"Regions": "eu-west-1"}, 'Regions is "eu-west-1": write a list of Regions'),
        ({"Regions": ["eu-west-1", 7, [[]]]}, "Regions is 7, a list: write a list of Regions"),
        ({"Regions": ["eu-west-١"]}, r'Regions is "eu-west-\u0661": write a list'),
        ({"Parameters": {"InitialInstanceCount": 2}}, 'InitialInstanceCount is 2: write text, such as "2"'),
        ({"Parameters": {"InitialInstanceCount": None}}, 'InitialInstanceCount is null: write text, such as "2"'),
        ({"Parameters": {"InitialInstanceCount": {"a": 1}}}, "InitialInstanceCount is an object: write text"),
        ({"Parameters": {"InitialInstanceCount": "²"}}, r'is "\u00b2": write a whole number from 1, such as "2"'),
        ({"Parameters": {"StageName": "prod"}}, 'Parameters.StageName is "prod": the pipeline writes it itself'),
        ({"Parameters": {"a\nb": "x"}}, r'Parameters."a\nb" is "x": 40-stage.yaml has no such'),
        ({"Region": []}, "staging-config.json: Region is a list: no such key is known. Write one of Parameters, R"),
    ],
)
def test_a_mistake_in_a_configuration_file_is_reported_with_its_place(
    tmp_path: Path, document: Any, message: str
) -> None:
    assert message in settings(tmp_path, json.dumps(document).encode())


@pytest.mark.parametrize("schema", ["x" * 201, 7, ""])
def test_the_name_of_the_schema_is_a_short_text(tmp_path: Path, schema: Any) -> None:
    said = settings(tmp_path, json.dumps({"$schema": schema, "Parameters": {}}).encode())
    assert "staging-config.json: $schema is " in said
    assert 'write the name of a file, such as "./settings.schema.json"' in said
