"""The buckets and the models' key, as S3 and KMS show them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.names import bundle_bucket, model_bucket
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

ALIAS = "alias/sagemaker-multi-account-models"  # of the models' key, in every Region


@dataclass(frozen=True)
class Bucket:
    """policy: its text, None without one; public: its public access block; the rest as S3 shows it."""

    name: str
    policy: Any = UNREAD
    public: Any = UNREAD
    versioning: Any = UNREAD
    encryption: Any = UNREAD


@dataclass(frozen=True)
class Key:
    """described: as DescribeKey shows it; None where no key has the alias."""

    described: Any = UNREAD
    policy: Any = UNREAD
    rotation: Any = UNREAD


@dataclass(frozen=True)
class Storage:
    """Of the data science account's own Region. Each bucket is None where it does not exist."""

    bundle: Any = UNREAD
    models: Any = UNREAD
    default: Any = UNREAD
    model_key: Key = Key()

    @property
    def key(self) -> Any:
        return self.model_key.described


def default_bucket(account: str, region: str) -> str:
    """The post's bucket: the one that the SageMaker SDK creates automatically."""
    return f"sagemaker-{region}-{account}"


def gather(reader: Reader, settings: Settings) -> Storage:
    account, region = settings.accounts.data_science, reader.region
    buckets = [bundle_bucket(account, region), model_bucket(account, region), default_bucket(account, region)]
    found: list[Any] = together(
        [
            *(partial(read_bucket, reader, account, name) for name in buckets),
            partial(read_key, reader, account, region),
        ]
    )
    return Storage(*found)


def read_key(reader: Reader, account: str, region: str) -> Key:
    """The models' key of a Region."""
    ask = partial(reader.ask, account, "kms", region=region)
    found = ask("DescribeKey", KeyId=ALIAS)
    if not found:
        return Key(found)
    id = found["KeyMetadata"]["KeyId"]
    policy = ask("GetKeyPolicy", KeyId=id, PolicyName="default")
    alive = found["KeyMetadata"]["KeyState"] == "Enabled"  # KMS answers only then
    rotation: Any = ask("GetKeyRotationStatus", KeyId=id) if alive else UNREAD
    return Key(
        found["KeyMetadata"],
        policy["Policy"] if policy else policy,
        rotation["KeyRotationEnabled"] if rotation else rotation,
    )


def read_bucket(reader: Reader, account: str, name: str, region: str = "") -> Any:
    ask = partial(reader.ask, account, "s3", region=region, Bucket=name)
    versioning = ask("GetBucketVersioning")
    if not known(versioning) or versioning is None:
        return versioning
    policy = ask("GetBucketPolicy")
    public = ask("GetPublicAccessBlock")
    encryption = ask("GetBucketEncryption")
    return Bucket(
        name,
        policy["Policy"] if policy else policy,
        public["PublicAccessBlockConfiguration"] if public else public,
        versioning.get("Status", ""),
        encryption["ServerSideEncryptionConfiguration"]["Rules"] if encryption else encryption,
    )
