"""Show a project's deployments, the newest first: what was approved by whom, what the tests found, how each ended.

The project's record tells them, which is written once and by the pipeline's roles alone. --json prints every entry with
settings, accounts, commits and digests; --export writes a zip for an auditor: the same, each entry and each evidence
card as they are in the project's bucket, and their SHA-256. Reads only.

examples:
  make history PROJECT=iris-multi-01 ARGS="--profile data-science"
  make history PROJECT=iris-multi-01 ARGS="--approvals"
  make history PROJECT=iris-multi-01 ARGS="--export iris-multi-01.zip"
  python -m scripts.history --project iris-multi-01 --version 3 --json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from scripts.kit import arguments
from scripts.kit.command import add_options, start
from scripts.kit.console import UsageError, counted, make_parser, run, say, table
from scripts.kit.projects import deployments
from scripts.kit.projects import project as projects


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.history", __doc__)
    add_options(parser, dry_run="", prints="the approvals and the deployments")
    parser.add_argument(
        "--project", type=arguments.project, required=True, metavar="NAME", help="the SageMaker project"
    )
    parser.add_argument(
        "--version", type=arguments.whole(1, 999_999_999), metavar="N", help="only this version of the model group"
    )
    parser.add_argument(
        "--approvals", action="store_true", help="list the approvals and rejections of versions as well"
    )
    parser.add_argument(
        "--export", type=arguments.path, metavar="FILE", help="write a zip for an auditor to a file that does not exist"
    )
    args = parser.parse_args(argv)
    if args.export and args.export.exists():
        raise UsageError(f"--export {args.export}: this file exists, and nothing is written over it. Name another one")
    _, connection = start(args)
    project = projects.one(connection, args.project)
    prefixes = [deployments.RECORD, *([deployments.EVIDENCE] if args.export else [])]
    found = deployments.entries(connection.client("s3"), project, connection.account, *prefixes)
    history = deployments.tell(project, found, deployments.executions(connection, project))
    if args.version:
        history = deployments.of_version(history, str(args.version))
    for key in history.unreadable:
        say(f"  warning: s3://{project.bucket}/{key} is no entry of the record: find out in CloudTrail who wrote it")
    if args.export:
        write(args.export, deployments.export(history, found))
    if args.json:
        print(json.dumps(history.as_data(), indent=2))
    else:
        show(history, args.approvals)
    return 0


def show(history: deployments.History, approvals: bool) -> None:
    if history.deployments:
        print(table(*deployments.table_of(history.deployments)))
    else:
        print(f"nothing was deployed by the project {history.project.name} yet")
    if approvals:
        print()
        print(
            table(
                ["AT (UTC)", "VERSION", "STATUS", "BY"],
                [
                    [deployments.short_time(one.at), one.version, one.status, deployments.short(one.by)]
                    for one in history.approvals
                ],
            )
        )


def write(file: Path, content: bytes) -> None:
    """UsageError where the file cannot be written, or has come to be since."""
    try:
        with file.open("xb") as opened:
            opened.write(content)
    except OSError as error:
        raise UsageError(f"--export {file}: {error.strerror or error}. Name another file") from error
    say(f"wrote {file}, {counted(len(content), 'byte')}")


if __name__ == "__main__":
    raise SystemExit(run(main))
