"""What CodeCommit remembers in one account and Region, and how names, branches and commits are found."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError
from localaws import places
from localaws.calls import Call
from localaws.cloud import refuse_unless
from localaws.services.codecommit.git import Commit, Repository
from localaws.services.events.service import emit

NAME = re.compile(r"[a-zA-Z0-9_.-]{1,100}")
BRANCH = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$|/$|\.$))[^\x00-\x20\x7f~^:?*\[\\/.-][^\x00-\x20\x7f~^:?*\[\\]{0,255}")
PAGE = 1000


@dataclass
class Repo:
    """A repository: what GetRepository shows, its tags and its git content.

    followers: are called for each branch that moves, with its commits before and after
    """

    metadata: dict[str, Any]
    git: Repository
    tags: dict[str, str] = field(default_factory=dict)
    followers: list[Callable[[Call, str, str, str], None]] = field(default_factory=list)


@dataclass
class CodeCommitState:
    lock: threading.RLock = field(default_factory=threading.RLock)
    repositories: dict[str, Repo] = field(default_factory=dict)


def state(call: Call) -> CodeCommitState:
    return call.cloud.state(CodeCommitState, call.account, call.region)


def find(known: CodeCommitState, name: str) -> Repo:
    check_name(name)
    if name not in known.repositories:
        raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")
    return known.repositories[name]


def repo_of(call: Call) -> Repo:
    return find(state(call), call.params["repositoryName"])


def check_name(name: str) -> None:
    refuse_unless(
        NAME.fullmatch(name) and not name.endswith(".git"),
        "InvalidRepositoryNameException",
        f"The repository name {name} is not valid. Repository names are 1 to 100 letters, digits, dots, hyphens or "
        "underscores, and do not end in .git",
    )


def page(items: list[Any], token: str | None, size: int) -> tuple[list[Any], str]:
    """One page of items, and the token of the next one ("" where there is none)."""
    start = int(token or 0)
    return items[start : start + size], str(start + size) if start + size < len(items) else ""


def check_branch(name: str) -> None:
    refuse_unless(BRANCH.fullmatch(name), "InvalidBranchNameException", f"The branch name {name} is not valid")


def branch_of(repo: Repo, name: str) -> dict[str, str]:
    check_branch(name)
    branches = repo.git.branches()
    if name not in branches:
        raise AwsError(
            "BranchDoesNotExistException", f"Branch {name} does not exist in {repo.metadata['repositoryName']}"
        )
    return {"branchName": name, "commitId": branches[name]}


def move(call: Call, repo: Repo, name: str, commit_id: str) -> None:
    """Point a branch to a commit, and tell EventBridge. The first branch becomes the default one."""
    before = repo.git.branches().get(name)
    try:
        repo.git.move_branch(name, commit_id)
    except places.NoPlace as error:
        raise AwsError(
            "InvalidBranchNameException", f"The branch name {name} is not valid beside the other branches: {error}"
        ) from error
    repo.metadata["lastModifiedDate"] = datetime.now(UTC)
    if "defaultBranch" not in repo.metadata:
        repo.metadata["defaultBranch"] = name
        repo.git.point_head(name)
    if before is None:
        tell(call, repo, "referenceCreated", name, commitId=commit_id)
    else:
        tell(call, repo, "referenceUpdated", name, commitId=commit_id, oldCommitId=before)


def tell(call: Call, repo: Repo, event: str, branch: str, **commits: str) -> None:
    """User Guide, "Monitoring CodeCommit events in Amazon EventBridge": referenceCreated and its like."""
    emit(
        call.cloud,
        call.account,
        call.region,
        source="aws.codecommit",
        detail_type="CodeCommit Repository State Change",
        resources=[repo.metadata["Arn"]],
        detail={
            "event": event,
            "repositoryName": repo.metadata["repositoryName"],
            "repositoryId": repo.metadata["repositoryId"],
            "referenceType": "branch",
            "referenceName": branch,
            "referenceFullName": f"refs/heads/{branch}",
            "callerUserArn": call.principal.arn,
            **commits,
        },
    )
    for follower in repo.followers if event == "referenceUpdated" else ():
        follower(call, branch, commits["oldCommitId"], commits["commitId"])


def commit_of(repo: Repo, commit_id: str, code: str) -> Commit:
    try:
        return repo.git.commit(commit_id)
    except KeyError as error:
        raise AwsError(code, f"The commit {commit_id} does not exist") from error


def specified(repo: Repo, specifier: str | None) -> Commit:
    """The commit that a specifier means: a branch, a full reference, HEAD, an id; HEAD where none is given."""
    branches, default = repo.git.branches(), repo.metadata.get("defaultBranch", "")
    name = (specifier or "HEAD").removeprefix("refs/heads/")
    commit_id = branches.get(default if name == "HEAD" else name, name)
    return commit_of(repo, commit_id, "CommitDoesNotExistException")
