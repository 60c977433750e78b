"""What publishing wants in Service Catalog and in the bundle's bucket, and what is there already.

Everything is found by name before anything is made, so that a run that was interrupted is taken up where
it stopped: an idempotency token would not do that, because every run has a new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection, pages
from scripts.kit.console import UserError
from scripts.kit.names import LAUNCH_ROLE, bundle_bucket
from scripts.kit.publish import sharing, tag_options
from scripts.kit.publish.tag_options import FoundOptions
from scripts.kit.regions import url_suffix
from scripts.kit.roles import role_exists
from scripts.kit.settings.model import Settings

if TYPE_CHECKING:
    from mypy_boto3_servicecatalog import ServiceCatalogClient

STUDIO_TAG = (
    "sagemaker:studio-visibility",
    "true",
)  # lowercase: SageMaker Developer Guide, "Create Custom Project Templates"


DESCRIPTION = "Deploys an approved model to every account of a staging and a production unit."
WITHOUT_STAGING = "Deploys an approved model to every account of a production unit, without a test before it."


@dataclass(frozen=True)
class WantedProduct:
    """What publishing brings about; objects: content by key; tags: of the organization."""

    account: str
    region: str
    bucket: str
    objects: Mapping[str, bytes]
    portfolio: str
    product: str
    owner: str
    version: str
    template_url: str
    launch_role: str
    principals: tuple[str, ...]
    shares: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = DESCRIPTION


@dataclass(frozen=True)
class CatalogVersion:
    """A provisioning artifact of the product.

    status: asked for only where it matters; unguarded: pipelines of it run the code of the deploy repositories
    """

    id: str
    name: str
    active: bool
    guidance: str
    status: str = ""
    unguarded: bool = False


@dataclass(frozen=True)
class FoundProduct:
    """What there is already. objects: size and tags by key; versions: newest last."""

    objects: Mapping[str, tuple[int, Mapping[str, str]]] = field(default_factory=dict)
    portfolio: Mapping[str, Any] = field(default_factory=dict)
    product: Mapping[str, Any] = field(default_factory=dict)
    product_tags: Mapping[str, str] = field(default_factory=dict)
    portfolio_tags: Mapping[str, str] = field(default_factory=dict)
    options: FoundOptions = field(default_factory=FoundOptions)
    versions: tuple[CatalogVersion, ...] = ()
    associated: bool = False
    constraint: str = ""
    constraint_role: str = ""
    principals: tuple[str, ...] = ()
    shares: tuple[sharing.PortfolioShare, ...] = ()
    organization: str = ""  # its id, asked for only where the portfolio is shared with it


def wanted(settings: Settings, bundle: pack.Bundle, account: str, region: str, partition: str) -> WantedProduct:
    bucket = bundle_bucket(account, region)
    files = {**bundle.files, pack.MANIFEST: pack.manifest(bundle)}
    return WantedProduct(
        account=account,
        region=region,
        bucket=bucket,
        objects={bundle.key(name): content for name, content in files.items()},
        portfolio=settings.catalog.portfolio,
        product=settings.catalog.product,
        owner=settings.catalog.owner,
        version=bundle.name,
        template_url=f"https://{bucket}.s3.{region}.{url_suffix(region)}/{bundle.key(pack.PRODUCT)}",
        launch_role=f"arn:{partition}:iam::{account}:role/{LAUNCH_ROLE}",
        principals=settings.portfolio_principals,
        shares=settings.catalog.share_with,
        tags=settings.tags,
        description=WITHOUT_STAGING if settings.remark else DESCRIPTION,
    )


# -- what there is -----------------------------------------------------------------------------


def look(connection: Connection, want: WantedProduct, catalog: bool = True) -> FoundProduct:
    """What there is already; UserError where something that publishing rests on is not there.

    catalog: False for the objects alone
    """
    objects = look_at_bucket(connection, want)
    if catalog:
        return look_at_catalog(connection, want, objects)
    return FoundProduct(objects=objects)


def look_at_catalog(
    connection: Connection, want: WantedProduct, objects: Mapping[str, tuple[int, Mapping[str, str]]]
) -> FoundProduct:
    check_launch_role(connection, want)
    catalog = connection.client("servicecatalog")
    portfolio = one(
        [p for p in pages(catalog, "list_portfolios", "PortfolioDetails") if p["DisplayName"] == want.portfolio],
        f"portfolios are named {want.portfolio!r}. Rename all but one, or choose another name (catalog.portfolio)",
    )
    views = [v["ProductViewSummary"] for v in pages(catalog, "search_products_as_admin", "ProductViewDetails")]
    product = one(
        [view for view in views if view["Name"] == want.product],
        f"products are named {want.product!r}. Rename all but one, or choose another name (catalog.product)",
    )
    found = look_closer(catalog, want, FoundProduct(objects=objects, portfolio=portfolio, product=product))
    found = replace(found, versions=find_unguarded(connection, want, found.versions))
    if not want.shares:
        return found
    shares = sharing.look(catalog, portfolio["Id"]) if portfolio else ()
    organization = sharing.organization_id(connection) if sharing.ORGANIZATION in want.shares else ""
    return replace(found, shares=shares, organization=organization)


def look_at_bucket(connection: Connection, want: WantedProduct) -> dict[str, tuple[int, Mapping[str, str]]]:
    """The bundle's objects that are in the bucket already; UserError where the bucket is not there."""
    check_bucket(connection, want)
    return look_at_objects(connection, want)


