"""What is published: the product's versions in Service Catalog, and the bundle's files in S3."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.findings import Place, Request, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import bundle_bucket
from scripts.kit.publish.publishing import PROVISIONING_TAG, VERSIONS_PER_PRODUCT

NEARLY = 0.9  # of a limit: time to do something


@check(
    "version-none",
    "error",
    "The product has no version that can be used",
    "A version is used when it is active, not deprecated, and Service Catalog could read its template.",
)
def version_none(facts: Snapshot) -> Iterator[Place]:
    if known(facts.catalog.versions) and facts.catalog.product and not facts.catalog.usable:
        states = "; ".join(
            f"{v['Name']}: {'active' if v['Active'] else 'inactive'}, {v['Guidance']}, {v['Status']}".rstrip(", ")
            for v in facts.catalog.versions or []
        )
        yield here(
            facts, f"product {facts.settings.catalog.product}", states or "it has no version", facts.make_publish
        )


@check(
    "version-failed",
    "warning",
    "Service Catalog could not read a version",
    "It cannot be launched, and no other version can be published under its name.",
)
def version_failed(facts: Snapshot) -> Iterator[Place]:
    for version in facts.catalog.versions or []:
        if version["Status"] == "FAILED":
            yield here(
                facts,
                f"version {version['Name']}",
                "its status is FAILED: the template could not be read or is not valid",
                f"aws servicecatalog delete-provisioning-artifact --product-id {facts.catalog.product} "
                f"--provisioning-artifact-id {version['Id']}\nthen {facts.make_publish}",
            )


@check(
    "version-unpublished",
    "note",
    "The bundle in build/ is not published",
    "New projects are created from an older version.",
)
def version_unpublished(facts: Snapshot) -> Iterator[Place]:
    names = [version["Name"] for version in facts.catalog.usable]
    if facts.bundle and names and facts.bundle.name not in names:
        what = f"build/ holds {facts.bundle.name}, the product offers {', '.join(names)}"
        yield here(facts, f"version {facts.bundle.name}", what, facts.make_publish)


@check(
    "version-choice",
    "note",
    "The product offers more than one version",
    "A project is created from the one that the data scientist, or Studio, chooses.",
    safe=True,
)
def version_choice(facts: Snapshot) -> Iterator[Place]:
    newest = max(facts.catalog.usable, key=lambda version: version["CreatedTime"], default=None)
    for version in facts.catalog.usable:
        if newest and version["Id"] != newest["Id"]:
            parameters = {
                "ProductId": facts.catalog.product,
                "ProvisioningArtifactId": version["Id"],
                "Guidance": "DEPRECATED",
            }
            request = Request(facts.account, facts.region, "servicecatalog", "UpdateProvisioningArtifact", parameters)
            what = f"it is offered beside the newer {newest['Name']}"
            yield request.fixes(f"version {version['Name']}", what)


@check(
    "versions-many",
    "warning",
    "The product has nearly as many versions as Service Catalog allows",
    f"At {VERSIONS_PER_PRODUCT} no further version can be published.",
)
def versions_many(facts: Snapshot) -> Iterator[Place]:
    count = len(facts.catalog.versions or [])
    if count >= NEARLY * VERSIONS_PER_PRODUCT:
        oldest = min(facts.catalog.versions, key=lambda version: version["CreatedTime"])
        yield here(
            facts,
            f"product {facts.settings.catalog.product}",
            f"it has {count} versions",
            f"delete those that no project was created from: aws servicecatalog delete-provisioning-artifact "
            f"--product-id {facts.catalog.product} --provisioning-artifact-id {oldest['Id']}",
        )


@check(
    "seed-missing",
    "error",
    "A file of the published bundle is missing in the bundle bucket",
    "New projects are created from it.",
)
def seed_missing(facts: Snapshot) -> Iterator[Place]:
    for key in published_keys(facts):
        if key not in facts.catalog.objects:
            yield here(
                facts,
                f"s3://{bundle_bucket(facts.account, facts.region)}/{key}",
                "there is no such object",
                facts.make_publish,
            )


def published_keys(facts: Snapshot) -> list[str]:
    """The keys of this bundle's files, where it is published and its bucket could be read."""
    if not facts.bundle or not isinstance(facts.catalog.objects, dict):
        return []
    names = {version["Name"] for version in facts.catalog.versions or []} | set(facts.hosted.versions)
    return [facts.bundle.key(name) for name in facts.bundle.files] if facts.bundle.name in names else []


@check(
    "seed-changed",
    "error",
    "A file of the published bundle has other content than was published",
    "New projects would be created from something that was not reviewed.",
)
def seed_changed(facts: Snapshot) -> Iterator[Place]:
    for key in published_keys(facts):
        size, _ = facts.catalog.objects.get(key, (None, {}))
        wanted = len(facts.bundle.files[key.split("/", 2)[2]]) if facts.bundle else 0
        if size is not None and size != wanted:
            bucket = bundle_bucket(facts.account, facts.region)
            yield here(
                facts,
                f"s3://{bucket}/{key}",
                f"it has {size:,} bytes instead of {wanted:,}",
                f"aws s3api list-object-versions --bucket {bucket} --prefix {key} shows who wrote it; "
                f"delete it (aws s3api delete-object --bucket {bucket} --key {key}), then {facts.make_publish}",
            )


@check(
    "seed-tag",
    "warning",
    "A file of the published bundle has lost its tag",
    "servicecatalog:provisioning = true is what allows a launch role to read seed code in any bucket.",
    safe=True,
)
def seed_tag(facts: Snapshot) -> Iterator[Place]:
    key_of_tag, value = PROVISIONING_TAG
    bucket = bundle_bucket(facts.account, facts.region)
    for key in published_keys(facts):
        size, tags = facts.catalog.objects.get(key, (None, None))
        if size is not None and known(tags) and (tags or {}).get(key_of_tag) != value:
            merged = {**(tags or {}), key_of_tag: value}
            tagging = {"TagSet": [{"Key": name, "Value": text} for name, text in merged.items()]}
            parameters = {"Bucket": bucket, "Key": key, "Tagging": tagging}
            request = Request(facts.account, facts.region, "s3", "PutObjectTagging", parameters)
            what = f"{key_of_tag} is {(tags or {}).get(key_of_tag, 'missing')}"
            yield request.fixes(f"s3://{bucket}/{key}", what)
