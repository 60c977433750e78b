"""What the embedded AWS supports, read from the services and providers themselves."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass

from moto.core.utils import get_service_model

from awslang.template.schemas import schema
from localaws import moto_bridge, registry
from localaws.cloudformation.provider import providers
from localaws.corrections import CORRECTIONS

__all__ = ["CORRECTIONS", "LEFT_OUT", "SupportedService", "SupportedType", "services", "types"]


# What people type and is refused by name all the same: what it is, and why.
LEFT_OUT = (
    ("SAM's event `Api`, and API Gateway", "Nothing here answers for an address that AWS would give to it."),
    ("Service Catalog's notification constraints",
     "CloudFormation's notifications to topics (`NotificationARNs`), which they set, are not supported."),
    ("CodeCommit's approval rule templates", "Rules are created on the pull request itself."),
    ("A function that a bucket calls", "Functions run when they are invoked, by rules, topics, or custom resources."),
)  # fmt: skip


@dataclass(frozen=True)
class SupportedService:
    """One service by botocore's name, its package's first sentence, and its operations.

    ours: answered here; moto: answered by moto; checked: those of moto's with a check before or a consequence after
    """

    name: str
    title: str
    ours: list[str]
    moto: list[str]
    checked: list[str]
    refused: list[str]


@dataclass(frozen=True)
class SupportedType:
    """One resource type with the properties that are carried out, and the others of its schema."""

    name: str
    carried: list[str]
    refused: list[str]


def services() -> list[SupportedService]:
    found = []
    for name, (package, _) in registry.SERVICES.items():
        service = registry.find(name)
        assert service is not None
        operations = sorted(set(get_service_model(name).operation_names) - moto_bridge.FORMS)
        moto = [operation for operation in operations if service.answered_by_moto(operation)]
        ours = [operation for operation in operations if operation in service.handlers]
        found.append(
            SupportedService(
                name=name,
                title=str(inspect.getdoc(importlib.import_module(package))).split("\n\n")[0].replace("\n", " "),
                ours=ours,
                moto=moto,
                checked=[operation for operation in moto if operation in {*service.checks, *service.consequences}],
                refused=[operation for operation in operations if operation not in {*ours, *moto}],
            )
        )
    return found


def types() -> list[SupportedType]:
    found = []
    for name, provider in sorted(providers().items()):
        known = schema(name)
        writable = known.properties - {path for path in known.read_only if "/" not in path}
        found.append(SupportedType(name, sorted(writable & provider.carried), sorted(writable - provider.carried)))
    return found
