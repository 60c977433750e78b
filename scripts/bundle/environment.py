"""The environment file (environment.yaml): read once, checked completely, kept in frozen dataclasses.

Every mistake in it is reported in one go, each with the key's path, the line, what is wrong and
what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import botocore.session
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from scripts.bundle.console import UserError

DEFAULT_FILE = Path("environment.yaml")
EXAMPLE_FILE = "environment.example.yaml"

# Patterns, with the API reference that states each.
ACCOUNT = r"\d{12}"  # Organizations, AccountId
UNIT = r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}"  # Organizations, OrganizationalUnitId
SUFFIX = r"[a-z0-9]{1,10}"  # the post: a short string, at most 10 lowercase alphanumeric characters
EXTERNAL_ID = r"[\w+=,.@:/-]{2,64}"  # STS, AssumeRole.ExternalId (which allows 1,224 characters)
ROLE_NAME = r"[\w+=,.@-]{1,64}"  # IAM, roleNameType
ROLE = rf"([!-~]+/)?{ROLE_NAME}"  # a role's name, with its path where it has one
ROLE_ARN = rf"arn:aws[a-z-]*:iam::{ACCOUNT}:role/{ROLE}"
PRINCIPAL_ARN = rf"arn:aws[a-z-]*:iam::{ACCOUNT}:(user|group|role)/[!-~]+"
EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
CATALOG_NAME = r".{1,100}"  # Service Catalog, PortfolioDisplayName (1 to 100; a product's name may be longer)
OWNER = r".{1,50}"  # Service Catalog, ProviderName (a portfolio's provider: 1 to 50)


@dataclass(frozen=True)
class Mistake:
    """One thing to put right in the environment file."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        return f"{where}{self.path}: {self.message}"


@dataclass(frozen=True)
class Accounts:
    management: str
    data_science: str


@dataclass(frozen=True)
class PerStage:
    """A value for each stage."""

    staging: str
    production: str


@dataclass(frozen=True)
class Regions:
    """Where each stage runs its endpoints."""

    staging: tuple[str, ...]
    production: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """suffix: of sagemaker-role-SUFFIX in each target account; access: the role by which they are entered."""

    suffix: PerStage
    access: str


@dataclass(frozen=True)
class Studio:
    """execution_roles: names, with the path where there is one (service-role/Name)."""

    execution_roles: tuple[str, ...]


@dataclass(frozen=True)
class Catalog:
    portfolio: str
    product: str
    owner: str
    principals: tuple[str, ...]


@dataclass(frozen=True)
class Notifications:
    approval_email: str


@dataclass(frozen=True)
class Environment:
    region: str
    administrator: Literal["delegated", "management"]
    accounts: Accounts
    units: PerStage
    regions: Regions
    roles: Roles
    tester_external_id: str
    studio: Studio
    catalog: Catalog
    notifications: Notifications

    @property
    def stack_set_administrator(self) -> str:
        """The value of CallAs in a stack set's requests."""
        return "DELEGATED_ADMIN" if self.administrator == "delegated" else "SELF"

    @property
    def portfolio_principals(self) -> tuple[str, ...]:
        """Who sees the portfolio: the Studio execution roles and the principals named besides them."""
        account = self.accounts.data_science
        roles = [f"arn:{partition(self.region)}:iam::{account}:role/{name}" for name in self.studio.execution_roles]
        return tuple(dict.fromkeys([*roles, *self.catalog.principals]))


@cache
def botocore_session() -> botocore.session.Session:
    """botocore's own lists (no request is made with it); reading them once takes a third of a second."""
    return botocore.session.Session()


@cache
def partition(region: str) -> str:
    """The partition of a region: aws, aws-cn, aws-us-gov, …"""
    return str(botocore_session().get_partition_for_region(region))


@cache
def known_regions() -> tuple[str, ...]:
    """Every region in which SageMaker runs, as botocore lists them."""
    session = botocore_session()
    return tuple(r for p in session.get_available_partitions() for r in session.get_available_regions("sagemaker", p))


