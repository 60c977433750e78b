"""Publishing the bundle to Service Catalog: what is wanted, what is there, the plan, and applying it.

Everything is found by name before anything is made, so that a run that was interrupted is taken up where
it stopped: an idempotency token would not do that, because every run has a new one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from scripts.bundle import members, pack, sharing
from scripts.bundle.connect import Connection
from scripts.bundle.console import UserError, explain, say
from scripts.bundle.environment import UNIT_ID, Environment
from scripts.bundle.patience import until
from scripts.bundle.plan import Step

STUDIO_TAG = (
    "sagemaker:studio-visibility",
    "true",
)  # lowercase: SageMaker Developer Guide, "Create Custom Project Templates"
LAUNCH_ROLE = "service-role/AmazonSageMakerServiceCatalogProductsLaunchRole"
PROVISIONING_TAG = ("servicecatalog:provisioning", "true")  # what the stock launch role may read anywhere
PORTFOLIO_DESCRIPTION = "SageMaker project templates of the organization."
PRODUCT_DESCRIPTION = "Deploys an approved model to every account of a staging and a production unit."
CONSTRAINT_DESCRIPTION = "Projects are made with AWS's own launch role."
PATIENCE = 180.0  # seconds for a new version to become AVAILABLE
VERSIONS_PER_PRODUCT = 100  # Service Catalog Administrator Guide, "Service quotas"


@dataclass(frozen=True)
class Wanted:
    """What publishing brings about; objects: content by key."""

    account: str
    region: str
    bucket: str
    objects: Mapping[str, bytes]
    portfolio: str
    product: str
    owner: str
    version: str
    template_url: str
    launch_role: str
    principals: tuple[str, ...]
    shares: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """A provisioning artifact of the product."""

    id: str
    name: str
    active: bool
    guidance: str
    status: str = ""  # asked for only where it matters


@dataclass(frozen=True)
class Found:
    """What there is already. objects: size and tags by key; versions: newest last."""

    objects: Mapping[str, tuple[int, Mapping[str, str]]] = field(default_factory=dict)
    portfolio: Mapping[str, Any] = field(default_factory=dict)
    product: Mapping[str, Any] = field(default_factory=dict)
    product_tags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    associated: bool = False
    constraint: str = ""
    constraint_role: str = ""
    principals: tuple[str, ...] = ()
    shares: tuple[sharing.Share, ...] = ()
    organization: str = ""  # its id, asked for only where the portfolio is shared with it


def bundle_bucket(account: str, region: str) -> str:
    """The bucket that templates/10-data-science-account.yaml makes."""
    return f"sagemaker-multi-account-bundle-{account}-{region}"


def installed(bundle: pack.Bundle, environment: Environment, connection: Connection) -> pack.Bundle:
    """The bundle as it is published here: what environment.yaml says are the defaults of the product's parameters."""
    return with_defaults(bundle, environment, connection.region, lambda unit, key: unit_default(unit, key, connection))


def with_defaults(
    bundle: pack.Bundle, environment: Environment, region: str, unit_of: Callable[[str, str], str]
) -> pack.Bundle:
    """The same, for this region; unit_of: the id of a unit, given as environment.yaml has it and its key there."""
    defaults = {
        "StackSetAdministrator": {"management": "SELF", "self-managed": "SELF_MANAGED"}.get(
            environment.administrator, "DELEGATED_ADMIN"
        ),
        "SageMakerExecutionRoleStagingName": f"sagemaker-role-{environment.roles.suffix.staging}",
        "SageMakerExecutionRoleProdName": f"sagemaker-role-{environment.roles.suffix.production}",
        "OrganizationalUnitStagingId": unit_of(environment.units.staging, "units.staging"),
        "OrganizationalUnitProdId": unit_of(environment.units.production, "units.production"),
    }
    if targets := environment.targets:
        defaults |= {"StagingAccountIds": ",".join(targets.staging), "ProdAccountIds": ",".join(targets.production)}
    declared = pack.product_parameters(bundle)
    known = {name: value for name, value in defaults.items() if value and name in declared}
    elsewhere = {"StagingRegions": environment.regions.staging, "ProdRegions": environment.regions.production}
    regions = {name: ",".join(wanted) for name, wanted in elsewhere.items() if wanted != (region,)}
    return pack.for_installation(bundle, {**known, **regions, **source_defaults(environment)})


def unit_default(unit: str, key: str, connection: Connection) -> str:
    """The id of a unit that may be named by its path; "" where these credentials cannot look it up."""
    if not unit or re.fullmatch(UNIT_ID, unit):
        return unit
    try:
        return members.unit_id(connection.client("organizations"), unit, key)
    except ClientError as error:
        say(f"  note: {key} is no default of the product, as its id cannot be looked up here: {explain(error)}")
        return ""


