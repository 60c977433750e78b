"""Show what is deployed where: per project, stage, account and Region the live version, and what the pipeline does.

With credentials of the data science account, what the endpoints serve is what the pipeline's tests saw last, with the
time; with credentials that may enter the target accounts (roles.access) they are asked now. --watch goes on until
nothing runs any more (a deployment that waits for an approver does not run).

examples:
  make status ARGS="--profile data-science"
  make status ARGS="--profile management"
  make status PROJECT=iris-multi-01 ARGS="--watch"
  make status PROJECT=iris-multi-01 ARGS="--all"
  python -m scripts.status --project iris-multi-01 --json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.command import add_options, start
from scripts.kit.connect import enter
from scripts.kit.console import make_parser, run, say
from scripts.kit.projects import project as projects
from scripts.kit.projects import served

PAUSE = 5.0  # seconds between two looks of --watch


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.status", __doc__)
    add_options(parser, dry_run="", prints="the projects with their endpoints and pipelines")
    parser.add_argument(
        "--project",
        type=arguments.project,
        metavar="NAME",
        help="only this project (default: every project of the kit)",
    )
    parser.add_argument("--all", action="store_true", help="show every account and Region, also where many are alike")
    parser.add_argument("--watch", action="store_true", help="go on until nothing runs any more")
    parser.add_argument(
        "--pause",
        type=arguments.seconds,
        default=PAUSE,
        metavar="SECONDS",
        help=f"between two looks of --watch (default: {PAUSE:g})",
    )
    args = parser.parse_args(argv)
    from scripts.kit.projects import status_view  # rich, a fifth of a second, after the arguments

    settings, by = start(args, anywhere=True)
    connection, looker = enter(by, settings.accounts.data_science, settings.roles.access), served.looker(by, settings)
    wanted = [projects.one(connection, args.project)] if args.project else projects.find(connection)
    if not wanted:
        say(f"no project made from the kit in account {connection.account}, {connection.region}")
    if args.watch and not args.json:
        status_view.watch(connection, wanted, args.pause, args.all, looker)
        return 0
    if args.watch:
        found = status_view.follow(connection, wanted, args.pause, looker=looker)
    else:
        found = status_view.look(connection, wanted, looker)
    if args.json:
        print(json.dumps({"projects": [one.as_data() for one in found]}, indent=2))
    elif found:
        print(status_view.text(found, args.all, terminal=sys.stdout.isatty()))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
