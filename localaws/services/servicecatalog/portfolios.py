"""Portfolios: their products, the principals who may see them, and the launch constraint.

Service Catalog API Reference: CreatePortfolio, AssociateProductWithPortfolio,
AssociatePrincipalWithPortfolio, CreateConstraint, and their counterparts.
"""

from __future__ import annotations

import json
import re
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.template import template as templates
from awslang.template.template import TemplateError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.servicecatalog.service import operation
from localaws.services.servicecatalog.shares import shares_of
from localaws.services.servicecatalog.state import (
    Catalog,
    Constraint,
    Portfolio,
    catalog_of,
    found,
    given,
    invalid,
    make_id,
    no_shares,
    now,
    page,
    tag_list,
    tags_of,
)
from localaws.services.servicecatalog.tag_options import attached

PATTERNS_PER_PORTFOLIO = 10  # AssociatePrincipalWithPortfolio: at most 10 principals of type IAM_PATTERN
PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):(role|user|group)/(.+)")
PRINCIPAL_PATTERN = re.compile(r"arn:aws[a-z-]*:iam:::(role|user|group)/(.+)")
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/([a-zA-Z0-9_+=,.@/-]+)")


def detail(portfolio: Portfolio) -> dict[str, Any]:
    return given(
        Id=portfolio.id,
        ARN=portfolio.arn,
        DisplayName=portfolio.name,
        Description=portfolio.description,
        CreatedTime=portfolio.created,
        ProviderName=portfolio.provider,
    )


@operation("CreatePortfolio", token="IdempotencyToken")
def create_portfolio(call: Call) -> dict[str, Any]:
    id = make_id("port")
    portfolio = Portfolio(
        id,
        arn("catalog", call.region, call.account, f"portfolio/{id}"),
        call.params["DisplayName"],
        call.params["ProviderName"],
        call.params.get("Description"),
        tags_of(call.params),
        now(),
    )
    catalog_of(call).portfolios[id] = portfolio
    return {"PortfolioDetail": detail(portfolio), "Tags": tag_list(portfolio.tags)}


@operation("DescribePortfolio")
def describe_portfolio(call: Call) -> dict[str, Any]:
    portfolio = catalog_of(call).portfolio(call.params["Id"])
    tags, options = tag_list(portfolio.tags), attached(call, portfolio.id)
    return {"PortfolioDetail": detail(portfolio), "Tags": tags, "TagOptions": options, "Budgets": []}


@operation("UpdatePortfolio")
def update_portfolio(call: Call) -> dict[str, Any]:
    params = call.params
    portfolio = catalog_of(call).portfolio(params["Id"])
    portfolio.name = params.get("DisplayName", portfolio.name)
    portfolio.provider = params.get("ProviderName", portfolio.provider)
    portfolio.description = params.get("Description", portfolio.description)
    change_tags(portfolio.tags, params)
    return {"PortfolioDetail": detail(portfolio), "Tags": tag_list(portfolio.tags)}


def change_tags(tags: dict[str, str], params: dict[str, Any]) -> None:
    """RemoveTags, then AddTags."""
    for key in params.get("RemoveTags") or []:
        tags.pop(key, None)
    tags.update(tags_of(params, "AddTags"))


@operation("DeletePortfolio")
def delete_portfolio(call: Call) -> None:
    """Refused while it has any of these (Administrator Guide, "Creating and Deleting Portfolios")."""
    catalog = catalog_of(call)
    portfolio = catalog.portfolio(call.params["Id"])
    constraints = [c for c in catalog.constraints.values() if c.portfolio == portfolio.id]
    shared = shares_of(call).by_portfolio.get(portfolio.id)
    if portfolio.products or portfolio.principals or constraints or shared or attached(call, portfolio.id):
        raise AwsError(
            "ResourceInUseException",
            f"Portfolio {portfolio.id} has associated products, principals, constraints, shares or TagOptions and "
            "cannot be deleted.",
        )
    del catalog.portfolios[portfolio.id]


@operation("ListPortfolios")
def list_portfolios(call: Call) -> dict[str, Any]:
    return page(call, "PortfolioDetails", [detail(p) for p in catalog_of(call).portfolios.values()])


