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
