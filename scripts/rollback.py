"""Roll a stage back to the version that was live in it before, or to a named one, in all of its accounts.

CodePipeline rolls the stage back to the newest execution that deployed that version, and records it like any
deployment. Where it cannot (the pipeline or the accounts have changed since, or its history is gone), the
pipeline is started with the version instead. Only approved versions are deployed. Run it again after an
interruption: it follows what it began, and never goes back twice.

Before production is changed, you type the project's name on the terminal. --yes leaves the question out, for
automation; without a terminal, nothing is done without --yes.

examples:
  make rollback PROJECT=iris-multi-01 STAGE=prod ARGS="--profile data-science --dry-run"
  make rollback PROJECT=iris-multi-01 STAGE=prod VERSION=3
  make rollback PROJECT=iris-multi-01 STAGE=prod ARGS="--profile data-science --yes"
  python -m scripts.rollback --project iris-multi-01 --stage staging --json
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scripts.kit import arguments, asking, plan
from scripts.kit.command import add_options, start
from scripts.kit.console import make_parser, run, say
from scripts.kit.projects import project as projects
from scripts.kit.projects import rollback
from scripts.kit.stages import Stage


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.rollback", __doc__)
    add_options(parser)
    parser.add_argument(
        "--project", type=arguments.project, required=True, metavar="NAME", help="the SageMaker project"
    )
    parser.add_argument(
        "--stage", required=True, choices=[stage.value for stage in Stage], help="the stage to roll back"
    )
    parser.add_argument(
        "--version",
        type=arguments.whole(1, 999_999_999),
        metavar="N",
        help="a version of the model group (default: the one before)",
    )
    asking.add_option(parser, "roll production back")
    args = parser.parse_args(argv)
    stage = Stage(args.stage)
    if asks := stage is Stage.PROD and not args.dry_run:
        asking.require_way(args.yes, f"rolling production of {args.project} back")
    settings, connection = start(args)
    project, codepipeline = projects.one(connection, args.project), connection.client("codepipeline")
    todo = rollback.make_plan(
        rollback.look(connection, project, stage),
        project,
        stage,
        str(args.version) if args.version else "",
        lambda: rollback.places_now(connection, settings, project, stage),
        lambda target: rollback.recorded(connection.client("s3"), target, stage, connection.account),
    )
    say(f"roll back {stage} of {project.name} ({project.id}) in account {connection.account}, {connection.region}:")
    plan.show([todo.step])
    for note in todo.notes:
        say(f"  note: {note}")
    result: dict[str, object] = {
        "project": project.name,
        "stage": stage,
        "version": todo.version,
        "target": todo.execution,
    }
    result |= {"steps": plan.as_data([todo.step]), "applied": not args.dry_run}
    if asks and todo.step.writes:
        what = f"This changes what production of {project.name} serves, in all of its accounts: {todo.step.detail}."
        asking.require_name(args.yes, what, "project", project.name)
    if not args.dry_run:
        execution = rollback.apply(codepipeline, project, stage, todo)
        ended = "Succeeded"
        if execution:
            say(f"  execution {execution}:")
            ended = rollback.follow(codepipeline, project, execution)
        result |= {"execution": execution, "status": ended}
        rollback.finish(connection, project, stage, todo, execution, ended)
    if args.json:
        print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
