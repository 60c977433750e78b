"""CodeCommit: commits and the files in them.

AWS CodeCommit API Reference: CreateCommit, PutFile, DeleteFile, GetFile, GetFolder, GetBlob,
GetCommit, BatchGetCommits, GetDifferences; User Guide, "Quotas in AWS CodeCommit".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import refuse_unless
from localaws.services.codecommit.git import ID, MODES, NAMES, TREE, Commit, File
from localaws.services.codecommit.service import codecommit
from localaws.services.codecommit.state import (
    PAGE,
    Repo,
    branch_of,
    check_branch,
    commit_of,
    move,
    page,
    repo_of,
    specified,
    state,
)

MAX_FILE = 6 * 1024 * 1024  # bytes of one file through the API
MAX_ENTRIES = 100  # files in one CreateCommit


@codecommit.operation("CreateCommit")
def create_commit(call: Call) -> dict[str, Any]:
    params = call.params
    puts, deletes = params.get("putFiles", []), params.get("deleteFiles", [])
    modes = params.get("setFileModes", [])
    if params.get("keepEmptyFolders"):
        raise NotSupported("codecommit:CreateCommit with keepEmptyFolders")
    refuse_unless(puts or deletes or modes, "FileEntryRequiredException", "A commit needs at least one file entry")
    refuse_unless(
        len(puts) + len(deletes) + len(modes) <= MAX_ENTRIES,
        "MaximumFileEntriesExceededException",
        f"A commit takes at most {MAX_ENTRIES} file entries",
    )
    paths = [clean_path(item["filePath"]) for item in (*puts, *deletes, *modes)]
    refuse_unless(len(paths) == len(set(paths)), "SamePathRequestException", "A path is there twice")
    repo = repo_of(call)

    def change(files: dict[str, File]) -> None:
        for item in puts:
            files[clean_path(item["filePath"])] = put_entry(repo, files, item)
        for item in deletes:
            del files[existing(files, item["filePath"])]
        for item in modes:
            path = existing(files, item["filePath"])
            files[path] = File(git_mode(item["fileMode"]), files[path].blob)

    before, after, commit = commit_change(
        call, repo, change, "NoChangeException", params.get("commitMessage", ""), params.get("authorName")
    )
    shown: Callable[[str, File], dict[str, str]] = lambda path, file: {  # noqa: E731
        "absolutePath": path, "blobId": file.blob, "fileMode": NAMES[file.mode],
    }  # fmt: skip
    return {
        "commitId": commit.id,
        "treeId": commit.tree,
        "filesAdded": [shown(path, file) for path, file in sorted(after.items()) if path not in before],
        "filesUpdated": [shown(path, file) for path, file in sorted(after.items()) if before.get(path, file) != file],
        "filesDeleted": [shown(path, file) for path, file in sorted(before.items()) if path not in after],
    }


@codecommit.operation("PutFile")
def put_file(call: Call) -> dict[str, Any]:
    params, repo = call.params, repo_of(call)
    path = clean_path(params["filePath"])
    refuse_unless(params["fileContent"], "FileContentRequiredException", "The file cannot be empty")

    def change(files: dict[str, File]) -> None:
        files[path] = put_entry(repo, files, params)

    message = params.get("commitMessage") or f"Added {path}."
    _, after, commit = commit_change(call, repo, change, "SameFileContentException", message, params.get("name"))
    return {"commitId": commit.id, "blobId": after[path].blob, "treeId": commit.tree}


@codecommit.operation("DeleteFile")
def delete_file(call: Call) -> dict[str, Any]:
    params, repo = call.params, repo_of(call)
    if params.get("keepEmptyFolders"):
        raise NotSupported("codecommit:DeleteFile with keepEmptyFolders")
    path = clean_path(params["filePath"])

    def change(files: dict[str, File]) -> None:
        del files[existing(files, path)]

    message = params.get("commitMessage") or f"Deleted {path}."
    before, _, commit = commit_change(call, repo, change, "NoChangeException", message, params.get("name"))
    return {"commitId": commit.id, "blobId": before[path].blob, "treeId": commit.tree, "filePath": path}


def commit_change(
    call: Call, repo: Repo, change: Callable[[dict[str, File]], None], nothing: str, message: str, author: str | None
) -> tuple[dict[str, File], dict[str, File], Commit]:
    """Commit a change of files to the request's branch; files before, files after, the commit.

    API Reference, CreateCommit: the branch must exist unless the repository is empty, and the
    parent given must be its newest commit.
    nothing: the error where the change changes nothing
    """
    branch, parent = call.params["branchName"], call.params.get("parentCommitId")
    check_branch(branch)
    with state(call).lock:
        branches = repo.git.branches()
        if branches:
            tip = branch_of(repo, branch)["commitId"]
            refuse_unless(
                parent, "ParentCommitIdRequiredException", "A parent commit id is required: the branch has commits"
            )
            commit_of(repo, str(parent), "ParentCommitDoesNotExistException")
            refuse_unless(
                parent == tip,
                "ParentCommitIdOutdatedException",
                f"{parent} is not the newest commit of {branch}, which is {tip}",
            )
            before = repo.git.files(repo.git.commit(tip).tree)
        else:
            refuse_unless(not parent, "ParentCommitDoesNotExistException", "The repository is empty")
            before = {}
        after = dict(before)
        change(after)
        check_folders(after)
        refuse_unless(before != after, nothing, "The commit would change nothing")
        who = author or call.principal.session_name or call.principal.arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        commit_id = repo.git.write_commit(
            repo.git.write_tree(after), (str(parent),) if parent else (), who, call.params.get("email", ""),
            int(time.time()), message,
        )  # fmt: skip
        move(call, repo, branch, commit_id)
    return before, after, repo.git.commit(commit_id)


def put_entry(repo: Repo, files: Mapping[str, File], item: Mapping[str, Any]) -> File:
    """The file that an entry of putFiles means."""
    content, source = item.get("fileContent"), item.get("sourceFile")
    refuse_unless(
        (content is None) != (source is None),
        "SourceFileOrContentRequiredException" if content is None else "FileContentAndSourceFileSpecifiedException",
        f"{item['filePath']} needs either content or a source file",
    )
    if source is not None:
        raise NotSupported("codecommit:CreateCommit with a source file")
    refuse_unless(
        len(content or b"") <= MAX_FILE,
        "FileContentSizeLimitExceededException",
        f"{item['filePath']} is larger than {MAX_FILE} bytes",
    )
    body = content if isinstance(content, bytes) else str(content).encode()
    old = files.get(clean_path(item["filePath"]))
    mode = git_mode(item["fileMode"]) if item.get("fileMode") else old.mode if old else MODES["NORMAL"]
    return File(mode, repo.git.write("blob", body))


def git_mode(name: str) -> str:
    refuse_unless(name in MODES, "InvalidFileModeException", f"Invalid file mode: {name}")
    return MODES[name]


def existing(files: Mapping[str, File], path: str) -> str:
    path = clean_path(path)
    refuse_unless(path in files, "FileDoesNotExistException", f"{path} does not exist")
    return path


def check_folders(files: Mapping[str, File]) -> None:
    for path in files:
        parts = path.split("/")
        for end in range(1, len(parts)):
            refuse_unless(
                "/".join(parts[:end]) not in files,
                "FileNameConflictsWithDirectoryNameException",
                f"{'/'.join(parts[:end])} is a file and a folder",
            )


def clean_path(path: str) -> str:
    """A path without its leading slash; CodeCommit takes both forms."""
    clean = path.removeprefix("/")
    refuse_unless(clean, "PathRequiredException", "A path is required")
    refuse_unless(
        not any(part in {"", ".", "..", ".git"} for part in clean.split("/")),
        "InvalidPathException",
        f"The path {path} is not valid",
    )
    return clean


@codecommit.operation("GetCommit")
def get_commit(call: Call) -> dict[str, Any]:
    commit_id = call.params["commitId"]
    refuse_unless(ID.fullmatch(commit_id), "InvalidCommitIdException", f"{commit_id} is not a commit id")
    return {"commit": shown_commit(commit_of(repo_of(call), commit_id, "CommitIdDoesNotExistException"))}


@codecommit.operation("BatchGetCommits")
def batch_get_commits(call: Call) -> dict[str, Any]:
    repo, found, errors = repo_of(call), [], []
    for commit_id in call.params["commitIds"]:
        try:
            found.append(shown_commit(commit_of(repo, commit_id, "CommitIdDoesNotExistException")))
        except AwsError as error:
            errors.append({"commitId": commit_id, "errorCode": error.code, "errorMessage": error.message})
    return {"commits": found, "errors": errors}


def shown_commit(commit: Commit) -> dict[str, Any]:
    who = {"name": commit.author, "email": commit.email, "date": commit.date}
    return {
        "commitId": commit.id,
        "treeId": commit.tree,
        "parents": list(commit.parents),
        "message": commit.message,
        "author": who,
        "committer": who,
        "additionalData": "",
    }


@codecommit.operation("GetFile")
def get_file(call: Call) -> dict[str, Any]:
    repo = repo_of(call)
    commit = specified(repo, call.params.get("commitSpecifier"))
    files, path = repo.git.files(commit.tree), clean_path(call.params["filePath"])
    file = files[existing(files, path)]
    content = repo.git.read("blob", file.blob)
    return {
        "commitId": commit.id,
        "blobId": file.blob,
        "filePath": path,
        "fileMode": NAMES[file.mode],
        "fileSize": len(content),
        "fileContent": content,
    }


@codecommit.operation("GetBlob")
def get_blob(call: Call) -> dict[str, Any]:
    blob = call.params["blobId"]
    refuse_unless(ID.fullmatch(blob), "InvalidBlobIdException", f"{blob} is not a blob id")
    try:
        return {"content": repo_of(call).git.read("blob", blob)}
    except KeyError as error:
        raise AwsError("BlobIdDoesNotExistException", f"The blob {blob} does not exist") from error


@codecommit.operation("GetFolder")
def get_folder(call: Call) -> dict[str, Any]:
    repo = repo_of(call)
    commit = specified(repo, call.params.get("commitSpecifier"))
    path, tree = call.params["folderPath"].strip("/"), commit.tree
    for part in filter(None, path.split("/")):
        inner = {name: found for name, mode, found in repo.git.entries(tree) if mode == TREE}
        if part not in inner:
            raise AwsError("FolderDoesNotExistException", f"The folder {path} does not exist")
        tree = inner[part]
    answer: dict[str, Any] = {"commitId": commit.id, "folderPath": path, "treeId": tree}
    answer |= {"subFolders": [], "files": [], "symbolicLinks": [], "subModules": []}
    for name, mode, found in repo.git.entries(tree):
        places = {"absolutePath": f"{path}/{name}".removeprefix("/"), "relativePath": name}
        if mode == TREE:
            answer["subFolders"].append({"treeId": found, **places})
        else:
            kind = "symbolicLinks" if NAMES[mode] == "SYMLINK" else "files"
            answer[kind].append({"blobId": found, **places, "fileMode": NAMES[mode]})
    return answer


@codecommit.operation("GetDifferences")
def get_differences(call: Call) -> dict[str, Any]:
    params, repo = call.params, repo_of(call)
    if params.get("beforePath") or params.get("afterPath"):
        raise NotSupported("codecommit:GetDifferences of a path")
    after = repo.git.files(specified(repo, params["afterCommitSpecifier"]).tree)
    before: dict[str, File] = {}
    if params.get("beforeCommitSpecifier"):
        before = repo.git.files(specified(repo, params["beforeCommitSpecifier"]).tree)
    found = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old != new:
            change = "A" if old is None else "D" if new is None else "M"
            sides = {"beforeBlob": old, "afterBlob": new}
            blobs = {k: {"blobId": f.blob, "path": path, "mode": f.mode} for k, f in sides.items() if f}
            found.append({"changeType": change, **blobs})
    shown, more = page(found, params.get("NextToken"), params.get("MaxResults", PAGE))
    return {"differences": shown, **({"NextToken": more} if more else {})}
