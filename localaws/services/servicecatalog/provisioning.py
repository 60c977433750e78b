"""Launching products: each launch is a CloudFormation stack made as the launch constraint's role.

Service Catalog API Reference: ProvisionProduct, UpdateProvisionedProduct, TerminateProvisionedProduct,
DescribeProvisionedProduct, SearchProvisionedProducts, ScanProvisionedProducts, DescribeRecord,
ListRecordHistory, GetProvisionedProductOutputs. Administrator Guide, "Launch constraints": with a launch
role, the stack is made with that role's permissions; without one, with the end user's own.
"AutoTags" in the same guide: the tags that the stack gets from Service Catalog.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.principals import Principal
from awslang.template import template as templates
from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.servicecatalog.launch import SERVICE, Launch, create_stack, delete_stack, perform, update_stack
from localaws.services.servicecatalog.portfolios import launch_constraints, launch_role, rules_of
from localaws.services.servicecatalog.products import copy_url, keep_copy
from localaws.services.servicecatalog.service import operation
from localaws.services.servicecatalog.state import (
    Artifact,
    Catalog,
    Portfolio,
    Product,
    Provisioned,
    Record,
    catalog_of,
    found,
    given,
    invalid,
    make_id,
    now,
    page,
    tag_list,
    tags_of,
)
from localaws.services.servicecatalog.tag_options import launch_tags
from localaws.services.servicecatalog.users import choose_path, paths, visible_artifact, visible_product

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


# -- what is shown -----------------------------------------------------------------------------


def record_detail(record: Record) -> dict[str, Any]:
    return given(
        RecordId=record.id,
        ProvisionedProductName=record.product_name,
        Status=record.status,
        CreatedTime=record.created,
        UpdatedTime=record.updated,
        ProvisionedProductType="CFN_STACK",
        RecordType=record.type,
        ProvisionedProductId=record.provisioned,
        ProductId=record.product,
        ProvisioningArtifactId=record.artifact,
        PathId=record.path,
        RecordErrors=record.errors,
        RecordTags=tag_list(record.tags),
        LaunchRoleArn=record.launch_role,
    )


def detail(provisioned: Provisioned) -> dict[str, Any]:
    return given(
        Name=provisioned.name,
        Arn=provisioned.arn,
        Type="CFN_STACK",
        Id=provisioned.id,
        Status=provisioned.status,
        StatusMessage=provisioned.message,
        CreatedTime=provisioned.created,
        IdempotencyToken=provisioned.token,
        LastRecordId=provisioned.last_record,
        LastProvisioningRecordId=provisioned.last_provisioning_record,
        LastSuccessfulProvisioningRecordId=provisioned.last_successful_record,
        ProductId=provisioned.product,
        ProvisioningArtifactId=provisioned.artifact,
        LaunchRoleArn=provisioned.launch_role,
    )


def attributes(catalog: Catalog, provisioned: Provisioned) -> dict[str, Any]:
    """A provisioned product as SearchProvisionedProducts shows it."""
    product = catalog.products.get(provisioned.product)
    artifact = product.artifacts.get(provisioned.artifact) if product else None
    shown = detail(provisioned)
    shown.pop("LaunchRoleArn", None)
    return {
        **shown,
        **given(
            PhysicalId=provisioned.stack_id,
            ProductName=product.name if product else None,
            ProvisioningArtifactName=artifact.name if artifact else None,
            UserArn=provisioned.user_arn,
            UserArnSession=provisioned.user_arn_session,
        ),
        "Tags": tag_list(provisioned.tags),
    }


# -- requests ----------------------------------------------------------------------------------


def refuse_preferences(params: dict[str, Any]) -> None:
    if params.get("ProvisioningPreferences"):
        raise NotSupported("servicecatalog: ProvisioningPreferences (products launched as stack sets)")


def role_for(call: Call, catalog: Catalog, portfolio: Portfolio, product: Product) -> str:
    constraint = next(iter(launch_constraints(catalog, portfolio.id, product.id)), None)
    return launch_role(call.account, constraint) if constraint else ""


def template_url(call: Call, catalog: Catalog, portfolio: Portfolio, product: Product, artifact: Artifact) -> str:
    """Where the template is: with the rules of template constraints among its own, which CloudFormation checks."""
    rules = rules_of(catalog, portfolio.id, product.id)
    if not rules:
        return copy_url(call.region, artifact.id)
    document = templates.parse(artifact.template).document
    body = json.dumps({**document, "Rules": {**document.get("Rules", {}), **rules}}, default=str)
    keep_copy(call.cloud, call.region, f"{artifact.id}-{portfolio.id}", body)
    return copy_url(call.region, f"{artifact.id}-{portfolio.id}")


def start(call: Call, record_type: str, provisioned: Provisioned, work: Callable[..., None], *args: Any) -> Record:
    """Make the record of a request and begin the work."""
    catalog = catalog_of(call)
    record = Record(
        make_id("rec"),
        record_type,
        provisioned.name,
        provisioned.id,
        provisioned.product,
        provisioned.artifact,
        provisioned.path,
        provisioned.launch_role,
        now(),
        now(),
        call.principal.role_arn or call.principal.arn,
        call.principal.arn,
        tags=dict(provisioned.tags),
    )
    catalog.records[record.id] = record
    provisioned.last_record = record.id
    if record_type != "TERMINATE_PROVISIONED_PRODUCT":
        provisioned.last_provisioning_record = record.id
    provisioned.status, provisioned.message = "UNDER_CHANGE", ""
    launch = Launch(call.cloud, catalog, provisioned, record, call.forward(SERVICE), call.region)
    call.cloud.background(f"servicecatalog {provisioned.id}", perform, launch, work, *args)
    return record


@operation("ProvisionProduct", token="ProvisionToken")
def provision_product(call: Call) -> dict[str, Any]:
    catalog, params = catalog_of(call), call.params
    refuse_preferences(params)
    product = visible_product(call, params.get("ProductId"), params.get("ProductName"))
    artifact = visible_artifact(product, params.get("ProvisioningArtifactId"), params.get("ProvisioningArtifactName"))
    if artifact.guidance == "DEPRECATED":
        raise invalid(f"Provisioning artifact {artifact.id} is deprecated: new products cannot be launched from it.")
    path, portfolio = choose_path(call, product, params.get("PathId"), params.get("PathName"))
    name = params["ProvisionedProductName"]
    if name in {p.name for p in catalog.provisioned.values()}:
        raise AwsError("DuplicateResourceException", f"A provisioned product named {name} exists already.")
    id = make_id("pp")
    provisioned = Provisioned(
        id=id,
        arn=arn("servicecatalog", call.region, call.account, f"stack/{name}/{id}"),
        name=name,
        product=product.id,
        artifact=artifact.id,
        path=path,
        launch_role=role_for(call, catalog, portfolio, product),
        stack_name=f"SC-{call.account}-{id}",
        user_arn=call.principal.role_arn or call.principal.arn,
        user_arn_session=call.principal.arn,
        created=now(),
        token=params.get("ProvisionToken", ""),
        tags={
            **portfolio.tags,
            **product.tags,
            **tags_of(params),
            **launch_tags(catalog, portfolio, product, tags_of(params)),
        },
    )
    provisioned.auto_tags = auto_tags(provisioned, portfolio, product, artifact)
    catalog.provisioned[id] = provisioned
    request = {
        "StackName": provisioned.stack_name,
        "TemplateURL": template_url(call, catalog, portfolio, product, artifact),
        "Parameters": [cfn_parameter(p) for p in params.get("ProvisioningParameters") or []],
        "Tags": tag_list({**provisioned.tags, **provisioned.auto_tags}),
        "Capabilities": CAPABILITIES,
        "NotificationARNs": params.get("NotificationArns") or [],
    }
    return {"RecordDetail": record_detail(start(call, "PROVISION_PRODUCT", provisioned, create_stack, request))}


def cfn_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    if parameter.get("UsePreviousValue"):
        return {"ParameterKey": parameter["Key"], "UsePreviousValue": True}
    return {"ParameterKey": parameter["Key"], "ParameterValue": parameter.get("Value", "")}


def auto_tags(provisioned: Provisioned, portfolio: Portfolio, product: Product, artifact: Artifact) -> dict[str, str]:
    """Administrator Guide, "AWS Service Catalog AutoTags": they tell the launch, and no update changes them."""
    return {
        "aws:servicecatalog:productArn": product.arn,
        "aws:servicecatalog:portfolioArn": portfolio.arn,
        "aws:servicecatalog:provisioningPrincipalArn": provisioned.user_arn_session,
        "aws:servicecatalog:provisionedProductArn": provisioned.arn,
        "aws:servicecatalog:provisioningArtifactIdentifier": artifact.id,
    }


def find_provisioned(catalog: Catalog, id: str | None, name: str | None) -> Provisioned:
    if bool(id) == bool(name):
        raise invalid("Specify either the provisioned product's id or its name, and not both.")
    wanted = [p for p in catalog.provisioned.values() if p.id == id or (name and p.name == name)]
    return found(wanted[0] if wanted else None, f"Provisioned product {id or name} not found.")


def changeable(call: Call) -> Provisioned:
    """The provisioned product of a request that changes it; refused while another change runs."""
    params = call.params
    provisioned = find_provisioned(
        catalog_of(call), params.get("ProvisionedProductId"), params.get("ProvisionedProductName")
    )
    if provisioned.status == "UNDER_CHANGE":
        raise invalid(f"Provisioned product {provisioned.id} is under change: wait until it is done.")
    return provisioned


@operation("UpdateProvisionedProduct", token="UpdateToken")
def update_provisioned_product(call: Call) -> dict[str, Any]:
    """PathId is "optional if the product has a default path" (API Reference): also where the former one is gone."""
    catalog, params = catalog_of(call), call.params
    refuse_preferences(params)
    provisioned = changeable(call)
    if params.get("ProductId") or params.get("ProductName"):
        product = visible_product(call, params.get("ProductId"), params.get("ProductName"))
        if product.id != provisioned.product:
            raise NotSupported("servicecatalog: changing the product of a provisioned product")
    product = visible_product(call, provisioned.product, None)
    wanted, name = params.get("ProvisioningArtifactId"), params.get("ProvisioningArtifactName")
    artifact = visible_artifact(product, wanted if wanted or name else provisioned.artifact, name)
    former = provisioned.path if provisioned.path in paths(catalog, product, call.principal) else None
    path = params.get("PathId") or (None if params.get("PathName") else former)
    provisioned.path, portfolio = choose_path(call, product, path, params.get("PathName"))
    if params.get("Tags"):
        raise invalid("Tags of a provisioned product can be changed only where a RESOURCE_UPDATE constraint allows it.")
    provisioned.launch_role = role_for(call, catalog, portfolio, product)
    request = {
        "StackName": provisioned.stack_name,
        "TemplateURL": template_url(call, catalog, portfolio, product, artifact),
        "Parameters": [cfn_parameter(p) for p in params.get("ProvisioningParameters") or []],
        "Tags": tag_list({**provisioned.tags, **provisioned.auto_tags}),
        "Capabilities": CAPABILITIES,
    }
    record = start(call, "UPDATE_PROVISIONED_PRODUCT", provisioned, update_stack, request)
    record.artifact = artifact.id
    return {"RecordDetail": record_detail(record)}


@operation("TerminateProvisionedProduct", token="TerminateToken")
def terminate_provisioned_product(call: Call) -> dict[str, Any]:
    if call.params.get("RetainPhysicalResources"):
        raise NotSupported("servicecatalog: TerminateProvisionedProduct with RetainPhysicalResources")
    provisioned = changeable(call)
    ignore = bool(call.params.get("IgnoreErrors"))
    record = start(call, "TERMINATE_PROVISIONED_PRODUCT", provisioned, delete_stack, ignore)
    return {"RecordDetail": record_detail(record)}


# -- reading -----------------------------------------------------------------------------------


@operation("DescribeProvisionedProduct")
def describe_provisioned_product(call: Call) -> dict[str, Any]:
    provisioned = find_provisioned(catalog_of(call), call.params.get("Id"), call.params.get("Name"))
    return {"ProvisionedProductDetail": detail(provisioned), "CloudWatchDashboards": []}


@operation("DescribeRecord")
def describe_record(call: Call) -> dict[str, Any]:
    record = found(catalog_of(call).records.get(call.params["Id"]), f"Record {call.params['Id']} not found.")
    return {"RecordDetail": record_detail(record), **page(call, "RecordOutputs", record.outputs)}


@operation("ListRecordHistory")
def list_record_history(call: Call) -> dict[str, Any]:
    """The newest first; the caller's own, unless AccessLevelFilter asks for more (API Reference, ListRecordHistory)."""
    params = call.params
    records = [r for r in catalog_of(call).records.values() if accessible(r, params, call.principal, default="User")]
    if wanted := params.get("SearchFilter"):
        key, value = wanted.get("Key", ""), wanted.get("Value", "")
        if key not in ("product", "provisionedproduct"):
            raise invalid("SearchFilter takes the keys product and provisionedproduct only.")
        records = [r for r in records if value == (r.product if key == "product" else r.provisioned)]
    return page(call, "RecordDetails", [record_detail(record) for record in reversed(records)])


