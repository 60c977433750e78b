"""AWS::CloudFormation::StackSet: which instances StackInstancesGroup asks for, and what an update does to them.

As AWS's own handler decides it (aws-cloudformation-resource-providers-cloudformation: InstancesAnalyzer for
groups of units or accounts; AltResourceModelAnalyzer where a group of units has an AccountFilterType).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localaws.cloudformation.provider import ResourceFailed
from localaws.cloudformation.providers.shapes import only

TYPE = "AWS::CloudFormation::StackSet"
FILTERS = {"NONE", "INTERSECTION", "DIFFERENCE"}
Overrides = list[dict[str, Any]] | None


@dataclass(frozen=True)
class Selection:
    """Accounts of one unit: these ones, or all but these ones."""

    accounts: frozenset[str]
    all_but: bool

    def minus(self, other: Selection) -> Selection:
        return self.also(Selection(other.accounts, not other.all_but))

    def also(self, other: Selection) -> Selection:
        """The accounts that are in both."""
        if self.all_but and other.all_but:
            return Selection(self.accounts | other.accounts, True)
        if self.all_but:
            return Selection(other.accounts - self.accounts, False)
        if other.all_but:
            return Selection(self.accounts - other.accounts, False)
        return Selection(self.accounts & other.accounts, False)

    def plus(self, other: Selection) -> Selection:
        """The accounts that are in one of them."""
        neither = Selection(self.accounts, not self.all_but).also(Selection(other.accounts, not other.all_but))
        return Selection(neither.accounts, not neither.all_but)

    def targets(self, unit: str) -> dict[str, Any] | None:
        """The deployment targets; None where no account is selected."""
        if not self.accounts:
            return {"OrganizationalUnitIds": [unit], "AccountFilterType": "NONE"} if self.all_but else None
        return {
            "OrganizationalUnitIds": [unit],
            "Accounts": sorted(self.accounts),
            "AccountFilterType": "DIFFERENCE" if self.all_but else "INTERSECTION",
        }


@dataclass(frozen=True)
class Instances:
    """One call to create, update or delete stack instances."""

    targets: dict[str, Any]
    regions: tuple[str, ...]
    overrides: Overrides = None


@dataclass(frozen=True)
class Plan:
    delete: list[Instances]
    create: list[Instances]
    update: list[Instances]


def plan(old: dict[str, Any], new: dict[str, Any]) -> Plan:
    """From the properties before ({} for a creation) to those after ({} for a deletion)."""
    for properties in (old, new):
        for group in groups(properties):
            only(
                f"{TYPE}.DeploymentTargets",
                group["DeploymentTargets"],
                {"Accounts", "AccountFilterType", "AccountsUrl", "OrganizationalUnitIds"},
            )
    return by_account(old, new) if filters(old) or filters(new) else by_target(old, new)


def groups(properties: dict[str, Any]) -> list[dict[str, Any]]:
    return properties.get("StackInstancesGroup") or []


def service_managed(properties: dict[str, Any]) -> bool:
    return properties.get("PermissionModel") == "SERVICE_MANAGED"


def filters(properties: dict[str, Any]) -> bool:
    """Whether a group of units chooses among their accounts."""
    chosen = any(group["DeploymentTargets"].get("AccountFilterType") for group in groups(properties))
    return service_managed(properties) and chosen


# -- groups of units or of accounts ----------------------------------------------------------------

Places = dict[tuple[str, str], Overrides]  # by unit or account, and Region


def by_target(old: dict[str, Any], new: dict[str, Any]) -> Plan:
    """A creation or deletion of one group is passed on as it stands."""
    if not old or not new:
        if len(groups(old or new)) == 1:
            as_given = [Instances(g["DeploymentTargets"], tuple(g["Regions"]), g.get("ParameterOverrides"))
                        for g in groups(old or new)]  # fmt: skip
        else:
            as_given = calls(places(old or new), service_managed(old or new))
        return Plan([], as_given, []) if new else Plan(as_given, [], [])
    before, after, units = places(old), places(new), service_managed(new)
    return Plan(
        calls({place: None for place in before if place not in after}, units),
        calls({place: overrides for place, overrides in after.items() if place not in before}, units),
        calls({p: overrides for p, overrides in after.items() if p in before and before[p] != overrides}, units),
    )


def places(properties: dict[str, Any]) -> Places:
    kind = "OrganizationalUnitIds" if service_managed(properties) else "Accounts"
    found: Places = {}
    for group in groups(properties):
        targets = group["DeploymentTargets"].get(kind) or []
        if not targets:
            raise ResourceFailed(
                f"{kind} should be specified in DeploymentTargets in [{properties['PermissionModel']}] model"
            )
        for region in group["Regions"]:
            for target in targets:
                if (target, region) in found:
                    raise ResourceFailed(f"Stack instance [{target},{region}] is duplicated")
                found[target, region] = group.get("ParameterOverrides")
    return found


def calls(wanted: Places, units: bool) -> list[Instances]:
    """Targets with the same Regions and overrides become one call."""
    regions: dict[tuple[str, str], tuple[str, list[str], Overrides]] = {}
    for (target, region), overrides in wanted.items():
        regions.setdefault((target, repr(overrides)), (target, [], overrides))[1].append(region)
    targets: dict[tuple[tuple[str, ...], str], tuple[list[str], Overrides]] = {}
    for target, found, overrides in regions.values():
        targets.setdefault((tuple(sorted(found)), repr(overrides)), ([], overrides))[0].append(target)
    kind = "OrganizationalUnitIds" if units else "Accounts"
    return [Instances({kind: names}, key[0], overrides) for key, (names, overrides) in targets.items()]


# -- groups that choose accounts of units ------------------------------------------------------------

Regions = dict[str, list[dict[str, Any]]]  # region: the groups that name it


def by_account(old: dict[str, Any], new: dict[str, Any]) -> Plan:
    """One Region after the other; what stays is updated, whether or not it changed."""
    before, after = regions_of(old), regions_of(new)
    todo = Plan(
        [as_given(group, region, None) for region in before if region not in after for group in before[region]],
        [
            as_given(group, region, group.get("ParameterOverrides"))
            for region in after
            if region not in before
            for group in after[region]
        ],
        [],
    )
    overrides = overrides_of(groups(new))
    for region in after:
        if region not in before:
            continue
        former, wanted, none = selections(before[region]), selections(after[region]), Selection(frozenset(), False)
        for unit in sorted(former.keys() | wanted.keys()):
            was, now = former.get(unit, none), wanted.get(unit, none)
            todo.delete.extend(one(was.minus(now), unit, region, None))
            todo.create.extend(one(now.minus(was), unit, region, overrides.get(unit)))
            todo.update.extend(one(now.also(was), unit, region, overrides.get(unit)))
    return todo


def regions_of(properties: dict[str, Any]) -> Regions:
    """The groups by Region, in RegionOrder as far as it says."""
    for group in groups(properties):
        check(group["DeploymentTargets"])
    named = [region for group in groups(properties) for region in group["Regions"]]
    first = (properties.get("OperationPreferences") or {}).get("RegionOrder") or []
    ordered = dict.fromkeys([*(region for region in first if region in named), *named])
    return {region: [group for group in groups(properties) if region in group["Regions"]] for region in ordered}


def check(targets: dict[str, Any]) -> None:
    if not targets.get("OrganizationalUnitIds"):
        raise ResourceFailed("OrganizationalUnitIds should be specified in SERVICE_MANAGED mode")
    kind = targets.get("AccountFilterType") or "NONE"
    if kind not in FILTERS:
        raise ResourceFailed(f"{kind} is not a valid AccountFilterType")
    if targets.get("AccountsUrl"):
        raise ResourceFailed("AccountsUrl is currently not supported when using Account Level Targeting (ALT)")
    if kind == "NONE" and targets.get("Accounts"):
        raise ResourceFailed(
            "AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are provided"
        )
    if kind != "NONE" and not targets.get("Accounts"):
        raise ResourceFailed("Accounts should be specified when Account-level Targeting is enabled")


def overrides_of(wanted: Iterable[dict[str, Any]]) -> dict[str, Overrides]:
    """A unit's overrides: two groups may name the same unit only where neither has any."""
    found: dict[str, Overrides] = {}
    for group in wanted:
        overrides = group.get("ParameterOverrides")
        for unit in group["DeploymentTargets"]["OrganizationalUnitIds"]:
            if unit in found and (overrides is not None or found[unit] is not None):
                raise ResourceFailed("An OrganizationalUnitIds cannot be associated with more than one Parameters set")
            found[unit] = overrides
    return found


def selections(found: Iterable[dict[str, Any]]) -> dict[str, Selection]:
    """The accounts of each unit: what several groups choose of it, taken together."""
    chosen: dict[str, Selection] = {}
    for group in found:
        targets = group["DeploymentTargets"]
        kind = targets.get("AccountFilterType") or "NONE"
        mine = Selection(frozenset(targets.get("Accounts") or ()), kind != "INTERSECTION")
        for unit in targets["OrganizationalUnitIds"]:
            chosen[unit] = chosen[unit].plus(mine) if unit in chosen else mine
    return chosen


def as_given(group: dict[str, Any], region: str, overrides: Overrides) -> Instances:
    return Instances(group["DeploymentTargets"], (region,), overrides)


def one(chosen: Selection, unit: str, region: str, overrides: Overrides) -> list[Instances]:
    targets = chosen.targets(unit)
    return [Instances(targets, (region,), overrides)] if targets else []
