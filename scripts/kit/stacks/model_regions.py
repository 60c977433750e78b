"""The further regions of endpoints: template 11 in the data science account, once for each."""

from __future__ import annotations

from dataclasses import replace

from scripts.kit.bundle import pack
from scripts.kit.connect import Connection
from scripts.kit.names import MODELS_STACK
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import stack as stacks
from scripts.kit.stages import Stage

TEMPLATE = "templates/11-model-region.yaml"
READERS = ("OrganizationalUnitPaths", "TargetAccountIds")  # parameters that are the same as template 10's


def further(settings: Settings, stage: str = "") -> tuple[str, ...]:
    """The regions of both stages (or of the one with this key) besides the data science account's own."""
    stages = [settings.regions.of(one) for one in Stage if stage in {"", one.key}]
    named = dict.fromkeys(region for regions in stages for region in regions)
    return tuple(region for region in named if region != settings.region)


def wanted(first: stacks.WantedStack, prefix: str) -> stacks.WantedStack:
    """The stack of a further region; first: template 10's; prefix: of the repositories that are replicated there."""
    body = (pack.ROOT / TEMPLATE).read_text(encoding="utf-8")
    parameters = {name: first.parameters[name] for name in READERS} | {"ImageRepositoryPrefix": prefix}
    return stacks.WantedStack(first.account, MODELS_STACK, body, parameters, TEMPLATE)


def plan(home: Connection, region: str, first: stacks.WantedStack, prefix: str) -> stacks.PlannedStack:
    """The stack of one region, planned. home: the data science account."""
    want, cloudformation = wanted(first, prefix), home.client("cloudformation", region)
    step = stacks.make_plan(want, stacks.look(cloudformation, want))
    return stacks.PlannedStack(want, replace(step, name=f"{step.name}, {region}"), cloudformation)
