"""What each role of the last rehearsal was granted and used, was granted and never used, and needed without a grant.

Reads what `make rehearse` left in its folder. Ends with 1 where a role that the templates make was refused
something, or is granted an action that nothing used and that has no written reason on its statement.

examples:
  make permissions
  python -m scripts.permissions --role MultiAccountBuildRole
  python -m scripts.permissions --json
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby

from awslang.bounded import read_file
from scripts.kit import arguments
from scripts.kit.console import UsageError, UserError, make_parser, run
from scripts.rehearsal.names import DEFAULT, POLICIES
from scripts.rehearsal.permissions import Denied, Granted, Holder, read_requests, refusals, report

WIDTH = 118
LARGEST = 100_000_000  # bytes of policies.json


def parser() -> argparse.ArgumentParser:
    made = make_parser("scripts.permissions", __doc__)
    made.add_argument(
        "--folder",
        type=arguments.path,
        default=DEFAULT,
        help="what the rehearsal wrote (default: build/rehearsal)",
    )
    made.add_argument(
        "--role", type=arguments.word, metavar="NAME", help="only roles and policies whose name ends with NAME"
    )
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    return made


def paragraph(head: str, text: str) -> str:
    indent = " " * len(head)
    return textwrap.fill(
        text, WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def by_statement(granted: Iterable[Granted]) -> list[tuple[Granted, list[Granted]]]:
    """The actions of each statement with the same reason, the first of them in front."""
    groups = groupby(granted, key=lambda one: (one.policy, one.statement, one.reason))
    return [(same[0], same) for same in (list(found) for _, found in groups)]


def head(mark: str, statement: str) -> str:
    return f"  {mark:<7} {statement:<30} "


def lines_of(holder: Holder) -> list[str]:
    kind = "role" if holder.kind == "role" else "managed policy"
    lines = [f"{kind} {holder.name}, account {holder.account} ({holder.logical_id})"]
    for first, same in by_statement(holder.used):
        lines.append(paragraph(head("used", first.statement), ", ".join(f"{g.action} ({g.used})" for g in same)))
    for first, same in by_statement(holder.unused):
        actions = ", ".join(g.action for g in same)
        if first.reason is None:
            lines.append(paragraph(head("UNUSED", first.statement), f"{actions}: no reason is written"))
        else:
            text = f"{actions}: {first.reason.kind.lower()}: {first.reason.text}"
            lines.append(paragraph(head("unused", first.statement), text))
    lines += [denial(one) for one in holder.denied]
    return lines


def denial(one: Denied) -> str:
    return paragraph(head("DENIED", one.action), f"on {one.resource} ({one.times}). {one.missing}")


def verdict(holders: Sequence[Holder]) -> str:
    """What is wrong, in one line; "" when nothing is."""
    unreasoned = sum(len(holder.unreasoned) for holder in holders)
    denied = len({(one.who, one.action, one.resource) for holder in holders for one in holder.denied})
    wrong = [f"{denied} permissions are missing"] if denied else []
    wrong += [f"{unreasoned} are granted and unused, without a reason"] if unreasoned else []
    return ", ".join(wrong)


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        policies = json.loads(read_file(args.folder / POLICIES, LARGEST))
        requests = read_requests(args.folder / "requests.jsonl")
        holders = report(policies, requests)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing. Run `make rehearse` first") from error
    except OSError as error:
        raise UsageError(f"--folder {args.folder}: {error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"--folder {args.folder}: {POLICIES} or requests.jsonl is not what a rehearsal wrote. Run `make rehearse` "
            "again"
        ) from error
    if args.role:
        every = ", ".join(sorted({holder.name for holder in holders}))
        holders = [holder for holder in holders if holder.name.endswith(args.role)]
        if not holders:
            raise UsageError(f"no role or policy is named {args.role}. There are: {every}")
    carriers = {arn for holder in holders for arn in holder.carriers}
    others = [] if args.role else [one for one in refusals(requests) if one.who not in carriers]
    wrong = verdict(holders)
    if args.json:
        print(
            json.dumps(
                {"holders": [asdict(h) for h in holders], "others_denied": [asdict(d) for d in others]}, indent=2
            )
        )
    else:
        for holder in holders:
            print("\n".join(lines_of(holder)) + "\n")
        for one in others:
            print(f"{one.who}\n{denial(one)}\n")
        reasoned = sum(len(holder.unused) - len(holder.unreasoned) for holder in holders)
        used = sum(len(holder.used) for holder in holders)
        beside = f"; {len(others)} refused to others" if others else ""
        print(f"{used} permissions used, {reasoned} unused with a reason; {wrong or 'nothing else is granted'}{beside}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run(main))
