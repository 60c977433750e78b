"""Stages before production that are removed once production has passed its tests, where their file asks for it.

staging-config.json, "remove_after_production": true. The next version is deployed there afresh. The last stage of the
pipeline, RemoveStaging, deletes their stacks as CodePipeline does it (30-project.yaml, DELETE_ONLY); Build and the
action Removal of this stage say which. Removal keeps a stage that another execution uses or has deployed to: that
execution removes it at its own end.

A stage's stack is sagemaker-PROJECT-ID-deploy-STAGE. The pipeline's action gets the word before the stage, so that no
answer of this module makes it name production's. For a stage that is kept the word names a stack that there is not,
and "the action is completed successfully without deleting a stack" (CodePipeline User Guide, "CloudFormation deploy
action reference").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline import live
from pipeline.console import UserError, say
from pipeline.documents import Rule, problem, shown
from pipeline.live import UNDER_WAY, LiveStage
from pipeline.parameters import with_defaults

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from pipeline.gating import Gate

KEY, PRODUCTION = "remove_after_production", "prod"
NONE = "none"  # of the variable that Build exports: 30-project.yaml skips the stage
REMOVED, KEPT = "deploy", "kept-deploy"  # the word before the stage in the name of the stack that is deleted
SWITCH = Rule(lambda value: isinstance(value, bool), "true or false", "true")
# While a stage is being deleted, for a new deployment to it. A build on Lambda compute ends after 15 minutes.
POLL_SECONDS, POLL_LIMIT = (0.5, 10.0), 10 * 60.0


def problems_of(file: str, config: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the setting in a stage's file."""
    if KEY not in config:
        return
    if wrong := problem(KEY, config[KEY], SWITCH):
        yield f"{file}: {wrong}"
    elif file == f"{PRODUCTION}-config.json":
        yield (
            f"{file}: {KEY} is {shown(config[KEY])}: it is for the stages before production. Take it out, and write it "
            "into the file of such a stage, staging-config.json, such as true"
        )


def asked(config: Mapping[str, Any]) -> bool:
    """Whether a stage is removed. config: its file, or what the manifest holds of it"""
    return config.get(KEY) is True


def of(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The stages that are removed. stages: of the manifest"""
    return [name for name, part in stages.items() if asked(part["config"])]


def exported(stages: Mapping[str, Mapping[str, Any]]) -> str:
    """The same as a variable of the pipeline."""
    return ",".join(of(stages)) or NONE


# -- after production --------------------------------------------------------------------------


def step(gate: Gate) -> dict[str, str]:
    """What the action Removal exports."""
    states = gate.clients("codepipeline", gate.region).get_pipeline_state(name=gate.pipeline)["stageStates"]
    return words(gate.manifest, gate.wanted, gate.live, gate.template, other_executions(states, gate.execution))


def words(
    manifest: Mapping[str, Any],
    wanted: Callable[[str], Mapping[str, str]],
    now: Callable[[str], LiveStage],
    template: str,
    others: Iterable[str],
) -> dict[str, str]:
    """By stage, in capitals, the word that removes or keeps it.

    wanted, now: the parameters that a stage got from this execution, and the stage as it is
    template: the text of 40-stage.yaml; others: see other_executions
    """
    found, busy = {}, ", ".join(others)
    removed = of(manifest["stages"])
    for name in manifest["stages"]:
        if name == PRODUCTION:
            continue
        why = "" if name in removed else "its settings keep it"
        if not why:
            why = f"execution {busy} is under way" if busy else superseded(wanted(name), now(name), template)
        say(f"{name}: kept, since {why}" if why else f"{name}: is removed")
        found[name.upper()] = KEPT if why else REMOVED
    return found


def superseded(wanted: Mapping[str, str], now: LiveStage, template: str) -> str:
    """Why a stage is not this execution's any more; "" where it is."""
    if not now.status:
        return "it has no stack"
    card = {"parameters": with_defaults(wanted, template), "places": [list(place) for place in now.places]}
    other = live.differences(card, now, "deployed was")
    return f"another execution has deployed to it: {'; '.join(other)}" if other else ""


def other_executions(states: Iterable[Mapping[str, Any]], execution: str) -> list[str]:
    """The other executions that are in a stage of the pipeline, or wait for one. states: of GetPipelineState"""
    found = []
    for state in states:
        latest = state.get("latestExecution", {})
        found += [latest["pipelineExecutionId"]] if latest.get("status") in UNDER_WAY else []
        inbound = [*state.get("inboundExecutions", []), state.get("inboundExecution", {})]
        found += [one["pipelineExecutionId"] for one in inbound if one.get("pipelineExecutionId")]
    return [one for one in dict.fromkeys(found) if one != execution]


# -- before the next deployment ----------------------------------------------------------------


def wait_for(cloudformation: CloudFormationClient, stack: str) -> None:
    """Wait until a stage that is being removed is gone; UserError where it still is there after the limit."""
    pause, ends = POLL_SECONDS[0], time.monotonic() + POLL_LIMIT
    while (found := live.stack_of(cloudformation, stack)) and found["StackStatus"] == "DELETE_IN_PROGRESS":
        if time.monotonic() > ends:
            raise UserError(
                f"the stack {stack} is still being deleted after {POLL_LIMIT / 60:g} minutes: its stage is removed "
                "after production. Release the change again once `make status` shows that it is gone"
            )
        say(f"waiting until the stack {stack} is removed")
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS[1])
