"""Reading the environment file: once, and checked completely.

Every mistake in it is reported in one go, each with the key's path, the line, what is wrong and
what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import yaml

from awslang.bounded import read_start
from scripts.kit.console import UserError, counted
from scripts.kit.settings import yaml_lines
from scripts.kit.settings.consumers import read_consumers
from scripts.kit.settings.endpoints import read_endpoints
from scripts.kit.settings.model import (
    ADMINISTRATORS,
    PURPOSES,
    Accounts,
    Administrator,
    Approval,
    Builds,
    Catalog,
    Images,
    InvitedAccount,
    Models,
    NewAccount,
    Notifications,
    PerStage,
    Publishing,
    Purpose,
    Regions,
    Roles,
    Settings,
    Source,
)  # fmt: skip
from scripts.kit.settings.sections import ACCOUNT, Mistake, Section
from scripts.kit.settings.studio import ROLE, ROLE_NAME, check_accounts, read_studio
from scripts.kit.settings.tags import read_tags
from scripts.kit.settings.where import UNIT_ID, read_where
from scripts.kit.stages import Stage

DEFAULT_FILE = Path("environment.yaml")
EXAMPLE_FILE = "environment.example.yaml"

# Patterns, with the API reference that states each.
SUFFIX = r"[a-z0-9]{1,10}"  # the post: a short string, at most 10 lowercase alphanumeric characters
EXTERNAL_ID = r"[a-zA-Z0-9_+=,.@:/-]{2,64}"  # STS, AssumeRole.ExternalId (which allows 1,224 characters)
PUBLISHER = rf"(arn:aws[a-z-]*:iam::{ACCOUNT}:)?((role|user)/)?{ROLE}"  # a role's name, or role/NAME or user/NAME
# AssociatePrincipalWithPortfolio: an ARN, or (without an account) a pattern in which * and ? stand for characters
PRINCIPAL_ARN = rf"arn:aws[a-z-]*:iam::({ACCOUNT})?:(user|group|role)/[!-~]+"
SHARE = rf"{ACCOUNT}|organization|{UNIT_ID}"
EMAIL = r"(?=.{6,320}$)[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+"  # RFC 5321: 64 characters, @, 255 characters
NEW_EMAIL = rf"(?=.{{6,64}}$){EMAIL}"  # Organizations, CreateAccount: 6 to 64 characters of 7-bit ASCII
NEW_ACCOUNT = r"[ -~]{1,50}"  # Organizations, CreateAccountName
CONNECTION = rf"arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:{ACCOUNT}:connection/[0-9a-f-]{{36}}"
OWNING = r"[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*"  # a user, an organization or a group (GitLab's groups nest)
CATALOG_NAME = r".{1,100}"  # Service Catalog, PortfolioDisplayName (1 to 100; a product's name may be longer)
OWNER = r".{1,50}"  # Service Catalog, ProviderName (a portfolio's provider: 1 to 50)
# ECR, Prefix of a repository creation template, which always stands for PREFIX/ (so a slash at its end may be written)
REPOSITORY_PREFIX = r"(?=.{1,255}$)[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*/?"
BOUNDARY = r"([a-zA-Z0-9_+=,.@-]+/)*[a-zA-Z0-9_+=,.@-]{1,128}"  # IAM, policyNameType, with its path where it has one
ROLE_PATH = r"(?=.{1,200}$)/([a-zA-Z0-9_+=,.@-]+/)*"  # IAM, pathType (which allows 512, and more kinds)
FURTHER_REGIONS = 3  # of a stage, besides the data science account's (decision 9)
LARGEST = 1_000_000  # bytes of the file, in which 10,000 accounts have room
SHOWN_MISTAKES = 100
IMAGE_REGIONS = 3  # the destinations that template 11 has room for


def parse(text: str, name: str) -> Settings:
    """The settings in a file's text; UserError with every mistake otherwise. name: for the messages."""
    mistakes: list[Mistake] = []
    try:
        document = yaml_lines.load(text, lambda *given: mistakes.append(Mistake(*given)))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{name}, line {line}: not valid YAML: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UserError(f"{name}, line {line}: not valid YAML: {error.problem}") from error
    if not isinstance(document, yaml_lines.LinesOfMapping) and not mistakes:
        raise UserError(f"{name} holds no keys. Copy {EXAMPLE_FILE} and fill it in")
    settings = read(Section(document, "", 0, mistakes)) if isinstance(document, yaml_lines.LinesOfMapping) else None
    if settings is None or mistakes:
        mistakes.sort(key=lambda mistake: mistake.line)
        listed = [f"  {mistake}" for mistake in mistakes[:SHOWN_MISTAKES]]
        more = [f"  and {more:,} more"] if (more := len(mistakes) - SHOWN_MISTAKES) > 0 else []
        raise UserError("\n".join([f"{name} has {counted(len(mistakes), 'mistake')}:", *listed, *more]))
    return settings


