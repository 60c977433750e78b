"""The evidence card as a page: the card and the results of staging in, one document of HTML out. Pure.

It loads nothing and holds no script, reads on a telephone, on a desk and on paper, and begins with what an approver
asks first: did staging pass, what failed, what changes in production. What would not fit is counted, and is in
the build's log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline import comparison_page, payloads_page, production_alone, shadow_page
from pipeline.attention import earlier
from pipeline.console import counted, one_line
from pipeline.metric_gates import plain
from pipeline.report import Result
from pipeline.settings import STAGES
from pipeline.tables import Link, escape, linked, moment, table, who

NAMED, FAILURES = 20, 100  # accounts that a line names before it is folded; failures that are shown
STYLE = """
:root{color-scheme:light;--ink:#1a2230;--quiet:#556072;--paper:#fff;--line:#d4dae3;--good:#17734a;--bad:#b3261e;
--good-box:#eef7f2;--bad-box:#fdf1f0}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--ink:#e6eaf1;--quiet:#9aa6b8;--paper:#12161d;
--line:#333c4a;--good:#4cc38a;--bad:#ff8a80;--good-box:#15251e;--bad-box:#2a1a1c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1.2rem 3rem;max-width:60rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Helvetica,Arial,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:1rem 0 .2rem}
a{color:inherit}
p{margin:.4rem 0}ul,ol{margin:.2rem 0;padding-left:1.2rem}summary{cursor:pointer}details{margin:.4rem 0}
.quiet{color:var(--quiet)}.bad{color:var(--bad)}
.verdict{font-size:1.1rem;font-weight:600;margin:.8rem 0 1rem;padding:.7rem 1rem;border-left:4px solid;
print-color-adjust:exact}
.verdict.good{color:var(--good);background:var(--good-box)}.verdict.bad{background:var(--bad-box)}
table{border-collapse:collapse;width:100%}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;overflow-wrap:normal}thead th{color:var(--quiet)}.plain th{width:11rem;color:var(--quiet)}
.number{text-align:right;white-space:nowrap}
@media(max-width:36rem){
body{padding:1rem .9rem 2rem}th,td{padding-right:.5rem}.numbers{font-size:.88rem}.plain th{width:6.5rem}
.numbers tbody th{overflow-wrap:anywhere}
}
@media screen and (max-width:36rem){
.fold thead{position:absolute;clip-path:inset(50%)}.fold tr{display:block;padding:.4rem 0;
border-bottom:1px solid var(--line)}
.fold td,.fold th{display:block;border:0;padding:0;overflow-wrap:anywhere}
}
@media print{
@page{margin:14mm}html{font-size:12px}body{max-width:none;padding:0;font-size:11.5px}
h2,h3,summary{break-after:avoid}tr{break-inside:avoid}
}
"""


def document(card: Mapping[str, Any], results: Iterable[Result]) -> str:
    checks = list(results)
    names, version = card["names"], card["version"]
    title = f"{card['project']}: version {version['number']}"
    failed = [check for check in checks if check.failure]
    stages = {name: card["stages"][name] for name in reversed(card["stages"])}  # what is to be decided on comes first
    parts = [
        f"<h1>{escape(title)}</h1>",
        *([] if (staged := not card.get("production_alone")) else [verdict_of_none()]),
        *first(card),
        *([verdict(checks)] if staged else []),
        *(between(name, stage) for name, stage in card.get("between", {}).items()),
        *failures(failed, names),
        busy(card),
        "<h2>Version</h2>",
        table("Version", (), about(card)),
        "<h2>What changes</h2>",
        *(changes(name, stage, names) for name, stage in stages.items()),
        payloads_page.section(card),
        "<h2>Monthly cost</h2>",
        costs(stages),
        f'<p class="quiet">{escape(card["prices"])}</p>',
        "<h2>Metrics</h2>",
        metrics(card["metrics"]),
        comparison_page.section(card),
        shadow_page.section(card),
        *(["<h2>Tests of staging</h2>", passed(checks, names)] if staged else []),
        "<h2>Source</h2>",
        table("Source", (), sources(card)),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


# -- the parts ---------------------------------------------------------------------------------


def verdict(checks: list[Result]) -> str:
    """What staging says, in a line. Staging has passed only where a check ran and none failed."""
    endpoints = len({check.place for check in checks})
    failed = [check for check in checks if check.failure]
    ran, skipped = (sum(bool(check.skipped) is kind for check in checks) for kind in (False, True))
    if failed:
        where = len({check.place for check in failed})
        text = (
            f"Staging failed: {len(failed):,} of {counted(len(checks), 'check')}, "
            f"on {where:,} of {counted(endpoints, 'endpoint')}"
        )
    elif ran:
        text = f"Staging passed: {counted(ran, 'check')} on {counted(endpoints, 'endpoint')}"
    else:
        text = "Staging was not tested: no check ran"
    if skipped and not failed:
        text += f"; {skipped:,} skipped"
    return f'<p class="verdict {"good" if ran and not failed else "bad"}">{text}</p>'


def verdict_of_none() -> str:
    """The same of a project without staging: it comes before everything else."""
    return f'<p class="verdict bad">{escape(production_alone.SAID)}</p>'


def between(name: str, stage: Mapping[str, Any]) -> str:
    """What a stage between staging and production says, in a line."""
    text = f"passed: every check on {counted(stage['endpoints'], 'endpoint')}" if stage["passed"] else "was not tested"
    return f'<p class="verdict {"good" if stage["passed"] else "bad"}">{escape(STAGES.get(name, name))} {text}</p>'


def first(card: Mapping[str, Any]) -> list[str]:
    """What stands out (attention.py), before everything else."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in card["first"])
    return ["<h2>Look at first</h2>", f'<ol class="bad">{lines}</ol>'] if lines else []


