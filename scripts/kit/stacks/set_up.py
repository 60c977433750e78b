"""Setting the accounts up: the organization, then the stacks; each part planned, shown and applied before the next.

What one part makes is what the next one's plan rests on, such as an account's id or a stack's outputs. So there is no
plan of the whole before the first part is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scripts.kit import plan
from scripts.kit.bundle import installation
from scripts.kit.connect import Connection, enter
from scripts.kit.console import UserError
from scripts.kit.names import MODELS_STACK, ROLES_STACK, STUDIO_STACK
from scripts.kit.organization import organizing, state
from scripts.kit.organization.state import AccountOptions, SeenOrganization
from scripts.kit.plan import PlanStep
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import (
    ahead,
    data_science,
    image_replication,
    organization_rules,
    project_roles,
    stackset,
    studio,
    target_roles,
    unguarded,
)
from scripts.kit.stacks.stack import PlannedStack
from scripts.kit.stacks.stackset import FoundStackSet
from scripts.kit.stacks.target_roles import TargetStage
from scripts.kit.stages import Stage


@dataclass
class SetUp:
    """One run. show: is given the steps of each part before they are applied; note: is given a remark."""

    connection: Connection
    settings: Settings
    asked: AccountOptions
    dry_run: bool
    show: Callable[[list[PlanStep]], None]
    note: Callable[[str], None]
    steps: list[PlanStep] = field(default_factory=list)

    def run(self) -> list[PlanStep]:
        """Every step, in the order of the run."""
        seen = SeenOrganization()
        self.look_ahead()
        if self.settings.administrator != "self-managed":
            seen = self.organize()
            missing = "" if seen.paths.keys() == {*self.settings.stages} else "the units are there and can be seen"
            missing = missing or ("" if self.settings.accounts.data_science else "the data science account is there")
            if missing:
                self.plan([PlanStep("wait", "stacks", "of templates 09 to 20", f"until {missing}")])
                return self.steps
        self.deploy(seen)
        return self.steps

    def plan(self, steps: list[PlanStep]) -> None:
        self.steps += steps
        self.show(steps)

    def look_ahead(self) -> None:
        """UserError where what is in the data science account stands in the way: before anything is changed."""
        if not self.settings.accounts.data_science:
            return
        try:
            home = enter(self.connection, self.settings.accounts.data_science, self.settings.roles.access)
        except UserError:  # not there yet, or not to be entered: deploy() says what to do
            return
        data_science.refuse_first_layout(home)
        ahead.check(self.connection, home, self.settings, self.note)
        organization_rules.check(self.connection, home, self.settings)
        if self.settings.images.repository_prefix:
            image_replication.plan(home, self.settings, data_science.shared(self.settings))

    def organize(self) -> SeenOrganization:
        seen = state.look(self.connection, self.settings)
        steps = organizing.make_plan(self.connection, self.settings, seen, self.asked)
        self.plan(steps)
        if self.dry_run or not plan.writes(steps):
            return seen
        self.settings = organizing.apply(self.connection, self.settings, seen, steps)
        return state.look(self.connection, self.settings)

    def deploy(self, seen: SeenOrganization) -> None:
        """The data science account's stacks, and template 20 in the target accounts."""
        patient = self.asked.create_accounts
        try:
            home = enter(self.connection, self.settings.accounts.data_science, self.settings.roles.access, patient)
        except UserError as error:
            self.plan(data_science.waiting(self.settings, error))
            return
        version = installation.version(self.settings, home.region, lambda unit, key: seen.unit(unit))
        created, outputs = self.deploy_home(home, seen, version)
        if any(name not in outputs for name in target_roles.NEEDED):  # of a dry run
            detail = "until the data science account's stacks are there"
            self.plan([PlanStep("wait", "stacks", "of template 20", detail)])
            return
        stages = target_roles.find_stages(self.settings, self.connection, seen)
        found = target_roles.find_sets(self.settings, home, stages)
        if target_roles.one_by_one(self.settings, self.connection, stages, found, created):
            self.deploy_stacks(
                target_roles.plan_accounts(self.settings, self.connection, stages, outputs, version, patient)
            )
        else:
            self.deploy_sets(home, stages, found, outputs, version)

    def deploy_home(self, home: Connection, seen: SeenOrganization, version: str) -> tuple[bool, dict[str, str]]:
        """AWS's roles for projects, templates 09 to 15, and 21 without an organization.

        Whether the kit's roles are new, and what template 20 needs.
        """
        data_science.refuse_first_layout(home)
        self.hold_up(home)
        of_projects = project_roles.plan(home, self.settings)
        self.plan([*of_projects])
        if not self.dry_run:
            project_roles.apply(home, self.settings, of_projects)
        shared, note = image_replication.plan(home, self.settings, data_science.shared(self.settings, version))
        units = {stage: seen.unit(self.settings.units.of(stage)) for stage in self.settings.stages}
        own = [target_roles.plan_stack(home, data_science.roles(self.settings, units, version))]
        if self.settings.administrator == "self-managed":
            account = self.settings.accounts.data_science
            own.append(target_roles.plan_self_managed(self.settings, home, account, version))
        domain = [target_roles.plan_stack(home, want) for want in studio.domain(self.settings, version)]
        self.deploy_stacks([*domain, *data_science.plan_models(home, self.settings, seen.paths, version)])
        if note:
            self.note(note)
        self.deploy_stacks([shared])
        self.deploy_stacks(own)
        made = (MODELS_STACK, ROLES_STACK)
        outputs = {key: value for name in made for key, value in target_roles.outputs_of(home, name).items()}
        missing = [name for name in target_roles.NEEDED if name not in outputs]
        if missing and not self.dry_run:
            raise UserError(f"the stacks {' and '.join(made)} have no outputs {', '.join(missing)}")
        key = outputs.get("ModelKeyArn", "")
        people = data_science.people(self.settings, key, units, version)
        domain_id = target_roles.outputs_of(home, STUDIO_STACK).get("DomainId", "") if domain else ""
        users = studio.users(self.settings, domain_id, version)
        notices = data_science.notices(self.settings, seen.paths, version)
        self.deploy_stacks([target_roles.plan_stack(home, want) for want in (people, *users, notices)])
        self.limit(home, [role.name for step in of_projects for role in step.request.get("roles", ())])
        return own[0].step.action == "create", outputs

    def hold_up(self, home: Connection) -> None:
        """Let no pipeline that runs its repository's code deploy any more."""
        steps = list(unguarded.plan(home))
        self.plan(steps)
        if not self.dry_run:
            unguarded.apply(home, steps)

    def limit(self, home: Connection, coming: list[str]) -> None:
        """Keep AWS's roles for projects away from the kit's. coming: roles that a dry run would have made."""
        steps = list(project_roles.plan_limits(home, coming))
        self.plan(steps)
        if not self.dry_run:
            project_roles.limit(home, steps)

    def deploy_stacks(self, planned: list[PlannedStack]) -> None:
        self.plan([one.step for one in planned])
        if not self.dry_run:
            target_roles.apply_stacks(planned)

    def deploy_sets(
        self,
        home: Connection,
        stages: tuple[TargetStage, ...],
        found: Mapping[Stage, FoundStackSet],
        outputs: dict[str, str],
        version: str,
    ) -> None:
        """Template 20 by a stack set for each OU."""
        cloudformation = home.client("cloudformation")
        wanted = [target_roles.target_set(self.settings, stage, home.region, outputs, version) for stage in stages]
        steps = [stackset.make_plan(want, found[stage.stage]) for stage, want in zip(stages, wanted, strict=True)]
        self.plan(steps)
        for stage, want, step in zip(stages, wanted, steps, strict=True):
            if step.writes and not self.dry_run:
                stackset.apply(cloudformation, want, found[stage.stage])
