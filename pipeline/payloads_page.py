"""The card's part about golden payloads and own tests, as HTML. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.console import counted
from pipeline.documents import differences
from pipeline.tables import table


def section(card: Mapping[str, Any]) -> str:
    """What the golden payloads and own tests are, and how they changed; "" for a manifest that does not say."""
    rows = rows_of(card.get("checked") or {}, bool(card.get("production_alone")))
    return f"<h3>Tests</h3>{table('Tests', (), rows)}" if rows else ""


def rows_of(checked: Mapping[str, Any], alone: bool) -> list[tuple[str, str]]:
    """The golden payloads and own tests, and how they differ from those of what was approved last.

    alone: without staging, so that production is asked first
    """
    now, before = checked.get("now"), checked.get("before")
    if not now:
        return []
    own = f"{counted(now['own_tests'], 'file')} of own tests" if now["own_tests"] else "no own tests"
    text = f"{counted(now['payloads'], 'golden payload')}, {own}"
    label = "Tested with"
    if alone:
        label, text = "Production is asked", f"{counted(now['payloads'], 'golden payload')}, once it is deployed"
    if not before:
        return [(label, text)]
    changed = [
        f"{words} {was:g} → {new:g}"
        for words, was, new in (
            ("payloads", before["payloads"], now["payloads"]),
            *((name.replace("_", " "), before["loosest"][name], value) for name, value in now["loosest"].items()),
            ("without an expected answer", before["without_expected"], now["without_expected"]),
            ("files of own tests", before["own_tests"], now["own_tests"]),
        )
        if was != new
    ]
    if now.get("own_tests_sha256") != before.get("own_tests_sha256", now.get("own_tests_sha256")):
        changed.append("own tests edited")
    if now.get("latency") != before.get("latency", now.get("latency")):
        changed.append("another rule for the latency on the whole")
    changed += edited(now.get("each") or {}, before.get("each") or {})
    if now["sha256"] == before["sha256"] and not changed:
        return [(label, f"{text}; the same payloads as what was approved last")]
    return [(label, f"{text}; other than what was approved last: {'; '.join(changed) or 'edited payloads'}")]


def edited(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """The golden payloads that were added, taken out or edited, by name; none where either side has too many."""
    if not now or not before:
        return []
    words = {"added": "added", "removed": "taken out", "changed": "edited"}
    return [f"{words[kind]}: {', '.join(names)}" for kind, names in differences(before, now).items() if names]
