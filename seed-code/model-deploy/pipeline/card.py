"""The evidence card: what the approver sees before production changes.

The Build step gathers what is known before anything is deployed (card.json); TestStaging adds the tests, and
puts the whole card into the artifact bucket as evidence/EXECUTION.html. A manual approval shows at most 1,000
characters (CodePipeline API Reference, CustomData), so its text is short and its link leads to the card.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pipeline.accounts import Account
from pipeline.console import shorten
from pipeline.regions import Clients
from pipeline.registry import Version, numbers
from pipeline.report import Result
from pipeline.rollback import parameters_of
from pipeline.settings import Settings, Stage

FILE = Path("card.json")
PRICES = Path(__file__).with_name("prices.json")
HOURS = 730  # of a month
NAMED = 20  # accounts that a line names
Place = tuple[str, str]  # account and region


def key_of(execution: str) -> str:
    """Where the card lies in the artifact bucket; 30-project.yaml links to it."""
    return f"evidence/{execution}.html"


# -- what is known before anything is deployed -------------------------------------------------


def gather(
    settings: Settings,
    version: Version,
    reason: str,
    accounts: Mapping[str, tuple[Account, ...]],
    stacks: Mapping[str, str],
    template: str,
    clients: Clients,
) -> dict[str, Any]:
    """The card without the tests; stacks: the name of each stage's stack; template: the text of 40-stage.yaml."""
    prices = json.loads(PRICES.read_text(encoding="utf-8"))
    stages = {}
    live = ""
    for stage in settings.stages:
        found = parameters_of(clients("cloudformation", settings.region), stacks[stage.name])
        live = found.get("ModelPackageName", "")  # of production, which comes last
        before = places_of(clients("cloudformation", settings.region), stacks[stage.name], settings.administrator)
        after = {(account.id, region) for account in accounts[stage.name] for region in stage.regions}
        stages[stage.name] = {
            "from": number_of(live),
            "to": str(version.number),
            "joined": sorted(after - before),
            "left": sorted(before - after),
            "same": len(after & before),
            "accounts": len(accounts[stage.name]),
            "regions": list(stage.regions),
            "cost": {
                "before": cost(found, before, prices) if before else 0.0,
                "after": cost(settings_of(stage, template), after, prices),
            },
        }
    return {
        "project": settings.project,
        "execution": settings.execution_id,
        "bucket": settings.artifact_bucket,
        "version": {"number": version.number, "arn": version.arn, "by": version.approved_by, "at": version.approved_at},
        "reason": reason,
        "live": number_of(live),
        "metrics": metrics(version, live_metrics(clients("sagemaker", settings.region), live)),
        "stages": stages,
        "prices": f"{prices['currency']} a month, prices of {prices['as_of']}",
    }


def number_of(arn: str) -> str:
    return arn.rsplit("/", 1)[1] if "/" in arn else ""


def places_of(cloudformation: Any, stack_set: str, administrator: str) -> set[Place]:
    """Where a stage's endpoints are now: the instances of its stack set."""
    call_as = "DELEGATED_ADMIN" if administrator == "DELEGATED_ADMIN" else "SELF"
    pages = cloudformation.get_paginator("list_stack_instances").paginate(StackSetName=stack_set, CallAs=call_as)
    try:
        return {(instance["Account"], instance["Region"]) for page in pages for instance in page["Summaries"]}
    except ClientError as error:
        if error.response["Error"]["Code"] == "StackSetNotFoundException":
            return set()
        raise


def live_metrics(sagemaker: Any, arn: str) -> dict[str, float]:
    """The metrics of the version that production serves; none where there is no such version any more."""
    if not arn:
        return {}
    try:
        return numbers(sagemaker.describe_model_package(ModelPackageName=arn).get("CustomerMetadataProperties", {}))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            return {}
        raise


def metrics(version: Version, live: Mapping[str, float]) -> list[dict[str, Any]]:
    names = sorted({*version.metrics, *live})
    return [{"name": name, "new": version.metrics.get(name), "live": live.get(name)} for name in names]


def settings_of(stage: Stage, template: str) -> dict[str, str]:
    """What the stage's settings will be: those of its file, else the defaults of 40-stage.yaml."""
    names = ("EndpointKind", "InstanceType", "InitialInstanceCount")
    return {name: stage.parameters.get(name) or default_of(template, name) for name in names}


def default_of(template: str, name: str) -> str:
    found = re.search(rf"^  {name}:\n(?:    .*\n)*?    Default: (.+)$", template, re.MULTILINE)
    return found[1].strip("'\"") if found else ""


