"""CloudFormation's operations that change stacks."""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloudformation import stack_policies
from localaws.cloudformation.deploy import UPDATABLE, Creation, Deletion, begin, changes_anything, forget
from localaws.cloudformation.providers.cloudformation import signals
from localaws.cloudformation.requests import (
    NAME,
    accept,
    acting,
    goal_of,
    refuse_unsupported_parameters,
    repeated,
    stack_for,
)
from localaws.cloudformation.stacks import Stack, new_stack, stacks_of
from localaws.cloudformation.updates import Update
from localaws.service import Service

cloudformation = Service("cloudformation", invalid="ValidationError")


@cloudformation.operation("CreateStack")
def create_stack(call: Call) -> dict[str, Any]:
    params = call.params
    name = str(params["StackName"])
    if not NAME.fullmatch(name):
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        )
    if "OnFailure" in params and "DisableRollback" in params:
        raise AwsError("ValidationError", "You can specify either DisableRollback or OnFailure, but not both.")
    refuse_unsupported_parameters(params)
    existing = stacks_of(call.cloud, call.account, call.region).find(name)
    if existing is not None and repeated(call, existing):
        return {"StackId": existing.id}
    policy = stack_policies.given(call, "StackPolicy")
    session = acting(call, str(params.get("RoleARN") or ""))
    stack = new_stack(call.cloud, call.account, call.region, name)
    try:
        goal = goal_of(call, params, stack, session, update=False)
    except Exception:
        forget(call.cloud, stack)
        raise
    accept(call, stack)
    stack.role_arn = str(params.get("RoleARN") or "")
    stack.policy = policy
    stack.disable_rollback = bool(params.get("DisableRollback"))
    stack.on_failure = str(params.get("OnFailure", "ROLLBACK"))
    stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
    stack.timeout_minutes = int(params.get("TimeoutInMinutes", 0))
    stack.protected = bool(params.get("EnableTerminationProtection"))
    creation = Creation(call.cloud, session, stack, goal, validate=not params.get("DisableValidation"))
    begin(call.cloud, stack, "CREATE_IN_PROGRESS", creation.run)
    return {"StackId": stack.id}


@cloudformation.operation("UpdateStack")
def update_stack(call: Call) -> dict[str, Any]:
    params, stack = call.params, stack_for(call)
    refuse_unsupported_parameters(params)
    if repeated(call, stack):
        return {"StackId": stack.id}
    refuse_update(stack, disable_rollback=bool(params.get("DisableRollback")))
    during, policy = (stack_policies.given(call, name) for name in ("StackPolicyDuringUpdate", "StackPolicy"))
    role_arn = str(params.get("RoleARN") or stack.role_arn)
    session = acting(call, role_arn)
    goal = goal_of(call, params, stack, session, update=True)
    with stack.lock:
        refuse_update(stack, disable_rollback=bool(params.get("DisableRollback")))
        if not changes_anything(stack, goal):
            raise AwsError("ValidationError", "No updates are to be performed.")
        accept(call, stack)
        stack.role_arn = role_arn
        stack.disable_rollback = bool(params.get("DisableRollback"))
        stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        validate = not params.get("DisableValidation")
        update = Update(call.cloud, session, stack, goal, validate=validate, policy=during)
        stack.policy = policy or stack.policy  # a new one is for the updates after this one
        stack.outdate()
        begin(call.cloud, stack, "UPDATE_IN_PROGRESS", update.run)
    return {"StackId": stack.id}


def refuse_update(stack: Stack, *, disable_rollback: bool) -> None:
    if stack.status not in UPDATABLE:
        raise AwsError("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
    if stack.status == "UPDATE_FAILED" and not disable_rollback:
        raise NotSupported("cloudformation: an update of a stack in UPDATE_FAILED without DisableRollback")


@cloudformation.operation("CancelUpdateStack")
def cancel_update_stack(call: Call) -> None:
    """The resource that is worked on is finished, no other is begun, and the update is rolled back (API Reference)."""
    stack = stack_for(call)
    if repeated(call, stack):
        return
    with stack.lock:
        if stack.status != "UPDATE_IN_PROGRESS":
            raise AwsError("ValidationError", "CancelUpdateStack cannot be called from current stack status")
        accept(call, stack)
        stack.cancelled = True


@cloudformation.operation("DeleteStack")
def delete_stack(call: Call) -> None:
    """A stack that does not exist is deleted already, as AWS sees it."""
    params = call.params
    refuse_unsupported_parameters(params)
    stack = stacks_of(call.cloud, call.account, call.region).find(str(params["StackName"]))
    if stack is None or not stack.alive or repeated(call, stack):
        return
    if stack.protected:
        raise AwsError(
            "ValidationError", f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    retain, force = set(params.get("RetainResources", [])), params.get("DeletionMode") == "FORCE_DELETE_STACK"
    if (retain or force) and stack.status != "DELETE_FAILED":
        option = "RetainResources" if retain else "DeletionMode FORCE_DELETE_STACK"
        raise AwsError(
            "ValidationError",
            f"Invalid operation on stack [{stack.id}]. {option} can be given only for a stack in DELETE_FAILED",
        )
    if unknown := sorted(retain - set(stack.resources)):
        raise AwsError("ValidationError", f"The specified resources to retain must be in a valid state: {unknown}")
    if stack.status == "DELETE_IN_PROGRESS":
        return
    if stack.busy:
        raise AwsError("ValidationError", f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
    role_arn = str(params.get("RoleARN") or stack.role_arn)
    session = acting(call, role_arn)
    accept(call, stack)
    stack.role_arn = role_arn
    deletion = Deletion(call.cloud, session, stack, retain=retain, force=force)
    begin(call.cloud, stack, "DELETE_IN_PROGRESS", deletion.run)


@cloudformation.operation("ContinueUpdateRollback")
def continue_update_rollback(call: Call) -> None:
    stack = stack_for(call)
    refuse_unsupported_parameters(call.params, "ForceRollback")
    if stack.status != "UPDATE_ROLLBACK_FAILED" or stack.stuck is None:
        raise AwsError(
            "ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not continue rolling back."
        )
    skip = list(call.params.get("ResourcesToSkip", []))
    if wrong := [i for i in skip if i not in stack.stuck.changed]:
        raise AwsError("ValidationError", f"{wrong} are not resources whose rollback failed")
    stuck = stack.stuck
    stuck.session = acting(call, str(call.params.get("RoleARN") or stack.role_arn))
    accept(call, stack)
    begin(call.cloud, stack, "UPDATE_ROLLBACK_IN_PROGRESS", lambda: stuck.roll_back(skip))


@cloudformation.operation("UpdateTerminationProtection")
def update_termination_protection(call: Call) -> dict[str, Any]:
    stack = stack_for(call)
    stack.protected = bool(call.params["EnableTerminationProtection"])
    return {"StackId": stack.id}


@cloudformation.operation("SetStackPolicy")
def set_stack_policy(call: Call) -> None:
    stack, policy = stack_for(call), stack_policies.given(call, "StackPolicy")
    if not policy:
        raise AwsError("ValidationError", "Either StackPolicyBody or StackPolicyURL must be specified.")
    stack.policy = policy


@cloudformation.operation("GetStackPolicy")
def get_stack_policy(call: Call) -> dict[str, Any]:
    stack = stack_for(call)
    return {"StackPolicyBody": stack.policy} if stack.policy else {}


@cloudformation.operation("SignalResource")
def signal_resource(call: Call) -> None:
    signals.signal_resource(call)
