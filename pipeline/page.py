"""The evidence card as a page: the card and the results of staging in, one document of HTML out. Pure.

It needs nothing from anywhere and no script, is read on a telephone as well as on a desk, and begins with what
an approver asks first. What would not fit is counted, and stands in the build's log.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pipeline.report import Result

NAMED, FAILURES = 20, 100  # accounts that a line names before it is folded; failures that are shown
STAGES = {"staging": "staging", "prod": "production"}
STYLE = """
:root{color-scheme:light dark;--ink:#1a2230;--quiet:#5b6678;--paper:#fff;--line:#d4dae3;--good:#1a7f4b;--bad:#c0322b}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--quiet:#9aa6b8;--paper:#12161d;--line:#333c4a;--good:#4cc38a;
--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.2rem;max-width:60rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Helvetica,Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
p{margin:.4rem 0}ul{margin:.3rem 0;padding-left:1.2rem}summary{cursor:pointer}details{margin:.4rem 0}
.quiet{color:var(--quiet)}.good{color:var(--good)}.bad{color:var(--bad)}.verdict{font-size:1.1rem;font-weight:600}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line)}
th{color:var(--quiet);font-weight:600}th.number,td.number{text-align:right;white-space:nowrap}
td:last-child,li,p,.numbers td{overflow-wrap:anywhere}.fold td:first-child{white-space:nowrap}
@media(max-width:36rem){
body{padding:.8rem}table{font-size:.85rem}th,td{padding-right:.45rem}
.fold thead{display:none}.fold tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}
.fold td{display:block;border:0;padding:0}.fold td:first-child{font-weight:600}
}
"""


def document(card: Mapping[str, Any], results: Iterable[Result]) -> str:
    checks = list(results)
    names, version = card["names"], card["version"]
    title = f"{card['project']}: version {version['number']}"
    live = f"version {card['live']}" if card["live"] else "nothing yet"
    parts = [
        f"<h1>{escape(title)}</h1>",
        verdict(checks),
        table(
            (),
            [
                ("Approved", f"by {version['by']}, {moment(version['at'])}"),
                ("Why now", card["reason"]),
                ("Live in production", live),
                ("Model package", version["arn"]),
                ("Pipeline execution", card["execution"]),
            ],
        ),
        "<h2>Metrics</h2>",
        metrics(card["metrics"]),
        "<h2>What changes</h2>",
        *(changes(name, stage, names) for name, stage in card["stages"].items()),
        "<h2>What it costs in a month</h2>",
        costs(card["stages"]),
        f'<p class="quiet">{escape(card["prices"])}</p>',
        "<h2>Tests of staging</h2>",
        *failures([check for check in checks if check.failure], names),
        passed(checks, names),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


# -- the parts ---------------------------------------------------------------------------------


def verdict(checks: list[Result]) -> str:
    """What staging says, in a line."""
    places = len({check.place for check in checks})
    failed = [check for check in checks if check.failure]
    if failed:
        where = len({check.place for check in failed})
        text, kind = f"{len(failed):,} of {len(checks):,} checks failed, in {where:,} of {places:,} places", "bad"
    else:
        done = sum(not check.skipped for check in checks)
        text, kind = f"staging passed: all {done:,} checks in {places:,} place(s)", "good"
        if done < len(checks):
            text += f"; {len(checks) - done:,} left out"
    return f'<p class="verdict {kind}">{text}</p>'


def metrics(listed: Iterable[Mapping[str, Any]]) -> str:
    rows = [(one["name"], number(one["new"]), number(one["live"]), difference(one)) for one in listed]
    if not rows:
        return '<p class="quiet">The version states none.</p>'
    return table(("metric", "new", "live", "difference"), rows, numbers=(1, 2, 3))


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def difference(metric: Mapping[str, Any]) -> str:
    """In percent of the live version's; which direction is better, only a person knows."""
    new, live = metric["new"], metric["live"]
    return "–" if new is None or not live else f"{(new - live) / abs(live):+.1%}"


def changes(name: str, stage: Mapping[str, Any], names: Mapping[str, str]) -> str:
    from_to = f"version {stage['from']} to {stage['to']}" if stage["from"] else f"version {stage['to']}, the first"
    where = f"{stage['accounts']:,} account(s) in {', '.join(stage['regions'])}"
    lines = [
        moved("joins", stage["joined"], names),
        moved("leaves", stage["left"], names),
        f"<li>stays: {stage['same']:,} place(s)</li>",
    ]
    return f"<h3>{escape(STAGES.get(name, name))}: {escape(from_to)}, {escape(where)}</h3><ul>{''.join(lines)}</ul>"


