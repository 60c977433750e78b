"""Studio and the region: the domain, its project templates, the services and the source that projects need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, Request, finding
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.regions import botocore_session
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

ALWAYS = ("servicecatalog", "codepipeline", "codebuild", "stepfunctions", "events", "sns", "ssm", "kms")
ENABLE = "EnableSagemakerServicecatalogPortfolio"
# CodePipeline User Guide, "CodeStarSourceConnection for Bitbucket Cloud, GitHub, …": not available in these.
NO_CONNECTIONS = {
    "ap-east-1", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-northeast-3", "af-south-1", "me-south-1",
    "me-central-1", "eu-south-2", "eu-central-2", "il-central-1", "us-gov-west-1",
}  # fmt: skip


@dataclass(frozen=True)
class Studio:
    """domains: as DescribeDomain shows each; tags: by domain id, where S3 is published to; templates: Enabled or …"""

    domains: Any = UNREAD
    tags: Mapping[str, Any] = field(default_factory=dict)
    templates: Any = UNREAD


def gather(reader: Reader, settings: Settings) -> Studio:
    account = settings.accounts.data_science
    status, listed = together(
        [
            partial(reader.ask, account, "sagemaker", "GetSagemakerServicecatalogPortfolioStatus"),
            partial(reader.pages, account, "sagemaker", "ListDomains", "Domains"),
        ]
    )
    domains = listed
    if listed and known(listed):
        ids = [domain["DomainId"] for domain in listed]
        found = together([partial(reader.ask, account, "sagemaker", "DescribeDomain", DomainId=id) for id in ids])
        domains = [domain for domain in found if domain]
    tags: dict[str, Any] = {}
    if settings.publishing.to != "service-catalog" and domains and known(domains):
        tags = {d["DomainId"]: tags_of(reader, account, d["DomainArn"]) for d in domains}
    return Studio(domains, tags, status["Status"] if status else status)


def read_connections(reader: Reader, settings: Settings, projects: Any) -> Mapping[str, Any]:
    """The connections of the environment file and of the projects, as GetConnection shows each, by ARN."""
    account = settings.accounts.data_science
    arns = dict.fromkeys([settings.source.connection_arn, *(project.connection for project in projects or ())])
    found = {}
    for arn in filter(None, arns):
        answer = reader.ask(account, "codeconnections", "GetConnection", arn.split(":")[3], ConnectionArn=arn)
        found[arn] = answer["Connection"] if answer else answer
    return found


def tags_of(reader: Reader, account: str, arn: str) -> Any:
    listed = reader.pages(account, "sagemaker", "ListTags", "Tags", ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for tag in listed} if isinstance(listed, list) else listed


def chosen(it: Snapshot) -> list[Any]:
    """The domains that matter: the one in studio.domain_id, or every one."""
    wanted = it.settings.studio.domain_id
    return [domain for domain in it.studio.domains or [] if wanted in ("", domain["DomainId"])]


# -- the checks --------------------------------------------------------------------------------


@finding(
    "domain-missing",
    "stops",
    "There is no Studio domain",
    "Data scientists create projects, train and approve in Studio.",
)
def domain_missing(it: Snapshot) -> Iterator[Place]:
    if known(it.studio.domains) and not chosen(it):
        wanted = it.settings.studio.domain_id
        yield here(
            it,
            f"domain {wanted}".rstrip(),
            f"studio.domain_id names {wanted}, which is not there" if wanted else "the account has none in this region",
            "SageMaker console, Domains, Create domain; or put the right id into studio.domain_id",
        )


@finding(
    "domain-status",
    "stops",
    "The Studio domain is not in service",
    "Nobody can open Studio.",
)
def domain_status(it: Snapshot) -> Iterator[Place]:
    for domain in chosen(it):
        if domain["Status"] not in {"InService", "Updating"}:
            yield here(
                it,
                f"domain {domain['DomainId']}",
                f"{domain['Status']} {domain.get('FailureReason', '')}".rstrip(),
                f"aws sagemaker describe-domain --domain-id {domain['DomainId']} says why",
            )


@finding(
    "domain-role",
    "warns",
    "A Studio domain's execution role is not in the environment file",
    "Its users neither see the product nor may they use the models' key.",
)
def domain_role(it: Snapshot) -> Iterator[Place]:
    known_names = {role.rsplit("/", 1)[-1] for role in it.settings.studio.execution_roles}
    for domain in chosen(it):
        role = domain.get("DefaultUserSettings", {}).get("ExecutionRole", "")
        if role and role.rsplit("/", 1)[-1] not in known_names:
            yield here(
                it,
                f"domain {domain['DomainId']} ({domain['DomainName']})",
                f"its users work as {role}",
                f"add {role.split(':role/')[-1]} to studio.execution_roles\n"
                f"then {it.make_accounts}\nthen {it.make_publish}",
            )


@finding(
    "templates-off",
    "stops",
    "Studio does not show the organization's project templates",
    "Project templates are switched on for the account and region.",
    safe=True,
)
def templates_off(it: Snapshot) -> Iterator[Place]:
    if it.studio.templates == "Disabled":
        request = Request(it.account, it.region, "sagemaker", ENABLE, {})
        yield request.mends("project templates", "they are disabled")


@finding(
    "region-service",
    "stops",
    "A service that projects need is not in the region",
    "The product, its pipeline and builds live in the data science account's region.",
)
def region_service(it: Snapshot) -> Iterator[Place]:
    session = botocore_session()
    for service in ALWAYS:
        if it.region not in session.get_available_regions(service, it.partition):
            yield here(
                it,
                f"service {service}",
                f"{service} is not available in {it.region}",
                f"choose another region in the environment file: `aws ssm get-parameters-by-path --path "
                f"/aws/service/global-infrastructure/services/{service}/regions` lists them",
            )


@finding(
    "source-unavailable",
    "stops",
    "The source provider is not in the region",
    "The projects' repositories cannot be made there, or their pipelines cannot read them.",
)
def source_unavailable(it: Snapshot) -> Iterator[Place]:
    codecommit = it.region in botocore_session().get_available_regions("codecommit", it.partition)
    if it.settings.source.provider == "codecommit" and not codecommit:
        yield here(
            it,
            "service codecommit",
            f"CodeCommit is not available in {it.region}",
            "use GitHub, GitLab or Bitbucket: `source: {provider: connection, connection_arn: …}` in the environment "
            "file, or another region",
        )
    if it.settings.source.provider == "connection" and it.region in NO_CONNECTIONS:
        instead = "leave source out of the environment file: CodeCommit is there; or " if codecommit else ""
        what = f"CodePipeline has no connections in {it.region}"
        yield here(it, "service codeconnections", what, f"{instead}choose another region in the environment file")


@finding(
    "connection-missing",
    "stops",
    "The connection to the source provider does not exist",
    "Pipelines read their repository through it.",
)
def connection_missing(it: Snapshot) -> Iterator[Place]:
    for arn, found in it.connections.items():
        if found is None:
            yield here(
                it,
                arn,
                "there is no such connection",
                "aws codeconnections create-connection --provider-type GitHub --connection-name projects, finish it "
                "in the console (Developer Tools, Connections), and put its ARN into source.connection_arn",
            )


@finding(
    "connection-pending",
    "stops",
    "The connection to the source provider is not finished",
    "A connection is PENDING until somebody has signed in to the provider, which only the console can ask for.",
)
def connection_pending(it: Snapshot) -> Iterator[Place]:
    for arn, found in it.connections.items():
        if found and found["ConnectionStatus"] != "AVAILABLE":
            yield here(
                it,
                arn,
                f"its status is {found['ConnectionStatus']}",
                'Developer Tools console, Settings, Connections: choose it, then "Update pending connection"',
            )
