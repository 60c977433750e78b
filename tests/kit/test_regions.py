"""The Regions and partitions are those that botocore lists, found without reading SageMaker's model."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.kit import regions
from scripts.kit.console import UserError
from scripts.kit.settings.reading import parse
from tests.support import ROOT


def test_the_regions_are_those_in_which_botocore_lists_sagemaker() -> None:
    session = regions.botocore_session()
    listed = [r for p in session.get_available_partitions() for r in session.get_available_regions("sagemaker", p)]
    assert {"us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"} <= {*listed}
    assert regions.known_regions() == tuple(listed)


LOOK = """\
import botocore.loaders
read, load = [], botocore.loaders.JSONFileLoader.load_file
def noted(self, path):
    read.append(path.rsplit("/", 1)[1])
    return load(self, path)
botocore.loaders.JSONFileLoader.load_file = noted
from scripts.kit.regions import known_regions, partition, url_suffix
print(len(known_regions()) > 30, partition("us-east-1"), url_suffix("us-east-1"), *read)
"""


def test_listing_the_regions_reads_no_model_of_a_service() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "aws", "amazonaws.com", "endpoints"]


def test_a_region_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    assert regions.check_region("us-east-1") == ""
    wrong = regions.check_region("eu-cental-1")
    assert wrong == "'eu-cental-1' is not a Region with SageMaker (did you mean eu-central-1?)"


@pytest.mark.parametrize(
    ("region", "why"),
    [
        ("cn-north-1", "cn-north-1 is in the partition aws-cn, and the kit supports the partition aws alone"),
        ("us-gov-west-1", "us-gov-west-1 is in the partition aws-us-gov, and the kit supports the partition aws alone"),
        ("mx-central-1", "mx-central-1 is not supported: no registry of SageMaker's XGBoost image is known there"),
        ("ap-east-2", "ap-east-2 is not supported: no registry of SageMaker's XGBoost image is known there"),
    ],
)
def test_the_environment_file_refuses_a_region_that_is_not_supported_by_name(region: str, why: str) -> None:
    assert region in regions.known_regions()
    text = (ROOT / "environment.example.yaml").read_text(encoding="utf-8")
    with pytest.raises(UserError, match=r"line \d+, region") as refused:
        parse(text.replace("region: us-east-1", f"region: {region}"), "environment.yaml")
    assert why in str(refused.value)


def test_every_supported_region_is_one_with_sagemaker_in_the_partition_aws() -> None:
    assert regions.image_regions() <= {*regions.known_regions()}
    assert {regions.partition(region) for region in regions.image_regions()} == {"aws"}
