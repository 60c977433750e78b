"""Sources from connections: the CodeStarSourceConnection action, and the triggers that start pipelines.

AWS CodePipeline User Guide, "CodeStarSourceConnection for Bitbucket Cloud, GitHub, …", "Automate starting pipelines
using triggers and filtering", "Add trigger with code push or pull request event types", "Working with glob
patterns in syntax".
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from awslang.errors import AwsError
from localaws.authorization.permit import permit
from localaws.cloud import Cloud
from localaws.services.codeconnections import service as connections
from localaws.services.codepipeline.state import ActionFailed, Pipeline, PipelineState
from localaws.services.codepipeline.work import Work

PROVIDER = "CodeStarSourceConnection"
HEADS, TAGS = "refs/heads/", "refs/tags/"


def connection_source(work: Work) -> None:
    """The commit that was pushed, or the branch's newest one, as a ZIP file of its files."""
    connection, name = work.configuration["ConnectionArn"], work.configuration["FullRepositoryId"]
    given = work.execution.overrides.get(work.run.name, [])
    overrides = {item["revisionType"]: item["revisionValue"] for item in given}
    branch = overrides.get("BRANCH", work.configuration["BranchName"])
    _check_use(work, connection, name, branch)
    found = connections.find(work.cloud, connection)
    if found is None or found.status != "AVAILABLE":
        raise ActionFailed("ConfigurationError", f"[StarConnections] Connection {connection} is not available")
    folder = connections.repository(work.cloud, name)
    commit = overrides.get("COMMIT_ID", f"{HEADS}{branch}")
    try:
        if folder is None:
            raise ActionFailed("ConfigurationError", f"[{found.provider}] No Repository found for {name}")
        shown = connections.git(folder, "log", "-1", "--format=%H%n%aI%n%B", commit, "--").decode()
        commit_id, authored, message = shown.split("\n", 2)
        content = connections.git(folder, "archive", "--format=zip", commit_id)
    except subprocess.CalledProcessError as error:
        raise ActionFailed(
            "ConfigurationError", f"[{found.provider}] No Branch [{branch}] found for FullRepositoryName [{name}]"
        ) from error
    work.run.revision = {"revisionId": commit_id, "revisionSummary": message.strip() or commit_id}
    work.run.variables = {
        "AuthorDate": authored,
        "BranchName": branch,
        "CommitId": commit_id,
        "CommitMessage": message.strip(),
        "ConnectionArn": connection,
        "FullRepositoryName": name,
    }
    work.run.external_id, work.run.summary = commit_id, message.strip()
    work.put_artifact(work.output_names[0], content, ".zip")


def _check_use(work: Work, connection: str, name: str, branch: str) -> None:
    """ "Both actions are required" (Service role permissions: CodeConnections action)."""
    owner, _, repository = name.partition("/")
    for service in ("codeconnections", "codestar-connections"):
        keys = {
            f"{service}:fullrepositoryid": (name,),
            f"{service}:branchname": (branch,),
            f"{service}:ownerid": (owner,),
            f"{service}:repositoryname": (repository,),
        }
        try:
            permit(work.session, f"{service}:UseConnection", connection, keys)
        except AwsError as error:
            raise ActionFailed(
                "PermissionError",
                f"Unable to use Connection: {connection}. The provided role does not have sufficient permissions. "
                f"({error.message})",
            ) from error


# -- what starts a pipeline ------------------------------------------------------------------------


def started(cloud: Cloud, change: connections.Change) -> None:
    """Start every pipeline that the change is for."""
    from localaws.services.codepipeline import execution as engine  # it plays the sources' actions

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
