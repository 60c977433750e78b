"""The bundle of one installation: what the environment file says are the values of the product's parameters.

Pure except `version`, which reads the sources.
"""

from __future__ import annotations

from collections.abc import Callable

from scripts.kit import builds
from scripts.kit.bundle import pack
from scripts.kit.names import target_role
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage


def version(settings: Settings, region: str, unit_of: Callable[[str, str], str]) -> str:
    """The name under which `make publish` publishes this tree: what the stacks that are deployed from it show."""
    bundle = pack.unstamped(pack.read_tree(pack.ROOT))
    digest = pack.installed_digest(bundle, defaults_of(bundle, settings, region, unit_of))
    return pack.version_name(bundle.version, digest)


def with_defaults(
    bundle: pack.Bundle, settings: Settings, region: str, unit_of: Callable[[str, str], str]
) -> pack.Bundle:
    """The bundle as it is published in a Region.

    unit_of: the id of an OU, given as environment.yaml has it, and its key there
    """
    return pack.for_installation(bundle, defaults_of(bundle, settings, region, unit_of))


def defaults_of(
    bundle: pack.Bundle, settings: Settings, region: str, unit_of: Callable[[str, str], str]
) -> dict[str, str]:
    """The values that environment.yaml gives the product's parameters, "" included: a creator can choose no others."""
    targets, source, stages = settings.targets, settings.source, settings.stages
    values = {
        "StackSetAdministrator": {"management": "SELF", "self-managed": "SELF_MANAGED"}.get(
            settings.administrator, "DELEGATED_ADMIN"
        ),
        **{name: "" for stage in Stage for name in stage.parameters},  # a stage that is not there has none
        **{s.role_parameter: target_role(settings.roles.suffix.of(s), settings.roles.path) for s in stages},
        **{stage.unit_parameter: unit_of(settings.units.of(stage), f"units.{stage.key}") for stage in stages},
        **{stage.accounts_parameter: ",".join(targets.of(stage)) if targets else "" for stage in stages},
        **{stage.approve_parameter: "false" for stage in Stage if stage.between},
        "FourEyes": "false",
        "BuildCompute": builds.compute_of(settings, region),
        "BuildOnPush": "false",
        "ShadowMinutes": "0",
        "ShadowRequests": "0",
    }
    regions = {stage.regions_parameter: settings.regions.of(stage) for stage in stages}
    elsewhere = {
        **{name: ",".join(wanted) if wanted != (region,) else "" for name, wanted in regions.items()},
        "SourceConnectionArn": source.connection_arn,
        "SourceRepositoryOwner": source.repository_owner,
        "OrganizationTags": ",".join(f"{key}={value}" for key, value in settings.tags.items()),
        **{stage.approve_parameter: "true" for stage in settings.approval.before},
        **({"FourEyes": "true"} if settings.approval.four_eyes else {}),
        **({"BuildOnPush": "true"} if settings.builds.on_push else {}),
        **shadow_of(settings),
    }
    declared = pack.product_parameters(bundle)
    known = {name: value for name, value in values.items() if name in declared}
    # A product without these parameters would silently deploy elsewhere, or unseen: packing refuses it.
    return {**known, **{name: value for name, value in elsewhere.items() if value or name in declared}}


def shadow_of(settings: Settings) -> dict[str, str]:
    """The parameters of a shadow, where the installation has one."""
    shadow = settings.endpoints.shadow
    if not shadow.minutes:
        return {}
    return {"ShadowMinutes": str(shadow.minutes), "ShadowRequests": str(shadow.requests)}
