"""Changes in a connected repository, and the pipelines that they start.

AWS CodePipeline User Guide, "Automate starting pipelines using triggers and filtering", "Add trigger with code push
or pull request event types", "Working with glob patterns in syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from localaws.cloud import Cloud
from localaws.services.codeconnections import service as connections
from localaws.services.codepipeline import execution as engine
from localaws.services.codepipeline.state import Pipeline, PipelineState

PROVIDER = "CodeStarSourceConnection"
HEADS, TAGS = "refs/heads/", "refs/tags/"


def started(cloud: Cloud, change: connections.Change) -> None:
    """Start every pipeline that the change is for."""
    for state in cloud.states(PipelineState).values():
        for pipeline in list(state.pipelines.values()):
            for action in pipeline.declaration["stages"][0]["actions"]:
                if action["actionTypeId"]["provider"] != PROVIDER or not _is_for(cloud, pipeline, action, change):
                    continue
                name = change.ref.removeprefix(HEADS).removeprefix(TAGS)
                revisions = [
                    {"actionName": action["name"], "revisionType": "COMMIT_ID", "revisionValue": change.new},
                    {"actionName": action["name"], "revisionType": "BRANCH", "revisionValue": name},
                ]
                trigger = {"triggerType": "WebhookV2", "triggerDetail": action["configuration"]["ConnectionArn"]}
                if not any("defaultValue" not in v for v in pipeline.declaration.get("variables", [])):
                    engine.begin(cloud, pipeline, trigger, overrides={action["name"]: revisions})


def _is_for(cloud: Cloud, pipeline: Pipeline, action: Mapping[str, Any], change: connections.Change) -> bool:
    configuration = action["configuration"]
    found = connections.find(cloud, configuration["ConnectionArn"])
    if configuration["FullRepositoryId"] != change.repository or found is None or found.status != "AVAILABLE":
        return False
    if not change.new.strip("0"):
        return False  # a branch was deleted
    trigger = next(
        (t["gitConfiguration"] for t in pipeline.declaration.get("triggers", [])
         if t["gitConfiguration"]["sourceActionName"] == action["name"]),
        None,
    )  # fmt: skip
    if trigger is None:
        wanted = configuration.get("DetectChanges", "true").lower() == "true"
        return wanted and change.event == "PUSH" and change.ref == HEADS + configuration["BranchName"]
    if change.event == "PUSH":
        return any(_push_fits(cloud, given, change) for given in trigger.get("push", []))
    return any(_request_fits(cloud, given, change) for given in trigger.get("pullRequest", []))


def _push_fits(cloud: Cloud, given: Mapping[str, Any], change: connections.Change) -> bool:
    if "tags" in given:
        return change.ref.startswith(TAGS) and fits(given["tags"], change.ref.removeprefix(TAGS))
    if not change.ref.startswith(HEADS):
        return False
    branches: Mapping[str, Any] = given.get("branches", {})
    return fits(branches, change.ref.removeprefix(HEADS)) and _files_fit(cloud, given, change)


def _request_fits(cloud: Cloud, given: Mapping[str, Any], change: connections.Change) -> bool:
    events = given.get("events") or ["OPEN", "UPDATED", "CLOSED"]
    fitting = change.event in events and fits(given.get("branches", {}), change.target)
    return fitting and _files_fit(cloud, given, change)


def _files_fit(cloud: Cloud, given: Mapping[str, Any], change: connections.Change) -> bool:
    """Each file for itself; a branch that is pushed first has no list of changed files, so it starts nothing."""
    if "filePaths" not in given:
        return True
    folder = connections.repository(cloud, change.repository)
    if folder is None or change.old == connections.NOTHING:
        return False
    return any(fits(given["filePaths"], path) for path in connections.changed_files(folder, change.old, change.new))


def fits(given: Mapping[str, Iterable[str]], name: str) -> bool:
    """Whether a name is included and not excluded; excludes come first."""
    if any(glob(pattern).fullmatch(name) for pattern in given.get("excludes", ())):
        return False
    includes = list(given.get("includes", ()))
    return not includes or any(glob(pattern).fullmatch(name) for pattern in includes)


@cache
def glob(pattern: str) -> re.Pattern[str]:
    """A glob: * within a folder, ** across folders (also none), ? one character, {a,b}, [abc], [!abc]."""
    found, at, depth = "", 0, 0
    while at < len(pattern):
        part = pattern[at]
        if pattern.startswith("**/", at):
            found, at = found + "(?:.*/)?", at + 3
            continue
        if pattern.startswith("**", at):
            found, at = found + ".*", at + 2
            continue
        if part == "[" and (end := pattern.find("]", at + 2)) > 0:
            found, at = found + "[" + pattern[at + 1 : end].replace("!", "^", 1) + "]", end + 1
            continue
        depth += {"{": 1, "}": -1}.get(part, 0)
        simple = {"*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}
        found += "|" if part == "," and depth else simple.get(part) or re.escape(part)
        at += 1
    return re.compile(found, re.DOTALL)


connections.listeners.append(started)
