"""The evidence card: what the approver sees before production changes.

It is made when the approval is asked for (the action Card of 30-project.yaml), from the manifest, the results of
staging, and what is live at that moment. It goes into the artifact bucket as evidence/EXECUTION/NUMBER.html, with what
it says as NUMBER.json beside it: the gate before production compares that with what is live then. A manual approval
shows at most 1,000 characters (CodePipeline API Reference, CustomData), so its text is short and its link leads to the
card.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import links, metric_gates, office_hours, production_alone, removal, resources, shadow_page
from pipeline.attention import look_first
from pipeline.clients import Clients
from pipeline.console import counted, one_word, shorten
from pipeline.live import LiveStage, Place
from pipeline.page import document, money, version_text
from pipeline.parameters import with_defaults
from pipeline.prices import HOURS, Prices
from pipeline.registry import metrics_of
from pipeline.report import Result
from pipeline.settings import WRITTEN_HERE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


METRICS_LIMIT = 100  # characters of the summary, so that what follows them is not cut off
FIRST, FIRST_LIMIT = 3, 70  # of what is to be looked at first: that the summary names, and characters of each


@dataclass(frozen=True)
class Asked:
    """What a card is about.

    manifest_sha256: of all that Build handed on; wanted: the parameters of each stage's stack
    template: the text of 40-stage.yaml
    live: production as it is, and the stages before it as Build found them
    busy: the execution that is in DeployProd at the moment, "" for none
    approver: who may not approve, in words; "" where every approver may
    replaced: the version is not what it was when it was let through to production under its number
    admitted: the manifest that was let through to production last, {} for none
    live_metrics: of the live version when it was let through, None where the record does not say
    commit: of the deploy repository: its id, and author, message, date and link where they are known
    compared: the answers beside the live version's (comparison.py), {} where staging did not compare them
    between: what the record says of the tests of each stage between staging and production; {} for nothing
    shadow: what the candidate answered in production's shadow (shadow_watch.py), or why it was none; {} for neither
    """

    manifest: Mapping[str, Any]
    manifest_sha256: str
    execution: str
    wanted: Mapping[str, Mapping[str, str]]
    template: str
    live: Mapping[str, LiveStage]
    busy: str = ""
    approver: str = ""
    replaced: bool = False
    admitted: Mapping[str, Any] = field(default_factory=dict)
    live_metrics: Mapping[str, float] | None = None
    commit: Mapping[str, str] = field(default_factory=dict)
    compared: Mapping[str, Any] = field(default_factory=dict)
    between: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shadow: Mapping[str, Any] = field(default_factory=dict)


def key_of(execution: str, number: str) -> str:
    """The card's key in the artifact bucket. number: of the build that makes it"""
    return f"evidence/{execution}/{number}.html"


# -- what it says ------------------------------------------------------------------------------


def gather(asked: Asked, results: Iterable[Result], clients: Clients) -> dict[str, Any]:
    """The whole card."""
    manifest, package = asked.manifest, asked.manifest["model_package"]
    home = str(package["arn"]).split(":")[3]
    prices, stages = Prices(clients, home), {}
    for name, part in manifest["stages"].items():
        now = asked.live[name]
        before, after = set(now.places), {(a["id"], region) for a in part["accounts"] for region in part["regions"]}
        removed, wanted = removal.asked(part["config"]), with_defaults(asked.wanted[name], asked.template)
        served = with_defaults(now.parameters, asked.template) if now.parameters else {}
        stages[name] = {
            "from": now.version,
            "to": str(package["version"]),
            "replaced": asked.replaced,
            "joined": sorted(after - before),
            "left": sorted(before - after),
            "same": len(after & before),
            "accounts": len(part["accounts"]),
            "regions": list(part["regions"]),
            "settings": changed_settings(now, wanted),
            "resources": resources.changes(served, wanted),
            "unchanged": served == wanted,
            "removed": removed,
            "cost": costs(now.parameters, before, wanted, set() if removed else after, prices),
        }
    production = asked.live["prod"]
    live_arn, was = production.parameters.get("ModelPackageName", ""), asked.live_metrics
    if was is None:
        was = metrics_of(clients("sagemaker", home), live_arn)
    gates = manifest.get("gates") or {}
    found = {
        "schema": 1,
        "project": manifest["project"]["name"],
        "execution": asked.execution,
        "manifest_sha256": asked.manifest_sha256,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": {
            "number": package["version"],
            "arn": package["arn"],
            "by": package["approved_by"],
            "at": package["approved_at"],
            "because": package.get("approval_description", ""),
            "images": [f"{one['image']} {one['digest']}".rstrip() for one in package.get("images", [])],
        },
        "reason": manifest["reason"],
        "production_alone": production_alone.is_alone(manifest),
        "live": production.version,
        "busy": asked.busy,
        "approver": asked.approver,
        "metrics": metrics(package["metrics"], was, gates),
        "gates": gates,
        "gates_before": (asked.admitted.get("gates") or {}).get("rules", {}),
        "agreement_before": (asked.admitted.get("gates") or {}).get("agreement"),
        "comparison": beside(asked),
        "commit": {"id": manifest["commit_id"], **asked.commit},
        "origin": package.get("origin", {}),
        "links": links.of(package, asked.execution, manifest["project"], home),
        "checked": {"now": manifest.get("tests"), "before": asked.admitted.get("tests")},
        "stages": stages,
        "between": {name: tested(found, asked.manifest_sha256) for name, found in asked.between.items()},
        "shadow": {name: value for name, value in asked.shadow.items() if name != "manifest"},
        "names": {a["id"]: a["name"] for part in manifest["stages"].values() for a in part["accounts"] if a["name"]},
        "prices": prices.sources(),
        "production": production.document(),
        "tests": [asdict(result) for result in results],
    }
    return {**found, "first": look_first(found)}


