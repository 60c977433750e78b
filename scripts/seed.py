"""Seed a project's repositories at GitHub, GitLab or Bitbucket (CodeCommit's are seeded with the project).

Make the two repositories there first, empty: PROJECT-modeldeploy and PROJECT-modelbuild, of the owner in
environment.yaml. What already has a branch main is left alone. git signs in as you have set it up.

examples:
  make seed PROJECT=iris-multi-01 ARGS="--profile data-science --dry-run"
  python -m scripts.seed --project iris-multi-01 --profile data-science
  python -m scripts.seed --project iris-multi-01 --remote https://git.example.com
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from scripts.bundle import environment, pack, plan, seeding
from scripts.bundle.connect import add_options, connect, require_account
from scripts.bundle.console import UserError, run, say


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.seed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--project", required=True, metavar="NAME", help="name of the SageMaker project")
    parser.add_argument("--remote", default="", metavar="URL", help="address of the provider, in front of OWNER/NAME")
    parser.add_argument("--bundle", type=Path, default=pack.BUILD, metavar="FOLDER", help="default build/")
    args = parser.parse_args(argv)
    settings = environment.load(args.environment)
    source = settings.source
    if source.provider != "connection":
        raise UserError("source.provider is codecommit: the project's own stack seeds its repositories")
    bundle = pack.read_build(args.bundle)
    connection = connect(settings, args.profile, args.region)
    require_account(connection, settings.accounts.data_science, "accounts.data_science")
    names = {seed: args.project + suffix for seed, suffix in seeding.SUFFIXES.items()}
    steps = seeding.make_plan(seeding.host(connection, source, args.remote), source.repository_owner, names)
    say(f"seed the repositories of {args.project} with {bundle.name}:")
    plan.show(steps)
    if not args.dry_run:
        seeding.apply(steps, bundle.files, f"Seed code of {bundle.name}", lambda step: say(f"  done: {step.name}"))
    if args.json:
        result = {"bundle": bundle.name, "steps": plan.as_data(steps), "applied": not args.dry_run}
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
