"""What was found, in words, as data, and as the table in docs/generated/checks.md.

python -m scripts.kit.doctor.report writes that table anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.console import paint
from scripts.kit.doctor.findings import CHECKS, SEVERITIES, Finding
from scripts.kit.doctor.reader import NotExamined
from scripts.kit.doctor.snapshot import SUBJECTS

PAGE = pack.ROOT / "docs/generated/checks.md"
COLOURS = {"stops": "31", "warns": "33", "note": "36"}


def lines(findings: Sequence[Finding], left_out: Iterable[NotExamined]) -> list[str]:
    """The report, line by line."""
    told: list[str] = []
    for found in findings:
        place = found.place
        where = " ".join(part for part in (place.account, place.region, place.resource) if part)
        told.append(f"{paint(f'{found.check.severity:<6}', COLOURS[found.check.severity])} {found.check.id}  {where}")
        told.append(f"       {found.check.title}: {place.what}.")
        told.append(f"       {found.check.why}")
        first, *rest = found.fix.splitlines()
        told.append(f"       {'mended by --fix' if place.request else 'to do'}: {first}")
        told += [f"         {line}" for line in rest]
    left_out = list(left_out)
    for note in left_out:
        told.append(f"not examined: {note.what} ({note.account}): needs {note.needs}. Who has that: {note.who}")
    told.append(total(findings, len(left_out)))
    return told


def total(findings: Sequence[Finding], left_out: int = 0) -> str:
    count = {severity: sum(f.check.severity == severity for f in findings) for severity in SEVERITIES}
    if not findings:
        seen = f" in what was examined; not examined: {left_out}, named above" if left_out else ""
        return f"{len(CHECKS)} checks, nothing found{seen}"
    safe = sum(f.place.request is not None for f in findings)
    told = ", ".join(
        f"{number} {one if number == 1 else many}"
        for number, one, many in (
            (count["stops"], "stops a deployment", "stop a deployment"),
            (count["warns"], "warning", "warnings"),
            (count["note"], "note", "notes"),
        )
    )
    return f"{told}; {safe} can be mended by --fix" if safe else told


def as_data(findings: Sequence[Finding], left_out: Iterable[NotExamined]) -> dict[str, Any]:
    return {
        "findings": [found.as_data() for found in findings],
        "not_examined": [note.as_data() for note in left_out],
        "stops": any(found.check.severity == "stops" for found in findings),
    }


def table() -> str:
    """Every finding, as docs/generated/checks.md has it."""
    rows = ["| finding | severity | what is wrong | why it matters | `--fix` |", "|---|---|---|---|---|"]
    order = [module.__name__.rsplit(".", 1)[-1] for module in SUBJECTS]
    for check in sorted(CHECKS.values(), key=lambda check: order.index(check.subject)):
        mends = "mends it" if check.safe else ""
        rows.append(f"| `{check.id}` | {check.severity} | {check.title} | {check.why} | {mends} |")
    return "\n".join(rows) + "\n"


def write_page() -> None:
    """Put the table of today's checks into docs/generated/checks.md."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(r"\| finding \|.*\n(\|.*\n)+", lambda _: table(), text), encoding="utf-8")


if __name__ == "__main__":
    write_page()
