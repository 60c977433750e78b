"""Lambda functions made, changed, shown and deleted (AWS Lambda API Reference, the page of each operation).

Developer Guide, "Lambda runtimes" (which may still be created: the dates are those that cfn-lint ships), "Working
with Lambda environment variables", "Lambda quotas", "Deploying Lambda functions as .zip file archives".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.archives import BadArchive, open_zip
from awslang.errors import AwsError, NotSupported
from awslang.template.schemas import package
from localaws import places, shapes
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.services.awslambda import versions
from localaws.services.awslambda.service import aws_lambda
from localaws.services.awslambda.state import (
    LATEST,
    Function,
    Version,
    asked,
    check_revision,
    conflict,
    find,
    function_named,
    functions_of,
    invalid,
    missing,
    revised,
    version_of,
)

PRINCIPAL = "lambda.amazonaws.com"
ZIP_LIMIT, UNZIPPED_LIMIT, VARIABLES_LIMIT = 52_428_800, 262_144_000, 4096  # bytes ("Lambda quotas")
MOST_SECONDS, MOST_MEMORY = 900, 10_240
RESERVED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    "AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN",
}  # fmt: skip
CONFIGURED = ("Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "DeadLetterConfig", "Environment",
              "EphemeralStorage", "TracingConfig", "LoggingConfig")  # fmt: skip
NOT_SUPPORTED = ("Layers", "FileSystemConfigs", "CodeSigningConfigArn", "ImageConfig", "KMSKeyArn", "TenancyConfig",
            "CapacityProviderConfig", "DurableConfig", "RuntimeConfig", "AcceleratorConfig", "PublishTo",
            "SourceKMSKeyArn", "ImageUri")  # fmt: skip


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """NotSupported for what AWS's functions may have and these lack."""
    asked_for = [name for name in NOT_SUPPORTED if params.get(name)]
    if params.get("PackageType", "Zip") != "Zip":
        asked_for.append(f"PackageType {params['PackageType']}")
    if any((params.get("VpcConfig") or {}).get(name) for name in ("SubnetIds", "SecurityGroupIds")):
        asked_for.append("VpcConfig")
    if (params.get("TracingConfig") or {}).get("Mode", "PassThrough") != "PassThrough":
        asked_for.append("TracingConfig Active")
    if params.get("S3ObjectStorageMode", "COPY") != "COPY":
        asked_for.append("S3ObjectStorageMode REFERENCE")
    if (params.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        asked_for.append("SnapStart")
    if (params.get("LoggingConfig") or {}).get("LogFormat", "Text") != "Text":
        asked_for.append("LoggingConfig with the format JSON")
    if asked_for:
        raise NotSupported(f"a Lambda function with {', '.join(asked_for)}")


@cache
def lifecycle() -> Mapping[str, Mapping[str, str]]:
    """Each runtime with the dates from which AWS refuses to create or update a function with it."""
    path = package() / "data" / "AdditionalSpecs" / "LmbdRuntimeLifecycle.json"
    found: Mapping[str, Mapping[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def check_runtime(runtime: str, block: str) -> None:
    """block: "create-block" or "update-block"."""
    dates = lifecycle().get(runtime, {})
    if dates.get(block) and datetime.fromisoformat(dates[block]).date() <= datetime.now(UTC).date():
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )
    if not runtime.startswith("python"):
        raise NotSupported(f"the Lambda runtime {runtime}: only the Python runtimes run here")


def check_variables(environment: Mapping[str, Any]) -> None:
    variables = environment.get("Variables") or {}
    beginning = "Lambda was unable to configure your environment variables because the environment variables you have "
    if taken := sorted(RESERVED & set(variables)):
        raise invalid(
            f"{beginning}provided contains reserved keys that are currently not supported for modification. Reserved "
            "keys "
            f"used in this request: {', '.join(taken)}"
        )
    if wrong := [name for name in variables if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name)]:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys "
            f"must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+ ({wrong[0]})",
        )
    if len(json.dumps(variables)) > VARIABLES_LIMIT:
        raise invalid(f"{beginning}provided exceeded the 4KB limit.")


def check_limits(params: Mapping[str, Any]) -> None:
    shape = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must have value {}"
    for name, least, most in (("Timeout", 1, MOST_SECONDS), ("MemorySize", 128, MOST_MEMORY)):
        if name in params and not least <= params[name] <= most:
            bound = f"less than or equal to {most}" if params[name] > most else f"greater than or equal to {least}"
            raise AwsError("ValidationException", shape.format(params[name], shapes.lower(name), bound))


# -- code --------------------------------------------------------------------------------------