def cost(found: Mapping[str, str], places: Iterable[Place], prices: Mapping[str, Any]) -> float | None:
    """What the instances cost in a month; None where a price is not known, as for serverless endpoints."""
    if found.get("EndpointKind", "real-time") == "serverless":
        return None
    total = 0.0
    for _, region in places:
        price = prices["regions"].get(region, {}).get(found.get("InstanceType", ""))
        if price is None:
            return None
        total += price * int(found.get("InitialInstanceCount") or 1) * HOURS
    return round(total, 2)


# -- what the approver reads first -------------------------------------------------------------


def summary(card: Mapping[str, Any]) -> str:
    """The text of the approval: version, approver, metrics, changes, cost; on one line."""
    version, prod = card["version"], card["stages"]["prod"]
    measured = ", ".join(metric_text(metric) for metric in card["metrics"]) or "no metrics"
    return shorten(
        f"{card['project']} version {version['number']}, approved by {version['by']} at {version['at'][:16]}; "
        f"{measured}; production: {change_text(prod)}; cost a month: {cost_text(prod['cost'])}."
    )


def metric_text(metric: Mapping[str, Any]) -> str:
    new = "none" if metric["new"] is None else f"{metric['new']:g}"
    return f"{metric['name']} {new}" + ("" if metric["live"] is None else f" (live {metric['live']:g})")


def change_text(stage: Mapping[str, Any]) -> str:
    moved = [f"{len(stage[kind])} {kind}" for kind in ("joined", "left") if stage[kind]]
    versions = f"version {stage['from'] or 'none'} to {stage['to']}"
    where = f"{stage['accounts']} account(s) in {', '.join(stage['regions'])}"
    return ", ".join([versions, where, *moved])


def cost_text(costs: Mapping[str, Any]) -> str:
    return f"{money(costs['before'])} to {money(costs['after'])}"


def money(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.2f}"


# -- the whole card ----------------------------------------------------------------------------


def render(card: Mapping[str, Any], results: Iterable[Result]) -> bytes:
    """The card as a page of HTML that needs nothing from anywhere."""
    version = card["version"]
    checks = list(results)
    failed = [result for result in checks if result.failure]
    facts = [
        ("Version", f"{version['number']} ({version['arn']})"),
        ("Approved", f"by {version['by']} at {version['at']}"),
        ("Why", card["reason"]),
        ("Live in production", f"version {card['live']}" if card["live"] else "none"),
        ("Tests of staging", f"{len(checks) - len(failed)} of {len(checks)} passed"),
        ("Pipeline execution", card["execution"]),
    ]
    parts = [
        f"<h1>{escape(card['project'])}: version {escape(version['number'])}</h1>",
        table((), facts),
        "<h2>Metrics</h2>",
        table(("metric", "new", "live"), [(m["name"], shown(m["new"]), shown(m["live"])) for m in card["metrics"]]),
        "<h2>What changes</h2>",
        table(("stage", "change", "joins", "leaves", "stays"), [change_row(n, s) for n, s in card["stages"].items()]),
        f"<h2>Cost ({escape(card['prices'])})</h2>",
        table(
            ("stage", "before", "after"),
            [(name, money(s["cost"]["before"]), money(s["cost"]["after"])) for name, s in card["stages"].items()],
        ),
        "<h2>Tests</h2>",
        table(
            ("place", "check", "result"),
            [(r.place, r.name, r.failure or ("skipped: " + r.skipped if r.skipped else "passed")) for r in checks],
        ),
    ]
    style = "body{font:15px sans-serif;margin:2em}td,th{text-align:left;padding:2px 14px 2px 0;vertical-align:top}"
    page = f"<!doctype html><meta charset=utf-8><title>Evidence</title><style>{style}</style>{''.join(parts)}\n"
    return page.encode()


def change_row(name: str, stage: Mapping[str, Any]) -> tuple[str, ...]:
    versions = f"version {stage['from'] or 'none'} to {stage['to']}"
    return (name, versions, places_text(stage["joined"]), places_text(stage["left"]), f"{stage['same']} place(s)")


def places_text(places: list[Any]) -> str:
    named = [" ".join(place) for place in places[:NAMED]]
    return ", ".join(named) + (f" and {len(places) - NAMED} more" if len(places) > NAMED else "") or "nobody"


def shown(value: Any) -> str:
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<tr>{heads}</tr>' if heads else ''}{lines}</table>"


def escape(value: Any) -> str:
    return html.escape(str(value))


def publish(s3: Any, folder: Path, results: Iterable[Result]) -> str:
    """Put the whole card into the artifact bucket; its key."""
    card = json.loads((folder / FILE).read_text(encoding="utf-8"))
    key = key_of(card["execution"])
    s3.put_object(Bucket=card["bucket"], Key=key, Body=render(card, results), ContentType="text/html; charset=utf-8")
    return key