def source_defaults(environment: Environment) -> dict[str, str]:
    """Where the projects' repositories are, where that is not CodeCommit."""
    if environment.source.provider == "codecommit":
        return {}
    return {
        "SourceConnectionArn": environment.source.connection_arn,
        "SourceRepositoryOwner": environment.source.repository_owner,
    }


def wanted(environment: Environment, bundle: pack.Bundle, account: str, region: str, partition: str) -> Wanted:
    bucket = bundle_bucket(account, region)
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    files = {**bundle.files, pack.MANIFEST: pack.manifest(bundle)}
    return Wanted(
        account=account,
        region=region,
        bucket=bucket,
        objects={bundle.key(name): content for name, content in files.items()},
        portfolio=environment.catalog.portfolio,
        product=environment.catalog.product,
        owner=environment.catalog.owner,
        version=bundle.name,
        template_url=f"https://{bucket}.s3.{region}.{domain}/{bundle.key(pack.PRODUCT)}",
        launch_role=f"arn:{partition}:iam::{account}:role/{LAUNCH_ROLE}",
        principals=environment.portfolio_principals,
        shares=environment.catalog.share_with,
    )


# -- what there is -----------------------------------------------------------------------------


def pages(client: Any, operation: str, member: str, **arguments: Any) -> list[Any]:
    """Every item of a list, over all its pages."""
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(member, [])]


def look(connection: Connection, want: Wanted, catalog: bool = True) -> Found:
    """What there is already; UserError where something that publishing rests on is not there.

    catalog: False for the objects alone
    """
    objects = look_at_bucket(connection, want)
    if catalog:
        return look_at_catalog(connection, want, objects)
    return Found(objects=objects)


def look_at_catalog(
    connection: Connection, want: Wanted, objects: Mapping[str, tuple[int, Mapping[str, str]]]
) -> Found:
    check_launch_role(connection, want)
    catalog = connection.client("servicecatalog")
    portfolio = one(
        [p for p in pages(catalog, "list_portfolios", "PortfolioDetails") if p["DisplayName"] == want.portfolio],
        f"portfolios are named {want.portfolio!r}. Rename all but one, or choose another name (catalog.portfolio)",
    )
    views = [v["ProductViewSummary"] for v in pages(catalog, "search_products_as_admin", "ProductViewDetails")]
    product = one(
        [view for view in views if view["Name"] == want.product],
        f"products are named {want.product!r}. Rename all but one, or choose another name (catalog.product)",
    )
    found = look_closer(catalog, want, Found(objects=objects, portfolio=portfolio, product=product))
    if not want.shares:
        return found
    shares = sharing.look(catalog, portfolio["Id"]) if portfolio else ()
    organization = sharing.organization_id(connection) if sharing.ORGANIZATION in want.shares else ""
    return replace(found, shares=shares, organization=organization)


def look_at_bucket(connection: Connection, want: Wanted) -> dict[str, tuple[int, Mapping[str, str]]]:
    """The bundle's objects that are in the bucket already; UserError where the bucket is not there."""
    check_bucket(connection, want)
    return look_at_objects(connection, want)


def one(items: list[dict[str, Any]], several: str) -> dict[str, Any]:
    """The only item, or {} for none; UserError for several."""
    if len(items) > 1:
        raise UserError(f"{len(items)} {several}")
    return items[0] if items else {}


def look_closer(catalog: Any, want: Wanted, found: Found) -> Found:
    """With what hangs on the portfolio and the product."""
    tags: dict[str, str] = {}
    versions: tuple[Version, ...] = ()
    portfolio, product = found.portfolio.get("Id", ""), found.product.get("ProductId", "")
    if product:
        described = catalog.describe_product_as_admin(Id=product)
        tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
        versions = look_at_versions(catalog, product, want.version)
    associated, constraint, role = False, "", ""
    principals: tuple[str, ...] = ()
    if portfolio:
        listed = pages(catalog, "list_principals_for_portfolio", "Principals", PortfolioId=portfolio)
        principals = tuple(item["PrincipalARN"] for item in listed)
    if portfolio and product:
        listed = pages(catalog, "list_portfolios_for_product", "PortfolioDetails", ProductId=product)
        associated = portfolio in {item["Id"] for item in listed}
        constraint, role = look_at_constraint(catalog, portfolio, product)
    return replace(
        found,
        product_tags=tags,
        versions=versions,
        associated=associated,
        constraint=constraint,
        constraint_role=role,
        principals=principals,
    )