def read(top: Section) -> Settings:
    """The whole file, section by section."""
    region = top.region("region")
    administrator = cast(Administrator, top.choice("administrator", ADMINISTRATORS, "delegated"))
    new_accounts = read_new_accounts(top)
    accounts = read_accounts(top.section("accounts"), administrator, new_accounts)
    units, targets = read_where(top, administrator, accounts)
    regions_section = top.section("regions")
    regions = Regions({stage: regions_section.regions(stage.key, region) for stage in units.stages})
    for stage, listed in ((stage.key, regions.of(stage)) for stage in units.stages):
        if (count := len({*listed} - {region})) > FURTHER_REGIONS:
            regions_section.complain(
                stage,
                f"has {count} Regions besides {region}, and a stage has room for {FURTHER_REGIONS}. Leave some out",
            )
    regions_section.finish()
    settings = Settings(
        region=region,
        administrator=administrator,
        accounts=accounts,
        units=units,
        regions=regions,
        roles=read_roles(top.section("roles"), accounts.data_science, units.stages),
        tester_external_id=top.text(
            "tester_external_id", EXTERNAL_ID, "a secret-like word of 2 to 64 letters, digits or +=,.@:/-"
        ),
        studio=read_studio(top.section("studio"), accounts.data_science),
        catalog=read_catalog(top.section("catalog")),
        notifications=read_notifications(top.section("notifications")),
        targets=targets,
        new_accounts=new_accounts,
        invited_accounts=read_invited_accounts(top),
        target_roles=read_target_roles(top, administrator),
        approval=read_approval(top.section("approval"), units.stages),
        builds=read_builds(top.section("builds")),
        publishing=read_publishing(top.section("publishing")),
        source=read_source(top.section("source")),
        images=read_images(top.section("images")),
        models=read_models(top.section("models")),
        endpoints=read_endpoints(top.section("endpoints")),
        consumers=read_consumers(top.section("consumers"), units.stages),
        tags=read_tags(top),
    )
    further = {one for stage in units.stages for one in regions.of(stage)} - {region}
    if settings.images.repository_prefix and len(further) > IMAGE_REGIONS:
        top.complain("images", f"go to {IMAGE_REGIONS} further Regions at most, and the stages have {len(further)}")
    check_purposes(top, settings)
    if administrator == "self-managed":
        for key in ("new_accounts", "invited_accounts"):
            if getattr(settings, key):
                top.complain(key, "needs Organizations. Leave it out, or name another administrator")
    top.finish()
    return settings


def read_accounts(section: Section, administrator: Administrator, new: tuple[NewAccount, ...]) -> Accounts:
    form = 'an account id of 12 digits in quotes, such as "111111111111"'
    alone = administrator == "self-managed"
    to_be_made = "" if any(account.stage == "data_science" for account in new) else None
    accounts = Accounts(
        section.text("management", ACCOUNT, form, default="" if alone else None),
        section.text("data_science", ACCOUNT, form, default=to_be_made),
    )
    section.finish()
    if alone and accounts.management:
        section.complain("management", "has no part with `administrator: self-managed`. Leave it out")
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


def read_new_accounts(top: Section) -> tuple[NewAccount, ...]:
    found: list[NewAccount] = []
    seen: set[str] = set()
    for item in top.sections("new_accounts"):
        account = NewAccount(
            item.text("name", NEW_ACCOUNT, "a name of 1 to 50 characters"),
            item.text("email", NEW_EMAIL, "an e-mail address that no other AWS account has"),
            read_stage(item),
        )
        item.finish()
        for key in ("name", "email"):
            value = getattr(account, key)
            if value and f"{key}={value}" in seen:
                item.complain(key, f"{value} is another new account's. Every account needs its own")
            seen.add(f"{key}={value}")
        if account.stage == "data_science" and "stage=data_science" in seen:
            item.complain("stage", "there is a new data_science account already. There can be one")
        seen.add(f"stage={account.stage}")
        found.append(account)
    return tuple(found)


def read_invited_accounts(top: Section) -> tuple[InvitedAccount, ...]:
    found: list[InvitedAccount] = []
    for item in top.sections("invited_accounts"):
        account = InvitedAccount(item.text("id", ACCOUNT, "an account id of 12 digits in quotes"), read_stage(item))
        item.finish()
        found.append(account)
    return tuple(found)


def check_purposes(top: Section, settings: Settings) -> None:
    """Complain of an account that is for a stage which the installation is without."""
    known = {"data_science", *(stage.key for stage in settings.stages)}
    for key in ("new_accounts", "invited_accounts"):
        for account in getattr(settings, key):
            if account.stage not in known:
                top.complain(key, f"names the stage {account.stage}, which needs a unit: write units.{account.stage}")


def read_stage(item: Section) -> Purpose:
    if item.take("stage", required=f"one of: {', '.join(PURPOSES)}") is None:
        return "staging"  # the mistake is reported
    return cast(Purpose, item.choice("stage", PURPOSES, "staging"))


def read_target_roles(top: Section, administrator: Administrator) -> Literal["stack-set", "one-by-one"]:
    alone = administrator == "self-managed"
    ways = ("stack-set", "one-by-one")
    chosen = top.choice("target_roles", ways, "one-by-one" if alone else "stack-set")
    if alone and chosen == "stack-set":
        top.complain("target_roles", "must be one-by-one with `administrator: self-managed`, or left out")
    return "one-by-one" if chosen == "one-by-one" else "stack-set"


