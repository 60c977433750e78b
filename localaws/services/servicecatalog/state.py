"""What Service Catalog remembers in one account and Region, and how its parts are found."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call

Item = TypeVar("Item")
LETTERS = string.ascii_lowercase + string.digits
PAGE = 20  # Service Catalog API Reference, PageSize: at most 20
ARTIFACTS_PER_PRODUCT = 100  # Service Catalog Administrator Guide, "Service quotas"


def make_id(prefix: str) -> str:
    """An id as Service Catalog makes them: prefix, hyphen, 13 letters and digits."""
    return f"{prefix}-{''.join(secrets.choice(LETTERS) for _ in range(13))}"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Portfolio:
    id: str
    arn: str
    name: str
    provider: str
    description: str | None
    tags: dict[str, str]
    created: datetime
    products: list[str] = field(default_factory=list)
    principals: dict[tuple[str, str], None] = field(default_factory=dict)  # (type, ARN), in order


@dataclass
class Artifact:
    """A product's version. template: the copy that Service Catalog keeps of it; "" until it is loaded."""

    id: str
    name: str
    description: str | None
    url: str
    created: datetime
    status: str = "CREATING"
    active: bool = True
    guidance: str = "DEFAULT"
    template: str = ""
    reason: str = ""


@dataclass
class Product:
    id: str
    view_id: str
    arn: str
    details: dict[str, str]  # Name, Owner, ShortDescription, Distributor, Support…
    tags: dict[str, str]
    created: datetime
    artifacts: dict[str, Artifact] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.details["Name"]


@dataclass
class TagOption:
    id: str
    key: str
    value: str
    active: bool = True
    resources: set[str] = field(default_factory=set)  # ids of portfolios and products


@dataclass
class Constraint:
    id: str
    type: str
    description: str | None
    owner: str
    product: str
    portfolio: str
    parameters: str


@dataclass
class Record:
    """One request to provision, update or terminate."""

    id: str
    type: str
    product_name: str  # of the provisioned product
    provisioned: str
    product: str
    artifact: str
    path: str
    launch_role: str
    created: datetime
    updated: datetime
    user_arn: str
    user_arn_session: str
    status: str = "CREATED"
    errors: list[dict[str, str]] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Provisioned:
    """A provisioned product: one launch of a product, with its stack."""

    id: str
    arn: str
    name: str
    product: str
    artifact: str
    path: str
    launch_role: str
    stack_name: str
    user_arn: str
    user_arn_session: str
    created: datetime
    token: str
    tags: dict[str, str]
    auto_tags: dict[str, str] = field(default_factory=dict)
    status: str = "UNDER_CHANGE"
    message: str = ""
    stack_id: str = ""
    last_record: str = ""
    last_provisioning_record: str = ""
    last_successful_record: str = ""


@dataclass
class Catalog:
    """One account's Service Catalog in one Region."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    portfolios: dict[str, Portfolio] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    constraints: dict[str, Constraint] = field(default_factory=dict)
    tag_options: dict[str, TagOption] = field(default_factory=dict)
    provisioned: dict[str, Provisioned] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str], tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)

    def portfolio(self, id: str) -> Portfolio:
        return found(self.portfolios.get(id), f"Portfolio {id} not found.")

    def product(self, id: str) -> Product:
        return found(self.products.get(id), f"Product {id} not found.")

    def portfolios_of(self, product: str) -> list[Portfolio]:
        return [portfolio for portfolio in self.portfolios.values() if product in portfolio.products]


def found(item: Item | None, message: str) -> Item:
    if item is None:
        raise AwsError("ResourceNotFoundException", message)
    return item


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParametersException", message)


def catalog_of(call: Call) -> Catalog:
    return call.cloud.state(Catalog, call.account, call.region)


def tags_of(params: dict[str, Any], member: str = "Tags") -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in params.get(member) or []}
    if len(tags) != len(params.get(member) or []):
        raise invalid("Duplicate tag keys are not allowed.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag keys that begin with aws: are reserved: {key}")
    return tags


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def page(call: Call, member: str, items: Sequence[Any]) -> dict[str, Any]:
    """One page of items: at most PageSize of them, and the token of the next page."""
    token = call.params.get("PageToken") or "0"
    start, size = int(token), call.params.get("PageSize") or PAGE
    answer: dict[str, Any] = {member: list(items[start : start + size])}
    if start + size < len(items):
        answer["NextPageToken"] = str(start + size)
    return answer


def no_shares(params: dict[str, Any]) -> None:
    if params.get("SourcePortfolioId"):
        raise NotSupported("servicecatalog: portfolios shared between accounts (SourcePortfolioId)")


def given(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value not in (None, "")}
