"""Everything that the checks look at, gathered once, subject by subject, at the same time where they do not wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts.bundle import pack
from scripts.bundle.doctor import (
    catalog,
    configs,
    data_science,
    kit,
    launch,
    limits,
    models,
    organization,
    projects,
    storage,
    studio,
    targets,
)
from scripts.bundle.doctor.reader import NotExamined, Reader, known, together
from scripts.bundle.environment import Environment

SUBJECTS = (organization, data_science, storage, launch, catalog, studio, limits, targets, projects, models, configs)
GATHERED = ("organization", "data_science", "storage", "launch_role", "catalog", "studio", "limits", "target_sets")
# What the seed code asks of an account in each stage, as long as there is no project.
SEED = "seed-code/model-deploy/{}-config.json"


@dataclass(frozen=True)
class Snapshot:
    """The facts. only: the one project to examine; instances: type and number by quota code, for each stage."""

    settings: Environment
    region: str
    partition: str
    reader_account: str
    bundle: pack.Bundle | None
    only: str
    organization: organization.Organization
    data_science: data_science.DataScience
    storage: storage.Storage
    launch_role: Any
    catalog: catalog.Catalog
    studio: studio.Studio
    limits: limits.Limits
    target_sets: Mapping[str, targets.TargetSet]
    projects: Any
    instances: Mapping[str, Mapping[str, tuple[str, int]]]
    targets: tuple[targets.Target, ...]

    @property
    def account(self) -> str:
        """The data science account."""
        return self.settings.accounts.data_science

    @property
    def test_role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/service-role/{kit.TEST_ROLE}"


def gather(reader: Reader, settings: Environment, bundle: pack.Bundle | None, only: str = "") -> Snapshot:
    """The facts that these credentials may read."""
    partition = reader.connection.partition
    enter_data_science(reader, settings)
    found: list[Any] = together(
        [
            partial(organization.gather, reader, settings),
            partial(data_science.gather, reader, settings, partition),
            partial(storage.gather, reader, settings),
            partial(launch.gather, reader, settings),
            partial(catalog.gather, reader, settings, bundle),
            partial(studio.gather, reader, settings),
            partial(limits.gather, reader, settings),
            partial(targets.read_sets, reader, settings),
        ]
    )
    products: catalog.Catalog = found[4]
    ours = projects.gather(reader, settings, products.product, only)
    instances = {stage: instances_of(stage, ours, found[6]) for stage in organization.STAGES}
    codes = {stage: frozenset(by_code) for stage, by_code in instances.items()}
    accounts = targets.gather(reader, settings, found[0], codes, found[7])
    return Snapshot(
        settings=settings,
        region=reader.region,
        partition=partition,
        reader_account=reader.account,
        bundle=bundle if all(known(unit) for unit in found[0].units.values()) else None,  # its defaults name the units
        only=only,
        **dict(zip(GATHERED, found, strict=True)),
        projects=ours,
        instances=instances,
        targets=accounts,
    )


def enter_data_science(reader: Reader, settings: Environment) -> None:
    """From the management account, become the access role in the data science account."""
    account, role = settings.accounts.data_science, settings.roles.access
    if reader.reaches(account):
        return
    if why := reader.enter(account, role):
        who = f"the data science account, or a role there named in roles.access (now {role}: {why})"
        reader.leave_out(NotExamined(account, "the data science account", "credentials of it", who))


def instances_of(stage: str, ours: Any, known_limits: limits.Limits) -> dict[str, tuple[str, int]]:
    """The instance types that a stage's endpoints need in each account, and how many, by quota code."""
    configurations = [
        configs.read_config(project.stages[stage].config)[0]
        for project in ours or ()
        if stage in project.stages and project.stages[stage].config
    ]
    if not configurations:
        text = (pack.ROOT / SEED.format(projects.SHORT[stage])).read_bytes()
        configurations = [configs.read_config(text)[0]]
    found: dict[str, tuple[str, int]] = {}
    for configuration in configurations:
        instance, count = configs.instances(configuration)
        if code := known_limits.instance_codes.get(instance):
            found[code] = (instance, found.get(code, ("", 0))[1] + count)
    return found
