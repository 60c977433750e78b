"""What CodeBuild remembers in one account and Region, and how it answers lists."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from localaws.calls import Call
from localaws.cloud import Cloud, refuse_unless

INVALID = "InvalidInputException"
PAGE = 100
Item = TypeVar("Item")


@dataclass
class BuildStop:
    """Asks a running build to end."""

    asked: threading.Event = field(default_factory=threading.Event)


@dataclass
class CodeBuildState:
    """Projects, builds, report groups and reports; records are dictionaries shaped as the API shows them."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id, oldest first
    stops: dict[str, BuildStop] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)  # StartBuild's: parameters, build id
    started: dict[str, dict[str, Any]] = field(default_factory=dict)  # by build id: what StartBuild was given
    report_groups: dict[str, dict[str, Any]] = field(default_factory=dict)  # by ARN
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)  # by ARN, oldest first
    test_cases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by the report's ARN


@dataclass(frozen=True)
class PipelineBuild:
    """What CodePipeline tells CodeBuild beside StartBuild: where the artifacts are.

    input_artifacts, output_artifacts: (bucket, key) by the artifact's name
    primary: the name of the input whose files become CODEBUILD_SRC_DIR
    encryption_key: the artifact store's key; None for the account's default one
    source_revision: of the primary input, where the pipeline knows it
    """

    pipeline_arn: str
    input_artifacts: dict[str, tuple[str, str]]
    primary: str
    output_artifacts: dict[str, tuple[str, str]]
    encryption_key: str | None = None
    source_revision: str = ""


@dataclass
class PipelineWork:
    """Builds that CodePipeline is about to start, by StartBuild's idempotency token (the action execution id)."""

    by_token: dict[str, PipelineBuild] = field(default_factory=dict)


def state_of(cloud: Cloud, account: str, region: str) -> CodeBuildState:
    return cloud.state(CodeBuildState, account, region)


def descending(call: Call, default: str) -> bool:
    """Whether the newest come first, as the request says or the operation does by default."""
    given = call.params.get("sortOrder", default)
    refuse_unless(given in ("ASCENDING", "DESCENDING"), INVALID, f"Invalid sortOrder: {given}")
    return bool(given == "DESCENDING")


def page(items: Sequence[Item], token: str | None, size: int = PAGE) -> tuple[list[Item], dict[str, str]]:
    """One page of items, and the nextToken member where there is more."""
    start = int(token or 0)
    rest = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return list(items[start : start + size]), rest
