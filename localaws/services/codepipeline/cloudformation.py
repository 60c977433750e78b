"""The action provider CloudFormation.

AWS CodePipeline User Guide, "CloudFormation deploy action reference"; CloudFormation User Guide,
"CloudFormation artifacts" (template configuration file) and "Using parameter override functions
with CodePipeline pipelines".
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work, failure, zipped

INLINE_LIMIT = 51_200  # bytes of a TemplateBody; above it the template is passed by URL
TO_REPLACE = ("ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
NO_UPDATES = "No updates are to be performed"


def call(work: Work, what: str, method: str, **given: Any) -> Any:
    try:
        return getattr(work.client("cloudformation"), method)(**given)
    except ClientError as error:
        raise failure(error, what) from error


def _stack(work: Work, name: str) -> dict[str, Any] | None:
    """The stack as it stands; None when there is none."""
    try:
        found: dict[str, Any] = work.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise failure(error, f"describe the stack {name}") from error
    return found


def deploy(work: Work) -> None:
    """One ActionMode on one stack; the stack's outputs are the action's output variables."""
    mode, name = work.configuration["ActionMode"], work.configuration["StackName"]
    if mode == "DELETE_ONLY":
        if _stack(work, name) is not None:
            _delete(work, name)
        return
    if mode == "CHANGE_SET_EXECUTE":
        _execute_change_set(work, name, work.configuration["ChangeSetName"])
    elif mode == "CHANGE_SET_REPLACE":
        _replace_change_set(work, name, work.configuration["ChangeSetName"])
    else:
        _create_or_update(work, name, replace_failed=mode == "REPLACE_ON_FAILURE")
    stack = _stack(work, name) or {}
    work.run.variables = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    if "OutputFileName" in work.configuration and work.output_names:
        content = json.dumps(work.run.variables).encode()
        work.put_artifact(work.output_names[0], zipped({work.configuration["OutputFileName"]: content}))


def _create_or_update(work: Work, name: str, replace_failed: bool) -> None:
    request = _request(work, name)
    stack = _stack(work, name)
    if stack is not None and replace_failed and stack["StackStatus"] in TO_REPLACE:
        _delete(work, name)
        stack = None
    client = work.client("cloudformation")
    policy = request.pop("StackPolicyBody", None)
    policies = {"StackPolicyBody": policy} if policy else {}
    doing = f"{'create' if stack is None else 'update'} the stack {name}"
    try:
        started = client.create_stack if stack is None else client.update_stack
        stack_id = started(**request, **policies)["StackId"]
    except ClientError as error:
        if NO_UPDATES in error.response["Error"]["Message"]:
            work.run.summary = f"{name}: {NO_UPDATES}."
            return
        raise failure(error, doing) from error
    work.run.external_id = stack_id
    _settled(work, name, stack_id)


def _settled(work: Work, name: str, stack_id: str) -> None:
    """Wait until the stack's operation has ended; ActionFailed unless it ended well."""
    status = _wait(work, stack_id)
    if status not in GOOD:
        stack = _stack(work, stack_id) or {}
        raise ActionFailed(
            "JobFailed",
            f"The following resource(s) failed in the stack {name} ({status}) "  # english: quoted
            f"{stack.get('StackStatusReason', '')}{_first_failure(work, stack_id)}",
        )
    work.run.summary = f"Stack {stack_id} {status}"


def _wait(work: Work, stack_id: str) -> str:
    """The stack's status once no operation is in progress; "GONE" when there is no stack any more."""
    while True:
        changed = work.cloud.watch(stack_id)
        stack = _stack(work, stack_id)
        status = stack["StackStatus"] if stack else "GONE"
        if not status.endswith("_IN_PROGRESS"):
            return status
        work.wait_for(changed)


def _first_failure(work: Work, stack_id: str) -> str:
    """The first failed resource of the latest operation, where the role may see the stack's events."""
    try:
        events = work.client("cloudformation").describe_stack_events(StackName=stack_id)["StackEvents"]
    except ClientError:
        return ""
    reason = ""
    for event in events:  # the newest first
        own = event.get("PhysicalResourceId") == event["StackId"]
        status = event["ResourceStatus"]
        if not own and status.endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", ""):
            why = event.get("ResourceStatusReason", "")
            reason = f": {event['LogicalResourceId']} ({event['ResourceType']}): {why}"
        if own and status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            break
    return reason


def _delete(work: Work, name: str) -> None:
    given = {"StackName": name}
    if "RoleArn" in work.configuration:
        given["RoleARN"] = work.configuration["RoleArn"]
    stack = _stack(work, name) or {}
    call(work, f"delete the stack {name}", "delete_stack", **given)
    stack_id = stack.get("StackId", name)
    status = _wait(work, stack_id)
    if status not in ("GONE", "DELETE_COMPLETE"):
        raise ActionFailed("JobFailed", f"The stack {name} ended {status}{_first_failure(work, stack_id)}")


