"""Studio domains, and whether the account's domains show the project templates of Service Catalog.

CreateDomain, DescribeDomain, ListDomains, UpdateDomain, DeleteDomain, EnableSagemakerServicecatalogPortfolio,
DisableSagemakerServicecatalogPortfolio and GetSagemakerServicecatalogPortfolioStatus (SageMaker API
Reference, the page of each operation). A domain is in service at once, and has user profiles (user_profiles.py), but
no spaces or applications. Its VPC and subnets are taken as they are named. That the
console makes AWS's roles when project templates are turned on is not part of these operations (Developer Guide,
"Granting SageMaker Studio Permissions Required to Use Projects").
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.sagemaker import base
from localaws.services.sagemaker.service import sagemaker

LETTERS = string.ascii_lowercase + string.digits
SUMMARY = ("DomainArn", "DomainId", "DomainName", "Status", "CreationTime", "LastModifiedTime", "Url")
CHANGED = ("AppNetworkAccessType", "DefaultSpaceSettings", "DefaultUserSettings", "SubnetIds")  # by UpdateDomain
KEPT = (
    "DomainName", "AuthMode", "DefaultUserSettings", "DomainSettings", "SubnetIds", "VpcId", "AppNetworkAccessType",
    "DefaultSpaceSettings",
)  # fmt: skip


@dataclass
class Domains:
    """The domains of an account in a Region, as DescribeDomain shows them; templates: shown to them or not.

    profiles: the user profiles of all domains, as DescribeUserProfile shows them, by domain and name
    """

    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    profiles: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    templates: bool = False


def known(call: Call) -> Domains:
    return call.cloud.state(Domains, call.account, call.region)


def find(call: Call) -> dict[str, Any]:
    found = known(call).by_id.get(call.params["DomainId"])
    if found is None:
        raise base.missing(f"Domain [{call.params['DomainId']}] does not exist.")
    return found


@sagemaker.operation("CreateDomain")
def create_domain(call: Call) -> dict[str, Any]:
    base.only(call.params, "CreateDomain", *KEPT, "Tags")
    name = call.params["DomainName"]
    if not call.params.get("VpcId") or not call.params.get("SubnetIds"):
        raise base.invalid("VpcId and SubnetIds are required for a domain that Unified Studio did not create")
    if any(domain["DomainName"] == name for domain in known(call).by_id.values()):
        raise AwsError("ResourceInUse", f"A domain with the name {name} already exists in this account.")
    id = "d-" + "".join(secrets.choice(LETTERS) for _ in range(12))
    url = f"https://{id}.studio.{call.region}.sagemaker.aws"
    whole = arn("sagemaker", call.region, call.account, f"domain/{id}")
    known(call).by_id[id] = {
        **{name: call.params[name] for name in KEPT if name in call.params},
        "DomainArn": whole,
        "DomainId": id,
        "Status": "InService",
        "CreationTime": base.now(),
        "LastModifiedTime": base.now(),
        "Url": url,
    }
    base.put_tags(call.cloud, whole, call.params.get("Tags", []))
    return {"DomainArn": whole, "DomainId": id, "Url": url}


@sagemaker.operation("DescribeDomain")
def describe_domain(call: Call) -> dict[str, Any]:
    return dict(find(call))


@sagemaker.operation("ListDomains")
def list_domains(call: Call) -> dict[str, Any]:
    items = [{name: item[name] for name in SUMMARY} for item in known(call).by_id.values()]
    return base.page(items, call.params, "Domains")


@sagemaker.operation("UpdateDomain")
def update_domain(call: Call) -> dict[str, Any]:
    base.only(call.params, "UpdateDomain", "DomainId", *CHANGED)
    found = find(call)
    found |= {name: call.params[name] for name in CHANGED if name in call.params} | {"LastModifiedTime": base.now()}
    return {"DomainArn": found["DomainArn"]}


@sagemaker.operation("DeleteDomain")
def delete_domain(call: Call) -> dict[str, Any]:
    """Refused while the domain has user profiles: "ResourceInUse" (API Reference, DeleteDomain)."""
    base.only(call.params, "DeleteDomain", "DomainId", "RetentionPolicy")
    if any(domain == call.params["DomainId"] for domain, _ in known(call).profiles):
        raise AwsError("ResourceInUse", f"Unable to delete Domain {call.params['DomainId']}: it has UserProfiles.")
    base.drop_tags(call.cloud, find(call)["DomainArn"])
    del known(call).by_id[call.params["DomainId"]]
    return {}


@sagemaker.operation("EnableSagemakerServicecatalogPortfolio", "DisableSagemakerServicecatalogPortfolio")
def show_or_hide_templates(call: Call) -> dict[str, Any]:
    known(call).templates = call.operation.startswith("Enable")
    return {}


@sagemaker.operation("GetSagemakerServicecatalogPortfolioStatus")
def templates_status(call: Call) -> dict[str, Any]:
    return {"Status": "Enabled" if known(call).templates else "Disabled"}
