"""CodeCommit's operations on repositories, branches and tags."""

from __future__ import annotations

import io
import re
import shutil
import time
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, arn, new_id, refuse_unless
from localaws.service import Service
from localaws.services.codecommit.git import ID, Repository
from localaws.services.codecommit.state import (
    PAGE,
    CodeCommitState,
    Repo,
    branch_of,
    check_branch,
    check_name,
    commit_of,
    find,
    move,
    page,
    repo_of,
    state,
    tell,
)
from localaws.shapes import Violation


def refused(call: Call, found: list[Violation]) -> AwsError | None:
    """The operation's own error for a member: InvalidBranchNameException, BranchNameRequiredException (API Reference,
    "Errors" of each operation). None where it has none: the handler says what AWS does then.
    """
    model = get_service_model("codecommit").operation_model(call.operation)
    known = {shape.name for shape in model.error_shapes}
    for one in found:
        name = re.findall(r"[A-Za-z]+", one.path)[-1]
        name = name[0].upper() + name[1:]
        code = f"{name}RequiredException" if one.missing else f"Invalid{name}Exception"
        if code in known:
            return AwsError(code, str(one))
    return None


codecommit = Service("codecommit", invalid=refused)

MAX_TAGS = 50


@codecommit.operation("CreateRepository")
def create_repository(call: Call) -> dict[str, Any]:
    name, tags = call.params["repositoryName"], call.params.get("tags", {})
    if call.params.get("kmsKeyId"):
        raise NotSupported("a CodeCommit repository with a customer managed key")
    check_name(name)
    check_tags(tags)
    known = state(call)
    with known.lock:
        refuse_unless(
            name not in known.repositories, "RepositoryNameExistsException", f"Repository named {name} already exists"
        )
        now, place = datetime.now(UTC), f"git-codecommit.{call.region}.amazonaws.com/v1/repos/{name}"
        unique = new_id()
        metadata = {
            "accountId": call.account,
            "repositoryId": unique,
            "repositoryName": name,
            "lastModifiedDate": now,
            "creationDate": now,
            "cloneUrlHttp": f"https://{place}",
            "cloneUrlSsh": f"ssh://{place}",
            "Arn": arn("codecommit", call.region, call.account, name),
            "kmsKeyId": arn("kms", call.region, call.account, "alias/aws/codecommit"),
        }
        if call.params.get("repositoryDescription"):
            metadata["repositoryDescription"] = call.params["repositoryDescription"]
        git = Repository(call.cloud.folder / "repositories" / call.account / call.region / f"{unique}.git")
        known.repositories[name] = Repo(metadata, git, dict(tags))
    return {"repositoryMetadata": metadata}


@codecommit.operation("GetRepository")
def get_repository(call: Call) -> dict[str, Any]:
    return {"repositoryMetadata": repo_of(call).metadata}


@codecommit.operation("BatchGetRepositories")
def batch_get_repositories(call: Call) -> dict[str, Any]:
    known, names = state(call).repositories, call.params["repositoryNames"]
    refuse_unless(len(names) <= 100, "MaximumRepositoryNamesExceededException", "At most 100 names can be given")
    return {
        "repositories": [known[name].metadata for name in names if name in known],
        "repositoriesNotFound": [name for name in names if name not in known],
    }


@codecommit.operation("ListRepositories")
def list_repositories(call: Call) -> dict[str, Any]:
    sort, order = call.params.get("sortBy", "repositoryName"), call.params.get("order", "ascending")
    refuse_unless(sort in {"repositoryName", "lastModifiedDate"}, "InvalidSortByException", f"Invalid sortBy: {sort}")
    refuse_unless(order in {"ascending", "descending"}, "InvalidOrderException", f"Invalid order: {order}")
    with state(call).lock:
        found = [repo.metadata for repo in state(call).repositories.values()]
    found.sort(key=lambda metadata: metadata[sort], reverse=order == "descending")
    shown, more = page(found, call.params.get("nextToken"), PAGE)
    listed = [{name: item[name] for name in ("repositoryName", "repositoryId")} for item in shown]
    return {"repositories": listed, **({"nextToken": more} if more else {})}


@codecommit.operation("DeleteRepository")
def delete_repository(call: Call) -> dict[str, Any]:
    """API Reference: deleting what is not there succeeds, with no id in the answer."""
    check_name(call.params["repositoryName"])
    known = state(call)
    with known.lock:
        repo = known.repositories.pop(call.params["repositoryName"], None)
    if repo is None:
        return {}
    shutil.rmtree(repo.git.folder)
    return {"repositoryId": repo.metadata["repositoryId"]}


