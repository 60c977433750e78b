"""Play the whole story on this machine: an embedded AWS stands in for the organization.

examples:
  make rehearse
  python -m scripts.rehearse --until project --keep
  python -m scripts.rehearse --until production
  python -m scripts.rehearse --administrator management
  python -m scripts.rehearse --administrator self-managed
  python -m scripts.rehearse --regions us-east-1,eu-west-1
  python -m scripts.rehearse --example sklearn
  python -m scripts.rehearse --example sklearn --build-on-push
  python -m scripts.rehearse --production-alone
  python -m scripts.rehearse --deploy-repository ../deploy --training-repository ../training --base ../deploy-main
  python -m scripts.rehearse --template template.yaml --seed-code build.zip=seed-code/build --approve --trust
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from scripts.kit import arguments
from scripts.kit.console import UsageError, make_parser, run
from scripts.kit.regions import check_region, opt_in_regions
from scripts.kit.settings.reading import FURTHER_REGIONS
from scripts.rehearsal.names import DEFAULT, EXAMPLES, IMAGES, MODELS
from scripts.rehearsal.other_templates import options as template_options
from scripts.rehearsal.teams import options as team_options
from scripts.rehearsal.titles import TITLES


def parser() -> argparse.ArgumentParser:
    made = make_parser("scripts.rehearse", __doc__)
    made.add_argument(
        "--administrator",
        choices=["delegated", "management", "self-managed"],
        default="delegated",
        help="who creates the stack sets. delegated: the data science account, as a delegated administrator; "
        "management: the management account, which then is the data science account too (the post's way); "
        "self-managed: the data science account, without an organization",
    )
    made.add_argument(
        "--until",
        choices=list(TITLES),
        metavar="CHAPTER",
        help=f"stop after: {', '.join(TITLES)} (default: the last)",
    )
    made.add_argument("--keep", action="store_true", help="leave the embedded AWS running afterwards, until Ctrl-C")
    made.add_argument(
        "--port",
        type=arguments.whole(0, 65535),
        default=0,
        help="loopback port of the embedded AWS (default: a free one)",
    )
    made.add_argument(
        "--region", type=arguments.word, default="us-east-1", help="Region of the story (default: %(default)s)"
    )
    made.add_argument(
        "--regions",
        type=arguments.listed(arguments.word),
        metavar="REGION,…",
        help="Regions of the stages' endpoints, at most three besides --region (default: that of the story)",
    )
    made.add_argument(
        "--between",
        type=arguments.listed(arguments.word),
        metavar="STAGE,…",
        help="stages between staging and production, of qa, uat and preprod (default: none)",
    )
    made.add_argument(
        "--asked",
        type=arguments.listed(arguments.word),
        metavar="STAGE,…",
        help="those of --between that a version enters once the approver allows it (default: none)",
    )
    made.add_argument(
        "--production-alone",
        action="store_true",
        help="environment.yaml says production_alone: the approver decides on a version that no stage has tested",
    )
    made.add_argument(
        "--project", type=arguments.project, default="iris-multi-01", help="name of the project (default: %(default)s)"
    )
    made.add_argument(
        "--example",
        type=lambda name: MODELS.get(name, name),
        choices=list(EXAMPLES),
        default="iris",
        help="model of the training repository. iris: SageMaker's own XGBoost; sklearn: penguins, with scikit-learn in "
        "script mode, preprocess and evaluate; also by its model's name (default: %(default)s)",
    )
    made.add_argument(
        "--build-on-push",
        action="store_true",
        help="environment.yaml says builds.on_push: a push to the training repository tests, trains and registers",
    )
    made.add_argument(
        "--images",
        type=arguments.path,
        metavar="FILE",
        help=f"what stands in for your own container images (default: {IMAGES}, where there is one)",
    )
    made.add_argument(
        "--shadow",
        action="store_true",
        help="environment.yaml says endpoints.shadow: the second version is in production's shadow before the approver "
        "decides, while production is asked",
    )
    made.add_argument("--json", action="store_true", help="print the summary as JSON on stdout")
    made.add_argument(
        "--folder",
        type=arguments.absolute,
        default=DEFAULT,
        help="where the rehearsal writes (default: build/rehearsal)",
    )
    team_options.add_options(made)
    template_options.add_options(made)
    return made


def check(args: argparse.Namespace) -> tuple[str, ...]:
    """The Regions of the stages' endpoints; UsageError for an option that cannot be."""
    regions = tuple(args.regions.split(",")) if args.regions else ()
    for option, region in (("--region", args.region), *(("--regions", region) for region in regions)):
        if message := check_region(region):
            raise UsageError(f"{option}: {message}")
    if args.region in opt_in_regions():
        raise UsageError(f"--region {args.region}: the rehearsal's accounts have not enabled it. Example: eu-west-1")
    if len({*regions} - {args.region}) > FURTHER_REGIONS:
        raise UsageError(
            f"--regions {args.regions}: at most {FURTHER_REGIONS} besides {args.region}: a stage has room for no more"
        )
    return regions


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    regions = check(args)
    if args.template:
        of_stories = (args.deploy_repository, args.training_repository, args.build_on_push, args.shadow)
        if any(of_stories) or args.production_alone:
            raise UsageError(
                "--template plays no story: leave --deploy-repository, --training-repository, --build-on-push, "
                "--shadow and --production-alone out"
            )
        from scripts.rehearsal.other_templates.rehearsing import rehearse  # a second, after the arguments

        return rehearse(args)
    from scripts.rehearsal.story_command import rehearse_story  # a second, after the arguments

    return rehearse_story(args, regions)


def leave(ended: Sequence[int]) -> None:
    """End the process, once all else is done: taking the embedded AWS apart, object by object, is half a second.

    ended: the exit code; empty where main() has not come to its end, and Python ends as always
    """
    with suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        if ended:
            os._exit(ended[0])


if __name__ == "__main__":
    ended: list[int] = []
    atexit.register(leave, ended)  # the first that is registered is the last that runs
    ended.append(run(main))
    sys.exit(ended[0])