def read_code(call: Call, code: Mapping[str, Any]) -> bytes:
    """The zip file of a request: within it, or in S3, read with the caller's permissions."""
    if ("ZipFile" in code) == ("S3Bucket" in code):
        raise invalid("Please provide a source for function code.")
    if "ZipFile" in code:
        return bytes(code["ZipFile"])
    if not code.get("S3Key"):
        raise invalid("Please provide a valid S3Key.")
    arguments = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
    if code.get("S3ObjectVersion"):
        arguments["VersionId"] = code["S3ObjectVersion"]
    try:
        return bytes(call.forward(PRINCIPAL).client("s3").get_object(**arguments)["Body"].read())
    except ClientError as error:
        cause = error.response["Error"]
        words = f"S3 Error Code: {cause['Code']}. S3 Error Message: {cause['Message']}"
        if cause["Code"] in ("AccessDenied", "403"):
            raise AwsError(
                "AccessDeniedException",
                "Your access has been denied by S3, please make sure your request credentials have permission to "
                f"GetObject for {code['S3Bucket']}/{code['S3Key']}. {words}",
                403,
            ) from error
        raise invalid(f"Error occurred while GetObject. {words}") from error


def unpack(cloud: Cloud, content: bytes) -> Path:
    """The folder that holds the code; the same code is unpacked once."""
    if len(content) > ZIP_LIMIT:
        raise invalid(f"Request must be smaller than {ZIP_LIMIT} bytes for the CreateFunction operation")
    folder = cloud.folder / "lambda" / "code" / hashlib.sha256(content).hexdigest()
    if folder.exists():
        return folder
    making = folder.with_suffix(f".{id(content)}")
    try:
        with open_zip(content) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > UNZIPPED_LIMIT:
                raise invalid(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")
            for entry in {entry.filename: entry for entry in archive.infolist()}.values():
                if entry.is_dir():
                    places.make(making, entry.filename)
                else:
                    places.write(making, entry.filename, archive.read(entry))
    except (BadArchive, OSError, places.NoPlace) as error:
        shutil.rmtree(making, ignore_errors=True)
        raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
    if folder.exists():
        return folder
    making.mkdir(parents=True, exist_ok=True)  # an empty zip
    making.rename(folder)
    return folder


def described(content: bytes) -> dict[str, Any]:
    return {"CodeSha256": base64.b64encode(hashlib.sha256(content).digest()).decode(), "CodeSize": len(content)}


# -- functions ---------------------------------------------------------------------------------


@aws_lambda.operation("CreateFunction")
def create_function(call: Call) -> dict[str, Any]:
    params = call.params
    check_limits(params)
    refuse_unsupported(params)
    refuse_unsupported(params["Code"])
    for member in ("Runtime", "Handler"):
        if not params.get(member):
            raise invalid(f"{member} is mandatory for functions created with deployment packages.")
    check_runtime(params["Runtime"], "create-block")
    check_variables(params.get("Environment") or {})
    name = asked(call)
    if name.qualifier or (name.account, name.region) != (call.account, call.region):
        raise invalid("A function is created by its name, in the caller's own account and region.")
    content = read_code(call, params["Code"])
    state = functions_of(call.cloud, call.account, call.region)
    with state.lock:
        if name.name in state.by_name:
            raise conflict(f"Function already exist: {name.name}")
        shown = revised(
            {
                "FunctionName": name.name,
                "FunctionArn": name.arn,
                "Version": LATEST,
                "Description": "",
                "Timeout": 3,
                "MemorySize": 128,
                "TracingConfig": {"Mode": "PassThrough"},
                "EphemeralStorage": {"Size": 512},
                "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name.name}"},
                "PackageType": "Zip",
                "Architectures": params.get("Architectures") or ["x86_64"],
                **described(content),
            }
        )
        made = Function(name.name, name.arn, {LATEST: Version(configured(shown, params), unpack(call.cloud, content))})
        made.tags = dict(params.get("Tags") or {})
        made.changing(call.cloud)
        state.by_name[name.name] = made
    if params.get("Publish"):
        return made.show(versions.publish(made, str(params.get("Description") or "")))
    return made.show(made.latest)