def accessible(
    of: Provisioned | Record, params: dict[str, Any], principal: Principal, *, default: str = "Account"
) -> bool:
    """AccessLevelFilter: Account, Role or User, always with the value self."""
    level = params.get("AccessLevelFilter") or {"Key": default, "Value": "self"}
    if level.get("Value") != "self":
        raise invalid("AccessLevelFilter takes only the value self.")
    if level["Key"] == "Account":
        return True
    if level["Key"] == "Role":
        return of.user_arn == (principal.role_arn or principal.arn)
    return of.user_arn_session == principal.arn


@operation("ScanProvisionedProducts")
def scan_provisioned_products(call: Call) -> dict[str, Any]:
    everything = catalog_of(call).provisioned.values()
    return page(
        call, "ProvisionedProducts", [detail(p) for p in everything if accessible(p, call.params, call.principal)]
    )


SEARCHABLE = {  # SearchProvisionedProductsInput.Filters: the fields that SearchQuery knows
    "arn": "Arn",
    "id": "Id",
    "name": "Name",
    "status": "Status",
    "type": "Type",
    "physicalId": "PhysicalId",
    "productId": "ProductId",
    "productName": "ProductName",
    "provisioningArtifactId": "ProvisioningArtifactId",
    "provisioningArtifactName": "ProvisioningArtifactName",
    "lastRecordId": "LastRecordId",
    "idempotencyToken": "IdempotencyToken",
    "userArn": "UserArn",
    "userArnSession": "UserArnSession",
}


