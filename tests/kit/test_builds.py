"""What a project's builds run on, by Region and by the environment file."""

from __future__ import annotations

import dataclasses

import pytest

from awslang.template.reader import read
from localaws.services.codebuild import images
from scripts.kit import builds
from scripts.kit.bundle import installation, pack
from scripts.kit.settings.model import Builds
from scripts.kit.settings.reading import parse
from tests.judges.kit import CONNECTION, THIRTY, Kit, Place, Resource
from tests.support.publisher import ENVIRONMENT


def test_the_kit_and_the_embedded_aws_know_the_same_regions_with_lambda_compute() -> None:
    assert builds.LAMBDA_REGIONS == images.LAMBDA_REGIONS


@pytest.mark.parametrize(
    ("region", "chosen", "value"),
    [("us-east-1", "lambda", "lambda"), ("us-east-1", "ec2", "ec2"), ("eu-north-1", "lambda", "ec2")],
)
def test_the_product_has_lambda_compute_where_the_region_and_the_file_have_it(
    region: str, chosen: str, value: str
) -> None:
    settings = dataclasses.replace(parse(f"{ENVIRONMENT}builds: {{compute: {chosen}}}\n", "example"), region=region)
    assert settings.builds == Builds("ec2" if chosen == "ec2" else "lambda")
    made = installation.with_defaults(pack.pack(pack.read_tree(pack.ROOT)), settings, region, lambda unit, key: unit)
    declared = read(made.files[pack.PRODUCT].decode())[0]["Parameters"]["BuildCompute"]
    assert (declared["Default"], declared["AllowedValues"]) == (value, [value])
    assert (builds.LAMBDA_QUOTA in builds.quotas(settings, region)) == (value == "lambda")


@pytest.mark.parametrize("on_push", [True, False])
def test_whether_a_push_trains_is_fixed_in_the_product(on_push: bool) -> None:
    text = f"builds: {{on_push: {str(on_push).lower()}}}\n"
    settings = parse(f"{ENVIRONMENT}{text}", "example")
    made = installation.with_defaults(
        pack.pack(pack.read_tree(pack.ROOT)), settings, settings.region, lambda unit, key: unit
    )
    declared = read(made.files[pack.PRODUCT].decode())[0]["Parameters"]["BuildOnPush"]
    value = "true" if on_push else "false"
    assert (declared["Default"], declared["AllowedValues"]) == (value, [value])


def project(**given: str) -> dict[str, Resource]:
    """The resources of a project with these values of the product's parameters."""
    place = Place(THIRTY, given=tuple(given.items()))
    return Kit().resources(place)


def test_without_a_build_on_a_push_a_project_has_neither_its_build_nor_its_pipeline() -> None:
    on, off = project(BuildOnPush="true"), project(BuildOnPush="false")
    assert on.keys() - off.keys() == {"Train", "TrainingPipeline"}
    assert off.keys() <= on.keys()


def test_a_push_to_a_repository_of_a_git_provider_trains_by_the_pipelines_own_trigger() -> None:
    connection = {"SourceConnectionArn": CONNECTION, "SourceRepositoryOwner": "us"}
    pipeline = project(BuildOnPush="true", **connection, TrainingRepositoryName="how-we-train")["TrainingPipeline"]
    (source,) = pipeline.properties["Stages"][0]["Actions"]
    assert source["ActionTypeId"]["Provider"] == "CodeStarSourceConnection"
    assert source["Configuration"]["FullRepositoryId"] == "us/how-we-train"
    (trigger,) = pipeline.properties["Triggers"]
    assert trigger["GitConfiguration"] == {"SourceActionName": "Source", "Push": [{"Branches": {"Includes": ["main"]}}]}
