"""Action providers: sources, builds, approvals, S3 deployments and state machines.

AWS CodePipeline User Guide, "CodeCommit source action reference", "Amazon S3 source action
reference", "AWS CodeBuild build and test action reference", "Manual approval action" (and "JSON
data format for manual approval notifications"), "Amazon S3 deploy action reference", "AWS Step
Functions invoke action reference". The CloudFormation providers are in cloudformation.py and stacksets.py,
connections in connections.py, functions in functions.py, commands in compute.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from awslang.bounded import is_number
from awslang.errors import AwsError, NotSupported
from localaws.cloud import arn, new_id
from localaws.services.codebuild.state import PipelineBuild, PipelineWork
from localaws.services.codecommit.service import archive
from localaws.services.codepipeline import cloudformation, compute, stacksets
from localaws.services.codepipeline.connections import connection_source
from localaws.services.codepipeline.functions import function
from localaws.services.codepipeline.providers import environment_problem
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work, failure, zipped

CONSOLE = "https://console.aws.amazon.com/codesuite/codepipeline"
APPROVAL_DAYS = 7
BUILD_MESSAGE = "Build terminated with state: {}"
UNVERSIONED = "null"  # what was stored before versioning (S3 User Guide, "How S3 Versioning works")


def perform(work: Work) -> None:
    """Play one action; ActionFailed where it fails."""
    kind = work.run.action["actionTypeId"]
    PERFORMERS[kind["category"], kind["provider"]](work)


def _poll(work: Work, ended: Callable[[], bool], watched: str) -> None:
    """Wait for what an action started; asked for its state whenever that has changed."""
    changed = work.cloud.watch(watched)
    while not ended():
        work.wait_for(changed)
        changed = work.cloud.watch(watched)


# -- sources -----------------------------------------------------------------------------------


def _override(work: Work, kind: str) -> str | None:
    given = work.execution.overrides.get(work.run.name, [])
    return next((item["revisionValue"] for item in given if item["revisionType"] == kind), None)


def codecommit_source(work: Work) -> None:
    """The branch's newest commit, as a ZIP file of its files."""
    repository, branch = work.configuration["RepositoryName"], work.configuration["BranchName"]
    client = work.client("codecommit")
    try:
        client.get_branch(repositoryName=repository, branchName=branch)
        for permission in ("UploadArchive", "GetUploadArchiveStatus"):  # how CodePipeline has the files sent
            where = arn("codecommit", work.pipeline.region, work.session.account, repository)
            work.session.permit(f"codecommit:{permission}", where)
        try:
            commit_id, content = archive(work.cloud, work.session.account, work.pipeline.region, repository, branch)
        except (KeyError, OSError, AwsError):
            client.get_branch(repositoryName=repository, branchName=branch)  # it may have been deleted meanwhile
            raise
        if _override(work, "COMMIT_ID") not in (None, commit_id):
            raise NotSupported(f"a start with a commit other than the newest one of {branch}")
        commit = client.get_commit(repositoryName=repository, commitId=commit_id)["commit"]
    except ClientError as error:
        cause = error.response["Error"]
        if cause["Code"] in ("RepositoryDoesNotExistException", "BranchDoesNotExistException"):
            what = (
                "repository named " + repository + ("" if "Branch" not in cause["Code"] else f" or its branch {branch}")
            )
            raise ActionFailed(
                "ConfigurationError",
                f"The AWS CodeCommit {what} does not exist. Verify that your source action is configured with the "
                f"right repository and branch ({cause['Message']})",
            ) from error
        raise failure(error, f"access the AWS CodeCommit repository named {repository}") from error
    except NotSupported:
        raise
    except AwsError as error:
        raise ActionFailed(
            "PermissionError",
            f"The provided role does not have permissions to access the AWS CodeCommit repository named {repository}: "
            f"{error.message}",
        ) from error
    message = commit.get("message", "")
    work.run.revision = {"revisionId": commit_id, "revisionSummary": message or commit_id}
    work.run.variables = {
        "AuthorDate": _date(commit.get("author", {}).get("date", "")),
        "BranchName": branch,
        "CommitId": commit_id,
        "CommitMessage": message,
        "CommitterDate": _date(commit.get("committer", {}).get("date", "")),
        "RepositoryName": repository,
    }
    work.run.external_id, work.run.summary = commit_id, message
    work.put_artifact(work.output_names[0], content, ".zip")


def _date(text: str) -> str:
    """Git's "1767225600 +0000" as 2026-01-01T00:00:00Z."""
    seconds = text.split(" ")[0]
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if is_number(seconds) else text


