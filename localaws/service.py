"""How a package declares what the embedded AWS supports of one AWS service.

Everything known about a service is in its own package: the operations that we answer, those that moto
answers, what AWS checks before and does after moto's answer, and what authorization needs to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from awslang.policy.action_table import Table
from awslang.policy.document import Policy
from localaws import moto_bridge, shapes
from localaws.calls import Call

if TYPE_CHECKING:
    from localaws.cloud import Cloud

Handler = Callable[[Call], dict[str, Any] | None]
Check = Callable[[Call], Any]
Consequence = Callable[[Call, Any], None]
Keys = dict[str, tuple[str, ...]]
Rewrite = Callable[["Cloud", Callable[[str], str]], None]
Part = TypeVar("Part")

EVERY = "every operation that moto implements"


@dataclass(frozen=True)
class Need:
    """One IAM action on one resource, which a request needs.

    account: whose the resource is ("" for one that does not exist)
    through: the service that asks on the caller's behalf (S3 using a key)
    """

    action: str
    resource: str
    account: str
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    through: str = ""


@dataclass(frozen=True)
class Access:
    """What authorization asks of a service; each part may be left out.

    resources: the ARNs that a request acts on, for an action on these resource types; where it is left out or gives
        [], they are built from the parameters as the formats of the Service Authorization Reference say
    further: what a request needs beside its own action, given the ARNs that it acts on and its condition keys
    needs: everything that a request needs, for a service whose actions are not named after its operations
    keys: the condition keys of the service's own that a request carries
    policy: the resource policy of an ARN, None without one
    tags: the tags of an ARN, for a service whose ARNs have no account (authorization/tags.py reads those of the others)
    uncontrolled: whether a resource is beyond its organization's resource control policies
    rewrite: changes every policy of the service's resources, in all accounts and Regions, by a function of its text
    """

    resources: Callable[[Call, list[str]], list[str]] | None = None
    further: Callable[[Call, list[str], Mapping[str, tuple[str, ...]]], Iterator[Need]] | None = None
    needs: Callable[[Call, Table], Iterator[Need]] | None = None
    keys: Callable[[Call], Keys] | None = None
    policy: Callable[[Cloud, str], Policy | None] | None = None
    tags: Callable[[str], dict[str, str]] | None = None
    uncontrolled: Callable[[str], bool] | None = None
    rewrite: Rewrite | None = None


def policies_in_moto(service: str, collection: str, attribute: str = "policy") -> Rewrite:
    """The rewrite of a service whose policies moto keeps: the collection of a backend, the attribute of each item."""

    def rewrite(cloud: Cloud, change: Callable[[str], str]) -> None:
        for backend in moto_bridge.every(service):
            for item in list(getattr(backend, collection).values()):
                kept = getattr(item, attribute) or ""
                text = kept.decode() if isinstance(kept, bytes) else kept
                if text != (changed := change(text)):
                    setattr(item, attribute, changed.encode() if isinstance(kept, bytes) else changed)

    return rewrite


class Service:
    """What the embedded AWS supports of one AWS service: every other operation is refused by name.

    sqs = Service("sqs", moto=EVERY)

    @sqs.before("CreateQueue")          refuses with AwsError, before moto answers
    def check_attributes(call: Call) -> None: ...

    codepipeline = Service("codepipeline")

    @codepipeline.operation("CreatePipeline")  answered here: the output, keyed as in the API reference
    def create_pipeline(call: Call) -> dict[str, Any]: ...

    name: botocore's name of the service
    moto: the operations that moto answers, or EVERY
    refused: the operations that moto would take, and of which nothing comes
    invalid: the error code for an input that breaks the API's model, or the service's way to refuse it (shapes.check);
        "" leaves inputs unchecked
    by_text: handlers hand the request's text on to moto, so that a request must have one (Call.http)
    owner: the account whose state moto answers from, where it is not the caller's (moto knows no other)
    """

    def __init__(
        self,
        name: str,
        *,
        moto: Iterable[str] | str = (),
        refused: Iterable[str] = (),
        invalid: shapes.Invalid = "",
        by_text: bool = False,
    ) -> None:
        self.name = name
        self.moto = moto if isinstance(moto, str) else frozenset(moto)
        self.refused = frozenset(refused)
        self.invalid = invalid
        self.by_text = by_text
        self.owner: Callable[[Call], str] | None = None
        self.access = Access()
        self.handlers: dict[str, Handler] = {}
        self.checks: dict[str, Check] = {}
        self.consequences: dict[str, Consequence] = {}

    def operation(self, *names: str) -> Callable[[Handler], Handler]:
        """The handler answers these operations."""
        return self._registrar(self.handlers, names)

    def before(self, *names: str) -> Callable[[Check], Check]:
        """The check comes before moto's answer to these operations; what it returns goes to the consequence."""
        return self._registrar(self.checks, names)

    def after(self, *names: str) -> Callable[[Consequence], Consequence]:
        """The consequence follows moto's answer to these operations, where moto did not refuse."""
        return self._registrar(self.consequences, names)

    def _registrar(self, parts: dict[str, Part], names: tuple[str, ...]) -> Callable[[Part], Part]:
        def register(part: Part) -> Part:
            for name in names:
                if name in parts:
                    raise ValueError(f"{self.name}:{name} is registered twice")
                parts[name] = part
            return part

        return register

    def answered_by_moto(self, operation: str) -> bool:
        """Whether moto answers the operation: it is declared so, and moto implements it."""
        declared = (self.moto == EVERY or operation in self.moto) and operation not in self.refused
        return declared and operation not in self.handlers and operation in moto_bridge.implemented(self.name)

    def check_input(self, call: Call) -> None:
        """AwsError where the input breaks the API's model, for a service whose inputs are checked."""
        if self.invalid:
            shapes.check(call, self.invalid)
