"""Run the notebooks on the embedded AWS, with the real SageMaker Python SDK, without an AWS account.

examples:
  make notebooks
  python -m scripts.notebooks --json
  python -m scripts.notebooks --docs docs/generated
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from scripts.kit import arguments
from scripts.kit.console import UsageError, make_parser, run
from scripts.rehearsal.notebooks import DEFAULT_FOLDER


def parser() -> argparse.ArgumentParser:
    made = make_parser("scripts.notebooks", __doc__)
    made.add_argument(
        "--docs", type=arguments.path, help="also write copies to read, with the outputs, into this folder"
    )
    made.add_argument("--json", action="store_true", help="print what was run as JSON on stdout")
    made.add_argument(
        "--folder",
        type=arguments.absolute,
        default=DEFAULT_FOLDER,
        help="where the run writes (default: build/notebooks)",
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.docs and not args.docs.is_dir():
        raise UsageError(f"--docs {args.docs}: there is no such folder")
    from scripts.rehearsal.notebooks.command import run_notebooks  # a second, after the arguments

    return run_notebooks(args)


if __name__ == "__main__":
    sys.exit(run(main))
