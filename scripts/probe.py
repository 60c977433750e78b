"""Settle open questions about AWS by small experiments in a sandbox account; each removes what it made.

docs/explanation/open-questions.md lists the questions. probe-results.json has what AWS answered beside what the
embedded AWS answers to the same requests. Run it in an account that holds nothing that matters. It asks before it
makes anything. Exit code 1 where a probe failed, or something could not be removed.

examples:
  make probe ARGS=--list
  make probe ARGS="--profile sandbox --only starter-refusals,project-arn"
  python -m scripts.probe --profile sandbox --second-profile sandbox-2 --yes
  python -m scripts.probe --profile sandbox --clean
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.kit import arguments, asking
from scripts.kit.console import make_parser, run

RESULTS = Path("probe-results.json")


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.probe", __doc__)
    parser.add_argument(
        "--profile",
        type=arguments.label,
        metavar="NAME",
        help="AWS profile of the sandbox account (default: as the AWS CLI signs in)",
    )
    parser.add_argument(
        "--second-profile",
        type=arguments.label,
        metavar="NAME",
        help="AWS profile of another sandbox account, for the probes that need two",
    )
    parser.add_argument("--region", type=arguments.word, help="Region of the probes (default: that of the profile)")
    parser.add_argument(
        "--only", type=arguments.listed(arguments.word), metavar="NAME,…", help="play only these probes"
    )
    parser.add_argument("--list", action="store_true", help="list the probes; send nothing")
    parser.add_argument("--dry-run", action="store_true", help="show what each would ask, make and cost; send nothing")
    parser.add_argument("--clean", action="store_true", help="only remove what interrupted runs left")
    parser.add_argument(
        "--output", type=arguments.path, default=RESULTS, metavar="FILE", help="the results (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON on stdout")
    asking.add_option(parser, "make the resources")
    args = parser.parse_args(argv)
    from scripts.kit.probes.command import probe  # boto3: a fifth of a second, after the arguments

    return probe(args)


if __name__ == "__main__":
    raise SystemExit(run(main))
