"""CodeCommit: repositories hold real git content."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session
from localaws.services.codecommit import state as codecommit_state
from localaws.services.codecommit.service import archive
from scripts.rehearsal.embedded import embedded_aws

ACCOUNT, REGION = "111111111111", "us-east-1"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with embedded_aws(tmp_path_factory.mktemp("rehearsal")) as cloud:
        yield cloud.root(ACCOUNT, REGION)
    assert not cloud.faults


@pytest.fixture
def codecommit(shared: Session) -> Iterator[Any]:
    client = shared.client("codecommit")
    client.create_repository(repositoryName="code", repositoryDescription="events", tags={"a": "b"})
    yield client
    for repository in client.list_repositories()["repositories"]:
        client.delete_repository(repositoryName=repository["repositoryName"])


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(codecommit_state, "emit", lambda *a, **event: events.append(event))
    return events


def commit(codecommit: Any, files: dict[str, str], parent: str = "", **more: Any) -> str:
    if parent:
        more["parentCommitId"] = parent
    puts = [{"filePath": path, "fileContent": text.encode()} for path, text in files.items()]
    answer = codecommit.create_commit(repositoryName="code", branchName="main", putFiles=puts, **more)
    return str(answer["commitId"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_git_itself_reads_the_repository(codecommit: Any, shared: Session, tmp_path: Path) -> None:
    first = commit(
        codecommit, {"README.md": "hello\n", "src/a/run.sh": "true\n"}, commitMessage="First", authorName="Ann"
    )
    second = codecommit.put_file(
        repositoryName="code", branchName="main", filePath="src/a/run.sh", fileContent=b"false\n",
        fileMode="EXECUTABLE", parentCommitId=first, commitMessage="Second",
    )["commitId"]  # fmt: skip
    bare = next((shared.cloud.folder / "repositories").rglob("*.git"))
    subprocess.run(["git", "clone", "-q", str(bare), str(tmp_path / "clone")], check=True)
    subprocess.run(["git", "-C", str(bare), "fsck", "--strict"], check=True, capture_output=True)
    log = subprocess.run(
        ["git", "-C", str(tmp_path / "clone"), "log", "--format=%H %an %s"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert log == [f"{second} root Second", f"{first} Ann First"]
    assert (tmp_path / "clone/src/a/run.sh").read_text() == "false\n"
    assert (tmp_path / "clone/src/a/run.sh").stat().st_mode & 0o100


def test_files_folders_and_differences(codecommit: Any) -> None:
    first = commit(codecommit, {"a.txt": "1", "d/b.txt": "2", "d/e/c.txt": "3"})
    answer = codecommit.create_commit(
        repositoryName="code", branchName="main", parentCommitId=first,
        putFiles=[{"filePath": "a.txt", "fileContent": b"changed"}, {"filePath": "n.txt", "fileContent": b"new"}],
        deleteFiles=[{"filePath": "d/b.txt"}],
    )  # fmt: skip
    assert [file["absolutePath"] for file in answer["filesAdded"]] == ["n.txt"]
    assert [file["absolutePath"] for file in answer["filesUpdated"]] == ["a.txt"]
    assert [file["absolutePath"] for file in answer["filesDeleted"]] == ["d/b.txt"]
    found = codecommit.get_file(repositoryName="code", filePath="/a.txt")
    assert (found["fileContent"], found["fileMode"], found["commitId"]) == (b"changed", "NORMAL", answer["commitId"])
    assert codecommit.get_file(repositoryName="code", commitSpecifier=first, filePath="a.txt")["fileContent"] == b"1"
    assert codecommit.get_blob(repositoryName="code", blobId=found["blobId"])["content"] == b"changed"
    root = codecommit.get_folder(repositoryName="code", folderPath="/")
    assert [file["relativePath"] for file in root["files"]] == ["a.txt", "n.txt"]
    assert [folder["absolutePath"] for folder in root["subFolders"]] == ["d"]
    inner = codecommit.get_folder(repositoryName="code", folderPath="d/e", commitSpecifier="main")
    assert [file["absolutePath"] for file in inner["files"]] == ["d/e/c.txt"]
    changes = codecommit.get_differences(
        repositoryName="code", beforeCommitSpecifier=first, afterCommitSpecifier="refs/heads/main"
    )["differences"]
    assert [(c["changeType"], (c.get("afterBlob") or c["beforeBlob"])["path"]) for c in changes] == [
        ("M", "a.txt"), ("D", "d/b.txt"), ("A", "n.txt"),
    ]  # fmt: skip
    shown = codecommit.get_commit(repositoryName="code", commitId=answer["commitId"])["commit"]
    assert shown["parents"] == [first]
    assert shown["treeId"] == answer["treeId"]


def test_a_branch_that_moves_is_reported(codecommit: Any, emitted: list[dict[str, Any]]) -> None:
    first = commit(codecommit, {"a": "1"})
    second = commit(codecommit, {"a": "2"}, first)
    codecommit.create_branch(repositoryName="code", branchName="feature/x", commitId=first)
    codecommit.delete_branch(repositoryName="code", branchName="feature/x")
    details = [event["detail"] for event in emitted]
    assert [(d["event"], d["referenceName"]) for d in details] == [
        ("referenceCreated", "main"),
        ("referenceUpdated", "main"),
        ("referenceCreated", "feature/x"),
        ("referenceDeleted", "feature/x"),
    ]
    assert (details[1]["commitId"], details[1]["oldCommitId"]) == (second, first)
    assert details[1]["referenceFullName"] == "refs/heads/main"
    assert details[1]["referenceType"] == "branch"
    assert emitted[0]["resources"] == [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:code"]
    assert emitted[0]["detail_type"] == "CodeCommit Repository State Change"


def test_branches(codecommit: Any) -> None:
    assert "defaultBranch" not in codecommit.get_repository(repositoryName="code")["repositoryMetadata"]
    first = commit(codecommit, {"a": "1"})
    codecommit.create_branch(repositoryName="code", branchName="other", commitId=first)
    assert codecommit.list_branches(repositoryName="code")["branches"] == ["main", "other"]
    assert codecommit.get_repository(repositoryName="code")["repositoryMetadata"]["defaultBranch"] == "main"
    with pytest.raises(ClientError) as error:
        codecommit.delete_branch(repositoryName="code", branchName="main")
    assert code(error) == "DefaultBranchCannotBeDeletedException"
    codecommit.update_default_branch(repositoryName="code", defaultBranchName="other")
    codecommit.delete_branch(repositoryName="code", branchName="main")
    assert codecommit.get_branch(repositoryName="code", branchName="other")["branch"]["commitId"] == first


def test_a_commit_must_build_on_the_newest_one(codecommit: Any) -> None:
    first = commit(codecommit, {"a": "1"})
    commit(codecommit, {"a": "2"}, first)
    for parent, expected in (
        ("", "ParentCommitIdRequiredException"),
        (first, "ParentCommitIdOutdatedException"),
        ("0" * 40, "ParentCommitDoesNotExistException"),
    ):
        with pytest.raises(ClientError) as error:
            commit(codecommit, {"a": "3"}, parent)
        assert code(error) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "1"}, "NoChangeException"),
        ({}, "FileEntryRequiredException"),
        ({"../x": "1"}, "InvalidPathException"),
        ({"x/.git/config": "1"}, "InvalidPathException"),
        ({"a/b": "1"}, "FileNameConflictsWithDirectoryNameException"),
        ({f"f{n}": "1" for n in range(101)}, "MaximumFileEntriesExceededException"),
        ({"big": "x" * (6 * 1024 * 1024 + 1)}, "FileContentSizeLimitExceededException"),
    ],
)
def test_a_wrong_commit_is_refused(codecommit: Any, files: dict[str, str], expected: str) -> None:
    first = commit(codecommit, {"a": "1"})
    with pytest.raises(ClientError) as error:
        commit(codecommit, files, first)
    assert code(error) == expected
    assert codecommit.get_branch(repositoryName="code", branchName="main")["branch"]["commitId"] == first


def test_what_is_not_there_is_named(codecommit: Any) -> None:
    commit(codecommit, {"a": "1"})
    for call, arguments, expected in (
        (codecommit.get_repository, {"repositoryName": "none"}, "RepositoryDoesNotExistException"),
        (codecommit.get_repository, {"repositoryName": "no name"}, "InvalidRepositoryNameException"),
        (codecommit.get_branch, {"repositoryName": "code", "branchName": "x"}, "BranchDoesNotExistException"),
        (codecommit.get_file, {"repositoryName": "code", "filePath": "x"}, "FileDoesNotExistException"),
        (codecommit.get_folder, {"repositoryName": "code", "folderPath": "x"}, "FolderDoesNotExistException"),
        (codecommit.get_commit, {"repositoryName": "code", "commitId": "0" * 40}, "CommitIdDoesNotExistException"),
        (codecommit.create_repository, {"repositoryName": "code"}, "RepositoryNameExistsException"),
        (codecommit.create_repository, {"repositoryName": "x", "kmsKeyId": "alias/mine"}, "NotSupported"),
    ):
        with pytest.raises(ClientError) as error:
            call(**arguments)
        assert code(error) == expected


def test_repositories_are_described_tagged_renamed_and_deleted(codecommit: Any) -> None:
    metadata = codecommit.get_repository(repositoryName="code")["repositoryMetadata"]
    assert metadata["Arn"] == f"arn:aws:codecommit:{REGION}:{ACCOUNT}:code"
    assert metadata["cloneUrlHttp"] == f"https://git-codecommit.{REGION}.amazonaws.com/v1/repos/code"
    codecommit.tag_resource(resourceArn=metadata["Arn"], tags={"c": "d"})
    codecommit.untag_resource(resourceArn=metadata["Arn"], tagKeys=["a"])
    assert codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"] == {"c": "d"}
    codecommit.update_repository_description(repositoryName="code", repositoryDescription="new")
    codecommit.update_repository_name(oldName="code", newName="renamed")
    answer = codecommit.batch_get_repositories(repositoryNames=["renamed", "code"])
    assert answer["repositories"][0]["repositoryDescription"] == "new"
    assert answer["repositoriesNotFound"] == ["code"]
    assert codecommit.delete_repository(repositoryName="renamed")["repositoryId"] == metadata["repositoryId"]
    assert "repositoryId" not in codecommit.delete_repository(repositoryName="renamed")


def test_the_archive_holds_the_newest_commit(codecommit: Any, shared: Session) -> None:
    first = commit(codecommit, {"a.txt": "1", "d/b.txt": "2"})
    commit_id, body = archive(shared.cloud, ACCOUNT, REGION, "code", "main")
    assert commit_id == first
    with zipfile.ZipFile(io.BytesIO(body)) as made:
        assert {name: made.read(name) for name in made.namelist()} == {"a.txt": b"1", "d/b.txt": b"2"}


def test_branches_whose_names_cannot_stand_beside_each_other_are_refused(codecommit: Any) -> None:
    head = commit(codecommit, {"a.txt": "1"})
    codecommit.create_branch(repositoryName="code", branchName="topic", commitId=head)
    for name in ("topic/one", "x" * 256):
        with pytest.raises(ClientError, match="InvalidBranchNameException"):
            codecommit.create_branch(repositoryName="code", branchName=name, commitId=head)
    assert codecommit.list_branches(repositoryName="code")["branches"] == ["main", "topic"]
    codecommit.delete_branch(repositoryName="code", branchName="topic")
    codecommit.create_branch(repositoryName="code", branchName="topic/one", commitId=head)
    codecommit.delete_branch(repositoryName="code", branchName="topic/one")
    codecommit.create_branch(repositoryName="code", branchName="topic", commitId=head)
    assert codecommit.list_branches(repositoryName="code")["branches"] == ["main", "topic"]
