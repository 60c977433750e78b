"""What the card, its first lines and the approval's text say of a candidate in production's shadow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.console import counted, one_line
from pipeline.tables import escape, moment, table, who

HEADING = "<h2>In production's shadow</h2>"
NAMED = 20  # endpoints that the card names
OPEN = "Production's own container is not isolated (EnableNetworkIsolation): it could have written over these answers."
ALLOWED = "MaximumModelLatencyMicroseconds"  # of production's stack


def asked_of(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The endpoints that could be asked. found: of the record"""
    return [one for one in found.get("places", []) if "problem" not in one]


def totals(found: Mapping[str, Any]) -> dict[str, int]:
    """Over all endpoints: compared and agreeing answers, requests and errors of the candidate, endpoints unasked."""
    asked = asked_of(found)
    return {
        "compared": sum(one["compared"] for one in asked),
        "agree": sum(one["agree"] for one in asked),
        "requests": sum(one["new"]["requests"] for one in asked),
        "errors": sum(one["new"]["errors"] for one in asked),
        "unasked": len(found["places"]) - len(asked),
    }


def result(found: Mapping[str, Any]) -> str:
    """How it went, in words. found: of the record"""
    total = totals(found)
    if not total["requests"]:
        text = "production got no request"
    else:
        of = counted(total["compared"], "compared answer")
        beside = f"those of version {number(found)}"
        agreed = f"{total['agree']:,} of {of} equal to {beside}" if total["compared"] else "no answer compared"
        text = f"{agreed}, {total['errors']:,} of {counted(total['requests'], 'request')} failed"
    return text + (f", {counted(total['unasked'], 'endpoint')} not read" if total["unasked"] else "")


def number(found: Mapping[str, Any]) -> str:
    """The version that was live beside the shadow."""
    return str(found["live"]).rpartition("/")[2]


def stale(card: Mapping[str, Any]) -> Iterator[str]:
    """What an approver reads before all else of it: that its answers were compared with those of another version."""
    found = card.get("shadow") or {}
    if "places" in found and found["live"] != card["production"]["parameters"].get("ModelPackageName"):
        yield f"the shadow ran beside version {number(found)}, which is not live any more"


def contradiction(one: Mapping[str, Any]) -> str:
    """How what was counted at an endpoint cannot be; "" where it can. one: of the record's places

    CloudWatch counts every request, and a shadow gets copies alone. What else a role may write, into the folders of
    captured data or as numbers of the endpoint, would show here.
    """
    live, new, captured = one["live"], one["new"], one.get("captured", {})
    for name, side in (("the live version", live), ("the shadow", new)):
        if side["requests"] < 0 or side["errors"] < 0:
            return f"fewer than no requests to {name} were counted"
    for key, name, side in (("live", "the live version", live), ("new", "the shadow", new)):
        if captured.get(key, 0) > side["requests"]:
            asked = counted(side["requests"], "request")
            return f"{counted(captured[key], 'answer')} of {name} captured, {asked} counted"
    if new["requests"] > live["requests"]:
        return f"{counted(new['requests'], 'request')} to the shadow counted, {live['requests']:,} to the live version"
    return ""


def doubts(card: Mapping[str, Any]) -> Iterator[str]:
    """Why what the card says of the shadow may be wrong."""
    found = card.get("shadow") or {}
    asked = asked_of(found)
    for one in asked:
        if text := contradiction(one):
            yield f"what the shadow answered may be forged: {text} ({one['account']}, {one['region']})"
            break
    if left := sum(one.get("left_out", 0) for one in asked):
        yield f"in production's shadow {counted(left, 'captured answer')} could not be read"
    if any(one.get("unread") for one in asked):
        yield "in production's shadow more was captured than is read"


def summary(card: Mapping[str, Any]) -> str:
    """The approval's text of it; "" for a card without."""
    found = card.get("shadow") or {}
    return f"shadow: {result(found)}; " if "places" in found else "no shadow; " if found else ""


