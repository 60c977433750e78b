"""The action providers CloudFormationStackSet and CloudFormationStackInstances.

AWS CodePipeline User Guide, "CloudFormation StackSets deploy action reference".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.services.codepipeline.cloudformation import call, template
from localaws.services.codepipeline.providers import FILE_IN_ARTIFACT
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work, failure

PARAMETER = re.compile(
    r"ParameterKey=([^,\s]+),(?:ParameterValue=(.*?)|UsePreviousValue=(true|false))(?=\s+ParameterKey=|\s*$)", re.S
)


def _literal_or_file(work: Work, key: str) -> list[str]:
    """A comma separated list, or the JSON list in the file of an artifact."""
    value = work.configuration[key]
    if not FILE_IN_ARTIFACT.fullmatch(value):
        return [item.strip() for item in value.split(",")]
    found = work.read_json(key, value)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ActionFailed("ConfigurationError", f"{key}: the file {value} does not hold a JSON list of strings")
    return found


def _parameters(work: Work, key: str) -> list[dict[str, Any]]:
    value = work.configuration.get(key, "")
    if FILE_IN_ARTIFACT.fullmatch(value):
        found = work.read_json(key, value)
        known = {"ParameterKey", "ParameterValue", "UsePreviousValue", "ResolvedValue"}
        if not isinstance(found, list) or not all(isinstance(i, dict) and not set(i) - known for i in found):
            raise ActionFailed(
                "ConfigurationError",
                f"{key}: the file {value} does not hold a JSON list of ParameterKey, ParameterValue",
            )
        return found
    found = [
        {"ParameterKey": name, **({"UsePreviousValue": previous == "true"} if previous else {"ParameterValue": text})}
        for name, text, previous in PARAMETER.findall(value.strip())
    ]
    if value.strip() and len(found) != value.count("ParameterKey="):
        raise ActionFailed("ConfigurationError", f"{key} is not in the form ParameterKey=…,ParameterValue=…: {value}")
    return found


def _targets(work: Work) -> dict[str, Any]:
    """Accounts or DeploymentTargets, with Regions; {} when the action names no target."""
    if "DeploymentTargets" not in work.configuration:
        return {}
    names = _literal_or_file(work, "DeploymentTargets")
    units = [name for name in names if not re.fullmatch(r"[0-9]{12}", name)]
    if units and len(units) != len(names):
        raise ActionFailed("ConfigurationError", f"DeploymentTargets mixes accounts and units: {names}")
    regions = [region.strip() for region in work.configuration["Regions"].split(",")]
    where = {"DeploymentTargets": {"OrganizationalUnitIds": units}} if units else {"Accounts": names}
    return {**where, "Regions": regions}


def _operation(work: Work) -> dict[str, Any]:
    """Preferences of the operation, and who the pipeline acts as in the organization."""
    preferences: dict[str, Any] = {}
    for key in ("FailureTolerancePercentage", "MaxConcurrentPercentage"):
        if key in work.configuration:
            preferences[key] = int(work.configuration[key])
    if "RegionConcurrencyType" in work.configuration:
        preferences["RegionConcurrencyType"] = work.configuration["RegionConcurrencyType"].upper()
    if "ConcurrencyMode" in work.configuration:
        preferences["ConcurrencyMode"] = work.configuration["ConcurrencyMode"]
    found: dict[str, Any] = {"OperationPreferences": preferences} if preferences else {}
    return found | _call_as(work)


def _call_as(work: Work) -> dict[str, str]:
    return {"CallAs": work.configuration["CallAs"]} if "CallAs" in work.configuration else {}


def _existing_set(work: Work, name: str) -> dict[str, Any] | None:
    try:
        client = work.client("cloudformation")
        found: dict[str, Any] = client.describe_stack_set(StackSetName=name, **_call_as(work))["StackSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("StackSetNotFoundException", "StackSetNotFound"):
            return None
        raise failure(error, f"describe the stack set {name}") from error
    return found


def _set_request(work: Work) -> dict[str, Any]:
    configuration = work.configuration
    request: dict[str, Any] = {"StackSetName": configuration["StackSetName"], **template(work), **_call_as(work)}
    request["Parameters"] = _parameters(work, "Parameters")
    if "Capabilities" in configuration:
        request["Capabilities"] = configuration["Capabilities"].split(",")
    given = {"Description": "Description", "PermissionModel": "PermissionModel"}
    given |= {"AdministrationRoleArn": "AdministrationRoleARN", "ExecutionRoleName": "ExecutionRoleName"}
    request |= {name: configuration[key] for key, name in given.items() if key in configuration}
    automatic = configuration.get("OrganizationsAutoDeployment", "Disabled")
    if configuration.get("PermissionModel") == "SERVICE_MANAGED":
        request["AutoDeployment"] = {"Enabled": automatic != "Disabled"}
        if automatic != "Disabled":
            request["AutoDeployment"]["RetainStacksOnAccountRemoval"] = automatic == "EnabledWithStackRetention"
    return request


def stack_set(work: Work) -> None:
    """Create the stack set, or update it; new instances are made before the update."""
    name = work.configuration["StackSetName"]
    existing, targets = _existing_set(work, name), _targets(work)
    request = _set_request(work)
    if existing is None:
        made = call(work, f"create the stack set {name}", "create_stack_set", **request)
        work.run.variables = {"StackSetId": made["StackSetId"]}
        if targets:
            _create_instances(work, name, targets, [])
        return
    work.run.variables = {"StackSetId": existing["StackSetId"]}
    if targets:
        _create_instances(work, name, targets, [])
    if request.get("AutoDeployment") != existing.get("AutoDeployment"):
        targets = {}  # UpdateStackSet: "If you specify AutoDeployment, don't specify DeploymentTargets or Regions"
    elif targets:
        request.pop("AutoDeployment", None)
    answer = call(work, f"update the stack set {name}", "update_stack_set", **request, **targets, **_operation(work))
    _finish(work, name, answer["OperationId"])


def stack_instances(work: Work) -> None:
    """Create the instances that are missing, update the others."""
    name = work.configuration["StackSetName"]
    existing, targets = _existing_set(work, name), _targets(work)
    if existing is None:
        raise ActionFailed("ConfigurationError", f"The stack set {name} does not exist")
    work.run.variables = {"StackSetId": existing["StackSetId"]}
    overrides = _parameters(work, "ParameterOverrides")
    if targets:
        _create_instances(work, name, targets, overrides)
        given = {"StackSetName": name, "ParameterOverrides": overrides, **targets, **_operation(work)}
        answer = call(work, f"update the instances of {name}", "update_stack_instances", **given)
    else:
        given = {"StackSetName": name, "UsePreviousTemplate": True, **_previous(existing), **_operation(work)}
        answer = call(work, f"update the stack set {name}", "update_stack_set", **given)
    _finish(work, name, answer["OperationId"])


def _previous(existing: Mapping[str, Any]) -> dict[str, Any]:
    """What an update must repeat so that the stack set stays as it is."""
    keys = [parameter["ParameterKey"] for parameter in existing.get("Parameters", [])]
    return {
        "Parameters": [{"ParameterKey": key, "UsePreviousValue": True} for key in keys],
        "Capabilities": existing.get("Capabilities", []),
    }


def _create_instances(work: Work, name: str, targets: dict[str, Any], overrides: list[dict[str, Any]]) -> None:
    answer = call(
        work,
        f"create instances of the stack set {name}",
        "create_stack_instances",
        StackSetName=name,
        ParameterOverrides=overrides,
        **targets,
        **_operation(work),
    )
    _finish(work, name, answer["OperationId"])


def _finish(work: Work, name: str, operation: str) -> None:
    """Wait for a stack set operation; ActionFailed with the instances' reasons unless it succeeded."""
    work.run.external_id = operation
    work.run.variables["OperationId"] = operation
    given = {"StackSetName": name, "OperationId": operation, **_call_as(work)}
    while True:
        changed = work.cloud.watch(operation)
        status = call(work, "describe the operation", "describe_stack_set_operation", **given)
        status = status["StackSetOperation"]["Status"]
        if status not in ("RUNNING", "QUEUED", "STOPPING"):
            break
        work.wait_for(changed)
    if status != "SUCCEEDED":
        results = call(work, "list the operation's results", "list_stack_set_operation_results", **given)["Summaries"]
        reasons = [
            f"{r['Account']} {r['Region']}: {r['Status']} {r.get('StatusReason', '')}"
            for r in results
            if r["Status"] != "SUCCEEDED"
        ]
        raise ActionFailed("JobFailed", f"The operation on the stack set {name} ended {status}: {'; '.join(reasons)}")
