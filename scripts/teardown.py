"""Take down one project, or everything that the kit made, in the only order that works; never the organization.

Plan, show, ask, apply. Model versions, buckets with what they hold, logs and keys are retained unless they are
asked for. --everything also needs to enter the target accounts, so run it as `make accounts` is run. --orphans lists
what of the kit is left in every account and Region without belonging to anything.

Before anything is deleted, you type the project's name on the terminal (of everything: the installation's, which the
question shows). --yes leaves the question out, for automation; without a terminal, nothing is done without --yes.

examples:
  make teardown PROJECT=iris-multi-01 ARGS="--profile data-science --dry-run"
  make teardown EVERYTHING=1 ARGS="--profile management"
  python -m scripts.teardown --project iris-multi-01 --model-group --empty-buckets --logs --yes
  python -m scripts.teardown --orphans --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from scripts.kit import arguments, asking, plan
from scripts.kit.command import add_options, start
from scripts.kit.connect import enter
from scripts.kit.console import UsageError, UserError, make_parser, run, say, some
from scripts.kit.names import ROLES_STACK
from scripts.kit.teardown import orphans, retained, take_down
from scripts.kit.teardown.parts import DeletionOptions, apply


def ask(args: argparse.Namespace, account: str) -> None:
    """Have the name typed of what is taken down. account: the data science account"""
    kind, name = ("project", args.project) if args.project else ("installation", f"{ROLES_STACK}-{account}")
    buckets = ", and every object and version in the buckets with the keys of the models" if args.empty_buckets else ""
    what = f"This deletes all that the plan shows with a hyphen{buckets}. It cannot be undone."
    asking.require_name(args.yes, what, kind, name)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.teardown", __doc__)
    add_options(parser)
    parser.add_argument("--project", type=arguments.project, metavar="NAME", help="the project to take down")
    parser.add_argument("--everything", action="store_true", help="every project, and then the kit")
    parser.add_argument("--orphans", action="store_true", help="only list what is left without an owner")
    parser.add_argument("--model-group", action="store_true", help="delete the model groups with their versions too")
    parser.add_argument(
        "--empty-buckets", action="store_true", help="empty and delete the buckets too, with their keys"
    )
    parser.add_argument("--logs", action="store_true", help="delete the builds' logs and test reports too")
    asking.add_option(parser, "take it down")
    args = parser.parse_args(argv)
    if sum(map(bool, (args.project, args.everything, args.orphans))) != 1:
        raise UsageError(
            "name one of --project NAME (PROJECT=NAME of make), --everything (EVERYTHING=1) and --orphans "
            "(ARGS=--orphans)"
        )
    what = args.project or "everything"
    if not args.orphans and not args.dry_run:
        asking.require_way(args.yes, f"taking down {what}")
    settings, by = start(args, anywhere=True)
    home = enter(by, settings.accounts.data_science, settings.roles.access)
    result: dict[str, object] = {}
    unfinished: list[str] = []
    kept: list[str] = []
    if not args.orphans:
        say(f"take down {what} in account {home.account}, {home.region}:")
        asked = DeletionOptions(args.model_group, args.empty_buckets, args.logs)
        parts = take_down.make_plan(by, home, settings, asked, args.project)
        steps = [part.step for part in parts]
        plan.show(steps)
        say(f"  {retained.total(parts)}")
        cost = round(sum(part.cost for part in parts), 2)
        result = {"steps": plan.as_data(steps), "retained_usd_a_month": cost, "applied": not args.dry_run}
        kept = [step.name for step in steps if step.action == "keep"]
        unfinished = [f"{part.step.kind} {part.step.name}" for part in parts if part.blind]
        if not args.dry_run:
            if any(part.do for part in parts):
                ask(args, home.account)
            apply(parts)
            say(f"{what} is taken down" if any(part.do for part in parts) else "nothing to take down")
    blind: dict[str, str] = {}
    if args.orphans or not args.dry_run:
        found, blind = orphans.look(by, home, settings)
        for line in orphans.lines(found, blind, settings, kept):
            say(line)
        result |= {"orphans": [orphan.as_data() for orphan in found], "not_looked_at": blind}
    if args.json:
        print(json.dumps(result, indent=2))
    if unfinished and not args.dry_run:
        raise UserError(f"{some(unfinished)}: run the same command with credentials that may enter these accounts")
    return 1 if args.orphans and blind else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
