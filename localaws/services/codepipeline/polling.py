"""Sources that CodePipeline polls: PollForSourceChanges left out, or true.

AWS CodePipeline User Guide, "Valid settings for the PollForSourceChanges parameter" and "Source
actions and change detection methods". AWS asks about once a minute, as the pipeline's role.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session
from localaws.services.codepipeline import execution as engine
from localaws.services.codepipeline.state import Pipeline, pipeline_session

MINUTE = 60
SHORTEST = 0.5  # seconds between two looks, however much waiting is shortened


def polled(pipeline: Pipeline) -> list[Mapping[str, Any]]:
    """The source actions that are polled."""
    sources = pipeline.declaration["stages"][0]["actions"]
    known = [a for a in sources if a["actionTypeId"]["provider"] in ("S3", "CodeCommit")]
    return [a for a in known if a["configuration"].get("PollForSourceChanges", "true").lower() == "true"]


def watch(cloud: Cloud, pipeline: Pipeline) -> None:
    """Begin to poll, where the pipeline asks for it; ends with the pipeline's present structure.

    What the sources hold now is no change: the first look is before the request's answer.
    """
    if polled(pipeline):
        seen = _revisions(cloud, pipeline)
        threading.Thread(target=_watch, args=(cloud, pipeline, pipeline.version, seen), daemon=True).start()


def _watch(cloud: Cloud, pipeline: Pipeline, version: int, seen: dict[str, str]) -> None:
    while not cloud.stopping.wait(max(MINUTE * cloud.waits, SHORTEST)):
        if pipeline.deleted or pipeline.version != version:
            return
        for name, revision in _revisions(cloud, pipeline).items():
            if seen.setdefault(name, revision) != revision and not cloud.stopping.is_set():
                seen[name] = revision
                engine.begin(cloud, pipeline, {"triggerType": "PollForSourceChanges", "triggerDetail": name})


def _revisions(cloud: Cloud, pipeline: Pipeline) -> dict[str, str]:
    """By polled action; one that cannot be read is looked at again later: the source action reports why it fails."""
    found: dict[str, str] = {}
    for action in polled(pipeline):
        with suppress(ClientError, AwsError):
            session = pipeline_session(cloud, pipeline, pipeline.declaration["roleArn"], "poll")
            found[action["name"]] = _revision(session, action)
    return found


def _revision(session: Session, action: Mapping[str, Any]) -> str:
    configuration = action["configuration"]
    if action["actionTypeId"]["provider"] == "S3":
        given = {"Bucket": configuration["S3Bucket"], "Key": configuration["S3ObjectKey"]}
        return str(session.client("s3").head_object(**given).get("VersionId", ""))
    given = {"repositoryName": configuration["RepositoryName"], "branchName": configuration["BranchName"]}
    return str(session.client("codecommit").get_branch(**given)["branch"]["commitId"])
