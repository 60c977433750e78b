"""Service Catalog: portfolio, product, versions, constraint, principals, and the bundle's objects in S3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.bundle import pack
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, Request, finding
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.publish import sharing
from scripts.kit.publish.catalog import LAUNCH_ROLE, STUDIO_TAG, bundle_bucket
from scripts.kit.publish.publishing import PROVISIONING_TAG, VERSIONS_PER_PRODUCT
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

NEARLY = 0.9  # of a limit: time to do something


@dataclass(frozen=True)
class Catalog:
    """portfolios, products: those of the right name; objects: size and tags of the bundle's, by key."""

    portfolios: Any = UNREAD
    products: Any = UNREAD
    tags: Mapping[str, str] = field(default_factory=dict)
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


# -- the facts ---------------------------------------------------------------------------------


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
    """With what hangs on the portfolio and the product; shared: with its shares."""
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
    """Whom the portfolio is shared with; None without one."""
    if not portfolio:
        return None
    service, operation = "servicecatalog", "DescribePortfolioShares"
    look = partial(sharing.look, portfolio=portfolio)
    return reader.through(account, service, operation, lambda: look(reader.client(account, service)))


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


# -- the checks --------------------------------------------------------------------------------


@finding(
    "portfolio-missing",
    "stops",
    "The portfolio does not exist",
    "Data scientists see the project template through it.",
)
def portfolio_missing(it: Snapshot) -> Iterator[Place]:
    if known(it.catalog.portfolios) and not it.catalog.portfolios:
        name = it.settings.catalog.portfolio
        yield here(it, f"portfolio {name}", "no portfolio has this name", f"make package\n{it.make_publish}")


@finding(
    "product-missing",
    "stops",
    "The product does not exist",
    "It is the project template.",
)
def product_missing(it: Snapshot) -> Iterator[Place]:
    if known(it.catalog.products) and not it.catalog.products:
        name = it.settings.catalog.product
        yield here(it, f"product {name}", "no product has this name", f"make package\n{it.make_publish}")


@finding(
    "catalog-twice",
    "stops",
    "Two portfolios or two products have the same name",
    "`make publish` cannot tell which one is meant.",
)
def catalog_twice(it: Snapshot) -> Iterator[Place]:
    for kind, found, id in (
        ("portfolio", it.catalog.portfolios, "Id"),
        ("product", it.catalog.products, "ProductId"),
    ):
        if known(found) and len(found) > 1:
            yield here(
                it,
                f"{kind} {getattr(it.settings.catalog, kind)}",
                f"there are {len(found)}: {', '.join(one[id] for one in found)}",
                f"aws servicecatalog update-{kind} --id {found[-1][id]} "
                + ("--display-name" if kind == "portfolio" else "--name")
                + " 'ANOTHER NAME'",
            )


@finding(
    "product-tag",
    "stops",
    "The product has not got the tag that Studio looks for",
    "Studio shows only products tagged sagemaker:studio-visibility = true, in lower case (the post shows True).",
    safe=True,
)
def product_tag(it: Snapshot) -> Iterator[Place]:
    key, value = STUDIO_TAG
    if it.catalog.product and it.catalog.tags.get(key) != value:
        was = it.catalog.tags.get(key)
        tags = [{"Key": key, "Value": value}]
        parameters = {"Id": it.catalog.product, "AddTags": tags}
        request = Request(it.account, it.region, "servicecatalog", "UpdateProduct", parameters)
        what = f"its value is {was!r}" if was else "the tag is missing"
        yield request.mends(f"product {it.settings.catalog.product}", what)


@finding(
    "product-unassociated",
    "stops",
    "The product is not in the portfolio",
    "Nobody sees it.",
    safe=True,
)
def product_unassociated(it: Snapshot) -> Iterator[Place]:
    found = it.catalog.associated
    portfolio = it.catalog.portfolio
    if it.catalog.product and portfolio and known(found) and portfolio not in {one["Id"] for one in found or []}:
        parameters = {"ProductId": it.catalog.product, "PortfolioId": portfolio}
        request = Request(it.account, it.region, "servicecatalog", "AssociateProductWithPortfolio", parameters)
        what = f"it is not in the portfolio {it.settings.catalog.portfolio}"
        yield request.mends(f"product {it.settings.catalog.product}", what)


