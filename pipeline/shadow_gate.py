"""The step GateShadow: whether a candidate may see what production is asked, before its deployment is decided on.

It admits what an approver allowed by ApproveShadow of this very execution: all that Build handed on by its hash, the
version as Build found it, production as it was then with nothing but the shadow added, and an approver who, with
FourEyes, is not the version's author. Only then production's accounts may read the version (sharing.py). What it
decided is written beside the evidence, once: a decision of the record would count as one to go to production.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline import frozen, live, shadow
from pipeline.console import UserError, say, shorten
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
    production = gate.live("prod")
    if wrong := live.not_deployable("production", manifest["stages"]["prod"]["stack_set_name"], production):
        yield wrong
    given = {
        name: json.loads((gate.given / name).read_text(encoding="utf-8"))["Parameters"]
        for name in (shadow.WITH, shadow.WITHOUT)
    }
    for problem in shadow.problems(manifest, given, production):
        yield f"{problem}. {gate.again()}"
    if other := in_stage(gate, "DeployProd"):
        yield f"execution {other} is deploying to production, which is another one then. {gate.again()}"
