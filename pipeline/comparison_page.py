"""The card's part about the candidate's answers beside the live version's, as HTML. Pure. See comparison.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.console import counted, one_line
from pipeline.tables import escape, moment, table

HEADING = "<h2>Answers beside the live version</h2>"
LEFT = {
    "new": "No answer of the live version, since the payload is new",
    "edited": "No answer of the live version to this request, which was edited since",
    "unanswered": "The live version gave no answer that can be compared",
}


def section(card: Mapping[str, Any]) -> str:
    """The comparison of card.gather; "" for a card without one."""
    found = card.get("comparison") or {}
    if not found:
        return ""
    if "why" in found:
        return f'{HEADING}<p class="quiet">Not compared: {escape(found["why"])}.</p>'
    live, new = found["live"], found["new"]
    agreed = f"{found['agree']:,} of {found['compared']:,}" if found["compared"] else "none compared"
    rows = [
        ("Equal answers", "–", agreed),
        *((label(number), milliseconds(live, number), milliseconds(new, number)) for number in percentiles(live, new)),
        ("Answers measured", f"{live['measured']:,}", f"{new['measured']:,}"),
        ("Without an answer", f"{live['errors']:,}", f"{new['errors']:,}"),
        ("On", found["on"]["live"], found["on"]["new"]),
    ]
    versions = table("Answers", ("Compared", f"Version {live['version']}, live", "New, in staging"), rows)
    said = f"As the tests of production recorded it on {moment(live['at'])}, in execution {live['execution']}."
    return f'{HEADING}{versions}<p class="quiet">{escape(said)}</p>{gate(card)}{others(found)}{left(found)}'


def percentiles(live: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted({*live["latency_ms"], *new["latency_ms"]}, key=int)


def label(number: str) -> str:
    return "Median latency" if number == "50" else f"{number} % within"


def milliseconds(side: Mapping[str, Any], number: str) -> str:
    value = side["latency_ms"].get(number)
    return "–" if value is None else f"{value:,g} ms"


def gate(card: Mapping[str, Any]) -> str:
    """What the gate on agreement asks for, and why it was not asked; "" without one."""
    gates = card.get("gates") or {}
    if gates.get("agreement") is None:
        return ""
    excuse = f"; it refuses nothing: {gates['excuse']}" if gates["excuse"] else ""
    text = f"The gate asks for equal answers on at least {gates['agreement']:g} of them{excuse}."
    return f"<p>{escape(text)}</p>"


def others(found: Mapping[str, Any]) -> str:
    """The payloads with another answer."""
    rows = [(one_line(one["name"]), f"{one['live']} → {one['new']}") for one in found["differ"]]
    more = found["compared"] - found["agree"] - len(rows)
    note = f'<p class="quiet">and {counted(more, "payload")} more</p>' if more > 0 else ""
    shown = table("Other answers", ("Payload", "Live → new"), rows, kind="fold")
    return f"<h3>Other answers</h3>{shown}{note}" if rows else ""


def left(found: Mapping[str, Any]) -> str:
    """The payloads that were not compared, with the reason."""
    lines = [(why, [one_line(name) for name in found["left"][key]]) for key, why in LEFT.items() if found["left"][key]]
    more = found["left_out"] - sum(len(names) for _, names in lines)
    items = [f"{why}: {', '.join(names)}" for why, names in lines]
    items += [f"and {counted(more, 'payload')} more that was not compared"] if more > 0 else []
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""
