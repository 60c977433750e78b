"""What a chapter leaves, as lines that a rehearsal and a real organization have in common: no ids, no times.

After each chapter the same looks are made, so that a line is what AWS did there, or the embedded AWS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.rehearsal.deploying import endpoint_name
from scripts.rehearsal.playing import Playing

VARIANT = (  # of an endpoint configuration: what the settings decide
    "InstanceType", "InitialInstanceCount", "ContainerStartupHealthCheckTimeoutInSeconds", "VolumeSizeInGB",
)  # fmt: skip


def observe(story: Playing) -> dict[str, str]:
    """The lines of now; none before there is a project."""
    if not story.project_id:
        return {}
    found = {**of_project(story), **of_execution(story)}
    if story.model_package_arn:
        found |= of_version(story)
    for endpoint in story.endpoints:
        right = endpoint["predictions"] == endpoint["expected"]
        where = f"endpoint of {endpoint['stage']}"
        found[f"{where}, version"] = endpoint["model_package_arn"].rsplit("/", 1)[1]
        found[f"{where}, status"] = endpoint["status"]
        found[f"{where}, golden payloads"] = "right" if right else " ".join(endpoint["predictions"])
        found |= of_variant(story, endpoint["stage"], endpoint["account"], endpoint["region"])
    return found


def of_project(story: Playing) -> dict[str, str]:
    shown = story.scientist.client("sagemaker").describe_project(ProjectName=story.project_name)
    return {"project, status": shown["ProjectStatus"]}


def of_execution(story: Playing) -> dict[str, str]:
    """The execution that is followed: its status, its stages and its actions."""
    if not story.execution_id:
        return {}
    found = {"execution, status": story.execution_status()}
    for stage in story.pipeline_state()["stageStates"]:
        latest = stage.get("latestExecution", {})
        if latest.get("pipelineExecutionId") == story.execution_id:
            found[f"stage {stage['stageName']}"] = latest["status"]
    for action in story.actions():
        details = action.get("output", {}).get("executionResult", {}).get("errorDetails", {})
        status = f"{action['status']} {details.get('code', '')}".rstrip()
        found[f"action {action['stageName']}/{action['actionName']}"] = status
        variables = action.get("output", {}).get("outputVariables", {})
        found[f"variables of {action['stageName']}/{action['actionName']}"] = " ".join(sorted(variables))
    return found


def of_version(story: Playing) -> dict[str, str]:
    shown = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=story.model_package_arn)
    return {
        "version, number": story.model_package_arn.rsplit("/", 1)[1],
        "version, approval": shown["ModelApprovalStatus"],
        "version, life cycle": " ".join(
            shown.get("ModelLifeCycle", {}).get(key, "") for key in ("Stage", "StageStatus")
        ),
    }


def of_variant(story: Playing, stage: str, account: str, region: str) -> dict[str, str]:
    sagemaker = story.owner(account, region).client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=endpoint_name(story, stage))["EndpointConfigName"]
    (variant, *_) = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return {f"endpoint of {stage}, {name}": str(variant[name]) for name in VARIANT if name in variant}


def differences(theirs: Sequence[Mapping[str, Any]], rehearsed: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Where the chapters of two summaries observed otherwise: each line with what AWS did, and the embedded AWS.

    A chapter that one of them did not play is one line.
    """
    known, found = {chapter["name"]: chapter for chapter in rehearsed}, []
    for chapter in theirs:
        name = chapter["name"]
        here, there = chapter["outcome"], known.get(name, {}).get("outcome", "not run")
        if here != there:
            found.append({"chapter": name, "what": "outcome", "aws": here, "embedded": there})
        if here != "succeeded" or there != "succeeded":
            continue
        of_aws, of_embedded = chapter["observed"], known[name].get("observed", {})
        for what in {**of_aws, **of_embedded}:
            aws, embedded = of_aws.get(what, "-"), of_embedded.get(what, "-")
            if aws != embedded:
                found.append({"chapter": name, "what": what, "aws": aws, "embedded": embedded})
    return found
