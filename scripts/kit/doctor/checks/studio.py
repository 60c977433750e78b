"""Studio and the Region: the domain, its project templates, the services and the source that projects need."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.findings import Place, Request, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.regions import botocore_session

ALWAYS = ("servicecatalog", "codepipeline", "codebuild", "stepfunctions", "events", "sns", "ssm", "kms")
ENABLE = "EnableSagemakerServicecatalogPortfolio"
# CodePipeline User Guide, "CodeStarSourceConnection for Bitbucket Cloud, GitHub, …": not available in these.
NO_CONNECTIONS = {
    "ap-east-1", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-northeast-3", "af-south-1", "me-south-1",
    "me-central-1", "eu-south-2", "eu-central-2", "il-central-1", "us-gov-west-1",
}  # fmt: skip


@check(
    "domain-missing",
    "error",
    "There is no Studio domain",
    "Data scientists create projects, train and approve in Studio.",
)
def domain_missing(facts: Snapshot) -> Iterator[Place]:
    if known(facts.studio.domains) and not facts.domains:
        wanted = facts.settings.studio.domain_id
        yield here(
            facts,
            f"domain {wanted}".rstrip(),
            f"studio.domain_id names {wanted}, which does not exist"
            if wanted
            else "the account has none in this Region",
            facts.make_accounts
            if facts.settings.studio.domain and not wanted
            else f"put the right id into studio.domain_id; or write studio.domain into the environment file\n"
            f"then {facts.make_accounts}",
        )


@check(
    "domain-status",
    "error",
    "The Studio domain is not in service",
    "No user can open Studio.",
)
def domain_status(facts: Snapshot) -> Iterator[Place]:
    for domain in facts.domains:
        if domain["Status"] not in {"InService", "Updating"}:
            yield here(
                facts,
                f"domain {domain['DomainId']}",
                f"{domain['Status']} {domain.get('FailureReason', '')}".rstrip(),
                f"aws sagemaker describe-domain --domain-id {domain['DomainId']} says why",
            )


@check(
    "domain-role",
    "warning",
    "A Studio domain's execution role is not in the environment file",
    "Its users do not see the product and may not use the models' key.",
)
def domain_role(facts: Snapshot) -> Iterator[Place]:
    known_names = {role.rsplit("/", 1)[-1] for role in facts.settings.studio.execution_roles}
    for domain in facts.domains:
        role = domain.get("DefaultUserSettings", {}).get("ExecutionRole", "")
        if role and role.rsplit("/", 1)[-1] not in known_names:
            yield here(
                facts,
                f"domain {domain['DomainId']} ({domain['DomainName']})",
                f"its users' role is {role}",
                f"add {role.split(':role/')[-1]} to studio.execution_roles\n"
                f"then {facts.make_accounts}\nthen {facts.make_publish}",
            )


@check(
    "templates-off",
    "error",
    "Studio does not show the organization's project templates",
    "Project templates are switched on for each account and Region.",
    safe=True,
)
def templates_off(facts: Snapshot) -> Iterator[Place]:
    if facts.studio.templates == "Disabled":
        request = Request(facts.account, facts.region, "sagemaker", ENABLE, {})
        yield request.fixes("project templates", "they are disabled")


@check(
    "region-service",
    "error",
    "A service that projects need is not available in the Region",
    "The product, its pipeline and its builds run in the data science account's Region.",
)
def region_service(facts: Snapshot) -> Iterator[Place]:
    session = botocore_session()
    for service in ALWAYS:
        if facts.region not in session.get_available_regions(service, facts.partition):
            yield here(
                facts,
                f"service {service}",
                f"{service} is not available in {facts.region}",
                f"choose another Region in the environment file: `aws ssm get-parameters-by-path --path "
                f"/aws/service/global-infrastructure/services/{service}/regions` lists them",
            )


@check(
    "source-unavailable",
    "error",
    "The source provider is not available in the Region",
    "The projects' repositories cannot be created there, or their pipelines cannot read them.",
)
def source_unavailable(facts: Snapshot) -> Iterator[Place]:
    codecommit = facts.region in botocore_session().get_available_regions("codecommit", facts.partition)
    if facts.settings.source.provider == "codecommit" and not codecommit:
        yield here(
            facts,
            "service codecommit",
            f"CodeCommit is not available in {facts.region}",
            "use GitHub, GitLab or Bitbucket: `source: {provider: connection, connection_arn: …}` in the environment "
            "file, or another Region",
        )
    if facts.settings.source.provider == "connection" and facts.region in NO_CONNECTIONS:
        instead = "leave source out of the environment file: CodeCommit is available; or " if codecommit else ""
        what = f"CodePipeline does not support connections in {facts.region}"
        yield here(facts, "service codeconnections", what, f"{instead}choose another Region in the environment file")


@check(
    "connection-missing",
    "error",
    "The connection to the source provider does not exist",
    "Pipelines read their repository through it.",
)
def connection_missing(facts: Snapshot) -> Iterator[Place]:
    for arn, found in facts.connections.items():
        if found is None:
            yield here(
                facts,
                arn,
                "there is no such connection",
                "aws codeconnections create-connection --provider-type GitHub --connection-name projects, finish it "
                "in the console (Developer Tools, Connections), and write its ARN into source.connection_arn",
            )


@check(
    "connection-pending",
    "error",
    "The connection to the source provider is not finished",
    "A connection is PENDING until a user has signed in to the provider, which only the console can ask for.",
)
def connection_pending(facts: Snapshot) -> Iterator[Place]:
    for arn, found in facts.connections.items():
        if found and found["ConnectionStatus"] != "AVAILABLE":
            yield here(
                facts,
                arn,
                f"its status is {found['ConnectionStatus']}",
                'Developer Tools console, Settings, Connections: choose it, then "Update pending connection"',
            )
