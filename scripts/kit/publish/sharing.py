"""Sharing the portfolio with other accounts, units or the whole organization.

Service Catalog API Reference, "CreatePortfolioShare": a share with a unit or the organization reaches all of
its accounts without being accepted, and can be made by the management account or a delegated administrator
of Service Catalog only; a share with an account waits there until AcceptPortfolioShare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from awslang.bounded import is_number
from scripts.kit.connect import Connection, if_there
from scripts.kit.console import AGAIN, UserError, explain, say
from scripts.kit.patience import until
from scripts.kit.plan import PlanStep

if TYPE_CHECKING:
    from mypy_boto3_servicecatalog import ServiceCatalogClient
    from mypy_boto3_servicecatalog.literals import DescribePortfolioShareTypeType
    from mypy_boto3_servicecatalog.type_defs import DescribePortfolioSharesInputTypeDef, PortfolioShareDetailTypeDef

ORGANIZATION = "organization"  # what environment.yaml calls it
TYPES: tuple[DescribePortfolioShareTypeType, ...] = ("ACCOUNT", "ORGANIZATION", "ORGANIZATIONAL_UNIT")
PATIENCE = 300.0  # seconds for a share to reach the accounts of a unit
REFUSED = {"OperationNotSupportedException", "AccessDeniedException", "InvalidParametersException"}


@dataclass(frozen=True)
class PortfolioShare:
    """A share that there is; with_whom: an account's, unit's or organization's id."""

    type: str
    with_whom: str
    accepted: bool


def look(catalog: ServiceCatalogClient, portfolio: str) -> tuple[PortfolioShare, ...]:
    """Every share of the portfolio (DescribePortfolioShares lists one type at a time)."""
    found = [
        PortfolioShare(item["Type"], item["PrincipalId"], item.get("Accepted", False))
        for kind in TYPES
        for item in listed(catalog, portfolio, kind)
    ]
    return tuple(found)


def listed(
    catalog: ServiceCatalogClient, portfolio: str, kind: DescribePortfolioShareTypeType
) -> Iterator[PortfolioShareDetailTypeDef]:
    """DescribePortfolioShares, which botocore has no paginator for."""
    request: DescribePortfolioSharesInputTypeDef = {"PortfolioId": portfolio, "Type": kind}
    while True:
        page = catalog.describe_portfolio_shares(**request)
        yield from page.get("PortfolioShareDetails", [])
        if not page.get("NextPageToken"):
            return
        request["PageToken"] = page["NextPageToken"]


def organization_id(connection: Connection) -> str:
    try:
        return str(connection.client("organizations").describe_organization()["Organization"]["Id"])
    except ClientError as error:
        raise UserError(f"catalog.share_with says `organization`, but: {explain(error)}") from error


def plan(wanted: Sequence[str], found: Sequence[PortfolioShare], organization: str, principals: bool) -> list[PlanStep]:
    """A step for each share that is wanted. principals: hand on the portfolio's patterns with it."""
    steps = []
    there = {share.with_whom: share for share in found}
    for whom in wanted:
        id = organization if whom == ORGANIZATION else whom
        name = f"organization {id}" if whom == ORGANIZATION else whom
        if id in there:
            waits = there[id].type == "ACCOUNT" and not there[id].accepted
            steps.append(PlanStep("keep", "share", name, f"{id} has not accepted it yet" if waits else ""))
            continue
        if is_number(whom):
            request: dict[str, Any] = {"AccountId": id}
        else:
            kind = "ORGANIZATION" if whom == ORGANIZATION else "ORGANIZATIONAL_UNIT"
            request = {"OrganizationNode": {"Type": kind, "Value": id}}
            request |= {"SharePrincipals": True} if principals else {}
        steps.append(PlanStep("create", "share", name, request=request))
    return steps


def delegate(account: str) -> str:
    """The command of the management account that lets this account share within the organization."""
    return (
        "`aws organizations register-delegated-administrator --service-principal servicecatalog.amazonaws.com "
        f"--account-id {account}`"
    )


def remove(catalog: ServiceCatalogClient, account: str, portfolio: str, share: PortfolioShare) -> None:
    """Stop sharing (API Reference, DeletePortfolioShare); UserError where that is for another account to do.

    account: the portfolio's
    """
    node = {"Type": share.type, "Value": share.with_whom}
    whom: dict[str, Any] = {"AccountId": share.with_whom} if share.type == "ACCOUNT" else {"OrganizationNode": node}
    try:
        answer = if_there(catalog.delete_portfolio_share, PortfolioId=portfolio, **whom)
    except ClientError as error:
        if error.response["Error"]["Code"] not in REFUSED or share.type == "ACCOUNT":
            raise
        raise UserError(
            f"the portfolio's share with {share.with_whom} cannot be taken back: {explain(error)}. That is for the "
            f"organization's management account or a delegated administrator of Service Catalog: {delegate(account)}. "
            f"{AGAIN}"
        ) from error
    if answer and (token := answer.get("PortfolioShareToken")):
        wait(catalog, token, share.with_whom)


def apply(catalog: ServiceCatalogClient, account: str, portfolio: str, step: PlanStep) -> None:
    """Share the portfolio, which is this account's."""
    try:
        answer = catalog.create_portfolio_share(PortfolioId=portfolio, **step.request)
    except ClientError as error:
        if error.response["Error"]["Code"] not in REFUSED or "AccountId" in step.request:
            raise
        raise UserError(
            f"the portfolio cannot be shared with {step.name}: {explain(error)}. Sharing within an organization is "
            "for its management account or a delegated administrator of Service Catalog, once "
            f"`aws servicecatalog enable-aws-organizations-access` was run in the management account; then "
            f"{delegate(account)}"
        ) from error
    if "AccountId" in step.request:
        say(
            f"  note: account {step.name} must accept the share: "
            f"`aws servicecatalog accept-portfolio-share --portfolio-id {portfolio} --portfolio-share-type IMPORTED` "
            "there, and give its own roles access to the portfolio"
        )
    elif token := answer.get("PortfolioShareToken"):
        wait(catalog, token, step.name)


def wait(catalog: ServiceCatalogClient, token: str, name: str) -> None:
    """Until the share has reached every account; UserError with those that it did not reach."""
    answer: dict[str, Any] = {}

    def ended() -> str | None:
        answer.update(catalog.describe_portfolio_share_status(PortfolioShareToken=token))
        return str(answer["Status"]) if answer["Status"] in {"COMPLETED", "COMPLETED_WITH_ERRORS", "ERROR"} else None

    def late() -> UserError:
        return UserError(f"the share with {name} is still {answer['Status']}. Run `make publish` again later")

    if (status := until(f"the share with {name}", ended, PATIENCE, late=late)) != "COMPLETED":
        errors = answer.get("ShareDetails", {}).get("ShareErrors", [])
        failures = "; ".join(f"{', '.join(e.get('Accounts', []))}: {e.get('Message', '')}" for e in errors)
        raise UserError(f"the share with {name} did not reach every account: {failures or status}")
