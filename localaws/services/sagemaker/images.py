"""The container images that the embedded AWS can run: SageMaker's own XGBoost, and what is byte for byte the same.

An image that somebody mirrored into a repository of their own (docker pull, tag, push) is known by the digest of its
manifest. What its layers hold is the embedded AWS's own: a few bytes that stand for the XGBoost that is installed.

Registry accounts: SageMaker "Docker Registry Paths and Example Code", one page for each region,
section XGBoost (algorithm). Versions: Developer Guide, "XGBoost algorithm with Amazon SageMaker AI".
What pulling needs: Developer Guide, "How to use SageMaker AI execution roles".
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from awslang.errors import NotSupported
from localaws import moto_bridge
from localaws.authorization.permit import permit
from localaws.cloud import Session, arn
from localaws.services.sagemaker.base import invalid

REGISTRIES = Path(__file__).parents[3] / "pipeline/registries.json"
XGBOOST_ACCOUNTS: dict[str, str] = json.loads(REGISTRIES.read_text(encoding="utf-8"))
# Played by the one XGBoost that is installed, whatever the version. 1.0 to 1.2 answer with commas
# instead of lines: they are left out.
XGBOOST_TAGS = frozenset(
    f"{version}{suffix}" for version in ("1.5-1", "1.7-1", "2.1-0", "3.0-5") for suffix in ("", "-cpu-py3")
)
REPOSITORY = "sagemaker-xgboost"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
EVERYBODY_PULLS = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": PULL}}
)  # the registries of built-in images
IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)(?::([^@]+))?(@sha256:[0-9a-f]{64})?")


def xgboost_image(region: str, tag: str = "3.0-5") -> str:
    """The URI of the image in a region."""
    return f"{XGBOOST_ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:{tag}"


@dataclass(frozen=True)
class Image:
    """An image as a registry holds it; kind: the manifest's media type; blobs: its layers, by digest, where known."""

    digest: str
    manifest: str
    kind: str
    blobs: tuple[tuple[str, bytes], ...] = ()


@cache
def built_in(tag: str | None, digest: str | None = None) -> Image | None:
    """SageMaker's XGBoost by its tag or its digest; None where there is no such image."""
    tags = sorted(XGBOOST_TAGS) if tag is None else XGBOOST_TAGS & {tag}
    return next((image for image in map(_made, tags) if digest in (None, image.digest)), None)


def _made(tag: str) -> Image:
    version = tag.removesuffix("-cpu-py3")  # the same image under two names
    settings = {"architecture": "amd64", "os": "linux", "config": {"Labels": {REPOSITORY: version}}}
    config, layer = json.dumps(settings).encode(), f"{REPOSITORY} {version}\n".encode()
    digests = [f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in (config, layer)]
    described = [
        {"mediaType": f"application/vnd.docker.{kind}", "size": len(blob), "digest": digest}
        for kind, blob, digest in (
            ("container.image.v1+json", config, digests[0]),
            ("image.rootfs.diff.tar.gzip", layer, digests[1]),
        )
    ]
    text = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}, indent=3
    )
    whole = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return Image(whole, text, MANIFEST, tuple(zip(digests, (config, layer), strict=True)))


def find(repository: Any, tag: str | None, digest: str | None) -> Image | None:
    """The image with this tag and digest (as far as given) in one of moto's repositories."""
    for image in repository.images:
        if (tag is None or tag in image.image_tags) and digest in (None, image.image_digest):
            return Image(image.image_digest, image.image_manifest, image.image_manifest_media_type)
    return None


def check_image(image: str, region: str) -> None:
    """ValidationException for an image that AWS would not find; NotSupported for one that only AWS can run."""
    found = IMAGE.fullmatch(image)
    if not found:
        raise invalid(f"Using non-ECR image '{image}' without Vpc repository access mode is not supported.")
    account, image_region, repository, tag, digest = found.groups()
    if image_region != region:
        raise invalid(f"The image '{image}' is not in the region {region}: the image must be in the same region.")
    digest = digest and digest.removeprefix("@")
    if account == XGBOOST_ACCOUNTS[region] and repository == REPOSITORY:
        if built_in(tag, digest) is None:
            raise NotSupported(f"the image {image}: the versions that run here are {', '.join(sorted(XGBOOST_TAGS))}")
        return
    held = moto_bridge.backend("ecr", account, region).repositories.get(repository)
    own = find(held, tag, digest) if held is not None else None
    if own is not None and built_in(None, own.digest) is not None:
        return
    if own is None and (repository == REPOSITORY or held is not None):
        raise invalid(f"Requested image {image} not found.")
    raise NotSupported(
        f"the image {image}: only SageMaker's own XGBoost image runs here ({xgboost_image(region)}), and what is byte "
        "for byte the same"
    )


def pull(session: Session, image: str) -> None:
    """AwsError unless the role may pull the image: by its own policies and, in another account, by the repository's.

    The registries of built-in images let everybody in.
    """
    found = IMAGE.fullmatch(image)
    if found is None:
        raise ValueError(f"{image} was not checked")
    account, region, repository = found.group(1), found.group(2), found.group(3)
    permit(session, "ecr:GetAuthorizationToken", "*")
    for action in PULL:
        permit(session, action, arn("ecr", region, account, f"repository/{repository}"), owner=account)