@finding(
    "product-two-paths",
    "warns",
    "The product is in two portfolios",
    "Whoever sees both must choose a launch path, which Studio does not ask for: creating a project fails.",
)
def product_two_paths(it: Snapshot) -> Iterator[Place]:
    found = it.catalog.associated
    if found and len(found) > 1:
        names = ", ".join(portfolio["DisplayName"] for portfolio in found)
        other = next((p["Id"] for p in found if p["Id"] != it.catalog.portfolio), "")
        yield here(
            it,
            f"product {it.settings.catalog.product}",
            f"it is in {names}",
            "aws servicecatalog disassociate-product-from-portfolio "
            f"--product-id {it.catalog.product} --portfolio-id {other}",
        )


@finding(
    "constraint-missing",
    "stops",
    "The product has no launch constraint",
    "Projects would be made with the data scientist's own permissions, which do not suffice.",
)
def constraint_missing(it: Snapshot) -> Iterator[Place]:
    if it.catalog.product and it.catalog.portfolio and it.catalog.constraint is None:
        yield here(it, f"product {it.settings.catalog.product}", "it has no launch constraint", it.make_publish)


@finding(
    "constraint-role",
    "stops",
    "The launch constraint names another role",
    "The kit is made and tested for AWS's stock launch role.",
)
def constraint_role(it: Snapshot) -> Iterator[Place]:
    found = it.catalog.constraint
    wanted = f"arn:{it.partition}:iam::{it.account}:role/{LAUNCH_ROLE}"
    if found and found["Role"] != wanted:
        yield here(it, f"constraint {found['Id']}", f"it launches as {found['Role']}, not as {wanted}", it.make_publish)


@finding(
    "principal-missing",
    "stops",
    "Somebody who should see the product does not",
    "The project template does not show in this person's Studio.",
    safe=True,
)
def principal_missing(it: Snapshot) -> Iterator[Place]:
    if it.catalog.portfolio and known(it.catalog.principals):
        for principal in it.settings.portfolio_principals:
            if principal not in it.catalog.principals:
                parameters = {
                    "PortfolioId": it.catalog.portfolio,
                    "PrincipalARN": principal,
                    "PrincipalType": "IAM",
                }
                operation = "AssociatePrincipalWithPortfolio"
                request = Request(it.account, it.region, "servicecatalog", operation, parameters)
                what = f"{principal} has no access"
                resource = f"portfolio {it.settings.catalog.portfolio}"
                yield request.mends(resource, what)


@finding(
    "portfolio-share",
    "warns",
    "The portfolio is not shared as the environment file says",
    "The project template does not show in that account's, or those accounts', Studio.",
)
def portfolio_share(it: Snapshot) -> Iterator[Place]:
    shares, described = it.catalog.shares, it.organization.described
    if not isinstance(shares, tuple):
        return
    organization = described["Organization"]["Id"] if described else ""
    wanted = [who for who in it.settings.catalog.share_with if organization or who != sharing.ORGANIZATION]
    for step in sharing.plan(wanted, shares, organization, principals=False):
        resource = f"portfolio {it.settings.catalog.portfolio}"
        if step.writes:
            yield here(it, resource, f"it is not shared with {step.name}", it.make_publish)
        elif step.detail:
            accept = f"aws servicecatalog accept-portfolio-share --portfolio-id {it.catalog.portfolio}"
            yield here(it, resource, step.detail, f"{accept} --portfolio-share-type IMPORTED (in that account)")


def usable(it: Snapshot) -> list[Any]:
    """The versions that a new project can be made from."""
    versions = it.catalog.versions
    return [v for v in versions or [] if v["Active"] and v["Guidance"] == "DEFAULT" and v["Status"] != "FAILED"]


@finding(
    "version-none",
    "stops",
    "The product has no version that can be used",
    "A version is used when it is active, not deprecated, and Service Catalog could read its template.",
)
def version_none(it: Snapshot) -> Iterator[Place]:
    if known(it.catalog.versions) and it.catalog.product and not usable(it):
        states = "; ".join(
            f"{v['Name']}: {'active' if v['Active'] else 'inactive'}, {v['Guidance']}, {v['Status']}".rstrip(", ")
            for v in it.catalog.versions or []
        )
        yield here(it, f"product {it.settings.catalog.product}", states or "it has no version", it.make_publish)


@finding(
    "version-failed",
    "warns",
    "Service Catalog could not take a version",
    "It cannot be launched, and it stands in the way of the next one of the same name.",
)
def version_failed(it: Snapshot) -> Iterator[Place]:
    for version in it.catalog.versions or []:
        if version["Status"] == "FAILED":
            yield here(
                it,
                f"version {version['Name']}",
                "its status is FAILED: the template could not be read or is not valid",
                f"aws servicecatalog delete-provisioning-artifact --product-id {it.catalog.product} "
                f"--provisioning-artifact-id {version['Id']}\nthen {it.make_publish}",
            )


