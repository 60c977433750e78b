"""Publishing the bundle to Service Catalog: the plan, and applying it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.patience import code, patiently, until
from scripts.kit.plan import PlanStep
from scripts.kit.publish import sharing, tag_options
from scripts.kit.publish.catalog import STUDIO_TAG, CatalogVersion, FoundProduct, WantedProduct

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import TagTypeDef
    from mypy_boto3_servicecatalog import ServiceCatalogClient
    from mypy_boto3_servicecatalog.literals import PrincipalTypeType
    from mypy_boto3_servicecatalog.type_defs import ProvisioningArtifactPropertiesTypeDef

PROVISIONING_TAG = ("servicecatalog:provisioning", "true")  # what the stock launch role may read anywhere
PORTFOLIO_DESCRIPTION = "SageMaker project templates of the organization."
CONSTRAINT_DESCRIPTION = "Projects are made with AWS's own launch role."
PATIENCE = 180.0  # seconds for a new version to become AVAILABLE, or for a new role to be seen
VERSIONS_PER_PRODUCT = 100  # Service Catalog Administrator Guide, "Service quotas"


def make_plan(want: WantedProduct, found: FoundProduct, catalog: bool = True) -> list[PlanStep]:
    """What to create, change and leave alone, in the order in which it is applied. catalog: False for objects alone."""
    if not catalog:
        return plan_objects(want, found)
    return [
        *plan_objects(want, found),
        plan_portfolio(want, found),
        plan_product(want, found),
        *plan_versions(want, found),
        PlanStep("keep" if found.associated else "create", "association", f"{want.product} in {want.portfolio}"),
        *tag_options.plan(want.tags, found.options),
        plan_constraint(want, found),
        *(PlanStep("keep" if p in found.principals else "create", "principal", p) for p in want.principals),
        *sharing.plan(want.shares, found.shares, found.organization, patterns(want)),
        *plan_older(want, found),
    ]


def patterns(want: WantedProduct) -> bool:
    """Whether a principal is a pattern, which stands for roles of other accounts too."""
    return any(principal_type(principal) == "IAM_PATTERN" for principal in want.principals)


def principal_type(principal: str) -> PrincipalTypeType:
    """An ARN without an account is a pattern (API Reference, AssociatePrincipalWithPortfolio: PrincipalType)."""
    return "IAM_PATTERN" if ":iam:::" in principal else "IAM"


def plan_objects(want: WantedProduct, found: FoundProduct) -> list[PlanStep]:
    steps = []
    for key, content in want.objects.items():
        size, tags = found.objects.get(key, (-1, {}))
        if size not in (-1, len(content)):
            raise UserError(
                f"s3://{want.bucket}/{key} exists with other content, which publishing never overwrites. "
                "Look who wrote it; deleting it lets `make publish` upload it again"
            )
        if size == -1:
            steps.append(PlanStep("create", "s3 object", key, f"{len(content):,} bytes", {"Key": key}))
        elif tags.get(PROVISIONING_TAG[0]) != PROVISIONING_TAG[1]:
            merged = {**tags, PROVISIONING_TAG[0]: PROVISIONING_TAG[1]}
            steps.append(PlanStep("change", "s3 object", key, "its tag was missing", {"Key": key, "tags": merged}))
        else:
            steps.append(PlanStep("keep", "s3 object", key))
    return steps


def plan_portfolio(want: WantedProduct, found: FoundProduct) -> PlanStep:
    fields = {"ProviderName": want.owner, "Description": PORTFOLIO_DESCRIPTION}
    if not found.portfolio:
        tags = {"Tags": tag_list(want.tags)} if want.tags else {}
        return PlanStep(
            "create", "portfolio", want.portfolio, request={"DisplayName": want.portfolio, **fields, **tags}
        )
    changed: dict[str, Any] = {name: value for name, value in fields.items() if found.portfolio.get(name) != value}
    if missing := {key: value for key, value in want.tags.items() if found.portfolio_tags.get(key) != value}:
        changed["AddTags"] = tag_list(missing)
    return PlanStep("change" if changed else "keep", "portfolio", want.portfolio, ", ".join(changed), changed)


def plan_product(want: WantedProduct, found: FoundProduct) -> PlanStep:
    if not found.product:
        return PlanStep("create", "product", want.product)
    changed: dict[str, Any] = {}
    if found.product.get("Owner") != want.owner:
        changed["Owner"] = want.owner
    if found.product.get("ShortDescription") != want.description:
        changed["Description"] = want.description
    tags = product_tags(want)
    if missing := {key: value for key, value in tags.items() if found.product_tags.get(key) != value}:
        changed["AddTags"] = tag_list(missing)
    return PlanStep("change" if changed else "keep", "product", want.product, ", ".join(changed), changed)


def product_tags(want: WantedProduct) -> dict[str, str]:
    return {**want.tags, STUDIO_TAG[0]: STUDIO_TAG[1]}


def tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def current_version(want: WantedProduct, found: FoundProduct) -> CatalogVersion | None:
    """The version that is being published, if it is there and did not fail; the first one should there be several."""
    return next((v for v in found.versions if v.name == want.version and v.status != "FAILED"), None)


def plan_versions(want: WantedProduct, found: FoundProduct) -> list[PlanStep]:
    current = current_version(want, found)
    if current is None:
        if len(found.versions) >= VERSIONS_PER_PRODUCT:
            raise UserError(
                f"the product has {len(found.versions)} versions, and Service Catalog takes {VERSIONS_PER_PRODUCT}. "
                "`make versions` shows which of them no project runs: delete such old ones (Service Catalog console, "
                "the product, Versions; or `aws servicecatalog delete-provisioning-artifact`), have the quota raised "
                "(Service Quotas, Provisioning artifacts per product), or name another product (catalog.product)"
            )
        return [PlanStep("create", "version", want.version)]
    changed: dict[str, Any] = {}
    if not current.active:
        changed["Active"] = True
    if current.guidance != "DEFAULT":
        changed["Guidance"] = "DEFAULT"
    waiting = "" if current.status == "AVAILABLE" else "still being created"
    action = "change" if changed else "keep"
    request = {"ProvisioningArtifactId": current.id, **changed}
    return [PlanStep(action, "version", want.version, ", ".join(changed) or waiting, request)]  # type: ignore[arg-type]


def plan_constraint(want: WantedProduct, found: FoundProduct) -> PlanStep:
    role = want.launch_role.rsplit("/", 1)[1]
    if not found.constraint:
        return PlanStep("create", "constraint", f"launch as {role}")
    if found.constraint_role != want.launch_role:
        return PlanStep("change", "constraint", f"launch as {role}", f"was {found.constraint_role}")
    return PlanStep("keep", "constraint", f"launch as {role}")


def plan_older(want: WantedProduct, found: FoundProduct) -> list[PlanStep]:
    """Every other version becomes deprecated: existing projects keep it, new ones cannot use it.

    A version that puts nothing between a push and production becomes inactive: nothing goes back to it either (API
    Reference, UpdateProvisioningArtifact: "End users cannot launch or update" from it; Administrator Guide, "Managing
    Versions": products launched from it are not affected).
    """
    current = current_version(want, found)
    steps = []
    for version in found.versions:
        if current is not None and version.id == current.id:
            continue
        wanted: dict[str, Any] = {} if version.guidance == "DEPRECATED" else {"Guidance": "DEPRECATED"}
        if version.unguarded and version.active:
            wanted["Active"] = False
        action = "change" if wanted else "keep"
        detail = "becomes inactive" if "Active" in wanted else "becomes deprecated" if wanted else ""
        request = {"ProvisioningArtifactId": version.id, **wanted}
        steps.append(PlanStep(action, "older version", version.name, detail, request))  # type: ignore[arg-type]
    return steps


# -- applying it -------------------------------------------------------------------------------


@dataclass
class PublishedIds:
    """What was found or made so far."""

    portfolio: str
    product: str
    version: str


def apply(
    connection: Connection,
    want: WantedProduct,
    found: FoundProduct,
    steps: list[PlanStep],
    *,
    report: Callable[[PlanStep], None] = lambda step: None,
) -> PublishedIds:
    """Carry the plan out; report is called after each step that wrote."""
    current = current_version(want, found)
    ids = PublishedIds(found.portfolio.get("Id", ""), found.product.get("ProductId", ""), current.id if current else "")
    catalog = connection.client("servicecatalog")
    for step in steps:
        if step.writes and step.kind == "s3 object":
            write_object(connection.client("s3"), want, step)
        elif step.writes:
            WRITERS[step.kind](catalog, want, found, ids, step)
        if step.kind == "version":
            wait_until_available(catalog, want, ids)
        if step.writes:
            report(step)
    return ids


def write_object(s3: S3Client, want: WantedProduct, step: PlanStep) -> None:
    key, owner = step.request["Key"], want.account
    if step.action == "change":
        tags: list[TagTypeDef] = [{"Key": name, "Value": value} for name, value in step.request["tags"].items()]
        s3.put_object_tagging(Bucket=want.bucket, Key=key, Tagging={"TagSet": tags}, ExpectedBucketOwner=owner)
        return
    content = want.objects[key]
    tagging = f"{PROVISIONING_TAG[0].replace(':', '%3A')}={PROVISIONING_TAG[1]}"
    s3.put_object(
        Bucket=want.bucket,
        Key=key,
        Body=content,
        Tagging=tagging,
        ChecksumAlgorithm="SHA256",
        IfNoneMatch="*",  # nothing that is published is overwritten
        ExpectedBucketOwner=owner,
    )


def write_portfolio(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    if step.action == "change":
        catalog.update_portfolio(Id=ids.portfolio, **step.request)
    else:
        ids.portfolio = catalog.create_portfolio(**step.request)["PortfolioDetail"]["Id"]


def write_product(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    if step.action == "change":
        catalog.update_product(Id=ids.product, **step.request)
        return
    answer = catalog.create_product(  # type: ignore[call-arg]  # botocore adds the IdempotencyToken
        Name=want.product,
        Owner=want.owner,
        Description=want.description,
        ProductType="CLOUD_FORMATION_TEMPLATE",
        Tags=tag_list(product_tags(want)),
        ProvisioningArtifactParameters=artifact_parameters(want),
    )
    ids.product = answer["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    ids.version = answer["ProvisioningArtifactDetail"]["Id"]


def artifact_parameters(want: WantedProduct) -> ProvisioningArtifactPropertiesTypeDef:
    return {
        "Name": want.version,
        "Description": f"Bundle {want.version}",
        "Type": "CLOUD_FORMATION_TEMPLATE",
        "Info": {"LoadTemplateFromURL": want.template_url},
    }


def write_version(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    if step.action == "change":
        catalog.update_provisioning_artifact(ProductId=ids.product, **step.request)
    elif found.product:  # a new product was made together with its first version
        answer = catalog.create_provisioning_artifact(  # type: ignore[call-arg]  # botocore adds the IdempotencyToken
            ProductId=ids.product, Parameters=artifact_parameters(want)
        )
        ids.version = answer["ProvisioningArtifactDetail"]["Id"]


def write_association(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    catalog.associate_product_with_portfolio(ProductId=ids.product, PortfolioId=ids.portfolio)


def write_constraint(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    parameters = json.dumps({"RoleArn": want.launch_role})
    if step.action == "change":
        catalog.update_constraint(Id=found.constraint, Parameters=parameters)
        return
    create = partial(
        catalog.create_constraint,
        PortfolioId=ids.portfolio,
        ProductId=ids.product,
        Type="LAUNCH",
        Description=CONSTRAINT_DESCRIPTION,
        Parameters=parameters,
    )
    patiently("the launch constraint", create, not_seen_yet, PATIENCE)


def not_seen_yet(error: ClientError) -> bool:
    """Whether Service Catalog does not see a role, a product or an association that was just made.

    These errors Terraform's provider for AWS sends the request again for (resource aws_servicecatalog_constraint).
    """
    missing_role = code(error) == "InvalidParametersException" and "profile does not exist" in str(error)
    return missing_role or code(error) == "ResourceNotFoundException"


def write_principal(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    kind = principal_type(step.name)
    catalog.associate_principal_with_portfolio(PortfolioId=ids.portfolio, PrincipalARN=step.name, PrincipalType=kind)


def write_share(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    sharing.apply(catalog, want.account, ids.portfolio, step)


def write_tag_option(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    tag_options.apply(catalog, ids.product, step)


def write_older(
    catalog: ServiceCatalogClient, want: WantedProduct, found: FoundProduct, ids: PublishedIds, step: PlanStep
) -> None:
    catalog.update_provisioning_artifact(ProductId=ids.product, **step.request)


WRITERS: dict[str, Callable[[ServiceCatalogClient, WantedProduct, FoundProduct, PublishedIds, PlanStep], None]] = {
    "portfolio": write_portfolio,
    "product": write_product,
    "version": write_version,
    "association": write_association,
    "constraint": write_constraint,
    "principal": write_principal,
    "share": write_share,
    tag_options.KIND: write_tag_option,
    "older version": write_older,
}


def wait_until_available(catalog: ServiceCatalogClient, want: WantedProduct, ids: PublishedIds) -> None:
    """Wait for the version; UserError when AWS refuses its template or takes too long."""

    def ended() -> str | None:
        answer = catalog.describe_provisioning_artifact(ProductId=ids.product, ProvisioningArtifactId=ids.version)
        return None if answer["Status"] == "CREATING" else str(answer["Status"])

    def late() -> UserError:
        return UserError(
            f"the version {want.version} is still being created after {PATIENCE:.0f} s. "
            "Run `make publish` again: it continues from here"
        )

    if until(f"version {want.version}", ended, PATIENCE, lambda: "being created", late) != "AVAILABLE":
        raise UserError(
            f"Service Catalog could not take the version {want.version}: it could not read {want.template_url}, "
            "or the template in it is not valid. `make lint` checks templates/30-project.yaml"
        )
