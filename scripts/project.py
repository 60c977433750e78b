"""Create a project from the newest published version, without Studio, and wait until it is there.

It is what "Create project" in Studio does, with your own permissions: sign in to the data science account as a data
scientist, or with a role that catalog.principals names. A project that is being created already is followed.

examples:
  make project PROJECT=iris-multi-01 ARGS="--profile data-scientist"
  make project PROJECT=iris-multi-01 ARGS="--dry-run"
  python -m scripts.project --project iris-multi-01 --from s3
  python -m scripts.project --project churn --set DeployRepositoryName=how-we-deploy
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.kit import arguments, plan
from scripts.kit.command import add_options, start
from scripts.kit.connect import Connection
from scripts.kit.console import make_parser, run, say
from scripts.kit.plan import PlanStep
from scripts.kit.projects import creating
from scripts.kit.publish.versions import CATALOG, S3
from scripts.kit.settings.model import Settings


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.project", __doc__)
    add_options(parser)
    parser.add_argument(
        "--project", type=arguments.project, required=True, metavar="NAME", help="the name of the new project"
    )
    parser.add_argument(
        "--from", dest="source", choices=[CATALOG, S3], help="the publisher (default: as the environment file says)"
    )
    arguments.add_set(parser)
    args = parser.parse_args(argv)
    values = arguments.values_of(args.set)
    settings, connection = start(args)
    result: dict[str, Any] = {"project": args.project, "applied": False}
    shown = creating.there(connection, args.project)
    creating.check_free(connection, args.project, shown)
    if shown:
        say(f"  {args.project} is {shown['ProjectStatus']} already: waiting for it")
    else:
        offer = creating.offer(connection, settings, args.source or "")
        creating.check(offer, values)
        say(f"create a project in account {connection.account}, {connection.region}:")
        detail = ", ".join([f"{offer.version.name} from {offer.publisher}", *args.set])
        plan.show([PlanStep("create", "project", args.project, detail)])
        result |= {"publisher": offer.publisher, "version": offer.version.name, "values": values}
        if not args.dry_run:
            creating.create(connection, creating.request(args.project, offer, values, settings.tags))
    if not args.dry_run:
        made = creating.wait(connection, args.project)
        result |= {"applied": True, **created(connection, settings, args.project, made)}
    if args.json:
        print(json.dumps(result, indent=2))
    return 0


def created(connection: Connection, settings: Settings, name: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """What there is now, after saying what to do next."""
    found = creating.repositories(connection, settings, name, made)
    say(f"{name} is created ({made['ProjectId']}). Next:")
    if settings.source.provider == "connection":
        say(f"  make seed PROJECT={name}")
        say(f"  clone {found['Training']} and {found['Deploy']} from your git provider")
    else:
        for address in (found["Training"], found["Deploy"]):
            say(f"  git clone {address}")
    say(f"  cd {found['Training'].rsplit('/', 1)[1]}")
    say(f"  python start.py --project {name} --wait")
    return {
        "id": made["ProjectId"],
        "status": made["ProjectStatus"],
        "repositories": {kind.lower(): address for kind, address in found.items()},
    }


if __name__ == "__main__":
    raise SystemExit(run(main))
