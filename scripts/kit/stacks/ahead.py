"""What `make accounts` looks at before its first write: what would end a later part, after others have been written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from scripts.kit import builds
from scripts.kit.connect import Connection, enter, pages
from scripts.kit.console import UserError, some
from scripts.kit.names import STUDIO_ROLE
from scripts.kit.organization import members, state
from scripts.kit.regions import opt_in_regions
from scripts.kit.roles import role_exists
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import adoption, model_regions
from scripts.kit.stages import Stage
from scripts.kit.together import together

MOST_ROLES = 20  # that a message names


def check(connection: Connection, home: Connection, settings: Settings, note: Callable[[str], None]) -> None:
    """UserError where something is missing that only a person can bring. home: the data science account"""
    require_studio_roles(home, settings)
    require_regions(connection, home, settings)
    adoption.of_bundles(home)
    for region in (home.region, *model_regions.further(settings)):
        adoption.of_models(home.in_region(region))
    for text in quotas(home, builds.quotas(settings, home.region)):
        note(text)


# -- roles -------------------------------------------------------------------------------------


def require_studio_roles(home: Connection, settings: Settings) -> None:
    """UserError where a role of studio.execution_roles does not exist, with those that do; template 09 makes one."""
    made = {STUDIO_ROLE} if settings.studio.domain else set()
    named = (role for role in settings.studio.execution_roles if role not in made)
    missing = [role for role in named if not role_exists(home, role)]
    if not missing:
        return
    there = sorted(roles_of_sagemaker(home))
    shown = ", ".join(there[:MOST_ROLES]) + (f" and {len(there) - MOST_ROLES} more" if len(there) > MOST_ROLES else "")
    raise UserError(
        f"studio.execution_roles: account {home.account} has no role {' and no role '.join(missing)}. Nothing was "
        "changed. SageMaker may assume these roles "
        f"there: {shown or 'none'}. `aws sagemaker describe-domain` shows a domain's"
    )


def roles_of_sagemaker(home: Connection) -> Iterator[str]:
    """The roles that SageMaker may assume, with their paths; AWS's own for project templates are no person's."""
    for role in pages(home.client("iam"), "list_roles", "Roles"):
        trusted = str(role.get("AssumeRolePolicyDocument", {}))
        if "sagemaker.amazonaws.com" in trusted and not role["RoleName"].startswith("AmazonSageMakerServiceCatalog"):
            yield f"{role['Path'].lstrip('/')}{role['RoleName']}"


# -- Regions -----------------------------------------------------------------------------------


def require_regions(connection: Connection, home: Connection, settings: Settings) -> None:
    """UserError where an account of the installation has not enabled one of its Regions.

    An account that cannot be entered, or is yet to come, is left out. Most Regions are enabled in every account.
    """
    places = [(home, region) for region in wanted(home, settings, *settings.stages)]
    for stage in settings.stages:
        listed = wanted(home, settings, stage)
        accounts = accounts_of(connection, settings, stage) if listed else []
        entered = together([partial(entering, connection, account, settings.roles.access) for account in accounts])
        places += [(there, region) for there in entered if there for region in listed]
    off = [
        f"{region} in account {there.account}" for there, region in dict.fromkeys(places) if not enabled(there, region)
    ]
    if off:
        region, account = off[0].split(" in account ")
        raise UserError(
            f"Regions that are not enabled: {some(off)}. Nothing was changed. Enable each with credentials of its "
            f"account (`aws account enable-region --region-name {region}` in account {account}, which takes minutes to "
            "hours), or leave the Region out of the environment file"
        )


def wanted(home: Connection, settings: Settings, *stages: Stage) -> list[str]:
    """The Regions of the stages, and the installation's own, that accounts have to enable."""
    named = {home.region, *(region for stage in stages for region in settings.regions.of(stage))}
    return sorted(named & opt_in_regions())


def accounts_of(connection: Connection, settings: Settings, stage: Stage) -> list[str]:
    """The accounts of a stage that can be seen already."""
    if settings.targets:
        return list(settings.targets.of(stage))
    try:
        return [
            one.id for one in members.accounts_beneath(connection.client("organizations"), settings.units.of(stage))
        ]
    except ClientError as error:
        if state.NO_ORGANIZATION(error) or state.DENIED(error):
            return []
        raise


def entering(connection: Connection, account: str, role: str) -> Connection | None:
    try:
        return enter(connection, account, role)
    except UserError:
        return None


def enabled(there: Connection, region: str) -> bool:
    # us-east-1 answers for all (AWS General Reference, "AWS Account Management endpoints and quotas")
    found = there.client("account", "us-east-1").get_region_opt_status(RegionName=region)
    return found["RegionOptStatus"] in {"ENABLED", "ENABLED_BY_DEFAULT"}


# -- quotas ------------------------------------------------------------------------------------


def quotas(home: Connection, needed: Sequence[str]) -> Iterator[str]:
    """The quotas of builds that allow none yet, as in a new account: the first pipeline would fail at StartBuild."""
    listed: list[dict[str, Any]]
    try:
        listed = list(pages(home.client("service-quotas"), "list_service_quotas", "Quotas", ServiceCode="codebuild"))
    except ClientError:  # `make doctor` says which reads it lacks
        return
    for quota in listed:
        if quota["QuotaName"] in needed and quota["Value"] < 1:
            yield (
                f"account {home.account} may run no builds yet ({quota['QuotaName']}: {quota['Value']:g}). Ask for "
                "some: aws service-quotas request-service-quota-increase --service-code codebuild "
                f"--quota-code {quota['QuotaCode']} --desired-value 10 --region {home.region}"
            )