def look_at_versions(catalog: Any, product: str, current: str) -> tuple[Version, ...]:
    """Every version, with its status where it has the name that is being published."""
    versions = []
    for item in catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]:
        status = ""
        if item["Name"] == current:
            asked = catalog.describe_provisioning_artifact(ProductId=product, ProvisioningArtifactId=item["Id"])
            status = asked["Status"]
        active, guidance = item.get("Active", True), item.get("Guidance", "DEFAULT")
        versions.append(Version(item["Id"], item["Name"], active, guidance, status))
    return tuple(versions)


def look_at_constraint(catalog: Any, portfolio: str, product: str) -> tuple[str, str]:
    """Id and role of the launch constraint; empty when there is none."""
    listed = pages(
        catalog, "list_constraints_for_portfolio", "ConstraintDetails", PortfolioId=portfolio, ProductId=product
    )
    for item in listed:
        if item["Type"] == "LAUNCH":
            parameters = json.loads(catalog.describe_constraint(Id=item["ConstraintId"])["ConstraintParameters"])
            return item["ConstraintId"], parameters.get("RoleArn") or parameters.get("LocalRoleName", "")
    return "", ""


def check_bucket(connection: Connection, want: Wanted) -> None:
    """The bundle bucket must exist and be ours: a name can be taken by anybody."""
    try:
        connection.client("s3").head_bucket(Bucket=want.bucket, ExpectedBucketOwner=want.account)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            raise UserError(
                f"the bucket {want.bucket} does not exist in account {want.account}. Run `make accounts` first"
            ) from error
        if status == 403:
            raise UserError(
                f"the bucket {want.bucket} is not account {want.account}'s, or these credentials may not read it. "
                "Nothing was uploaded. If somebody else has taken the name, tell AWS Support"
            ) from error
        raise


def check_launch_role(connection: Connection, want: Wanted) -> None:
    try:
        connection.client("iam").get_role(RoleName=want.launch_role.rsplit("/", 1)[1])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            raise UserError(
                f"the launch role {want.launch_role} does not exist. AWS makes it when SageMaker projects are "
                "turned on for a Studio domain (SageMaker console, Domains, Settings)"
            ) from error
        raise


def look_at_objects(connection: Connection, want: Wanted) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Size and tags of the bundle's objects that are in the bucket already."""
    s3, owner = connection.client("s3"), want.account
    prefix = next(iter(want.objects)).split("/")[1]
    found: dict[str, tuple[int, Mapping[str, str]]] = {}
    paginator = s3.get_paginator("list_objects_v2")
    for page in paginator.paginate(Bucket=want.bucket, Prefix=f"bundle/{prefix}/", ExpectedBucketOwner=owner):
        for item in page.get("Contents", []):
            answer = s3.get_object_tagging(Bucket=want.bucket, Key=item["Key"], ExpectedBucketOwner=owner)
            found[item["Key"]] = (item["Size"], {tag["Key"]: tag["Value"] for tag in answer["TagSet"]})
    return found


# -- the plan ----------------------------------------------------------------------------------


def make_plan(want: Wanted, found: Found, catalog: bool = True) -> list[Step]:
    """What to create, change and leave alone, in the order in which it is applied. catalog: False for objects alone."""
    if not catalog:
        return plan_objects(want, found)
    return [
        *plan_objects(want, found),
        plan_portfolio(want, found),
        plan_product(want, found),
        *plan_versions(want, found),
        Step("keep" if found.associated else "create", "association", f"{want.product} in {want.portfolio}"),
        plan_constraint(want, found),
        *(Step("keep" if p in found.principals else "create", "principal", p) for p in want.principals),
        *sharing.plan(want.shares, found.shares, found.organization, patterns(want)),
        *plan_older(want, found),
    ]


def patterns(want: Wanted) -> bool:
    """Whether a principal is a pattern, which stands for roles of other accounts too."""
    return any(principal_type(principal) == "IAM_PATTERN" for principal in want.principals)


def principal_type(principal: str) -> str:
    """An ARN without an account is a pattern (API Reference, AssociatePrincipalWithPortfolio: PrincipalType)."""
    return "IAM_PATTERN" if ":iam:::" in principal else "IAM"


