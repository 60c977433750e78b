"""Pushes SageMaker's XGBoost image to a repository of your own, as docker pull, tag and push do."""

from __future__ import annotations

from typing import Any

from localaws.services.ecr.images import XGBOOST, built_in
from scripts.rehearsal.embedded import published
from tests.support.waiting import until

TAG = "3.0-5"


def push(ecr: Any, repository: str, tag: str = "1", of: str = TAG) -> str:
    """The image's URI in the client's registry; the repository must be there. of: the tag of SageMaker's own image"""
    region = ecr.meta.region_name
    owner = published().registries[region]
    wanted = {"registryId": owner, "repositoryName": XGBOOST, "imageIds": [{"imageTag": of}]}
    manifest = ecr.batch_get_image(**wanted)["images"][0]["imageManifest"]
    image = built_in(XGBOOST, of)
    assert image is not None
    for digest, blob in image.blobs:
        upload(ecr, repository, digest, blob)
    account = ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]["registryId"]
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}"


def upload(ecr: Any, repository: str, digest: str, blob: bytes) -> None:
    id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
    ecr.upload_layer_part(repositoryName=repository, uploadId=id, **part)
    ecr.complete_layer_upload(repositoryName=repository, uploadId=id, layerDigests=[digest])


def arrived(ecr: Any, repository: str, tag: str = "1") -> dict[str, str]:
    """The state of each replication, once all have ended."""

    def states() -> dict[str, str]:
        described = ecr.describe_image_replication_status(repositoryName=repository, imageId={"imageTag": tag})
        return {one["region"]: one["status"] for one in described["replicationStatuses"]}

    until(lambda: "IN_PROGRESS" not in states().values())
    return states()
