"""What a version is when Build reads it, and what the gate finds changed: in its own Region and in its copies'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from pipeline.console import UserError
from pipeline.frozen import artifacts_of, changed, copies_now, etag_of, frozen
from tests.support.fake_services import ACCOUNT, REGION, Fake, error, package

IRELAND = "eu-west-1"
COPY = f"arn:aws:sagemaker:{IRELAND}:{ACCOUNT}:model-package/Iris/9"


def own(number: int, status: str = "Approved", **more: Any) -> dict[str, Any]:
    """A version with an image of the account's own registry."""
    made = package(number, status, **more)
    for container in made["InferenceSpecification"]["Containers"]:
        container["Image"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/iris:1"
    return made


class Regions:
    """The version in its own Region, a copy in another one, and a bucket with its artifact in each."""

    def __init__(self) -> None:
        self.packages: dict[str, Any] = {REGION: own(2), IRELAND: own(9, ModelPackageArn=COPY)}
        self.etags = {REGION: "e1", IRELAND: "e1"}
        self.digests = {REGION: "sha256:1", IRELAND: "sha256:1"}

    def __call__(self, service: str, region: str) -> Any:
        if service == "sagemaker":
            return Fake(describe_model_package=lambda **_: self.packages[region])
        if service == "ecr":
            return Fake(describe_images={"imageDetails": [{"imageDigest": self.digests[region]}]})
        return Fake(list_objects_v2={"Contents": [{"Key": "iris/model.tar.gz", "ETag": self.etags[region]}]})


def replaced() -> dict[str, Any]:
    containers = [{**package(9)["InferenceSpecification"]["Containers"][0], "Environment": {"A": "b"}}]
    return package(9, ModelPackageArn=COPY, InferenceSpecification={"Containers": containers})


def bucket_of(held: Mapping[str, str]) -> Any:
    """An S3 client that lists a bucket. held: the ETag of each object by its key"""

    def listed(Prefix: str, MaxKeys: int = 0, **_: Any) -> Any:  # noqa: N803  # the API's names
        answer = {"Contents": [{"Key": key, "ETag": etag} for key, etag in held.items() if key.startswith(Prefix)]}
        return answer if MaxKeys else [answer]

    return Fake(list_objects_v2=listed)


def source(of_type: str) -> dict[str, Any]:
    return {"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://models/iris/model/", "S3DataType": of_type}}}


CHANGES: dict[str, tuple[Callable[[Regions], Any], str]] = {
    "rejected": (
        lambda r: r.packages.update({IRELAND: own(9, "Rejected", ModelPackageArn=COPY)}), "is Rejected by now"),
    "replaced": (lambda r: r.packages.update({IRELAND: replaced()}), "was replaced after Build had read it"),
    "written again": (lambda r: r.etags.update({IRELAND: "e2"}), "was written again after Build had looked at it"),
    "pushed again": (
        lambda r: r.digests.update({IRELAND: "sha256:2"}), "was pushed again after Build had looked at it"),
    "deleted": (
        lambda r: r.packages.update({IRELAND: error("D", "ValidationException", "gone")}), "does not exist any more"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_in_a_further_region_is_looked_at_again(change: str) -> None:
    regions, arn = Regions(), own(2)["ModelPackageArn"]
    was = frozen(regions, arn, own(2)["InferenceSpecification"])
    was["copies"] = copies_now(regions, arn, {REGION: arn, IRELAND: COPY})
    assert list(was["copies"]) == [IRELAND]
    found = {**was, "arn": arn, "version": 2, "group": "Iris"}
    assert changed(regions, found) == []
    do, message = CHANGES[change]
    do(regions)
    (problem,) = changed(regions, found)
    assert message in problem
    assert f"the copy of version 2 of Iris in {IRELAND}" in problem


def test_one_object_beneath_a_prefix_that_is_written_again_changes_its_hash() -> None:
    held = {"iris/model/a": "e1", "iris/model/b": "e1", "iris/model-2/c": "e1"}
    s3 = bucket_of(held)
    for url in ("s3://models/iris/model/", "s3://models/iris/model"):
        before = etag_of(s3, url, several=True)
        held["iris/model-2/c"] += "x"  # of another artifact
        assert etag_of(s3, url, several=True) == before
        held["iris/model/b"] += "x"
        assert etag_of(s3, url, several=True) != before


@pytest.mark.parametrize(
    ("container", "wrong"),
    [
        ({"ModelDataUrl": "s3://models/iris/model"}, "s3://models/iris/model is no object, but a prefix of 2 objects"),
        ({"ModelDataUrl": "s3://models/iris/model/"}, "is no object, but a prefix of 2 objects: register a version"),
        ({"ModelDataUrl": "s3://models/iris/mod"}, "the artifact s3://models/iris/mod is missing"),
        (source("S3Object"), "is no object, but a prefix of 2 objects"),
        (source("S3Prefix"), ""),
        ({"AdditionalS3DataSource": source("S3Prefix")["ModelDataSource"]["S3DataSource"]}, ""),
    ],
)
def test_an_artifact_that_must_be_one_object_is_none_where_objects_are_beneath_it(
    container: dict[str, Any], wrong: str
) -> None:
    s3 = bucket_of({"iris/model/a": "e", "iris/model/b": "e"})
    with nullcontext() if not wrong else pytest.raises(UserError, match=wrong):
        assert len(artifacts_of(s3, {"InferenceSpecification": {"Containers": [container]}})) == 1
