"""Service Catalog: portfolio, product, versions, constraint, principals, launch role; the bundle's objects in S3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.doctor.facts.roles import read_role
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.names import LAUNCH_ROLE, bundle_bucket
from scripts.kit.publish import sharing
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

LAUNCH_ROLE_NAME = LAUNCH_ROLE.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Catalog:
    """portfolios, products: those of the right name; objects: size and tags of the bundle's, by key."""

    portfolios: Any = UNREAD
    products: Any = UNREAD
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)  # the product's TagOptions
    versions: Any = UNREAD
    status: Mapping[str, str] = field(default_factory=dict)
    associated: Any = UNREAD
    constraint: Any = UNREAD
    principals: Any = UNREAD
    shares: Any = UNREAD
    objects: Any = UNREAD

    @property
    def portfolio(self) -> str:
        return str(self.portfolios[0]["Id"]) if self.portfolios else ""

    @property
    def product(self) -> str:
        return str(self.products[0]["ProductId"]) if self.products else ""

    @property
    def usable(self) -> list[Any]:
        """The versions that a new project can be created from."""
        versions = self.versions or []
        return [v for v in versions if v["Active"] and v["Guidance"] == "DEFAULT" and v["Status"] != "FAILED"]


def read_launch_role(reader: Reader, settings: Settings) -> Any:
    """AWS's launch role; UNREAD where only templates in S3 are published, which have one of the kit."""
    if settings.publishing.to == "s3":
        return UNREAD
    return read_role(reader, settings.accounts.data_science, LAUNCH_ROLE_NAME, policies=True)


def gather(reader: Reader, settings: Settings, bundle: pack.Bundle | None) -> Catalog:
    account, names = settings.accounts.data_science, settings.catalog
    if settings.publishing.to == "s3":
        return Catalog(objects=read_objects(reader, account, bundle))
    portfolios, views, objects = together(
        [
            partial(reader.pages, account, "servicecatalog", "ListPortfolios", "PortfolioDetails"),
            partial(reader.pages, account, "servicecatalog", "SearchProductsAsAdmin", "ProductViewDetails"),
            partial(read_objects, reader, account, bundle),
        ]
    )
    if not known(portfolios) or not known(views):
        return Catalog(objects=objects)
    products = [v["ProductViewSummary"] for v in views if v["ProductViewSummary"]["Name"] == names.product]
    found = Catalog([p for p in portfolios if p["DisplayName"] == names.portfolio], products, objects=objects)
    return closer(reader, account, found, shared=bool(settings.catalog.share_with))


def closer(reader: Reader, account: str, found: Catalog, shared: bool) -> Catalog:
    """With what belongs to the portfolio and the product; shared: with its shares."""
    ask, pages = partial(reader.ask, account, "servicecatalog"), partial(reader.pages, account, "servicecatalog")
    described, versions, associated, principals, shares, constraint = together(
        [
            lambda: ask("DescribeProductAsAdmin", Id=found.product) if found.product else None,
            lambda: read_versions(ask, found.product),
            lambda: (
                pages("ListPortfoliosForProduct", "PortfolioDetails", ProductId=found.product)
                if found.product
                else None
            ),
            lambda: (
                pages("ListPrincipalsForPortfolio", "Principals", PortfolioId=found.portfolio)
                if found.portfolio
                else None
            ),
            lambda: read_shares(reader, account, found.portfolio) if shared else None,
            lambda: read_constraint(ask, pages, found),
        ]
    )
    return Catalog(
        portfolios=found.portfolios,
        products=found.products,
        tags={tag["Key"]: tag["Value"] for tag in described.get("Tags", [])} if described else {},
        options={tag["Key"]: tag["Value"] for tag in described.get("TagOptions", [])} if described else {},
        versions=versions,
        associated=associated,
        principals=[item["PrincipalARN"] for item in principals] if isinstance(principals, list) else principals,
        shares=shares,
        constraint=constraint,
        objects=found.objects,
    )


def read_versions(ask: Any, product: str) -> Any:
    """Each version as ListProvisioningArtifacts shows it; with its Status where it can be chosen."""
    if not product:
        return None
    listed = ask("ListProvisioningArtifacts", ProductId=product)
    if not listed:
        return listed
    versions = []
    for item in listed["ProvisioningArtifactDetails"]:
        status = ""
        if item.get("Active", True) and item.get("Guidance", "DEFAULT") == "DEFAULT":
            answer = ask("DescribeProvisioningArtifact", ProductId=product, ProvisioningArtifactId=item["Id"])
            status = answer["Status"] if answer else ""
        versions.append({"Active": True, "Guidance": "DEFAULT", **item, "Status": status})
    return versions


def read_shares(reader: Reader, account: str, portfolio: str) -> Any:
    """The shares of the portfolio; None without one."""
    if not portfolio:
        return None

    def look() -> Any:
        return sharing.look(reader.client(account, "servicecatalog"), portfolio)

    return reader.through(account, "servicecatalog", "DescribePortfolioShares", look)


def read_constraint(ask: Any, pages: Any, found: Catalog) -> Any:
    """The launch constraint's id and role; None without one."""
    if not found.portfolio or not found.product:
        return None
    listed = pages(
        "ListConstraintsForPortfolio", "ConstraintDetails", PortfolioId=found.portfolio, ProductId=found.product
    )
    for item in listed or []:
        if item["Type"] == "LAUNCH":
            answer = ask("DescribeConstraint", Id=item["ConstraintId"])
            parameters = json.loads(answer["ConstraintParameters"]) if answer else {}
            return {"Id": item["ConstraintId"], "Role": parameters.get("RoleArn") or parameters.get("LocalRoleName")}
    return listed if not known(listed) else None


def read_objects(reader: Reader, account: str, bundle: pack.Bundle | None) -> Any:
    """Size and tags of this bundle's objects that are in the bucket."""
    if bundle is None:
        return UNREAD
    bucket = bundle_bucket(account, reader.region)
    prefix = pack.object_key(bundle.digest, "")
    listed = reader.pages(account, "s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=prefix)
    if listed is None or not known(listed):
        return listed

    def tags_of(key: str) -> Any:
        answer = reader.ask(account, "s3", "GetObjectTagging", Bucket=bucket, Key=key)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]} if answer else answer

    tags = together([partial(tags_of, item["Key"]) for item in listed])
    return {item["Key"]: (item["Size"], found) for item, found in zip(listed, tags, strict=True)}
