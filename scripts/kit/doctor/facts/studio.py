"""Studio's domains and project templates, and the connections to the source provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.settings.model import Settings
from scripts.kit.together import together


@dataclass(frozen=True)
class Studio:
    """domains: as DescribeDomain shows each; tags: by domain id, where templates are published to S3.

    templates: whether Studio shows the organization's project templates, Enabled or Disabled
    """

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
