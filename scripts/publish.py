"""Publish the bundle to Service Catalog in the data science account: plan, show, apply.

What is published is never overwritten or deleted. An unchanged bundle writes nothing; a changed one
becomes a new version, and the older ones are deprecated.

examples:
  make publish ARGS="--profile data-science --dry-run"
  python -m scripts.publish --profile data-science
  python -m scripts.publish --environment eu.yaml --region eu-west-1 --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from scripts.bundle import environment, pack, plan, publishing
from scripts.bundle.connect import add_options, connect, require_account
from scripts.bundle.console import run, say


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.publish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--bundle", type=Path, default=pack.BUILD, metavar="FOLDER", help="default build/")
    args = parser.parse_args(argv)
    settings = environment.load(args.environment)
    bundle = pack.read_build(args.bundle)
    pack.check_fresh(bundle, pack.ROOT)
    connection = connect(settings, args.profile, args.region)
    require_account(connection, settings.accounts.data_science, "accounts.data_science")
    want = publishing.wanted(settings, bundle, connection.account, connection.region, connection.partition)
    found = publishing.look(connection, want)
    steps = publishing.make_plan(want, found)
    say(f"publish {bundle.name} to account {connection.account}, {connection.region}:")
    plan.show(steps)
    result = {"bundle": bundle.name, "sha256": bundle.digest, "steps": plan.as_data(steps), "applied": not args.dry_run}
    if not args.dry_run:
        ids = publishing.apply(
            connection, want, found, steps, told=lambda step: say(f"  done: {step.kind} {step.name}")
        )
        result |= {"portfolio_id": ids.portfolio, "product_id": ids.product, "version_id": ids.version}
        say(f"published {bundle.name}" if plan.writes(steps) else f"{bundle.name} is published already: nothing to do")
    if args.json:
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
