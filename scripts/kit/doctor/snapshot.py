"""The facts that the checks look at, gathered subject by subject, each once and when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.console import make_arguments
from scripts.kit.doctor.facts import (
    access,
    catalog,
    data_science,
    endpoints,
    further,
    hosted,
    limits,
    networks,
    organization,
    projects,
    roles,
    self_managed,
    stage_config,
    storage,
    studio,
    targets,
)
from scripts.kit.doctor.facts.access import Access
from scripts.kit.doctor.facts.catalog import Catalog
from scripts.kit.doctor.facts.data_keys import DataKey
from scripts.kit.doctor.facts.data_science import DataScience
from scripts.kit.doctor.facts.further import Further
from scripts.kit.doctor.facts.hosted import Hosted
from scripts.kit.doctor.facts.limits import Limits
from scripts.kit.doctor.facts.networks import StageNetwork
from scripts.kit.doctor.facts.organization import Organization
from scripts.kit.doctor.facts.projects import Project
from scripts.kit.doctor.facts.self_managed import SelfManaged
from scripts.kit.doctor.facts.stacks import OWN_TESTS_ROLE, TEST_ROLE
from scripts.kit.doctor.facts.storage import Bucket, Key, Storage
from scripts.kit.doctor.facts.studio import Studio
from scripts.kit.doctor.facts.targets import Target, TargetSet, Wanted
from scripts.kit.doctor.reader import NotChecked, Reader, known
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together

# Read at the same time; the others need these.
FIRST = (
    "organization", "data_science", "storage", "launch_role", "catalog", "studio", "limits", "target_sets", "hosted",
    "boundary",
)  # fmt: skip
THEN = ("projects", "connections", "targets", "endpoints", "self_managed", "further", "access")
# What the seed code asks of an account in each stage, as long as there is no project.
SEED = "seed-code/model-deploy/{}-config.json"


class Snapshot:
    """The facts that these credentials may read.

    built: the bundle in build/; only: the one project to check, "" for all; typed: options of the command line, for
    the commands in the fixes
    """

    def __init__(
        self, reader: Reader, settings: Settings, built: pack.Bundle | None, only: str = "", typed: str = ""
    ) -> None:
        self.reader, self.settings, self.built, self.only, self.typed = reader, settings, built, only, typed
        self.region, self.partition = reader.region, reader.connection.partition
        self.reader_account = reader.account

    # -- the installation, and the commands that fix it ------------------------------------------

    @property
    def account(self) -> str:
        """The data science account."""
        return self.settings.accounts.data_science

    @property
    def test_role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/service-role/{TEST_ROLE}"

    @property
    def own_tests_role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/service-role/{OWN_TESTS_ROLE}"

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
        """The command that creates the kit's stacks and roles, with the credentials that enter every account."""
        profile = "data-science" if self.alone else "management"
        return f"make accounts {make_arguments(f'--profile {profile}{self.typed}')}"

    @property
    def make_publish(self) -> str:
        return f"make publish {make_arguments(f'--profile {self.profile}{self.typed}')}"

    @property
    def bundle(self) -> pack.Bundle | None:
        """The bundle, where the units are known that its defaults name."""
        return self.built if all(known(unit) for unit in self.organization.units.values()) else None

    # -- the facts -------------------------------------------------------------------------------

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
    def boundary(self) -> Any:
        """The policy that bounds the roles of the data science account."""
        return roles.read_boundary(self.reader, self.account, self.settings)

    @cached_property
    def launch_role(self) -> Any:
        return catalog.read_launch_role(self.reader, self.settings)

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
    def target_sets(self) -> Mapping[Stage, TargetSet]:
        return targets.read_sets(self.reader, self.settings)

    @cached_property
    def projects(self) -> Any:
        return projects.gather(self.reader, self.settings, self.catalog.product, self.only)

    @cached_property
    def connections(self) -> Mapping[str, Any]:
        return studio.read_connections(self.reader, self.settings, self.projects)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        wanted = {
            stage: Wanted(regions, frozenset(self.needs[stage]), dict(networks.explicit(self.projects, stage)))
            for stage, regions in self.regions.items()
        }
        return targets.gather(self.reader, self.settings, self.organization, wanted, self.target_sets)

    @property
    def networks(self) -> tuple[StageNetwork, ...]:
        return tuple(network for target in self.targets for network in target.networks)

    @property
    def data_keys(self) -> tuple[DataKey, ...]:
        return tuple(key for target in self.targets for key in target.data_keys)

    @cached_property
    def endpoints(self) -> Any:
        return endpoints.gather(self.reader, self.settings, self.projects)

    @cached_property
    def self_managed(self) -> SelfManaged:
        return self_managed.gather(self.reader, self.settings, self.targets)

    @cached_property
    def further(self) -> Further:
        return further.gather(self.reader, self.settings, self.projects)

    @cached_property
    def access(self) -> Access:
        return access.gather(self.reader, self.settings, self.partition, self.projects)

    # -- what follows from several of them -------------------------------------------------------

    @property
    def complete_projects(self) -> Iterator[Project]:
        """The projects that exist with everything that belongs to them."""
        for project in self.projects or ():
            if project.status not in {"CreateFailed", "DeleteFailed", "DeleteInProgress"} and project.stack:
                yield project

    @property
    def domains(self) -> list[Any]:
        """The Studio domains that matter: the one in studio.domain_id, or every one."""
        wanted = self.settings.studio.domain_id
        return [domain for domain in self.studio.domains or [] if wanted in ("", domain["DomainId"])]

    @cached_property
    def needs(self) -> Mapping[Stage, Mapping[str, tuple[str, int]]]:
        """The quotas that a stage counts against in an account, by code: the name of each, and with how much."""
        return {stage: needs_of(stage, self.projects, self.limits) for stage in self.settings.stages}

    @cached_property
    def regions(self) -> Mapping[Stage, tuple[str, ...]]:
        """The Regions of a stage's endpoints: those of the environment file, and of the projects."""
        named = {stage: list(self.settings.regions.of(stage)) for stage in self.settings.stages}
        for stage, regions in named.items():
            for project in (one for one in self.projects or () if stage in one.has):
                regions += projects.regions_of(project, stage, self.region)
        return {stage: tuple(dict.fromkeys(regions)) for stage, regions in named.items()}

    def places(self) -> Iterator[tuple[str, Any, Key]]:
        """Region, model bucket and key: of the data science account's own Region, and of each further one."""
        yield self.region, self.storage.models, self.storage.model_key
        for region, bucket in self.further.buckets.items():
            yield region, bucket, self.further.keys[region]

    def kept_buckets(self) -> Iterator[tuple[str, Bucket]]:
        """The kit's buckets that exist, each with its Region."""
        models = [(region, bucket) for region, bucket, _ in self.places()]
        for region, bucket in [(self.region, self.storage.bundle), *models]:
            if bucket:
                yield region, bucket


