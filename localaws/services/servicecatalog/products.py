"""Products and their versions (provisioning artifacts).

Service Catalog API Reference: CreateProduct, CreateProvisioningArtifact, UpdateProvisioningArtifact,
SearchProductsAsAdmin, DescribeProductAsAdmin and their counterparts. A version's template is read from
S3 with the caller's permissions, in the background: CREATING, then AVAILABLE or FAILED. Service Catalog
keeps a copy of its own, tagged servicecatalog:provisioning=true, which the launch role reads later
(Service Catalog Administrator Guide, "Launch constraints": the launch role's policy has s3:GetObject
under that condition).
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from awslang.template import template as templates
from localaws.calls import Call
from localaws.cloud import Cloud, Session, arn
from localaws.services.servicecatalog.portfolios import change_tags
from localaws.services.servicecatalog.service import operation
from localaws.services.servicecatalog.state import (
    ARTIFACTS_PER_PRODUCT,
    Artifact,
    Catalog,
    Product,
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

CATALOG_ACCOUNT = "000000000000"  # the account that Service Catalog itself owns
CLOUDFORMATION_TEMPLATE = "CLOUD_FORMATION_TEMPLATE"
HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]))?\.amazonaws\.com(?:\.cn)?")
DETAILS = {  # input member: member of the product's view
    "Name": "Name",
    "Owner": "Owner",
    "Description": "ShortDescription",
    "Distributor": "Distributor",
    "SupportDescription": "SupportDescription",
    "SupportEmail": "SupportEmail",
    "SupportUrl": "SupportUrl",
}


# -- what is shown -----------------------------------------------------------------------------


def summary(product: Product, has_default_path: bool = False) -> dict[str, Any]:
    return {
        "Id": product.view_id,
        "ProductId": product.id,
        "Type": CLOUDFORMATION_TEMPLATE,
        "HasDefaultPath": has_default_path,
        **product.details,
    }


def view(product: Product) -> dict[str, Any]:
    return {
        "ProductViewSummary": summary(product),
        "Status": status_of(product),
        "ProductARN": product.arn,
        "CreatedTime": product.created,
    }


def status_of(product: Product) -> str:
    """AVAILABLE as soon as one of its versions is."""
    statuses = {artifact.status for artifact in product.artifacts.values()}
    return next(status for status in ("AVAILABLE", "CREATING", "FAILED") if status in statuses)


def artifact_detail(artifact: Artifact) -> dict[str, Any]:
    return given(
        Id=artifact.id,
        Name=artifact.name,
        Description=artifact.description,
        Type=CLOUDFORMATION_TEMPLATE,
        CreatedTime=artifact.created,
        Active=artifact.active,
        Guidance=artifact.guidance,
    )


def artifact_answer(artifact: Artifact) -> dict[str, Any]:
    return {
        "ProvisioningArtifactDetail": artifact_detail(artifact),
        "Info": {"TemplateUrl": artifact.url},
        "Status": artifact.status,
    }


# -- a version's template ----------------------------------------------------------------------


def s3_object(url: str) -> dict[str, str]:
    """Bucket, Key (and VersionId) of an S3 URL, path-style or virtual-hosted; InvalidParametersException otherwise."""
    parts = urlsplit(url)
    host = HOST.fullmatch(parts.netloc)
    if parts.scheme != "https" or not host:
        raise invalid(f"Invalid template URL: {url}. It must be the https URL of an object in Amazon S3.")
    path = unquote(parts.path.lstrip("/"))
    bucket, key = (host["bucket"], path) if host["bucket"] else path.partition("/")[::2]
    if not bucket or not key:
        raise invalid(f"Invalid template URL: {url}. It names no object.")
    version = parse_qs(parts.query).get("versionId")
    return {"Bucket": bucket, "Key": key, **({"VersionId": version[0]} if version else {})}


def new_artifact(call: Call, catalog: Catalog, product: Product, parameters: dict[str, Any]) -> Artifact:
    """Record a version and load its template in the background."""
    if parameters.get("Type", CLOUDFORMATION_TEMPLATE) != CLOUDFORMATION_TEMPLATE:
        raise NotSupported(f"servicecatalog: versions of type {parameters['Type']}")
    info = parameters.get("Info") or {}
    if "ImportFromPhysicalId" in info:
        raise NotSupported("servicecatalog: ImportFromPhysicalId")
    if set(info) != {"LoadTemplateFromURL"}:
        raise invalid("ProvisioningArtifactParameters.Info takes one of: LoadTemplateFromURL, ImportFromPhysicalId.")
    if len(product.artifacts) >= ARTIFACTS_PER_PRODUCT:
        raise AwsError("LimitExceededException", f"A product takes at most {ARTIFACTS_PER_PRODUCT} versions.")
    url = info["LoadTemplateFromURL"]
    source = s3_object(url)
    id = make_id("pa")
    artifact = Artifact(id, parameters.get("Name") or id, parameters.get("Description"), url, now())
    product.artifacts[id] = artifact
    check = not parameters.get("DisableTemplateValidation", False)
    session = call.forward("servicecatalog.amazonaws.com")
    call.cloud.background(f"servicecatalog version {id}", load, call.cloud, session, catalog, artifact, source, check)
    return artifact


def load(
    cloud: Cloud, session: Session, catalog: Catalog, artifact: Artifact, source: dict[str, str], check: bool
) -> None:
    """Read the template with the caller's permissions, check it, keep a copy: AVAILABLE or FAILED."""
    try:
        body = session.client("s3").get_object(**source)["Body"].read().decode()
        if check:
            templates.parse(body)
        keep_copy(cloud, session.region, artifact.id, body)
    except (ClientError, UnicodeDecodeError, templates.TemplateError) as error:
        with catalog.lock:
            artifact.status, artifact.reason = "FAILED", str(error)
        return
    with catalog.lock:
        artifact.status, artifact.template = "AVAILABLE", body


