"""Show what a version changes: in a project, or against another version. Reads only.

Resources (made, removed, changed in place or replaced), parameters, permissions as statements, files of the
pipeline's code (which an upgrade brings) and of the seed code (which it leaves alone). A version is a published
one (its name, or the eight digits at its end), or `build` for what `make package` built. Left out, it goes from
what the project runs (or the version before) to the newest version.

examples:
  make diff PROJECT=iris-multi-01
  make diff PROJECT=iris-multi-01 TO=build
  make diff FROM=0.1.0-1a2b3c4d TO=0.2.0-5e6f7a8b
  python -m scripts.diff --project iris-multi-01 --patch model-deploy > seed.patch
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.bundle import differences, pack
from scripts.kit.bundle.option import add_bundle_option
from scripts.kit.command import add_options, start
from scripts.kit.connect import Connection
from scripts.kit.console import UsageError, UserError, make_parser, run, say
from scripts.kit.projects import project as projects
from scripts.kit.projects import provisioned, upgrading
from scripts.kit.publish import defaults, versions
from scripts.kit.publish.versions import BundleVersion
from scripts.kit.settings.model import Settings

BUILD = "build"
REPOSITORIES = [name.removesuffix(".zip") for name in pack.SEEDS]


def read(
    connection: Connection, settings: Settings, known: list[BundleVersion], name: str, folder: Path
) -> tuple[str, pack.Bundle]:
    """A version's full name and files."""
    if name == BUILD:
        built = defaults.installed(pack.read_build(folder), settings, connection)
        return f"{built.name} (built, not published)", built
    version = versions.choose(known, name)
    return version.name, versions.content(connection, version.digest, version.name)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.diff", __doc__)
    add_options(parser, dry_run="", prints="the differences")
    parser.add_argument("--project", type=arguments.project, metavar="NAME", help="compare with what this project runs")
    parser.add_argument("--from", dest="old", type=arguments.word, metavar="VERSION", help="compare with this version")
    parser.add_argument(
        "--to",
        type=arguments.word,
        metavar="VERSION",
        help="the newer version, or `build` (default: the newest published)",
    )
    add_bundle_option(parser, "the bundle of --to build")
    parser.add_argument(
        "--patch", choices=REPOSITORIES, help="print only this repository's changes, for git apply --3way"
    )
    args = parser.parse_args(argv)
    if args.project and args.old:
        raise UsageError("--project and --from exclude each other")
    settings, connection = start(args)
    known = versions.installed_versions(connection, settings)
    values, body, publisher = None, "", ""
    if args.project:
        project = provisioned.look(connection, projects.one(connection, args.project))
        if project is None:
            raise UserError(f"the project {args.project} has no stack any more: there is nothing to compare with")
        old, body = upgrading.current(connection, project, known)
        values, old_name, publisher = (
            project.parameters,
            f"{args.project} ({project.bundle_version})",
            project.publisher,
        )
    new_name, new = read(
        connection,
        settings,
        known,
        args.to or versions.newest(known, publisher).name,
        args.bundle,
    )
    if not args.project:
        before = args.old or previous(known, new_name)
        old_name, old = read(connection, settings, known, before, args.bundle)
    if args.patch:
        print(differences.patch(old, new, args.patch), end="")
        return 0
    found = differences.compare(old, new, connection.account, connection.region, values, body)
    if args.json:
        print(json.dumps({"from": old_name, "to": new_name, **asdict(found)}, indent=2))
        return 0
    print(f"{old_name} -> {new_name}")
    for line in differences.lines(found):
        print(line)
    if not found:
        say("no differences")
    return 0


def previous(known: list[BundleVersion], name: str) -> str:
    """The version that was published before this one."""
    names = [version.name for version in known]
    older = names[names.index(name) + 1 :] if name in names else names
    if not older:
        raise UserError(f"no version was published before {name}. Name one with --from")
    return older[0]


if __name__ == "__main__":
    raise SystemExit(run(main))
