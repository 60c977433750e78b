"""SageMaker Studio in the data science account: template 09, its domain, and template 14 for each of its users.

Only where the environment file asks for a domain (studio.domain); an account that has one needs neither.
"""

from __future__ import annotations

from scripts.kit.bundle import pack
from scripts.kit.names import STUDIO_STACK, user_stack
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import stack as stacks

DOMAIN_TEMPLATE = "templates/09-studio-domain.yaml"
USER_TEMPLATE = "templates/14-studio-user.yaml"


def wanted(settings: Settings, name: str, file: str, parameters: dict[str, str], version: str) -> stacks.WantedStack:
    body = (pack.ROOT / file).read_text(encoding="utf-8")
    return stacks.WantedStack(settings.accounts.data_science, name, body, parameters, file, version, settings.tags)


def domain(settings: Settings, version: str = "") -> list[stacks.WantedStack]:
    """Template 09, where it is asked for."""
    if (made := settings.studio.domain) is None:
        return []
    parameters = {
        "DomainName": made.name,
        "VpcId": made.vpc_id,
        "SubnetIds": ",".join(made.subnet_ids),
        "BoundaryName": settings.roles.permissions_boundary,
    }
    return [wanted(settings, STUDIO_STACK, DOMAIN_TEMPLATE, parameters, version)]


def users(settings: Settings, domain_id: str, version: str = "") -> list[stacks.WantedStack]:
    """Template 14 for each user. domain_id: the output DomainId of template 09, "" while it is planned"""
    names = settings.studio.domain.users if settings.studio.domain else ()
    return [
        wanted(settings, user_stack(name), USER_TEMPLATE, {"DomainId": domain_id, "UserProfileName": name}, version)
        for name in names
    ]
