"""Stack policies: which updates of which resources a stack allows.

CloudFormation User Guide, "Prevent updates to stack resources"; API Reference, SetStackPolicy, GetStackPolicy, and
StackPolicyBody and StackPolicyDuringUpdateBody of CreateStack and UpdateStack. A policy applies to updates only; one
that is set protects everything that it does not allow.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloudformation.requests import SERVICE, stored_template

MODIFY, REPLACE, DELETE = "Update:Modify", "Update:Replace", "Update:Delete"
ACTIONS = (MODIFY, REPLACE, DELETE, "Update:*", "*")
ELEMENTS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
MOST_BYTES = 16_384  # of StackPolicyBody, and of a policy in S3


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", f"Error validating stack policy: {message}")


def values(item: Any) -> list[str]:
    return item if isinstance(item, list) else [item]


def check(text: str) -> str:
    """The policy's text; ValidationError where it is none."""
    if len(text.encode()) > MOST_BYTES:
        raise invalid(f"a stack policy has at most {MOST_BYTES} bytes")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise invalid(f"Invalid stack policy: {error}") from error
    if not isinstance(document, dict) or set(document) - {"Version", "Id", "Statement"} or "Statement" not in document:
        raise invalid("Invalid stack policy: it holds a list of statements")
    for number, statement in enumerate(statements(document), 1):
        if problem := wrong_with(statement):
            raise invalid(f"Invalid stack policy: statement {number}: {problem}")
    return text


def statements(document: Mapping[str, Any]) -> list[Any]:
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def wrong_with(statement: Any) -> str:
    if not isinstance(statement, dict) or set(statement) - ELEMENTS:
        return f"its elements are {', '.join(sorted(ELEMENTS))}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "Effect must be Allow or Deny"
    if statement.get("Principal") not in ("*", {"AWS": "*"}):
        return 'Principal must be "*"'
    for name, none in (("Action", "NotAction"), ("Resource", "NotResource")):
        if (name in statement) == (none in statement):
            return f"exactly one of {name} and {none} is needed"
    for action in values(statement.get("Action", statement.get("NotAction"))):
        if action not in ACTIONS:
            return f"{action} is not one of {', '.join(ACTIONS[:4])}"
    for resource in values(statement.get("Resource", statement.get("NotResource"))):
        if resource != "*" and not str(resource).startswith("LogicalResourceId/"):
            return f"{resource} is not LogicalResourceId/NAME"
    for operator, tests in (statement.get("Condition") or {}).items():
        if operator not in ("StringEquals", "StringLike") or set(tests) != {"ResourceType"}:
            return "a Condition compares ResourceType by StringEquals or StringLike"
    return ""


def matches(statement: Mapping[str, Any], action: str, logical_id: str, kind: str) -> bool:
    """Whether a statement speaks of this update."""
    known = any(fnmatch.fnmatchcase(action, a) for a in values(statement.get("Action", statement.get("NotAction"))))
    resource = f"LogicalResourceId/{logical_id}"
    patterns = values(statement.get("Resource", statement.get("NotResource")))
    here = any(fnmatch.fnmatchcase(resource, pattern) for pattern in patterns)
    if known is not ("Action" in statement) or here is not ("Resource" in statement):
        return False
    for operator, tests in (statement.get("Condition") or {}).items():
        wanted = values(tests["ResourceType"])
        like = operator == "StringLike"
        if not any(fnmatch.fnmatchcase(kind, one) if like else kind == one for one in wanted):
            return False
    return True


def denial(policy: str, action: str, logical_id: str, kind: str) -> str:
    """Why a stack's policy ("" for none) does not let an update through; "" when it does."""
    if not policy:
        return ""
    allowed = False
    for number, statement in enumerate(statements(json.loads(policy)), 1):
        if matches(statement, action, logical_id, kind):
            if statement["Effect"] == "Deny":
                return (
                    f"Action denied by stack policy: Statement [#{number}] does not allow [{action}] for resource "
                    f"[LogicalResourceId/{logical_id}]"
                )
            allowed = True
    if allowed:
        return ""
    return (
        f"Action denied by stack policy: no statement allows [{action}] for resource [LogicalResourceId/{logical_id}]"
    )


def given(call: Call, name: str) -> str:
    """A policy in the request: in its body or behind a URL, read as the caller; "" for none."""
    body, url = call.params.get(f"{name}Body"), call.params.get(f"{name}URL")
    if body and url:
        raise AwsError("ValidationError", f"You can specify either {name}Body or {name}URL, but not both.")
    text = stored_template(call.forward(SERVICE), str(url)) if url else str(body or "")
    return check(text) if text else ""
