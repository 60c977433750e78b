"""Time the kit's commands as whole processes beside taskcat and the AWS CLI: medians of several rounds.

Every round runs each command once, so that what else the machine does meets all of them alike. taskcat and the AWS CLI
are timed where they are installed. --before is a checkout of an earlier version, to compare with.

examples:
  make bench
  python -m benchmarks.bench --rounds 9 --only package --only publish
  python -m benchmarks.bench --before ../released --json
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.served import served
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, UserError, make_parser, run, say, table

GOALS = {"help": 0.2, "package": 0.12, "publish": 0.6, "story": 5.5, "lint": 10.0}  # seconds, on two idle cores
TASKCAT = ROOT / ".venv-taskcat" / "bin" / "taskcat"  # made by `make taskcat`


@dataclass(frozen=True)
class Timed:
    """A command that is timed: what it is called, which goal it has ("" for none), and how it is run."""

    what: str
    goal: str
    line: Sequence[str]
    folder: Path
    variables: Mapping[str, str]

    def once(self) -> tuple[float, float]:
        """Seconds from start to end, and of processor time; UserError where it fails."""
        start, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(self.line, cwd=self.folder, env=self.variables, capture_output=True, text=True)
        seconds, now = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise UserError(f"{self.what} ended with {done.returncode}: {(done.stderr + done.stdout)[-1000:]}")
        return seconds, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def commands(tree: Path) -> list[str]:
    """The kit's commands, as `python -m scripts.NAME`."""
    paths = sorted((tree / "scripts").glob("*.py"))
    return [path.stem for path in paths if "def main(" in path.read_text(encoding="utf-8")]


def of_kit(tree: Path, folder: Path, wanted: set[str], variables: Mapping[str, str]) -> Iterator[Timed]:
    """What is timed of the kit in a tree. folder: in which a rehearsal is served, with the variables that find it"""

    def timed(what: str, goal: str, *line: str) -> Timed:
        return Timed(what, goal, [sys.executable, "-m", *line], tree, variables)

    bundle = ("--bundle", str(folder / "served" / "bundle"))
    settings = ("--environment", str(folder / "served" / "environment.yaml"), "--profile", "data-science")
    if "help" in wanted:
        yield from (timed(f"{name} --help", "help", f"scripts.{name}", "--help") for name in commands(tree))
    if "package" in wanted:
        yield timed("package", "package", "scripts.package", "--output", str(folder / "packed"))
    if "publish" in wanted:
        yield timed("publish, unchanged", "publish", "scripts.publish", *settings, *bundle)
    if "story" in wanted:
        yield timed("rehearse, whole story", "story", "scripts.rehearse", "--folder", str(folder / "story"))
    if "lint" in wanted and (tree / ".venv-lint").is_dir():
        yield timed("lint, warm", "lint", "scripts.lint")


def of_others(variables: Mapping[str, str]) -> Iterator[Timed]:
    """taskcat and the AWS CLI, where they are installed: their start, and what each does that the kit does too."""
    if TASKCAT.exists():
        yield Timed("taskcat --help", "", [str(TASKCAT), "--help"], ROOT, variables)
        yield Timed("taskcat lint", "", [str(TASKCAT), "lint"], ROOT, variables)
    else:
        say("taskcat is not installed, so it is left out: `make taskcat` installs it")
    if aws := shutil.which("aws"):
        yield Timed("aws --version", "", [aws, "--version"], ROOT, variables)
        line = [aws, "--profile", "data-science", "servicecatalog", "search-products-as-admin"]
        yield Timed("aws servicecatalog, one request", "", line, ROOT, variables)
    else:
        say("the AWS CLI is not installed, so it is left out")


def measured(before: Path | None, wanted: set[str], rounds: int, folder: Path) -> list[dict[str, Any]]:
    """The figures of everything that is timed."""
    trees = {"": ROOT, **({"before": before} if before else {})}
    with contextlib.ExitStack() as stack:
        lines: list[tuple[str, Timed]] = []
        for name, tree in trees.items():
            own = folder / (name or "now")
            variables: Mapping[str, str] = dict(os.environ)
            if "publish" in wanted:
                server = served(own / "served", "--until", "project", tree=tree)
                variables = stack.enter_context(server).variables
            lines += [(name, timed) for timed in of_kit(tree, own, wanted, variables)]
            if not name:
                lines += [("others", timed) for timed in of_others(variables)]
        for _, timed in lines:
            timed.once()  # once before, so that what can be warm is
        took: list[list[tuple[float, float]]] = [[] for _ in lines]
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for (_, timed), times in zip(lines, took, strict=True):
                times.append(timed.once())
    return [figures(name, timed, times) for (name, timed), times in zip(lines, took, strict=True)]


def figures(name: str, timed: Timed, times: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """One row: seconds from start to end (median, least, most), and processor seconds (median)."""
    seconds, cpu = [one for one, _ in times], [one for _, one in times]
    return {
        "tree": name,
        "what": timed.what,
        "goal": GOALS.get(timed.goal),
        "median": round(statistics.median(seconds), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
        "cpu": round(statistics.median(cpu), 3),
    }


def shown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The figures as a table: those of now, with the goal and the time before."""
    before = {row["what"]: row["median"] for row in rows if row["tree"] == "before"}
    lines = []
    for row in rows:
        if row["tree"] == "before":
            continue
        former = before.get(row["what"])
        missed = " missed" if row["goal"] and row["median"] > row["goal"] else ""
        lines.append(
            [
                row["what"],
                *(f"{row[name]:.2f}" for name in ("median", "least", "most", "cpu")),
                f"{row['goal']:.2f}{missed}" if row["goal"] else "",
                f"{former:.2f} ({row['median'] / former:.0%})" if former else "",
            ]
        )
    return table(["seconds", "median", "least", "most", "cpu", "goal", "before"], lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("benchmarks.bench", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=list(GOALS), help="time only this: " + ", ".join(GOALS))
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="a checkout to compare with")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON")
    args = parser.parse_args(argv)
    if args.rounds < 1:
        raise UsageError(f"--rounds {args.rounds}: at least 1")
    if args.before and not (args.before / "scripts").is_dir():
        raise UsageError(f"--before {args.before}: no checkout of the kit")
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(args.before and args.before.resolve(), {*(args.only or GOALS)}, args.rounds, Path(folder))
    print(json.dumps(rows, indent=2) if args.json else shown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
