"""A pipeline's history for the unit tests of the steps: its executions with their actions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.fake_services import Fake

OTHERS = {"Source": "Succeeded", "Build": "Succeeded"}
STAGED = {**OTHERS, "DeployResourcesStaging": "Succeeded", "TestStaging": "Succeeded"}
WHOLE = {**STAGED, "ApproveDeployment": "Succeeded", "DeployResourcesProd": "Succeeded", "TestProd": "Succeeded"}
IN_SHADOW = {"DeployResourcesShadow": "Succeeded", "TestShadow": "InProgress"}
WAITING = {**STAGED, "ApproveDeployment": "InProgress"}


def pipeline(*runs: tuple[str, str, str, Mapping[str, str] | list[tuple[str, str]]]) -> Fake:
    """A CodePipeline client with these executions, the newest first: id, status, version, actions; a day for each.

    actions: in the order in which they began; a list where a stage was retried, so that some began twice
    """
    summaries: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for number, (id, status, version, actions) in enumerate(reversed(runs), 1):
        summaries.insert(0, {"pipelineExecutionId": id, "status": status})
        began = actions.items() if isinstance(actions, Mapping) else actions
        for name, state in began:
            output = {"outputVariables": {"MODEL_PACKAGE_VERSION": version}} if name == "Build" else {}
            category = "Approval" if name == "ApproveDeployment" else "Deploy"
            details.append(
                {
                    "pipelineExecutionId": id,
                    "actionName": name,
                    "status": state,
                    "startTime": datetime(2026, 3, number, tzinfo=UTC),
                    "input": {"actionTypeId": {"category": category}},
                    "output": output,
                }
            )
    return Fake(
        list_pipeline_executions=[{"pipelineExecutionSummaries": summaries}],
        list_action_executions=[{"actionExecutionDetails": details}],
        stop_pipeline_execution={},
    )