def tested(outcome: Mapping[str, Any], manifest_sha256: str) -> dict[str, Any]:
    """Whether a stage's tests passed with what is to be deployed, on how many endpoints. outcome: of the record"""
    same = outcome.get("manifest_sha256") == manifest_sha256
    return {"passed": same and outcome.get("passed") is True, "endpoints": len(outcome.get("endpoints", []))}


def beside(asked: Asked) -> dict[str, Any]:
    """The answers of both versions, with what each ran on: production's instances and staging's may be others."""
    if "live" not in asked.compared:
        return dict(asked.compared)
    first, last = (list(asked.manifest["stages"])[at] for at in (0, -1))
    wanted = with_defaults(asked.wanted[first], asked.template)
    return {**asked.compared, "on": {"live": size(asked.live[last].parameters), "new": size(wanted)}}


def size(parameters: Mapping[str, str]) -> str:
    """What an endpoint with these parameters answers from."""
    if parameters.get("EndpointKind") == "serverless":
        ready = parameters.get("ServerlessProvisionedConcurrency")
        warm = f", {ready} of its requests always ready" if ready else ""
        return f"serverless, {parameters.get('ServerlessMemorySizeInMB', '')} MB{warm}"
    return f"{parameters.get('InitialInstanceCount', '1')} × {parameters.get('InstanceType', '')}"


def changed_settings(now: LiveStage, wanted: Mapping[str, str]) -> list[dict[str, str]]:
    """The settings of a stage that change; for a stage that is new, all of them."""
    found = []
    for name in sorted({*now.parameters, *wanted} - set(WRITTEN_HERE)):
        live, new = now.parameters.get(name, ""), wanted.get(name, "")
        if live != new:
            found.append({"name": name, "live": live, "new": new})
    return found


