"""CodeCommit's pull requests: created, changed, commented, merged or closed, with their events on the bus.

CodeCommit API Reference, the page of each operation; User Guide, "Working with pull requests", "Monitoring CodeCommit
events in Amazon EventBridge". Not supported, by name: a caller's conflict resolutions, AUTOMERGE.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from awslang.bounded import is_number
from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import new_id, refuse_unless
from localaws.services.codecommit import merging
from localaws.services.codecommit.approval_rules import Approvals
from localaws.services.codecommit.service import codecommit
from localaws.services.codecommit.state import Repo, find, move, specified, state
from localaws.services.events.service import emit

STATUSES = ("OPEN", "CLOSED")
MERGES = {
    "MergePullRequestByFastForward": "FAST_FORWARD_MERGE",
    "MergePullRequestBySquash": "SQUASH_MERGE",
    "MergePullRequestByThreeWay": "THREE_WAY_MERGE",
}
TITLE, DESCRIPTION, COMMENT = 150, 10_240, 10_240  # characters (API Reference, the members' constraints)


@dataclass
class PullRequest:
    """One pull request. given: the request that created it"""

    id: str
    repo: Repo
    shown: dict[str, Any]
    target: dict[str, Any]
    given: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    approvals: Approvals = field(default_factory=Approvals)

    @property
    def open(self) -> bool:
        return bool(self.shown["pullRequestStatus"] == "OPEN")

    def happened(self, call: Call, kind: str, member: str, about: dict[str, Any]) -> None:
        """One PullRequestEvent."""
        now = datetime.now(UTC)
        self.shown["lastActivityDate"] = now
        known = {"pullRequestId": self.id, "eventDate": now, "actorArn": call.principal.arn}
        self.events.append({**known, "pullRequestEventType": kind, member: about})


@dataclass
class PullRequests:
    by_id: dict[str, PullRequest] = field(default_factory=dict)


def requests_of(call: Call) -> dict[str, PullRequest]:
    return call.cloud.state(PullRequests, call.account, call.region).by_id


def find_request(call: Call) -> PullRequest:
    id = call.params["pullRequestId"]
    refuse_unless(is_number(id), "InvalidPullRequestIdException", f"The pull request ID {id} is not valid")
    found = requests_of(call).get(id)
    if found is None:
        raise AwsError("PullRequestDoesNotExistException", f"The pull request {id} does not exist")
    return found


def opened(call: Call) -> PullRequest:
    found = find_request(call)
    refuse_unless(found.open, "PullRequestAlreadyClosedException", f"The pull request {found.id} is closed")
    return found


def answer(request: PullRequest) -> dict[str, Any]:
    """What each operation shows: the tips of the branches, as long as the request is open."""
    target = request.target
    if request.open:
        branches = request.repo.git.branches()
        tips = {
            name: branches.get(target[f"{name}Reference"].removeprefix("refs/heads/")) or target[f"{name}Commit"]
            for name in ("source", "destination")
        }
        target |= {f"{name}Commit": tip for name, tip in tips.items()}
        target["mergeBase"] = merging.merge_base(request.repo.git, tips["destination"], tips["source"])
    rules = [dict(rule) for rule in request.approvals.rules.values()]
    return {"pullRequest": {**request.shown, "pullRequestTargets": [dict(target)], "approvalRules": rules}}


def tell(call: Call, request: PullRequest, event: str, words: str, **more: Any) -> None:
    """One of the events with the detail type CodeCommit Pull Request State Change."""
    shown, target, repo = request.shown, request.target, request.repo.metadata
    page = f"https://{call.region}.console.aws.amazon.com/codesuite/codecommit/repositories/{repo['repositoryName']}"
    emit(
        call.cloud,
        call.account,
        call.region,
        source="aws.codecommit",
        detail_type="CodeCommit Pull Request State Change",
        resources=[repo["Arn"]],
        detail={
            "author": shown["authorArn"],
            "callerUserArn": call.principal.arn,
            "creationDate": f"{shown['creationDate']:%a %b %d %H:%M:%S UTC %Y}",
            "description": shown.get("description", ""),
            "destinationCommit": target["destinationCommit"],
            "destinationReference": target["destinationReference"],
            "event": event,
            "isMerged": str(target["mergeMetadata"]["isMerged"]),
            "lastModifiedDate": f"{shown['lastActivityDate']:%a %b %d %H:%M:%S UTC %Y}",
            "notificationBody": "A pull request event occurred in the following AWS CodeCommit repository: "
            f"{repo['repositoryName']}. User: {call.principal.arn}. Event: {words}. Pull request name: {request.id}. "
            "For more information, go to the AWS CodeCommit console "
            f"{page}/pull-requests/{request.id}",
            "pullRequestId": request.id,
            "pullRequestStatus": shown["pullRequestStatus"].capitalize(),
            "repositoryNames": [repo["repositoryName"]],
            "revisionId": shown["revisionId"],
            "sourceCommit": target["sourceCommit"],
            "sourceReference": target["sourceReference"],
            "title": shown["title"],
            **more,
        },
    )


def check_texts(params: dict[str, Any]) -> None:
    title, description = params.get("title"), params.get("description", "")
    if title is not None:
        refuse_unless(0 < len(title) <= TITLE, "InvalidTitleException", f"A title has 1 to {TITLE} characters")
    words = f"A description has at most {DESCRIPTION} characters"
    refuse_unless(len(description) <= DESCRIPTION, "InvalidDescriptionException", words)


@codecommit.operation("CreatePullRequest")
def create_pull_request(call: Call) -> dict[str, Any]:
    params, known = call.params, requests_of(call)
    check_texts(params)
    targets = params["targets"]
    refuse_unless(targets, "TargetsRequiredException", "A pull request needs a target")
    refuse_unless(len(targets) == 1, "InvalidTargetsException", "A pull request has one target")
    repo = find(state(call), targets[0]["repositoryName"])
    source = reference(repo, targets[0]["sourceReference"])
    destination = reference(repo, targets[0].get("destinationReference") or repo.metadata.get("defaultBranch", ""))
    words = "The source and destination branches are the same"
    refuse_unless(source != destination, "SourceAndDestinationAreSameException", words)
    with state(call).lock:
        token = params.get("clientRequestToken") or new_id()
        former = next((one for one in known.values() if one.shown["clientRequestToken"] == token), None)
        if former is not None:
            words = "The token belongs to another request"
            refuse_unless(former.given == params, "IdempotencyParameterMismatchException", words)
            return answer(former)
        now, branches = datetime.now(UTC), repo.git.branches()
        target = {
            "repositoryName": repo.metadata["repositoryName"],
            "sourceReference": f"refs/heads/{source}",
            "destinationReference": f"refs/heads/{destination}",
            "sourceCommit": branches[source],
            "destinationCommit": branches[destination],
            "mergeMetadata": {"isMerged": False},
        }
        shown = {
            "pullRequestId": str(len(known) + 1),
            "title": params["title"],
            **({"description": params["description"]} if params.get("description") else {}),
            "lastActivityDate": now,
            "creationDate": now,
            "pullRequestStatus": "OPEN",
            "authorArn": call.principal.arn,
            "clientRequestToken": token,
            "revisionId": new_id().replace("-", "") * 2,
        }
        request = PullRequest(shown["pullRequestId"], repo, shown, target, params)
        known[request.id] = request
        repo.followers.append(partial(source_moved, request))
    shown_answer = answer(request)
    created = {
        "repositoryName": target["repositoryName"], "sourceCommitId": target["sourceCommit"],
        "destinationCommitId": target["destinationCommit"], "mergeBase": target["mergeBase"],
    }  # fmt: skip
    request.happened(call, "PULL_REQUEST_CREATED", "pullRequestCreatedEventMetadata", created)
    tell(call, request, "pullRequestCreated", "Created")
    return shown_answer


def reference(repo: Repo, name: str) -> str:
    """The branch of a reference."""
    refuse_unless(name, "ReferenceNameRequiredException", "A reference is required")
    branch = name.removeprefix("refs/heads/")
    words = f"The reference {name} does not exist"
    refuse_unless(branch in repo.git.branches(), "ReferenceDoesNotExistException", words)
    return branch


def source_moved(request: PullRequest, call: Call, branch: str, before: str, after: str) -> None:
    """The source branch of an open request has another tip."""
    if not request.open or request.target["sourceReference"] != f"refs/heads/{branch}":
        return
    request.shown["revisionId"] = new_id().replace("-", "") * 2
    answer(request)  # with the new tips
    about = {"repositoryName": request.target["repositoryName"], "beforeCommitId": before, "afterCommitId": after}
    about["mergeBase"] = request.target["mergeBase"]
    member = "pullRequestSourceReferenceUpdatedEventMetadata"
    request.happened(call, "PULL_REQUEST_SOURCE_REFERENCE_UPDATED", member, about)
    tell(call, request, "pullRequestSourceBranchUpdated", "Updated")


@codecommit.operation("GetPullRequest")
def get_pull_request(call: Call) -> dict[str, Any]:
    return answer(find_request(call))


@codecommit.operation("ListPullRequests")
def list_pull_requests(call: Call) -> dict[str, Any]:
    params = call.params
    repo, status = find(state(call), params["repositoryName"]), params.get("pullRequestStatus")
    words = f"Invalid status: {status}"
    refuse_unless(status is None or status in STATUSES, "InvalidPullRequestStatusException", words)
    refuse_unless(params.get("maxResults", 1) > 0, "InvalidMaxResultsException", "maxResults must be at least 1")
    author = params.get("authorArn", "arn:")
    refuse_unless(author.startswith("arn:"), "InvalidAuthorArnException", f"{author} is not a valid ARN")
    found = [
        one.id
        for one in requests_of(call).values()
        if one.repo is repo
        and status in (None, one.shown["pullRequestStatus"])
        and params.get("authorArn") in (None, one.shown["authorArn"])
    ]
    return {"pullRequestIds": found[::-1]}


@codecommit.operation("UpdatePullRequestTitle", "UpdatePullRequestDescription")
def update_text(call: Call) -> dict[str, Any]:
    request, name = opened(call), "title" if call.operation.endswith("Title") else "description"
    check_texts(call.params)
    request.shown |= {name: call.params[name], "lastActivityDate": datetime.now(UTC)}
    return answer(request)


@codecommit.operation("UpdatePullRequestStatus")
def update_status(call: Call) -> dict[str, Any]:
    request, status = find_request(call), call.params["pullRequestStatus"]
    refuse_unless(status in STATUSES, "InvalidPullRequestStatusException", f"Invalid status: {status}")
    refuse_unless(
        request.open and status == "CLOSED",
        "InvalidPullRequestStatusUpdateException",
        "The only valid update is from OPEN to CLOSED",
    )
    answer(request)  # the tips as they are, for good
    close(call, request)
    tell(call, request, "pullRequestStatusChanged", "Updated. The pull request status was updated to Closed")
    return answer(request)


def close(call: Call, request: PullRequest) -> None:
    request.shown["pullRequestStatus"] = "CLOSED"
    about = {"pullRequestStatus": "CLOSED"}
    request.happened(call, "PULL_REQUEST_STATUS_CHANGED", "pullRequestStatusChangedEventMetadata", about)


@codecommit.operation(*MERGES)
def merge_pull_request(call: Call) -> dict[str, Any]:
    params, option = call.params, MERGES[call.operation]
    refuse_unsupported(params)
    with state(call).lock:
        request = opened(call)
        repo, target = request.repo, answer(request)["pullRequest"]["pullRequestTargets"][0]
        words = f"The pull request {request.id} is of another repository than {params['repositoryName']}"
        same = find(state(call), params["repositoryName"]) is repo
        refuse_unless(same, "RepositoryNotAssociatedWithPullRequestException", words)
        tip, destination = target["sourceCommit"], target["destinationCommit"]
        words = f"The source branch is at {tip}"
        refuse_unless(
            params.get("sourceCommitId", tip) == tip, "TipOfSourceReferenceIsDifferentException", words
        )  # what the caller has seen is merged
        request.approvals.refuse_merge(request.shown["revisionId"])
        commit_id = merge_commit(call, repo, option, destination, tip)
        move(call, repo, target["destinationReference"].removeprefix("refs/heads/"), commit_id)
        merged = {"isMerged": True, "mergedBy": call.principal.arn, "mergeCommitId": commit_id, "mergeOption": option}
        request.target["mergeMetadata"] = merged
    about = {**target, "mergeMetadata": merged}
    kept = {name: about[name] for name in ("repositoryName", "destinationReference", "mergeMetadata")}
    request.happened(call, "PULL_REQUEST_MERGE_STATE_CHANGED", "pullRequestMergedStateChangedEventMetadata", kept)
    close(call, request)
    tell(call, request, "pullRequestMergeStatusUpdated", "Merged. The pull request was merged", mergeOption=option)
    return answer(request)


def refuse_unsupported(params: dict[str, Any]) -> None:
    strategy = params.get("conflictResolutionStrategy", "NONE")
    if strategy == "AUTOMERGE" or params.get("conflictResolution") or params.get("keepEmptyFolders"):
        raise NotSupported("codecommit: a merge with AUTOMERGE, conflictResolution or keepEmptyFolders")


def merge_commit(call: Call, repo: Repo, option: str, destination: str, source: str) -> str:
    """The commit that the merge leads to; ManualMergeRequiredException where there is none."""
    git, params = repo.git, call.params
    if option == "FAST_FORWARD_MERGE":
        words = "The destination branch has commits that the source branch lacks"
        ahead = merging.merge_base(git, destination, source) == destination
        refuse_unless(ahead, "ManualMergeRequiredException", words)
        return source
    level, strategy = params.get("conflictDetailLevel", "FILE_LEVEL"), params.get("conflictResolutionStrategy", "NONE")
    found = merging.merged(git, destination, source, level, strategy)
    words = f"The branches conflict in {', '.join(found.conflicts)}"
    refuse_unless(not found.conflicts, "ManualMergeRequiredException", words)
    parents = (destination,) if option == "SQUASH_MERGE" else (destination, source)
    who = params.get("authorName") or call.principal.session_name or call.principal.arn.rsplit("/", 1)[-1]
    message = params.get("commitMessage") or f"Merge {source} into {destination}"
    return git.write_commit(
        git.write_tree(found.files), parents, who, params.get("email", ""), int(time.time()), message
    )


@codecommit.operation("GetMergeOptions")
def get_merge_options(call: Call) -> dict[str, Any]:
    params, repo = call.params, find(state(call), call.params["repositoryName"])
    refuse_unsupported(params)
    source = specified(repo, params["sourceCommitSpecifier"]).id
    destination = specified(repo, params["destinationCommitSpecifier"]).id
    base = merging.merge_base(repo.git, destination, source)
    level, strategy = params.get("conflictDetailLevel", "FILE_LEVEL"), params.get("conflictResolutionStrategy", "NONE")
    options = ["FAST_FORWARD_MERGE"] if base == destination else []
    if not merging.merged(repo.git, destination, source, level, strategy).conflicts:
        options += ["SQUASH_MERGE", "THREE_WAY_MERGE"]
    return {
        "mergeOptions": options, "sourceCommitId": source, "destinationCommitId": destination, "baseCommitId": base,
    }  # fmt: skip


@codecommit.operation("DescribePullRequestEvents")
def describe_pull_request_events(call: Call) -> dict[str, Any]:
    params = call.params
    wanted = (params.get("pullRequestEventType"), params.get("actorArn"))
    found = [
        one
        for one in find_request(call).events
        if wanted[0] in (None, one["pullRequestEventType"]) and wanted[1] in (None, one["actorArn"])
    ]
    return {"pullRequestEvents": found[::-1]}


@codecommit.operation("PostCommentForPullRequest")
def post_comment(call: Call) -> dict[str, Any]:
    params, request = call.params, find_request(call)
    text, now = params["content"], datetime.now(UTC)
    refuse_unless(text, "CommentContentRequiredException", "A comment has a content")
    words = f"A comment has at most {COMMENT} characters"
    refuse_unless(len(text) <= COMMENT, "CommentContentSizeLimitExceededException", words)
    for name in ("beforeCommitId", "afterCommitId"):
        specified(request.repo, params[name])
    comment = {
        "commentId": f"{new_id()}:{new_id()}", "content": text, "creationDate": now, "lastModifiedDate": now,
        "authorArn": call.principal.arn, "deleted": False,
    }  # fmt: skip
    names = ("repositoryName", "beforeCommitId", "afterCommitId", "location")
    place = {name: params[name] for name in names if name in params} | {"pullRequestId": request.id}
    request.comments.append({**place, "comments": [comment]})
    request.shown["lastActivityDate"] = now
    emit(
        call.cloud, call.account, call.region, source="aws.codecommit", resources=[request.repo.metadata["Arn"]],
        detail_type="CodeCommit Comment on Pull Request",
        detail={
            "event": "commentOnPullRequestCreated", "pullRequestId": request.id, "commentId": comment["commentId"],
            "callerUserArn": call.principal.arn, "repositoryName": request.repo.metadata["repositoryName"],
            "repositoryId": request.repo.metadata["repositoryId"], "beforeCommitId": params["beforeCommitId"],
            "afterCommitId": params["afterCommitId"], "notificationBody": f"A comment was made: {text}",
        },
    )  # fmt: skip
    return {**place, "comment": comment}


@codecommit.operation("GetCommentsForPullRequest")
def get_comments(call: Call) -> dict[str, Any]:
    wanted = [name for name in ("repositoryName", "beforeCommitId", "afterCommitId") if name in call.params]
    found = find_request(call).comments
    kept = [one for one in found if all(one[name] == call.params[name] for name in wanted)]
    return {"commentsForPullRequestData": kept}
