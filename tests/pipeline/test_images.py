"""The digests of a version's images, and what endpoints run in their place."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.console import UserError
from pipeline.images import digests_of, exchanged
from tests.support.fake_services import ACCOUNT, REGION, Fake, error

OWN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/iris"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/Iris/2"
ONE, OTHER = ("sha256:" + digit * 64 for digit in "12")


def found(image: str, ecr: Any) -> list[dict[str, str]]:
    return digests_of(lambda *_: ecr, ARN, {"Containers": [{"Image": image}, {"Image": image}]})


def test_the_registry_says_the_digest_of_a_tag() -> None:
    ecr = Fake(describe_images={"imageDetails": [{"imageDigest": ONE}]})
    assert found(f"{OWN}:1", ecr) == [{"image": f"{OWN}:1", "digest": ONE}]
    assert ecr.called("describe_images") == [{"repositoryName": "team/iris", "imageIds": [{"imageTag": "1"}]}]


def test_a_digest_is_taken_as_it_is_and_another_accounts_registry_is_not_asked() -> None:
    there = f"{OWN}:1".replace(ACCOUNT, "9" * 12)
    assert found(f"{OWN}@{ONE}", Fake()) == [{"image": f"{OWN}@{ONE}", "digest": ONE}]
    assert found(there, Fake()) == [{"image": there, "digest": ""}]


def test_an_image_that_is_gone_is_named() -> None:
    ecr = Fake(describe_images=error("DescribeImages", "ImageNotFoundException"))
    with pytest.raises(UserError, match=r"the image .*team/iris:1 does not exist: push it"):
        found(f"{OWN}:1", ecr)


def test_an_endpoint_that_runs_another_image_is_named() -> None:
    images = [{"image": f"{OWN}:1", "digest": ONE}]
    assert exchanged([f"{OWN}@{ONE}"], images) == ""
    assert f"with the digest {ONE}, got {OTHER}" in exchanged([f"{OWN}@{OTHER}"], images)


@pytest.mark.parametrize("digest", [ONE, ""])
def test_what_sagemaker_does_not_say_is_not_compared(digest: str) -> None:
    assert exchanged([], [{"image": f"{OWN}:1", "digest": digest}]) == ""
    assert exchanged([f"{OWN}@{OTHER}"], [{"image": f"{OWN}:1", "digest": ""}]) == ""
