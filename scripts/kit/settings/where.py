"""Where models run: the units of the environment file, or (without Organizations) its targets, and so its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from scripts.kit.settings.model import Accounts, Administrator, Targets, Units
from scripts.kit.settings.sections import ACCOUNT, Section
from scripts.kit.stages import Stage

Value = TypeVar("Value")

UNIT_ID = r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}"  # Organizations, OrganizationalUnitId
UNIT_NAME = r"(?!ou-|r-)[^/\n]{1,128}"  # Organizations, OrganizationalUnitName; a word like an id is taken for one
UNIT = (
    rf"{UNIT_ID}|{UNIT_NAME}(/{UNIT_NAME}){{0,4}}"  # five levels (Quotas for AWS Organizations, "OU maximum nesting")
)


def of_section(section: Section) -> tuple[Stage, ...]:
    """The stages that a section of units or targets names, and those that no installation is without."""
    return tuple(stage for stage in Stage if not stage.optional or stage.key in section.node)


def without_staging(section: Section, form: str) -> bool:
    """Whether a section names production alone, of which it then complains. form: what to write for staging"""
    staging, production = Stage.STAGING.key, Stage.PROD.key
    alone = production in section.node and staging not in section.node
    if alone:
        section.known.append(staging)
        section.complain(
            staging,
            "is missing, and production alone is not offered: an approver decides on what a stage before production "
            f"showed (docs/decisions/0092-two-to-five-stages.md). Write {form}",
        )
    return alone


def per_stage(stages: Iterable[Stage], read: Callable[[Stage], Value]) -> dict[str, Any]:
    """What PerStage is made of: a value for each of the stages. read: gives it"""
    found = {stage: read(stage) for stage in stages}
    named = {stage.key: value for stage, value in found.items() if not stage.optional}
    return {**named, "further": {stage: value for stage, value in found.items() if stage.optional}}


def of_each(section: Section, form: str, read: Callable[[Stage], Value], nothing: Value) -> dict[str, Any]:
    """The same of the stages of a section; nothing: of staging where production is alone, which is complained of."""
    alone = without_staging(section, form)
    return per_stage(of_section(section), lambda s: nothing if alone and s is Stage.STAGING else read(s))


def read_where(top: Section, administrator: Administrator, accounts: Accounts) -> tuple[Units, Targets | None]:
    """The units, or (without Organizations) the accounts of each stage."""
    if administrator != "self-managed":
        if top.take("targets") is not None:
            top.complain(
                "targets", "is for `administrator: self-managed` only: the units say the accounts. Leave it out"
            )
        return read_units(top.section("units"), administrator), None
    if top.take("units") is not None:
        top.complain("units", "has no part with `administrator: self-managed`. List the accounts in targets instead")
    targets = read_targets(top.section("targets"), accounts.data_science)
    return Units("", "", further=dict.fromkeys(targets.further, "")), targets


def read_units(section: Section, administrator: Administrator) -> Units:
    form = (
        "a unit's id, such as ou-ab12-cdefgh34 (Organizations console, or `aws organizations list-roots`), "
        "or names from the root down, such as multi-account-deployment/staging"
    )
    named = of_each(section, form, lambda stage: section.text(stage.key, UNIT, form), "")
    above = unit_above(named["staging"], named["production"]) if administrator == "delegated" else ""
    units = Units(**named, data_science=section.text("data_science", UNIT, form, default=above))
    section.finish()
    seen: dict[str, str] = {}
    for stage in units.stages:
        if (other := seen.setdefault(units.of(stage), stage.key)) != stage.key and units.of(stage):
            section.complain(stage.key, f"is the {other} unit. Every stage needs a unit of its own")
    if units.data_science and administrator != "delegated":
        section.complain("data_science", "has no part with `administrator: management`. Leave it out")
    for stage in units.stages:
        unit = units.of(stage)
        if unit and f"{units.data_science}/".startswith(f"{unit}/"):
            section.complain(
                "data_science",
                f"is the {stage.key} unit or in it, whose accounts run models. Name another, such as the one above it",
            )
    return units


def unit_above(staging: str, production: str) -> str:
    """The names that both stages' units are beneath, as in the post; "" for ids, or where there is none."""
    shared = []
    for one, other in zip(staging.split("/")[:-1], production.split("/")[:-1], strict=False):
        if one != other:
            break
        shared.append(one)
    return "/".join(shared)


def read_targets(section: Section, data_science: str) -> Targets:
    form = 'account ids of 12 digits in quotes, such as "333333333333"'

    def read(stage: Stage) -> tuple[str, ...]:
        return section.texts(stage.key, ACCOUNT, form, required=True)

    targets = Targets(**of_each(section, f"a list with {form}", read, tuple[str, ...]()))
    section.finish()
    seen = {data_science: "the data science account, which runs no models"}
    for stage in targets.stages:
        for number, id in enumerate(targets.of(stage)):
            if id and id in seen:
                section.complain_item(stage.key, number, f"{id} is {seen[id]}")
            seen[id] = f"in targets.{stage.key} already"
    return targets
