"""What an approver should look at first: safeguards that go, a version that is worse, tests that became weaker. Pure.

The card begins with it, the weightiest first, and the text of the approval names three. What a version, a commit or a
person says is cut and quoted, so that it cannot be taken for the kit's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline import shadow_page
from pipeline.combinations import UNGUARDED
from pipeline.console import one_word, shorten
from pipeline.documents import differences
from pipeline.metric_gates import plain
from pipeline.settings import STAGES

# Settings of production that protect something, in the order of their weight: the value that switches each off, and
# what an approver reads then; and when it is exchanged for another.
SWITCHED_OFF = {
    "EnableNetworkIsolation": ("false", "network isolation is switched off: the container may open connections", ""),
    "VpcSubnetIds": ("", "the VPC is switched off", "the subnets are others"),
    "DataCaptureS3Uri": ("", "data capture is switched off", "captured data go elsewhere"),
    "MonitorHours": ("0", "the monitor of data quality is switched off", ""),
    "MonitorQualityHours": ("0", "the monitor of model quality is switched off", ""),
    "MonitorQualityMetric": (
        "none",
        "no metric of model quality is watched",
        "another metric of model quality is watched",
    ),
    "AdditionalAlarmName": ("", "the additional alarm is switched off", "the additional alarm is another one"),
    "DataKmsKeyId": ("", "captured data and answers lose their own key", "the key of captured data is another one"),
    "VolumeKmsKeyId": ("", "the volumes lose their own key", "the key of the volumes is another one"),
    "MaximumInstanceCount": ("0", "autoscaling is switched off", ""),
    "VpcSecurityGroupIds": ("", "the security groups are taken away", "the security groups are others"),
}
# Settings of which a larger value, or a smaller one, protects less.
LARGER = {
    "MaximumServerErrorsPerMinute": "the alarm on server errors passes over more",
    "MaximumClientErrorsPerMinute": "the alarm on client errors passes over more",
    "MaximumModelLatencyMicroseconds": "the alarm on latency passes over more",
    "TrafficStepPercentage": "more of the traffic moves at first",
    "MonitorHours": "the monitor looks less often",
    "MonitorQualityHours": "the monitor of model quality looks less often",
    "MaximumDrift": "the alarm on drift passes over more",
    "FailureTolerancePercentage": "a deployment goes on with more accounts that failed",
}
SMALLER = {
    "BakeSeconds": "the alarms watch an update for a shorter time",
    "DataCapturePercentage": "fewer requests are captured",
}
NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?")
LONGEST, QUOTED = 200, 60  # characters of a line; of a person's own words in it
NAMED = 3  # payloads that a line names
TESTS = {"payloads": "golden payloads", "own_tests": "files of own tests"}  # fewer of these are weaker tests


def look_first(card: Mapping[str, Any]) -> list[str]:
    """What an approver reads first, the weightiest first; empty where nothing stands out. card: of card.gather"""
    prod = card["stages"]["prod"]
    # A first deployment takes nothing away.
    changed = {one["name"]: (one["live"], one["new"]) for one in prod["settings"]} if prod["from"] else {}
    found = (
        *untested(card),
        *shadow_page.stale(card),
        *shadow_page.doubts(card),
        *switched_off(changed),
        *gates(card),
        *agreement(card),
        *shadow_page.attention(card),
        *version(card, prod),
        *tests(card.get("checked") or {}),
        *loosened(changed),
    )
    return [shorten(line, LONGEST) for line in found]


Changed = Mapping[str, tuple[str, str]]  # by the name of a setting: what it is, and what it will be


def switched_off(changed: Changed) -> Iterator[str]:
    """Safeguards that a deployment takes away, and then those that it exchanges for others."""
    for exchanged in (False, True):
        for name, (off, words, others) in SWITCHED_OFF.items():
            live, new = changed.get(name, (off, off))
            if live in (off, ""):
                continue  # it was not there
            if new == off and not exchanged:
                yield f"{words} ({name} {live} → {new or 'none'})"
            if new != off and exchanged and others:
                yield f"{others} ({name} {live} → {new})"


def untested(card: Mapping[str, Any]) -> Iterator[str]:
    """Stages between staging and production of which the record does not say that this deployment passed them."""
    for name, stage in card.get("between", {}).items():
        if not stage["passed"]:
            yield f"{STAGES.get(name, name)}: the record has no tests of this deployment that passed"


def loosened(changed: Changed) -> Iterator[str]:
    """Settings that protect less than they did."""
    for name, words in {**LARGER, **SMALLER}.items():
        live, new = changed.get(name, ("", ""))
        if name in ("MonitorHours", "MonitorQualityHours") and "0" in (live, new):
            continue  # it is switched on, or off
        if NUMBER.fullmatch(live) and NUMBER.fullmatch(new) and (float(new) > float(live)) is (name in LARGER):
            yield f"{words} ({name} {live} → {new})"
    live, new = changed.get("InstanceType", ("", ""))
    if new.startswith(UNGUARDED) and not live.startswith(UNGUARDED):
        yield f"updates move at once, and no alarm takes one back (InstanceType {live} → {new})"
    live, new = changed.get("MonitorQualityBound", ("", ""))
    if live and new:  # which side of it is worse, the metric says
        yield f"the bound of the model quality is another one (MonitorQualityBound {live} → {new})"
    live, new = changed.get("TrafficRoutingType", ("", ""))
    if new == "ALL_AT_ONCE" and live:
        yield f"a new version takes all traffic at once (TrafficRoutingType {live} → {new})"


def gates(card: Mapping[str, Any]) -> Iterator[str]:
    """What the metric gates let through, and how they differ from those of what was approved last."""
    found = card.get("gates") or {}
    refused = [metric for metric in card["metrics"] if metric.get("problem")]
    names = ", ".join(f"{word(one['name'])} {figure(one['new'])}" for one in refused)
    if found.get("override"):
        yield f'it does not pass the metric gates: {names}; let through because "{shorten(found["override"], QUOTED)}"'
    elif refused:
        yield f"it does not pass the metric gates by what is live now: {names}"
    now, before = found.get("rules") or {}, card.get("gates_before") or {}
    for name in sorted(before.keys() - now.keys()):
        yield f"the metric gate {word(name)} is taken away"
    for name in sorted(before.keys() & now.keys()):
        if weaker := looser(before[name], now[name]):
            yield f"the metric gate {word(name)} is loosened ({weaker})"


def agreement(card: Mapping[str, Any]) -> Iterator[str]:
    """Answers that are not the live version's, and how the gate on them differs from what was approved last."""
    found, gates = card.get("comparison") or {}, card.get("gates") or {}
    if "live" in found and (differing := found["compared"] - found["agree"]):
        names = ", ".join(word(one["name"]) for one in found["differ"][:NAMED])
        excuse = gates.get("excuse") if found["agree"] / found["compared"] < gates.get("agreement", 0) else ""
        more = f'; let through because "{shorten(excuse, QUOTED)}"' if excuse else ""
        yield f"other answers than the live version on {differing:,} of {found['compared']:,} payloads: {names}{more}"
    before, now = card.get("agreement_before"), gates.get("agreement")
    if before is not None and now is None:
        yield "the gate on agreement with the live version is taken away"
    elif before is not None and now is not None and now < before:
        yield f"the gate on agreement with the live version is loosened ({plain(before)} → {plain(now)})"