def s3_source(work: Work) -> None:
    """One object of a versioned bucket."""
    bucket, key = work.configuration["S3Bucket"], work.configuration["S3ObjectKey"]
    if key_given := _override(work, "S3_OBJECT_KEY"):
        if work.configuration.get("AllowOverrideForS3ObjectKey", "false").lower() != "true":
            raise ActionFailed("ConfigurationError", "AllowOverrideForS3ObjectKey is not true: the key stays as it is")
        key = key_given
    client = work.client("s3")
    version = _override(work, "S3_OBJECT_VERSION_ID")
    try:
        if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            raise ActionFailed("ConfigurationError", f"The bucket {bucket} must have versioning enabled to be a source")
        version = version or client.head_object(Bucket=bucket, Key=key).get("VersionId", UNVERSIONED)
        found = client.get_object(Bucket=bucket, Key=key, VersionId=version)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            raise ActionFailed(
                "ConfigurationError", f"The object with key '{key}' does not exist in {bucket}"
            ) from error
        raise failure(error, f"access the Amazon S3 object {bucket}/{key}") from error
    work.run.variables = {
        "BucketName": bucket,
        "ETag": found["ETag"].strip('"'),
        "ObjectKey": key,
        "VersionId": version,
    }
    work.run.revision = {
        "revisionId": version,
        "revisionSummary": f"Amazon S3 version id: {version}",
    }
    work.put_artifact(work.output_names[0], found["Body"].read(), ".zip")


# -- builds ------------------------------------------------------------------------------------


def codebuild(work: Work) -> None:
    """A build of the project; its exported variables are the action's output variables."""
    variables = work.configuration.get("EnvironmentVariables", "[]")
    if problem := environment_problem(variables):
        raise ActionFailed("ConfigurationError", problem)
    primary = work.configuration.get("PrimarySource", next(iter(work.run.inputs)))
    if primary not in work.run.inputs:
        raise ActionFailed("ConfigurationError", f"PrimarySource {primary} is not an input artifact of the action")
    outputs = {name: work.new_location(name) for name in work.output_names}
    bucket, key = work.run.inputs[primary]
    request: dict[str, Any] = {
        "projectName": work.configuration["ProjectName"],
        "idempotencyToken": work.run.id,
        "environmentVariablesOverride": json.loads(variables),
        "sourceVersion": f"arn:aws:s3:::{bucket}/{key}",
    }
    for given, name in (("BuildspecOverride", "buildspecOverride"), ("ServiceRoleArnOverride", "serviceRoleOverride")):
        if given in work.configuration:
            request[name] = work.configuration[given]
    by_token = work.cloud.state(PipelineWork, work.pipeline.account, work.region).by_token
    revision = next(iter(work.execution.revisions.values()), {})
    by_token[work.run.id] = PipelineBuild(
        pipeline_arn=work.pipeline.arn,
        input_artifacts=dict(work.run.inputs),
        primary=primary,
        output_artifacts=outputs,
        encryption_key=work.encryption_key,
        source_revision=revision.get("revisionId", ""),
    )
    client = work.client("codebuild")
    try:
        build = client.start_build(**request)["build"]
    except ClientError as error:
        raise failure(error, f"calling startBuild on {work.configuration['ProjectName']}") from error
    finally:
        by_token.pop(work.run.id, None)
    work.run.external_id = build["id"]
    build = _built(work, client, build["id"])
    work.run.variables = {item["name"]: item["value"] for item in build.get("exportedEnvironmentVariables", [])}
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionFailed("JobFailed", BUILD_MESSAGE.format(build["buildStatus"]) + compute.why(build))
    work.run.outputs.update(outputs)


def _built(work: Work, client: Any, build_id: str) -> dict[str, Any]:
    """The build, once it has ended."""
    latest: dict[str, Any] = {}

    def ended() -> bool:
        try:
            latest.update(client.batch_get_builds(ids=[build_id])["builds"][0])
        except ClientError as error:
            raise failure(error, f"calling batchGetBuilds on {build_id}") from error
        work.run.log_stream = latest.get("logs", {}).get("cloudWatchLogsArn", "")
        work.run.external_url = latest.get("logs", {}).get("deepLink", "")
        return str(latest["buildStatus"]) != "IN_PROGRESS"

    _poll(work, ended, build_id)
    return latest


# -- approvals ---------------------------------------------------------------------------------


def manual_approval(work: Work) -> None:
    """Wait for PutApprovalResult; without one the action fails when its time is over, which no rehearsal shortens."""
    run = work.run
    minutes = run.action.get("timeoutInMinutes", APPROVAL_DAYS * 24 * 60)
    token = new_id()
    if topic := work.configuration.get("NotificationArn"):
        expires = datetime.now(UTC) + timedelta(minutes=minutes)
        _ask_for_approval(work, topic, token, expires)
    run.token = token
    end = datetime.now(UTC) + timedelta(minutes=minutes)
    while not run.decided.wait(0.02) and not work.cloud.stopping.is_set():
        if datetime.now(UTC) > end:
            raise ActionFailed("JobFailed", f"The approval was not given within {minutes} minutes")
    if run.decision == "Rejected":
        raise ActionFailed("JobFailed", f"Rejected by {run.updated_by}: {run.summary}")
    if run.decision != "Approved" and not work.execution.end_asked:
        raise ActionFailed("JobFailed", "The approval was not given")


