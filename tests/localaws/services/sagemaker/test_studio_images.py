"""Images of SageMaker Studio: there are none, and a request for one is answered as AWS answers it."""

from __future__ import annotations

import pytest

from localaws.cloud import Cloud
from tests.support.sagemaker_world import client


def test_an_image_that_is_asked_for_is_not_found(cloud: Cloud) -> None:
    sagemaker = client(cloud, "sagemaker")
    assert sagemaker.list_images()["Images"] == []
    for ask in (sagemaker.describe_image, sagemaker.describe_image_version, sagemaker.list_image_versions):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="image/mine does not exist"):
            ask(ImageName="mine")