def begin(reader: Reader, settings: Settings, bundle: pack.Bundle | None, only: str = "", typed: str = "") -> Snapshot:
    """A snapshot without facts yet, of the accounts that these credentials reach."""
    enter_data_science(reader, settings)
    return Snapshot(reader, settings, bundle, only, typed)


def gather(reader: Reader, settings: Settings, bundle: pack.Bundle | None, only: str = "", typed: str = "") -> Snapshot:
    """A snapshot with every fact; those that do not wait for each other are read at the same time."""
    facts = begin(reader, settings, bundle, only, typed)
    together([partial(getattr, facts, subject) for subject in FIRST])
    for subject in THEN:
        getattr(facts, subject)
    return facts


def enter_data_science(reader: Reader, settings: Settings) -> None:
    """From the management account, assume the access role in the data science account."""
    account, role = settings.accounts.data_science, settings.roles.access
    if reader.reaches(account):
        return
    if why := reader.enter(account, role):
        who = f"the data science account, or a role there named in roles.access (now {role}: {why})"
        reader.leave_out(NotChecked(account, "the data science account", "credentials for it", who))


def needs_of(stage: Stage, found: Any, known_limits: Limits) -> dict[str, tuple[str, int]]:
    """What a stage needs of SageMaker's quotas in each account, by code: the quota's name, and how much.

    found: the projects; where none has a configuration file of this stage, the seed code's counts
    """
    files = [project.config(stage) for project in found or () if stage in project.stages]
    if not any(files):
        files = [(pack.ROOT / SEED.format(Stage.STAGING if stage.between else stage)).read_bytes()]
    needed: dict[str, tuple[str, int]] = {}
    for file in filter(None, files):
        for name, count in stage_config.needs(stage_config.read_config(file).parameters):
            if code := known_limits.codes.get(name):
                needed[code] = (name, needed.get(code, ("", 0))[1] + count)
    return needed
