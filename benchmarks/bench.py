"""Time packaging, publishing (first and unchanged) and every chapter of the rehearsal; medians over several runs.

examples:
  make bench
  python -m benchmarks.bench --runs 5 --json
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.kit.console import make_parser, run, say
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story


def once(folder: Path) -> dict[str, float]:
    """Seconds of one run, by what was timed."""
    seconds: dict[str, float] = {}
    begin = time.monotonic()
    with embedded_aws(folder) as cloud:
        story = Story(cloud, folder)
        play(story)
        seconds["rehearsal, whole story"] = time.monotonic() - begin
        seconds |= {f"rehearsal, {chapter.name}": chapter.seconds for chapter in story.chapters}
        bundle = folder / "timed"
        start = time.monotonic()
        story.command(story.engineer, "scripts.package", "--output", str(bundle))
        seconds["package"] = time.monotonic() - start
        start = time.monotonic()
        story.command(
            story.engineer,
            *("scripts.publish", "--environment", str(story.environment_path), "--bundle", str(bundle)),
        )
        seconds["publish, unchanged"] = time.monotonic() - start
    seconds["publish, first (with package)"] = seconds["rehearsal, publishing"]
    return seconds


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("benchmarks.bench", __doc__)
    parser.add_argument("--runs", type=int, default=3, help="how many runs (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON")
    args = parser.parse_args(argv)
    runs = []
    for number in range(args.runs):
        say(f"run {number + 1} of {args.runs}")
        with tempfile.TemporaryDirectory() as folder:
            runs.append(once(Path(folder)))
    figures = {what: [single[what] for single in runs] for what in sorted(runs[0])}
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"{'':34}{'median':>8}{'min':>8}{'max':>8}  seconds, {args.runs} runs")
        for what, values in figures.items():
            print(f"{what:34}{statistics.median(values):8.2f}{min(values):8.2f}{max(values):8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