@codecommit.operation("UpdateRepositoryName")
def update_repository_name(call: Call) -> dict[str, Any]:
    known, new = state(call), call.params["newName"]
    check_name(new)
    with known.lock:
        repo = find(known, call.params["oldName"])
        refuse_unless(
            new not in known.repositories, "RepositoryNameExistsException", f"Repository named {new} already exists"
        )
        del known.repositories[call.params["oldName"]]
        known.repositories[new] = repo
        place = f"git-codecommit.{call.region}.amazonaws.com/v1/repos/{new}"
        repo.metadata |= {
            "repositoryName": new,
            "Arn": arn("codecommit", call.region, call.account, new),
            "cloneUrlHttp": f"https://{place}",
            "cloneUrlSsh": f"ssh://{place}",
        }
    return {}


@codecommit.operation("UpdateRepositoryDescription")
def update_repository_description(call: Call) -> dict[str, Any]:
    repo_of(call).metadata["repositoryDescription"] = call.params.get("repositoryDescription", "")
    return {}


@codecommit.operation("TagResource", "UntagResource", "ListTagsForResource")
def tags_of_resource(call: Call) -> dict[str, Any]:
    resource = call.params["resourceArn"]
    refuse_unless(resource.startswith("arn:aws:codecommit:"), "InvalidResourceArnException", f"Invalid ARN: {resource}")
    repo = find(state(call), resource.rsplit(":", 1)[1])
    if call.operation == "ListTagsForResource":
        return {"tags": repo.tags}
    if call.operation == "TagResource":
        check_tags(call.params["tags"])
        merged = {**repo.tags, **call.params["tags"]}
        refuse_unless(len(merged) <= MAX_TAGS, "TooManyTagsException", f"At most {MAX_TAGS} tags are allowed")
        repo.tags = merged
    else:
        repo.tags = {key: value for key, value in repo.tags.items() if key not in call.params["tagKeys"]}
    return {}


def check_tags(tags: Mapping[str, str]) -> None:
    refuse_unless(len(tags) <= MAX_TAGS, "TooManyTagsException", f"At most {MAX_TAGS} tags are allowed")
    refuse_unless(
        not any(key.lower().startswith("aws:") for key in tags),
        "InvalidSystemTagUsageException",
        "Tag keys that start with aws: are reserved",
    )


@codecommit.operation("CreateBranch")
def create_branch(call: Call) -> dict[str, Any]:
    repo, name, commit_id = repo_of(call), call.params["branchName"], call.params["commitId"]
    check_branch(name)
    refuse_unless(ID.fullmatch(commit_id), "InvalidCommitIdException", f"{commit_id} is not a commit id")
    with state(call).lock:
        refuse_unless(name not in repo.git.branches(), "BranchNameExistsException", f"The branch {name} already exists")
        commit_of(repo, commit_id, "CommitDoesNotExistException")
        move(call, repo, name, commit_id)
    return {}


@codecommit.operation("GetBranch")
def get_branch(call: Call) -> dict[str, Any]:
    """The name is required, whatever the model says (API Reference, GetBranch: BranchNameRequiredException)."""
    if not call.params.get("branchName"):
        raise AwsError("BranchNameRequiredException", "A branch name is required but was not specified")
    return {"branch": branch_of(repo_of(call), call.params["branchName"])}


@codecommit.operation("ListBranches")
def list_branches(call: Call) -> dict[str, Any]:
    shown, more = page(list(repo_of(call).git.branches()), call.params.get("nextToken"), PAGE)
    return {"branches": shown, **({"nextToken": more} if more else {})}


@codecommit.operation("UpdateDefaultBranch")
def update_default_branch(call: Call) -> dict[str, Any]:
    repo, name = repo_of(call), call.params["defaultBranchName"]
    branch_of(repo, name)
    repo.metadata["defaultBranch"] = name
    repo.git.point_head(name)
    return {}


@codecommit.operation("DeleteBranch")
def delete_branch(call: Call) -> dict[str, Any]:
    repo, name = repo_of(call), call.params["branchName"]
    refuse_unless(
        name != repo.metadata.get("defaultBranch"),
        "DefaultBranchCannotBeDeletedException",
        f"The branch {name} is the default branch and cannot be deleted",
    )
    if name not in repo.git.branches():
        return {}
    gone = branch_of(repo, name)
    repo.git.delete_branch(name)
    tell(call, repo, "referenceDeleted", name, oldCommitId=gone["commitId"])
    return {"deletedBranch": gone}


def archive(cloud: Cloud, account: str, region: str, repository: str, branch: str) -> tuple[str, bytes]:
    """The newest commit of a branch: its id, and the zip that CodePipeline's source action makes of it."""
    repo = find(cloud.state(CodeCommitState, account, region), repository)
    commit = commit_of(repo, branch_of(repo, branch)["commitId"], "CommitDoesNotExistException")
    when = time.gmtime(int(commit.date.split()[0]))[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for path, file in sorted(repo.git.files(commit.tree).items()):
            entry = zipfile.ZipInfo(path, when)
            entry.external_attr = int(file.mode, 8) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, repo.git.read("blob", file.blob))
    return commit.id, buffer.getvalue()


__all__ = ["archive", "codecommit"]
