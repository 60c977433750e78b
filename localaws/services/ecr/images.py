"""The images in registries: SageMaker's own XGBoost and scikit-learn, and those that were pushed to a repository.

An image that was mirrored into another repository (docker pull, tag, push) is known by the digest of its
manifest. What its layers hold is the embedded AWS's own: a few bytes that stand for the library that is installed.

Versions: SageMaker Developer Guide, "XGBoost algorithm with Amazon SageMaker AI"; scikit-learn's from the SageMaker
Python SDK (image_uri_config/sklearn.json; 1.9-0 of July 2026 by its pull request #6037).
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


def _tags(*versions: str) -> frozenset[str]:
    return frozenset(f"{version}{suffix}" for version in versions for suffix in ("", "-cpu-py3"))


# Played by the one XGBoost that is installed, whatever the version. 1.0 to 1.2 write a model as a pickle, and answer
# with commas instead of lines: processing jobs run in them, and nothing else.
FOR_PROCESSING = _tags("1.0-1", "1.2-1", "1.2-2")
XGBOOST_TAGS = FOR_PROCESSING | _tags("1.3-1", "1.5-1", "1.7-1", "2.1-0", "3.0-5")
# Likewise scikit-learn's, of which the one that is installed may be a little newer than the newest of these.
SKLEARN_TAGS = _tags("0.20.0", "0.23-1", "1.0-1", "1.2-1", "1.4-2", "1.4-2-py312", "1.9-0")
XGBOOST, SKLEARN = "sagemaker-xgboost", "sagemaker-scikit-learn"
TAGS = {XGBOOST: XGBOOST_TAGS, SKLEARN: SKLEARN_TAGS}  # by the repository in SageMaker's own registries
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
    return f"{cloud.published.registries[region]}.dkr.ecr.{region}.amazonaws.com/{XGBOOST}:{tag}"


@dataclass(frozen=True)
class Image:
    """An image as a registry holds it; kind: the manifest's media type; blobs: its layers, by digest, where known."""

    digest: str
    manifest: str
    kind: str
    blobs: tuple[tuple[str, bytes], ...] = ()


@cache
def built_in(repository: str, tag: str | None, digest: str | None = None) -> Image | None:
    """An image of SageMaker's own by its repository, and its tag or digest; None where there is no such image."""
    known = TAGS.get(repository, frozenset())
    tags = sorted(known) if tag is None else known & {tag}
    return next((image for image in (_made(repository, tag) for tag in tags) if digest in (None, image.digest)), None)


def origin(digest: str) -> str:
    """The repository of SageMaker's own that an image comes from, wherever it was copied to; "" for another image."""
    return next((name for name in TAGS if built_in(name, None, digest) is not None), "")


def _made(repository: str, tag: str) -> Image:
    version = tag.removesuffix("-cpu-py3")  # the same image under two names
    settings = {"architecture": "amd64", "os": "linux", "config": {"Labels": {repository: version}}}
    config, layer = json.dumps(settings).encode(), f"{repository} {version}\n".encode()
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