def plan_objects(want: Wanted, found: Found) -> list[Step]:
    steps = []
    for key, content in want.objects.items():
        size, tags = found.objects.get(key, (-1, {}))
        if size not in (-1, len(content)):
            raise UserError(
                f"s3://{want.bucket}/{key} exists with other content, which publishing never overwrites. "
                "Look who wrote it; deleting it lets `make publish` upload it again"
            )
        if size == -1:
            steps.append(Step("create", "s3 object", key, f"{len(content):,} bytes", {"Key": key}))
        elif tags.get(PROVISIONING_TAG[0]) != PROVISIONING_TAG[1]:
            merged = {**tags, PROVISIONING_TAG[0]: PROVISIONING_TAG[1]}
            steps.append(Step("change", "s3 object", key, "its tag was missing", {"Key": key, "tags": merged}))
        else:
            steps.append(Step("keep", "s3 object", key))
    return steps


def plan_portfolio(want: Wanted, found: Found) -> Step:
    fields = {"ProviderName": want.owner, "Description": PORTFOLIO_DESCRIPTION}
    if not found.portfolio:
        return Step("create", "portfolio", want.portfolio, request={"DisplayName": want.portfolio, **fields})
    changed = {name: value for name, value in fields.items() if found.portfolio.get(name) != value}
    return Step("change" if changed else "keep", "portfolio", want.portfolio, ", ".join(changed), changed)


def plan_product(want: Wanted, found: Found) -> Step:
    if not found.product:
        return Step("create", "product", want.product)
    changed: dict[str, Any] = {}
    if found.product.get("Owner") != want.owner:
        changed["Owner"] = want.owner
    if found.product.get("ShortDescription") != PRODUCT_DESCRIPTION:
        changed["Description"] = PRODUCT_DESCRIPTION
    if found.product_tags.get(STUDIO_TAG[0]) != STUDIO_TAG[1]:
        changed["AddTags"] = [{"Key": STUDIO_TAG[0], "Value": STUDIO_TAG[1]}]
    return Step("change" if changed else "keep", "product", want.product, ", ".join(changed), changed)


def current_version(want: Wanted, found: Found) -> Version | None:
    """The version that is being published, if it is there and did not fail; the first one should there be several."""
    return next((v for v in found.versions if v.name == want.version and v.status != "FAILED"), None)


def plan_versions(want: Wanted, found: Found) -> list[Step]:
    current = current_version(want, found)
    if current is None:
        if len(found.versions) >= VERSIONS_PER_PRODUCT:
            raise UserError(
                f"the product has {len(found.versions)} versions, and Service Catalog takes {VERSIONS_PER_PRODUCT}. "
                "`make versions` shows which of them no project runs: delete such old ones (Service Catalog console, "
                "the product, Versions; or `aws servicecatalog delete-provisioning-artifact`), have the quota raised "
                "(Service Quotas, Provisioning artifacts per product), or name another product (catalog.product)"
            )
        return [Step("create", "version", want.version)]
    changed: dict[str, Any] = {}
    if not current.active:
        changed["Active"] = True
    if current.guidance != "DEFAULT":
        changed["Guidance"] = "DEFAULT"
    waiting = "" if current.status == "AVAILABLE" else "still being created"
    action = "change" if changed else "keep"
    request = {"ProvisioningArtifactId": current.id, **changed}
    return [Step(action, "version", want.version, ", ".join(changed) or waiting, request)]  # type: ignore[arg-type]


def plan_constraint(want: Wanted, found: Found) -> Step:
    role = want.launch_role.rsplit("/", 1)[1]
    if not found.constraint:
        return Step("create", "constraint", f"launch as {role}")
    if found.constraint_role != want.launch_role:
        return Step("change", "constraint", f"launch as {role}", f"was {found.constraint_role}")
    return Step("keep", "constraint", f"launch as {role}")


def plan_older(want: Wanted, found: Found) -> list[Step]:
    """Every other version becomes deprecated: existing projects keep it, new ones cannot use it."""
    current = current_version(want, found)
    steps = []
    for version in found.versions:
        if current is not None and version.id == current.id:
            continue
        action = "keep" if version.guidance == "DEPRECATED" else "change"
        detail = "" if action == "keep" else "becomes deprecated"
        request = {"ProvisioningArtifactId": version.id, "Guidance": "DEPRECATED"}
        steps.append(Step(action, "older version", version.name, detail, request))  # type: ignore[arg-type]
    return steps


# -- applying it -------------------------------------------------------------------------------


@dataclass
class Ids:
    """What was found or made so far."""

    portfolio: str
    product: str
    version: str


def apply(
    connection: Connection,
    want: Wanted,
    found: Found,
    steps: list[Step],
    *,
    told: Callable[[Step], None] = lambda step: None,
) -> Ids:
    """Carry the plan out; told is called after each step that wrote."""
    current = current_version(want, found)
    ids = Ids(found.portfolio.get("Id", ""), found.product.get("ProductId", ""), current.id if current else "")
    catalog = connection.client("servicecatalog")
    for step in steps:
        if step.writes and step.kind == "s3 object":
            write_object(connection.client("s3"), want, step)
        elif step.writes:
            WRITERS[step.kind](catalog, want, found, ids, step)
        if step.kind == "version":
            wait_until_available(catalog, want, ids)
        if step.writes:
            told(step)
    return ids


