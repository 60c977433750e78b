"""The pipelines of another team's template: follow them until they rest, and answer their approvals."""

from __future__ import annotations

import time
from typing import Any

from scripts.kit.console import UserError, say
from scripts.kit.projects.history import ENDED
from scripts.rehearsal.other_templates.project import stack_resources
from scripts.rehearsal.other_templates.run import PIPELINE, Run

QUIET = 0.6  # seconds without any activity, after which the pipelines count as resting


def pipeline_names(run: Run) -> list[str]:
    found = stack_resources(run, run.stack_id) if run.stack_id else []
    return [r["PhysicalResourceId"] for r in found if r["ResourceType"] == PIPELINE and r.get("PhysicalResourceId")]


def follow(run: Run) -> None:
    """Wait until every pipeline rests, answering the approvals that they ask for."""
    names, quiet_since, patience = pipeline_names(run), time.monotonic(), run.options.patience

    def quiet() -> bool:
        nonlocal quiet_since
        if busy(run, names) or (run.options.approve and approve(run, names)):
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET

    late = UserError(f"the pipelines did not come to rest in {patience:.0f} s (--patience)")
    run.until("the pipelines", quiet, patience, late)


def busy(run: Run, names: list[str]) -> bool:
    """True while a pipeline works, or waits for something other than a person."""
    session = run.cloud.root(run.account, run.options.region)
    for name in names:
        executions = session.client("codepipeline").list_pipeline_executions(pipelineName=name)
        listed = executions["pipelineExecutionSummaries"]
        going = [e["pipelineExecutionId"] for e in listed if e["status"] not in ENDED]
        if not listed or (going and not all(waits(run, name, id) for id in going)):
            return True
    sagemaker = session.client("sagemaker")
    for pipeline in sagemaker.list_pipelines()["PipelineSummaries"]:
        runs = sagemaker.list_pipeline_executions(PipelineName=pipeline["PipelineName"])["PipelineExecutionSummaries"]
        if any(r["PipelineExecutionStatus"] in {"Executing", "Stopping"} for r in runs):
            return True
    return False


def waits(run: Run, pipeline: str, execution: str) -> bool:
    """True where the execution continues only after a person's answer, or when another execution makes room."""
    stages = pipeline_state(run, pipeline)["stageStates"]
    for stage in stages:
        if execution in [e["pipelineExecutionId"] for e in stage.get("inboundExecutions", [])]:
            return any(open_approvals(s) for s in stages)
        if stage.get("latestExecution", {}).get("pipelineExecutionId") == execution:
            running = [a for a in stage["actionStates"] if a.get("latestExecution", {}).get("status") == "InProgress"]
            if running and len(open_approvals(stage)) == len(running):
                return True
    return False


def open_approvals(stage: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions of a stage that wait for an approval."""
    latest = [a for a in stage["actionStates"] if a.get("latestExecution", {}).get("token")]
    return [a for a in latest if a["latestExecution"]["status"] == "InProgress"]


def pipeline_state(run: Run, name: str) -> dict[str, Any]:
    codepipeline = run.cloud.root(run.account, run.options.region).client("codepipeline")
    state: dict[str, Any] = codepipeline.get_pipeline_state(name=name)
    return state


def approve(run: Run, names: list[str]) -> bool:
    """Answer one thing that waits for a person; True where there was one."""
    codepipeline = run.administrator.client("codepipeline")
    for name in names:
        for stage in pipeline_state(run, name)["stageStates"]:
            for action in open_approvals(stage):
                codepipeline.put_approval_result(
                    pipelineName=name,
                    stageName=stage["stageName"],
                    actionName=action["actionName"],
                    token=action["latestExecution"]["token"],
                    result={"status": "Approved", "summary": "Approved by the rehearsal"},
                )
                say(f"    approved {stage['stageName']}/{action['actionName']} of {name}")
                return True
    for package in pending_models(run):
        if package not in run.approved:
            run.approved.add(package)
            sagemaker = run.administrator.client("sagemaker")
            sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
            say(f"    approved {package}")
            return True
    return False


def pending_models(run: Run) -> list[str]:
    """Versions of models that wait for approval, in every group of the account."""
    sagemaker = run.cloud.root(run.account, run.options.region).client("sagemaker")
    found = []
    for group in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        listed = sagemaker.list_model_packages(
            ModelPackageGroupName=group["ModelPackageGroupName"], ModelApprovalStatus="PendingManualApproval"
        )
        found += [package["ModelPackageArn"] for package in listed["ModelPackageSummaryList"]]
    return found
