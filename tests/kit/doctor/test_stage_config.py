"""A stage's configuration file may hold anything: what is wrong is listed, and the check of the others goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.kit.bundle import pack
from scripts.kit.doctor.facts.limits import Limits
from scripts.kit.doctor.facts.projects import Project, ProjectStage, image_of, regions_of
from scripts.kit.doctor.facts.stage_config import needs, read_config
from scripts.kit.doctor.snapshot import needs_of
from scripts.kit.stages import Stage

DEEP = "[" * 100_000 + "]" * 100_000
NESTED = "[" * 900 + "]" * 900  # shallow enough for the JSON reader


def text(parameters: Any = None, **more: Any) -> bytes:
    return json.dumps({"Parameters": parameters or {}, **more}).encode()


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PROD])
def test_the_seed_codes_files_have_no_problem(stage: Stage) -> None:
    found = read_config((pack.ROOT / f"seed-code/model-deploy/{stage}-config.json").read_bytes())
    assert found.problems == ()
    assert all(count >= 1 for _, count in needs(found.parameters))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (DEEP.encode(), "it is not JSON"),
        (b'{"Parameters": {"InitialInstanceCount": ' + b"9" * 5000 + b"}}", "it is not JSON"),
        (b"null", "it must be an object with Parameters, not null"),
        (b'"text"', "it must be an object with Parameters, not text"),
        (f'{{"Parameters": {NESTED}}}'.encode(), "Parameters must be an object of names and texts, not a list"),
        (b'{"Parameters": null}', "Parameters must be an object of names and texts, not null"),
        (text(Regions=None), "Regions must be a list of Regions such as us-east-1, not null"),
        (text(Regions="us-east-1"), "Regions must be a list of Regions such as us-east-1, not text"),
        (text(Regions=[["us-east-1"]]), "Regions: a list is not a Region with SageMaker"),
        (text(Regions=["mars-1"]), 'Regions: "mars-1" is not a Region with SageMaker'),
        (text({"InitialInstanceCount": "\u00b2"}), r'InitialInstanceCount is "\u00b2", not a number'),
        (text({"InitialInstanceCount": "\u0663"}), r'InitialInstanceCount is "\u0663", not a number'),
        (text({"InitialInstanceCount": "9" * 5000}), "InitialInstanceCount is"),
        (text({"InitialInstanceCount": 2}), "InitialInstanceCount must be text, not a number"),
        (text({"InitialInstanceCount": None}), "InitialInstanceCount must be text, not null"),
        (f'{{"Parameters": {{"BakeSeconds": {NESTED}}}}}'.encode(), "BakeSeconds must be text, not a list"),
        (text({"EndpointKind": "\ud800"}), r'EndpointKind is "\ud800", not one of'),
        (text({"\ud800": "x"}), r'"\ud800" is not a parameter of 40-stage.yaml'),
        (text({"StageName": "prod"}), "StageName is written by the pipeline itself"),
        (text(**{"\ud800": 1}), r'"\ud800" is not known; it takes Parameters and Regions'),
    ],
)
def test_a_broken_file_is_reported_in_words_that_a_terminal_can_print(content: bytes, problem: str) -> None:
    [found] = read_config(content).problems
    assert found.startswith(problem)
    found.encode("utf-8")


def test_what_is_right_in_a_file_counts_and_the_rest_does_not() -> None:
    parameters = {"InitialInstanceCount": "\u00b2", "InstanceType": "ml.m5.large", "MaximumInstanceCount": "3"}
    found = read_config(text(parameters, Regions=["mars-1", "eu-west-1", None]))
    assert next(needs(found.parameters)) == ("ml.m5.large for endpoint usage", 3)
    assert found.regions == ("eu-west-1",)
    assert len(found.problems) == 3


def project(name: str, staging: bytes) -> Project:
    described = {"ProjectName": name, "ProjectId": "p-1", "ProjectStatus": "CreateCompleted"}
    return Project(
        described, stages={Stage.STAGING: ProjectStage(config=staging), Stage.PROD: ProjectStage(config=None)}
    )


def test_a_projects_broken_file_leaves_the_other_projects_instances_and_regions() -> None:
    broken = project("broken", b'{"Regions": null, "Parameters": {"InitialInstanceCount": "\xc2\xb2"}}')
    fine = project("fine", text({"InstanceType": "ml.c5.xlarge", "InitialInstanceCount": "2"}, Regions=["eu-west-1"]))
    name = "ml.c5.xlarge for endpoint usage"
    assert needs_of(Stage.STAGING, (broken, fine), Limits(codes={name: "L-1"})) == {"L-1": (name, 2)}
    assert regions_of(broken, Stage.STAGING, "us-east-1") == ["us-east-1"]
    assert regions_of(fine, Stage.STAGING, "us-east-1") == ["eu-west-1"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/team/model:1", ("team/model", {"imageTag": "1"})),
        ("111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn/model@sha256:ab", ("model", {"imageDigest": "sha256:ab"})),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/model:1@sha256:ab", ("model", {"imageDigest": "sha256:ab"})),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/model", None),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com", None),
        ("library/model:1", None),
        ("", None),
    ],
)
def test_an_image_in_ecr_is_read_and_any_other_text_is_none(
    image: str, expected: tuple[str, dict[str, str]] | None
) -> None:
    found = image_of({"InferenceSpecification": {"Containers": [{"Image": image}]}})
    assert ((found.repository, found.label) if found else None) == expected
