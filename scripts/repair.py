"""Bring the endpoint of one account back where it is gone: the account's stack is deleted and created again.

No other account is touched, and what is created is what the stage deploys anyway. An account that was closed is taken
out of the stage. Run it with credentials that may enter the account (roles.access), which sees what the endpoint
serves; with others it goes by what the pipeline's tests recorded. --unused deletes the models and endpoint
configurations of the project that nothing uses any more, in every account or in the one that is named.

examples:
  make repair PROJECT=iris-multi-01 ACCOUNT=222222222222 ARGS="--profile management --dry-run"
  make repair PROJECT=iris-multi-01 ACCOUNT=222222222222 REGION=eu-west-1 ARGS="--profile management"
  make repair PROJECT=iris-multi-01 ARGS="--unused --profile management"
  python -m scripts.repair --project iris-multi-01 --account 222222222222 --json
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scripts.kit import arguments, plan
from scripts.kit.command import add_options, start
from scripts.kit.connect import Connection, enter
from scripts.kit.console import UsageError, UserError, make_parser, run, say, some
from scripts.kit.plan import PlanStep
from scripts.kit.projects import project as projects
from scripts.kit.projects import repair, served, unused
from scripts.kit.projects.project import Project
from scripts.kit.projects.repair import Repair
from scripts.kit.settings.model import Settings


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.repair", __doc__)
    add_options(parser)
    parser.add_argument(
        "--project", type=arguments.project, required=True, metavar="NAME", help="the SageMaker project"
    )
    parser.add_argument("--account", type=arguments.account, metavar="ID", help="the account whose endpoint is gone")
    parser.add_argument(
        "--endpoint-region",
        type=arguments.word,
        metavar="REGION",
        help="only this Region of the account (default: every Region of the stage)",
    )
    parser.add_argument("--unused", action="store_true", help="delete models and configurations that nothing uses")
    args = parser.parse_args(argv)
    if not args.account and not args.unused:
        raise UsageError("name the account: --account ID (ACCOUNT=ID of make), or --unused for every account")
    settings, by = start(args, anywhere=True)
    home = enter(by, settings.accounts.data_science, settings.roles.access)
    project = projects.one(home, args.project)
    if args.unused:
        todo, closed = of_unused(by, home, settings, project, args.account)
    else:
        stages, closed = repair.look(home, project), []
        todo = repair.make_plan(stages, args.account, args.endpoint_region or "", served.looker(by, settings), settings)
    where = f" in account {args.account}" if args.account else ""
    say(f"repair {project.name} ({project.id}){where}:")
    steps = [one.step for one in todo]
    plan.show(steps)
    if not args.dry_run:
        repair.apply(todo)
        say("done" if any(one.do for one in todo) else "nothing to do")
    if args.json:
        result = {"project": project.name, "steps": plan.as_data(steps), "applied": not args.dry_run}
        print(json.dumps(result, indent=2))
    if closed:
        raise UserError(f"not looked at: {some(closed)}. Run it with credentials that may enter these accounts")
    return 0


def of_unused(
    by: Connection, home: Connection, settings: Settings, project: Project, account: str | None
) -> tuple[list[Repair], list[str]]:
    """What to delete, and the accounts that these credentials could not enter."""
    places: dict[str, set[str]] = {}
    for stage in repair.look(home, project):
        for found in stage.instances:
            if account in {None, found.place[0]}:
                places.setdefault(found.place[0], set()).add(found.place[1])
    accounts = unused.look(by, settings, project, places)
    todo = [
        Repair(
            PlanStep("delete", thing.kind, f"{thing.name} in {thing.account}", thing.region),
            lambda thing=thing: unused.delete(by, settings, thing),  # type: ignore[misc]
        )
        for one in accounts
        for thing in one.found
    ]
    return todo, [f"{one.id} ({one.closed})" for one in accounts if one.closed]


if __name__ == "__main__":
    raise SystemExit(run(main))
