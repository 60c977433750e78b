"""Seed a project's repositories at GitHub, GitLab or Bitbucket (CodeCommit's are seeded with the project).

Make the two repositories there first, empty: PROJECT-modeldeploy and PROJECT-modelbuild of the owner in
environment.yaml, or of other names that you give here and to the project (DeployRepositoryName,
TrainingRepositoryName). Where the project exists already, it says their names itself. The seed code is that of the
version that the project comes from, or the newest one. What already has a branch main is left alone. git signs in as
you have set it up.

examples:
  make seed PROJECT=iris-multi-01 ARGS="--profile data-science --dry-run"
  python -m scripts.seed --project iris-multi-01 --profile data-science
  python -m scripts.seed --project iris-multi-01 --deploy-repository iris-deploy --training-repository iris-train
  python -m scripts.seed --project iris-multi-01 --remote https://git.example.com
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scripts.kit import arguments, plan
from scripts.kit.command import add_options, start
from scripts.kit.console import make_parser, run, say
from scripts.kit.projects import project as projects
from scripts.kit.projects import provisioned, seeding


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.seed", __doc__)
    add_options(parser)
    parser.add_argument(
        "--project", type=arguments.project, required=True, metavar="NAME", help="name of the SageMaker project"
    )
    parser.add_argument(
        "--remote",
        type=arguments.address,
        metavar="URL",
        help="address of the provider, in front of OWNER/NAME",
    )
    for seed, kind in seeding.KINDS.items():
        parser.add_argument(
            f"--{kind.lower()}-repository",
            dest=seed,
            type=arguments.repository,
            metavar="NAME",
            help="another name of it, without the owner",
        )
    args = parser.parse_args(argv)
    settings, connection = start(args)
    given = {seed: name for seed in seeding.KINDS if (name := getattr(args, seed))}
    project = next((p for p in projects.find(connection) if p.name == args.project and p.status), None)
    there = provisioned.look(connection, project) if project else None
    found = (
        seeding.of_project(connection, there, given)
        if there
        else seeding.of_new_project(connection, settings, args.project, given)
    )
    steps = seeding.make_plan(seeding.host(connection, found.connection_arn, args.remote or ""), found.names)
    say(f"seed the repositories of {args.project} with {found.bundle_version}:")
    plan.show(steps)
    if not args.dry_run:
        seeding.apply(
            steps, found.seeds, f"Seed code of {found.bundle_version}", lambda step: say(f"  done: {step.name}")
        )
    if args.json:
        result = {"bundle": found.bundle_version, "steps": plan.as_data(steps), "applied": not args.dry_run}
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