def closest(word: str, words: Iterable[str]) -> str:
    """(did you mean X?) — or nothing, when no word is near."""
    near = difflib.get_close_matches(word, list(words), 1, 0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def check_region(region: str) -> str:
    """What is wrong with a region's name; empty when nothing is."""
    if region in known_regions():
        return ""
    return f"{region!r} is not a region with SageMaker{closest(region, known_regions())}"


@dataclass
class Section:
    """One mapping of the file while it is read; what is wrong with it is added to `mistakes`."""

    node: CommentedMap
    path: str
    line: int
    mistakes: list[Mistake]
    known: list[str] = field(default_factory=list)

    def complain(self, key: str, message: str) -> None:
        positions = self.node.lc.data or {}
        line = positions[key][0] + 1 if key in positions else self.line
        self.mistakes.append(Mistake(f"{self.path}{key}", line, message))

    def take(self, key: str, required: str = "") -> Any:
        """The raw value of a key, or None; `required` says what to write when it is missing."""
        self.known.append(key)
        value = self.node.get(key)
        if value is None and required:
            self.complain(key, f"is missing. Write {required}")
        return value

    def section(self, key: str) -> Section:
        """The mapping beneath a key; an empty one when there is none."""
        value = self.take(key)
        if value is not None and not isinstance(value, CommentedMap):
            self.complain(key, "must hold keys of its own, indented beneath it")
        node = value if isinstance(value, CommentedMap) else CommentedMap()
        positions = self.node.lc.data or {}
        line = positions[key][0] + 1 if key in positions else self.line
        return Section(node, f"{self.path}{key}.", line, self.mistakes)

    def text(self, key: str, pattern: str, form: str, default: str | None = None) -> str:
        """A string of this pattern; `form` says in words what the pattern asks for."""
        value = self.take(key, required="" if default is not None else form)
        if value is None:
            return default or ""
        if message := text_problem(value, pattern, form):
            self.complain(key, message)
        return str(value)

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.take(key)
        if value is not None and value not in choices:
            self.complain(key, f"{value!r} is none of: {', '.join(choices)}{closest(str(value), choices)}")
        return str(value) if value is not None else default

    def region(self, key: str) -> str:
        value = self.take(key, required="a region, such as us-east-1")
        if value is not None and (message := check_region(str(value))):
            self.complain(key, message)
        return str(value or "")

    def texts(self, key: str, pattern: str, form: str, required: bool = False) -> tuple[str, ...]:
        """A list of strings of this pattern."""
        values = self.items(key, f"a list with {form}" if required else "")
        for number, value in enumerate(values):
            if message := text_problem(value, pattern, form):
                self.complain_item(key, number, message)
        return tuple(str(value) for value in values)

    def regions(self, key: str, default: str) -> tuple[str, ...]:
        values = self.items(key)
        for number, value in enumerate(values):
            if message := check_region(str(value)):
                self.complain_item(key, number, message)
        return tuple(dict.fromkeys(str(value) for value in values)) or (default,)

    def items(self, key: str, required: str = "") -> list[Any]:
        value = self.take(key, required)
        if value is None:
            return []
        if not isinstance(value, list):
            self.complain(key, "must be a list: one `- …` line for each")
            return []
        if required and not value:
            self.complain(key, f"is empty. Write {required}")
        return list(value)

    def complain_item(self, key: str, number: int, message: str) -> None:
        line = self.node[key].lc.data[number][0] + 1
        self.mistakes.append(Mistake(f"{self.path}{key}[{number}]", line, message))

    def finish(self) -> None:
        """Complain of the keys that nobody asked for."""
        for key in self.node:
            if key not in self.known:
                hint = closest(str(key), self.known) or f". Known here: {', '.join(self.known)}"
                self.complain(key, f"is not a key of this file{hint}")


def text_problem(value: Any, pattern: str, form: str) -> str:
    """What is wrong with a value that should be text of this pattern; empty when nothing is."""
    if isinstance(value, (int, float)):
        return (
            f"YAML reads {value} as a {'truth value' if isinstance(value, bool) else 'number'}, "
            f"which loses leading zeros. Write it in quotes, as {form}"
        )
    if not isinstance(value, str):
        return f"must be text: {form}"
    if not re.fullmatch(pattern, value):
        length = f" (it has {len(value)} characters)" if pattern == ACCOUNT else ""
        return f"{value!r} is not {form}{length}"
    return ""


def parse(text: str, name: str) -> Environment:
    """The environment in a file's text; UserError with every mistake otherwise. name: for the messages."""
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UserError(f"{name}, line {line}: not valid YAML: {error.problem}") from error
    except YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {error}") from error
    if not isinstance(document, CommentedMap):
        raise UserError(f"{name} holds no keys. Copy {EXAMPLE_FILE} and fill it in")
    mistakes: list[Mistake] = []
    environment = read(Section(document, "", 0, mistakes))
    if mistakes:
        mistakes.sort(key=lambda mistake: mistake.line)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise UserError("\n".join([f"{name} has {count}:", *(f"  {mistake}" for mistake in mistakes)]))
    return environment


def read(top: Section) -> Environment:
    """The whole file, section by section."""
    region = top.region("region")
    administrator = top.choice("administrator", ("delegated", "management"), "delegated")
    accounts = read_accounts(top.section("accounts"), top.node, administrator)
    units = read_units(top.section("units"))
    regions_section = top.section("regions")
    regions = Regions(regions_section.regions("staging", region), regions_section.regions("production", region))
    regions_section.finish()
    environment = Environment(
        region=region,
        administrator="management" if administrator == "management" else "delegated",
        accounts=accounts,
        units=units,
        regions=regions,
        roles=read_roles(top.section("roles")),
        tester_external_id=top.text(
            "tester_external_id", EXTERNAL_ID, "a secret-like word of 2 to 64 letters, digits or +=,.@:/-"
        ),
        studio=read_studio(top.section("studio"), accounts.data_science),
        catalog=read_catalog(top.section("catalog")),
        notifications=read_notifications(top.section("notifications")),
    )
    top.finish()
    return environment


def read_accounts(section: Section, top: CommentedMap, administrator: str) -> Accounts:
    form = 'an account id of 12 digits in quotes, such as "111111111111"'
    accounts = Accounts(section.text("management", ACCOUNT, form), section.text("data_science", ACCOUNT, form))
    section.finish()
    same = accounts.management == accounts.data_science
    if administrator == "delegated" and same and accounts.management:
        section.complain(
            "data_science",
            "is the management account, which cannot be a delegated administrator. "
            "Name another account, or write `administrator: management`",
        )
    if administrator == "management" and not same and accounts.management and accounts.data_science:
        section.complain(
            "data_science",
            "must be the management account when `administrator: management` is set: stack sets are then made by it. "
            "Write `administrator: delegated` to use an account of its own",
        )
    return accounts


def read_units(section: Section) -> PerStage:
    form = "a unit's id, such as ou-ab12-cdefgh34 (Organizations console, or `aws organizations list-roots`)"
    units = PerStage(section.text("staging", UNIT, form), section.text("production", UNIT, form))
    section.finish()
    if units.staging == units.production and units.staging:
        section.complain("production", "is the staging unit. Every stage needs a unit of its own")
    return units


def read_roles(section: Section) -> Roles:
    suffixes = section.section("suffix")
    form = "at most 10 lowercase letters or digits"
    suffix = PerStage(
        suffixes.text("staging", SUFFIX, form, default="staging"),
        suffixes.text("production", SUFFIX, form, default="prod"),
    )
    suffixes.finish()
    access = section.text(
        "access", ROLE_NAME, "a role's name without its path", default="OrganizationAccountAccessRole"
    )
    section.finish()
    return Roles(suffix, access)


def read_studio(section: Section, data_science: str) -> Studio:
    roles = section.texts("execution_roles", f"{ROLE_ARN}|{ROLE}", "a role's name or ARN", required=True)
    section.finish()
    for number, role in enumerate(roles):
        if re.fullmatch(ROLE_ARN, role) and role.split(":")[4] != data_science:
            section.complain_item(
                "execution_roles", number, f"is a role of account {role.split(':')[4]}, not of accounts.data_science"
            )
    return Studio(tuple(role.split(":role/")[-1] for role in roles))


def read_catalog(section: Section) -> Catalog:
    catalog = Catalog(
        portfolio=section.text("portfolio", CATALOG_NAME, "1 to 100 characters", "SageMaker Organization Templates"),
        product=section.text("product", CATALOG_NAME, "1 to 100 characters", "Multi Account Deployment"),
        owner=section.text("owner", OWNER, "1 to 50 characters", "ML platform"),
        principals=section.texts("principals", PRINCIPAL_ARN, "the ARN of an IAM role, user or group"),
    )
    section.finish()
    return catalog


def read_notifications(section: Section) -> Notifications:
    address = section.text("approval_email", f"({EMAIL})?", "an e-mail address", default="")
    section.finish()
    return Notifications(address)


def load(file: Path) -> Environment:
    """The environment in a file; UserError when it is missing or has mistakes."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist. Copy {EXAMPLE_FILE} to {DEFAULT_FILE} and fill it in") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error
    return parse(text, str(file))
