"""Automatic deployments of stack sets: an account that joins a targeted unit gets its instances.

One that leaves loses them, or keeps the stacks without being part of the set any more.

CloudFormation User Guide, "Enable or disable automatic deployments for StackSets in AWS Organizations"; API
Reference, "AutoDeployment"; its preferences are the defaults ("StackSetOperationPreferences don't apply to
AutoDeployment"), its overrides none ("Accounts added … will use the StackSet default values").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import Cloud, new_id
from localaws.cloudformation.stacksets import run as stacksets_run
from localaws.cloudformation.stacksets.state import Instance, Operation, StackSet, StackSets, sets_of
from localaws.services.organizations import service as organizations

MOST_DEPENDENCIES = 10  # of one set (AWS DevOps Blog, "… with StackSet Dependencies")
MOST_IN_ACCOUNT = 100  # the same page


def check(call: Call, stack_set: StackSet, given: Mapping[str, Any]) -> None:
    """AwsError unless the set can have these settings."""
    if not stack_set.service_managed:
        raise AwsError("ValidationError", "AutoDeployment can be used only with SERVICE_MANAGED stack sets")
    if not given.get("Enabled") and "RetainStacksOnAccountRemoval" in given:
        raise AwsError(
            "ValidationError", "RetainStacksOnAccountRemoval can be specified only if AutoDeployment is enabled"
        )
    wanted, sets = list(given.get("DependsOn") or []), sets_of(call.cloud, stack_set.owner, stack_set.region)
    others = {one.arn: one for one in sets.by_id.values() if one.service_managed and not one.deleted}
    if len(wanted) > MOST_DEPENDENCIES:
        raise AwsError("LimitExceededException", f"A stack set depends on at most {MOST_DEPENDENCIES} stack sets")
    if sum(len(dependencies(one)) for one in others.values() if one is not stack_set) + len(wanted) > MOST_IN_ACCOUNT:
        raise AwsError("LimitExceededException", f"An account has at most {MOST_IN_ACCOUNT} stack set dependencies")
    if unknown := [name for name in wanted if name not in others]:
        raise AwsError(
            "ValidationError", f"DependsOn: {unknown[0]} is not a stack set with SERVICE_MANAGED permissions"
        )
    todo, seen = list(wanted), set()
    while todo:
        name = todo.pop()
        if name == stack_set.arn:
            raise AwsError("ValidationError", f"DependsOn: {stack_set.arn} would depend on itself")
        if name not in seen:
            seen.add(name)
            todo += dependencies(others[name]) if name in others else []


def dependencies(stack_set: StackSet) -> list[str]:
    return list(stack_set.auto_deployment.get("DependsOn") or [])


def remember(stack_set: StackSet, targets: Mapping[str, Any], regions: Iterable[str]) -> None:
    """A deployment to units: it covers their future accounts too, except those that its filter excludes."""
    for unit in targets.get("OrganizationalUnitIds") or []:
        stack_set.targets.setdefault(unit, set()).update(regions)
        left_out = targets.get("Accounts") or [] if targets.get("AccountFilterType") == "DIFFERENCE" else []
        stack_set.excluded[unit] = frozenset(left_out)


def forget(stack_set: StackSet, units: Iterable[str], regions: Iterable[str]) -> None:
    for unit in units:
        stack_set.targets.get(unit, set()).difference_update(regions)
        if not stack_set.targets.get(unit):
            stack_set.targets.pop(unit, None)


# -- what happens when an account moves ------------------------------------------------------------


def account_moved(cloud: Cloud, management: str, account: str, before: list[str], after: list[str]) -> None:
    """before, after: the units above the account, the nearest first, and the root; [] outside the organization."""
    if account == management or not organizations.is_trusted(management, organizations.STACK_SETS):
        return
    found = [one for (owner, _), sets in cloud.states(StackSets).items() if owner == management for one in all_of(sets)]
    begun: dict[str, list[Operation]] = {}
    for stack_set in in_order(found):
        needed = [operation for name in dependencies(stack_set) for operation in begun.get(name, [])]
        begun[stack_set.arn] = redeploy(cloud, stack_set, account, before, after, needed)


def all_of(sets: StackSets) -> list[StackSet]:
    return [s for s in sets.by_id.values() if s.service_managed and not s.deleted and s.auto_deployment.get("Enabled")]


def in_order(stack_sets: list[StackSet]) -> list[StackSet]:
    """Each after those that it depends on."""
    left, ordered = {one.arn: one for one in stack_sets}, []
    while left:
        name = next(name for name, one in left.items() if not left.keys() & set(dependencies(one)))
        ordered.append(left.pop(name))
    return ordered


def redeploy(
    cloud: Cloud, stack_set: StackSet, account: str, before: list[str], after: list[str], needed: list[Operation]
) -> list[Operation]:
    """The operations that an account's move starts on one set."""
    with stack_set.lock:
        wanted: dict[str, str] = {}  # region: the unit through which it is meant
        for unit in after:
            if account not in stack_set.excluded.get(unit, ()):
                wanted |= {region: unit for region in stack_set.targets.get(unit, ()) if region not in wanted}
        present = {place[1]: instance for place, instance in stack_set.instances.items() if place[0] == account}
        lost = [region for region, i in present.items() if region not in wanted and i.unit in before]
        gained = [region for region in wanted if region not in present]
        for region, instance in present.items():
            instance.unit = wanted.get(region, instance.unit)
        begun = []
        if lost:
            retain = bool(stack_set.auto_deployment.get("RetainStacksOnAccountRemoval"))
            units = sorted({present[region].unit for region in lost})
            begun.append(begin(cloud, stack_set, "DELETE", account, lost, units, needed, retain=retain))
        if gained:
            for region in gained:
                name = f"StackSet-{stack_set.name}-{new_id()}"
                stack_set.instances[account, region] = Instance(account, region, wanted[region], name)
            units = sorted({wanted[region] for region in gained})
            begun.append(begin(cloud, stack_set, "CREATE", account, gained, units, needed))
        return begun


def begin(
    cloud: Cloud,
    stack_set: StackSet,
    action: str,
    account: str,
    regions: list[str],
    units: list[str],
    needed: list[Operation],
    retain: bool | None = None,
) -> Operation:
    operation = Operation(new_id(), action, {}, {"OrganizationalUnitIds": units}, retain, list(needed))
    work = stacksets_run.remove if action == "DELETE" else stacksets_run.deploy
    stacksets_run.begin_operation(cloud, stack_set, operation, [(account, region) for region in sorted(regions)], work)
    return operation


organizations.listeners.append(account_moved)
