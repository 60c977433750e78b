"""Check an installation, and say what would stop a deployment: what, where, why, and what fixes it.

Reads only, in the accounts that the credentials reach: those of the management account enter the other accounts
through the role roles.access; those of the data science account see that account and the organization.
--fix sends the requests that are safe, after showing them. Exit code 1 when there is an error: something that stops a
deployment.

examples:
  make doctor
  make doctor PROJECT=iris-multi-01 ARGS="--profile management --json"
  python -m scripts.doctor --profile management --fix --dry-run
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.bundle.option import add_bundle_option
from scripts.kit.command import add_options
from scripts.kit.console import make_parser, run


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.doctor", __doc__)
    add_options(parser, dry_run="with --fix: show the requests and send none", prints="the findings")
    parser.add_argument("--project", type=arguments.project, metavar="NAME", help="check only this project")
    parser.add_argument("--fix", action="store_true", help="send the requests that are safe, after showing them")
    add_bundle_option(parser, "the bundle that the published files are compared with")
    args = parser.parse_args(argv)
    from scripts.kit.doctor.command import check_installation  # the checks: a fifth of a second, after the arguments

    return check_installation(args)


if __name__ == "__main__":
    raise SystemExit(run(main))
