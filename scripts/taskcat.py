"""Check templates 10 to 13, 20 and 50 with taskcat: its lint always, and its test where AWS credentials are there.

The test deploys each template of .taskcat.yml in the account of its profile, waits, and deletes the stack again.

examples:
  make taskcat
  python -m scripts.taskcat --lint-only
  python -m scripts.taskcat --test target-account --profile staging
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.bundle import pack
from scripts.kit.console import UsageError, make_parser, run, say

PROGRAM = pack.ROOT / ".venv-taskcat" / "bin" / "taskcat"  # made by `make taskcat` from requirements/taskcat.txt
OUTPUT = pack.ROOT / "build" / "taskcat"


def taskcat(*arguments: str) -> int:
    """taskcat's exit code; it writes to the terminal itself, and warns of a library of its own, which is left out."""
    variables = {**os.environ, "PYTHONWARNINGS": "ignore:pkg_resources is deprecated:UserWarning"}
    return subprocess.run([str(PROGRAM), *arguments], cwd=pack.ROOT, env=variables).returncode


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("scripts.taskcat", __doc__)
    parser.add_argument("--lint-only", action="store_true", help="deploy nothing, even where credentials are there")
    parser.add_argument(
        "--test",
        type=arguments.listed(arguments.word),
        metavar="NAMES",
        help="tests of .taskcat.yml, with commas between (default: all)",
    )
    parser.add_argument("--profile", type=arguments.label, metavar="NAME", help="AWS profile of tests that name none")
    args = parser.parse_args(argv)
    if not PROGRAM.exists():
        raise UsageError("taskcat is not installed: run `make taskcat`, which installs it into .venv-taskcat")
    chosen = ["--profile", args.profile] if args.profile else []
    if code := taskcat("lint"):
        return code
    if args.lint_only:
        return 0
    import boto3  # a fifth of a second, which no --help needs

    if boto3.Session(profile_name=args.profile).get_credentials() is None:
        say("no AWS credentials found, so nothing was deployed. Name a profile to run the test too (--profile NAME)")
        return 0
    names = ["--test-names", args.test] if args.test else []
    return taskcat(*chosen, "test", "run", "--lint-disable", "--output-directory", str(OUTPUT), *names)


if __name__ == "__main__":
    raise SystemExit(run(main))