# -- what a stack is made with -----------------------------------------------------------------


def _request(work: Work, name: str) -> dict[str, Any]:
    configuration = work.configuration
    request: dict[str, Any] = {"StackName": name, **template(work)}
    parameters, tags, policy = _template_configuration(work)
    parameters |= _overrides(work)
    request["Parameters"] = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    if tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if policy:
        request["StackPolicyBody"] = json.dumps(policy)
    if "Capabilities" in configuration:
        request["Capabilities"] = configuration["Capabilities"].split(",")
    if "RoleArn" in configuration:
        request["RoleARN"] = configuration["RoleArn"]
    return request


def template(work: Work) -> dict[str, str]:
    """The template inline, or by URL from the artifact bucket when it is too large for that."""
    body = work.read_file("TemplatePath", work.configuration["TemplatePath"])
    if len(body.encode()) <= INLINE_LIMIT:
        return {"TemplateBody": body}
    bucket, key = work.new_location("template", ".template")
    try:
        work.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
    except ClientError as error:
        raise failure(error, f"write the template to {bucket}/{key}") from error
    return {"TemplateURL": f"https://{bucket}.s3.{work.region}.amazonaws.com/{key}"}


def _template_configuration(work: Work) -> tuple[dict[str, str], dict[str, str], Any]:
    """Parameters, tags and stack policy of the template configuration file."""
    value = work.configuration.get("TemplateConfiguration")
    if value is None:
        return {}, {}, None
    given = work.read_json("TemplateConfiguration", value)
    if not isinstance(given, dict) or set(given) - {"Parameters", "Tags", "StackPolicy"}:
        raise ActionFailed(
            "ConfigurationError",
            f"TemplateConfiguration {value} may hold Parameters, Tags and StackPolicy, nothing else",
        )
    for part in ("Parameters", "Tags"):
        for key, text in given.get(part, {}).items():
            if not isinstance(text, str):
                raise ActionFailed(
                    "ConfigurationError", f"TemplateConfiguration {value}: the value of {part}.{key} is not a string"
                )
    return dict(given.get("Parameters", {})), dict(given.get("Tags", {})), given.get("StackPolicy")


def _overrides(work: Work) -> dict[str, str]:
    text = work.configuration.get("ParameterOverrides", "{}")
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ActionFailed("ConfigurationError", f"ParameterOverrides is not valid JSON: {text}") from error
    return {key: _override(work, key, value) for key, value in given.items()}


def _override(work: Work, key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        [(function, arguments)] = value.items()
        if function == "Fn::GetArtifactAtt" and len(arguments) == 2 and arguments[0] in work.run.inputs:
            bucket, object_key = work.run.inputs[arguments[0]]
            url = f"https://{bucket}.s3.{work.region}.amazonaws.com/{object_key}"
            attributes = {"BucketName": bucket, "ObjectKey": object_key, "URL": url}
            if arguments[1] in attributes:
                return attributes[arguments[1]]
        if function == "Fn::GetParam" and len(arguments) == 3:
            found = work.read_json("ParameterOverrides", f"{arguments[0]}::{arguments[1]}")
            if isinstance(found, dict) and isinstance(found.get(arguments[2]), str):
                return str(found[arguments[2]])
    raise ActionFailed("ConfigurationError", f"ParameterOverrides: the value of {key} cannot be resolved: {value}")


# -- change sets -------------------------------------------------------------------------------


def _replace_change_set(work: Work, name: str, change_set: str) -> None:
    stack = _stack(work, name)
    new = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    if stack is not None:
        call(work, f"delete the change set {change_set}", "delete_change_set", StackName=name, ChangeSetName=change_set)
    request = _request(work, name)
    request.pop("StackPolicyBody", None)
    made = call(
        work,
        f"create the change set {change_set}",
        "create_change_set",
        ChangeSetName=change_set,
        ChangeSetType="CREATE" if new else "UPDATE",
        **request,
    )
    work.run.external_id = made["Id"]
    while True:
        found = call(work, "describe the change set", "describe_change_set", StackName=name, ChangeSetName=change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return
        reason = found.get("StatusReason", "")
        if found["Status"] == "FAILED":
            if "didn't contain changes" in reason or NO_UPDATES in reason:
                work.run.summary = reason
                return
            raise ActionFailed("JobFailed", f"The change set {change_set} failed: {reason}")
        if work.cloud.stopping.wait(0.05):
            return


def _execute_change_set(work: Work, name: str, change_set: str) -> None:
    found = call(work, "describe the change set", "describe_change_set", StackName=name, ChangeSetName=change_set)
    if found["Status"] == "FAILED" and "didn't contain changes" in found.get("StatusReason", ""):
        work.run.summary = found["StatusReason"]
        return
    call(work, f"execute {change_set}", "execute_change_set", StackName=name, ChangeSetName=change_set)
    work.run.external_id = found["StackId"]
    _settled(work, name, found["StackId"])
