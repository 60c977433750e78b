"""Set the accounts up: the organization with its OUs and accounts, Studio, and what templates 10 to 13 and 20 make.

In this order: an organization with all features (made only with --create-organization), trusted access of
CloudFormation stack sets, the delegated administrator, the OUs, the accounts (made with --create-accounts,
invited with --invite), AWS's roles for projects and project templates where they are missing or off, templates 09
(where the environment file asks for a Studio domain) to 14 in the data science account (10 in every further Region of
endpoints too), template 20 in every target account.

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

import argparse
import json
from collections import Counter
from collections.abc import Sequence

from scripts.kit import plan
from scripts.kit.command import add_options, start
from scripts.kit.connect import Connection
from scripts.kit.console import UserError, make_parser, run, say
from scripts.kit.organization.state import AccountOptions, with_data_science
from scripts.kit.plan import PlanStep
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import set_up_report
from scripts.kit.stacks.set_up import SetUp


def parser() -> argparse.ArgumentParser:
    made = make_parser("scripts.accounts", __doc__)
    add_options(made)
    made.add_argument("--create-organization", action="store_true", help="create the organization where there is none")
    made.add_argument("--create-accounts", action="store_true", help="create the accounts of new_accounts in their OUs")
    made.add_argument("--invite", action="store_true", help="invite the accounts of invited_accounts, or move them")
    made.add_argument("--all", action="store_true", help="show every account, also where many are alike")
    return made


def require_known(connection: Connection, settings: Settings) -> None:
    """UserError unless the credentials belong to the management account or the data science account."""
    known = {"management": settings.accounts.management, "data science": settings.accounts.data_science}
    if connection.account not in known.values():
        named = " or ".join(f"the {name} account ({id})" for name, id in known.items() if id)
        raise UserError(f"these credentials belong to account {connection.account}. Sign in to {named}")


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    settings, connection = start(args, anywhere=True)
    settings = with_data_science(connection, settings)
    require_known(connection, settings)
    say(f"accounts of {args.environment}, {connection.region}{settings.remark}:")

    def show(steps: list[PlanStep]) -> None:
        for line in set_up_report.part(steps, args.all):
            say(line)

    asked = AccountOptions(args.create_organization, args.create_accounts, args.invite)
    set_up = SetUp(connection, settings, asked, args.dry_run, show, note=lambda text: say(f"  note: {text}"))
    steps = set_up.run()
    for line in set_up_report.summary(steps, connection.account, args.dry_run, args.all):
        say(line)
    count = Counter(step.action for step in steps)
    if args.json:
        data = {"steps": plan.as_data(steps), "count": dict(count), "applied": not args.dry_run}
        print(json.dumps(data, indent=2))
    return 1 if count["wait"] and not args.dry_run else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
