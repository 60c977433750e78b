"""Approvals of pull requests and their rules: the operations. Not supported, by name: approval rule templates.

CodeCommit API Reference, the page of each operation; User Guide, "Working with pull requests", "Monitoring CodeCommit
events in Amazon EventBridge" (pullRequestApprovalRuleCreated and its like).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localaws.calls import Call
from localaws.cloud import new_id, refuse_unless
from localaws.services.codecommit.approval_rules import NAME, RULES, checked, rule_named, sha256
from localaws.services.codecommit.pull_requests import PullRequest, answer, find_request, opened, tell
from localaws.services.codecommit.service import codecommit

STATE, OVERRIDE = ("APPROVE", "REVOKE"), ("OVERRIDE", "REVOKE")


@codecommit.operation("CreatePullRequestApprovalRule")
def create_rule(call: Call) -> dict[str, Any]:
    params, request, now = call.params, opened(call), datetime.now(UTC)
    name, rules = params["approvalRuleName"], request.approvals.rules
    refuse_unless(name, "ApprovalRuleNameRequiredException", "An approval rule has a name")
    words = f"The name of an approval rule has at most {NAME} characters"
    refuse_unless(len(name) <= NAME, "InvalidApprovalRuleNameException", words)
    words = f"The approval rule {name} exists already"
    refuse_unless(name not in rules, "ApprovalRuleNameAlreadyExistsException", words)
    words = f"A pull request has at most {RULES} approval rules"
    refuse_unless(len(rules) < RULES, "NumberOfRulesExceededException", words)
    rules[name] = {
        "approvalRuleId": new_id(), "approvalRuleName": name, "creationDate": now,
        **written(call, params["approvalRuleContent"]),
    }  # fmt: skip
    about_rule(call, request, rules[name], "CREATED", "Created", "An approval rule has been created")
    return {"approvalRule": dict(rules[name])}


def written(call: Call, content: str) -> dict[str, Any]:
    """What a rule holds of its content."""
    return {
        "approvalRuleContent": checked(content), "ruleContentSha256": sha256(content),
        "lastModifiedDate": datetime.now(UTC), "lastModifiedUser": call.principal.arn,
    }  # fmt: skip


def about_rule(call: Call, request: PullRequest, rule: dict[str, Any], kind: str, event: str, words: str) -> None:
    known = {name: rule[name] for name in ("approvalRuleName", "approvalRuleId", "approvalRuleContent")}
    request.happened(call, f"PULL_REQUEST_APPROVAL_RULE_{kind}", "approvalRuleEventMetadata", known)
    more = {"approvalRuleContentSha256": rule["ruleContentSha256"], "approvalRuleId": rule["approvalRuleId"]}
    answer(request)  # with the tips as they are
    tell(
        call, request, f"pullRequestApprovalRule{event}", f"Updated. {words}: {rule['approvalRuleName']}",
        approvalRuleName=rule["approvalRuleName"], **more,
    )  # fmt: skip


@codecommit.operation("UpdatePullRequestApprovalRuleContent")
def update_rule(call: Call) -> dict[str, Any]:
    params, request = call.params, opened(call)
    rule = rule_named(request.approvals, params["approvalRuleName"])
    known = params.get("existingRuleContentSha256", rule["ruleContentSha256"])
    words = "The content of the rule is another one"
    refuse_unless(known == rule["ruleContentSha256"], "InvalidRuleContentSha256Exception", words)
    rule |= written(call, params["newRuleContent"])
    about_rule(call, request, rule, "UPDATED", "Updated", "The content of an approval rule has been updated")
    return {"approvalRule": dict(rule)}


@codecommit.operation("DeletePullRequestApprovalRule")
def delete_rule(call: Call) -> dict[str, Any]:
    """One that does not exist is deleted already: its id is shown where there is one."""
    request = opened(call)
    rule = request.approvals.rules.pop(call.params["approvalRuleName"], None)
    if rule is None:
        return {"approvalRuleId": ""}
    about_rule(call, request, rule, "DELETED", "Deleted", "An approval rule has been deleted")
    return {"approvalRuleId": rule["approvalRuleId"]}


@codecommit.operation("EvaluatePullRequestApprovalRules")
def evaluate_rules(call: Call) -> dict[str, Any]:
    request = find_request(call)
    return {"evaluation": request.approvals.evaluation(revision(call, request))}


@codecommit.operation("GetPullRequestApprovalStates")
def get_states(call: Call) -> dict[str, Any]:
    given = find_request(call).approvals.given.get(call.params["revisionId"], [])
    return {"approvals": [{"userArn": arn, "approvalState": "APPROVE"} for arn in given]}


@codecommit.operation("UpdatePullRequestApprovalState")
def update_state(call: Call) -> None:
    request, state, caller = opened(call), call.params["approvalState"], call.principal.arn
    refuse_unless(state in STATE, "InvalidApprovalStateException", f"Invalid approval state: {state}")
    words = "The author of a pull request cannot approve it"
    refuse_unless(caller != request.shown["authorArn"], "PullRequestCannotBeApprovedByAuthorException", words)
    of = revision(call, request)
    others = [arn for arn in request.approvals.given.get(of, []) if arn != caller]
    request.approvals.given[of] = [*others, caller] if state == "APPROVE" else others
    words = f"Updated. A user has changed their approval state for the pull request. State change: {state}"
    about_revision(call, request, of, "STATE_CHANGED", "StateChanged", words, approvalStatus=state)


@codecommit.operation("OverridePullRequestApprovalRules")
def override_rules(call: Call) -> None:
    request, status = opened(call), call.params["overrideStatus"]
    refuse_unless(status in OVERRIDE, "InvalidOverrideStatusException", f"Invalid override status: {status}")
    of, overridden = revision(call, request), request.approvals.overridden
    words = f"The rules are overridden already by {overridden.get(of)}"
    refuse_unless(status == "REVOKE" or of not in overridden, "OverrideAlreadySetException", words)
    if status == "OVERRIDE":
        overridden[of] = call.principal.arn
    else:
        overridden.pop(of, None)
    words = f"Updated. An override event has occurred for the approval rules. Override status: {status}"
    about_revision(call, request, of, "RULE_OVERRIDDEN", "RuleOverridden", words, overrideStatus=status)


@codecommit.operation("GetPullRequestOverrideState")
def get_override_state(call: Call) -> dict[str, Any]:
    by = find_request(call).approvals.overridden.get(call.params["revisionId"], "")
    return {"overridden": bool(by), **({"overrider": by} if by else {})}


def about_revision(
    call: Call, request: PullRequest, of: str, kind: str, event: str, words: str, **changed: str
) -> None:
    """Keep and tell what has changed of a revision."""
    about = {"revisionId": of, **changed}
    request.happened(call, f"PULL_REQUEST_APPROVAL_{kind}", f"approval{event}EventMetadata", about)
    answer(request)  # with the tips as they are
    tell(call, request, f"pullRequestApproval{event}", words, **changed)


def revision(call: Call, request: PullRequest) -> str:
    """The revision that the request is about, which must be the present one."""
    given, current = call.params["revisionId"], request.shown["revisionId"]
    refuse_unless(given, "RevisionIdRequiredException", "A revision ID is required")
    words = f"The revision {given} is not the current one of pull request {request.id}"
    refuse_unless(given == current, "RevisionNotCurrentException", words)
    return str(current)