def attention(card: Mapping[str, Any]) -> Iterator[str]:
    """What of it an approver reads first."""
    found = card.get("shadow") or {}
    if not found:
        return
    if "places" not in found:
        yield f"it was not in production's shadow: {one_line(found['why'])}"
        return
    total = totals(found)
    if total["errors"]:
        yield f"in production's shadow {total['errors']:,} of {counted(total['requests'], 'request')} failed"
    if differing := total["compared"] - total["agree"]:
        of = f"{differing:,} of {counted(total['compared'], 'request')}"
        yield f"in production's shadow other answers than version {number(found)} to {of}"
    if not total["compared"]:
        yield "in production's shadow no answer was compared"
    if total["unasked"]:
        yield f"in production's shadow {counted(total['unasked'], 'endpoint')} could not be read"
    yield from slow(found, card["production"]["parameters"])


def slow(found: Mapping[str, Any], production: Mapping[str, str]) -> Iterator[str]:
    """The slowest endpoint whose latency would raise production's alarm (50-endpoint.yaml, Latency)."""
    allowed = float(production.get(ALLOWED, "inf")) / 1000  # from microseconds
    at = [(one["new"]["latency_ms"].get("99", 0.0), one) for one in asked_of(found)]
    if at and (slowest := max(at, key=lambda one: one[0]))[0] > allowed:
        where = f"{slowest[1]['account']}, {slowest[1]['region']}"
        yield f"in production's shadow 99 % within {slowest[0]:,g} ms, and the alarm is at {allowed:,g} ms ({where})"


def section(card: Mapping[str, Any]) -> str:
    """The card's part about it; "" for a card without."""
    found = card.get("shadow") or {}
    if not found:
        return ""
    if "places" not in found:
        return f'{HEADING}<p class="quiet">It was none: {escape(found["why"])}.</p>'
    said = (
        f"Copies of production's requests from {moment(found['began'])} to {moment(found['at'])}; no caller got an "
        f"answer of it. {result(found).capitalize()}."
    )
    warning = "".join(f'<p class="bad">{escape(line)}</p>' for line in (*stale(card), *doubts(card)))
    if card["production"]["parameters"].get("EnableNetworkIsolation") != "true":
        warning += f'<p class="quiet">{escape(OPEN)}</p>'
    places = "".join(endpoint(one, number(found), card["names"]) for one in found["places"][:NAMED])
    return f"{HEADING}{warning}<p>{escape(said)}</p>{places}{more(found)}"


def more(found: Mapping[str, Any]) -> str:
    left = len(found["places"]) - NAMED
    return f'<p class="quiet">and {counted(left, "endpoint")} more, which the record has</p>' if left > 0 else ""


def endpoint(one: Mapping[str, Any], beside: str, names: Mapping[str, str]) -> str:
    """What both variants answered at an endpoint. beside: the number of the live version; names: of accounts"""
    name = f"{who(one['account'], names)}, {one['region']}"
    if "problem" in one:
        return f'<h3>{escape(name)}</h3><p class="bad">Not read: {escape(one["problem"])}</p>'
    live, new = one["live"], one["new"]
    rows = [
        ("Equal answers", "–", f"{one['agree']:,} of {one['compared']:,}" if one["compared"] else "none compared"),
        ("Requests", f"{live['requests']:,}", f"{new['requests']:,}"),
        ("Failed", f"{live['errors']:,}", f"{new['errors']:,}"),
        *(
            ("Median latency" if number == "50" else f"{number} % within", latency(live, number), latency(new, number))
            for number in sorted({*live["latency_ms"], *new["latency_ms"]}, key=int)
        ),
    ]
    return f"<h3>{escape(name)}</h3>{table('Shadow', ('Counted', f'Version {beside}', 'Shadow'), rows)}"


def latency(side: Mapping[str, Any], number: str) -> str:
    value = side["latency_ms"].get(number)
    return "–" if value is None else f"{value:,g} ms"
