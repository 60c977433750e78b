"""Portfolio shares, seen from the account that shares.

Service Catalog API Reference: CreatePortfolioShare, DescribePortfolioShares, DescribePortfolioShareStatus,
DeletePortfolioShare, AcceptPortfolioShare, ListPortfolioAccess, EnableAWSOrganizationsAccess,
GetAWSOrganizationsAccessStatus.
Not supported: working in the recipient's account with what was shared (SourcePortfolioId, ListAcceptedPortfolioShares).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.services.organizations import service as organizations
from localaws.services.servicecatalog.service import operation
from localaws.services.servicecatalog.state import Catalog, catalog_of, found, invalid, make_id, page

PRINCIPAL = "servicecatalog.amazonaws.com"
KINDS = {"ACCOUNT", "ORGANIZATION", "ORGANIZATIONAL_UNIT"}


@dataclass
class Share:
    type: str
    with_whom: str
    principals: bool = False
    accepted: bool = False


@dataclass
class Shares:
    """The shares of an account's portfolios, by portfolio; token: of CreatePortfolioShare, to the share."""

    by_portfolio: dict[str, dict[str, Share]] = field(default_factory=dict)
    by_token: dict[str, tuple[str, str]] = field(default_factory=dict)


def shares_of(call: Call) -> Shares:
    return call.cloud.state(Shares, call.account, call.region)


@operation("EnableAWSOrganizationsAccess")
def enable_organizations_access(call: Call) -> None:
    if organizations.management_of(call.account) != call.account:
        raise AwsError("OperationNotSupportedException", "Only the management account of an organization can do this.")
    if not organizations.is_trusted(call.account, PRINCIPAL):
        organizations.organization(call.account).enable_aws_service_access(ServicePrincipal=PRINCIPAL)


@operation("GetAWSOrganizationsAccessStatus")
def organizations_access_status(call: Call) -> dict[str, Any]:
    management = organizations.management_of(call.account)
    enabled = bool(management) and organizations.is_trusted(management, PRINCIPAL)
    return {"AccessStatus": "ENABLED" if enabled else "DISABLED"}


def check_administers(call: Call) -> str:
    """Only the management account or a delegated administrator shares within the organization; the former's id."""
    management = organizations.management_of(call.account)
    if not management or not organizations.is_trusted(management, PRINCIPAL):
        raise AwsError("OperationNotSupportedException", "AWSOrganizationsAccess is not enabled.")
    if call.account != management and not organizations.is_delegated(management, call.account, PRINCIPAL):
        raise AwsError(
            "OperationNotSupportedException",
            f"Account {call.account} is neither the management account nor a delegated administrator.",
        )
    return management


def check_node(call: Call, node: dict[str, Any]) -> None:
    """Only callers that may share with the organization do so, and only with its members."""
    management = check_administers(call)
    if node["Type"] == "ACCOUNT":
        raise NotSupported("servicecatalog:CreatePortfolioShare with an OrganizationNode of type ACCOUNT")
    value, state = str(node["Value"]).rsplit("/", 1)[-1], organizations.organization(management)
    known = {"ORGANIZATION": {state.org.id}, "ORGANIZATIONAL_UNIT": {unit.id for unit in state.ou}}
    if value not in known[node["Type"]]:
        raise invalid(f"{value} is not in the organization {state.org.id}.")


@operation("CreatePortfolioShare")
def create_portfolio_share(call: Call) -> dict[str, Any]:
    """A share that there is already has no effect and is no error."""
    params = call.params
    portfolio = catalog_of(call).portfolio(params["PortfolioId"])
    node = params.get("OrganizationNode")
    if bool(node) == bool(params.get("AccountId")):
        raise invalid("Specify either AccountId or OrganizationNode, and not both.")
    if params.get("ShareTagOptions"):
        raise NotSupported("servicecatalog:CreatePortfolioShare with ShareTagOptions")
    known = shares_of(call)
    mine = known.by_portfolio.setdefault(portfolio.id, {})
    if not node:
        if params.get("SharePrincipals"):
            raise invalid("SharePrincipals is supported for organizations and organizational units only.")
        mine.setdefault(params["AccountId"], Share("ACCOUNT", params["AccountId"]))
        return {}
    check_node(call, node)
    value = str(node["Value"]).rsplit("/", 1)[-1]
    mine.setdefault(value, Share(node["Type"], value, bool(params.get("SharePrincipals")), accepted=True))
    token = make_id("share")
    known.by_token[token] = portfolio.id, value
    return {"PortfolioShareToken": token}


