"""Brings a team's files into the project's repositories, and waits until the pipeline has read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.kit.connect import pages
from scripts.kit.console import near, say
from scripts.kit.projects.history import ENDED
from scripts.rehearsal.playing import Playing
from scripts.rehearsal.teams.repositories import DEPLOY, TRAINING, files_of

MOST_ENTRIES = 100  # of one commit (CodeCommit API Reference, CreateCommit: MaximumFileEntriesExceededException)
NAMES = {DEPLOY: "modeldeploy", TRAINING: "modelbuild"}


def push(story: Playing) -> None:
    """Make the project's repositories what the team's folders are."""
    for option, folder in story.repositories.folders.items():
        commit = replace_files(story, NAMES[option], folder)
        say(f"    {near(folder)} is pushed" if commit else f"    {near(folder)} is what the project begins with")
        if commit and option == DEPLOY:
            wait_for_commit(story, commit)


def replace_files(story: Playing, repository: str, folder: Path) -> str:
    """The last commit; "" where the repository holds these files already.

    By the ML engineer, without git: a data scientist pushes with git, and may not send CreateCommit.
    """
    codecommit = story.engineer.client("codecommit")
    name = f"sagemaker-{story.project_name}-{story.project_id}-{repository}"
    head = str(codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"])
    listed = pages(codecommit, "get_differences", "differences", repositoryName=name, afterCommitSpecifier=head)
    there = {one["afterBlob"]["path"]: one["afterBlob"]["blobId"] for one in listed}
    files = files_of(folder)
    puts = [
        {"filePath": path, "fileContent": content}
        for path, content in files.items()
        if there.get(path) != git_blob(content)
    ]
    entries = [("deleteFiles", {"filePath": path}) for path in sorted(there.keys() - files.keys())]
    entries += [("putFiles", put) for put in puts]
    commit = ""
    for part in parts(entries):
        changes: dict[str, list[Any]] = {}
        for kind, entry in part:
            changes.setdefault(kind, []).append(entry)
        commit = head = str(
            codecommit.create_commit(
                repositoryName=name,
                branchName="main",
                parentCommitId=head,
                commitMessage="The change that is rehearsed",
                **changes,
            )["commitId"]
        )
    return commit


def parts(entries: list[tuple[str, Any]]) -> Iterable[list[tuple[str, Any]]]:
    return (entries[start : start + MOST_ENTRIES] for start in range(0, len(entries), MOST_ENTRIES))


def git_blob(content: bytes) -> str:
    """The id that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def wait_for_commit(story: Playing, commit: str) -> None:
    """Until the pipeline has run with a commit. No version is approved yet: Build reads it, and nothing is deployed."""

    def ended() -> str | None:
        for execution in story.executions():
            if any(revision.get("revisionId") == commit for revision in execution["sourceRevisions"]):
                story.execution_id = execution["pipelineExecutionId"]
                return str(execution["status"]) if execution["status"] in ENDED else None
        return None

    status = story.until("the pipeline to run with the team's commit", ended)
    story.require(status == "Succeeded", f"the execution of the team's commit ended {status}")
