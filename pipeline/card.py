"""The evidence card: what the approver sees before production changes.

The Build step gathers what is known before anything is deployed (card.json); TestStaging adds the tests, and
puts the whole card into the artifact bucket as evidence/EXECUTION.html. A manual approval shows at most 1,000
characters (CodePipeline API Reference, CustomData), so its text is short and its link leads to the card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.accounts import Account
from pipeline.clients import Clients
from pipeline.console import counted, shorten
from pipeline.page import document, money, version_text
from pipeline.prices import HOURS, Prices
from pipeline.registry import Version, numbers
from pipeline.report import Result
from pipeline.rollback import parameters_of
from pipeline.settings import Settings, Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

FILE = Path("card.json")
Place = tuple[str, str]  # account and Region


def key_of(execution: str) -> str:
    """The card's key in the artifact bucket; 30-project.yaml links to it."""
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
    prices = Prices(clients, settings.region)
    stages = {}
    live = ""
    for stage in settings.stages:
        found = parameters_of(clients("cloudformation", settings.region), stacks[stage.name])
        live = found.get("ModelPackageName", "")  # of production, which comes last
        before = places_of(clients("cloudformation", settings.region), stacks[stage.name], settings.call_as)
        after = {(account.id, region) for account in accounts[stage.name] for region in stage.regions}
        stages[stage.name] = {
            "from": number_of(live),
            "to": str(version.number),
            "joined": sorted(after - before),
            "left": sorted(before - after),
            "same": len(after & before),
            "accounts": len(accounts[stage.name]),
            "regions": list(stage.regions),
            "cost": costs(found, before, settings_of(stage, template), after, prices),
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
        "names": {account.id: account.name for found in accounts.values() for account in found if account.name},
        "prices": prices.sources(),
    }


def number_of(arn: str) -> str:
    return arn.rsplit("/", 1)[1] if "/" in arn else ""


def places_of(cloudformation: CloudFormationClient, stack_set: str, call_as: CallAsType) -> set[Place]:
    """Where a stage's endpoints are now: the instances of its stack set."""
    pages = cloudformation.get_paginator("list_stack_instances").paginate(StackSetName=stack_set, CallAs=call_as)
    try:
        return {(instance["Account"], instance["Region"]) for page in pages for instance in page["Summaries"]}
    except ClientError as error:
        if error.response["Error"]["Code"] == "StackSetNotFoundException":
            return set()
        raise


def live_metrics(sagemaker: SageMakerClient, arn: str) -> dict[str, float]:
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
        price = None if kind == "serverless" else prices.hourly(region, instance)
        if price is None:
            requests = "a serverless endpoint costs by its requests"
            missing.add(requests if kind == "serverless" else f"no price of {instance or 'its instances'} in {region}")
        else:
            total += price * int(found.get("InitialInstanceCount") or 1) * HOURS
    unknown |= missing
    return None if missing else round(total, 2)


# -- what the approver reads first -------------------------------------------------------------


def summary(card: Mapping[str, Any]) -> str:
    """The text of the approval: version, approver, metrics, changes, cost; on one line."""
    version, prod = card["version"], card["stages"]["prod"]
    measured = ", ".join(metric_text(metric) for metric in card["metrics"]) or "no metrics"
    return shorten(
        f"{card['project']} version {version['number']}, approved by {version['by']} at {version['at'][:16]}; "
        f"{measured}; production: {change_text(prod)}; monthly cost: {cost_text(prod['cost'])}."
    )


def metric_text(metric: Mapping[str, Any]) -> str:
    new = "none" if metric["new"] is None else f"{metric['new']:g}"
    return f"{metric['name']} {new}" + ("" if metric["live"] is None else f" (live {metric['live']:g})")


def change_text(stage: Mapping[str, Any]) -> str:
    verbs = {"joined": "added", "left": "removed"}
    moved = [
        f"{counted(len(stage[kind]), 'endpoint')} {verb}"
        for kind, verb in verbs.items()
        if stage["from"] and stage[kind]
    ]
    where = f"{counted(stage['accounts'], 'account')} in {', '.join(stage['regions'])}"
    return ", ".join([version_text(stage), where, *moved])


def cost_text(costs: Mapping[str, Any]) -> str:
    return f"{money(costs['before'])} → {money(costs['after'])}"


# -- the whole card ----------------------------------------------------------------------------


def publish(s3: S3Client, folder: Path, results: Iterable[Result]) -> str:
    """Put the whole card into the artifact bucket; its key."""
    card = json.loads((folder / FILE).read_text(encoding="utf-8"))
    key = key_of(card["execution"])
    s3.put_object(
        Bucket=card["bucket"], Key=key, Body=document(card, results).encode(), ContentType="text/html; charset=utf-8"
    )
    return key
