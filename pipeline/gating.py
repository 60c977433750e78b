"""What the steps of the gate decide on, and what CodePipeline says of the execution that they are part of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from pipeline import live, people, production_alone, record
from pipeline.clients import Clients
from pipeline.console import UserError
from pipeline.executions import pipeline_name
from pipeline.live import UNDER_WAY, LiveStage
from pipeline.manifest import digest

MANIFEST, STAGE_TEMPLATE = "deployment.json", "40-stage.yaml"


@dataclass(frozen=True)
class Gate:
    """What a step decides on. manifest_sha256: of all that Build handed on, as CodePipeline kept it

    given: the folder of Build's artifact; kit: that of the published code; number: of this build
    production_alone: whether the project has no staging, as its template says
    """

    manifest_sha256: str
    execution: str
    project: str
    project_id: str
    bucket: str
    four_eyes: bool
    number: str
    region: str
    given: Path
    kit: Path
    clients: Clients
    production_alone: bool = False

    @property
    def pipeline(self) -> str:
        return pipeline_name(self.project, self.project_id)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What is to be deployed; UserError unless it is what the Build step wrote, for the project as it is."""
        found = digest(self.given)
        if found != self.manifest_sha256:
            raise UserError(
                f"the deployment's artifact is not what the Build step wrote (SHA-256 {found}, written was "
                f"{self.manifest_sha256}): find out in CloudTrail who wrote it. {self.again()}"
            )
        manifest = cast("dict[str, Any]", json.loads((self.given / MANIFEST).read_text(encoding="utf-8")))
        if why := production_alone.contradiction(manifest, self.production_alone):
            raise UserError(f"the deployment does not fit the project: {why}. {self.again()}")
        return manifest

    @property
    def template(self) -> str:
        return (self.kit / STAGE_TEMPLATE).read_text(encoding="utf-8")

    def wanted(self, stage: str) -> dict[str, str]:
        """The parameters that the stage's stack gets."""
        text = (self.given / f"{stage}-parameters.json").read_text(encoding="utf-8")
        return cast("dict[str, str]", json.loads(text)["Parameters"])

    def live(self, stage: str) -> LiveStage:
        part = self.manifest["stages"][stage]
        cloudformation = self.clients("cloudformation", self.region)
        return live.look(cloudformation, part["stack_set_name"], part["stack_set_call_as"])

    def author(self, version: int) -> Mapping[str, Any] | None:
        """Who approved the version, as SageMaker knows the person; None where the record does not say."""
        s3 = self.clients("s3", self.region)
        found = [e for e in record.entries(s3, self.bucket) if (e.version, e.status) == (version, "Approved")]
        return record.entry(s3, self.bucket, found[-1].key).get("by") if found else None

    def again(self) -> str:
        """How a new execution asks again."""
        version = ""
        if "manifest" in self.__dict__:
            version = f" --variables name=ModelPackageVersion,value={self.manifest['model_package']['version']}"
        return (
            "A new execution asks with a new card: "
            f"aws codepipeline start-pipeline-execution --name {self.pipeline}{version}"
        )


def runs_of(gate: Gate) -> list[Mapping[str, Any]]:
    """Every run of an action in this execution."""
    pages = gate.clients("codepipeline", gate.region).get_paginator("list_action_executions")
    filtered = pages.paginate(pipelineName=gate.pipeline, filter={"pipelineExecutionId": gate.execution})
    return [run for page in filtered for run in page["actionExecutionDetails"]]


def actions_of(gate: Gate, stage: str) -> dict[str, Any]:
    """The latest run of each action of a stage in this execution, by name."""
    runs = [run for run in runs_of(gate) if run["stageName"] == stage]
    return {str(run["actionName"]): run for run in sorted(runs, key=lambda run: run["startTime"])}


def approval_of(gate: Gate, stage: str) -> dict[str, str] | None:
    """Who let this execution past a manual approval, which has its stage's name; None where no person has."""
    answer = actions_of(gate, stage).get(stage)
    if not answer or answer["status"] != "Succeeded":
        return None
    comment = answer.get("output", {}).get("executionResult", {}).get("externalExecutionSummary", "")
    at = answer["lastUpdateTime"].isoformat()
    return {"by": str(answer.get("updatedBy", "")), "comment": comment, "at": at}


def same_author(gate: Gate, by: str) -> str:
    """Why this person may not approve the version's deployment, with FourEyes; "" without, or where they may."""
    if not gate.four_eyes:
        return ""
    return people.same_person(gate.author(gate.manifest["model_package"]["version"]), by)


def in_stage(gate: Gate, stage: str) -> str:
    """Another execution that is in a stage of the pipeline at the moment, "" for none."""
    states = gate.clients("codepipeline", gate.region).get_pipeline_state(name=gate.pipeline)["stageStates"]
    for latest in (state.get("latestExecution") for state in states if state["stageName"] == stage):
        if latest and latest["status"] in UNDER_WAY:
            return latest["pipelineExecutionId"] if latest["pipelineExecutionId"] != gate.execution else ""
    return ""


def decided(
    gate: Gate, key: str, problems_of: Callable[[Gate, dict[str, Any]], Iterator[str]], **more: Any
) -> dict[str, Any]:
    """What is decided on this execution, once it is written down; passed: nothing speaks against it, reason: what does.

    key: of the entry, which is written once; problems_of: what speaks against it, which completes the entry
    more: of the entry
    """
    document: dict[str, Any] = {
        "schema": 1,
        "execution": gate.execution,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "manifest_sha256": gate.manifest_sha256,
        **more,
    }
    try:
        problems = list(problems_of(gate, document))
    except UserError as error:
        problems = [str(error)]
    document |= {"passed": not problems, "reason": "; ".join(problems)}
    if not record.write(gate.clients("s3", gate.region), gate.bucket, key, document):
        raise UserError(f"{key} is in the record already, so this decision cannot be kept: retry the stage")
    return document