def looser(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How more passes a metric's gate than did; "" where no more does."""
    if before["goal"] != now["goal"]:
        return f"goal {before['goal']} → {now['goal']}"
    sign = 1 if now["goal"] == "minimize" else -1
    changes = []
    for key, factor in (("bound", sign), ("worse_by", 1)):
        was, new = before.get(key), now.get(key)
        if was is not None and (new is None or factor * new > factor * was):
            changes.append(f"{key} {plain(was)} → {figure(new)}")
    return ", ".join(changes)


def version(card: Mapping[str, Any], prod: Mapping[str, Any]) -> Iterator[str]:
    """What stands out of the version itself."""
    if prod.get("replaced"):
        yield "its container or model was replaced since it was deployed under the same number"
    for metric in card["metrics"]:
        if metric.get("direction") == "worse":
            yield f"{word(metric['name'])} is worse: {plain(metric['live'])} → {plain(metric['new'])}"
    if earlier(prod["from"], prod["to"]):
        yield f"an earlier version comes back: {prod['from']} → {prod['to']}"
    if prod["left"]:
        yield f"endpoints are deleted: {len(prod['left']):,}"


def earlier(live: str, new: str) -> bool:
    """Whether a version has a smaller number than the one that is live; a stack may name one that has none."""
    return all(re.fullmatch("[0-9]{1,9}", one) for one in (live, new)) and int(new) < int(live)


def tests(checked: Mapping[str, Any]) -> Iterator[str]:
    """Tests that became fewer, look less closely or were edited, beside those of what was approved last."""
    now, before = checked.get("now"), checked.get("before")
    if not now or not before:
        return
    for key, words in TESTS.items():
        if now[key] < before[key]:
            yield f"fewer {words}: {before[key]} → {now[key]}"
    for name, value in now["loosest"].items():
        if value > before["loosest"][name]:
            yield f"the tests allow a wider {name.replace('_', ' ')}: {plain(before['loosest'][name])} → {plain(value)}"
    if now["without_expected"] > before["without_expected"]:
        yield f"golden payloads without an expected answer: {before['without_expected']} → {now['without_expected']}"
    was, is_now = before.get("each") or {}, now.get("each") or {}
    if was and (edited := differences(was, is_now)["changed"]):
        yield f"golden payloads are edited: {', '.join(map(word, edited))}"
    if "own_tests_sha256" in before and before["own_tests_sha256"] != now["own_tests_sha256"]:
        yield "own tests are edited"
    if "latency" in before and before["latency"] != now["latency"]:
        yield "the rule for the latency on the whole is another one"


def word(name: str) -> str:
    """A name that data scientists choose, cut and as one word: no sentence looks like it."""
    return one_word(shorten(name, QUOTED))


def figure(value: float | None) -> str:
    return "none" if value is None else plain(value)
