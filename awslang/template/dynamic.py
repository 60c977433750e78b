"""Dynamic references: {{resolve:ssm:…}}, {{resolve:ssm-secure:…}} and {{resolve:secretsmanager:…}}.

AWS pages: "Get values stored in other services using dynamic references" and its three parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from awslang.errors import NotSupported
from awslang.template.template import TemplateError

START = "{{resolve:"
REFERENCE = re.compile(r"\{\{resolve:([a-z-]+):([^{}]+)\}\}")
PARAMETER = re.compile(r"[a-zA-Z0-9_.\-/]+(:[0-9]+)?")
SECURE_PLACES = {  # the resource's type, the top-level property, the key below it (or "")
    ("AWS::DirectoryService::MicrosoftAD", "Password", ""),
    ("AWS::DirectoryService::SimpleAD", "Password", ""),
    ("AWS::ElastiCache::ReplicationGroup", "AuthToken", ""),
    ("AWS::IAM::User", "LoginProfile", "Password"),
    ("AWS::KinesisFirehose::DeliveryStream", "RedshiftDestinationConfiguration", "Password"),
    ("AWS::OpsWorks::App", "AppSource", "Password"),
    ("AWS::OpsWorks::Stack", "CustomCookbooksSource", "Password"),
    ("AWS::OpsWorks::Stack", "RdsDbInstances", "DbPassword"),
    ("AWS::RDS::DBCluster", "MasterUserPassword", ""),
    ("AWS::RDS::DBInstance", "MasterUserPassword", ""),
    ("AWS::Redshift::Cluster", "MasterUserPassword", ""),
}
Lookup = Callable[[str, str], str]


def resolve(value: Any, kind: str, top: str, look_up: Lookup, key: str = "") -> Any:
    """A property's value with its dynamic references looked up.

    kind: the resource's type; top: the top-level property; key: the innermost name above value
    """
    if isinstance(value, dict):
        return {name: resolve(part, kind, top, look_up, name) for name, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, kind, top, look_up, key) for part in value]
    if not isinstance(value, str) or START not in value:
        return value
    return REFERENCE.sub(lambda match: one(match[1], match[2], kind, top, key, look_up), value)


def one(service: str, reference: str, kind: str, top: str, key: str, look_up: Lookup) -> str:
    if service not in ("ssm", "ssm-secure", "secretsmanager"):
        raise TemplateError(f"Template error: the dynamic reference service {service} is not supported")
    custom = kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"
    if custom and service != "ssm":
        raise TemplateError(f"Template error: {service} dynamic references are not supported in custom resources")
    if service == "ssm-secure" and (kind, top, key) not in SECURE_PLACES:
        path = f"{kind}/Properties/{top}" + (f"/{key}" if key else "")
        raise TemplateError(f"SSM Secure reference is not supported in: [{path}]")
    if service != "secretsmanager" and not PARAMETER.fullmatch(reference):
        raise TemplateError(f"Template error: {reference} is not the name of a parameter, with or without a version")
    return look_up(service, reference)


def refuse(value: str) -> str:
    """The value of an output, which the embedded AWS gives only without dynamic references."""
    if START in value:
        raise NotSupported("dynamic references in Outputs")
    return value
