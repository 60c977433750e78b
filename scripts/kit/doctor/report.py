"""The findings in words, as data, and as the table in docs/generated/checks.md.

python -m scripts.kit.doctor.report writes that table again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.console import counted, paint
from scripts.kit.doctor.checks.every import CHECKS
from scripts.kit.doctor.checks.expected import Expected
from scripts.kit.doctor.findings import SEVERITIES, Finding
from scripts.kit.doctor.following import Group, grouped, roots
from scripts.kit.doctor.reader import NotChecked

PAGE = pack.ROOT / "docs/generated/checks.md"
COLOURS = {"error": "31", "warning": "33", "note": "36"}


def lines(findings: Sequence[Finding], left_out: Iterable[NotChecked], expected: Iterable[Expected] = ()) -> list[str]:
    """The report, line by line. expected: the principals that could get past the approver as they should"""
    notes = [
        f"not checked: {note.what} ({note.account}): needs {note.needs}. Available to: {note.who}" for note in left_out
    ]
    could = [f"expected: {one.principal} ({one.where}; {one.why}) could {', '.join(one.could)}" for one in expected]
    shown = [line for group in grouped(findings) for line in of(group)]
    return [*shown, *could, *notes, total(findings, len(notes))]


def where(found: Finding) -> str:
    place = found.place
    return " ".join(part for part in (place.account, place.region, place.resource) if part)


def of(group: Group) -> Iterator[str]:
    """The lines of one finding, and a line for each that follows from it."""
    found = group.first
    yield f"{paint(f'{found.check.severity:<7}', COLOURS[found.check.severity])} {found.check.id}  {where(found)}"
    yield f"        {found.check.title}: {found.place.what}."
    yield f"        {found.check.why}"
    first, *rest = found.fix.splitlines()
    yield f"        {'fixed by --fix' if found.place.request else 'to do'}: {first}"
    yield from (f"          {line}" for line in rest)
    for one in group.beneath:
        yield f"        follows: {one.check.id}  {where(one)}: {one.place.what}"


def total(findings: Sequence[Finding], left_out: int = 0) -> str:
    if not findings:
        gaps = f" in what was checked; not checked: {left_out}, named above" if left_out else ""
        return f"{len(CHECKS)} checks, nothing found{gaps}"
    causes = [*roots(grouped(findings))]
    numbers = [sum(found.check.severity == severity for found in causes) for severity in SEVERITIES]
    counts = ", ".join(
        f"{number} {severity}{'s' * (number != 1)}" for severity, number in zip(SEVERITIES, numbers, strict=True)
    )
    if beneath := len(findings) - len(causes):
        counts += f"; {counted(beneath, 'more follows', 'more follow')} from these"
    safe = sum(found.place.request is not None for found in findings)
    return f"{counts}; --fix can fix {safe}" if safe else counts


def as_data(
    findings: Sequence[Finding], left_out: Iterable[NotChecked], expected: Iterable[Expected] = ()
) -> dict[str, Any]:
    causes = {id(one): group.first for group in grouped(findings) for one in group.beneath}
    return {
        "findings": [with_cause(found, causes.get(id(found))) for found in findings],
        "expected": [one.as_data() for one in expected],
        "not_checked": [note.as_data() for note in left_out],
        "errors": sum(found.check.severity == "error" for found in findings),
    }


def with_cause(found: Finding, cause: Finding | None) -> dict[str, Any]:
    """A finding with the one that it follows from: whose fix is the one to do, unless --fix sends its own."""
    if not cause:
        return found.as_data() | {"follows": ""}
    fix = found.fix if found.place.request else cause.fix
    return found.as_data() | {"follows": f"{cause.check.id} {cause.place.resource}", "fix": fix}


def table() -> str:
    """Every check, as docs/generated/checks.md has it."""
    rows = ["| finding | severity | what is wrong | why it matters | `--fix` |", "|---|---|---|---|---|"]
    for check in CHECKS.values():
        fixes = "fixes it" if check.safe else ""
        rows.append(f"| `{check.id}` | {check.severity} | {check.title} | {check.why} | {fixes} |")
    return "\n".join(rows) + "\n"


def write_page() -> None:
    """Put the table of today's checks into docs/generated/checks.md."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(r"\| finding \|.*\n(\|.*\n)+", lambda _: table(), text), encoding="utf-8")


if __name__ == "__main__":
    write_page()