def configured(shown: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with what a request changes in it."""
    now = {**shown, **{name: params[name] for name in CONFIGURED if params.get(name) is not None}}
    logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{shown['FunctionName']}", **now["LoggingConfig"]}
    now["LoggingConfig"] = logging
    if not (now.get("Environment") or {}).get("Variables"):
        now.pop("Environment", None)
    if not (now.get("DeadLetterConfig") or {}).get("TargetArn"):
        now.pop("DeadLetterConfig", None)
    return now


def change(call: Call, function: Function) -> None:
    """ResourceConflictException while another change runs."""
    if function.settling:
        raise conflict(
            "The operation cannot be performed at this time. An update is in progress for resource: " + function.arn
        )
    check_revision(call.params.get("RevisionId"), function.latest.shown["RevisionId"])


@aws_lambda.operation("UpdateFunctionCode")
def update_function_code(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    refuse_unsupported(call.params)
    check_runtime(function.latest.shown["Runtime"], "update-block")
    content = read_code(call, call.params)
    with function.lock:
        change(call, function)
        shown = function.latest.shown | described(content)
        if call.params.get("Architectures"):
            shown["Architectures"] = call.params["Architectures"]
        if call.params.get("DryRun"):
            return shown
        function.versions[LATEST] = Version(revised(shown), unpack(call.cloud, content))
        function.created = False
        function.changing(call.cloud)
        if call.params.get("Publish"):
            return function.show(versions.publish(function, str(shown["Description"])))
    return function.show(function.latest)


@aws_lambda.operation("UpdateFunctionConfiguration")
def update_function_configuration(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    check_limits(call.params)
    refuse_unsupported(call.params)
    check_runtime(call.params.get("Runtime") or function.latest.shown["Runtime"], "update-block")
    check_variables(call.params.get("Environment") or {})
    with function.lock:
        change(call, function)
        shown = configured(function.latest.shown, call.params)
        function.versions[LATEST] = Version(revised(shown), function.latest.folder)
        function.created = False
        function.changing(call.cloud)
    return function.show(function.latest)


@aws_lambda.operation("GetFunction")
def get_function(call: Call) -> dict[str, Any]:
    function, name = find(call)
    shown: dict[str, Any] = {
        "Configuration": configuration_of(function, name.qualifier),
        "Code": {"RepositoryType": "S3", "Location": version_of(function, name.qualifier).folder.as_uri()},
    }
    if function.tags:
        shown["Tags"] = dict(function.tags)
    if function.reserved is not None:
        shown["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return shown


def configuration_of(function: Function, qualifier: str) -> dict[str, Any]:
    """The configuration, with the ARN by which it was asked for."""
    shown = function.show(version_of(function, qualifier))
    return shown | ({"FunctionArn": f"{function.arn}:{qualifier}"} if qualifier else {})


@aws_lambda.operation("GetFunctionConfiguration")
def get_function_configuration(call: Call) -> dict[str, Any]:
    function, name = find(call)
    return configuration_of(function, name.qualifier)


@aws_lambda.operation("ListFunctions")
def list_functions(call: Call) -> dict[str, Any]:
    found = sorted(functions_of(call.cloud, call.account, call.region).by_name.items())
    if call.params.get("FunctionVersion") == "ALL":
        return {"Functions": [f.show(version) for _, f in found for version in f.versions.values()]}
    return {"Functions": [function.show(function.latest) for _, function in found]}


@aws_lambda.operation("DeleteFunction")
def delete_function(call: Call) -> dict[str, Any]:
    function, name = find(call)
    state = functions_of(call.cloud, name.account, name.region)
    if not name.qualifier:
        with state.lock:
            state.by_name.pop(function.name, None)
        return {"StatusCode": 204}
    if name.qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    with function.lock:
        users = [a["Name"] for a in function.aliases.values() if name.qualifier in versions.versions_in(a)]
        if users:
            raise conflict(
                f"Function version {name.qualifier} cannot be deleted because it is used by the aliases {users}"
            )
        function.versions.pop(name.qualifier, None)
    return {"StatusCode": 204}


# -- concurrency, tags -------------------------------------------------------------------------


@aws_lambda.operation("PutFunctionConcurrency")
def put_function_concurrency(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    function.reserved = int(call.params["ReservedConcurrentExecutions"])
    return {"ReservedConcurrentExecutions": function.reserved}


@aws_lambda.operation("GetFunctionConcurrency")
def get_function_concurrency(call: Call) -> dict[str, Any]:
    function, _ = find(call)
    return {} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved}


@aws_lambda.operation("DeleteFunctionConcurrency")
def delete_function_concurrency(call: Call) -> None:
    find(call)[0].reserved = None


def tagged(call: Call) -> Function:
    found = function_named(call.cloud, call.params["Resource"])
    if found is None:
        raise missing(f"The resource you requested does not exist: {call.params['Resource']}")
    return found


@aws_lambda.operation("TagResource")
def tag_resource(call: Call) -> None:
    tagged(call).tags.update(call.params["Tags"])


@aws_lambda.operation("UntagResource")
def untag_resource(call: Call) -> None:
    function = tagged(call)
    for key in call.params["TagKeys"]:
        function.tags.pop(key, None)


@aws_lambda.operation("ListTags")
def list_tags(call: Call) -> dict[str, Any]:
    return {"Tags": dict(tagged(call).tags)}
