"""Upgrade a project to another version of the kit, with its parameters and its repositories as they are.

The project's stack is updated as its launch role, which SageMaker does for every caller who sees the product. What
changes is shown first; a failed update is rolled back by CloudFormation and reported. The repositories' content is the
project's own: how to bring in newer seed code is said at the end.

examples:
  make upgrade PROJECT=iris-multi-01
  make upgrade PROJECT=iris-multi-01 ARGS="--dry-run"
  python -m scripts.upgrade --project iris-multi-01 --to 0.2.0-5e6f7a8b --set StagingRegions=us-east-1,eu-west-1
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from scripts.kit import arguments
from scripts.kit.command import add_options, elsewhere, start
from scripts.kit.connect import Connection
from scripts.kit.console import make_parser, run, say
from scripts.kit.projects import old_record, upgrade_report, upgrading
from scripts.kit.projects.upgrading import ProjectUpgrade
from scripts.kit.publish import versions
from scripts.kit.stacks import unguarded


def carry_out(connection: Connection, upgrade: ProjectUpgrade) -> None:
    """Update the project, and say how it ended."""
    project = upgrade.project
    unprotected = old_record.is_unprotected(project)
    if unprotected:
        old_record.clear(connection, project)
    upgrading.apply(connection, upgrade)
    status = upgrading.wait(connection, project.project.name, project.stack_name)
    upgrading.require_success(connection, upgrade, status)
    say(f"{project.project.name} runs {upgrade.target.name}")
    if unprotected:
        old_record.check_empty(connection, project)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.upgrade", __doc__)
    add_options(parser)
    parser.add_argument(
        "--project", type=arguments.project, metavar="NAME", required=True, help="the project to upgrade"
    )
    parser.add_argument(
        "--to", type=arguments.word, metavar="VERSION", help="the version to upgrade to (default: that of new projects)"
    )
    arguments.add_set(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="try although an execution is running, or the launch role will be refused something",
    )
    args = parser.parse_args(argv)
    values = arguments.values_of(args.set)
    settings, connection = start(args)
    project = upgrading.settled(connection, args.project)
    known = versions.installed_versions(connection, settings)
    target = versions.choose(known, args.to) if args.to else versions.newest(known, project.publisher)
    upgrade = upgrading.prepare(connection, project, known, target, values)
    result = {**upgrading.as_data(upgrade), **asdict(upgrade.found), "applied": False}
    if not upgrade.needed:
        say(f"{args.project} runs {target.name} already: nothing to do")
    else:
        for line in upgrade_report.lines(upgrade):
            say(line)
        upgrading.check(connection, upgrade, force=args.force or args.dry_run)
        if not args.dry_run:
            carry_out(connection, upgrade)
            result["applied"] = True
    if not args.dry_run:
        unguarded.open_again(connection, project.project.pipeline)
    typed = (f" --profile {shlex.quote(args.profile)}" if args.profile else "") + elsewhere(args)
    for line in upgrade_report.seed_code(upgrade, typed):
        say(line)
    if args.json:
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