@finding(
    "version-unpublished",
    "note",
    "The bundle in build/ is not published",
    "New projects come from an older version.",
)
def version_unpublished(it: Snapshot) -> Iterator[Place]:
    names = [version["Name"] for version in usable(it)]
    if it.bundle and names and it.bundle.name not in names:
        what = f"build/ holds {it.bundle.name}, the product offers {', '.join(names)}"
        yield here(it, f"version {it.bundle.name}", what, it.make_publish)


@finding(
    "version-choice",
    "note",
    "The product offers more than one version",
    "A project is made from whichever one the data scientist, or Studio, chooses.",
    safe=True,
)
def version_choice(it: Snapshot) -> Iterator[Place]:
    newest = max(usable(it), key=lambda version: version["CreatedTime"], default=None)
    for version in usable(it):
        if newest and version["Id"] != newest["Id"]:
            parameters = {
                "ProductId": it.catalog.product,
                "ProvisioningArtifactId": version["Id"],
                "Guidance": "DEPRECATED",
            }
            request = Request(it.account, it.region, "servicecatalog", "UpdateProvisioningArtifact", parameters)
            what = f"it is offered beside the newer {newest['Name']}"
            yield request.mends(f"version {version['Name']}", what)


@finding(
    "versions-many",
    "warns",
    "The product has nearly as many versions as Service Catalog takes",
    f"At {VERSIONS_PER_PRODUCT} no further version can be published.",
)
def versions_many(it: Snapshot) -> Iterator[Place]:
    count = len(it.catalog.versions or [])
    if count >= NEARLY * VERSIONS_PER_PRODUCT:
        oldest = min(it.catalog.versions, key=lambda version: version["CreatedTime"])
        yield here(
            it,
            f"product {it.settings.catalog.product}",
            f"it has {count} versions",
            f"delete those that no project was made from: aws servicecatalog delete-provisioning-artifact "
            f"--product-id {it.catalog.product} --provisioning-artifact-id {oldest['Id']}",
        )


@finding(
    "seed-missing",
    "stops",
    "A file of the published bundle is missing in the bundle bucket",
    "New projects are made from it.",
)
def seed_missing(it: Snapshot) -> Iterator[Place]:
    for key in published_keys(it):
        if key not in it.catalog.objects:
            yield here(
                it,
                f"s3://{bundle_bucket(it.account, it.region)}/{key}",
                "there is no such object",
                it.make_publish,
            )


def published_keys(it: Snapshot) -> list[str]:
    """The keys of this bundle's files, where it is published and its bucket could be read."""
    if not it.bundle or not isinstance(it.catalog.objects, dict):
        return []
    names = {version["Name"] for version in it.catalog.versions or []} | set(it.hosted.versions)
    return [it.bundle.key(name) for name in it.bundle.files] if it.bundle.name in names else []


@finding(
    "seed-changed",
    "stops",
    "A file of the published bundle is not what was published",
    "New projects would be made from something that nobody reviewed.",
)
def seed_changed(it: Snapshot) -> Iterator[Place]:
    for key in published_keys(it):
        size, _ = it.catalog.objects.get(key, (None, {}))
        wanted = len(it.bundle.files[key.split("/", 2)[2]]) if it.bundle else 0
        if size is not None and size != wanted:
            bucket = bundle_bucket(it.account, it.region)
            yield here(
                it,
                f"s3://{bucket}/{key}",
                f"it has {size:,} bytes instead of {wanted:,}",
                f"aws s3api list-object-versions --bucket {bucket} --prefix {key} shows who wrote it; "
                f"delete it (aws s3api delete-object --bucket {bucket} --key {key}), then {it.make_publish}",
            )


@finding(
    "seed-tag",
    "warns",
    "A file of the published bundle has lost its tag",
    "servicecatalog:provisioning = true is what lets a launch role read seed code wherever it lies.",
    safe=True,
)
def seed_tag(it: Snapshot) -> Iterator[Place]:
    key_of_tag, value = PROVISIONING_TAG
    bucket = bundle_bucket(it.account, it.region)
    for key in published_keys(it):
        size, tags = it.catalog.objects.get(key, (None, None))
        if size is not None and known(tags) and (tags or {}).get(key_of_tag) != value:
            merged = {**(tags or {}), key_of_tag: value}
            tagging = {"TagSet": [{"Key": name, "Value": text} for name, text in merged.items()]}
            parameters = {"Bucket": bucket, "Key": key, "Tagging": tagging}
            request = Request(it.account, it.region, "s3", "PutObjectTagging", parameters)
            what = f"{key_of_tag} is {(tags or {}).get(key_of_tag, 'missing')}"
            yield request.mends(f"s3://{bucket}/{key}", what)
