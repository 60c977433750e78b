"""Publish the bundle from the data science account, to Service Catalog, to S3 or to both: plan, show, apply.

What is published is never overwritten or deleted. An unchanged bundle writes nothing; a changed one becomes a
new version, and the older ones are deprecated (Service Catalog) or hidden (S3). `--to s3` gives a project
template that Studio finds in the bundle bucket.

examples:
  make publish ARGS="--profile data-science --dry-run"
  make publish TO=both
  python -m scripts.publish --profile data-science --to s3
  python -m scripts.publish --environment eu.yaml --region eu-west-1 --json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from scripts.kit import plan
from scripts.kit.bundle import pack
from scripts.kit.bundle.option import add_bundle_option
from scripts.kit.command import add_options, connect_home
from scripts.kit.console import make_parser, near, run, say
from scripts.kit.plan import PlanStep
from scripts.kit.publish import catalog, defaults, hosting, publishing
from scripts.kit.settings.reading import load


def done(step: PlanStep) -> None:
    say(f"  done: {step.kind} {plan.short(step.name)}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.publish", __doc__)
    add_options(parser)
    add_bundle_option(parser, "the bundle to publish")
    parser.add_argument(
        "--to",
        choices=["service-catalog", "s3", "both"],
        help="where to (default: publishing.to of the environment file)",
    )
    args = parser.parse_args(argv)
    settings = load(args.environment)
    built = pack.read_build(args.bundle)
    pack.check_fresh(built, pack.ROOT)
    connection = connect_home(settings, args)
    bundle = defaults.installed(built, settings, connection)
    to = args.to or settings.publishing.to
    want = catalog.wanted(settings, bundle, connection.account, connection.region, connection.partition)
    found = catalog.look(connection, want, catalog=to != "s3")
    steps = publishing.make_plan(want, found, catalog=to != "s3")
    hosted = (
        hosting.hosted(want, bundle, connection.partition, settings.studio.domain_id)
        if to != "service-catalog"
        else None
    )
    there = hosting.look(connection, hosted) if hosted else None
    hosted_steps = hosting.make_plan(hosted, there) if hosted and there else []
    every = [*steps, *hosted_steps]
    fixed = f" ({built.name} with the OUs, roles and Regions of {near(args.environment)})"
    origin = fixed if bundle.name != built.name else ""
    say(f"publish {bundle.name}{origin} to account {connection.account}, {connection.region} ({to}){settings.remark}:")
    for line in defaults.looked_up(bundle, settings):
        say(f"  {line}")
    plan.show(every)
    result: dict[str, Any] = {
        "bundle": bundle.name,
        "sha256": bundle.digest,
        "to": to,
        "steps": plan.as_data(every),
        "applied": not args.dry_run,
    }
    if not args.dry_run:
        ids = publishing.apply(connection, want, found, steps, report=done)
        if to != "s3":
            result |= {"portfolio_id": ids.portfolio, "product_id": ids.product, "version_id": ids.version}
        if hosted and there:
            hosting.apply(connection, hosted, hosted_steps, done)
            hosting.tell(hosted, there)
            result |= {"template_url": hosted.url, "role_arn": hosted.launch_role}
        say(f"published {bundle.name}" if plan.writes(every) else f"{bundle.name} is published already: nothing to do")
    if args.json:
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
