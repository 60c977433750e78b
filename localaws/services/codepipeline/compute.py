"""The Commands action and rule: shell commands in a build environment without a project.

AWS CodePipeline User Guide, "Commands action reference" and "Commands" (rule): CodeBuild's compute, acting as
the pipeline's role (or the action's), with the log group /aws/codepipeline/NAME and a limit of 55 minutes.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import arn, new_id
from localaws.services.codebuild.environment import PhaseFailed
from localaws.services.codebuild.run import BuildRun
from localaws.services.codebuild.state import BuildStop, CodeBuildState, PipelineBuild
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work, resolve

IMAGE = "aws/codebuild/amazonlinux2-x86_64-standard:5.0"
MINUTES = 55
LOG_GROUP = "/aws/codepipeline/{}"


class CommandsRun(BuildRun):
    """A build that acts as the pipeline's role and exports what the action names."""

    as_pipeline: Work

    def _provision(self) -> None:
        self.session, logs = self.as_pipeline.session, self.build["logs"]
        try:
            self.log.open_stream(self.session, logs["groupName"], logs["streamName"])
        except ClientError as error:
            raise PhaseFailed("ACCESS_DENIED", str(error)) from error

    def _export(self) -> None:
        """AWS's own example exports AWS_DEFAULT_REGION, which a build of a project could not."""
        if hasattr(self, "shell"):
            values = self.shell.values(list(self.spec.exported))
            self.build["exportedEnvironmentVariables"] = [{"name": n, "value": v} for n, v in values.items()]

    def _tell(self) -> None:
        """No project's build, no event of a build's."""


def commands(work: Work) -> None:
    """Run the commands; ActionFailed where one fails."""
    action, pipeline, unique = work.run.action, work.pipeline, new_id()
    outputs = {name: work.new_location(name) for name in work.output_names}
    files = [file for artifact in action.get("outputArtifacts", []) for file in artifact.get("files", [])]
    spec: dict[str, Any] = {
        "version": 0.2,
        "phases": {"build": {"commands": [resolve(command, work.execution) for command in action["commands"]]}},
    }
    if action.get("outputVariables"):
        spec["env"] = {"exported-variables": list(action["outputVariables"])}
    if outputs:
        spec["artifacts"] = {"files": files}
    project = {
        "name": f"{pipeline.name}-{work.run.name}",
        "arn": arn("codebuild", work.region, pipeline.account, f"project/{pipeline.name}-{work.run.name}"),
        "source": {"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
        "artifacts": {"type": "CODEPIPELINE"},
        "cache": {"type": "NO_CACHE"},
        "environment": {
            "type": work.configuration.get("EnvironmentType", "LINUX_CONTAINER"),
            "computeType": work.configuration.get("ComputeType", "BUILD_GENERAL1_SMALL"),
            "image": IMAGE,
            "environmentVariables": [
                {"name": item["name"], "value": resolve(item["value"], work.execution),
                 "type": item.get("type", "PLAINTEXT")}
                for item in action.get("environmentVariables", [])
            ],
        },
        "serviceRole": work.session.principal.role_arn,
        "timeoutInMinutes": MINUTES,
        "queuedTimeoutInMinutes": MINUTES,
        "encryptionKey": work.encryption_key or "",
    }  # fmt: skip
    group = LOG_GROUP.format(pipeline.name)
    build_id = f"{project['name']}:{unique}"
    log_arn = arn("logs", work.region, pipeline.account, f"log-group:{group}:log-stream:{unique}")
    build: dict[str, Any] = {
        "id": build_id,
        "arn": arn("codebuild", work.region, pipeline.account, f"build/{build_id}"),
        "buildNumber": 1,
        "startTime": datetime.now(UTC),
        "buildStatus": "IN_PROGRESS",
        "projectName": project["name"],
        "phases": [],
        "source": project["source"],
        "artifacts": {"location": "", "encryptionDisabled": False},
        "environment": project["environment"],
        "serviceRole": project["serviceRole"],
        "logs": {"groupName": group, "streamName": unique, "cloudWatchLogsArn": log_arn},
        "timeoutInMinutes": MINUTES,
        "initiator": f"codepipeline/{pipeline.name}",
        "encryptionKey": project["encryptionKey"],
        "exportedEnvironmentVariables": [],
        "reportArns": [],
    }
    primary = next(iter(work.run.inputs))
    pipeline_build = PipelineBuild(pipeline.arn, dict(work.run.inputs), primary, outputs, work.encryption_key)
    stop = BuildStop()
    run = CommandsRun(work.cloud, CodeBuildState(), build, project, stop, pipeline_build)
    run.as_pipeline = work
    work.run.external_id, work.run.log_stream = build_id, log_arn
    thread = threading.Thread(target=run.run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.02)
        if work.run.status == "Abandoned" or work.cloud.stopping.is_set():
            stop.asked.set()
    work.run.variables = {item["name"]: item["value"] for item in build["exportedEnvironmentVariables"]}
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionFailed("JobFailed", f"Build terminated with state: {build['buildStatus']}" + why(build))
    work.run.outputs.update(outputs)


def why(build: dict[str, Any]) -> str:
    """CodePipeline shows the first failed phase's context."""
    for phase in build.get("phases", []):
        for context in phase.get("contexts", []):
            if phase.get("phaseStatus") not in ("SUCCEEDED", None) and context.get("message"):
                return f" (phase {phase['phaseType']}: {context.get('statusCode', '')} {context['message']})"
    return ""
