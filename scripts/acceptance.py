"""Play the story's chapters on a real organization, with a project of its own, and compare them with a rehearsal.

The kit is installed and published there (`make accounts`, `make publish`). It asks before it makes anything that costs
money, and removes the project with all that it left, also after a failure or Ctrl-C. summary.json and report.html say
what happened, and where AWS did otherwise than the embedded AWS in the rehearsal of --rehearsal. Exit code 1 where a
chapter failed, or something could not be removed.

examples:
  make acceptance ARGS="--profile management --dry-run"
  make acceptance ARGS="--profile management --scientist-profile data-scientist --approver-profile approver"
  python -m scripts.acceptance --profile management --until staging
  python -m scripts.acceptance --profile management --clean --yes
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.kit import arguments, asking
from scripts.kit.command import add_options
from scripts.kit.console import make_parser, run
from scripts.rehearsal.names import DEFAULT, SUMMARY
from scripts.rehearsal.titles import TITLES

NAME = "kit-acceptance"
FIRST = list(TITLES).index("project")  # a real organization is set up already


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.acceptance", __doc__)
    add_options(parser, "show what would be played and what it costs; make nothing", "the plan or the summary")
    for who, what in (("scientist", "the data scientist"), ("approver", "who approves deployments to production")):
        parser.add_argument(
            f"--{who}-profile",
            type=arguments.label,
            metavar="NAME",
            help=f"AWS profile of {what}, in the data science account (default: --profile, which proves less)",
        )
    parser.add_argument(
        "--project", type=arguments.project, default=NAME, metavar="NAME", help="the project (default: %(default)s)"
    )
    parser.add_argument(
        "--until",
        choices=list(TITLES)[FIRST:],
        metavar="CHAPTER",
        help=f"stop after: {', '.join(list(TITLES)[FIRST:])}",
    )
    parser.add_argument(
        "--rehearsal",
        type=arguments.path,
        default=DEFAULT / SUMMARY,
        metavar="FILE",
        help="summary.json of the rehearsal to compare with (default: build/rehearsal/summary.json)",
    )
    parser.add_argument(
        "--folder",
        type=arguments.absolute,
        default=DEFAULT.with_name("acceptance"),
        help="where the acceptance writes (default: build/acceptance)",
    )
    parser.add_argument("--clean", action="store_true", help="only remove what an interrupted acceptance left")
    asking.add_option(parser, "play it")
    args = parser.parse_args(argv)
    from scripts.rehearsal.acceptance.command import accept  # a second, after the arguments

    return accept(args)


if __name__ == "__main__":
    raise SystemExit(run(main))
