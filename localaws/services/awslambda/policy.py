"""The resource policy of a function, a version or an alias; the authorizer decides by it (state.policy_of).

API Reference, "AddPermission", "RemovePermission", "GetPolicy"; Developer Guide, "Working with resource-based IAM
policies in Lambda".
"""

from __future__ import annotations

import json
import re
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.policy.action_table import table
from awslang.policy.document import MalformedPolicy
from localaws.authorization.documents import check_principal
from localaws.calls import Call
from localaws.cloud import new_id
from localaws.services.awslambda.service import aws_lambda
from localaws.services.awslambda.state import (
    LATEST,
    Named,
    check_revision,
    conflict,
    find,
    invalid,
    missing,
    policy_of,
    version_of,
)

POLICY_LIMIT = 20_480  # bytes ("Lambda quotas")


def statement(call: Call, name: Named) -> dict[str, Any]:
    """The statement that a request adds, in the form that GetPolicy shows."""
    params = call.params
    made: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": principal(call, params["Principal"]),
        "Action": params["Action"],
        "Resource": name.arn + (f":{name.qualifier}" if name.qualifier else ""),
    }
    equal, like = {}, {}
    if params.get("SourceAccount"):
        equal["AWS:SourceAccount"] = params["SourceAccount"]
    if params.get("PrincipalOrgID"):
        equal["aws:PrincipalOrgID"] = params["PrincipalOrgID"]
    if params.get("SourceArn"):
        like["AWS:SourceArn"] = params["SourceArn"]
    conditions = {"StringEquals": equal, "ArnLike": like}
    if any(conditions.values()):
        made["Condition"] = {operator: tests for operator, tests in conditions.items() if tests}
    return made


def principal(call: Call, given: str) -> Any:
    """A service, an account (its root), an ARN, or everybody."""
    if given == "*":
        return "*"
    kind, value = ("AWS", f"arn:aws:iam::{given}:root") if re.fullmatch(r"[0-9]{12}", given) else ("AWS", given)
    if not given.startswith("arn:") and kind == "AWS" and value == given:
        kind = "Service"
    try:
        check_principal(call.account, kind, value)
    except MalformedPolicy as error:
        raise invalid(
            "The provided principal was invalid. Please check the principal and try again. " + str(error)
        ) from error
    return {kind: value}


def check_action(action: str) -> None:
    known = table("lambda")
    assert known is not None
    if action != "lambda:*" and action.removeprefix("lambda:") not in known.actions:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{action}' at 'action' failed to satisfy constraint: the action is "
            "none of Lambda's",
        )


@aws_lambda.operation("AddPermission")
def add_permission(call: Call) -> dict[str, Any]:
    function, name = find(call)
    for member in ("FunctionUrlAuthType", "InvokedViaFunctionUrl", "EventSourceToken"):
        if call.params.get(member):
            raise NotSupported(f"lambda:AddPermission with {member}")
    if name.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    version_of(function, name.qualifier)
    check_action(call.params["Action"])
    made = statement(call, name)
    with function.lock:
        check_revision(call.params.get("RevisionId"), function.policy_revisions.get(name.qualifier, ""))
        statements = function.policies.setdefault(name.qualifier, [])
        if any(one["Sid"] == made["Sid"] for one in statements):
            raise conflict(
                f"The statement id ({made['Sid']}) provided already exists. Please provide a new statement id, or "
                "remove the existing statement."
            )
        if len(json.dumps([*statements, made])) > POLICY_LIMIT:
            raise AwsError("PolicyLengthExceededException", f"The final policy size is over {POLICY_LIMIT} bytes")
        statements.append(made)
        function.policy_revisions[name.qualifier] = new_id()
    return {"Statement": json.dumps(made)}


@aws_lambda.operation("RemovePermission")
def remove_permission(call: Call) -> None:
    function, name = find(call)
    with function.lock:
        if not function.policies.get(name.qualifier):
            raise missing("No policy is associated with the given resource.")
        check_revision(call.params.get("RevisionId"), function.policy_revisions.get(name.qualifier, ""))
        kept = [one for one in function.policies[name.qualifier] if one["Sid"] != call.params["StatementId"]]
        if len(kept) == len(function.policies[name.qualifier]):
            raise missing(f"Statement {call.params['StatementId']} is not found in resource policy.")
        function.policies[name.qualifier] = kept
        function.policy_revisions[name.qualifier] = new_id()


@aws_lambda.operation("GetPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    function, name = find(call)
    found = policy_of(call.cloud, function.arn + (f":{name.qualifier}" if name.qualifier else ""))
    if found is None:
        raise missing("The resource you requested does not exist.")
    return {"Policy": json.dumps(found), "RevisionId": function.policy_revisions[name.qualifier]}
