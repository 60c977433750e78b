"""CloudFormation: change sets (API Reference: CreateChangeSet, DescribeChangeSet, ExecuteChangeSet,
DeleteChangeSet, ListChangeSets; User Guide, "Update CloudFormation stacks using change sets").

A change set is computed within CreateChangeSet, so it is never seen at work. Imports are in imports.py. Not supported:
nested change sets, drift-aware ones.
"""

from __future__ import annotations

import re
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import arn, new_id
from localaws.cloudformation import changes
from localaws.cloudformation.deploy import UPDATABLE, Creation, begin, changes_anything, forget
from localaws.cloudformation.goals import Goal
from localaws.cloudformation.imports import Import, refuse_existing, refuse_import
from localaws.cloudformation.requests import (
    NAME,
    accept,
    acting,
    clean,
    goal_of,
    page,
    refuse_unsupported_parameters,
    template_body,
)
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacks import STACK_TYPE, ChangeSet, Stack, find_stack, new_stack, now, stacks_of
from localaws.cloudformation.steps import EXPECTED
from localaws.cloudformation.updates import Update

CHANGE_SET_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
NOT_SUPPORTED = ("DeploymentMode",)


def stack_for_change_set(call: Call, kind: str) -> tuple[Stack, bool]:
    """The stack that the change set is for, and whether it was made for it."""
    name = str(call.params["StackName"])
    found = stacks_of(call.cloud, call.account, call.region).find(name)
    if kind == "UPDATE" or (kind == "IMPORT" and found is not None and found.status != "REVIEW_IN_PROGRESS"):
        if found is None:
            raise AwsError("ValidationError", f"Stack [{name}] does not exist")
        if found.status not in UPDATABLE:
            raise AwsError("ValidationError", f"Stack:{found.id} is in {found.status} state and can not be updated.")
        return found, False
    if found is not None and found.status != "REVIEW_IN_PROGRESS":
        raise AwsError(
            "ValidationError", f"Stack [{name}] already exists and cannot be created again with the changeSet"
        )
    if found is not None:
        return found, False
    if not NAME.fullmatch(name):
        raise AwsError("ValidationError", f"Value '{name}' at 'stackName' must match [a-zA-Z][-a-zA-Z0-9]*")
    return new_stack(call.cloud, call.account, call.region, name), True


@cloudformation.operation("CreateChangeSet")
def create_change_set(call: Call) -> dict[str, Any]:
    params = call.params
    refuse_unsupported_parameters(params, *NOT_SUPPORTED)
    name, kind = str(params["ChangeSetName"]), str(params.get("ChangeSetType", "UPDATE"))
    if params.get("ResourcesToImport") and kind != "IMPORT":
        raise AwsError("ValidationError", "ResourcesToImport can be given only with ChangeSetType IMPORT")
    if not CHANGE_SET_NAME.fullmatch(name):
        raise AwsError("ValidationError", f"Value '{name}' at 'changeSetName' must match [a-zA-Z][-a-zA-Z0-9]*")
    stack, made = stack_for_change_set(call, kind)
    try:
        if any(other.name == name for other in stack.change_sets.values()):
            raise AwsError(
                "AlreadyExistsException",
                f"ChangeSet {name} cannot be created due to a mismatch with existing attribute Name",
            )
        session = acting(call, str(params.get("RoleARN") or stack.role_arn))
        goal = goal_of(call, params, stack, session, update=has_template(kind, stack))
        if params.get("IncludeNestedStacks") and any(goal.unresolved(i).type == STACK_TYPE for i in goal.depends):
            raise NotSupported("cloudformation: change sets of nested stacks (IncludeNestedStacks)")
        if kind == "IMPORT":
            refuse_import(stack, goal, params.get("ResourcesToImport", []))
        change_set = planned(call, stack, kind, goal)
    except Exception:
        if made:
            forget(call.cloud, stack)
        raise
    if made:
        stack.become("REVIEW_IN_PROGRESS", "User Initiated")
    stack.change_sets[change_set.id] = change_set
    return {"Id": change_set.id, "StackId": stack.id}


def has_template(kind: str, stack: Stack) -> bool:
    """Whether the change set changes a stack that has been deployed, and not a new one."""
    return kind == "UPDATE" or (
        kind == "IMPORT" and stack.status != "REVIEW_IN_PROGRESS" and stack.template is not None
    )


def planned(call: Call, stack: Stack, kind: str, goal: Goal) -> ChangeSet:
    """The change set with its changes, or FAILED with the reason."""
    name = str(call.params["ChangeSetName"])
    change_set = ChangeSet(
        id=arn("cloudformation", call.region, call.account, f"changeSet/{name}/{new_id()}"),
        name=name,
        kind=kind,
        request=dict(call.params),
        body=template_body(call, call.params, stack if has_template(kind, stack) else None),
        status="FAILED",
        shown=dict(goal.parameters.shown),
        goal=goal,
    )
    before = {} if kind == "CREATE" else stack.resources
    try:
        if kind == "UPDATE" and not changes_anything(stack, goal):
            change_set.reason = NO_CHANGES
            return change_set
        foreseen = changes.foresee(goal, before)
        refused = [] if call.params.get("DisableValidation") else changes.problems(goal, foreseen)
    except EXPECTED as error:
        change_set.reason = str(error)
        return change_set
    if call.params.get("ImportExistingResources"):
        refuse_existing(call, stack, [change.new for change in foreseen if change.new and not change.old])
    shown = [changes.shown(change) for change in foreseen]
    for change in shown if kind == "IMPORT" else ():
        change["ResourceChange"]["Action"] = "Import"
    change_set.changes = shown
    change_set.detailed = [
        changes.with_values(change, one, goal.secrets) for change, one in zip(foreseen, shown, strict=True)
    ]
    change_set.reason = "; ".join(problem for _, problem in refused)
    change_set.refused, change_set.planned = refused, now()
    if not refused:
        change_set.status, change_set.execution = "CREATE_COMPLETE", "AVAILABLE"
    return change_set