def copies(region: str) -> str:
    """The bucket of Service Catalog's own in which the copies lie."""
    return f"sc-templates-{region}"


def copy_url(region: str, artifact: str) -> str:
    return f"https://{copies(region)}.s3.{region}.amazonaws.com/{artifact}"


def keep_copy(cloud: Cloud, region: str, artifact: str, body: str) -> None:
    """The copy in Service Catalog's bucket: readable by every principal with s3:GetObject on tagged objects."""
    s3 = cloud.root(CATALOG_ACCOUNT, region).client("s3")
    bucket = copies(region)
    if bucket not in {item["Name"] for item in s3.list_buckets()["Buckets"]}:
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **location)
        s3.delete_public_access_block(Bucket=bucket)
        statement = {
            "Sid": "LaunchRolesReadTemplates",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    s3.put_object(Bucket=bucket, Key=artifact, Body=body.encode(), Tagging="servicecatalog%3Aprovisioning=true")


# -- products ----------------------------------------------------------------------------------


@operation("CreateProduct", token="IdempotencyToken")
def create_product(call: Call) -> dict[str, Any]:
    catalog, params = catalog_of(call), call.params
    if params["ProductType"] != CLOUDFORMATION_TEMPLATE or "SourceConnection" in params:
        raise NotSupported("servicecatalog: products other than CloudFormation templates, or synchronised with Git")
    if not params.get("ProvisioningArtifactParameters"):
        raise invalid("ProvisioningArtifactParameters are required for a product of type CLOUD_FORMATION_TEMPLATE.")
    id = make_id("prod")
    details = {shown: params[name] for name, shown in DETAILS.items() if params.get(name)}
    product_arn = arn("catalog", call.region, call.account, f"product/{id}")
    product = Product(id, make_id("prodview"), product_arn, details, tags_of(params), now())
    artifact = new_artifact(call, catalog, product, params["ProvisioningArtifactParameters"])
    catalog.products[id] = product
    return {
        "ProductViewDetail": view(product),
        "ProvisioningArtifactDetail": artifact_detail(artifact),
        "Tags": tag_list(product.tags),
    }


def named_product(catalog: Catalog, id: str | None, name: str | None) -> Product:
    """The product of this id or name; exactly one of the two must be given."""
    if bool(id) == bool(name):
        raise invalid("Specify either the product's id or its name, and not both.")
    if id:
        return catalog.product(id)
    return found(next((p for p in catalog.products.values() if p.name == name), None), f"Product {name} not found.")


@operation("DescribeProductAsAdmin")
def describe_product_as_admin(call: Call) -> dict[str, Any]:
    no_shares(call.params)
    product = named_product(catalog_of(call), call.params.get("Id"), call.params.get("Name"))
    summaries = [
        given(Id=a.id, Name=a.name, Description=a.description, CreatedTime=a.created)
        for a in product.artifacts.values()
    ]
    return {
        "ProductViewDetail": view(product),
        "ProvisioningArtifactSummaries": summaries,
        "Tags": tag_list(product.tags),
        "TagOptions": attached(call, product.id),
        "Budgets": [],
    }


@operation("UpdateProduct")
def update_product(call: Call) -> dict[str, Any]:
    if "SourceConnection" in call.params:
        raise NotSupported("servicecatalog: products synchronised with Git (SourceConnection)")
    product = catalog_of(call).product(call.params["Id"])
    product.details.update({shown: call.params[name] for name, shown in DETAILS.items() if name in call.params})
    change_tags(product.tags, call.params)
    return {"ProductViewDetail": view(product), "Tags": tag_list(product.tags)}


@operation("DeleteProduct")
def delete_product(call: Call) -> None:
    """Refused while it is in a portfolio ("You cannot delete a product if it … is associated with a portfolio")."""
    catalog = catalog_of(call)
    product = catalog.product(call.params["Id"])
    if catalog.portfolios_of(product.id):
        raise AwsError(
            "ResourceInUseException", f"Product {product.id} is associated with a portfolio and cannot be deleted."
        )
    if attached(call, product.id):  # Administrator Guide, "Deleting products"
        raise AwsError("ResourceInUseException", f"Product {product.id} has TagOptions and cannot be deleted.")
    del catalog.products[product.id]


FILTERS = {  # ProductViewFilterBy: what each filter looks into
    "FullTextSearch": ("Name", "Owner", "ShortDescription", "Distributor", "SupportDescription"),
    "Owner": ("Owner",),
}


def search(products: list[Product], params: dict[str, Any]) -> list[Product]:
    """Products that pass every filter, in the order asked for (SearchProductsInput: Filters, SortBy, SortOrder)."""
    for name, words in (params.get("Filters") or {}).items():
        if name not in FILTERS and name not in {"ProductType", "SourceProductId"}:
            raise invalid(f"Unknown filter: {name}")
        if name == "SourceProductId":
            raise NotSupported("servicecatalog: SourceProductId as a filter")
        products = [p for p in products if matches(p, name, words)]
    keys = {"Title": lambda p: p.name, "VersionCount": lambda p: len(p.artifacts), "CreationDate": lambda p: p.created}
    if sort := params.get("SortBy"):
        products = sorted(products, key=keys[sort])
    return products[::-1] if params.get("SortOrder") == "DESCENDING" else products


def matches(product: Product, name: str, words: list[str]) -> bool:
    if name == "ProductType":
        return CLOUDFORMATION_TEMPLATE in words
    text = " ".join(product.details.get(member, "") for member in FILTERS[name]).lower()
    return any(word.lower() in text for word in words)


@operation("SearchProductsAsAdmin")
def search_products_as_admin(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    products = list(catalog.products.values())
    if portfolio := call.params.get("PortfolioId"):
        inside = catalog.portfolio(portfolio).products
        products = [p for p in products if p.id in inside]
    return page(call, "ProductViewDetails", [view(p) for p in search(products, call.params)])


# -- versions ----------------------------------------------------------------------------------


def find_artifact(product: Product, id: str | None, name: str | None = None) -> Artifact:
    """The product's version of this id or name; exactly one of the two must be given."""
    if bool(id) == bool(name):
        raise invalid("Specify either the provisioning artifact's id or its name, and not both.")
    wanted = [a for a in product.artifacts.values() if a.id == id or (name and a.name == name)]
    return found(wanted[0] if wanted else None, f"Provisioning artifact {id or name} not found.")


@operation("CreateProvisioningArtifact", token="IdempotencyToken")
def create_provisioning_artifact(call: Call) -> dict[str, Any]:
    catalog = catalog_of(call)
    product = catalog.product(call.params["ProductId"])
    return artifact_answer(new_artifact(call, catalog, product, call.params["Parameters"]))


@operation("DescribeProvisioningArtifact")
def describe_provisioning_artifact(call: Call) -> dict[str, Any]:
    params = call.params
    product = named_product(catalog_of(call), params.get("ProductId"), params.get("ProductName"))
    artifact = find_artifact(product, params.get("ProvisioningArtifactId"), params.get("ProvisioningArtifactName"))
    answer = artifact_answer(artifact)
    if params.get("Verbose") and artifact.template:
        answer["Info"]["CloudFormationTemplate"] = artifact.template
    if params.get("IncludeProvisioningArtifactParameters") and artifact.template:
        answer["ProvisioningArtifactParameters"] = parameters_of(artifact)
    return answer


@operation("ListProvisioningArtifacts")
def list_provisioning_artifacts(call: Call) -> dict[str, Any]:
    """Every version at once: the request has no page token."""
    product = catalog_of(call).product(call.params["ProductId"])
    return {"ProvisioningArtifactDetails": [artifact_detail(a) for a in product.artifacts.values()]}


@operation("UpdateProvisioningArtifact")
def update_provisioning_artifact(call: Call) -> dict[str, Any]:
    params = call.params
    artifact = find_artifact(catalog_of(call).product(params["ProductId"]), params["ProvisioningArtifactId"])
    artifact.name = params.get("Name", artifact.name)
    artifact.description = params.get("Description", artifact.description)
    artifact.active = params.get("Active", artifact.active)
    artifact.guidance = params.get("Guidance", artifact.guidance)
    return artifact_answer(artifact)


@operation("DeleteProvisioningArtifact")
def delete_provisioning_artifact(call: Call) -> None:
    """The last version stays ("a product must have at least one provisioning artifact")."""
    product = catalog_of(call).product(call.params["ProductId"])
    artifact = find_artifact(product, call.params["ProvisioningArtifactId"])
    if len(product.artifacts) == 1:
        raise AwsError("ResourceInUseException", "A product must have at least one provisioning artifact.")
    del product.artifacts[artifact.id]


CONSTRAINT_KEYS = (
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
)


def parameters_of(artifact: Artifact) -> list[dict[str, Any]]:
    """The template's parameters, as DescribeProvisioningParameters shows them."""
    shown = []
    for name, parameter in templates.parse(artifact.template).parameters.items():
        limits = {key: parameter[key] for key in CONSTRAINT_KEYS if key in parameter}
        constraints = {k: [str(x) for x in v] if isinstance(v, list) else str(v) for k, v in limits.items()}
        default = parameter.get("Default")
        shown.append(
            {
                **given(
                    ParameterKey=name,
                    ParameterType=parameter["Type"],
                    Description=parameter.get("Description"),
                ),
                **({"DefaultValue": str(default)} if default is not None else {}),
                "IsNoEcho": str(parameter.get("NoEcho", False)).lower() == "true",
                "ParameterConstraints": {"AllowedValues": [], **constraints},
            }
        )
    return shown
