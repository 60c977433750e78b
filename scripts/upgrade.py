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
from collections.abc import Sequence

from scripts.kit.bundle import differences
from scripts.kit.command import add_options, elsewhere, make_parser, start
from scripts.kit.connect import Connection
from scripts.kit.console import UsageError, UserError, run, say
from scripts.kit.projects import project as projects
from scripts.kit.projects import upgrading
from scripts.kit.projects.upgrading import ProjectUpgrade
from scripts.kit.publish import versions
from scripts.kit.publish.versions import ProvisionedProject


def settled(connection: Connection, name: str) -> ProvisionedProject:
    """The project, after an update that may go on already (of an interrupted run, or of another caller)."""
    found = projects.one(connection, name)
    project = versions.provisioned(connection, found)
    if project is None:
        raise UserError(f"the project {name} has no stack any more: there is nothing to upgrade")
    if not found.status.endswith(upgrading.BUSY):
        return project
    say(f"  {name} is {found.status}: waiting for it")
    upgrading.wait(connection, name, project.stack_name)
    return settled(connection, name)


def show(upgrade: ProjectUpgrade) -> None:
    """The plan, on stderr."""
    say(f"upgrade {upgrade.project.project.name} from {upgrade.project.version} to {upgrade.target.name}:")
    for line in differences.resource_lines(upgrade.found):
        say(f"  {line}")
    now = upgrade.project.parameters
    for name, value in upgrade.parameters.items():
        if now.get(name) != value and name not in upgrading.OWN:
            say(f"  parameter {name}: {now.get(name, '(new)')} -> {value}")
    for gap in upgrade.gaps or ():
        will = "will be refused" if gap.certain else "may be refused"
        say(f"  {will}: {gap.logical_id} ({gap.type}): the launch role may not {', '.join(gap.actions)}")


def tell_seed_code(upgrade: ProjectUpgrade, typed: str) -> None:
    """How newer seed code comes into the repositories; typed: further options of the commands."""
    changed = upgrade.found.files
    if not changed:
        return
    name = upgrade.project.project.name
    say(f"  the repositories hold older seed code than {upgrade.target.name}, and are left as they are:")
    for item in changed:
        say(f"    {differences.SIGNS[item.effect]} {item.name}")
    say("  to bring it in, in a clone of the repository (your own commits are merged):")
    for repository in sorted({item.name.split("/")[0] for item in changed}):
        say(
            f'    make diff PROJECT={name} TO={upgrade.target.name} ARGS="--patch {repository}{typed}" '
            f"| git -C CLONE-OF-{repository.upper()} apply --3way"
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("upgrade", __doc__)
    add_options(parser)
    parser.add_argument("--project", metavar="NAME", required=True, help="the project to upgrade")
    parser.add_argument("--to", metavar="VERSION", help="default: the version that new projects are made from")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another value for a parameter; repeatable"
    )
    parser.add_argument("--force", action="store_true", help="try although the launch role will be refused something")
    args = parser.parse_args(argv)
    if wrong := next((item for item in args.set if "=" not in item), None):
        raise UsageError(f"--set {wrong}: write NAME=VALUE")
    settings, connection = start(args)
    project = settled(connection, args.project)
    known = versions.installed_versions(connection, settings)
    target = versions.choose(known, args.to) if args.to else versions.newest(known, project.publisher)
    upgrade = upgrading.prepare(connection, project, known, target, dict(item.split("=", 1) for item in args.set))
    result = {**upgrading.as_data(upgrade), **differences.as_data(upgrade.found), "applied": False}
    if not upgrade.needed:
        say(f"{args.project} runs {target.name} already: nothing to do")
    else:
        show(upgrade)
        upgrading.check_settled(project)
        upgrading.check_visible(connection, project)
        certain = [gap for gap in upgrade.gaps or () if gap.certain]
        if certain and not args.force and not args.dry_run:
            raise UserError(
                f"the launch role {upgrade.role} may not change {', '.join(gap.logical_id for gap in certain)}, so "
                "that the update would fail and be rolled back. Give it what is missing, or try with --force"
            )
        if not args.dry_run:
            upgrading.apply(connection, upgrade)
            status = upgrading.wait(connection, args.project, project.stack_name)
            upgrading.require_success(connection, upgrade, status)
            say(f"{args.project} runs {target.name}")
            result["applied"] = True
    tell_seed_code(upgrade, (f" --profile {args.profile}" if args.profile else "") + elsewhere(args))
    if args.json:
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
