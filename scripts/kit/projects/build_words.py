"""Why a step of the pipeline failed, in the step's own words.

CodePipeline says of a build only that a command failed. The kit's steps export why, as SUMMARY (pipeline/console.py),
and CodeBuild keeps it (API Reference, BatchGetBuilds, exportedEnvironmentVariables).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scripts.kit.connect import unless

if TYPE_CHECKING:
    from mypy_boto3_codebuild import CodeBuildClient

NOT_SEEN = {"AccessDeniedException"}


def said(codebuild: CodeBuildClient, action: Mapping[str, Any]) -> str:
    """What a failed build said; "" where it said nothing, is none, or may not be seen.

    action: its latest execution, as GetPipelineState has it
    """
    build = action.get("externalExecutionId", "")
    if action.get("status") != "Failed" or ":" not in build:
        return ""
    found = unless(NOT_SEEN, codebuild.batch_get_builds, ids=[build])
    exported = [one for build in (found or {"builds": []})["builds"] for one in build["exportedEnvironmentVariables"]]
    return next((one["value"].removeprefix("Failed: ") for one in exported if one["name"] == "SUMMARY"), "")
