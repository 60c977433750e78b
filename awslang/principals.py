"""Who makes a request: an account's root, an IAM user, a role session, or an AWS service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal


@dataclass(frozen=True)
class Principal:
    """Who asks.

    kind: "root" | "user" | "role" | "service" | "federated" | "anonymous"
    account: twelve digits; "" for a service, a federated or an anonymous caller
    arn: the caller's ARN as GetCallerIdentity shows it; for a service its name
        (codepipeline.amazonaws.com); for a federated caller its identity provider; "*" for an anonymous caller
    role_arn: for a role session, the ARN of the role with its path
    session_name: for a role session
    session_policies: policy documents passed to AssumeRole
    session_tags: tags passed to AssumeRole
    called_via: the services through which the caller's request came (forward access
        sessions), the first one first: aws:CalledVia
    source: aws:SourceArn and aws:SourceAccount, when a service asks on behalf of a resource
    session_keys: further condition keys of a role session, which the service sets that delivered the credentials
        (codebuild:ProjectArn); in lower case
    unique_id: for a role session, the role's; a role that is created again under its name has another
    vpc: for a caller whose requests to Amazon S3 go through a VPC endpoint, the ids of the VPC and of the endpoint
    """

    kind: Literal["root", "user", "role", "service", "federated", "anonymous"]
    account: str
    arn: str
    role_arn: str = ""
    session_name: str = ""
    session_policies: tuple[Mapping[str, Any], ...] = ()
    session_tags: Mapping[str, str] = field(default_factory=dict)
    called_via: tuple[str, ...] = ()
    source: Mapping[str, str] = field(default_factory=dict)
    session_keys: Mapping[str, str] = field(default_factory=dict)
    unique_id: str = ""
    vpc: tuple[str, str] = ("", "")

    def through(self, service: str) -> Principal:
        """The same caller, with its request forwarded by a service (cloudformation.amazonaws.com)."""
        return replace(self, called_via=(*self.called_via, service))


@dataclass(frozen=True)
class Credentials:
    """What a caller signs with, and who it then is."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    expiration: datetime | None
    principal: Principal

    @property
    def expired(self) -> bool:
        return self.expiration is not None and datetime.now(UTC) > self.expiration


ANONYMOUS = Principal("anonymous", "", "*")


def service_principal(name: str, **source: str) -> Principal:
    """An AWS service asking for itself, for example service_principal("events.amazonaws.com", SourceArn=arn)."""
    return Principal("service", "", name, source=source)