def metrics(new: Mapping[str, float], live: Mapping[str, float], gates: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every metric of both versions, and those that a gate asks for: values, direction, and what the gate says now."""
    asked = {
        gate.name: gate for gate in metric_gates.read({metric_gates.KEY: {"metrics": gates.get("rules", {})}}).metrics
    }
    found = []
    for name in sorted({*new, *live, *asked}):
        one: dict[str, Any] = {"name": name, "new": new.get(name), "live": live.get(name)}
        if gate := asked.get(name):
            one |= {
                "goal": gate.goal, "bound": gate.bound, "worse_by": gate.worse_by, "judged": gates["judged"],
                "direction": direction(gate.goal, one["new"], one["live"]),
                "problem": gate.problem(one["new"], one["live"]),
            }  # fmt: skip
        found.append(one)
    return found


def direction(goal: str, new: float | None, live: float | None) -> str:
    """Whether the new value is better or worse than the live one; "" where one of them is not known."""
    if new is None or live is None:
        return ""
    if new == live:
        return "the same"
    return "better" if (new < live) is (goal == "minimize") else "worse"


def costs(
    found: Mapping[str, str],
    before: set[Place],
    wanted: Mapping[str, str],
    after: set[Place],
    prices: Prices,
) -> dict[str, Any]:
    """What a stage's instances cost in a month, as it is and as it will be; None for what is unknown, and why."""
    unknown: set[str] = set()
    sums = {"before": cost(found, before, prices, unknown), "after": cost(wanted, after, prices, unknown)}
    return {**sums, "unknown": sorted(unknown)}


def cost(found: Mapping[str, str], places: Iterable[Place], prices: Prices, unknown: set[str]) -> float | None:
    """What the instances cost in a month; None where a price is not known, which is then added to unknown."""
    total, missing = 0.0, set()
    for _, region in places:
        kind, instance = found.get("EndpointKind", "real-time"), found.get("InstanceType", "")
        price = None if kind in ("serverless", "batch") else prices.hourly(region, instance)
        if price is None:
            missing.add(by_use(kind, found) or f"no price of {instance or 'its instances'} in {region}")
        else:
            total += price * office_hours.average(found) * HOURS
    unknown |= missing
    return None if missing else round(total, 2)


def by_use(kind: str, found: Mapping[str, str]) -> str:
    """Why a kind has no cost that is known beforehand; "" for one that has."""
    if kind == "batch":
        return "transform jobs cost by their minutes"
    if kind != "serverless":
        return ""
    ready = found.get("ServerlessProvisionedConcurrency")
    also = f", and by the time for the {ready} that it is always ready for, of which no price is known" if ready else ""
    return f"a serverless endpoint costs by its requests{also}"


# -- what the approver reads first -------------------------------------------------------------


def summary(card: Mapping[str, Any]) -> str:
    """The text of the approval: version, approver, metrics, changes, cost; on one line."""
    version, prod = card["version"], card["stages"]["prod"]
    measured = shorten(", ".join(metric_text(metric) for metric in card["metrics"]) or "no metrics", METRICS_LIMIT)
    lines = card["first"]
    named = [f"({number}) {shorten(line, FIRST_LIMIT)}" for number, line in enumerate(lines[:FIRST], 1)]
    more = f" (of {len(lines)})" if len(lines) > FIRST else ""
    first = f"look first{more}: {'; '.join(named)}; " if named else ""
    between = "".join(f"{name} {between_text(one)}; " for name, one in card.get("between", {}).items())
    between += shadow_page.summary(card)
    alone = f"{production_alone.SAID}. " if card.get("production_alone") else ""
    return shorten(
        f"{alone}{card['project']} version {version['number']}, approved by {version['by']} at {version['at'][:16]}; "
        f"{first}{between}{measured}; production: {change_text(prod)}; monthly cost: {cost_text(prod['cost'])}."
    )


def between_text(stage: Mapping[str, Any]) -> str:
    """What a stage between staging and production says. stage: of tested()"""
    return f"passed on {counted(stage['endpoints'], 'endpoint')}" if stage["passed"] else "was not tested"


def metric_text(metric: Mapping[str, Any]) -> str:
    """A metric whose name, which a data scientist chooses, is one word: no sentence of the summary looks like it."""
    new = "none" if metric["new"] is None else f"{metric['new']:g}"
    name = one_word(metric["name"])
    return f"{name} {new}" + ("" if metric["live"] is None else f" (live {metric['live']:g})")


def change_text(stage: Mapping[str, Any]) -> str:
    verbs = {"joined": "added", "left": "removed"}
    moved = [
        f"{counted(len(stage[kind]), 'endpoint')} {verb}"
        for kind, verb in verbs.items()
        if stage["from"] and stage[kind]
    ]
    where = f"{counted(stage['accounts'], 'account')} in {', '.join(stage['regions'])}"
    nothing = ["nothing changes"] if stage.get("unchanged") and not moved else []
    return ", ".join([version_text(stage), where, *moved, *nothing])


def cost_text(costs: Mapping[str, Any]) -> str:
    return f"{money(costs['before'])} → {money(costs['after'])}"


# -- the card in the bucket --------------------------------------------------------------------


def publish(s3: S3Client, bucket: str, number: str, card: Mapping[str, Any]) -> tuple[str, str]:
    """Put the card into the artifact bucket; its key, and the SHA-256 of what it says."""
    key = key_of(str(card["execution"]), number)
    page = document(card, [Result(**result) for result in card["tests"]]).encode()
    said = {**card, "page_sha256": hashlib.sha256(page).hexdigest()}
    body = (json.dumps(said, indent=2, sort_keys=True) + "\n").encode()
    s3.put_object(Bucket=bucket, Key=key, Body=page, ContentType="text/html; charset=utf-8")
    s3.put_object(Bucket=bucket, Key=json_key(key), Body=body, ContentType="application/json")
    return key, hashlib.sha256(body).hexdigest()


def json_key(key: str) -> str:
    return key.removesuffix(".html") + ".json"
