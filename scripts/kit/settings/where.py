"""Where models run: the units of the environment file, or (without Organizations) its targets, and so its stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TypeVar

from scripts.kit.settings.model import Accounts, Administrator, Targets, Units
from scripts.kit.settings.sections import ACCOUNT, Section, shown
from scripts.kit.stages import Stage

Value = TypeVar("Value")

UNIT_ID = r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}"  # Organizations, OrganizationalUnitId
UNIT_NAME = r"(?!ou-|r-)[^/\n]{1,128}"  # Organizations, OrganizationalUnitName; a word like an id is taken for one
UNIT = (
    rf"{UNIT_ID}|{UNIT_NAME}(/{UNIT_NAME}){{0,4}}"  # five levels (Quotas for AWS Organizations, "OU maximum nesting")
)


def of_section(section: Section, alone: bool) -> tuple[Stage, ...]:
    """The stages that a section of units or targets names, and those that it must name.

    alone: the installation has production alone, so that a section which names another stage is complained of
    """
    named = [stage for stage in Stage if stage.key in section.node]
    if not alone:
        return tuple(stage for stage in Stage if stage in named or not stage.between)
    for stage in (one for one in named if one is not Stage.PROD):
        section.known.append(stage.key)
        section.complain(
            stage.key,
            f"is {shown(section.node[stage.key])}, and `production_alone: true` says that there is no stage before "
            "production. Leave one of the two out, such as production_alone",
        )
    return (Stage.PROD,)


def of_each(
    section: Section, form: str, alone: bool, read: Callable[[Stage], Value], nothing: Value
) -> dict[Stage, Value]:
    """A value for each stage of a section.

    form: what to write for one; read: gives the value of one; nothing: of staging that is left out by a mistake
    """
    stages, staging = of_section(section, alone), Stage.STAGING
    if alone or Stage.PROD.key not in section.node or staging.key in section.node:
        return {stage: read(stage) for stage in stages}
    section.known.append(staging.key)
    section.complain(
        staging.key,
        f"is missing. Write {form}; or `production_alone: true` beside it, for an installation in which nothing is "
        "tested before production (docs/decisions/0095-production-alone.md)",
    )
    return {stage: nothing if stage is staging else read(stage) for stage in stages}


def read_where(top: Section, administrator: Administrator, accounts: Accounts) -> tuple[Units, Targets | None]:
    """The units, or (without Organizations) the accounts of each stage."""
    alone = top.flag("production_alone")
    if administrator != "self-managed":
        if top.take("targets") is not None:
            top.complain(
                "targets", "is for `administrator: self-managed` only: the units say the accounts. Leave it out"
            )
        return read_units(top.section("units"), administrator, alone), None
    if top.take("units") is not None:
        top.complain("units", "has no part with `administrator: self-managed`. List the accounts in targets instead")
    targets = read_targets(top.section("targets"), accounts.data_science, alone)
    return Units(dict.fromkeys(targets.stages, "")), targets


def read_units(section: Section, administrator: Administrator, alone: bool) -> Units:
    form = (
        "a unit's id, such as ou-ab12-cdefgh34 (Organizations console, or `aws organizations list-roots`), "
        "or names from the root down, such as multi-account-deployment/staging"
    )
    named = of_each(section, form, alone, lambda stage: section.text(stage.key, UNIT, form), "")
    outer = [named[stage] for stage in (Stage.STAGING, Stage.PROD) if stage in named]
    above = unit_above(outer) if administrator == "delegated" else ""
    units = Units(named, data_science=section.text("data_science", UNIT, form, default=above))
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


def unit_above(units: Sequence[str]) -> str:
    """The names that these units are all beneath, as in the post; "" for ids, or where there is none."""
    levels = zip(*(unit.split("/")[:-1] for unit in units), strict=False)
    return "/".join(names[0] for names in takewhile(lambda names: len({*names}) == 1, levels))


def read_targets(section: Section, data_science: str, alone: bool) -> Targets:
    form = 'an account id of 12 digits in quotes, such as "333333333333"'

    def read(stage: Stage) -> tuple[str, ...]:
        return section.texts(stage.key, ACCOUNT, form, required=True)

    targets = Targets(of_each(section, f"a list with {form}", alone, read, ()))
    section.finish()
    seen = {data_science: "the data science account, which runs no models"}
    for stage in targets.stages:
        for number, id in enumerate(targets.of(stage)):
            if id and id in seen:
                section.complain_item(stage.key, number, f"{id} is {seen[id]}")
            seen[id] = f"in targets.{stage.key} already"
    return targets
