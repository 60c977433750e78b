"""Setting the accounts up: the organization, then the stacks; each part planned, shown and applied before the next.

What one part makes is what the next one's plan rests on, such as an account's id or a stack's outputs. So there is no
plan of the whole before the first part is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scripts.kit import plan
from scripts.kit.connect import Connection, enter
from scripts.kit.console import UserError
from scripts.kit.organization import organizing, state
from scripts.kit.organization.state import AccountOptions, SeenOrganization
from scripts.kit.plan import PlanStep
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import image_replication, model_regions, stackset, target_roles
from scripts.kit.stacks.stack import WantedStack
from scripts.kit.stacks.stackset import FoundStackSet
from scripts.kit.stacks.target_roles import TargetStage


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
        self.check_registry()
        if self.settings.administrator != "self-managed":
            seen = self.organize()
            missing = "" if len(seen.paths) == 2 else "the units are there and can be seen"
            missing = missing or ("" if self.settings.accounts.data_science else "the data science account is there")
            if missing:
                self.plan([PlanStep("wait", "stacks", "of templates 10 and 20", f"until {missing}")])
                return self.steps
        self.deploy(seen)
        return self.steps

    def plan(self, steps: list[PlanStep]) -> None:
        self.steps += steps
        self.show(steps)

    def check_registry(self) -> None:
        """UserError where another owner's rules stand in the way of the images: before anything is changed."""
        want = target_roles.data_science_stack(self.settings, SeenOrganization())
        if not self.settings.images.repository_prefix or not want.account:
            return
        try:
            home = enter(self.connection, want.account, self.settings.roles.access)
        except UserError:  # not there yet, or not to be entered: deploy() says what to do
            return
        image_replication.plan(home, self.settings, want)

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
        want = target_roles.data_science_stack(self.settings, seen)
        patient = self.asked.create_accounts
        try:
            home = enter(self.connection, want.account, self.settings.roles.access, patient)
        except UserError as error:
            self.plan([target_roles.waiting(want, self.settings, self.connection, error).step])
            return
        created, outputs = self.deploy_home(home, want)
        if missing := [name for name in target_roles.MODELS if name not in outputs]:
            if not self.dry_run:
                raise UserError(f"the stack {want.name} has no outputs {', '.join(missing)}")
            detail = "until the data science account's stack is there"
            self.plan([PlanStep("wait", "stacks", "of template 20", detail)])
            return
        self.deploy_regions(home, want)
        stages = target_roles.find_stages(self.settings, self.connection, seen)
        found = target_roles.find_sets(self.settings, home, stages)
        if target_roles.one_by_one(self.settings, self.connection, stages, found, created):
            targets = target_roles.plan_accounts(self.settings, self.connection, stages, outputs, patient)
            self.plan([one.step for one in targets])
            if not self.dry_run:
                target_roles.apply_stacks(targets)
        else:
            self.deploy_sets(home, stages, found, outputs)

    def deploy_home(self, home: Connection, want: WantedStack) -> tuple[bool, dict[str, str]]:
        """Templates 10 and 21 in the data science account; whether 10's stack is new, and its outputs."""
        planned, note = image_replication.plan(home, self.settings, want)
        if note:
            self.note(note)
        first = [planned]
        if self.settings.administrator == "self-managed":
            first.append(target_roles.plan_self_managed(self.settings, home, want.account))
        self.plan([one.step for one in first])
        made = {} if self.dry_run else target_roles.apply_stacks(first)
        outputs = made.get((want.account, want.name)) or target_roles.outputs_of(home, want.name)
        return planned.step.action == "create", outputs

    def deploy_regions(self, home: Connection, first: WantedStack) -> None:
        """Template 11 in every further region; first: template 10's stack."""
        prefix = self.settings.images.repository_prefix
        planned = [model_regions.plan(home, region, first, prefix) for region in model_regions.further(self.settings)]
        self.plan([one.step for one in planned])
        if not self.dry_run:
            target_roles.apply_stacks(planned)

    def deploy_sets(
        self,
        home: Connection,
        stages: tuple[TargetStage, ...],
        found: Mapping[str, FoundStackSet],
        outputs: dict[str, str],
    ) -> None:
        """Template 20 by a stack set for each unit."""
        cloudformation = home.client("cloudformation")
        wanted = [target_roles.target_set(self.settings, stage, home.region, outputs) for stage in stages]
        steps = [stackset.make_plan(want, found[stage.name]) for stage, want in zip(stages, wanted, strict=True)]
        self.plan(steps)
        for stage, want, step in zip(stages, wanted, steps, strict=True):
            if step.writes and not self.dry_run:
                stackset.apply(cloudformation, want, found[stage.name])
