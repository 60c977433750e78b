"""What an approver should look at first: safeguards that go, a version that is worse, tests that became weaker. Pure.

The card begins with it, and the text of the approval names the first three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.console import one_line, shorten
from pipeline.parameters import NUMBER

# Settings of a stage that protect something, in the order of their weight: the value that switches each off, and what
# an approver reads then.
SWITCHED_OFF = {
    "EnableNetworkIsolation": ("false", "network isolation is switched off: the container may open connections"),
    "VpcSubnetIds": ("", "the VPC is switched off"),
    "DataCaptureS3Uri": ("", "data capture is switched off"),
    "AdditionalAlarmName": ("", "the additional alarm is switched off"),
    "VolumeKmsKeyId": ("", "the volumes lose their own key"),
    "MaximumInstanceCount": ("0", "autoscaling is switched off"),
}
# Settings whose larger value lets an alarm pass over more, or whose smaller one watches less.
LOOSER = {
    "MaximumServerErrorsPerMinute": "the alarm on server errors passes over more",
    "MaximumClientErrorsPerMinute": "the alarm on client errors passes over more",
    "MaximumModelLatencyMicroseconds": "the alarm on latency passes over more",
}
SHORTER = {
    "BakeSeconds": "the alarms watch an update for a shorter time",
    "DataCapturePercentage": "fewer requests are captured",
}
LONGEST = 200  # characters of a line
TESTS = {"payloads": "golden payloads", "own_tests": "files of own tests"}  # fewer of these are weaker tests


def look_first(card: Mapping[str, Any]) -> list[str]:
    """What an approver reads first, the weightiest first; empty where nothing stands out. card: of card.gather"""
    prod = card["stages"]["prod"]
    found = (
        *safeguards(prod),
        *gates(card),
        *version(card, prod),
        *tests(card.get("checked") or {}),
    )
    return [shorten(line, LONGEST) for line in found]


def safeguards(stage: Mapping[str, Any]) -> Iterator[str]:
    """Safeguards of production that a deployment takes away or loosens; none of a stage that is not there yet."""
    changed = {one["name"]: (one["live"], one["new"]) for one in stage["settings"]} if stage["from"] else {}
    for name, (off, words) in SWITCHED_OFF.items():
        live, new = changed.get(name, (off, off))
        if new == off != live and live:
            yield f"{words} ({name} {live} → {new or 'none'})"
    for loosened, words, worse in (*of(LOOSER, float.__gt__), *of(SHORTER, float.__lt__)):
        live, new = changed.get(loosened, ("", ""))
        if NUMBER.fullmatch(live) and NUMBER.fullmatch(new) and worse(float(new), float(live)):
            yield f"{words} ({loosened} {live} → {new})"
    live, new = changed.get("TrafficRoutingType", ("", ""))
    if new == "ALL_AT_ONCE" and live:
        yield f"a new version takes all traffic at once (TrafficRoutingType {live} → {new})"


def of(words: Mapping[str, str], worse: Callable[[float, float], bool]) -> Iterator[tuple[str, str, Any]]:
    return ((name, text, worse) for name, text in words.items())


def gates(card: Mapping[str, Any]) -> Iterator[str]:
    """What the metric gates let through, and how they differ from those of what production has."""
    found = card.get("gates") or {}
    if reason := found.get("override"):
        refused = "; ".join(one["problem"] for one in found["metrics"] if one["problem"])
        yield f"the metric gates are overridden: {one_line(reason)} ({one_line(refused)})"
    now, before = found.get("rules") or {}, card.get("gates_before") or {}
    for name in sorted(before.keys() - now.keys()):
        yield f"the metric gate {one_line(name)} is taken away"
    for name in sorted(before.keys() & now.keys()):
        if weaker := looser(before[name], now[name]):
            yield f"the metric gate {one_line(name)} is loosened ({weaker})"


def looser(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How more passes a metric's gate than did; "" where no more does."""
    if before["goal"] != now["goal"]:
        return f"goal {before['goal']} → {now['goal']}"
    sign = 1 if now["goal"] == "minimize" else -1
    changes = []
    for key, factor in (("bound", sign), ("worse_by", 1)):
        was, new = before.get(key), now.get(key)
        if was is not None and (new is None or factor * new > factor * was):
            changes.append(f"{key} {was:g} → {'none' if new is None else f'{new:g}'}")
    return ", ".join(changes)


def version(card: Mapping[str, Any], prod: Mapping[str, Any]) -> Iterator[str]:
    """What stands out of the version itself."""
    if prod.get("replaced"):
        yield "its container or model was replaced since it was deployed under the same number"
    for metric in card["metrics"]:
        if metric.get("direction") == "worse":
            yield f"{one_line(metric['name'])} is worse than the live version's: {metric['live']:g} → {metric['new']:g}"
    if prod["from"] and int(prod["to"]) < int(prod["from"]):
        yield f"an earlier version comes back: {prod['from']} → {prod['to']}"
    if prod["left"]:
        yield f"endpoints are deleted: {len(prod['left']):,}"


def tests(checked: Mapping[str, Any]) -> Iterator[str]:
    """Tests that became fewer, or look less closely, than those of what was let through to production last."""
    now, before = checked.get("now"), checked.get("before")
    if not now or not before:
        return
    for key, words in TESTS.items():
        if now[key] < before[key]:
            yield f"fewer {words}: {before[key]} → {now[key]}"
    for name, value in now["loosest"].items():
        if value > before["loosest"][name]:
            yield f"the tests allow a wider {name.replace('_', ' ')}: {before['loosest'][name]:g} → {value:g}"
