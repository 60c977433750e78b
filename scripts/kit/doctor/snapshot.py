"""Everything that the checks look at, gathered subject by subject, each once and when it is first looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.doctor import (
    catalog,
    configs,
    data_science,
    further,
    hosted,
    kit,
    launch,
    limits,
    models,
    organization,
    pipelines,
    projects,
    self_managed,
    storage,
    studio,
    targets,
)
from scripts.kit.doctor.catalog import Catalog
from scripts.kit.doctor.data_science import DataScience
from scripts.kit.doctor.further import Further
from scripts.kit.doctor.hosted import Hosted
from scripts.kit.doctor.limits import Limits
from scripts.kit.doctor.organization import Organization
from scripts.kit.doctor.reader import NotExamined, Reader, known
from scripts.kit.doctor.self_managed import SelfManaged
from scripts.kit.doctor.storage import Storage
from scripts.kit.doctor.studio import Studio
from scripts.kit.doctor.targets import Target, TargetSet
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

SUBJECTS = (
    organization, data_science, storage, launch, catalog, studio, hosted, limits, targets, self_managed, projects,
    pipelines, models, further, configs,
)  # fmt: skip
# What is gathered at the same time; the others rest on these.
FIRST = (
    "organization", "data_science", "storage", "launch_role", "catalog", "studio", "limits", "target_sets", "hosted",
)  # fmt: skip
THEN = ("projects", "connections", "targets", "self_managed", "further")
# What the seed code asks of an account in each stage, as long as there is no project.
SEED = "seed-code/model-deploy/{}-config.json"


class Snapshot:
    """The facts that these credentials may read. only: the one project to examine; typed: options of its commands."""

    def __init__(
        self, reader: Reader, settings: Settings, bundle: pack.Bundle | None, only: str = "", typed: str = ""
    ) -> None:
        self.reader, self.settings, self.only, self.typed = reader, settings, only, typed
        self.region, self.partition = reader.region, reader.connection.partition
        self.reader_account = reader.account
        self.built = bundle

    @property
    def account(self) -> str:
        """The data science account."""
        return self.settings.accounts.data_science

    @property
    def test_role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/service-role/{kit.TEST_ROLE}"

    @property
    def alone(self) -> bool:
        """Without Organizations."""
        return self.settings.administrator == "self-managed"

    @property
    def profile(self) -> str:
        """The data science account's credentials, as the commands in the fixes name them."""
        return "management" if self.settings.administrator == "management" else "data-science"

    @property
    def make_accounts(self) -> str:
        """The command that makes the kit's stacks and roles, with the credentials that enter every account."""
        return f'make accounts ARGS="--profile {"data-science" if self.alone else "management"}{self.typed}"'

    @property
    def make_publish(self) -> str:
        return f'make publish ARGS="--profile {self.profile}{self.typed}"'

    @property
    def bundle(self) -> pack.Bundle | None:
        """The bundle, where the units are known that its defaults name."""
        return self.built if all(known(unit) for unit in self.organization.units.values()) else None

    @cached_property
    def organization(self) -> Organization:
        return organization.gather(self.reader, self.settings)

    @cached_property
    def data_science(self) -> DataScience:
        return data_science.gather(self.reader, self.settings, self.partition)

    @cached_property
    def storage(self) -> Storage:
        return storage.gather(self.reader, self.settings)

    @cached_property
    def launch_role(self) -> Any:
        return launch.gather(self.reader, self.settings)

    @cached_property
    def catalog(self) -> Catalog:
        return catalog.gather(self.reader, self.settings, self.built)

    @cached_property
    def studio(self) -> Studio:
        return studio.gather(self.reader, self.settings)

    @cached_property
    def hosted(self) -> Hosted:
        return hosted.gather(self.reader, self.settings, self.built)

    @cached_property
    def limits(self) -> Limits:
        return limits.gather(self.reader, self.settings)

    @cached_property
    def target_sets(self) -> Mapping[str, TargetSet]:
        return targets.read_sets(self.reader, self.settings)

    @cached_property
    def projects(self) -> Any:
        return projects.gather(self.reader, self.settings, self.catalog.product, self.only)

    @cached_property
    def connections(self) -> Mapping[str, Any]:
        return studio.read_connections(self.reader, self.settings, self.projects)

    @cached_property
    def instances(self) -> Mapping[str, Mapping[str, tuple[str, int]]]:
        """Type and number of a stage's instances, by quota code."""
        return {stage: instances_of(stage, self.projects, self.limits) for stage in organization.STAGES}

    @cached_property
    def regions(self) -> Mapping[str, tuple[str, ...]]:
        """Where a stage's endpoints run: as the environment file says, and the projects."""
        named = {stage: list(getattr(self.settings.regions, stage)) for stage in organization.STAGES}
        for stage, regions in named.items():
            for project in self.projects or ():
                regions += projects.regions_of(project, stage, self.region)
        return {stage: tuple(dict.fromkeys(regions)) for stage, regions in named.items()}

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        codes = {stage: frozenset(by_code) for stage, by_code in self.instances.items()}
        return targets.gather(self.reader, self.settings, self.organization, self.regions, codes, self.target_sets)

    @cached_property
    def self_managed(self) -> SelfManaged:
        return self_managed.gather(self.reader, self.settings, self.targets)

    @cached_property
    def further(self) -> Further:
        return further.gather(self.reader, self.settings, self.projects)


def begin(reader: Reader, settings: Settings, bundle: pack.Bundle | None, only: str = "", typed: str = "") -> Snapshot:
    """A snapshot that has nothing yet, of the accounts that these credentials reach."""
    enter_data_science(reader, settings)
    return Snapshot(reader, settings, bundle, only, typed)


def gather(reader: Reader, settings: Settings, bundle: pack.Bundle | None, only: str = "", typed: str = "") -> Snapshot:
    """Every fact, as many at the same time as do not wait for each other."""
    it = begin(reader, settings, bundle, only, typed)
    together([partial(getattr, it, subject) for subject in FIRST])
    for subject in THEN:
        getattr(it, subject)
    return it


def enter_data_science(reader: Reader, settings: Settings) -> None:
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
