"""Which image a version's tag names: its digest, as the data science account's registry has it.

SageMaker resolves a tag to a digest when a model is created (API Reference, DeployedImage), and a tag can be pushed
again. So Build writes the digest down, the gate looks again before production, and the tests of a stage compare what
its endpoints really run. An image of another account's registry cannot be looked up from here: "" then. SageMaker's own
are among these.

Amazon ECR API Reference: DescribeImages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.clients import Clients
from pipeline.console import UserError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

ABSENT = {"RepositoryNotFoundException", "ImageNotFoundException"}


def names_of(specification: Mapping[str, Any]) -> list[str]:
    """The images of all containers, each once."""
    return list(dict.fromkeys(container["Image"] for container in specification.get("Containers", [])))


def digests_of(clients: Clients, arn: str, specification: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every image of a version with its digest; UserError where the account has none of its name. arn: the version's"""
    return [{"image": image, "digest": digest_of(clients, arn, image)} for image in names_of(specification)]


def digest_of(clients: Clients, arn: str, image: str) -> str:
    """The digest of an image; "" for one of another account's registry."""
    region, account = arn.split(":")[3:5]
    if "@" in image:
        return image.split("@", 1)[1]
    if image.split(".")[0] != account:
        return ""
    try:
        return str(described(clients("ecr", region), image)["imageDigest"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
        raise UserError(
            f"the image {image} does not exist: push it, or register a version with an image that is there"
        ) from error


def described(ecr: ECRClient, image: str) -> Mapping[str, Any]:
    """What the registry says of an image of this account; ClientError with a code of ABSENT where there is none."""
    repository, label = parts_of(image)
    named: ImageIdentifierTypeDef = {"imageDigest": label} if "@" in image else {"imageTag": label}
    return ecr.describe_images(repositoryName=repository, imageIds=[named])["imageDetails"][0]


def parts_of(image: str) -> tuple[str, str]:
    """The repository of an image, and its tag or digest."""
    repository, _, label = image.split("/", 1)[1].partition("@" if "@" in image else ":")
    return repository, label


def exchanged(resolved: Iterable[str], images: Iterable[Mapping[str, str]]) -> str:
    """Which image an endpoint runs in place of the one that Build found; "" where it runs that one, or none is known.

    resolved: what SageMaker deployed, as repository@digest; images: of digests_of()
    """
    for one in images:
        repository = one["image"].split("@")[0].rsplit(":", 1)[0]
        ran = [path.split("@", 1)[1] for path in resolved if path.split("@")[0] == repository and "@" in path]
        if one["digest"] and ran and one["digest"] not in ran:
            return (
                f"expected the image {one['image']} with the digest {one['digest']}, got {ran[0]}: its tag was "
                "pushed again after Build had looked at it. Name images by their digest, or make the repository's tags "
                "immutable"
            )
    return ""
