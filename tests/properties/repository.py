"""What data scientists write into a deploy repository: settings, golden payloads, buildspecs; and seed code in zips."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from awslang.archives import BadArchive, read_zip
from localaws.services.codebuild.buildspec import Buildspec, BuildspecError, parse
from pipeline.answers import difference, wrong
from pipeline.console import UserError
from pipeline.payloads import ANY, check_fits, read_golden
from pipeline.settings import WRITTEN_HERE, read_settings
from scripts.kit.doctor.facts.stage_config import needs, read_config, stage_parameters
from tests.properties.kinds import Kind, said
from tests.properties.mutations import BYTES, TEXTS, YAML_ODDITIES, anything, as_json, as_yaml, values
from tests.support import ROOT
from tests.support.deploy_repository import ENVIRONMENT

JSON_ODDITIES = [
    "NaN",
    "-Infinity",
    "1e999",
    '"\\ud800"',
    '{"a": 1, "a": 2}',
    "[" * 5000,
    "9" * 5000,
    "tru",
    "'x'",
    "//",
]
SETTINGS = [
    {"Parameters": {"InstanceType": "ml.m5.large", "InitialInstanceCount": "1"}},
    {"Parameters": {"EndpointKind": "serverless", "BakeSeconds": "5"}, "Regions": ["us-east-1", "eu-west-1"]},
]
PAYLOADS: list[Any] = [
    json.loads((ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text()),
    {
        "tolerance": 0.5,
        "max_latency_ms": 100,
        "payloads": [
            {
                "name": "a",
                "content_type": "application/json",
                "accept": "text/csv",
                "body": "{}",
                "expected": {"a": [1]},
            }
        ],
    },
]
SPEC = """\
version: 0.2
env:
  shell: bash
  variables: {A: b}
  parameter-store: {P: /x}
  secrets-manager: {S: 'a:b:c:d'}
  exported-variables: [X]
phases:
  install:
    runtime-versions: {python: 3.12}
    commands: [echo]
    finally: [echo]
    on-failure: ABORT
  build: {commands: [echo hi]}
artifacts:
  files: ['**/*']
  base-directory: out
  discard-paths: yes
  name: x
  secondary-artifacts: {s1: {files: [a]}}
reports:
  g: {files: [a], file-format: JUNITXML}
"""
SPECS = [SPEC, (ROOT / "pipeline/buildspec.yml").read_text(), (ROOT / "pipeline/test-buildspec.yml").read_text()]
ALIASES = "\n".join(["a0: &a0 [x, x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30))])


def check_settings(content: bytes, folder: Path) -> None:
    """The Build step takes or refuses a file; `make doctor` never fails on it, and takes nothing that Build refuses."""
    if not (folder / "40-stage.yaml").exists():
        shutil.copy(ROOT / "templates/40-stage.yaml", folder)
        (folder / "prod-config.json").write_text("{}")
    (folder / "staging-config.json").write_bytes(content)
    found = read_config(content)
    assert all(count >= 0 for _, count in needs(found.parameters))
    for problem in found.problems:
        said(problem)
    try:
        stage = read_settings(ENVIRONMENT, folder, folder).stages[0]
    except UserError as error:
        said(str(error))
    else:
        assert not stage.parameters.keys() & set(WRITTEN_HERE)
        assert not [problem for problem in found.problems if "not a Region with SageMaker" not in problem]


def check_payloads(content: bytes, folder: Path) -> None:
    file = folder / "golden-payloads.json"
    file.write_bytes(content)
    try:
        golden = read_golden(file)
    except UserError as error:
        return said(str(error))
    try:
        check_fits(golden, 3, "iris")
    except UserError as error:
        said(str(error))
    for payload in golden.payloads:
        payload.body.encode()
        wrong(payload, golden.payloads[0].expected)
        if payload.expected is not ANY and payload.expected == payload.expected:
            assert difference(payload.expected, payload.expected, payload.tolerance) == ""
    return None


def check_buildspec(content: bytes, _: Path) -> None:
    try:
        assert isinstance(parse(content.decode("utf-8", "replace")), Buildspec)
    except BuildspecError as error:
        said(str(error))


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A zip with odd names, sizes and flags, some with bytes changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for name in draw(
            st.lists(st.sampled_from([*(t for t in TEXTS if len(t) < 100), "a", "a/b", "C:x"]), unique=True, max_size=4)
        ):
            archive.writestr(zipfile.ZipInfo(name), draw(st.binary(max_size=50)) * draw(st.sampled_from([1, 1000])))
    content = bytearray(buffer.getvalue())
    for _ in range(draw(st.integers(0, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(content)))
        content[place:place] = draw(st.sampled_from(BYTES))
    return bytes(content)


def check_archive(content: bytes, _: Path) -> None:
    try:
        assert all(".." not in name.split("/") for name in read_zip(content))
    except BadArchive as error:
        said(str(error))


KINDS = [
    Kind(
        "settings",
        anything(
            as_json, bases=SETTINGS, texts=[json.dumps(one, indent=2) for one in SETTINGS], oddities=JSON_ODDITIES,
            extra=st.dictionaries(st.sampled_from(sorted(stage_parameters())), values(), max_size=3),
        ),
        check_settings,
    ),
    Kind(
        "payloads",
        anything(as_json, bases=PAYLOADS, texts=[json.dumps(one, indent=2) for one in PAYLOADS],
        oddities=JSON_ODDITIES),
        check_payloads,
    ),
    Kind(
        "buildspec",
        anything(
            as_yaml, as_json, bases=[yaml.load(spec, Loader=yaml.BaseLoader) for spec in SPECS], texts=SPECS,
            oddities=[*YAML_ODDITIES, f"x\n{ALIASES}", "*a29"],
        ),
        check_buildspec,
    ),
    Kind("archive", archives() | st.binary(max_size=60), check_archive),
]  # fmt: skip
