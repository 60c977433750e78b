"""Which findings follow from which: where a stack is missing or broken, so is what it makes, and one cure heals it all.

A finding that follows from another one is listed beneath it. It has no cure of its own until that one's is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from scripts.kit.doctor.facts.data_science import DATA_SCIENTIST
from scripts.kit.doctor.facts.protected import OF_PROJECTS, kit_roles
from scripts.kit.doctor.findings import Finding
from scripts.kit.names import MODELS_STACK, NOTICES_STACK, PEOPLE_STACK, SHARED_STACK, STUDIO_STACK
from scripts.kit.stacks.data_science import stack_of

# What each stack of the data science account makes, by the checks that miss it.
OF_STACKS: Mapping[str, frozenset[str]] = {
    MODELS_STACK: frozenset(
        {
            "model-bucket-missing", "model-bucket-policy", "model-bucket-encryption", "model-key-missing",
            "model-key-policy", "studio-role-policy",
        }
    ),
    SHARED_STACK: frozenset(
        {
            "approvals-topic-missing", "approvals-unheard", "bundle-bucket-missing", "external-id-differs",
            "external-id-missing", "rule-disabled", "rule-missing", "seed-missing", "starter-missing", "starter-role",
        }
    ),
    PEOPLE_STACK: frozenset(
        {
            "approvers-none", "project-creator-missing", "stock-role-unlimited", "studio-role-policy",
            "template-role-gaps", "template-role-missing", "template-role-pass", "template-role-trust",
        }
    ),
    NOTICES_STACK: frozenset({"could-message-approvers"}),
    STUDIO_STACK: frozenset({"domain-missing", "studio-role-missing", "studio-role-policy"}),
}  # fmt: skip
OF_ROLES = frozenset({"project-role-missing", "project-role-trust"})  # each role has its stack
# What the stack of a target account makes.
OF_TARGETS = frozenset(
    {
        "model-role-missing", "model-role-reads", "model-role-trust", "target-set-account", "tester-external-id",
        "tester-role-missing", "tester-role-trust",
    }
)  # fmt: skip
STACK_GONE, TARGET_GONE = {"kit-stack-failed", "kit-stack-missing"}, {"target-stack-failed", "target-stack-missing"}


@dataclass
class Group:
    """A finding, and those that follow from it."""

    first: Finding
    beneath: list[Finding] = field(default_factory=list)


@cache
def stacks_of_roles() -> Mapping[str, str]:
    """The stack that makes each role of the projects, by the role as a finding names it."""
    return {f"role service-role/{name}": stack_of(role.template) for name, role in kit_roles(OF_PROJECTS).items()}


def follows(one: Finding, cause: Finding) -> bool:
    """Whether the first finding follows from the second."""
    if cause.check.id in STACK_GONE and one.place.account == cause.place.account:
        stack = cause.place.resource.removeprefix("stack ")
        if one.check.id in OF_ROLES:
            return stack == stacks_of_roles().get(one.place.resource)
        closed = stack == PEOPLE_STACK and one.check.id.startswith("could-") and DATA_SCIENTIST in one.fix
        return closed or one.check.id in OF_STACKS.get(stack, ())
    if cause.check.id in TARGET_GONE:
        return one.check.id in OF_TARGETS and one.place.account == cause.place.account
    if cause.check.id == "approvals-topic-missing":  # what a policy allows on it, none of its own denies
        return one.check.id == "could-message-approvers"
    if cause.check.id == "stock-role-unlimited":
        return one.check.id.startswith("could-") and one.place.resource == cause.place.resource
    if cause.check.id == "stage-stack-failed":  # its stack set bears the same name
        return one.check.id == "stage-outdated" and one.place.resource == cause.place.resource.replace(
            "stack", "stack set", 1
        )
    return False


def grouped(findings: Iterable[Finding]) -> Sequence[Group]:
    """Every finding once: by itself, or beneath the first one that it follows from, in one step or more."""
    listed = [*findings]
    causes = {id(one): next((cause for cause in listed if follows(one, cause)), None) for one in listed}
    groups = {id(one): Group(one) for one in listed if not causes[id(one)]}
    for one in listed:
        root = one
        while cause := causes[id(root)]:
            root = cause
        if root is not one:
            groups[id(root)].beneath.append(one)
    return [*groups.values()]


def roots(groups: Iterable[Group]) -> Iterator[Finding]:
    """The findings that follow from no other."""
    yield from (group.first for group in groups)
