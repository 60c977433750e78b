"""Every AWS service that the embedded AWS supports: the package that declares it, and who answers a request.

A package is imported when its service is first asked for. Every module in it may register operations on the
package's Service object, which is in its service.py.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from awslang.errors import NotSupported
from localaws import moto_bridge, pages, reserved_tags
from localaws.calls import Call, HttpRequest
from localaws.cut import cut
from localaws.service import Access, Handler, Service

# botocore's name of a service: its package, and its Service object in the package's service.py.
SERVICES: dict[str, tuple[str, str]] = {
    "account": ("localaws.services.account", "account"),
    "application-autoscaling": ("localaws.services.application_autoscaling", "application_autoscaling"),
    "cloudformation": ("localaws.cloudformation", "cloudformation"),
    "cloudtrail": ("localaws.services.cloudtrail", "cloudtrail"),
    "cloudwatch": ("localaws.services.cloudwatch", "cloudwatch"),
    "codebuild": ("localaws.services.codebuild", "codebuild"),
    "codecommit": ("localaws.services.codecommit", "codecommit"),
    "codeconnections": ("localaws.services.codeconnections", "codeconnections"),
    "codepipeline": ("localaws.services.codepipeline", "codepipeline"),
    "codestar-connections": ("localaws.services.codeconnections", "codestar_connections"),
    "dynamodb": ("localaws.services.dynamodb", "dynamodb"),
    "ec2": ("localaws.services.ec2", "ec2"),
    "ecr": ("localaws.services.ecr", "ecr"),
    "events": ("localaws.services.events", "events"),
    "iam": ("localaws.services.iam", "iam"),
    "kms": ("localaws.services.kms", "kms"),
    "lambda": ("localaws.services.awslambda", "aws_lambda"),
    "logs": ("localaws.services.logs", "logs"),
    "organizations": ("localaws.services.organizations", "organizations"),
    "pricing": ("localaws.services.pricing", "pricing"),
    "resourcegroupstaggingapi": ("localaws.services.resourcegroupstaggingapi", "resourcegroupstaggingapi"),
    "s3": ("localaws.services.s3", "s3"),
    "sagemaker": ("localaws.services.sagemaker", "sagemaker"),
    "sagemaker-runtime": ("localaws.services.sagemaker", "sagemaker_runtime"),
    "secretsmanager": ("localaws.services.secretsmanager", "secretsmanager"),
    "service-quotas": ("localaws.services.servicequotas", "servicequotas"),
    "servicecatalog": ("localaws.services.servicecatalog", "servicecatalog"),
    "sns": ("localaws.services.sns", "sns"),
    "sqs": ("localaws.services.sqs", "sqs"),
    "ssm": ("localaws.services.ssm", "ssm"),
    "stepfunctions": ("localaws.services.stepfunctions", "stepfunctions"),
    "sts": ("localaws.services.sts", "sts"),
}
# What signatures and ARNs call a service, where it is not botocore's name.
OTHER_NAMES = {
    "catalog": "servicecatalog", "monitoring": "cloudwatch", "servicequotas": "service-quotas",
    "states": "stepfunctions", "tagging": "resourcegroupstaggingapi",
}  # fmt: skip


@cache
def find(service: str) -> Service | None:
    """The service by botocore's name; None for one that is not supported."""
    if service not in SERVICES:
        return None
    package, name = SERVICES[service]
    load(package)
    found: Service = getattr(importlib.import_module(f"{package}.service"), name)
    return found


@cache
def load(package: str) -> None:
    """Import every module of a package, so that all its operations are registered."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)


def named(service: str) -> str:
    """botocore's name of a service, by that or by the one in its ARNs or signatures."""
    return OTHER_NAMES.get(service, service)


def access(service: str) -> Access:
    """What authorization asks of a service, by botocore's name or by the one in its ARNs."""
    found = find(named(service))
    return found.access if found is not None else Access()


def loaded() -> Iterator[Access]:
    """What authorization asks of the services that something was asked of so far."""
    for service, (package, _) in SERVICES.items():
        if f"{package}.service" in sys.modules:
            yield access(service)


def handler_of(call: Call) -> Handler | None:
    """The handler that answers the call, None where moto does; NotSupported where neither does."""
    service = find(call.service)
    if service is not None and call.operation in service.handlers:
        return service.handlers[call.operation]
    if service is not None and service.answered_by_moto(call.operation):
        return None
    raise NotSupported(f"{call.service}:{call.operation}")


def output(call: Call, handler: Handler) -> dict[str, Any]:
    """The handler's output."""
    service = find(call.service)
    assert service is not None  # it has the handler
    service.check_input(call)
    pages.check(call)
    reserved_tags.check(call)
    answer: dict[str, Any] = cut(call, (200, {}, handler(call) or {}))[2]
    pages.remember(call, answer)
    return answer


def answer_of_moto(call: Call, text: Callable[[], HttpRequest] | None = None) -> tuple[int, dict[str, str], Any]:
    """moto's answer, between the service's own checks and consequences: status, headers, body.

    text: writes the text of a request that has none yet; the body may be the output itself then
    """
    service = find(call.service)
    assert service is not None  # it lets moto answer
    service.check_input(call)
    pages.check(call)
    reserved_tags.check(call)
    asked, call = call, replace(call, account=service.owner(call)) if service.owner is not None else call
    found = service.checks[call.operation](call) if call.operation in service.checks else None
    values = moto_bridge.by_values(call) if text else None
    status, headers, body = (
        (200, {}, values) if values is not None else moto_bridge.answer(replace(call, http=text()) if text else call)
    )
    if status < 400:
        status, headers, body = cut(asked, (status, headers, body))
        pages.remember(asked, body)
        if call.operation in service.consequences:
            service.consequences[call.operation](call, found)
    return status, headers, body
