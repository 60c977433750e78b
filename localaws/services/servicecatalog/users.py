"""What end users see: the products of the portfolios that their principal is associated with.

Service Catalog API Reference: SearchProducts, DescribeProduct, ListLaunchPaths,
DescribeProvisioningParameters.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from awslang.principals import Principal
from awslang.template import template as templates
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.servicecatalog.portfolios import constraints_of
from localaws.services.servicecatalog.products import find_artifact, parameters_of, search, summary
from localaws.services.servicecatalog.service import operation
from localaws.services.servicecatalog.state import (
    Artifact,
    Catalog,
    Portfolio,
    Product,
    catalog_of,
    found,
    given,
    invalid,
    page,
    tag_list,
)
from localaws.services.servicecatalog.tag_options import summaries


def identities(principal: Principal) -> set[str]:
    """The ARNs under which a caller may be associated with a portfolio: its role, or the user and its groups."""
    if principal.kind == "role":
        return {principal.role_arn}
    if principal.kind != "user":
        return set()
    groups = moto_bridge.backend("iam", principal.account, "aws").groups.values()
    return {principal.arn} | {g.arn for g in groups if principal.arn in {user.arn for user in g.users}}


def sees(portfolio: Portfolio, principal: Principal) -> bool:
    """True when one of the portfolio's principals is the caller."""
    mine = identities(principal)
    return any(
        associated in mine if kind == "IAM" else any(pattern_matches(associated, arn) for arn in mine)
        for kind, associated in portfolio.principals
    )


def pattern_matches(pattern: str, principal: str) -> bool:
    """IAM_PATTERN: an ARN without account, in which * is any text and ? at most one character."""
    expression = "".join({"*": ".*", "?": ".?"}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, re.sub(r"^(arn:[^:]+:iam::)[0-9]+:", r"\1:", principal)) is not None


def paths(catalog: Catalog, product: Product, principal: Principal) -> dict[str, Portfolio]:
    """The launch paths that lead this principal to the product, by id: one for each portfolio."""
    return {path_id(p, product): p for p in catalog.portfolios_of(product.id) if sees(p, principal)}


def path_id(portfolio: Portfolio, product: Product) -> str:
    return "lpv3-" + hashlib.sha256(f"{portfolio.id}/{product.id}".encode()).hexdigest()[:13]


def visible_product(call: Call, id: str | None, name: str | None) -> Product:
    """The product of this id or name that the caller may see; exactly one of the two must be given."""
    catalog = catalog_of(call)
    if bool(id) == bool(name):
        raise invalid("Specify either the product's id or its name, and not both.")
    wanted = [p for p in catalog.products.values() if p.id == id or (name and p.name == name)]
    visible = [p for p in wanted if paths(catalog, p, call.principal)]
    if wanted and not visible:
        found(None, f"No launch paths found for resource: {wanted[0].id}")
    return found(visible[0] if visible else None, f"Product {id or name} not found.")


def launchable(artifact: Artifact) -> bool:
    return artifact.active and artifact.status == "AVAILABLE"


def visible_artifact(product: Product, id: str | None, name: str | None) -> Artifact:
    """An active, finished version of the product."""
    artifact = find_artifact(product, id, name)
    return found(artifact if launchable(artifact) else None, f"Provisioning artifact {artifact.id} not found.")


def choose_path(call: Call, product: Product, id: str | None, name: str | None) -> tuple[str, Portfolio]:
    """The launch path asked for; the only one when none is asked for."""
    if id and name:
        raise invalid("Specify either the path's id or its name, and not both.")
    known = paths(catalog_of(call), product, call.principal)
    wanted = {key: p for key, p in known.items() if (not id or key == id) and (not name or p.name == name)}
    if not wanted:
        found(None, f"No launch paths found for resource: {product.id}")
    if len(wanted) > 1:
        raise invalid(f"More than one launch path found for resource: {product.id}. Specify a PathId.")
    return next(iter(wanted.items()))


def constraint_summaries(catalog: Catalog, portfolio: Portfolio, product: Product) -> list[dict[str, Any]]:
    found_here = constraints_of(catalog, portfolio.id, product.id)
    return [given(Type=c.type, Description=c.description) for c in found_here]


@operation("SearchProducts")
def search_products(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    products = [p for p in catalog.products.values() if paths(catalog, p, call.principal)]
    listed = search(products, call.params)
    answer = page(call, "ProductViewSummaries", [view_for(call, p) for p in listed])
    return {**answer, "ProductViewAggregations": {}}


def view_for(call: Call, product: Product) -> dict[str, Any]:
    return summary(product, has_default_path=len(paths(catalog_of(call), product, call.principal)) == 1)


@operation("DescribeProduct")
def describe_product(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    product = visible_product(call, call.params.get("Id"), call.params.get("Name"))
    return {
        "ProductViewSummary": view_for(call, product),
        "ProvisioningArtifacts": [
            given(Id=a.id, Name=a.name, Description=a.description, CreatedTime=a.created, Guidance=a.guidance)
            for a in product.artifacts.values()
            if launchable(a)
        ],
        "Budgets": [],
        "LaunchPaths": [{"Id": id, "Name": p.name} for id, p in paths(catalog, product, call.principal).items()],
    }


@operation("ListLaunchPaths")
def list_launch_paths(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    product = visible_product(call, call.params["ProductId"], None)
    listed = [
        {
            "Id": id,
            "Name": portfolio.name,
            "ConstraintSummaries": constraint_summaries(catalog, portfolio, product),
            "Tags": tag_list({**portfolio.tags, **product.tags}),
        }
        for id, portfolio in paths(catalog, product, call.principal).items()
    ]
    return page(call, "LaunchPathSummaries", listed)


@operation("DescribeProvisioningParameters")
def describe_provisioning_parameters(call: Call) -> dict[str, Any]:
    params = call.params
    product = visible_product(call, params.get("ProductId"), params.get("ProductName"))
    artifact = visible_artifact(product, params.get("ProvisioningArtifactId"), params.get("ProvisioningArtifactName"))
    _, portfolio = choose_path(call, product, params.get("PathId"), params.get("PathName"))
    outputs = templates.parse(artifact.template).outputs
    shown = [given(Key=name, Description=output.get("Description")) for name, output in outputs.items()]
    return {
        "ProvisioningArtifactParameters": parameters_of(artifact),
        "ConstraintSummaries": constraint_summaries(catalog_of(call), portfolio, product),
        "UsageInstructions": [],
        "TagOptions": summaries(catalog_of(call), portfolio, product),
        "ProvisioningArtifactOutputs": shown,
        "ProvisioningArtifactOutputKeys": shown,
    }
