"""The images in registries: SageMaker's own XGBoost, and those that were pushed to a repository.

An image that was mirrored into another repository (docker pull, tag, push) is known by the digest of its
manifest. What its layers hold is the embedded AWS's own: a few bytes that stand for the XGBoost that is installed.

Versions: SageMaker Developer Guide, "XGBoost algorithm with Amazon SageMaker AI".
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from awslang.errors import NotSupported
from localaws.cloud import Cloud

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
IMAGE = re.compile(r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)(?::([^@]+))?(@sha256:[0-9a-f]{64})?")


def is_built_in(cloud: Cloud, account: str, region: str) -> bool:
    """Whether the registry is the one from which SageMaker's own images come in this Region."""
    return cloud.published.registries.get(region) == account


def xgboost_image(cloud: Cloud, region: str, tag: str = "3.0-5") -> str:
    """The URI of SageMaker's XGBoost in a Region."""
    if region not in cloud.published.registries:
        raise NotSupported(f"SageMaker's own images in {region}: their registry's account was not given")
    return f"{cloud.published.registries[region]}.dkr.ecr.{region}.amazonaws.com/{REPOSITORY}:{tag}"


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
