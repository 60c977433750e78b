"""Compare the policy evaluator with an independent one: random requests and policies, decided by both.

The other one is @cloud-copilot/iam-simulate, which npm installs into build/fidelity. Ends with 1 where the two differ
in a way that no page of AWS settles, and prints the numbers of such cases.

examples:
  make fidelity
  make fidelity ARGS="--cases 100000"
  make fidelity ARGS="--first 4711 --cases 1"
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.kit.console import UsageError, UserError, make_parser, run, say, table
from tests.fidelity.cases import REASONS, make, ours
from tests.fidelity.settled import PAGES, settled

CASES, MOST = 20_000, 1_000_000
OTHER = Path(__file__).parent / "other"
FOLDER = Path("build/fidelity")
SHOWN = 20  # cases that differ
SAMPLE = Path(__file__).parent / "sample.jsonl"
OF_EACH, SHORT = 2, 2_000  # kept cases of each kind, and the most characters of one


def install() -> None:
    """The other evaluator, in a folder of its own; nothing where it is there already."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in OTHER.iterdir():
        shutil.copy(file, FOLDER)
    lock, installed = OTHER / "package-lock.json", FOLDER / "node_modules" / "installed.json"
    if installed.exists() and installed.read_text() == lock.read_text():
        return
    if shutil.which("npm") is None:
        raise UserError("npm is not installed: the other evaluator runs on Node.js 18 or newer")
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER, check=True)
    shutil.copy(lock, installed)


def answers(first: int, number: int) -> list[str]:
    """What the other evaluator says of each case: Allowed, ExplicitlyDenied or ImplicitlyDenied."""
    file = FOLDER / "cases.jsonl"
    file.write_text("".join(f"{make(n).as_json()}\n" for n in range(first, first + number)), encoding="utf-8")
    done = subprocess.run(["node", "decide.mjs", file.name], cwd=FOLDER, check=True, stdout=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for n, answer in enumerate(found, first):
        if "error" in answer or answer["ignored"]:
            raise UserError(f"case {n} is none for the other evaluator: {json.dumps(answer)[:500]}")
    return [answer["result"] for answer in found]


def compare(first: int, found: list[str]) -> tuple[Counter[str], list[str]]:
    """How many cases agree, differ in the kind of denial, are settled (by the name in PAGES) or open; the open ones."""
    counts: Counter[str] = Counter()
    open_ones = []
    for n, answer in enumerate(found, first):
        case = make(n)
        decision = ours(case)
        if decision.allowed == (answer == "Allowed"):
            counts["agree" if REASONS[decision.reason] == answer else "denied"] += 1
        elif reason := settled(case, answer):
            counts[reason] += 1
        else:
            counts["open"] += 1
            open_ones.append(f"{n}: {case.action} by a {case.kind}: ours {decision.reason}, the other {answer}")
    return counts, open_ones


def keep(first: int, found: list[str]) -> None:
    """Some short cases of each kind, with the other evaluator's answers, for the tests."""
    kept: dict[tuple[str, str], list[str]] = {}
    for n, answer in enumerate(found, first):
        case = make(n)
        decision = ours(case)
        agree = decision.allowed == (answer == "Allowed")
        kind = (decision.layer if agree else settled(case, answer), decision.reason)
        same = kept.setdefault(kind, [])
        if len(case.as_json()) < SHORT and len(same) < OF_EACH:
            same.append(json.dumps({"other": answer, "case": json.loads(case.as_json())}))
    SAMPLE.write_text("".join(f"{line}\n" for lines in kept.values() for line in lines), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("fidelity", __doc__)
    parser.prog = "python -m tests.fidelity"
    parser.add_argument("--cases", type=int, default=CASES, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default: %(default)s)")
    parser.add_argument(
        "--keep", action="store_true", help=f"write a sample of the cases to tests/fidelity/{SAMPLE.name}"
    )
    args = parser.parse_args(argv)
    if not 0 < args.cases <= MOST or args.first < 0:
        raise UsageError(f"--cases {args.cases}: write a number from 1 to {MOST}")
    install()
    say(f"{args.cases:,} cases …")
    found = answers(args.first, args.cases)
    counts, open_ones = compare(args.first, found)
    if args.keep:
        keep(args.first, found)
    words = {"agree": "both decide the same", "denied": "both refuse, one by an explicit deny", **PAGES, "open": "open"}
    rows: list[list[str]] = [
        [f"{counts[name]:,}", f"{counts[name] / args.cases:.2%}", text] for name, text in words.items()
    ]
    print(table(["CASES", "", "RESULT"], rows))
    for line in open_ones[:SHOWN]:
        say(line)
    return 1 if open_ones else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