def find_change_set(call: Call) -> tuple[Stack, ChangeSet]:
    """By ARN, or by name and stack."""
    wanted, stack_name = str(call.params["ChangeSetName"]), call.params.get("StackName")
    if stack_name:
        stacks = [find_stack(call.cloud, call.account, call.region, str(stack_name))]
    elif wanted.startswith("arn:"):
        stacks = list(stacks_of(call.cloud, call.account, call.region).by_id.values())
    else:
        raise AwsError("ValidationError", "StackName must be specified if ChangeSetName is not specified as an ARN.")
    for stack in stacks:
        for change_set in stack.change_sets.values():
            if wanted in (change_set.id, change_set.name):
                return stack, change_set
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist", 404)


@cloudformation.operation("DescribeChangeSet")
def describe_change_set(call: Call) -> dict[str, Any]:
    stack, found = find_change_set(call)
    goal: Goal = found.goal
    shown: dict[str, Any] = {
        "ChangeSetName": found.name,
        "ChangeSetId": found.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": found.request.get("Description"),
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in found.shown.items()],
        "CreationTime": found.created,
        "ExecutionStatus": found.execution,
        "Status": found.status,
        "StatusReason": found.reason,
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(goal.capabilities),
        "Tags": [{"Key": k, "Value": v} for k, v in goal.tags.items()],
        "IncludeNestedStacks": bool(found.request.get("IncludeNestedStacks")),
        "OnStackFailure": found.request.get("OnStackFailure"),
    }
    return clean(shown) | page(
        call, "Changes", found.detailed if call.params.get("IncludePropertyValues") else found.changes
    )


@cloudformation.operation("ListChangeSets")
def list_change_sets(call: Call) -> dict[str, Any]:
    stack = find_stack(call.cloud, call.account, call.region, str(call.params["StackName"]))
    summaries = [
        clean(
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "ChangeSetId": found.id,
                "ChangeSetName": found.name,
                "ExecutionStatus": found.execution,
                "Status": found.status,
                "StatusReason": found.reason,
                "CreationTime": found.created,
                "Description": found.request.get("Description"),
                "IncludeNestedStacks": bool(found.request.get("IncludeNestedStacks")),
            }
        )
        for found in stack.change_sets.values()
    ]
    return page(call, "Summaries", summaries)


@cloudformation.operation("DeleteChangeSet")
def delete_change_set(call: Call) -> dict[str, Any]:
    """One that does not exist is deleted already."""
    try:
        stack, found = find_change_set(call)
    except AwsError as error:
        if error.code == "ChangeSetNotFound":
            return {}
        raise
    if found.execution == "EXECUTE_IN_PROGRESS":
        raise AwsError("InvalidChangeSetStatus", f"ChangeSet [{found.id}] is being executed")
    del stack.change_sets[found.id]
    return {}


@cloudformation.operation("ExecuteChangeSet")
def execute_change_set(call: Call) -> dict[str, Any]:
    params = call.params
    stack, found = find_change_set(call)
    on_failure = found.request.get("OnStackFailure")
    if on_failure and "DisableRollback" in params:
        raise AwsError("ValidationError", "DisableRollback cannot be given where the change set has OnStackFailure")
    with stack.lock:
        if found.execution != "AVAILABLE":
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{found.id}] cannot be executed in its current status of [{found.status}]",
            )
        wanted = {"CREATE": {"REVIEW_IN_PROGRESS"}, "IMPORT": {"REVIEW_IN_PROGRESS", *UPDATABLE}}.get(
            found.kind, UPDATABLE
        )
        if stack.status not in wanted:
            raise AwsError("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        stack.role_arn = str(found.request.get("RoleARN") or stack.role_arn)
        session = acting(call, stack.role_arn)
        accept(call, stack)
        stack.disable_rollback = bool(params.get("DisableRollback")) or on_failure == "DO_NOTHING"
        stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        stack.change_set_id = found.id
        goal: Goal = found.goal
        goal.session = session
        stack.outdate()
        found.execution = "EXECUTE_IN_PROGRESS"
        validate = not found.request.get("DisableValidation")
        if found.kind == "CREATE":
            stack.on_failure = str(on_failure or "ROLLBACK")
            work = Creation(call.cloud, session, stack, goal, validate=validate).run
        elif found.kind == "IMPORT":
            taking = Import(call.cloud, session, stack, goal, validate=validate)
            taking.to_import = found.request["ResourcesToImport"]
            work = taking.run
        else:
            work = Update(call.cloud, session, stack, goal, validate=validate).run

        def carry_out() -> None:
            work()
            done = stack.status in {"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"}
            found.execution = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"
            stack.change_sets.clear()

        begin(call.cloud, stack, f"{found.kind}_IN_PROGRESS", carry_out)
    return {}
