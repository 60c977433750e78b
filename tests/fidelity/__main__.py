"""Compare the policy evaluator with an independent one: random requests and policies, decided by both.

iam-simulate is the one that ours was corrected by. principalmapper is kept aside for the measurement: ours was not
tuned against it, and its cases are others. Each is installed into a folder of its own in build/, by npm or from PyPI.
Ends with 1 where the two differ in a way that no page of AWS settles, and prints the numbers of such cases.

examples:
  make fidelity
  make fidelity ARGS="--judge principalmapper"
  make fidelity ARGS="--cases 100000"
  make fidelity ARGS="--first 4711 --cases 1"
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from scripts.kit.console import UsageError, make_parser, run, say, table
from tests.fidelity.cases import REASONS, Case, make, ours
from tests.fidelity.judges import JUDGES, Judge

CASES, MOST = 20_000, 1_000_000
SHOWN = 20  # cases that differ
OF_EACH, SHORT = 2, 2_000  # kept cases of each kind, and the most characters of one
Found = list[tuple[int, Case, str]]  # number, case, and the other evaluator's answer


def numbered(judge: Judge, first: int, number: int) -> Iterator[tuple[int, Case]]:
    """So many cases that the other evaluator can decide."""
    while number:
        case = make(first)
        if judge.fits(case):
            yield first, case
            number -= 1
        first += 1


def decided(judge: Judge, first: int, number: int) -> Found:
    cases = list(numbered(judge, first, number))
    answers = judge.answers(case for _, case in cases)
    return [(n, case, answer) for (n, case), answer in zip(cases, answers, strict=True)]


def compare(judge: Judge, found: Found) -> tuple[Counter[str], list[str]]:
    """How many cases agree, differ in the kind of denial, are settled (by the name in pages) or open; the open ones."""
    counts: Counter[str] = Counter()
    open_ones = []
    for n, case, answer in found:
        decision = ours(case)
        if decision.allowed == (answer == "Allowed"):
            counts["agree" if answer in (REASONS[decision.reason], "Denied") else "denied"] += 1
        elif reason := judge.settled(case, answer):
            counts[reason] += 1
        else:
            counts["open"] += 1
            open_ones.append(f"{n}: {case.action} by a {case.kind}: ours {decision.reason}, the other {answer}")
    return counts, open_ones


def keep(judge: Judge, found: Found) -> None:
    """Some short cases of each kind, with the other evaluator's answers, for the tests."""
    kept: dict[tuple[str, str], list[str]] = {}
    for _, case, answer in found:
        decision = ours(case)
        agree = decision.allowed == (answer == "Allowed")
        kind = (decision.layer if agree else judge.settled(case, answer), decision.reason)
        same = kept.setdefault(kind, [])
        if len(case.as_json()) < SHORT and len(same) < OF_EACH:
            same.append(json.dumps({"other": answer, "case": json.loads(case.as_json())}))
    judge.sample.write_text("".join(f"{line}\n" for lines in kept.values() for line in lines), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("fidelity", __doc__)
    parser.prog = "python -m tests.fidelity"
    parser.add_argument("--judge", choices=JUDGES, default="iam-simulate", help="the other one (default: %(default)s)")
    parser.add_argument("--cases", type=int, default=CASES, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, help="number of the first one (default: 0, another for each judge)")
    parser.add_argument("--keep", action="store_true", help="write a sample of the cases to tests/fidelity")
    args = parser.parse_args(argv)
    judge = JUDGES[args.judge]
    first = judge.first if args.first is None else args.first
    if not 0 < args.cases <= MOST or first < 0:
        raise UsageError(f"--cases {args.cases}: write a number from 1 to {MOST}")
    judge.install()
    say(f"{args.cases:,} cases …")
    found = decided(judge, first, args.cases)
    counts, open_ones = compare(judge, found)
    if args.keep:
        keep(judge, found)
    words = {
        "agree": "both decide the same",
        "denied": "both refuse, one by an explicit deny",
        **judge.pages,
        "open": "open",
    }
    rows: list[list[str]] = [
        [f"{counts[name]:,}", f"{counts[name] / args.cases:.2%}", text] for name, text in words.items()
    ]
    print(table(["CASES", "", "RESULT"], rows))
    for line in open_ones[:SHOWN]:
        say(line)
    return 1 if open_ones else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
