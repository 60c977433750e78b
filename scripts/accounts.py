"""Set the accounts up: the organization with its units and accounts, and what templates 10 and 20 make.

In this order: an organization with all features (made only with --create-organization), trusted access of
CloudFormation stack sets, the delegated administrator, the units, the accounts (made with --create-accounts,
invited with --invite), template 10 in the data science account (and 11 in every further region of endpoints),
template 20 in every target account.

Run with credentials of the management account, which may do all of it, or of the data science account, which
does what it may; what is left is listed with the account and the command. Accounts are entered through the role
roles.access. What is up to date is left alone; an interrupted run goes on when it is run again.

examples:
  make accounts ARGS="--profile management --dry-run"
  python -m scripts.accounts --profile management
  python -m scripts.accounts --profile management --create-accounts --invite
  python -m scripts.accounts --profile management --dry-run --all
  python -m scripts.accounts --profile data-science --json
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from scripts.kit import plan
from scripts.kit.command import add_options, make_parser, start
from scripts.kit.connect import Connection, enter
from scripts.kit.console import FEW, SHOWN, UserError, run, say, some
from scripts.kit.organization import organizing
from scripts.kit.organization import state as organization
from scripts.kit.organization.state import Asked, Seen
from scripts.kit.plan import Step
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import image_replication, model_regions
from scripts.kit.stacks import stackset as stacksets
from scripts.kit.stacks import target_roles as roles
from scripts.kit.stacks.stack import Wanted
from scripts.kit.stacks.stackset import FoundSet


class SetUp:
    """One run: what has been planned so far, and whether to apply it."""

    def __init__(
        self, connection: Connection, settings: Settings, asked: Asked, dry_run: bool, every: bool = False
    ) -> None:
        self.connection, self.settings, self.asked, self.dry_run = connection, settings, asked, dry_run
        self.every = every
        self.steps: list[Step] = []

    def show(self, steps: list[Step]) -> None:
        self.steps += steps
        notes = [str(step.request["why"]) for step in steps if "why" in step.request]
        shown = notes if self.every or len(notes) <= FEW else notes[:SHOWN]
        for note in shown:
            say(f"  note: {note}")
        if rest := len(notes) - len(shown):
            say(f"  note: so it is with {rest:,} more accounts; --all lists them")
        for line in plan.lines(steps, self.every):
            say(line)

    def play(self) -> None:
        seen = Seen()
        self.registry()
        if self.settings.administrator != "self-managed":
            seen = self.organization()
            missing = "" if len(seen.paths) == 2 else "the units are there and can be seen"
            missing = missing or ("" if self.settings.accounts.data_science else "the data science account is there")
            if missing:
                self.show([Step("wait", "stacks", "of templates 10 and 20", f"until {missing}")])
                return
        self.stacks(seen)

    def registry(self) -> None:
        """UserError where rules of somebody else's stand in the way of the images: before anything is changed."""
        want = roles.data_science_stack(self.settings, Seen())
        if not self.settings.images.repository_prefix or not want.account:
            return
        try:
            home = enter(self.connection, want.account, self.settings.roles.access)
        except UserError:  # not there yet, or not to be entered: stacks() says what to do
            return
        image_replication.plan(home, self.settings, want)

    def organization(self) -> Seen:
        seen = organization.look(self.connection, self.settings)
        steps = organizing.make_plan(self.connection, self.settings, seen, self.asked)
        self.show(steps)
        if self.dry_run or not plan.writes(steps):
            return seen
        self.settings = organizing.apply(self.connection, self.settings, seen, steps)
        return organization.look(self.connection, self.settings)

    def stacks(self, seen: Seen) -> None:
        settings, connection = self.settings, self.connection
        want = roles.data_science_stack(settings, seen)
        try:
            home = enter(connection, want.account, settings.roles.access, patient=self.asked.create_accounts)
        except UserError as error:
            self.show([roles.waiting(want, settings, connection, error).step])
            return
        planned, note = image_replication.plan(home, settings, want)
        if note:
            say(f"  note: {note}")
        first = [planned]
        if settings.administrator == "self-managed":
            first.append(roles.plan_self_managed(settings, home, want.account))
        self.show([planned.step for planned in first])
        made = {} if self.dry_run else roles.apply_stacks(first)
        outputs = made.get((want.account, want.name)) or roles.outputs_of(home, want.name)
        if missing := [name for name in roles.MODELS if name not in outputs]:
            if not self.dry_run:
                raise UserError(f"the stack {want.name} has no outputs {', '.join(missing)}")
            self.show([Step("wait", "stacks", "of template 20", "until the data science account's stack is there")])
            return
        self.regions(home, want)
        stages = roles.find_stages(settings, connection, seen)
        found = roles.find_sets(settings, home, stages)
        fresh = first[0].step.action == "create"
        if roles.one_by_one(settings, connection, stages, found, fresh):
            targets = roles.plan_accounts(settings, connection, stages, outputs, self.asked.create_accounts)
            self.show([one.step for one in targets])
            if not self.dry_run:
                roles.apply_stacks(targets)
        else:
            self.sets(home, stages, found, outputs)

    def regions(self, home: Connection, first: Wanted) -> None:
        """Template 11 in every further region; first: template 10's stack."""
        prefix = self.settings.images.repository_prefix
        planned = [model_regions.plan(home, region, first, prefix) for region in model_regions.further(self.settings)]
        self.show([one.step for one in planned])
        if not self.dry_run:
            roles.apply_stacks(planned)

    def sets(
        self,
        home: Connection,
        stages: tuple[roles.Stage, ...],
        found: Mapping[str, FoundSet],
        outputs: dict[str, str],
    ) -> None:
        """Template 20 by a stack set for each unit."""
        cloudformation = home.client("cloudformation")
        wanted = [roles.target_set(self.settings, stage, home.region, outputs) for stage in stages]
        steps = [stacksets.make_plan(want, found[stage.name]) for stage, want in zip(stages, wanted, strict=True)]
        self.show(steps)
        for stage, want, step in zip(stages, wanted, steps, strict=True):
            if step.writes and not self.dry_run:
                stacksets.apply(cloudformation, want, found[stage.name])

    def finish(self) -> int:
        """The sum, and what is left for others; 1 where something is."""
        count = Counter(step.action for step in self.steps)
        words = ("to create", "to change", "to leave alone") if self.dry_run else ("created", "changed", "as they were")
        actions: tuple[plan.Action, ...] = ("create", "change", "keep", "wait")
        told = ", ".join(f"{count[a]:,} {w}" for a, w in zip(actions, (*words, "waiting"), strict=True) if count[a])
        say(f"{len(self.steps):,} steps: {told}")
        left: dict[str, dict[str, None]] = {}  # by account, the commands in order
        for step in self.steps:
            if step.action == "wait" and step.command:
                left.setdefault(step.account, {})[step.command] = None
        same: dict[tuple[str, ...], list[str]] = {}  # the accounts that need the same commands
        for account, commands in left.items():
            same.setdefault(tuple(commands), []).append(account)
        shown = list(same.items()) if self.every or len(same) <= FEW else list(same.items())[:SHOWN]
        for needed, accounts in shown:
            whose = f"account {accounts[0]}" if len(accounts) == 1 else f"{len(accounts):,} accounts"
            mine = accounts == [self.connection.account]
            say(f"  left for {'these credentials, when asked' if mine else f'somebody with credentials of {whose}'}:")
            for command in needed:
                say(f"    {command}")
            if len(accounts) > 1:
                say(f"    (in each of {', '.join(accounts) if self.every else some(accounts, FEW)})")
        if rest := len(same) - len(shown):
            say(f"  {rest:,} more accounts have commands of their own; --all lists them")
        return 1 if count["wait"] and not self.dry_run else 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("accounts", __doc__)
    add_options(parser)
    parser.add_argument("--create-organization", action="store_true", help="make the organization where there is none")
    parser.add_argument(
        "--create-accounts", action="store_true", help="make the accounts of new_accounts, in their units"
    )
    parser.add_argument("--invite", action="store_true", help="invite the accounts of invited_accounts, or move them")
    parser.add_argument("--all", action="store_true", help="show every account, also where many are alike")
    args = parser.parse_args(argv)
    settings, connection = start(args, anywhere=True)
    settings = organization.with_data_science(connection, settings)
    known = {"management": settings.accounts.management, "data science": settings.accounts.data_science}
    if connection.account not in known.values():
        named = " or ".join(f"the {name} account ({id})" for name, id in known.items() if id)
        raise UserError(f"these credentials belong to account {connection.account}. Sign in to {named}")
    say(f"accounts of {args.environment}, {connection.region}:")
    asked = Asked(args.create_organization, args.create_accounts, args.invite)
    set_up = SetUp(connection, settings, asked, args.dry_run, args.all)
    set_up.play()
    status = set_up.finish()
    if args.json:
        count = Counter(step.action for step in set_up.steps)
        data = {"steps": plan.as_data(set_up.steps), "count": dict(count), "applied": not args.dry_run}
        print(json.dumps(data, indent=2))
    return status


if __name__ == "__main__":
    raise SystemExit(run(main))
