"""The steps GateShadow, GateRemoval and CheckShadow: whether a candidate may be production's shadow, what takes it away
again, and whether it ran.

GateShadow admits what an approver allowed by ApproveShadow of this very execution: all that Build handed on by its
hash, the version as Build found it, production as it was then with nothing but the shadow added, and an approver who,
with FourEyes, is not the version's author. Only then production's accounts may read the version (sharing.py). What it
decided is written beside the evidence, once: a decision of the record would count as one to go to production.
GateRemoval asks whether production is still what the shadow was added to.

Each looks after CloudFormation has made the change set that the next action executes. "When you execute a change set,
CloudFormation deletes all other change sets" of the stack, and one is "in an OBSOLETE state because the stack was
already updated" (CloudFormation API Reference, ExecuteChangeSet, ChangeSetSummary). So an action that is retried alone
(RetryStageExecution, FAILED_ACTIONS) either comes before the gate, or finds no change set for another production.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline import frozen, live, record, shadow
from pipeline.console import UserError, counted, say, shorten
from pipeline.gating import Gate, approval_of, decided, in_stage, same_author
from pipeline.sharing import share

APPROVAL_STAGE = "ApproveShadow"  # and its action of the same name


def admit(gate: Gate) -> dict[str, str]:
    """Let the candidate into production's shadow; what the action exports. UserError where it stays out."""
    key = f"evidence/{gate.execution}/shadow-{gate.number}.json"
    document = decided(gate, key, problems_of)
    if not document["passed"]:
        raise UserError(f"production gets no shadow: {document['reason']}")
    share(gate.clients, gate.manifest, "prod")
    text = f"version {document['version']} may be production's shadow: {document['approval']['by']} allowed it"
    say(text)
    return {"SUMMARY": shorten(text)}


def let_go(gate: Gate) -> dict[str, str]:
    """What the action GateRemoval exports; UserError where production is another one than the shadow was added to."""
    if wrong := list(against(gate)):
        raise UserError(f"production stays as it is: {'; '.join(wrong)}")
    text = "production is as it was, but for its shadow"
    say(text)
    return {"SUMMARY": shorten(text)}


def ran(gate: Gate) -> dict[str, str]:
    """What the action CheckShadow exports; UserError where the version did not run as a shadow, or nothing says it."""
    prefix = f"{record.OUTCOMES}{gate.execution}/shadow-"
    found = record.by_time(record.read(gate.clients("s3", gate.region), gate.bucket, prefix))
    version = gate.manifest["model_package"]["version"]
    if not found:
        raise UserError("the step TestShadow has recorded nothing: retry the stage DeployShadow")
    gone = [one for one in found[-1].get("places", []) if one.get("gone")]
    if gone:
        more = f", and {counted(len(gone) - 1, 'more endpoint')}" if gone[1:] else ""
        raise UserError(
            f"version {version} did not run in production's shadow, in {gone[0]['account']} {gone[0]['region']}{more}: "
            f"{gone[0]['problem']}. Production serves as before. Retry the stage DeployShadow once the cause is gone"
        )
    text = f"version {version} ran in production's shadow"
    say(text)
    return {"SUMMARY": text}


def problems_of(gate: Gate, document: dict[str, Any]) -> Iterator[str]:
    """Everything that speaks against the shadow. document: what is written down, which is completed"""
    manifest = gate.manifest
    package = manifest["model_package"]
    document |= {"version": package["version"], "arn": package["arn"]}
    if not shadow.is_planned(manifest):
        yield f"Build has planned none. {gate.again()}"
        return
    if manifest["pipeline_execution_id"] != gate.execution:
        yield (
            f"its manifest belongs to execution {manifest['pipeline_execution_id']}: a rollback starts no shadow. "
            "Roll back DeployProd"
        )
        return
    approval = approval_of(gate, APPROVAL_STAGE)
    if approval is None:
        yield f"no person has let execution {gate.execution} in. {gate.again()}"
        return
    document["approval"] = approval
    if why := same_author(gate, approval["by"]):
        yield f"FourEyes: {why}: another person must let the version in. {gate.again()}"
    yield from frozen.changed(gate.clients, package, since_build=True)
    yield from against(gate)


def against(gate: Gate) -> Iterator[str]:
    """Why production, as it is at the moment, gets neither the shadow nor what it had without it."""
    production = gate.live("prod")
    if wrong := live.not_deployable("production", gate.manifest["stages"]["prod"]["stack_set_name"], production):
        yield wrong
    given = {
        name: json.loads((gate.given / name).read_text(encoding="utf-8"))["Parameters"]
        for name in (shadow.WITH, shadow.WITHOUT)
    }
    for problem in shadow.problems(gate.manifest, given, production):
        yield f"{problem}. {gate.again()}"
    if other := in_stage(gate, "DeployProd"):
        yield f"execution {other} is deploying to production, which is another one then. {gate.again()}"


STEPS = {"shadow": admit, "without_shadow": let_go, "shadow_ran": ran}  # by STEP, as 30-project.yaml names them
