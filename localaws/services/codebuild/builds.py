"""CodeBuild's operations on projects and builds; run.py runs a build, checks.py says which projects are allowed."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.principals import Principal
from localaws.calls import Call
from localaws.cloud import arn, new_id, refuse_unless
from localaws.services.codebuild import checks
from localaws.services.codebuild.artifacts import DEFAULT_KEY
from localaws.services.codebuild.images import LAMBDA_COMPUTE, LAMBDA_MINUTES, is_lambda
from localaws.services.codebuild.run import BuildRun
from localaws.services.codebuild.service import codebuild
from localaws.services.codebuild.state import (
    INVALID,
    BuildStop,
    CodeBuildState,
    PipelineBuild,
    PipelineWork,
    descending,
    page,
    state_of,
)
from localaws.services.servicequotas.service import quota

SIZES = {  # as quotas are named
    **{f"BUILD_GENERAL1_{size.upper()}": f"Linux/{size}" for size in ("Small", "Medium", "Large")},
    **{compute: f"Linux Lambda/{compute.rpartition('_')[2]}" for compute in LAMBDA_COMPUTE},
}
NOT_FOUND = "ResourceNotFoundException"
# What StartBuild may change, by the parameter's name: where it goes in the project.
OVERRIDES = {
    "buildspecOverride": ("source", "buildspec"),
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "environmentTypeOverride": ("environment", "type"),
    "privilegedModeOverride": ("environment", "privilegedMode"),
    "artifactsOverride": ("artifacts",),
    "secondaryArtifactsOverride": ("secondaryArtifacts",),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "serviceRoleOverride": ("serviceRole",),
    "encryptionKeyOverride": ("encryptionKey",),
    "logsConfigOverride": ("logsConfig",),
}
OTHER_START = {"projectName", "environmentVariablesOverride", "idempotencyToken", "sourceVersion"}


def state(call: Call) -> CodeBuildState:
    return state_of(call.cloud, call.account, call.region)


def project_of(call: Call, name: str) -> dict[str, Any]:
    project = state(call).projects.get(name.rsplit(":project/", 1)[-1])
    project_arn = arn("codebuild", call.region, call.account, f"project/{name}")
    refuse_unless(project, NOT_FOUND, f"Project cannot be found: {project_arn}")
    return project or {}


# -- projects ----------------------------------------------------------------------------------


@codebuild.operation("CreateProject")
def create_project(call: Call) -> dict[str, Any]:
    name = call.params["name"]
    project_arn = arn("codebuild", call.region, call.account, f"project/{name}")
    refuse_unless(
        name not in state(call).projects, "ResourceAlreadyExistsException", f"Project already exists: {project_arn}"
    )
    now = datetime.now(UTC)
    project = {
        "description": "",
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "cache": {"type": "NO_CACHE"},
        "tags": [],
        "encryptionKey": arn("kms", call.region, call.account, DEFAULT_KEY.removeprefix(":")),
        "projectVisibility": "PRIVATE",
        **call.params,
        "arn": project_arn,
        "created": now,
        "lastModified": now,
    }
    keep_project(call, project)
    return {"project": shown(project)}


@codebuild.operation("UpdateProject")
def update_project(call: Call) -> dict[str, Any]:
    project = {**project_of(call, call.params["name"]), **call.params, "lastModified": datetime.now(UTC)}
    keep_project(call, project)
    return {"project": shown(project)}


def keep_project(call: Call, project: dict[str, Any]) -> None:
    project["serviceRole"] = checks.role_arn(call.account, project["serviceRole"])
    project["environment"].setdefault("environmentVariables", [])
    checks.check_times(project["environment"], call.params)
    project |= times(project)
    checks.check_project(project)
    checks.check_role(call.cloud, project["serviceRole"], project["arn"], call.region)
    with state(call).lock:
        state(call).projects[project["name"]] = project


def times(project: dict[str, Any]) -> dict[str, int]:
    """How long a project's builds may run and wait; on Lambda compute there is nothing to choose."""
    if is_lambda(project["environment"]):
        return {"timeoutInMinutes": LAMBDA_MINUTES, "queuedTimeoutInMinutes": 480}
    return {name: project[name] for name in checks.TIMES}


def shown(project: dict[str, Any]) -> dict[str, Any]:
    """A project as BatchGetProjects shows it."""
    answer = copy.deepcopy(project)
    answer["badge"] = {"badgeEnabled": answer.pop("badgeEnabled", False)}
    for variable in answer["environment"]["environmentVariables"]:
        variable.setdefault("type", "PLAINTEXT")
    return answer


