"""Every check, in the order in which docs/generated/checks.md lists them."""

from __future__ import annotations

from types import ModuleType

from scripts.kit.doctor.checks import (
    catalog,
    configs,
    could,
    could_target,
    data_keys,
    data_science,
    endpoints,
    further,
    hosted,
    launch,
    limits,
    models,
    networks,
    organization,
    pipelines,
    projects,
    published,
    regions,
    rules,
    self_managed,
    storage,
    studio,
    targets,
    training,
    trusting,
    units,
)
from scripts.kit.doctor.findings import REGISTERED, Check

SUBJECTS: tuple[ModuleType, ...] = (
    organization, units, regions, data_science, storage, launch, catalog, published, studio, hosted, limits, targets,
    networks, data_keys, self_managed, rules, projects, pipelines, training, endpoints, models, further, configs,
    could, trusting, could_target,
)  # fmt: skip


def in_order() -> dict[str, Check]:
    """The registered checks by id, subject by subject."""
    subjects = [module.__name__.rsplit(".", 1)[-1] for module in SUBJECTS]
    ordered = sorted(REGISTERED.values(), key=lambda check: subjects.index(check.subject))
    return {check.id: check for check in ordered}


CHECKS = in_order()