def moved(verb: str, places: list[Any], names: Mapping[str, str]) -> str:
    """The accounts that join or leave, each with its regions; folded where they are many."""
    regions: dict[str, list[str]] = {}
    for account, region in places:
        regions.setdefault(account, []).append(region)
    listed = "; ".join(f"{who(account, names)} ({', '.join(found)})" for account, found in regions.items())
    if len(regions) <= NAMED:
        return f"<li>{verb}: {escape(listed or 'nobody')}</li>"
    heading = f"{verb}: {len(regions):,} accounts, {len(places):,} places"
    return f"<li><details><summary>{heading}</summary>{escape(listed)}</details></li>"


def costs(stages: Mapping[str, Any]) -> str:
    rows = []
    for name, stage in stages.items():
        before, after = stage["cost"]["before"], stage["cost"]["after"]
        change = "unknown" if before is None or after is None else signed(after - before)
        rows.append((STAGES.get(name, name), money(before), money(after), change))
    unknown = sorted({why for stage in stages.values() for why in stage["cost"]["unknown"]})
    told = f'<p class="bad">Unknown: {escape("; ".join(unknown))}.</p>' if unknown else ""
    return table(("stage", "before", "after", "difference"), rows, numbers=(1, 2, 3)) + told


def money(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.2f}"


def signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{money(abs(value))}"


def failures(failed: list[Result], names: Mapping[str, str]) -> list[str]:
    """Every failure, or the first hundred; without what the place and the check say already."""
    if not failed:
        return []
    rows = [(place_of(one, names), one.name, one.failure.split(f"{one.name}: ", 1)[-1]) for one in failed[:FAILURES]]
    more = len(failed) - FAILURES
    told = f'<p class="bad">and {more:,} more: the log of TestStaging has them all</p>' if more > 0 else ""
    return [table(("place", "check", "what is wrong"), rows, kind="fold"), told]


def passed(checks: list[Result], names: Mapping[str, str]) -> str:
    """One line for each place with nothing wrong, folded."""
    by_place: dict[str, list[Result]] = {}
    for check in checks:
        by_place.setdefault(check.place, []).append(check)
    rows = []
    for some in by_place.values():
        skipped = sorted({check.skipped for check in some if check.skipped})
        if not any(check.failure for check in some):
            done = sum(not check.skipped for check in some)
            told = f"; {len(some) - done} left out: {'; '.join(skipped)}" if skipped else ""
            rows.append((place_of(some[0], names), f"{done} passed{told}"))
    if not rows:
        return ""
    asked = dict.fromkeys(check.name for check in checks)
    return (
        f"<details{'' if len(rows) > NAMED else ' open'}><summary>{len(rows):,} place(s) without a failure</summary>"
        f'<p class="quiet">Asked of each: {escape("; ".join(asked))}.</p>'
        f"{table(('place', 'checks'), rows)}</details>"
    )


# -- words and tables --------------------------------------------------------------------------


def place_of(check: Result, names: Mapping[str, str]) -> str:
    account, _, region = check.place.partition("/")
    return f"{who(account, names)}, {region}"


def who(account: str, names: Mapping[str, str]) -> str:
    return f"{account} {names[account]}" if names.get(account) else account


def moment(text: str) -> str:
    """A time of day that a person reads, in UTC as the registry gives it."""
    try:
        return f"{datetime.fromisoformat(text):%d %B %Y, %H:%M %Z}"
    except ValueError:
        return text


def table(head: Iterable[str], rows: Iterable[Iterable[Any]], numbers: tuple[int, ...] = (), kind: str = "") -> str:
    """numbers: the columns that are set to the right"""

    def cells(tag: str, row: Iterable[Any]) -> str:
        sides = [' class="number"' if at in numbers else "" for at in range(9)]
        return "".join(f"<{tag}{side}>{escape(cell)}</{tag}>" for side, cell in zip(sides, row, strict=False))

    heads, kind = cells("th", head), kind or ("numbers" if numbers else "plain")
    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<table class="{kind}">{f"<thead><tr>{heads}</tr></thead>" if heads else ""}<tbody>{lines}</tbody></table>'


def escape(value: Any) -> str:
    return html.escape(str(value))
