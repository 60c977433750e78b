"""Sources from connections: the CodeStarSourceConnection action.

AWS CodePipeline User Guide, "CodeStarSourceConnection for Bitbucket Cloud, GitHub, …".
"""

from __future__ import annotations

import subprocess

from awslang.errors import AwsError
from localaws.services.codeconnections import service as connections
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work

HEADS = "refs/heads/"


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
            work.session.permit(f"{service}:UseConnection", connection, keys)
        except AwsError as error:
            raise ActionFailed(
                "PermissionError",
                f"Unable to use Connection: {connection}. The provided role does not have sufficient permissions. "
                f"({error.message})",
            ) from error
