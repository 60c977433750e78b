"""Seed code for another team's project template: which zip files it expects, and the folders that fill them.

AWS CloudFormation Template Reference, "AWS::CodeCommit::Repository Code" (the S3 place of the initial content).
A bucket that is only a placeholder in the template (publishers fill it in with their own scripts) becomes a
bucket of the rehearsal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awslang.archives import MOST_BYTES, BadArchive, read_zip
from awslang.bounded import read_file
from awslang.template.template import Template
from localaws.cloudformation.goals import Goal
from scripts.kit.bundle.pack import zip_bytes
from scripts.kit.console import UsageError

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
LEFT_OUT = {".git", "__pycache__", ".DS_Store"}
TAGGING = "servicecatalog%3Aprovisioning=true"  # what the stock launch role may read from any bucket
REPOSITORY = "AWS::CodeCommit::Repository"


@dataclass(frozen=True)
class Place:
    """Where a repository of the template takes its first files from."""

    logical_id: str
    bucket: str
    key: str

    @property
    def names(self) -> list[str]:
        """What --seed-code may call it."""
        file = self.key.rsplit("/", 1)[-1]
        return [file, file.removesuffix(".zip"), self.key, f"{self.bucket}/{self.key}", self.logical_id]


def placeholders(template: Template) -> list[str]:
    """Buckets of seed code that are not valid bucket names: the publisher's script would replace them."""
    found = []
    for resource in template.resources.values():
        if not isinstance(resource, dict) or resource.get("Type") != REPOSITORY:
            continue
        bucket: Any = resource
        for name in ("Properties", "Code", "S3", "Bucket"):
            bucket = bucket.get(name) if isinstance(bucket, dict) else None
        if isinstance(bucket, str) and not BUCKET_NAME.fullmatch(bucket) and "{{resolve" not in bucket:
            found.append(bucket)
    return sorted(set(found))


def places(goal: Goal) -> list[Place]:
    """Where the template's repositories take their first files from, with this goal's parameters."""
    found = []
    for logical_id in goal.evaluator.active():
        if goal.type(logical_id) == REPOSITORY:
            code = goal.evaluator.resource(logical_id).get("Code")
            place = code.get("S3") if isinstance(code, dict) else None
            bucket, key = (place.get("Bucket"), place.get("Key")) if isinstance(place, dict) else (None, None)
            if isinstance(bucket, str) and isinstance(key, str):
                found.append(Place(logical_id, bucket, key))
    return found


def assigned(expected: list[Place], seeds: Mapping[str, Path]) -> dict[tuple[str, str], Path]:
    """(bucket, key) of every object to upload, and its folder; UsageError where names and places do not fit."""
    found: dict[tuple[str, str], Path] = {}
    for name, folder in seeds.items():
        fitting = {(p.bucket, p.key) for p in expected if name in p.names}
        if not fitting and "/" in name:  # something that no repository takes: a build's source, for example
            bucket, _, key = name.partition("/")
            fitting = {(bucket, key)}
        if not fitting:
            known = ", ".join(sorted({p.names[0] for p in expected})) or "none"
            raise UsageError(f"--seed-code {name}: the template takes no such file. It takes: {known}")
        found |= dict.fromkeys(fitting, folder)
    return found


def zipped(folder: Path) -> bytes:
    """A folder as a zip file, or the zip file itself."""
    if folder.exists() and not folder.is_dir():
        try:
            content = read_file(folder, MOST_BYTES)
            read_zip(content)
        except OSError as error:
            raise UsageError(f"--seed-code {folder} cannot be read: {error.strerror}") from error
        except BadArchive as error:
            raise UsageError(f"--seed-code {folder} {error}. Name a folder, or a zip file of one") from error
        return content
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist")
    files, left = {}, MOST_BYTES
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not LEFT_OUT & set(path.relative_to(folder).parts):
            try:
                content = read_file(path, left)
            except OSError as error:
                raise UsageError(f"--seed-code {path} cannot be read: {error.strerror}") from error
            files[str(path.relative_to(folder))] = content
            left -= len(content)
    return zip_bytes(files)


def upload(s3: Any, region: str, found: Mapping[tuple[str, str], Path]) -> None:
    """Put the zip files where the template expects them, readable for the launch role."""
    for (bucket, key), folder in found.items():
        make_bucket(s3, region, bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=zipped(folder), Tagging=TAGGING)


def make_bucket(s3: Any, region: str, bucket: str) -> None:
    if bucket not in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **location)
