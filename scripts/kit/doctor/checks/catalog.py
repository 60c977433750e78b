"""Service Catalog: portfolio, product, launch constraint, principals and shares."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.findings import Place, Request, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import LAUNCH_ROLE
from scripts.kit.publish import sharing
from scripts.kit.publish.catalog import STUDIO_TAG


@check(
    "portfolio-missing",
    "error",
    "The portfolio does not exist",
    "Data scientists see the project template through it.",
)
def portfolio_missing(facts: Snapshot) -> Iterator[Place]:
    if known(facts.catalog.portfolios) and not facts.catalog.portfolios:
        name = facts.settings.catalog.portfolio
        yield here(facts, f"portfolio {name}", "no portfolio has this name", f"make package\n{facts.make_publish}")


@check(
    "product-missing",
    "error",
    "The product does not exist",
    "It is the project template.",
)
def product_missing(facts: Snapshot) -> Iterator[Place]:
    if known(facts.catalog.products) and not facts.catalog.products:
        name = facts.settings.catalog.product
        yield here(facts, f"product {name}", "no product has this name", f"make package\n{facts.make_publish}")


@check(
    "catalog-twice",
    "error",
    "Two portfolios or two products have the same name",
    "`make publish` cannot tell which one to update.",
)
def catalog_twice(facts: Snapshot) -> Iterator[Place]:
    for kind, found, id in (
        ("portfolio", facts.catalog.portfolios, "Id"),
        ("product", facts.catalog.products, "ProductId"),
    ):
        if known(found) and len(found) > 1:
            yield here(
                facts,
                f"{kind} {getattr(facts.settings.catalog, kind)}",
                f"there are {len(found)}: {', '.join(one[id] for one in found)}",
                f"aws servicecatalog update-{kind} --id {found[-1][id]} "
                + ("--display-name" if kind == "portfolio" else "--name")
                + " 'ANOTHER NAME'",
            )


@check(
    "product-tag",
    "error",
    "The product lacks the tag that Studio looks for",
    "Studio shows only products tagged sagemaker:studio-visibility = true, in lower case (the post shows True).",
    safe=True,
)
def product_tag(facts: Snapshot) -> Iterator[Place]:
    key, value = STUDIO_TAG
    if facts.catalog.product and facts.catalog.tags.get(key) != value:
        was = facts.catalog.tags.get(key)
        tags = [{"Key": key, "Value": value}]
        parameters = {"Id": facts.catalog.product, "AddTags": tags}
        request = Request(facts.account, facts.region, "servicecatalog", "UpdateProduct", parameters)
        what = f"its value is {was!r}" if was else "the tag is missing"
        yield request.fixes(f"product {facts.settings.catalog.product}", what)


@check(
    "product-unassociated",
    "error",
    "The product is not in the portfolio",
    "No data scientist sees it.",
    safe=True,
)
def product_unassociated(facts: Snapshot) -> Iterator[Place]:
    found = facts.catalog.associated
    portfolio = facts.catalog.portfolio
    if facts.catalog.product and portfolio and known(found) and portfolio not in {one["Id"] for one in found or []}:
        parameters = {"ProductId": facts.catalog.product, "PortfolioId": portfolio}
        request = Request(facts.account, facts.region, "servicecatalog", "AssociateProductWithPortfolio", parameters)
        what = f"it is not in the portfolio {facts.settings.catalog.portfolio}"
        yield request.fixes(f"product {facts.settings.catalog.product}", what)


@check(
    "product-two-paths",
    "warning",
    "The product is in two portfolios",
    "A user who sees both must choose a launch path, which Studio does not ask for: creating a project fails.",
)
def product_two_paths(facts: Snapshot) -> Iterator[Place]:
    found = facts.catalog.associated
    if found and len(found) > 1:
        names = ", ".join(portfolio["DisplayName"] for portfolio in found)
        other = next((p["Id"] for p in found if p["Id"] != facts.catalog.portfolio), "")
        yield here(
            facts,
            f"product {facts.settings.catalog.product}",
            f"it is in {names}",
            "aws servicecatalog disassociate-product-from-portfolio "
            f"--product-id {facts.catalog.product} --portfolio-id {other}",
        )


@check(
    "constraint-missing",
    "error",
    "The product has no launch constraint",
    "Projects would be created with the data scientist's own permissions, which do not suffice.",
)
def constraint_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.catalog.product and facts.catalog.portfolio and facts.catalog.constraint is None:
        yield here(
            facts, f"product {facts.settings.catalog.product}", "it has no launch constraint", facts.make_publish
        )


@check(
    "constraint-role",
    "error",
    "The launch constraint names another role",
    "The kit is built and tested for AWS's stock launch role.",
)
def constraint_role(facts: Snapshot) -> Iterator[Place]:
    found = facts.catalog.constraint
    wanted = f"arn:{facts.partition}:iam::{facts.account}:role/{LAUNCH_ROLE}"
    if found and found["Role"] != wanted:
        yield here(
            facts, f"constraint {found['Id']}", f"it launches as {found['Role']}, not as {wanted}", facts.make_publish
        )


@check(
    "principal-missing",
    "error",
    "A principal that should see the product does not",
    "The project template does not appear in Studio for this principal.",
    safe=True,
)
def principal_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.catalog.portfolio and known(facts.catalog.principals):
        for principal in facts.settings.portfolio_principals:
            if principal not in facts.catalog.principals:
                parameters = {
                    "PortfolioId": facts.catalog.portfolio,
                    "PrincipalARN": principal,
                    "PrincipalType": "IAM",
                }
                operation = "AssociatePrincipalWithPortfolio"
                request = Request(facts.account, facts.region, "servicecatalog", operation, parameters)
                what = f"{principal} has no access"
                resource = f"portfolio {facts.settings.catalog.portfolio}"
                yield request.fixes(resource, what)


@check(
    "portfolio-share",
    "warning",
    "The portfolio is not shared as the environment file says",
    "The project template does not appear in Studio in those accounts.",
)
def portfolio_share(facts: Snapshot) -> Iterator[Place]:
    shares, described = facts.catalog.shares, facts.organization.described
    if not isinstance(shares, tuple):
        return
    organization = described["Organization"]["Id"] if described else ""
    wanted = [who for who in facts.settings.catalog.share_with if organization or who != sharing.ORGANIZATION]
    for step in sharing.plan(wanted, shares, organization, principals=False):
        resource = f"portfolio {facts.settings.catalog.portfolio}"
        if step.writes:
            yield here(facts, resource, f"it is not shared with {step.name}", facts.make_publish)
        elif step.detail:
            accept = f"aws servicecatalog accept-portfolio-share --portfolio-id {facts.catalog.portfolio}"
            yield here(facts, resource, step.detail, f"{accept} --portfolio-share-type IMPORTED (in that account)")
