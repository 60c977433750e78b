"""CodeCommit's pull requests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.codecommit import pull_requests
from scripts.rehearsal.embedded import embedded_aws
from tests.support.authorization import allow, session

ACCOUNT, REGION = "111111111111", "us-east-1"
NUMBERS = itertools.count()
LINES = "".join(f"line {number}\n" for number in range(9))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("pull-requests")) as running:
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


class Code:
    """A repository of its own, with the branches main and team, and its pull requests."""

    def __init__(self, cloud: Cloud) -> None:
        self.client = cloud.root(ACCOUNT, REGION).client("codecommit")
        self.name = f"code-{next(NUMBERS)}"
        self.client.create_repository(repositoryName=self.name)
        self.put("main", "a.txt", LINES)
        self.client.create_branch(repositoryName=self.name, branchName="team", commitId=self.tip("main"))

    def tip(self, branch: str) -> str:
        try:
            return str(self.client.get_branch(repositoryName=self.name, branchName=branch)["branch"]["commitId"])
        except self.client.exceptions.BranchDoesNotExistException:
            return ""

    def put(self, branch: str, path: str, text: str) -> str:
        parent = {"parentCommitId": self.tip(branch)} if self.tip(branch) else {}
        made = self.client.put_file(
            repositoryName=self.name, branchName=branch, filePath=path, fileContent=text.encode(), **parent
        )
        return str(made["commitId"])

    def text(self, path: str, branch: str = "main") -> str:
        found = self.client.get_file(repositoryName=self.name, commitSpecifier=branch, filePath=path)
        return bytes(found["fileContent"]).decode()

    def create(self, **more: Any) -> dict[str, Any]:
        target = {"repositoryName": self.name, "sourceReference": "team", "destinationReference": "main"}
        return dict(self.client.create_pull_request(**{"title": "A change", "targets": [target]} | more)["pullRequest"])

    def merge(self, request: dict[str, Any], by: str, **more: Any) -> dict[str, Any]:
        ask = getattr(self.client, f"merge_pull_request_by_{by}")
        merged = ask(pullRequestId=request["pullRequestId"], repositoryName=self.name, **more)
        return dict(merged["pullRequest"]["pullRequestTargets"][0]["mergeMetadata"])

    def commit(self, commit_id: str) -> dict[str, Any]:
        return dict(self.client.get_commit(repositoryName=self.name, commitId=commit_id)["commit"])


@pytest.fixture
def code(cloud: Cloud) -> Code:
    return Code(cloud)


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(pull_requests, "emit", lambda *a, **event: events.append(event["detail"]))
    return events


def refused(ask: Any) -> str:
    with pytest.raises(ClientError) as error:
        ask()
    return str(error.value.response["Error"]["Code"])


def test_a_request_is_commented_updated_and_merged_by_fast_forward(code: Code, emitted: list[dict[str, Any]]) -> None:
    first, before = code.put("team", "b.txt", "new\n"), code.tip("main")
    request = code.create(description="why")
    [target] = request["pullRequestTargets"]
    assert (target["sourceCommit"], target["destinationCommit"], target["mergeBase"]) == (first, before, before)
    second = code.put("team", "b.txt", "newer\n")
    client, id = code.client, request["pullRequestId"]
    assert client.get_pull_request(pullRequestId=id)["pullRequest"]["pullRequestTargets"][0]["sourceCommit"] == second
    place = {"repositoryName": code.name, "beforeCommitId": before, "afterCommitId": second}
    client.post_comment_for_pull_request(pullRequestId=id, content="Good.", **place)
    [thread] = client.get_comments_for_pull_request(pullRequestId=id)["commentsForPullRequestData"]
    assert thread["comments"][0]["content"] == "Good."
    merged = code.merge(request, "fast_forward", sourceCommitId=second)
    assert (merged["isMerged"], merged["mergeOption"], code.tip("main")) == (True, "FAST_FORWARD_MERGE", second)
    assert [one["event"] for one in emitted] == [
        "pullRequestCreated", "pullRequestSourceBranchUpdated", "commentOnPullRequestCreated",
        "pullRequestMergeStatusUpdated",
    ]  # fmt: skip
    assert (emitted[-1]["isMerged"], emitted[-1]["pullRequestStatus"]) == ("True", "Closed")
    events = client.describe_pull_request_events(pullRequestId=id)["pullRequestEvents"]
    assert [one["pullRequestEventType"].removeprefix("PULL_REQUEST_") for one in events] == [
        "STATUS_CHANGED", "MERGE_STATE_CHANGED", "SOURCE_REFERENCE_UPDATED", "CREATED",
    ]  # fmt: skip


def test_both_sides_are_merged_where_they_do_not_conflict(code: Code) -> None:
    for by, parents in (("squash", 1), ("three_way", 2)):
        code.put("team", f"{by}.txt", "theirs\n")
        code.put("main", f"main-{by}.txt", "ours\n")
        request = code.create()
        assert refused(lambda request=request: code.merge(request, "fast_forward")) == "ManualMergeRequiredException"
        merged = code.merge(request, by, commitMessage="Both", authorName="Ann")
        commit = code.commit(merged["mergeCommitId"])
        assert (len(commit["parents"]), commit["message"], commit["author"]["name"]) == (parents, "Both", "Ann")
        assert (code.text(f"{by}.txt"), code.text(f"main-{by}.txt")) == ("theirs\n", "ours\n")


def test_a_file_that_differs_on_both_sides_conflicts_unless_its_lines_are_compared(code: Code) -> None:
    code.put("team", "a.txt", LINES.replace("line 1", "theirs"))
    code.put("main", "a.txt", LINES.replace("line 7", "ours"))
    specifiers = {"sourceCommitSpecifier": "team", "destinationCommitSpecifier": "main"}
    options = code.client.get_merge_options(repositoryName=code.name, **specifiers)["mergeOptions"]
    request = code.create()
    assert options == []
    assert refused(lambda: code.merge(request, "three_way")) == "ManualMergeRequiredException"
    assert refused(lambda: code.merge(request, "three_way", conflictResolutionStrategy="AUTOMERGE")) == "NotSupported"
    code.merge(request, "three_way", conflictDetailLevel="LINE_LEVEL")
    assert code.text("a.txt") == LINES.replace("line 1", "theirs").replace("line 7", "ours")
    code.put("team", "a.txt", "theirs\n")
    code.put("main", "a.txt", "ours\n")
    request = code.create()
    by_line = {"conflictDetailLevel": "LINE_LEVEL"}
    assert refused(lambda: code.merge(request, "three_way", **by_line)) == "ManualMergeRequiredException"
    code.merge(request, "three_way", conflictResolutionStrategy="ACCEPT_SOURCE")
    assert code.text("a.txt") == "theirs\n"


def test_what_codecommit_refuses(code: Code) -> None:
    code.put("team", "b.txt", "new\n")
    client = code.client
    same = {"repositoryName": code.name, "sourceReference": "main"}
    assert refused(lambda: code.create(targets=[same])) == "SourceAndDestinationAreSameException"
    nothing = {"repositoryName": code.name, "sourceReference": "nothing"}
    assert refused(lambda: code.create(targets=[nothing])) == "ReferenceDoesNotExistException"
    assert refused(lambda: code.create(title="x" * 151)) == "InvalidTitleException"
    request = code.create(clientRequestToken="once")
    assert code.create(clientRequestToken="once")["pullRequestId"] == request["pullRequestId"]
    assert refused(lambda: code.create(clientRequestToken="once", title="B")) == "IdempotencyParameterMismatchException"
    old = code.tip("main")
    assert (
        refused(lambda: code.merge(request, "squash", sourceCommitId=old)) == "TipOfSourceReferenceIsDifferentException"
    )
    other, id = Code.__new__(Code), request["pullRequestId"]
    other.client, other.name = client, f"{code.name}-other"
    client.create_repository(repositoryName=other.name)
    assert refused(lambda: other.merge(request, "squash")) == "RepositoryNotAssociatedWithPullRequestException"
    assert client.list_pull_requests(repositoryName=code.name, pullRequestStatus="OPEN")["pullRequestIds"] == [id]
    client.update_pull_request_title(pullRequestId=id, title="Another")
    closed = client.update_pull_request_status(pullRequestId=id, pullRequestStatus="CLOSED")["pullRequest"]
    assert (closed["title"], closed["pullRequestStatus"]) == ("Another", "CLOSED")
    reopen = {"pullRequestId": id, "pullRequestStatus": "OPEN"}
    assert refused(lambda: client.update_pull_request_status(**reopen)) == "InvalidPullRequestStatusUpdateException"
    assert refused(lambda: code.merge(request, "squash")) == "PullRequestAlreadyClosedException"
    assert refused(lambda: client.get_pull_request(pullRequestId="999")) == "PullRequestDoesNotExistException"
    assert refused(lambda: client.get_pull_request(pullRequestId="one")) == "InvalidPullRequestIdException"
    ask = {"repositoryName": code.name}
    assert refused(lambda: client.list_pull_requests(**ask, maxResults=0)) == "InvalidMaxResultsException"
    assert refused(lambda: client.list_pull_requests(**ask, authorArn="me")) == "InvalidAuthorArnException"


def test_who_may_not_change_a_branch_cannot_merge_into_it(cloud: Cloud, code: Code) -> None:
    """CodeCommit User Guide, "Limit pushes and merges to branches in AWS CodeCommit"."""
    code.put("team", "b.txt", "new\n")
    request = code.create()
    deny = allow(["codecommit:Merge*", "codecommit:PutFile"]) | {"Effect": "Deny", "Sid": "NoPushes"}
    deny["Condition"] = {"StringEqualsIfExists": {"codecommit:References": ["refs/heads/main"]}}
    by = session(cloud, f"team-{code.name}", allow(["codecommit:*"]), deny).client("codecommit")
    asked = {"pullRequestId": request["pullRequestId"], "repositoryName": code.name}
    assert refused(lambda: by.merge_pull_request_by_squash(**asked)) == "AccessDeniedException"
    file = {"repositoryName": code.name, "filePath": "c.txt", "fileContent": b"c"}
    assert (
        refused(lambda: by.put_file(branchName="main", parentCommitId=code.tip("main"), **file))
        == "AccessDeniedException"
    )
    assert by.put_file(branchName="team", parentCommitId=code.tip("team"), **file)["commitId"] == code.tip("team")