def answers_query(shown: dict[str, Any], query: str) -> bool:
    """field:value, or a word that any field may hold."""
    name, colon, value = query.partition(":")
    if not colon:
        return any(query.lower() in str(shown.get(member, "")).lower() for member in SEARCHABLE.values())
    if name not in SEARCHABLE:
        raise NotSupported(f"servicecatalog: SearchProvisionedProducts by {name}")
    return str(shown.get(SEARCHABLE[name], "")) == value.strip('"')


@operation("SearchProvisionedProducts")
def search_provisioned_products(call: Call) -> dict[str, Any]:
    params, catalog = call.params, catalog_of(call)
    if params.get("SortBy"):
        raise NotSupported("servicecatalog: SearchProvisionedProducts with SortBy")
    if set(params.get("Filters") or {}) - {"SearchQuery"}:
        raise invalid("SearchProvisionedProducts takes the filter SearchQuery only.")
    listed = [attributes(catalog, p) for p in catalog.provisioned.values() if accessible(p, params, call.principal)]
    for query in (params.get("Filters") or {}).get("SearchQuery", []):
        listed = [shown for shown in listed if answers_query(shown, query)]
    return {**page(call, "ProvisionedProducts", listed), "TotalResultsCount": len(listed)}


@operation("GetProvisionedProductOutputs")
def get_provisioned_product_outputs(call: Call) -> dict[str, Any]:
    catalog, params = catalog_of(call), call.params
    provisioned = find_provisioned(catalog, params.get("ProvisionedProductId"), params.get("ProvisionedProductName"))
    record = catalog.records.get(provisioned.last_successful_record)
    outputs = record.outputs if record else []
    wanted = params.get("OutputKeys")
    if wanted:
        missing = set(wanted) - {output["OutputKey"] for output in outputs}
        if missing:
            raise invalid(f"Output keys not found: {', '.join(sorted(missing))}")
        outputs = [output for output in outputs if output["OutputKey"] in wanted]
    return page(call, "Outputs", outputs)
