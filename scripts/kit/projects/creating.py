"""Creating a project from the newest published version: the product of Service Catalog, or the template in S3.

SageMaker API Reference, "CreateProject": SageMaker asks Service Catalog or CloudFormation with the caller's own
permissions, so a data scientist's are enough, and an administrator's only where the product's portfolio names them.
What is read here is what AmazonSageMakerFullAccess and the kit's policy sagemaker-multi-account-project-creator allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from awslang.template.parameters import broken_constraint
from scripts.kit.bundle import differences, pack
from scripts.kit.connect import Connection, if_there, pages
from scripts.kit.console import UserError, closest, explain, say
from scripts.kit.names import S3_LAUNCH_ROLE, bundle_bucket
from scripts.kit.patience import code, until
from scripts.kit.projects.project import GONE
from scripts.kit.projects.seeding import KINDS, SUFFIXES
from scripts.kit.projects.upgrading import OWN
from scripts.kit.publish import hosting, versions
from scripts.kit.publish.versions import CATALOG, S3, BundleVersion
from scripts.kit.regions import url_suffix
from scripts.kit.settings.model import Catalog, Settings
from scripts.kit.stacks.stack import reasons

PATIENCE = 1800.0  # seconds for the project's stack to be created
BEGINNING = ("Pending", "CreateInProgress")
CREATED = "CreateCompleted"
REFUSED = ("AccessDenied", "AccessDeniedException")


@dataclass(frozen=True)
class Offer:
    """What a project is made from. parameters: as declared, by name; source: where the template is, for the request"""

    publisher: str
    version: BundleVersion
    parameters: Mapping[str, Mapping[str, Any]]
    source: Mapping[str, str]


# -- what there is -----------------------------------------------------------------------------


def offer(connection: Connection, settings: Settings, publisher: str) -> Offer:
    """The newest published version, as the caller may use it; publisher: CATALOG, S3, or "" as the settings say."""
    publisher = publisher or (S3 if settings.publishing.to == S3 else CATALOG)
    return in_s3(connection) if publisher == S3 else in_catalog(connection, settings.catalog)


def in_catalog(connection: Connection, catalog: Catalog) -> Offer:
    """The product, among those that the caller sees; through the portfolio of the settings where it is in several."""
    client = connection.client("servicecatalog")
    found = if_there(client.describe_product, Name=catalog.product)
    if found is None:
        who = connection.client("sts").get_caller_identity()["Arn"]
        raise UserError(
            f"{who} does not see a product {catalog.product} in {connection.region}. `make publish` publishes it; "
            "then add the caller's role to catalog.principals in environment.yaml and run `make publish` again, or "
            "sign in as a data scientist"
        )
    known = [
        BundleVersion(
            item["Name"], versions.moment(item["CreatedTime"]), {CATALOG: versions.guidance_of(item)}, "", item["Id"]
        )
        for item in found["ProvisioningArtifacts"]
    ]
    version = versions.newest(sorted(known, key=lambda one: one.published, reverse=True), CATALOG)
    source = {"ProductId": found["ProductViewSummary"]["ProductId"], "ProvisioningArtifactId": version.artifact}
    paths = found["LaunchPaths"]
    if len(paths) > 1:
        source["PathId"] = next((path["Id"] for path in paths if path["Name"] == catalog.portfolio), paths[0]["Id"])
    shown = client.describe_provisioning_parameters(**source)["ProvisioningArtifactParameters"]
    return Offer(CATALOG, version, {one["ParameterKey"]: as_declared(one) for one in shown}, source)


def as_declared(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter of Service Catalog, as the template declares it."""
    limits = {name: value for name, value in parameter.get("ParameterConstraints", {}).items() if value}
    default = {"Default": parameter["DefaultValue"]} if "DefaultValue" in parameter else {}
    return {"Type": parameter.get("ParameterType", "String"), **default, **limits}