@operation("ListPortfoliosForProduct")
def list_portfolios_for_product(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    product = catalog.product(call.params["ProductId"])
    return page(call, "PortfolioDetails", [detail(p) for p in catalog.portfolios_of(product.id)])


@operation("AssociateProductWithPortfolio")
def associate_product_with_portfolio(call: Call) -> None:
    no_shares(call.params)
    catalog = catalog_of(call)
    product, portfolio = catalog.product(call.params["ProductId"]), catalog.portfolio(call.params["PortfolioId"])
    if product.id not in portfolio.products:
        portfolio.products.append(product.id)


@operation("DisassociateProductFromPortfolio")
def disassociate_product_from_portfolio(call: Call) -> None:
    """Refused while a constraint holds for the two."""
    catalog = catalog_of(call)
    product, portfolio = catalog.product(call.params["ProductId"]), catalog.portfolio(call.params["PortfolioId"])
    if product.id not in portfolio.products:
        raise AwsError(
            "ResourceNotFoundException", f"Product {product.id} is not associated with portfolio {portfolio.id}."
        )
    if constraints_of(catalog, portfolio.id, product.id):
        raise AwsError(
            "ResourceInUseException",
            f"Product {product.id} has constraints in portfolio {portfolio.id}: delete them first.",
        )
    portfolio.products.remove(product.id)


# -- principals --------------------------------------------------------------------------------


@operation("AssociatePrincipalWithPortfolio")
def associate_principal_with_portfolio(call: Call) -> None:
    portfolio = catalog_of(call).portfolio(call.params["PortfolioId"])
    kind, principal = call.params["PrincipalType"], call.params["PrincipalARN"]
    if kind == "IAM":
        check_principal(principal, call.account)
    elif not PRINCIPAL_PATTERN.fullmatch(principal):
        raise invalid(f"Invalid principal pattern: {principal}. Expected arn:partition:iam:::resource-type/resource-id")
    patterns = [1 for k, p in portfolio.principals if k == "IAM_PATTERN" and p != principal]
    if kind == "IAM_PATTERN" and len(patterns) >= PATTERNS_PER_PORTFOLIO:
        raise AwsError("LimitExceededException", "A portfolio takes at most 10 principals of type IAM_PATTERN.")
    portfolio.principals[kind, principal] = None


def check_principal(principal: str, account: str) -> None:
    """An IAM principal must exist ("the PrincipalARN must already exist … before it can be associated")."""
    match = PRINCIPAL.fullmatch(principal)
    if not match:
        raise invalid(f"Invalid principal ARN: {principal}")
    backend = moto_bridge.backend("iam", account, "aws")
    known = {"role": backend.roles, "user": backend.users, "group": backend.groups}[match[2]]
    if match[1] != account or principal not in {item.arn for item in known.values()}:
        raise invalid(f"The principal {principal} does not exist in account {account}.")


@operation("DisassociatePrincipalFromPortfolio")
def disassociate_principal_from_portfolio(call: Call) -> None:
    portfolio = catalog_of(call).portfolio(call.params["PortfolioId"])
    key = (call.params.get("PrincipalType", "IAM"), call.params["PrincipalARN"])
    if key not in portfolio.principals:
        raise AwsError("ResourceNotFoundException", f"{key[1]} is not associated with portfolio {portfolio.id}.")
    del portfolio.principals[key]


@operation("ListPrincipalsForPortfolio")
def list_principals_for_portfolio(call: Call) -> dict[str, Any]:
    portfolio = catalog_of(call).portfolio(call.params["PortfolioId"])
    listed = [{"PrincipalARN": principal, "PrincipalType": kind} for kind, principal in portfolio.principals]
    return page(call, "Principals", listed)


# -- constraints -------------------------------------------------------------------------------


def constraints_of(catalog: Catalog, portfolio: str, product: str | None = None) -> list[Constraint]:
    return [c for c in catalog.constraints.values() if c.portfolio == portfolio and product in (None, c.product)]


def constraint_detail(constraint: Constraint) -> dict[str, Any]:
    return given(
        ConstraintId=constraint.id,
        Type=constraint.type,
        Description=constraint.description,
        Owner=constraint.owner,
        ProductId=constraint.product,
        PortfolioId=constraint.portfolio,
    )


def constraint_answer(constraint: Constraint) -> dict[str, Any]:
    return {
        "ConstraintDetail": constraint_detail(constraint),
        "ConstraintParameters": constraint.parameters,
        "Status": "AVAILABLE",
    }


def check_launch_parameters(call: Call, text: str) -> None:
    """LAUNCH takes either RoleArn or LocalRoleName; a local role must exist where the constraint is made."""
    try:
        parameters = json.loads(text)
    except ValueError as error:
        raise invalid("Constraint parameters are not valid JSON.") from error
    if not isinstance(parameters, dict) or len(parameters) != 1 or not {*parameters} <= {"RoleArn", "LocalRoleName"}:
        raise invalid("A LAUNCH constraint requires either RoleArn or LocalRoleName, and not both.")
    value = next(iter(parameters.values()))
    if "RoleArn" in parameters and not ROLE_ARN.fullmatch(str(value)):
        raise invalid(f"Invalid role ARN: {value}")
    if "LocalRoleName" in parameters:
        names = {role.name for role in moto_bridge.backend("iam", call.account, "aws").roles.values()}
        if value not in names:
            raise invalid(f"The role {value} does not exist in account {call.account}.")


def check_rules(text: str) -> None:
    """TEMPLATE takes Rules, as a template's own (Administrator Guide, "Template constraint rules")."""
    try:
        rules = json.loads(text)["Rules"]
        templates.parse(json.dumps({"Resources": {"Any": {"Type": "AWS::SNS::Topic"}}, "Rules": rules}))
    except (ValueError, KeyError, TypeError, TemplateError) as error:
        raise invalid(f"A TEMPLATE constraint requires Rules that a template could have: {error}") from error


def check_constraint(call: Call, kind: str, text: str) -> None:
    if kind == "TEMPLATE":
        check_rules(text)
    else:
        check_launch_parameters(call, text)


def rules_of(catalog: Catalog, portfolio: str, product: str) -> dict[str, Any]:
    """The rules of all template constraints; of two with the same name the later one holds."""
    found: dict[str, Any] = {}
    for constraint in constraints_of(catalog, portfolio, product):
        found |= json.loads(constraint.parameters)["Rules"] if constraint.type == "TEMPLATE" else {}
    return found


def launch_constraints(catalog: Catalog, portfolio: str, product: str) -> list[Constraint]:
    return [one for one in constraints_of(catalog, portfolio, product) if one.type == "LAUNCH"]


def launch_role(account: str, constraint: Constraint) -> str:
    """The ARN of the role that a LAUNCH constraint names."""
    parameters = json.loads(constraint.parameters)
    if "RoleArn" in parameters:
        return str(parameters["RoleArn"])
    roles = moto_bridge.backend("iam", account, "aws").roles.values()
    arns = [str(role.arn) for role in roles if role.name == parameters["LocalRoleName"]]
    return arns[0] if arns else arn("iam", "", account, f"role/{parameters['LocalRoleName']}")


@operation("CreateConstraint", token="IdempotencyToken")
def create_constraint(call: Call) -> dict[str, Any]:
    catalog, params = catalog_of(call), call.params
    product, portfolio = catalog.product(params["ProductId"]), catalog.portfolio(params["PortfolioId"])
    if params["Type"] not in ("LAUNCH", "TEMPLATE"):
        raise NotSupported(f"servicecatalog: constraints of type {params['Type']}")
    if product.id not in portfolio.products:
        raise AwsError(
            "ResourceNotFoundException", f"Product {product.id} is not associated with portfolio {portfolio.id}."
        )
    check_constraint(call, params["Type"], params["Parameters"])
    if params["Type"] == "LAUNCH" and launch_constraints(catalog, portfolio.id, product.id):
        raise AwsError(
            "DuplicateResourceException",
            f"A LAUNCH constraint exists already for product {product.id} and portfolio {portfolio.id}.",
        )
    constraint = Constraint(
        make_id("cons"),
        params["Type"],
        params.get("Description"),
        call.account,
        product.id,
        portfolio.id,
        params["Parameters"],
    )
    catalog.constraints[constraint.id] = constraint
    return constraint_answer(constraint)


def find_constraint(call: Call) -> Constraint:
    id = call.params["Id"]
    return found(catalog_of(call).constraints.get(id), f"Constraint {id} not found.")


@operation("DescribeConstraint")
def describe_constraint(call: Call) -> dict[str, Any]:
    return constraint_answer(find_constraint(call))


@operation("UpdateConstraint")
def update_constraint(call: Call) -> dict[str, Any]:
    constraint = find_constraint(call)
    if "Parameters" in call.params:
        check_constraint(call, constraint.type, call.params["Parameters"])
        constraint.parameters = call.params["Parameters"]
    constraint.description = call.params.get("Description", constraint.description)
    return constraint_answer(constraint)


@operation("DeleteConstraint")
def delete_constraint(call: Call) -> None:
    del catalog_of(call).constraints[find_constraint(call).id]


@operation("ListConstraintsForPortfolio")
def list_constraints_for_portfolio(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    portfolio = catalog.portfolio(call.params["PortfolioId"])
    listed = constraints_of(catalog, portfolio.id, call.params.get("ProductId"))
    return page(call, "ConstraintDetails", [constraint_detail(c) for c in listed])
