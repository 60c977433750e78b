"""Who could get past the approver in a target account: who changes endpoints, or who may do what there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from scripts.kit.doctor.checks.closing import by_actions, cure, every_right, numbered
from scripts.kit.doctor.checks.deciding import Need
from scripts.kit.doctor.checks.reach import (
    ANY_PROJECT,
    Path,
    any_right,
    decider,
    expected_anywhere,
    first,
    project_values,
)
from scripts.kit.doctor.facts import protected
from scripts.kit.doctor.facts.access import Entity
from scripts.kit.doctor.facts.targets import Target
from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.snapshot import Snapshot


def expected(facts: Snapshot, target: Target, entity: Entity) -> str:
    """Why this principal of a target account could do this as it should be; "" where it should not."""
    roles = {
        protected.filled(name, {"SageMakerRoleSuffix": suffix_of(facts, target)}) for name in protected.target_roles()
    }
    return expected_anywhere(facts, entity) or ("a role of the kit" if entity.name in roles else "")


def suffix_of(facts: Snapshot, target: Target) -> str:
    return facts.settings.roles.suffix.of(target.stage)


def asks(facts: Snapshot, target: Target) -> dict[str, list[Need]]:
    """Every request of a target account that would get past the approver, by way."""
    own = protected.of_account(facts.partition, target.account.id, facts.regions[target.stage][0])
    found: dict[str, list[Need]] = {}
    for thing in protected.things(protected.TARGET):
        for values in (ANY_PROJECT, *project_values(facts)):
            needs = (Need(action, arn) for arn in thing.arns({**own, **values}) for action in thing.actions)
            found.setdefault(thing.way, []).extend(needs)
    roles = [role.arn for role in (target.model_role, target.tester_role) if role]
    rights = [Need(action, arn) for arn in roles for action in protected.ROLE]
    found["rights"] = [*rights, *any_right(facts.partition, target.account.id)]
    return found


@lru_cache(maxsize=4)
def paths(facts: Snapshot) -> tuple[tuple[Target, Path], ...]:
    """Every path past the approver in the target accounts, expected ones included."""
    found = []
    for target in facts.targets:
        decide = decider(facts, target.account.id, facts.regions[target.stage][0])
        wanted = asks(facts, target) if target.entities else {}
        for entity in target.entities or ():
            why = expected(facts, target, entity)
            for way, needs in wanted.items():
                if path := first(decide, entity, way, [(need,) for need in needs], why):
                    found.append((target, path))
    return tuple(found)


def places(facts: Snapshot, way: str) -> Iterator[Place]:
    for target, path in paths(facts):
        if path.way == way and not path.expected:
            account = target.account.id
            denials = every_right() if way == "rights" else by_actions(facts, way, protected.TARGET, account)
            what = f"account {target.where}: {path.need.action} on {path.need.resource}, by {path.by}"
            yield Place(
                account, path.entity.resource, what, cure(path.entity, way, numbered(way, denials)), facts.region
            )


@check(
    "target-could-change-endpoints",
    "warning",
    "A principal of a target account could change the kit's endpoints",
    "An endpoint then serves another model than the approved one, until the next deployment or for good.",
)
def target_could_change_endpoints(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "endpoints")


@check(
    "target-could-change-rights",
    "warning",
    "A principal of a target account could give itself any right there",
    "A principal that writes roles' policies can change endpoints, and let others take on the tester's role.",
)
def target_could_change_rights(facts: Snapshot) -> Iterator[Place]:
    yield from places(facts, "rights")