def _ask_for_approval(work: Work, topic: str, token: str, expires: datetime) -> None:
    pipeline, run = work.pipeline, work.run
    link = f"{CONSOLE}/pipelines/{pipeline.name}/view?region={pipeline.region}"
    approval = {
        "pipelineName": pipeline.name,
        "stageName": run.stage,
        "actionName": run.name,
        "token": token,
        "expires": expires.strftime("%Y-%m-%dT%H:%MZ"),
        "externalEntityLink": work.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": f"{link}#/{run.stage}/{run.name}/approve/{token}",
        "customData": work.configuration.get("CustomData"),
    }
    try:
        work.client("sns").publish(
            TopicArn=topic,
            Subject=f"APPROVAL NEEDED: AWS CodePipeline {pipeline.name} for action {run.name}"[:100],
            Message=json.dumps({"region": pipeline.region, "consoleLink": link, "approval": approval}),
        )
    except ClientError as error:
        raise failure(error, f"publish to the SNS topic {topic}") from error


# -- deployments to S3, state machines -----------------------------------------------------------


def s3_deploy(work: Work) -> None:
    """The input artifact as one object, or its files each as an object."""
    bucket = work.configuration["BucketName"]
    stamp = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S")
    key = work.configuration.get("ObjectKey", "").replace("{datetime}", stamp).replace("{uuid}", new_id())
    extra: dict[str, Any] = {}
    if "KMSEncryptionKeyARN" in work.configuration:
        extra |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": work.configuration["KMSEncryptionKeyARN"]}
    extra |= {
        name: work.configuration[given]
        for given, name in (("CannedACL", "ACL"), ("CacheControl", "CacheControl"))
        if given in work.configuration
    }
    with work.read_artifact(next(iter(work.run.inputs))) as archive:
        if work.configuration["Extract"].lower() == "true":
            prefix = key.rstrip("/") + "/" if key else ""
            files = {prefix + n: archive.read(n) for n in archive.namelist() if not n.endswith("/")}
        else:
            files = {key: zipped({n: archive.read(n) for n in archive.namelist()})}
    for name, content in files.items():
        try:
            work.client("s3").put_object(Bucket=bucket, Key=name, Body=content, **extra)
        except ClientError as error:
            raise failure(error, f"upload {name} to the bucket {bucket}") from error


def state_machine(work: Work) -> None:
    """One execution of a state machine; its output becomes the output artifact."""
    machine = work.configuration["StateMachineArn"]
    given = work.configuration.get("Input", "{}")
    if work.configuration.get("InputType", "Literal") == "FilePath":
        given = work.read_file("Input", f"{next(iter(work.run.inputs), '')}::{given}")
    prefix = work.configuration.get("ExecutionNamePrefix", "")
    client = work.client("stepfunctions")
    try:
        name = f"{prefix}-{new_id()}" if prefix else new_id()
        started = client.start_execution(stateMachineArn=machine, name=name, input=given)["executionArn"]
    except ClientError as error:
        raise failure(error, f"start the state machine {machine}") from error
    work.run.external_id = started
    latest: dict[str, Any] = {}

    def ended() -> bool:
        try:
            latest.update(client.describe_execution(executionArn=started))
        except ClientError as error:
            raise failure(error, f"describe the execution {started}") from error
        return str(latest["status"]) != "RUNNING"

    _poll(work, ended, started)
    if latest["status"] != "SUCCEEDED":
        raise ActionFailed("JobFailed", f"The execution {started} ended {latest['status']}: {latest.get('cause', '')}")
    work.run.variables = {"StateMachineArn": machine, "ExecutionArn": started}
    for name in work.output_names:
        work.put_artifact(name, zipped({"output.json": latest.get("output", "").encode()}))


PERFORMERS: dict[tuple[str, str], Callable[[Work], None]] = {
    ("Source", "CodeCommit"): codecommit_source,
    ("Source", "S3"): s3_source,
    ("Source", "CodeStarSourceConnection"): connection_source,
    ("Build", "CodeBuild"): codebuild,
    ("Test", "CodeBuild"): codebuild,
    ("Approval", "Manual"): manual_approval,
    ("Deploy", "CloudFormation"): cloudformation.deploy,
    ("Deploy", "CloudFormationStackSet"): stacksets.stack_set,
    ("Deploy", "CloudFormationStackInstances"): stacksets.stack_instances,
    ("Deploy", "S3"): s3_deploy,
    ("Invoke", "StepFunctions"): state_machine,
    ("Invoke", "Lambda"): function,
    ("Compute", "Commands"): compute.commands,
}
