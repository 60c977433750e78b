"""Approvals of pull requests (CodeCommit User Guide, "Create an approval rule for a pull request")."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.codecommit.approval_rules import belongs, checked
from tests.support.authorization import REGION, A, allow, session

REVIEWER = f"arn:aws:sts::{A}:assumed-role/Review/mary"


def content(needed: int, *pool: str) -> str:
    statement = {"Type": "Approvers", "NumberOfApprovalsNeeded": needed, "ApprovalPoolMembers": list(pool)}
    return json.dumps({"Version": "2018-11-08", "Statements": [statement]})


def refused(ask: Any, *args: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        ask(*args, **given)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("member", "arn", "meant"),
    [
        (f"CodeCommitApprovers:{A}:mary", f"arn:aws:iam::{A}:user/mary", True),
        (f"CodeCommitApprovers:{A}:mary", REVIEWER, False),
        (f"CodeCommitApprovers:{A}:*mary", REVIEWER, True),
        (f"CodeCommitApprovers:{A}:Review/*", REVIEWER, True),
        ("CodeCommitApprovers:222222222222:*mary", REVIEWER, False),
        (f"arn:aws:sts::{A}:assumed-role/Review/*", REVIEWER, True),
        (f"arn:aws:sts::{A}:assumed-role/Rev.ew/*", REVIEWER, False),
    ],
)
def test_whom_a_member_of_a_pool_means(member: str, arn: str, meant: bool) -> None:
    assert belongs(arn, member) is meant


@pytest.mark.parametrize("wrong", ["", "[]", "{", content(0), content(1, "mary"), content(1).replace("2018", "2019")])
def test_what_no_rule_holds(wrong: str) -> None:
    with pytest.raises(Exception, match="ApprovalRuleContent"):
        checked(wrong)


def test_a_rule_keeps_a_pull_request_from_being_merged(cloud: Cloud) -> None:
    root = cloud.root(A, REGION).client("codecommit")
    reviewer = session(cloud, "Review", allow("codecommit:*")).client("codecommit")
    root.create_repository(repositoryName="code")
    put: dict[str, Any] = {"repositoryName": "code", "filePath": "a", "fileContent": b"1"}
    first = root.put_file(**put, branchName="main")["commitId"]
    root.create_branch(repositoryName="code", branchName="team", commitId=first)
    second = root.put_file(**put | {"fileContent": b"2"}, branchName="team", parentCommitId=first)["commitId"]
    target = {"repositoryName": "code", "sourceReference": "team", "destinationReference": "main"}
    request = root.create_pull_request(title="t", targets=[target])["pullRequest"]
    id = {"pullRequestId": request["pullRequestId"]}
    this = {**id, "revisionId": request["revisionId"]}
    assert root.evaluate_pull_request_approval_rules(**this)["evaluation"]["approved"]
    rule = {"approvalRuleName": "one", "approvalRuleContent": content(1, f"CodeCommitApprovers:{A}:Review/*")}
    made = root.create_pull_request_approval_rule(**id, **rule)["approvalRule"]
    assert refused(root.create_pull_request_approval_rule, **id, **rule) == "ApprovalRuleNameAlreadyExistsException"
    shown = root.get_pull_request(**id)["pullRequest"]["approvalRules"]
    assert [one["approvalRuleId"] for one in shown] == [made["approvalRuleId"]]
    merge = {**id, "repositoryName": "code"}
    lacking = "PullRequestApprovalRulesNotSatisfiedException"
    assert refused(root.merge_pull_request_by_squash, **merge) == lacking
    approve = {**this, "approvalState": "APPROVE"}
    author = "PullRequestCannotBeApprovedByAuthorException"
    assert refused(root.update_pull_request_approval_state, **approve) == author
    reviewer.update_pull_request_approval_state(**approve)
    assert root.get_pull_request_approval_states(**this)["approvals"][0]["approvalState"] == "APPROVE"
    root.put_file(**put | {"fileContent": b"3"}, branchName="team", parentCommitId=second)
    assert refused(reviewer.update_pull_request_approval_state, **approve) == "RevisionNotCurrentException"
    this["revisionId"] = root.get_pull_request(**id)["pullRequest"]["revisionId"]
    assert root.evaluate_pull_request_approval_rules(**this)["evaluation"]["approvalRulesNotSatisfied"] == ["one"]
    root.override_pull_request_approval_rules(**this, overrideStatus="OVERRIDE")
    overrider = root.get_pull_request_override_state(**this)
    assert (overrider["overridden"], overrider["overrider"]) == (True, f"arn:aws:iam::{A}:root")
    root.override_pull_request_approval_rules(**this, overrideStatus="REVOKE")
    assert refused(root.merge_pull_request_by_squash, **merge) == lacking
    two = {"approvalRuleName": "one", "newRuleContent": content(1)}
    root.update_pull_request_approval_rule_content(**id, **two)
    reviewer.update_pull_request_approval_state(**this, approvalState="APPROVE")
    merged = root.merge_pull_request_by_squash(**merge)["pullRequest"]
    assert merged["pullRequestStatus"] == "CLOSED"
    kinds = [one["pullRequestEventType"] for one in root.describe_pull_request_events(**id)["pullRequestEvents"]]
    approvals = [kind.removeprefix("PULL_REQUEST_APPROVAL_") for kind in kinds if "APPROVAL" in kind]
    assert approvals == [
        "STATE_CHANGED", "RULE_UPDATED", "RULE_OVERRIDDEN", "RULE_OVERRIDDEN", "STATE_CHANGED", "RULE_CREATED",
    ]  # fmt: skip
    assert refused(root.list_approval_rule_templates) == "NotSupported"