@codebuild.operation("DeleteProject")
def delete_project(call: Call) -> dict[str, Any]:
    known, name = state(call), call.params["name"].rsplit(":project/", 1)[-1]
    with known.lock:
        known.projects.pop(name, None)
        known.numbers.pop(name, None)
    return {}


@codebuild.operation("BatchGetProjects")
def batch_get_projects(call: Call) -> dict[str, Any]:
    known = state(call).projects
    wanted = {name: name.rsplit(":project/", 1)[-1] for name in call.params["names"]}
    return {
        "projects": [shown(known[short]) for short in wanted.values() if short in known],
        "projectsNotFound": [name for name, short in wanted.items() if short not in known],
    }


@codebuild.operation("ListProjects")
def list_projects(call: Call) -> dict[str, Any]:
    sort = call.params.get("sortBy", "NAME")
    key = {"NAME": "name", "CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(sort)
    refuse_unless(key, INVALID, f"Invalid sortBy: {sort}")
    found = sorted(state(call).projects.values(), key=lambda project: project[str(key)])
    if descending(call, "ASCENDING"):
        found.reverse()
    names, more = page([project["name"] for project in found], call.params.get("nextToken"))
    return {"projects": names, **more}


# -- builds ------------------------------------------------------------------------------------


@codebuild.operation("StartBuild")
def start_build(call: Call) -> dict[str, Any]:
    """The build starts in the background; StartBuild answers at once."""
    known, params = state(call), call.params
    project = with_overrides(project_of(call, params["projectName"]), params)
    checks.check_times(project["environment"], params)
    project |= times(project)
    with known.lock:
        token = params.get("idempotencyToken")
        if token in known.tokens:
            before, build_id = known.tokens[token]
            refuse_unless(before == params, INVALID, f"Idempotency token {token} was used with other parameters")
            return {"build": copy.deepcopy(known.builds[build_id])}
        work = call.cloud.state(PipelineWork, call.account, call.region).by_token.pop(token or "", None)
        refuse_unless(
            (work is not None) == (project["source"]["type"] == "CODEPIPELINE"),
            INVALID,
            "A project with source type CODEPIPELINE is built by CodePipeline alone",
        )
        checks.check_project(project)
        checks.check_role(call.cloud, project["serviceRole"], project["arn"], call.region)
        refuse_without_quota(call, project["environment"]["computeType"])
        build = new_build(call, project, work)
        stop = BuildStop()
        known.builds[build["id"]] = build
        known.stops[build["id"]] = stop
        known.started[build["id"]] = {name: value for name, value in params.items() if name != "idempotencyToken"}
        if token:
            known.tokens[token] = (params, build["id"])
        answer = copy.deepcopy(build)
    run = BuildRun(call.cloud, known, build, project, stop, work)
    call.cloud.background(f"codebuild build {build['id']}", run.run)
    return {"build": answer}


@codebuild.operation("RetryBuild")
def retry_build(call: Call) -> dict[str, Any]:
    """A new build of the project as it is now, with what the former one was given (API Reference, RetryBuild)."""
    known, given = state(call), call.params.get("id", "")
    refuse_unless(given, INVALID, "A build id is required")
    refuse_unless(short_id(given) in known.started, NOT_FOUND, f"Build cannot be found: {given}")
    token = {name: value for name, value in call.params.items() if name == "idempotencyToken"}
    return start_build(replace(call, params=known.started[short_id(given)] | token)) or {}


def refuse_without_quota(call: Call, compute: str) -> None:
    """As a new account is refused, which may run no builds until AWS has raised its quota."""
    size = SIZES.get(compute)
    name = f"Concurrently running builds for {size} environment"
    if size and not quota(call.cloud, call.account, call.region, "codebuild", name):
        raise AwsError("AccountLimitExceededException", "Cannot have more than 0 builds in queue for the account")


def with_overrides(project: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """The project as this one build sees it."""
    for name, value in params.items():
        if name not in OVERRIDES and name not in OTHER_START and value:
            raise NotSupported(f"codebuild:StartBuild with {name}")
    changed = copy.deepcopy(project)
    for name, path in OVERRIDES.items():
        if name in params:
            place = changed if len(path) == 1 else changed[path[0]]
            place[path[-1]] = params[name]
    overrides = params.get("environmentVariablesOverride", [])
    checks.check_variables(overrides)
    variables = {item["name"]: item for item in (*changed["environment"]["environmentVariables"], *overrides)}
    changed["environment"]["environmentVariables"] = [{"type": "PLAINTEXT", **item} for item in variables.values()]
    changed["serviceRole"] = checks.role_arn(project["arn"].split(":")[4], changed["serviceRole"])
    return changed


def new_build(call: Call, project: dict[str, Any], work: PipelineBuild | None) -> dict[str, Any]:
    """A build's record, just submitted. The caller holds the lock."""
    known, name, unique = state(call), project["name"], new_id()
    known.numbers[name] = known.numbers.get(name, 0) + 1
    build_id = f"{name}:{unique}"
    build = {
        "id": build_id,
        "arn": arn("codebuild", call.region, call.account, f"build/{build_id}"),
        "buildNumber": known.numbers[name],
        "startTime": datetime.now(UTC),
        "currentPhase": "SUBMITTED",
        "buildStatus": "IN_PROGRESS",
        "projectName": name,
        "phases": [],
        "source": project["source"],
        "artifacts": {"location": "", "encryptionDisabled": False},
        "cache": project["cache"],
        "environment": project["environment"],
        "serviceRole": project["serviceRole"],
        "logs": log_place(project, unique, call.account, call.region),
        "timeoutInMinutes": project["timeoutInMinutes"],
        "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
        "buildComplete": False,
        "initiator": initiator(call.principal, work),
        "encryptionKey": (work.encryption_key if work else None) or project["encryptionKey"],
        "exportedEnvironmentVariables": [],
        "reportArns": [],
    }
    if version := call.params.get("sourceVersion", project.get("sourceVersion")):
        build["sourceVersion"] = version
    if work is not None and work.source_revision:
        build["resolvedSourceVersion"] = work.source_revision
    return build


def log_place(project: dict[str, Any], unique: str, account: str, region: str) -> dict[str, Any]:
    """API Reference, LogsConfig: on by default; a given stream name becomes a prefix."""
    config = project.get("logsConfig", {}).get("cloudWatchLogs", {"status": "ENABLED"})
    if config["status"] == "DISABLED":
        return {"cloudWatchLogs": config}
    group = config.get("groupName") or f"/aws/codebuild/{project['name']}"
    stream = "/".join(filter(None, (config.get("streamName"), unique)))
    return {
        "groupName": group,
        "streamName": stream,
        "deepLink": f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logsV2:log-groups/log-group/{group.replace('/', '$252F')}/log-events/{stream.replace('/', '$252F')}",
        "cloudWatchLogsArn": arn("logs", region, account, f"log-group:{group}:log-stream:{stream}"),
        "cloudWatchLogs": config,
    }


def initiator(principal: Principal, work: PipelineBuild | None) -> str:
    """User Guide, "Environment variables in build environments": CODEBUILD_INITIATOR."""
    if work is not None:
        return f"codepipeline/{work.pipeline_arn.rsplit(':', 1)[1]}"
    return principal.arn.split(":", 5)[-1].removeprefix("assumed-role/").removeprefix("user/")


@codebuild.operation("StopBuild")
def stop_build(call: Call) -> dict[str, Any]:
    known, build_id = state(call), short_id(call.params["id"])
    refuse_unless(build_id in known.builds, NOT_FOUND, f"Build cannot be found: {call.params['id']}")
    known.stops[build_id].asked.set()
    return {"build": copied(known, build_id)}


@codebuild.operation("BatchGetBuilds")
def batch_get_builds(call: Call) -> dict[str, Any]:
    known, ids = state(call), call.params["ids"]
    refuse_unless(len(ids) <= 100, INVALID, "At most 100 builds can be asked for")
    return {
        "builds": [copied(known, short_id(i)) for i in ids if short_id(i) in known.builds],
        "buildsNotFound": [i for i in ids if short_id(i) not in known.builds],
    }


def copied(known: CodeBuildState, build_id: str) -> dict[str, Any]:
    with known.lock:
        return copy.deepcopy(known.builds[build_id])


def short_id(build: str) -> str:
    """The id of a build given by id or ARN."""
    return build.rsplit(":build/", 1)[-1]


@codebuild.operation("ListBuilds", "ListBuildsForProject")
def list_builds(call: Call) -> dict[str, Any]:
    known, name = state(call), call.params.get("projectName")
    if name is not None:
        name = project_of(call, name)["name"]
    with known.lock:
        ids = [build["id"] for build in known.builds.values() if name in (None, build["projectName"])]
    if descending(call, "DESCENDING"):
        ids.reverse()
    shown_ids, more = page(ids, call.params.get("nextToken"))
    return {"ids": shown_ids, **more}


__all__ = ["PipelineBuild", "PipelineWork", "codebuild"]