def write_object(s3: Any, want: Wanted, step: Step) -> None:
    place = {"Bucket": want.bucket, "Key": step.request["Key"], "ExpectedBucketOwner": want.account}
    if step.action == "change":
        tags = [{"Key": key, "Value": value} for key, value in step.request["tags"].items()]
        s3.put_object_tagging(**place, Tagging={"TagSet": tags})
        return
    content = want.objects[step.request["Key"]]
    tagging = f"{PROVISIONING_TAG[0].replace(':', '%3A')}={PROVISIONING_TAG[1]}"
    s3.put_object(**place, Body=content, Tagging=tagging, ChecksumAlgorithm="SHA256")


def write_portfolio(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    if step.action == "change":
        catalog.update_portfolio(Id=ids.portfolio, **step.request)
    else:
        ids.portfolio = catalog.create_portfolio(**step.request)["PortfolioDetail"]["Id"]


def write_product(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    if step.action == "change":
        catalog.update_product(Id=ids.product, **step.request)
        return
    answer = catalog.create_product(
        Name=want.product,
        Owner=want.owner,
        Description=PRODUCT_DESCRIPTION,
        ProductType="CLOUD_FORMATION_TEMPLATE",
        Tags=[{"Key": STUDIO_TAG[0], "Value": STUDIO_TAG[1]}],
        ProvisioningArtifactParameters=artifact_parameters(want),
    )
    ids.product = answer["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    ids.version = answer["ProvisioningArtifactDetail"]["Id"]


def artifact_parameters(want: Wanted) -> dict[str, Any]:
    return {
        "Name": want.version,
        "Description": f"Bundle {want.version}",
        "Type": "CLOUD_FORMATION_TEMPLATE",
        "Info": {"LoadTemplateFromURL": want.template_url},
    }


def write_version(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    if step.action == "change":
        catalog.update_provisioning_artifact(ProductId=ids.product, **step.request)
    elif found.product:  # a new product was made together with its first version
        answer = catalog.create_provisioning_artifact(ProductId=ids.product, Parameters=artifact_parameters(want))
        ids.version = answer["ProvisioningArtifactDetail"]["Id"]


def write_association(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    catalog.associate_product_with_portfolio(ProductId=ids.product, PortfolioId=ids.portfolio)


def write_constraint(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    parameters = json.dumps({"RoleArn": want.launch_role})
    if step.action == "change":
        catalog.update_constraint(Id=found.constraint, Parameters=parameters)
        return
    catalog.create_constraint(
        PortfolioId=ids.portfolio,
        ProductId=ids.product,
        Type="LAUNCH",
        Description=CONSTRAINT_DESCRIPTION,
        Parameters=parameters,
    )


def write_principal(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    kind = principal_type(step.name)
    catalog.associate_principal_with_portfolio(PortfolioId=ids.portfolio, PrincipalARN=step.name, PrincipalType=kind)


def write_share(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    sharing.apply(catalog, ids.portfolio, step)


def write_older(catalog: Any, want: Wanted, found: Found, ids: Ids, step: Step) -> None:
    catalog.update_provisioning_artifact(ProductId=ids.product, **step.request)


WRITERS: dict[str, Callable[[Any, Wanted, Found, Ids, Step], None]] = {
    "portfolio": write_portfolio,
    "product": write_product,
    "version": write_version,
    "association": write_association,
    "constraint": write_constraint,
    "principal": write_principal,
    "share": write_share,
    "older version": write_older,
}


def wait_until_available(catalog: Any, want: Wanted, ids: Ids) -> None:
    """Wait for the version; UserError when AWS refuses its template or takes too long."""

    def ended() -> str | None:
        answer = catalog.describe_provisioning_artifact(ProductId=ids.product, ProvisioningArtifactId=ids.version)
        return None if answer["Status"] == "CREATING" else str(answer["Status"])

    def late() -> UserError:
        return UserError(
            f"the version {want.version} is still being created after {PATIENCE:.0f} s. "
            "Run `make publish` again: it goes on from here"
        )

    if until(f"version {want.version}", ended, PATIENCE, lambda: "being created", late) != "AVAILABLE":
        raise UserError(
            f"Service Catalog could not take the version {want.version}: it could not read {want.template_url}, "
            "or the template in it is not valid. `make lint` checks templates/30-project.yaml"
        )
