"""Pipelines of a version before 0.3, which run the code of their repositories: held up until their project is upgraded.

The roles of template 12 let them deploy published templates, so that a commit could still skip the approver.
`make accounts` disables the transitions into both stages, which a data scientist may not enable (template 13,
ChangeNoPipelines), and `make upgrade` enables them (CodePipeline API Reference, DisableStageTransition).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts.kit.connect import Connection, if_there, pages
from scripts.kit.console import say
from scripts.kit.plan import PlanStep

PIPELINE = re.compile(r"sagemaker-.+-deploy")
STAGES = {"DeployStaging", "DeployProd"}
CODE = "Kit"  # the source action of template 30 that brings the published code
REASON = "It runs the code of its repository. make upgrade opens it"  # CodePipeline takes no other punctuation


def is_unguarded(pipeline: Mapping[str, Any]) -> bool:
    """Whether a pipeline (as GetPipeline shows it) is the kit's, without published code."""
    stages = {stage["name"]: stage["actions"] for stage in pipeline["stages"]}
    source = {action["name"] for action in stages.get("Source", ())}
    return stages.keys() >= STAGES and CODE not in source


def open_stages(home: Connection, pipeline: str) -> list[str]:
    shown = home.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]
    names = [s["stageName"] for s in shown if s.get("inboundTransitionState", {}).get("enabled", True)]
    return [name for name in names if name in STAGES]


def plan(home: Connection) -> Iterator[PlanStep]:
    """A step for each such pipeline of the data science account."""
    codepipeline = home.client("codepipeline")
    for summary in pages(codepipeline, "list_pipelines", "pipelines"):
        name = summary["name"]
        if PIPELINE.fullmatch(name) and is_unguarded(codepipeline.get_pipeline(name=name)["pipeline"]):
            stages = open_stages(home, name)
            detail = "deploys nothing until make upgrade of its project"
            yield PlanStep("change" if stages else "keep", "pipeline", name, detail, {"stages": stages})


def apply(home: Connection, steps: Iterable[PlanStep]) -> None:
    for step in steps:
        for stage in step.request["stages"]:
            home.client("codepipeline").disable_stage_transition(
                pipelineName=step.name, stageName=stage, transitionType="Inbound", reason=REASON
            )


def open_again(connection: Connection, pipeline: str) -> None:
    """Enable what `make accounts` disabled, once the pipeline runs published code."""
    codepipeline = connection.client("codepipeline")
    shown = if_there(codepipeline.get_pipeline, name=pipeline)
    if shown is None or is_unguarded(shown["pipeline"]):
        return
    for stage in codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
        if stage.get("inboundTransitionState", {}).get("disabledReason") == REASON:
            codepipeline.enable_stage_transition(
                pipelineName=pipeline, stageName=stage["stageName"], transitionType="Inbound"
            )
            say(f"  {pipeline} may deploy again: {stage['stageName']}")
