"""Feed the kit inputs at random: environment files, settings, payloads, buildspecs, templates, command lines.

The properties are those of `make test`, with other inputs each time. Ends with 1 where an input ended in a traceback or
a hang, and prints the input.

examples:
  make fuzz
  make fuzz ARGS="--inputs 20000"
  make fuzz ARGS="--minutes 10 --kind template"
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence

from scripts.kit.console import UsageError, make_parser, run, say, table
from tests.properties.every import KINDS
from tests.properties.runs import Counts
from tests.properties.runs import run as run_kind

INPUTS, MOST = 2_000, 10_000_000
SHOWN = 10  # places that failed, of a kind


def show(name: str, counts: Counts) -> None:
    """The first input that failed at each place of the code."""
    places: dict[str, str] = {}
    for given, error in counts.failures:
        frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)[-4:]))
        places.setdefault(frames, f"\n{name}: {given!r:.1000}\n{frames}{type(error).__name__}: {error!s:.300}")
    for text in list(places.values())[:SHOWN]:
        say(text)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("fuzz", __doc__)
    parser.prog = "python -m tests.properties.fuzz"
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of each kind (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="for all kinds together, instead of a number of inputs")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind; repeatable")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    args = parser.parse_args(argv)
    if not 0 < args.inputs <= MOST:
        raise UsageError(f"--inputs {args.inputs}: write a number from 1 to {MOST}")
    if args.minutes is not None and not 0 < args.minutes <= 24 * 60:
        raise UsageError(f"--minutes {args.minutes:g}: write a number above 0, up to {24 * 60}")
    names = args.kind or list(KINDS)
    seconds = args.minutes * 60 / len(names) if args.minutes else float("inf")
    found = {}
    for name in names:
        say(f"{name} …")
        found[name] = run_kind(
            KINDS[name], MOST if args.minutes else args.inputs, fixed=False, seconds=seconds, keep_on=True
        )
        show(name, found[name])
    figures = {
        name: {
            "inputs": one.inputs,
            "tracebacks": one.tracebacks,
            "hangs": one.hangs,
            "slowest_seconds": round(one.slowest, 3),
            "memory_mb": round(one.memory / 1e6),
        }
        for name, one in found.items()
    }
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        rows = [[name, *(f"{value:,}" for value in one.values())] for name, one in figures.items()]
        rows.append(
            [
                "together",
                *(f"{sum(one[key] for one in figures.values()):,}" for key in ("inputs", "tracebacks", "hangs")),
            ]
        )
        print(
            table(
                ["KIND", "INPUTS", "TRACEBACKS", "HANGS", "SLOWEST (s)", "MEMORY (MB MORE)"],
                [[*row, "", ""][:6] for row in rows],
            )
        )
    return 1 if any(one.failures for one in found.values()) else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
