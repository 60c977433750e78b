"""The Regions and partitions are those that botocore lists, found without reading SageMaker's model."""

from __future__ import annotations

import subprocess
import sys

from scripts.kit import regions
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
