"""The published versions, the projects made from them, and what a version holds: read from AWS.

A version is named as its bundle (0.2.0-1a2b3c4d). Service Catalog lists it as a provisioning artifact, S3 as a
template beneath project-templates/; its files are in the bundle bucket beneath bundle/DIGEST/, for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection, pages
from scripts.kit.console import UserError, closest
from scripts.kit.names import bundle_bucket
from scripts.kit.publish import hosting
from scripts.kit.publish.catalog import STUDIO_TAG
from scripts.kit.settings.model import Settings

CATALOG, S3 = "service-catalog", "s3"  # the publishers
CURRENT, OLD, INACTIVE = "current", "deprecated", "inactive"


@dataclass(frozen=True)
class BundleVersion:
    """One version. published: when, in UTC; guidance: CURRENT, OLD or INACTIVE, by publisher; digest: "" if unknown.

    artifact: its id in Service Catalog, "" where it was not published there
    """

    name: str
    published: str
    guidance: Mapping[str, str]
    digest: str
    artifact: str = ""


def installed_versions(connection: Connection, settings: Settings) -> list[BundleVersion]:
    """Every published version, the newest first."""
    digests = known_digests(connection)
    found: dict[str, BundleVersion] = {}
    for name, published, guidance, artifact in [
        *in_catalog(connection, settings.catalog.product),
        *((n, p, g, "") for n, p, g in in_s3(connection)),
    ]:
        publisher = CATALOG if artifact else S3
        before = found.get(name)
        found[name] = BundleVersion(
            name=name,
            published=max(published, before.published) if before else published,
            guidance={**(before.guidance if before else {}), publisher: guidance},
            digest=digests.get(name.rsplit("-", 1)[-1], ""),
            artifact=artifact or (before.artifact if before else ""),
        )
    return sorted(found.values(), key=lambda version: version.published, reverse=True)


def product_id(connection: Connection, product: str) -> str:
    """The id of the product of this name; "" where there is none."""
    catalog = connection.client("servicecatalog")
    views = [v["ProductViewSummary"] for v in pages(catalog, "search_products_as_admin", "ProductViewDetails")]
    return next((str(view["ProductId"]) for view in views if view["Name"] == product), "")


def in_catalog(connection: Connection, product: str) -> list[tuple[str, str, str, str]]:
    """Name, time, guidance and id of the product's versions."""
    id = product_id(connection, product)
    if not id:
        return []
    listed = connection.client("servicecatalog").list_provisioning_artifacts(ProductId=id)
    return [
        (item["Name"], moment(item["CreatedTime"]), guidance_of(item), item["Id"])
        for item in listed["ProvisioningArtifactDetails"]
    ]


def guidance_of(artifact: Mapping[str, Any]) -> str:
    if not artifact.get("Active", True):
        return INACTIVE
    return CURRENT if artifact.get("Guidance", "DEFAULT") == "DEFAULT" else OLD


def in_s3(connection: Connection) -> list[tuple[str, str, str]]:
    """Name, time and guidance of the templates in the bundle bucket."""
    s3, bucket = connection.client("s3"), bundle_bucket(connection.account, connection.region)
    try:
        tags = hosting.templates(connection, bucket)
        listed = list(pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=hosting.PREFIX))
    except ClientError as error:
        raise no_bucket(error, bucket) from error
    return [
        (
            hosting.version_of(item["Key"]),
            moment(item["LastModified"]),
            CURRENT if tags[item["Key"]].get(STUDIO_TAG[0]) == STUDIO_TAG[1] else OLD,
        )
        for item in listed
        if item["Key"] in tags
    ]


def known_digests(connection: Connection) -> dict[str, str]:
    """The digests in the bundle bucket, by their first eight digits, which are a version's name's last."""
    s3, bucket = connection.client("s3"), bundle_bucket(connection.account, connection.region)
    try:
        listed = list(pages(s3, "list_objects_v2", "CommonPrefixes", Bucket=bucket, Prefix="bundle/", Delimiter="/"))
    except ClientError as error:
        raise no_bucket(error, bucket) from error
    digests = [item["Prefix"].split("/")[1] for item in listed]
    return {digest[:8]: digest for digest in digests}


def no_bucket(error: ClientError, bucket: str) -> UserError | ClientError:
    if error.response["Error"]["Code"] == "NoSuchBucket":
        return UserError(f"the bucket {bucket} does not exist. Run `make accounts` and `make publish` first")
    return error


def moment(time: Any) -> str:
    """A time as people read it, in UTC: 2026-11-26 09:00."""
    return str(time.strftime("%Y-%m-%d %H:%M:%S"))


# -- what a version holds ----------------------------------------------------------------------


def choose(versions: list[BundleVersion], name: str) -> BundleVersion:
    """The version of this name (or the end of it: 1a2b3c4d); UserError with those that there are."""
    matching = [version for version in versions if name in (version.name, version.name.rsplit("-", 1)[-1])]
    if not matching:
        names = [version.name for version in versions]
        known = f". There are: {', '.join(names)}" if names else ". Nothing is published"
        raise UserError(f"there is no published version {name}{closest(name, names) or known}")
    return matching[0]


def newest(versions: list[BundleVersion], publisher: str = "") -> BundleVersion:
    """The version that new projects are made from."""
    for version in versions:
        if any(state == CURRENT for where, state in version.guidance.items() if publisher in ("", where)):
            return version
    raise UserError(
        "there is no current version"
        + (f" in {publisher}" if publisher else "")
        + ". Run `make package` and `make publish`"
    )


def content(connection: Connection, digest: str, name: str, only: Iterable[str] = ()) -> pack.Bundle:
    """The files of a published version. only: some of them, where the others are of no interest."""
    s3, bucket = connection.client("s3"), bundle_bucket(connection.account, connection.region)

    def read(file: str) -> bytes:
        key = pack.object_key(digest, file)
        try:
            answer = s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=connection.account)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise UserError(
                f"version {name} cannot be compared: s3://{bucket}/{key} is gone. `make versions` shows the others"
            ) from error
        return bytes(answer["Body"].read())

    if not digest:
        raise UserError(f"version {name} cannot be compared: its files are not in s3://{bucket}/bundle/")
    return pack.from_manifest(read(pack.MANIFEST), read, only)
