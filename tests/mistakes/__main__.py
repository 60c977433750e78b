"""Make mistakes and show what the rehearsal says of them; or write docs/generated/mistakes.md.

examples:
  python -m tests.mistakes 12-pass-role-dropped 20-external-id-mismatch
  python -m tests.mistakes 30-
  python -m tests.mistakes --write
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mistakes import Mistake, document, lint, load
from tests.mistakes.checks import CHECKS, judged
from tests.mistakes.judged import JUDGES
from tests.mistakes.judged import judged as judged_alone
from tests.mistakes.world import prepared


def show(mistake: Mistake, message: str, seconds: float) -> bool:
    """Print what is said of a mistake; whether it is what the table says."""
    unsaid = mistake.unsaid(message)
    verdict = "not found" if not message else f"does not say {unsaid}" if unsaid else "found"
    print(f"=== {mistake.id} ({mistake.by}, {seconds:.1f} s): {verdict}\n{message}", flush=True)
    return bool(message) and not unsaid


def make(mistakes: Sequence[Mistake], folder: Path) -> bool:
    """Make the mistakes one after the other; whether each is found as the table says."""
    right = []
    linted = [mistake for mistake in mistakes if mistake.by == "cfn-lint"]
    if linted:
        start = time.monotonic()
        found = lint.findings(linted, folder / "lint")
        seconds = (time.monotonic() - start) / len(linted)
        right += [show(mistake, found.get(mistake.id, ""), seconds) for mistake in linted]
    right += [show(mistake, judged(mistake), 0) for mistake in mistakes if mistake.by == "judges"]
    for mistake in (one for one in mistakes if one.by in JUDGES):
        start = time.monotonic()
        right.append(show(mistake, judged_alone(mistake), time.monotonic() - start))
    played = [mistake for mistake in mistakes if mistake.by in CHECKS]
    if played:
        with prepared(folder) as world:
            for mistake in played:
                start = time.monotonic()
                message = CHECKS[mistake.by](world, mistake)
                right.append(show(mistake, message, time.monotonic() - start))
    return all(right)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mistakes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ids", nargs="*", help="ids of mistakes, or how they begin (default: all)")
    parser.add_argument("--write", action="store_true", help="write docs/generated/mistakes.md, and make no mistake")
    args = parser.parse_args(argv)
    if args.write:
        document.write(load())
        return 0
    chosen = [mistake for mistake in load() if not args.ids or mistake.id.startswith(tuple(args.ids))]
    if not chosen:
        parser.error(f"no mistake begins with {', '.join(args.ids)}")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if make(chosen, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
