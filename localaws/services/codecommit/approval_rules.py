"""Which approvals a pull request has, and which of its rules they satisfy.

CodeCommit User Guide, "Create an approval rule for a pull request" (whom a member of an approval pool matches), "Review
a pull request"; API Reference, CreatePullRequestApprovalRule, EvaluatePullRequestApprovalRules. An approval is for one
revision: a new commit of the source needs new ones.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from awslang.errors import AwsError
from localaws.cloud import refuse_unless

VERSION = "2018-11-08"
MEMBER = re.compile(r"CodeCommitApprovers:(?P<account>[0-9]{12}):(?P<name>.+)|arn:aws[a-z-]*:(iam|sts)::[0-9*]+:.+")
CONTENT, NAME, RULES = 3_000, 100, 30  # characters of a rule's content and name; rules of a pull request (Quotas)
BY_NAME = re.compile(r"arn:[^:]+:(?:iam|sts)::(?P<account>[0-9]{12}):(?:user|federated-user|assumed-role)/(?P<name>.+)")


@dataclass
class Approvals:
    """rules: as ApprovalRule, by name; given: by revision, the ARNs of the callers that approve it;
    overridden: by revision, the ARN of the caller that set the rules aside"""

    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    given: dict[str, list[str]] = field(default_factory=dict)
    overridden: dict[str, str] = field(default_factory=dict)

    def evaluation(self, revision: str) -> dict[str, Any]:
        given = self.given.get(revision, [])
        satisfied = [name for name, rule in self.rules.items() if is_satisfied(rule, given)]
        lacking = [name for name in self.rules if name not in satisfied]
        overridden = revision in self.overridden
        return {
            "approved": not lacking or overridden, "overridden": overridden, "approvalRulesSatisfied": satisfied,
            "approvalRulesNotSatisfied": lacking,
        }  # fmt: skip

    def refuse_merge(self, revision: str) -> None:
        found = self.evaluation(revision)
        words = f"The approval rules {', '.join(found['approvalRulesNotSatisfied'])} are not satisfied"
        refuse_unless(found["approved"], "PullRequestApprovalRulesNotSatisfiedException", words)


def is_satisfied(rule: dict[str, Any], given: list[str]) -> bool:
    for statement in json.loads(rule["approvalRuleContent"])["Statements"]:
        pool = statement.get("ApprovalPoolMembers")
        counted = [arn for arn in given if not pool or any(belongs(arn, member) for member in pool)]
        if len(counted) < statement["NumberOfApprovalsNeeded"]:
            return False
    return True


def belongs(arn: str, member: str) -> bool:
    """Whether the caller is meant by a member of an approval pool: by ARN, or by account and name."""
    named, caller = MEMBER.fullmatch(member), BY_NAME.fullmatch(arn)
    if not (named and named["account"]):
        return matches(arn, member)
    if caller is None or caller["account"] != named["account"]:
        return False
    return matches(caller["name"], named["name"])


def matches(text: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def checked(content: str) -> str:
    """InvalidApprovalRuleContentException unless it is what a rule holds."""
    refuse_unless(content, "ApprovalRuleContentRequiredException", "An approval rule has a content")
    try:
        given = json.loads(content)
        statements = given["Statements"]
        good = given["Version"] == VERSION and len(content) <= CONTENT and set(given) <= {"Version", "Statements"}
        good = good and bool(statements) and all(is_statement(one) for one in statements)
    except (ValueError, KeyError, TypeError):
        good = False
    words = f"The content of an approval rule is JSON of version {VERSION} with statements of type Approvers"
    refuse_unless(good, "InvalidApprovalRuleContentException", words)
    return content


def is_statement(one: dict[str, Any]) -> bool:
    needed, pool = one["NumberOfApprovalsNeeded"], one.get("ApprovalPoolMembers", [])
    whole = one["Type"] == "Approvers" and isinstance(needed, int) and needed > 0
    return whole and all(isinstance(member, str) and MEMBER.fullmatch(member) for member in pool)


def sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def rule_named(approvals: Approvals, name: str) -> dict[str, Any]:
    found = approvals.rules.get(name)
    if found is None:
        raise AwsError("ApprovalRuleDoesNotExistException", f"The approval rule {name} does not exist")
    return found
