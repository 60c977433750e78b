"""S3 as training and hosting use it: folders down, archives up and down. Every request is the role's own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from localaws import places
from localaws.cloud import Session


class NoDownload(Exception):  # what happened to it
    """Input that no file can hold; the text is the job's."""


def split(url: str) -> tuple[str, str]:
    """Bucket and key of s3://BUCKET/KEY."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def keys_under(session: Session, url: str) -> list[str]:
    """The keys that begin with the URL's key, folders' own markers left out."""
    bucket, prefix = split(url)
    found: list[str] = []
    token: dict[str, Any] = {}
    while True:
        answer = session.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, **token)
        found += [item["Key"] for item in answer.get("Contents", []) if not item["Key"].endswith("/")]
        if not answer.get("IsTruncated"):
            return found
        token = {"ContinuationToken": answer["NextContinuationToken"]}


def download_folder(session: Session, url: str, keys: list[str], folder: Path) -> int:
    """The objects into the folder, by their names below the URL where that is a folder, else below its last slash;
    returns their bytes.

    Public samples hand s3://…/output/train on from step to step, and read …/train.csv in the place of the input.
    NoDownload for a key that cannot be a file. AWS documents no text for that; of a clash users quote this one.
    """
    bucket, prefix = split(url)
    size = 0
    for key in keys:
        content = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            base = prefix if key.startswith(f"{prefix}/") else prefix.rpartition("/")[0]
            places.write(folder, key[len(base) :], content)
        except places.Clash as clash:
            raise NoDownload(
                f"Failed to download data. Cannot download s3://{bucket}/{key}, a previously downloaded file/folder "
                "clashes with it. Please check your s3 objects and ensure that there is no object that is both a "
                "folder as well as a file."
            ) from clash
        except places.NoPlace as no_place:
            raise NoDownload(f"Failed to download data. Cannot download s3://{bucket}/{key}: {no_place}") from no_place
        size += len(content)
    return size


def files_in(folder: Path) -> list[Path]:
    """The files below a folder that a container has written; a link that leads out of it is none of them."""
    real = folder.resolve()
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.resolve().is_relative_to(real))


def pack(folder: Path) -> bytes:
    """The folder's content as tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, arcname=path.relative_to(folder).as_posix(), recursive=False)
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """The tar.gz into the folder; tarfile.TarError or OSError for anything else."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def nothing_found(session: Session, url: str, role: str) -> str:
    """What SageMaker says of an input without objects."""
    return (
        f'No S3 objects found under S3 URL "{url}" given in input data source. Please ensure that the bucket '
        f"exists in the selected region ({session.region}), that objects exist under that S3 prefix, and that the "
        f'role "{role}" has "s3:ListBucket" permissions on bucket "{split(url)[0]}".'
    )


def put(session: Session, url: str, content: bytes, key_id: str) -> None:
    """One object, encrypted with the key, or as its bucket says where none is named."""
    bucket, key = split(url)
    encryption = {"SSEKMSKeyId": key_id, "ServerSideEncryption": "aws:kms"} if key_id else {}
    session.client("s3").put_object(Bucket=bucket, Key=key, Body=content, **encryption)


def upload(session: Session, url: str, content: bytes, key_id: str) -> None:
    """One object, encrypted with the key, or with the account's own key for S3 where none is named."""
    bucket, key = split(url)
    encryption = {"SSEKMSKeyId": key_id} if key_id else {}
    session.client("s3").put_object(Bucket=bucket, Key=key, Body=content, ServerSideEncryption="aws:kms", **encryption)