@operation("DescribePortfolioShareStatus")
def describe_portfolio_share_status(call: Call) -> dict[str, Any]:
    token = call.params["PortfolioShareToken"]
    portfolio, value = found(shares_of(call).by_token.get(token), f"Portfolio share {token} not found.")
    return {
        "PortfolioShareToken": token,
        "PortfolioId": portfolio,
        "OrganizationNodeValue": value,
        "Status": "COMPLETED",
        "ShareDetails": {"SuccessfulShares": [], "ShareErrors": []},
    }


@operation("DescribePortfolioShares")
def describe_portfolio_shares(call: Call) -> dict[str, Any]:
    portfolio = catalog_of(call).portfolio(call.params["PortfolioId"])
    if call.params["Type"] not in KINDS:
        raise NotSupported(f"servicecatalog:DescribePortfolioShares of type {call.params['Type']}")
    listed = [
        {
            "PrincipalId": share.with_whom,
            "Type": share.type,
            "Accepted": share.accepted,
            "ShareTagOptions": False,
            "SharePrincipals": share.principals,
        }
        for share in shares_of(call).by_portfolio.get(portfolio.id, {}).values()
        if share.type == call.params["Type"]
    ]
    return page(call, "PortfolioShareDetails", listed)


@operation("ListPortfolioAccess")
def list_portfolio_access(call: Call) -> dict[str, Any]:
    """The accounts that it is shared with; with OrganizationParentId, those below a node that it is shared with."""
    portfolio, parent = catalog_of(call).portfolio(call.params["PortfolioId"]), call.params.get("OrganizationParentId")
    mine = shares_of(call).by_portfolio.get(portfolio.id, {})
    if parent is None:
        return page(call, "AccountIds", [share.with_whom for share in mine.values() if share.type == "ACCOUNT"])
    found(mine.get(parent), f"Portfolio {portfolio.id} is not shared with {parent}.")
    management = organizations.management_of(call.account)
    top = organizations.organization(management).org.root_id if mine[parent].type == "ORGANIZATION" else parent
    return page(call, "AccountIds", [account.id for account in organizations.accounts_below(management, top)])


@operation("DeletePortfolioShare")
def delete_portfolio_share(call: Call) -> dict[str, Any]:
    params, known = call.params, shares_of(call)
    if not params.get("AccountId"):
        check_administers(call)
    value = params.get("AccountId") or str((params.get("OrganizationNode") or {}).get("Value", "")).rsplit("/", 1)[-1]
    mine = known.by_portfolio.get(params["PortfolioId"], {})
    found(mine.pop(value, None), f"Portfolio {params['PortfolioId']} is not shared with {value}.")
    if params.get("AccountId"):
        return {}
    token = make_id("share")
    known.by_token[token] = params["PortfolioId"], value
    return {"PortfolioShareToken": token}


@operation("AcceptPortfolioShare")
def accept_portfolio_share(call: Call) -> None:
    """Of a share with this very account: shares within an organization need no accepting."""
    id = call.params["PortfolioId"]
    if call.params.get("PortfolioShareType", "IMPORTED") != "IMPORTED":
        raise NotSupported(f"servicecatalog:AcceptPortfolioShare of type {call.params['PortfolioShareType']}")
    for (account, region), catalog in call.cloud.states(Catalog).items():
        if region == call.region and id in catalog.portfolios:
            mine = call.cloud.state(Shares, account, region).by_portfolio.get(id, {})
            found(mine.get(call.account), f"Portfolio {id} not found.").accepted = True
            return
    found(None, f"Portfolio {id} not found.")
