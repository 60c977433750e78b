"""What a team has before its change is rehearsed: what its settings name as an account's own, and its image.

docs/guides/ml-engineer.md, "Data capture, asynchronous endpoints and VPCs"; docs/guides/bring-your-own-model.md, "A
container of your own": an ML engineer makes it before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from localaws.services.ecr.images import IMAGE, MANIFEST, PULL
from scripts.kit.console import say
from scripts.kit.names import model_bucket
from scripts.rehearsal.network import make_data_bucket, make_key, make_network
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams.repositories import (
    DATA_KEY,
    IN_A_BUCKET,
    IN_A_VPC,
    OWN,
    TRAINING,
    VOLUME_KEY,
    read_toml,
)


def environment(story: Story) -> str:
    """The section of the environment file that allows it; "" for none."""
    bucket = f"  data_bucket: {OWN}\n" if story.repositories.uses(IN_A_BUCKET) else ""
    vpc = "  vpc: true\n" if story.repositories.uses(IN_A_VPC) else ""
    key = "".join(f"  data_key: {alias}\n" for alias in story.repositories.values(DATA_KEY)[:1])
    return f"endpoints:\n{bucket}{key}{vpc}" if bucket or key or vpc else ""


def prepare(story: Story) -> None:
    """Make the buckets, the keys, the parameters and the image, as each account's administrator."""
    push_image(story)
    bucket, vpc = story.repositories.uses(IN_A_BUCKET), story.repositories.uses(IN_A_VPC)
    for account in story.setting.targets.values():
        for region in dict.fromkeys((story.region, *story.regions)):
            root = story.cloud.root(account, region)
            for alias in story.repositories.values(DATA_KEY, VOLUME_KEY):
                make_key(root.client("kms"), alias)
            if bucket:
                make_data_bucket(root.client("s3"), account, region)
            if vpc:
                models = model_bucket(story.setting.data_science, region)
                make_network(root, (models, f"endpoint-data-{account}-{region}"))


def push_image(story: Story) -> None:
    """The image that project.toml names, where rehearsal-images.yaml has what stands in for it: as docker push does.

    Its layer is a few bytes, and the accounts of the stages may pull it.
    """
    folder = story.repositories.folders.get(TRAINING)
    if folder is None or not (name := str(read_toml(folder)[story.repositories.model].get("image", ""))):
        return
    own = f"{story.setting.data_science}.dkr.ecr.{story.region}.amazonaws.com/"
    found = IMAGE.fullmatch(name) or IMAGE.fullmatch(own + name)
    if found is None or found[1] != story.setting.data_science or found[3] not in story.cloud.stand_ins or not found[4]:
        return
    put_image(
        story.cloud.root(story.setting.data_science, found[2]).client("ecr"), found[3], found[4], pull_policy(story)
    )
    say(f"    the image {found[3]}:{found[4]} is in the data science account, and the stages' accounts may pull it")


def put_image(ecr: Any, repository: str, tag: str, policy: Mapping[str, Any]) -> str:
    """The digest of an image in a new repository with a policy."""
    ecr.create_repository(repositoryName=repository)
    ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(policy))
    blobs = {name: put_layer(ecr, repository, f"{name} of {repository}:{tag}".encode()) for name in ("config", "layer")}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": blobs["config"], "layers": [blobs["layer"]]}
    put = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
    return str(put["image"]["imageId"]["imageDigest"])


def pull_policy(story: Story) -> dict[str, Any]:
    principal = {"AWS": [f"arn:aws:iam::{account}:root" for account in story.setting.targets.values()]}
    statement = {"Sid": "TargetAccountsPullImages", "Effect": "Allow", "Principal": principal, "Action": list(PULL)}
    return {"Version": "2012-10-17", "Statement": [statement]}


def put_layer(ecr: Any, repository: str, blob: bytes) -> dict[str, Any]:
    """What a manifest says of a blob that is uploaded."""
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    part = {"partFirstByte": 0, "partLastByte": len(blob) - 1, "layerPartBlob": blob}
    ecr.upload_layer_part(repositoryName=repository, uploadId=upload, **part)
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
    return {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest, "size": len(blob)}
