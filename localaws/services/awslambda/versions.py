"""Lambda: versions, aliases and the settings of asynchronous invocation.

API Reference, the page of each operation; Developer Guide, "Manage Lambda function versions", "Create an alias for a
Lambda function", "Implement Lambda canary deployments using a weighted alias", "How Lambda handles errors and retries
with asynchronous invocation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import new_id
from localaws.services.awslambda.service import aws_lambda
from localaws.services.awslambda.state import (
    LATEST,
    Function,
    Version,
    check_revision,
    conflict,
    find,
    invalid,
    missing,
    revised,
    version_of,
)

# What two versions are compared by: publishing what is published already makes no new version.
SAME = ("CodeSha256", "Runtime", "Role", "Handler", "Timeout", "MemorySize", "DeadLetterConfig", "Environment",
        "EphemeralStorage", "Architectures", "LoggingConfig")  # fmt: skip
DESTINATIONS = {"sqs", "sns", "lambda", "events"}


def publish(function: Function, description: str) -> Version:
    """A new version, as $LATEST is now; the newest one where nothing has changed since."""
    with function.lock:
        latest = function.latest
        numbers = [int(number) for number in function.versions if number != LATEST]
        if numbers:
            newest = function.versions[str(max(numbers))]
            if all(newest.shown.get(name) == latest.shown.get(name) for name in SAME):
                return newest
        number = str(function.next_version)
        function.next_version += 1
        shown = {**latest.shown, "Version": number, "FunctionArn": f"{function.arn}:{number}"}
        if description:
            shown["Description"] = description
        made = function.versions[number] = Version(revised(shown), latest.folder)
        return made


@aws_lambda.operation("PublishVersion")
def publish_version(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    if call.params.get("PublishTo"):
        raise NotSupported("lambda:PublishVersion with PublishTo")
    if function.settling:
        raise conflict(
            f"The operation cannot be performed at this time. An update is in progress for resource: {function.arn}"
        )
    check_revision(call.params.get("RevisionId"), function.latest.shown["RevisionId"])
    wanted = call.params.get("CodeSha256")
    if wanted and wanted != function.latest.shown["CodeSha256"]:
        raise invalid(
            f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST "
            f"({function.latest.shown['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST."
        )
    return function.show(publish(function, str(call.params.get("Description") or "")))


@aws_lambda.operation("ListVersionsByFunction")
def list_versions(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    return {"Versions": [function.show(version) for version in function.versions.values()]}


# -- aliases -----------------------------------------------------------------------------------


def versions_in(alias: Mapping[str, Any]) -> set[str]:
    return {alias["FunctionVersion"], *(alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})}


def check_alias(function: Function, version: str, routing: Mapping[str, Any]) -> None:
    weights = routing.get("AdditionalVersionWeights") or {}
    for number in (version, *weights):
        if number not in function.versions:
            raise missing(f"Function not found: {function.arn}:{number}")
    if weights and LATEST in (version, *weights):
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if len(weights) > 1 or any(not 0 <= weight <= 1 for weight in weights.values()) or version in weights:
        raise invalid("An alias can point to one additional version, with a weight from 0.0 to 1.0")


def routed(routing: Mapping[str, Any] | None) -> dict[str, Any]:
    weights = (routing or {}).get("AdditionalVersionWeights")
    return {"RoutingConfig": {"AdditionalVersionWeights": dict(weights)}} if weights else {}


@aws_lambda.operation("CreateAlias")
def create_alias(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    name, version = call.params["Name"], call.params["FunctionVersion"]
    if re.fullmatch(r"[0-9]+", name):
        raise invalid(f"Alias name {name} must not be a number")
    with function.lock:
        if name in function.aliases:
            raise conflict(f"Alias already exists: {function.arn}:{name}")
        check_alias(function, version, call.params.get("RoutingConfig") or {})
        made = function.aliases[name] = {
            "AliasArn": f"{function.arn}:{name}",
            "Name": name,
            "FunctionVersion": version,
            "Description": call.params.get("Description", ""),
            "RevisionId": new_id(),
            **routed(call.params.get("RoutingConfig")),
        }
    return made


def alias_of(call: Call, function: Function) -> dict[str, Any]:
    found = function.aliases.get(call.params["Name"])
    if found is None:
        raise missing(f"Cannot find alias arn: {function.arn}:{call.params['Name']}")
    return found


@aws_lambda.operation("UpdateAlias")
def update_alias(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    with function.lock:
        alias = alias_of(call, function)
        check_revision(call.params.get("RevisionId"), alias["RevisionId"])
        routing = call.params["RoutingConfig"] if "RoutingConfig" in call.params else alias.get("RoutingConfig")
        version = call.params.get("FunctionVersion", alias["FunctionVersion"])
        check_alias(function, version, routing or {})
        changed = {k: v for k, v in alias.items() if k != "RoutingConfig"} | routed(routing)
        changed |= {"FunctionVersion": version, "RevisionId": new_id()}
        if "Description" in call.params:
            changed["Description"] = call.params["Description"]
        function.aliases[alias["Name"]] = changed
    return changed


@aws_lambda.operation("GetAlias")
def get_alias(call: Call) -> dict[str, Any]:
    return alias_of(call, find(call)[0])


@aws_lambda.operation("ListAliases")
def list_aliases(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    version = call.params.get("FunctionVersion")
    return {"Aliases": [a for a in function.aliases.values() if version is None or version in versions_in(a)]}


@aws_lambda.operation("DeleteAlias")
def delete_alias(call: Call) -> None:
    function, _ = find(call)
    with function.lock:
        function.aliases.pop(call.params["Name"], None)
        function.policies.pop(call.params["Name"], None)
        function.invoke_configs.pop(call.params["Name"], None)


# -- asynchronous invocation -------------------------------------------------------------------


def check_invoke_config(params: Mapping[str, Any]) -> None:
    if not any(params.get(name) is not None for name in INVOKE_MEMBERS):
        raise invalid("You must specify at least one of: " + ", ".join(INVOKE_MEMBERS))
    for condition, destination in (params.get("DestinationConfig") or {}).items():
        target = (destination or {}).get("Destination", "")
        if target and target.split(":")[2] not in DESTINATIONS:
            if target.split(":")[2] == "s3":
                raise NotSupported(f"a bucket as destination of Lambda's {condition}")
            raise invalid(f"The destination ARN {target} is invalid.")


INVOKE_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


def configure_invoke(call: Call, before: Mapping[str, Any]) -> dict[str, Any]:
    function, name = find(call)
    check_invoke_config(call.params)
    version_of(function, name.qualifier)
    config = {**before, **{k: call.params[k] for k in INVOKE_MEMBERS if call.params.get(k) is not None}}
    config |= {"FunctionArn": f"{function.arn}:{name.qualifier or LATEST}", "LastModified": datetime.now(UTC)}
    function.invoke_configs[name.qualifier or LATEST] = config
    return config


@aws_lambda.operation("PutFunctionEventInvokeConfig")
def put_invoke_config(call: Call) -> dict[str, Any]:
    return configure_invoke(call, {"DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}})


@aws_lambda.operation("UpdateFunctionEventInvokeConfig")
def update_invoke_config(call: Call) -> dict[str, Any]:
    return configure_invoke(call, invoke_config(call))


def invoke_config(call: Call) -> dict[str, Any]:
    function, name = find(call)
    found = function.invoke_configs.get(name.qualifier or LATEST)
    if found is None:
        raise missing(f"The function {function.arn}:{name.qualifier or LATEST} doesn't have an EventInvokeConfig")
    return found


@aws_lambda.operation("GetFunctionEventInvokeConfig")
def get_invoke_config(call: Call) -> dict[str, Any]:
    return invoke_config(call)


@aws_lambda.operation("ListFunctionEventInvokeConfigs")
def list_invoke_configs(call: Call) -> dict[str, Any]:
    return {"FunctionEventInvokeConfigs": list(find(call)[0].invoke_configs.values())}


@aws_lambda.operation("DeleteFunctionEventInvokeConfig")
def delete_invoke_config(call: Call) -> None:
    function, name = find(call)
    if function.invoke_configs.pop(name.qualifier or LATEST, None) is None:
        full = f"{function.arn}:{name.qualifier or LATEST}"
        raise AwsError(
            "ResourceNotFoundException", f"The function {full} doesn't have an EventInvokeConfig", status=404
        )