def one(items: list[dict[str, Any]], several: str) -> dict[str, Any]:
    """The only item, or {} for none; UserError for several."""
    if len(items) > 1:
        raise UserError(f"{len(items)} {several}")
    return items[0] if items else {}


def look_closer(catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct) -> FoundProduct:
    """With what hangs on the portfolio and the product."""
    tags: dict[str, str] = {}
    portfolio_tags: dict[str, str] = {}
    options = FoundOptions()
    versions: tuple[CatalogVersion, ...] = ()
    portfolio, product = found.portfolio.get("Id", ""), found.product.get("ProductId", "")
    if product:
        described = catalog.describe_product_as_admin(Id=product)
        tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
        versions = look_at_versions(catalog, product, want.version)
    if want.tags:
        options = tag_options.look(catalog, described.get("TagOptions", []) if product else [], want.tags)
        shown = catalog.describe_portfolio(Id=portfolio).get("Tags", []) if portfolio else []
        portfolio_tags = {tag["Key"]: tag["Value"] for tag in shown}
    associated, constraint, role = False, "", ""
    principals: tuple[str, ...] = ()
    if portfolio:
        listed = pages(catalog, "list_principals_for_portfolio", "Principals", PortfolioId=portfolio)
        principals = tuple(item["PrincipalARN"] for item in listed)
    if portfolio and product:
        listed = pages(catalog, "list_portfolios_for_product", "PortfolioDetails", ProductId=product)
        associated = portfolio in {item["Id"] for item in listed}
        constraint, role = look_at_constraint(catalog, portfolio, product)
    return replace(
        found,
        product_tags=tags,
        portfolio_tags=portfolio_tags,
        options=options,
        versions=versions,
        associated=associated,
        constraint=constraint,
        constraint_role=role,
        principals=principals,
    )


def look_at_versions(catalog: ServiceCatalogClient, product: str, current: str) -> tuple[CatalogVersion, ...]:
    """Every version, with its status where it has the name that is being published."""
    versions = []
    for item in catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]:
        status = ""
        if item["Name"] == current:
            asked = catalog.describe_provisioning_artifact(ProductId=product, ProvisioningArtifactId=item["Id"])
            status = asked["Status"]
        active, guidance = item.get("Active", True), item.get("Guidance", "DEFAULT")
        versions.append(CatalogVersion(item["Id"], item["Name"], active, guidance, status))
    return tuple(versions)


def find_unguarded(
    connection: Connection, want: WantedProduct, versions: tuple[CatalogVersion, ...]
) -> tuple[CatalogVersion, ...]:
    """The versions, with which of them hold no code of the pipeline: before 0.3 it was in the repositories."""
    if all(version.name == want.version for version in versions):
        return versions
    s3, files = connection.client("s3"), dict[str, set[str]]()
    listed = pages(
        s3, "list_objects_v2", "Contents", Bucket=want.bucket, Prefix="bundle/", ExpectedBucketOwner=want.account
    )
    for item in listed:
        digest, _, file = item["Key"].removeprefix("bundle/").partition("/")
        files.setdefault(digest[:8], set()).add(file)

    def unguarded(version: CatalogVersion) -> bool:
        held = files.get(version.name.rsplit("-", 1)[-1], set())
        return pack.MANIFEST in held and pack.PIPELINE_CODE not in held

    return tuple(replace(version, unguarded=unguarded(version)) for version in versions)


def look_at_constraint(catalog: ServiceCatalogClient, portfolio: str, product: str) -> tuple[str, str]:
    """Id and role of the launch constraint; empty when there is none."""
    listed = pages(
        catalog, "list_constraints_for_portfolio", "ConstraintDetails", PortfolioId=portfolio, ProductId=product
    )
    for item in listed:
        if item["Type"] == "LAUNCH":
            parameters = json.loads(catalog.describe_constraint(Id=item["ConstraintId"])["ConstraintParameters"])
            return item["ConstraintId"], parameters.get("RoleArn") or parameters.get("LocalRoleName", "")
    return "", ""


def check_bucket(connection: Connection, want: WantedProduct) -> None:
    """The bundle bucket must exist and be ours: a name can be taken by anybody."""
    try:
        connection.client("s3").head_bucket(Bucket=want.bucket, ExpectedBucketOwner=want.account)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            raise UserError(
                f"the bucket {want.bucket} does not exist in account {want.account}. Run `make accounts` first"
            ) from error
        if status == 403:
            raise UserError(
                f"the bucket {want.bucket} does not belong to account {want.account}, or these credentials may not "
                "read it. Nothing was uploaded. If another account has taken the name, contact AWS Support"
            ) from error
        raise


def check_launch_role(connection: Connection, want: WantedProduct) -> None:
    if not role_exists(connection, want.launch_role):
        raise UserError(
            f"the launch role {want.launch_role} does not exist. Run `make accounts`, which creates it as SageMaker's "
            "console does"
        )


def look_at_objects(connection: Connection, want: WantedProduct) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Size and tags of the bundle's objects that are in the bucket already."""
    s3, owner = connection.client("s3"), want.account
    prefix = next(iter(want.objects)).split("/")[1]
    found: dict[str, tuple[int, Mapping[str, str]]] = {}
    listed = pages(
        s3, "list_objects_v2", "Contents", Bucket=want.bucket, Prefix=f"bundle/{prefix}/", ExpectedBucketOwner=owner
    )
    for item in listed:
        answer = s3.get_object_tagging(Bucket=want.bucket, Key=item["Key"], ExpectedBucketOwner=owner)
        found[item["Key"]] = (item["Size"], {tag["Key"]: tag["Value"] for tag in answer["TagSet"]})
    return found
