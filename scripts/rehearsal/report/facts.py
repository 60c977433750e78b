"""What the page of a rehearsal shows, gathered from the embedded AWS while it still runs: plain data."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud
from localaws.cloudformation.stacks import Stacks
from scripts.kit.connect import pages
from scripts.kit.organization.members import Member
from scripts.rehearsal.permissions import read_requests
from scripts.rehearsal.playing import Playing
from scripts.rehearsal.story import Story

SPECIES = ("setosa", "versicolor", "virginica")  # seed-code/model-build: the classes 0, 1 and 2 of iris.csv


@dataclass(frozen=True)
class Span:
    """Something that took time; start and end are seconds since the epoch."""

    kind: str
    name: str
    start: float
    end: float
    status: str
    detail: str = ""


@dataclass(frozen=True)
class Unit:
    """A unit of the organization (or its root), with the accounts right in it and the units beneath."""

    name: str
    accounts: tuple[Member, ...]
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class StackEvents:
    """The events of one stack, oldest first, in the form of DescribeStackEvents."""

    account: str
    region: str
    stack: str
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Point:
    """One flower of iris.csv: petal length and width in cm, its class, and what the endpoint says."""

    length: float
    width: float
    true: int
    predicted: int


# What the record lacks of a request that is malformed: it is refused before any policy is looked at.
UNDECIDED = {"action": "", "resource": "", "decision": "malformed", "statement": ""}


@dataclass(frozen=True)
class Facts:
    summary: Mapping[str, Any]
    spans: tuple[Span, ...] = ()
    organization: Unit | None = None
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what runs in each account
    stacks: tuple[StackEvents, ...] = ()
    builds: tuple[tuple[str, str], ...] = ()  # name and log
    requests: tuple[Mapping[str, Any], ...] = ()
    points: tuple[Point, ...] = ()
    embedded: bool = True  # or a real organization, whose stacks, builds and requests are not recorded


def gather(story: Story, summary: Mapping[str, Any]) -> Facts:
    """Everything, for a story that succeeded, failed or stopped early: what there is not is left out."""
    written = read_requests(story.cloud.folder / "requests.jsonl")  # before those that are made here
    requests = tuple({**UNDECIDED, **request} for request in written)
    stacks = tuple(stack_events(story.cloud))
    known = hasattr(story, "setting")
    return Facts(
        summary=summary,
        spans=tuple(spans(story)),
        organization=organization(story) if known else None,
        runs=runs(stacks, summary),
        stacks=stacks,
        builds=tuple(
            builds(story.cloud.folder / "builds", min((c.began for c in story.chapters if c.began), default=0))
        ),
        requests=requests,
        points=tuple(points(story)) if story.endpoints and story.example == "iris" else (),
    )


def spans(story: Playing) -> Iterator[Span]:
    """The chapters, and the actions of every execution of the story's pipeline."""
    for chapter in story.chapters:
        if chapter.began:
            yield Span("chapter", chapter.title, chapter.began, chapter.began + chapter.seconds, chapter.outcome)
    if not story.project_id:
        return
    pipeline = story.scientist.client("codepipeline").get_paginator("list_action_executions")
    for page in pipeline.paginate(pipelineName=story.pipeline_name):
        for action in reversed(page["actionExecutionDetails"]):
            result = action.get("output", {}).get("executionResult", {})
            yield Span(
                "action",
                f"{action['stageName']} / {action['actionName']}",
                action["startTime"].timestamp(),
                action["lastUpdateTime"].timestamp(),
                action["status"],
                result.get("errorDetails", {}).get("message", "") or result.get("externalExecutionSummary", ""),
            )


def of_acceptance(story: Playing, summary: Mapping[str, Any]) -> Facts:
    """What there is to see of a real organization, from outside."""
    accounts = tuple(Member(account, name) for name, account in story.setting.accounts.items())
    return Facts(
        summary=summary,
        spans=tuple(spans(story)),
        organization=Unit("This organization", accounts, ()),
        runs=runs((), summary),
        points=tuple(points(story)) if story.endpoints else (),
        embedded=False,
    )


def organization(story: Story) -> Unit:
    """The organization as the management account sees it; without one, the accounts alone."""
    if not story.setting.management:
        accounts = tuple(Member(account, name) for name, account in story.setting.accounts.items())
        return Unit("No organization", accounts, ())
    organizations = story.cloud.root(story.setting.management, story.region).client("organizations")

    def unit(id: str, name: str) -> Unit:
        accounts = pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=id)
        beneath = pages(organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=id)
        return Unit(
            name,
            tuple(Member(account["Id"], account["Name"]) for account in accounts),
            tuple(unit(child["Id"], child["Name"]) for child in beneath),
        )

    return unit(organizations.list_roots()["Roots"][0]["Id"], "Root")


def stack_events(cloud: Cloud) -> Iterator[StackEvents]:
    """Every stack of every account, in the order of their first events."""
    found = []
    for account, region in sorted(cloud.states(Stacks)):
        client = cloud.root(account, region).client("cloudformation")
        for page in client.get_paginator("list_stacks").paginate():
            for stack in page["StackSummaries"]:
                events = [
                    event
                    for part in client.get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
                    for event in part["StackEvents"]
                ]
                found.append(StackEvents(account, region, stack["StackName"], tuple(reversed(events))))
    return iter(sorted(found, key=lambda one: one.events[0]["Timestamp"] if one.events else 0))


def runs(stacks: tuple[StackEvents, ...], summary: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What runs in each account: its stacks that stand, and its endpoints."""
    found: dict[str, list[str]] = {}
    for stack in stacks:
        last = stack.events[-1]["ResourceStatus"] if stack.events else ""
        if not last.startswith("DELETE"):
            found.setdefault(stack.account, []).append(f"stack {stack.stack}: {last}")
    for endpoint in summary["endpoints"]:
        version = endpoint["model_package_arn"].rsplit("/", 1)[1]
        line = f"endpoint {endpoint['name']} ({endpoint['region']}): {endpoint['status']}, version {version}"
        found.setdefault(endpoint["account"], []).append(line)
    return {account: tuple(lines) for account, lines in found.items()}


def builds(folder: Path, since: float) -> Iterator[tuple[str, str]]:
    """The log of every build that ended after since (seconds since the epoch), in the order in which they ended.

    The folder may hold those of earlier rehearsals too.
    """
    ended = {log: log.stat().st_mtime for log in folder.glob("*/*.log")}
    for log in sorted((log for log in ended if ended[log] >= since), key=ended.__getitem__):
        yield f"{log.parent.name} {log.stem}", log.read_text(encoding="utf-8", errors="replace")


def points(story: Playing) -> Iterator[Point]:
    """The whole of iris.csv, as the last endpoint of the story answers it (in production, where it got so far)."""
    endpoint = story.endpoints[-1]
    lines = (story.root / "seed-code/model-build/data/iris.csv").read_text(encoding="utf-8").splitlines()
    rows = [[float(value) for value in row] for row in csv.reader(lines)]
    body = "\n".join(",".join(f"{value:g}" for value in row[1:]) for row in rows)
    runtime = story.owner(endpoint["account"], endpoint["region"]).client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint["name"], ContentType="text/csv", Body=body.encode())
    predicted = answer["Body"].read().decode().replace("\n", ",").strip(",").split(",")
    for row, value in zip(rows, predicted, strict=True):
        yield Point(row[3], row[4], int(row[0]), round(float(value)))