def busy(card: Mapping[str, Any]) -> str:
    """What is wrong with this page's comparison: another execution is changing production while it is made."""
    if not card["busy"]:
        return ""
    text = (
        f"Execution {card['busy']} was deploying to production when this card was made. If production is then not as "
        "it stands here, the gate refuses this deployment, and a new execution asks with a new card."
    )
    return f'<p class="bad">{escape(text)}</p>'


def about(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    version = card["version"]
    rows = [
        ("Live in production", f"version {card['live']}" if card["live"] else "nothing yet"),
        ("Approved", f"by {version['by']}, {moment(version['at'])}"),
        *([("In their words", version["because"])] if version.get("because") else []),
        ("Reason", card["reason"]),
    ]
    return [*rows, ("Approver", card["approver"])] if card["approver"] else rows


def sources(card: Mapping[str, Any]) -> list[tuple[str, str | Link]]:
    """Where the version, the settings and this page come from. What a version or a commit says is its author's."""
    commit, links = card["commit"], card["links"]
    report = "" if card.get("production_alone") else links.get("tests")
    origin = {name: value for name, value in card["origin"].items() if value != "none"}  # start.py's word for unknown
    job = origin.get("training-job", "").rpartition("/")[2]
    said = (
        ("Model package", card["version"]["arn"]),
        ("Image", ", ".join(card["version"].get("images", []))),
        ("Training job", linked(job, links.get("training-job"))),
        ("Training data", origin.get("data", "")),
        ("Hash of the data", origin.get("data-hash", "")),
        ("Training commit", by(origin.get("commit", ""), origin.get("author", ""))),
        ("Settings' commit", linked(by(commit["id"], commit.get("author", "")), commit.get("link"))),
        ("Its message", commit.get("message", "")),
        ("Its date", moment(commit.get("date", ""))),
        ("Pipeline execution", linked(card["execution"], links.get("execution"))),
        ("Tests' report", linked("builds of the tests", report) if report else ""),
        ("Made", moment(card["made"])),
        ("Hash of the deployment", card["manifest_sha256"]),
    )
    return [(name, value) for name, value in said if value]


def by(what: str, who: str) -> str:
    return f"{what}, by {who}" if what and who else what


def failures(failed: list[Result], names: Mapping[str, str]) -> list[str]:
    """Every failure, or the first hundred; without what the place and the check say already."""
    if not failed:
        return []
    rows = [(place_of(one, names), one.name, one.failure.split(f"{one.name}: ", 1)[-1]) for one in failed[:FAILURES]]
    more = len(failed) - FAILURES
    note = f'<p class="bad">and {more:,} more: the log of TestStaging has them all</p>' if more > 0 else ""
    shown = table("Failed checks of staging", ("Endpoint", "Check", "What is wrong"), rows, kind="fold")
    return ["<h2>What failed</h2>", shown, note]


def metrics(listed: Iterable[Mapping[str, Any]]) -> str:
    """The metrics of both versions, and beneath them what the gates say of them."""
    found = list(listed)
    rows = [(one_line(one["name"]), number(one["live"]), number(one["new"]), difference(one)) for one in found]
    if not rows:
        return '<p class="quiet">The version states none.</p>'
    said = [f"{one_line(one['name'])}: {text}" for one in found if (text := judgement(one))]
    gates = f"<h3>Metric gates</h3><ul>{''.join(f'<li>{escape(line)}</li>' for line in said)}</ul>" if said else ""
    return table("Metrics", ("Metric", "Live", "New", "Difference"), rows) + gates


def judgement(metric: Mapping[str, Any]) -> str:
    """What the metric's gate says; "" without one."""
    if not metric.get("goal"):
        return ""
    limit = "at most" if metric["goal"] == "minimize" else "at least"
    rules = [f"{limit} {plain(metric['bound'])}"] if metric["bound"] is not None else []
    if metric["worse_by"] is not None:
        rules.append(f"at most {plain(metric['worse_by'])} worse")
    return "; ".join(filter(None, (metric["direction"], ", ".join(rules), verdict_of(metric) if rules else "")))


def verdict_of(metric: Mapping[str, Any]) -> str:
    if metric["problem"]:
        return "does not pass" if metric["judged"] else "does not pass; not judged, since it was in production before"
    if metric["bound"] is None and metric["live"] is None:
        return "the live version states none to compare with"
    return "passes"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def difference(metric: Mapping[str, Any]) -> str:
    """In percent of the live version's."""
    new, live = metric["new"], metric["live"]
    return "–" if new is None or not live else f"{(new - live) / abs(live):+.1%}"


def version_text(stage: Mapping[str, Any]) -> str:
    """Which version a stage has and gets: first deployment (version 2), version 1 → 2, version 2 (unchanged)."""
    live, new = stage["from"], stage["to"]
    note = ", whose container or model was replaced since it was deployed" if stage.get("replaced") else ""
    if not live:
        return f"{'deployed afresh' if stage.get('removed') else 'first deployment'} (version {new}){note}"
    if live == new:
        return f"version {new}{note or ' (unchanged)'}"
    return f"version {live} → {new}" + (" (an earlier version)" if earlier(live, new) else "") + note


def changes(name: str, stage: Mapping[str, Any], names: Mapping[str, str]) -> str:
    where = f"{counted(stage['accounts'], 'account')} in {', '.join(stage['regions'])}"
    verb = "Unchanged" if stage.get("unchanged") else "Updated"
    lines = [
        f"<li>{escape(where)}</li>",
        moved("Added", stage["joined"], names),
        moved("Removed", stage["left"], names),
        f"<li>{verb}: {counted(stage['same'], 'endpoint')}</li>" if stage["same"] else "",
        "<li>Removed once production has passed its tests</li>" if stage.get("removed") else "",
    ]
    heading = f"<h3>{escape(STAGES.get(name, name))}: {escape(version_text(stage))}</h3>"
    return f"{heading}<ul>{''.join(lines)}</ul>{settings(stage)}{resources(stage)}"


def resources(stage: Mapping[str, Any]) -> str:
    """What is done to each resource of an endpoint, folded: it follows from the version and the settings."""
    rows = [(one["name"], one["done"], arrow(one)) for one in stage["resources"]]
    if not rows:
        return ""
    shown = table("Resources", ("Resource", "Done", "Live → new"), rows, kind="fold")
    return f"<details><summary>{counted(len(rows), 'resource')} of each endpoint</summary>{shown}</details>"


def settings(stage: Mapping[str, Any]) -> str:
    """The settings that change; of a first deployment all of them, folded."""
    rows = [(one["name"], arrow(one)) for one in stage["settings"]]
    if not rows:
        return '<p class="quiet">No setting changes.</p>' if stage["from"] else ""
    shown = table("Settings", ("Setting", "Live → new"), rows, kind="fold")
    if stage["from"]:
        return shown
    return f"<details><summary>{counted(len(rows), 'setting')}</summary>{shown}</details>"


def arrow(change: Mapping[str, str]) -> str:
    """What a value is and will be; "" where neither tells something."""
    live, new = change["live"], change["new"]
    return f"{live or 'none'} → {new or 'none'}" if live or new else ""


def moved(verb: str, places: list[Any], names: Mapping[str, str]) -> str:
    """The accounts that join or leave, each with its Regions; folded where they are many, "" where there is none."""
    regions: dict[str, list[str]] = {}
    for account, region in places:
        regions.setdefault(account, []).append(region)
    listed = "; ".join(f"{who(account, names)} ({', '.join(found)})" for account, found in regions.items())
    if not places:
        return ""
    if len(regions) <= NAMED:
        return f"<li>{verb}: {escape(listed)}</li>"
    heading = f"{verb}: {counted(len(places), 'endpoint')} in {counted(len(regions), 'account')}"
    return f"<li><details><summary>{heading}</summary>{escape(listed)}</details></li>"


def costs(stages: Mapping[str, Any]) -> str:
    rows = []
    for name, stage in stages.items():
        before, after = stage["cost"]["before"], stage["cost"]["after"]
        change = "unknown" if before is None or after is None else signed(after - before)
        rows.append((STAGES.get(name, name), money(before), money(after), change))
    unknown = sorted({why for stage in stages.values() for why in stage["cost"]["unknown"]})
    note = f'<p class="bad">Unknown: {escape("; ".join(unknown))}.</p>' if unknown else ""
    return table("Monthly cost", ("Stage", "Now", "After", "Difference"), rows) + note


def money(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.2f}"


def signed(value: float) -> str:
    return f"{'-' if value < 0 else '+' if value > 0 else ''}{money(abs(value))}"


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
            note = f"; {len(some) - done} skipped: {'; '.join(skipped)}" if skipped else ""
            rows.append((place_of(some[0], names), f"{done} passed{note}"))
    if not rows:
        return '<p class="quiet">No endpoint passed every check.</p>'
    asked = dict.fromkeys(check.name for check in checks)
    return (
        f"<details{'' if len(rows) > NAMED else ' open'}>"
        f"<summary>{counted(len(rows), 'endpoint')} without a failure</summary>"
        f'<p class="quiet">Checks of each: {escape("; ".join(asked))}.</p>'
        f"{table('Endpoints without a failure', ('Endpoint', 'Checks'), rows, kind='fold')}</details>"
    )


# -- words and tables --------------------------------------------------------------------------


def place_of(check: Result, names: Mapping[str, str]) -> str:
    account, _, region = check.place.partition("/")
    return f"{who(account, names)}, {region}"
