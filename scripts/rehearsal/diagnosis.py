"""Why something failed, or never began, where AWS itself says little; and its place in this repository.

AWS only counts events that no rule takes and deliveries that fail (EventBridge User Guide, "Monitoring
Amazon EventBridge", FailedInvocations); a state machine that failed is found by who looks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from localaws.cloud import Cloud
from localaws.cloudformation.stacks import Stacks
from localaws.services.events.pattern import mismatch
from localaws.services.events.service import EventsState, deliveries
from localaws.services.stepfunctions.service import StatesState
from scripts.kit.bundle import pack
from scripts.kit.stacks import data_science
from scripts.kit.stacks.stack import place
from scripts.rehearsal.permissions import read_refusals

TEMPLATES = {  # which of the kit's templates a stack is made from, by the stack's name
    **data_science.TEMPLATES,
    r"(StackSet-)?multi-account-deployment-target(-.+)?": "templates/20-target-account.yaml",
    r"SC-[0-9]{12}-pp-[a-zA-Z0-9_]+": pack.PRODUCT,
    r"sagemaker-.+-deploy-(staging|prod)": "templates/40-stage.yaml",
    r"StackSet-sagemaker-.+": "templates/50-endpoint.yaml",
}
SHORTEST_NAME = 12  # shorter names are words that may occur in a message by chance


def template_of(stack: str) -> str:
    """The template that a stack of this name is made from; "" for a stack that is not the kit's."""
    return next((file for name, file in TEMPLATES.items() if re.fullmatch(name, stack)), "")


def places(cloud: Cloud, root: Path, message: str) -> list[str]:
    """The kit's resources that a message names, each with the line where its template has it."""
    found: dict[str, None] = {}
    words = set(re.findall(r"[a-zA-Z0-9_+=,.@/-]+", message))
    words |= {part for word in words for part in word.split("/")} | {word.rstrip(".,") for word in words}
    for state in cloud.states(Stacks).values():
        for stack in list(state.by_id.values()):
            file = template_of(stack.name)
            if not file or not stack.alive:
                continue
            body = (root / file).read_text(encoding="utf-8")
            for resource in list(stack.resources.values()):
                name = re.split(r"[:/]", resource.physical_id)[-1]
                if len(name) >= SHORTEST_NAME and name in words:
                    found[f"{place(file, body, resource.logical_id)} {resource.logical_id} is {name}"] = None
    return list(found)


def refused(cloud: Cloud, root: Path) -> Iterator[str]:
    """Every refused request with the statement that denied it, or what is missing, and their places in the kit."""
    for one in read_refusals(cloud.folder / "requests.jsonl"):
        yield f"refused for {one.who}: {one.action} on {one.resource}: {one.missing}"
        known = places(cloud, root, f"{one.who} {one.missing}")
        for file in dict.fromkeys(at.partition(":")[0] for at in known):
            lines = (root / file).read_text(encoding="utf-8").splitlines()
            for label in dict.fromkeys(re.findall(r"\bstatement ([a-zA-Z0-9]+) of ", one.missing)):
                found = [number for number, line in enumerate(lines, 1) if re.search(rf"\bSid: {label}\b", line)]
                known += [f"{file}:{number} statement {label}" for number in found]
        yield from (f"    {at}" for at in known)


def event_stories(cloud: Cloud, account: str, region: str, detail_type: str) -> Iterator[str]:
    """What became of the newest event of a type: rules that it does not match, and why; deliveries that failed."""
    state = cloud.state(EventsState, account, region)
    with state.lock:
        events = [event for event in state.recent if event["detail-type"] == detail_type]
        rules = [(name, rule.pattern) for (_, name), rule in state.rules.items() if rule.pattern]
    if not events:
        yield f"there was no event {detail_type!r}"
        return
    for name, pattern in rules:
        reason = mismatch(pattern, events[-1])
        yield f"rule {name} does not take the event {detail_type!r}: {reason}" if reason else f"rule {name} took it"
    for delivery in deliveries(cloud, failed=True):
        if delivery.event["id"] == events[-1]["id"]:
            yield f"rule {delivery.rule} could not deliver to {delivery.target}: {delivery.failed}"


def failed_state_machines(cloud: Cloud, account: str, region: str) -> Iterator[str]:
    """The newest execution of each state machine, where it failed."""
    for machine in cloud.state(StatesState, account, region).machines.values():
        runs = sorted(machine.runs.values(), key=lambda run: run.started)
        if runs and runs[-1].status == "FAILED":
            yield f"state machine {machine.name}: {runs[-1].error}: {runs[-1].cause}"
