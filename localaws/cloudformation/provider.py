"""What carries out one resource type: the shape that the engine and the providers share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from localaws import registry
from localaws.cloud import Cloud, Session

CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"
RANDOM_LENGTH = 12  # the letters that CloudFormation appends to a generated name


class ResourceFailed(Exception):  # reads as what it says: raise ResourceFailed(...)
    """The service took the request, and the resource did not become usable; the message is the status reason."""


@dataclass(frozen=True)
class Context:
    """The account, Region and principal with which a provider acts.

    session: clients sign as the stack's role, or as the caller
    tags: the stack's tags, to propagate where the service's create operation takes tags
    token: stable for one operation on one resource (client request tokens, generated names)
    former_tags: in an update, the stack's tags before it; None where they are the same
    type: the resource's type, as the template writes it
    creation_policy: the resource's CreationPolicy, resolved
    """

    session: Session
    cloud: Cloud
    account: str
    region: str
    stack_id: str
    stack_name: str
    logical_id: str
    tags: dict[str, str]
    token: str
    former_tags: dict[str, str] | None = None
    type: str = ""
    creation_policy: Any = None

    def client(self, service: str) -> Any:
        return self.session.client(service, self.region)

    def generated_name(self, limit: int, lower: bool = False) -> str:
        """STACK-LOGICAL-RANDOM within limit, the same for every try of one operation.

        Where it would be too long, the stack's name and the logical id are cut, never the random part
        (CloudFormation Template Reference: "Name type").
        """
        digest = hashlib.sha256(f"{self.stack_id}/{self.logical_id}/{self.token}".encode()).digest()
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        random = "".join(letters[byte % len(letters)] for byte in digest[:RANDOM_LENGTH])
        room = limit - RANDOM_LENGTH - 2
        stack, logical = self.stack_name, self.logical_id
        if len(stack) + len(logical) > room:
            logical = logical[: max(room // 2, room - len(stack))]
            stack = stack[: room - len(logical)].rstrip("-")
        name = f"{stack}-{logical}-{random}"
        return name.lower() if lower else name


@dataclass(frozen=True)
class Made:
    """A resource that exists.

    attributes: what Fn::GetAtt may read; Ref gives physical_id, unless attributes has "Ref"
    secrets: values among them that are never shown
    """

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


class Provider(Protocol):
    """One resource type. Each method returns once the resource is really usable, or really gone.

    Refusals of AWS (ClientError) go through as they are; ResourceFailed says that a resource came
    to a bad end; NotSupported that a property is not carried out. Whether an update replaces the
    resource is the engine's business.
    carried: the properties that are carried out; every other one is NotSupported
    """

    @property
    def carried(self) -> frozenset[str]: ...

    def create(self, context: Context, properties: dict[str, Any]) -> Made: ...

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made: ...

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """Missing already is fine."""


PROVIDERS: dict[str, Provider] = {}  # by resource type; the modules under providers/ fill it


P = TypeVar("P", bound=Provider)


def provides(type_name: str) -> Callable[[type[P]], type[P]]:
    """A decorator: the class, which takes no arguments, carries out this resource type."""

    def register(provider: type[P]) -> type[P]:
        PROVIDERS[type_name] = provider()
        return provider

    return register


def providers() -> dict[str, Provider]:
    """Every resource type that the embedded AWS supports, with its provider."""
    registry.load("localaws.cloudformation.providers")
    return PROVIDERS


def provider_for(type_name: str) -> Provider | None:
    """The provider of this resource type; None for one that is not supported."""
    return providers().get(CUSTOM_RESOURCE if type_name.startswith("Custom::") else type_name)


@runtime_checkable
class Importer(Protocol):
    """A provider whose resources a stack may take over, as they are."""

    def take_over(self, context: Context, physical_id: str) -> Made:
        """The resource with this id; ResourceFailed, or AWS's error, where there is none."""


@runtime_checkable
class Choosy(Protocol):
    """A provider that knows from the properties alone what is not supported, before anything is made."""

    def unsupported(self, properties: dict[str, Any]) -> list[str]: ...