def in_s3(connection: Connection) -> Offer:
    bucket = bundle_bucket(connection.account, connection.region)
    known = [BundleVersion(name, time, {S3: guidance}, "") for name, time, guidance in versions.in_s3(connection)]
    version = versions.newest(sorted(known, key=lambda one: one.published, reverse=True), S3)
    key = hosting.template_key(version.name)
    answer = connection.client("s3").get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=connection.account)
    source = {
        "TemplateName": hosting.TEMPLATE_NAME,
        "TemplateURL": f"https://{bucket}.s3.{connection.region}.{url_suffix(connection.region)}/{key}",
        "RoleARN": f"arn:{connection.partition}:iam::{connection.account}:role/{S3_LAUNCH_ROLE}",
    }
    return Offer(S3, version, differences.declared(answer["Body"].read().decode()), source)


def check(made_from: Offer, values: Mapping[str, str]) -> None:
    """UserError where a value is none that the version takes, or one is missing."""
    version, declared = made_from.version.name, made_from.parameters
    free = [name for name in declared if name not in OWN]
    for name, value in values.items():
        if name not in free:
            raise UserError(
                f"--set {name}: version {version} has no such parameter that can be set{closest(name, free)}"
            )
        if broken := broken_constraint(value, declared[name]):
            allowed = ", ".join(str(one) or "empty" for one in declared[name].get("AllowedValues", ()))
            which = f" ({allowed})" if allowed else ""
            raise UserError(
                f"--set {name}: version {version} does not take {value or 'an empty text'}: it {broken}{which}"
            )
    if lacking := [name for name in free if "Default" not in declared[name] and name not in values]:
        raise UserError(
            f"version {version} has parameters without a value: {', '.join(lacking)}. "
            f"Give them with --set {lacking[0]}=VALUE"
        )


def there(connection: Connection, name: str) -> Mapping[str, Any] | None:
    """The project of this name as DescribeProject shows it; None where there is none, or it was deleted."""
    sagemaker = connection.client("sagemaker")
    listed = pages(sagemaker, "list_projects", "ProjectSummaryList", NameContains=name)
    if not any(one["ProjectName"] == name and one["ProjectStatus"] not in GONE for one in listed):
        return None
    return sagemaker.describe_project(ProjectName=name)


def check_free(connection: Connection, name: str, shown: Mapping[str, Any] | None) -> None:
    """UserError where the project is there, unless it is being created: then it is followed."""
    status = str(shown["ProjectStatus"]) if shown else BEGINNING[0]
    if shown and status == "CreateFailed":
        raise failure(connection, name, shown)
    if shown and status not in BEGINNING:
        raise UserError(
            f"the project {name} exists already in account {connection.account}, {connection.region} "
            f"({shown['ProjectId']}, {status}). Choose another name; `make status` shows what it runs"
        )


# -- doing it ----------------------------------------------------------------------------------