def read_approval(section: Section, stages: Sequence[Stage]) -> Approval:
    four_eyes, optional = section.flag("four_eyes"), [stage for stage in stages if stage.between]
    form = "a stage between staging and production that units (or targets) names. Name it there, or leave it out here"
    before = section.texts("before", "|".join(optional) or "(?!)", form)
    section.finish()
    return Approval(four_eyes, tuple(stage for stage in optional if stage in before))


def read_builds(section: Section) -> Builds:
    compute = section.choice("compute", ("lambda", "ec2"), "lambda")
    on_push = section.flag("on_push")
    section.finish()
    return Builds("ec2" if compute == "ec2" else "lambda", on_push)


def read_publishing(section: Section) -> Publishing:
    to = section.choice("to", ("service-catalog", "s3", "both"), "service-catalog")
    section.finish()
    return Publishing(cast(Literal["service-catalog", "s3", "both"], to))


def read_images(section: Section) -> Images:
    form = "the first part of repositories' names, such as team for team/churn and team/iris"
    prefix = section.text("repository_prefix", rf"({REPOSITORY_PREFIX})?", form, default="")
    section.finish()
    return Images(prefix.removesuffix("/"))


def read_models(section: Section) -> Models:
    untagged = section.choice("untagged", ("allow", "refuse"), "")
    life_cycle = section.flag("life_cycle")
    section.finish()
    return Models(cast(Literal["", "allow", "refuse"], untagged), life_cycle)


def read_source(section: Section) -> Source:
    """Where the repositories are; a connection is made by hand, in the console of Developer Tools."""
    provider = section.choice("provider", ("codecommit", "connection"), "codecommit")
    default = None if provider == "connection" else ""
    arn_form = "the ARN of a connection, such as arn:aws:codeconnections:us-east-1:111111111111:connection/…"
    source = Source(
        "connection" if provider == "connection" else "codecommit",
        section.text("connection_arn", CONNECTION if default is None else f"({CONNECTION})?", arn_form, default),
        section.text(
            "repository_owner", OWNING if default is None else f"({OWNING})?", "a user, organization or group", default
        ),
    )
    section.finish()
    if default is not None and (source.connection_arn or source.repository_owner):
        section.complain("provider", "is codecommit, which has no connection. Write `provider: connection`")
    return source


def read_roles(section: Section, data_science: str, stages: Sequence[Stage]) -> Roles:
    suffixes = section.section("suffix")
    form = "at most 10 lowercase letters or digits"
    suffix = PerStage({stage: suffixes.text(stage.key, SUFFIX, form, default=stage.value) for stage in stages})
    suffixes.finish()
    access = section.text(
        "access", ROLE_NAME, "a role's name without its path", default="OrganizationAccountAccessRole"
    )
    boundary_form = "the name of a policy, with its path where it has one, that is in every account"
    boundary = section.text("permissions_boundary", f"({BOUNDARY})?", boundary_form, default="")
    path = section.text("path", ROLE_PATH, "a path that begins and ends with a slash, such as /ml/", default="/")
    form = "a role or user that runs `make publish`, such as MLEngineer; `aws sts get-caller-identity` shows yours"
    publishers = section.texts("publishers", PUBLISHER, form, required=True)
    section.finish()
    check_accounts(section, "publishers", publishers, data_science)
    named = (one.split(":")[-1] if one.startswith("arn:") else one for one in publishers)
    with_kind = tuple(one if one.startswith(("role/", "user/")) else f"role/{one}" for one in named)
    return Roles(suffix, access, with_kind, boundary, path)


def read_catalog(section: Section) -> Catalog:
    catalog = Catalog(
        portfolio=section.text("portfolio", CATALOG_NAME, "1 to 100 characters", "SageMaker Organization Templates"),
        product=section.text("product", CATALOG_NAME, "1 to 100 characters", "Multi Account Deployment"),
        owner=section.text("owner", OWNER, "1 to 50 characters", "ML platform"),
        principals=section.texts("principals", PRINCIPAL_ARN, "the ARN of an IAM role, user or group"),
        share_with=section.texts("share_with", SHARE, "an account id in quotes, `organization`, or a unit's id"),
    )
    section.finish()
    return catalog


def read_notifications(section: Section) -> Notifications:
    names = ("approval_email", "notice_email")
    addresses = [section.text(name, f"({EMAIL})?", "an e-mail address", default="") for name in names]
    section.finish()
    return Notifications(*addresses)


def load(file: Path) -> Settings:
    """The settings in a file; UserError when it is missing or has mistakes."""
    try:
        content = read_start(file, LARGEST + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist. Copy {EXAMPLE_FILE} to {file} and fill it in") from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UserError(f"{file} cannot be read: {why}") from error
    if len(content) > LARGEST:
        raise UserError(f"{file} has more than {LARGEST:,} bytes. Is it the environment file? See {EXAMPLE_FILE}")
    return parse(text, str(file))
