"""Check an installation of many accounts with `make doctor`: seconds, CPU, requests and memory for each number.

An organization with so many staging accounts is set up in this process; the command runs beside it, once for each
folder named with --tree: this repository's, or a checkout of another version to compare with.

examples:
  python -m benchmarks.doctor --accounts 100
  python -m benchmarks.doctor --accounts 100 --tree . --tree ../before
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale import PATIENCE, add_accounts, play, requests
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, UserError, make_parser, run
from scripts.rehearsal import setting
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, signed_in


def measured(accounts: int, trees: Sequence[Path], folder: Path) -> Iterator[dict[str, Any]]:
    """The figures of each tree. CPU and peak memory (MB) are the command's."""
    with embedded_aws(folder) as cloud:
        story = Story(cloud, folder, patience=PATIENCE)
        for name in ("organization", "permissions"):
            play(story, name)
        add_accounts(story, accounts)
        engineer = setting.sign_in(cloud, story.setting.management, setting.ENGINEER, story.region)
        line = [sys.executable, "-m", "scripts.doctor", "--json", "--environment", str(story.environment_path)]
        for tree in trees:
            before, start, used = requests(folder), time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            with signed_in(engineer):
                done = subprocess.run(line, cwd=tree, capture_output=True, text=True)
            now = resource.getrusage(resource.RUSAGE_CHILDREN)
            if not done.stdout:
                raise UserError(f"the doctor of {tree}: {done.stderr[-400:]}")
            yield {
                "tree": str(tree),
                "accounts": accounts,
                "seconds": round(time.monotonic() - start, 1),
                "cpu_seconds": round(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, 1),
                "requests": requests(folder) - before,
                "memory_mb": round(now.ru_maxrss / 1024),
                "findings": len(json.loads(done.stdout)["findings"]),
            }


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("benchmarks.doctor", __doc__)
    parser.add_argument("--accounts", type=int, default=100, help="number of staging accounts (default: %(default)s)")
    parser.add_argument(
        "--tree",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="the tree to measure; repeatable (default: this one)",
    )
    args = parser.parse_args(argv)
    if not 0 < args.accounts <= 1200:
        raise UsageError(f"--accounts {args.accounts}: a number from 1 to 1200")
    with tempfile.TemporaryDirectory() as folder:
        for figures in measured(args.accounts, args.tree or [ROOT], Path(folder)):
            print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