def request(name: str, made_from: Offer, values: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, Any]:
    """The input of CreateProject. tags: of the environment file, which the project and its resources carry"""
    given = [{"Key": key, "Value": value} for key, value in values.items()]
    labels = {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
    if made_from.publisher == CATALOG:
        details = {**made_from.source, "ProvisioningParameters": given}
        return {"ProjectName": name, "ServiceCatalogProvisioningDetails": details, **labels}
    provider = {**made_from.source, **({"Parameters": given} if given else {})}
    return {"ProjectName": name, "TemplateProviders": [{"CfnTemplateProvider": provider}], **labels}


def create(connection: Connection, asked: Mapping[str, Any]) -> None:
    """Ask for the project; one that is being created already (after a lost answer, say) is followed instead."""
    try:
        connection.client("sagemaker").create_project(**asked)
    except ClientError as error:
        if code(error) in REFUSED:
            raise
        shown = there(connection, asked["ProjectName"])
        if shown is None or shown["ProjectStatus"] not in BEGINNING:
            raise


def wait(connection: Connection, name: str) -> Mapping[str, Any]:
    """The project, once it is created; UserError with the reasons where it could not be."""
    sagemaker = connection.client("sagemaker")
    shown: Mapping[str, Any] = {}

    def settled() -> Mapping[str, Any] | None:
        nonlocal shown
        shown = sagemaker.describe_project(ProjectName=name)
        return None if shown["ProjectStatus"] in BEGINNING else shown

    def late() -> UserError:
        return UserError(
            f"project {name} is still {shown['ProjectStatus']} after {PATIENCE / 60:.0f} minutes. "
            "Run this command again: it continues from here"
        )

    made = until(f"project {name}", settled, PATIENCE, lambda: str(shown["ProjectStatus"]), late)
    if made["ProjectStatus"] != CREATED:
        raise failure(connection, name, made)
    return made


# -- how it ended ------------------------------------------------------------------------------


def failure(connection: Connection, name: str, shown: Mapping[str, Any]) -> UserError:
    """Why a project could not be created: what SageMaker, the product's record and the stack say; and the way out."""
    provisioned = shown.get("ServiceCatalogProvisionedProductDetails", {})
    detail = template(shown).get("StackDetail", {})
    id = provisioned.get("ProvisionedProductId", "")
    stack = detail.get("Id") or (f"SC-{connection.account}-{id}" if id else "")
    said = [provisioned.get("ProvisionedProductStatusMessage", ""), detail.get("StatusMessage", "")]
    said += record_errors(connection, id) if id else []
    why = [f"    {line}" for line in dict.fromkeys(said) if line]
    why += [stack_reasons(connection, stack)] if stack else []
    return UserError(
        f"the project {name} was not created ({shown['ProjectStatus']}). `make teardown PROJECT={name}` deletes what "
        "there is of it; then run this command again.\n" + "\n".join(why)
    )


def template(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of DescribeProject's answer: the template in S3, {} where it was made from a product."""
    details = shown.get("TemplateProviderDetails") or [{}]
    found: Mapping[str, Any] = details[0].get("CfnTemplateProviderDetail", {})
    return found


def record_errors(connection: Connection, id: str) -> list[str]:
    """The errors of the last thing that was done to a provisioned product."""
    catalog = connection.client("servicecatalog")
    if (found := if_there(catalog.describe_provisioned_product, Id=id)) is None:
        return []
    last = found["ProvisionedProductDetail"].get("LastRecordId", "")
    record = if_there(catalog.describe_record, Id=last) if last else None
    return [error["Description"] for error in record["RecordDetail"]["RecordErrors"]] if record else []


def stack_reasons(connection: Connection, stack: str) -> str:
    """What failed in the stack, or what keeps the caller from seeing it."""
    try:
        return reasons(connection.client("cloudformation"), stack, lambda logical_id: pack.PRODUCT)
    except ClientError as error:
        say(f"  note: the events of the stack {stack} were not read: {explain(error)}")
        return "    Run this command again as the ML engineer: it shows which resource of the stack failed"


def repositories(connection: Connection, settings: Settings, name: str, shown: Mapping[str, Any]) -> dict[str, str]:
    """Where the project's repositories are cloned from, by kind; OWNER/NAME at a git provider.

    AWS CodeCommit User Guide, "Connect to an AWS CodeCommit repository"; the names are those of template 30.
    """
    if settings.source.provider == "connection":
        asked = values(shown)
        owner = settings.source.repository_owner
        named = {kind: asked.get(f"{kind}RepositoryName") or name + SUFFIXES[seed] for seed, kind in KINDS.items()}
        return {kind: f"{owner}/{repository}" for kind, repository in named.items()}
    host = f"https://git-codecommit.{connection.region}.{url_suffix(connection.region)}/v1/repos"
    prefix = f"sagemaker-{name}-{shown['ProjectId']}"
    return {kind: f"{host}/{prefix}{SUFFIXES[seed]}" for seed, kind in KINDS.items()}


def values(shown: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that the project was asked for with."""
    details = shown.get("ServiceCatalogProvisioningDetails", {})
    given = details.get("ProvisioningParameters") or template(shown).get("Parameters") or []
    return {one["Key"]: one.get("Value", "") for one in given}
