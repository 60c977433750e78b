"""Lambda resource types (CloudFormation Template Reference: AWS::Lambda::Function, Version, Alias, Permission,
EventInvokeConfig; "AWS::Lambda::Function Code": inline code becomes index.py, with the module cfnresponse where the
code imports it).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import all_tags, fill, only, poll, retag, undone_by, unless, without
from localaws.containers.lambda_modules import cfnresponse

NO_FUNCTION = {"ResourceNotFoundException"}
INLINE_LIMIT = 4 * 1024 * 1024  # characters of ZipFile
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# What takes a property away: an update of the configuration leaves alone what it does not name.
EMPTY: dict[str, Any] = {
    "DeadLetterConfig": {}, "Description": "", "Environment": {}, "EphemeralStorage": {"Size": 512}, "Layers": [],
    "MemorySize": 128, "Timeout": 3, "TracingConfig": {"Mode": "PassThrough"}, "LoggingConfig": {"LogFormat": "Text"},
}  # fmt: skip
CONFIGURATION = {*EMPTY, "FileSystemConfigs", "Handler", "ImageConfig", "KmsKeyArn", "Role", "Runtime", "SnapStart",
                 "VpcConfig"}  # fmt: skip
CREATION = CONFIGURATION | {"Architectures", "CodeSigningConfigArn", "PackageType"}


def inline(code: str, runtime: str) -> bytes:
    """The zip file that CloudFormation makes of inline code, the same for the same code."""
    if not runtime.startswith("python"):
        raise NotSupported(f"inline code for the Lambda runtime {runtime}: only the Python runtimes run here")
    if len(code) > INLINE_LIMIT:
        raise ResourceFailed(f"ZipFile has {len(code)} characters; at most {INLINE_LIMIT} are allowed")
    files = {"index.py": code}
    if re.search(r"^\s*import cfnresponse\b", code, re.MULTILINE):
        files["cfnresponse.py"] = Path(cfnresponse.__file__).read_text(encoding="utf-8")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), content)
    return buffer.getvalue()


def code_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    code = dict(properties["Code"])
    if code.get("ZipFile") is not None:
        code["ZipFile"] = inline(str(code["ZipFile"]), str(properties.get("Runtime", "")))
    return code


def settled(context: Context, name: str) -> dict[str, Any]:
    """The function's configuration, once the current change has ended."""
    client = context.client("lambda")

    def look() -> Any:
        shown = client.get_function(FunctionName=name)["Configuration"]
        return shown if shown["State"] == "Active" and shown["LastUpdateStatus"] == "Successful" else None

    found: dict[str, Any] = poll(context, look)
    return found


@provides("AWS::Lambda::Function")
class Function:
    """AWS::Lambda::Function."""

    carried = frozenset({*CREATION, "Code", "FunctionName", "RecursiveLoop", "ReservedConcurrentExecutions",
                         "RuntimeManagementConfig", "Tags"})  # fmt: skip

    def unsupported(self, properties: Mapping[str, Any]) -> list[str]:
        """What a look at the template alone shows not to be played."""
        runtime = properties.get("Runtime")
        unsupported = (
            [f"the Lambda runtime {runtime}"] if isinstance(runtime, str) and not runtime.startswith("python") else []
        )
        if isinstance(properties.get("Code"), dict) and "ImageUri" in properties["Code"]:
            unsupported.append("a Lambda function from an image")
        asked = [name for name in ("Layers", "VpcConfig") if properties.get(name)]
        return unsupported + [f"a Lambda function with {name}" for name in asked]

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        self._check(properties)
        client, name = context.client("lambda"), str(properties.get("FunctionName") or context.generated_name(64))
        arguments = {k: v for k, v in properties.items() if k in CREATION}
        arguments |= {"FunctionName": name, "Code": code_of(properties)}
        if tags := all_tags(context.tags, properties):
            arguments["Tags"] = tags
        client.create_function(**fill(client, "CreateFunction", arguments, "AWS::Lambda::Function"))
        with undone_by(lambda: client.delete_function(FunctionName=name)):
            if properties.get("ReservedConcurrentExecutions") is not None:
                self._reserve(client, name, properties["ReservedConcurrentExecutions"])
            return self._made(settled(context, name))

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        self._check(new)
        client = context.client("lambda")
        if old["Code"] != new["Code"] or old.get("Architectures") != new.get("Architectures"):
            code = {**code_of(new), "FunctionName": physical_id}
            if new.get("Architectures"):
                code["Architectures"] = new["Architectures"]
            client.update_function_code(**fill(client, "UpdateFunctionCode", code, "AWS::Lambda::Function"))
            settled(context, physical_id)
        changed = {name: new.get(name, EMPTY.get(name)) for name in CONFIGURATION if old.get(name) != new.get(name)}
        if lost := [name for name, value in changed.items() if value is None]:
            raise NotSupported(f"AWS::Lambda::Function: taking {lost[0]} away")
        if changed:
            arguments = fill(client, "UpdateFunctionConfiguration", changed, "AWS::Lambda::Function")
            client.update_function_configuration(FunctionName=physical_id, **arguments)
        shown = settled(context, physical_id)
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions"):
            self._reserve(client, physical_id, new.get("ReservedConcurrentExecutions"))
        retag(
            context,
            old,
            new,
            lambda tags: client.tag_resource(Resource=shown["FunctionArn"], Tags=tags),
            lambda keys: client.untag_resource(Resource=shown["FunctionArn"], TagKeys=keys),
        )
        return self._made(shown)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(NO_FUNCTION, context.client("lambda").delete_function, FunctionName=physical_id)

    def _check(self, properties: Mapping[str, Any]) -> None:
        only("AWS::Lambda::Function", properties, self.carried)
        if (properties.get("RuntimeManagementConfig") or {}).get("UpdateRuntimeOn", "Auto") != "Auto":
            raise NotSupported("AWS::Lambda::Function: RuntimeManagementConfig other than Auto")
        if properties.get("RecursiveLoop", "Terminate") != "Terminate":
            raise NotSupported("AWS::Lambda::Function: RecursiveLoop Allow")

    def _reserve(self, client: Any, name: str, wanted: Any) -> None:
        if wanted is None:
            client.delete_function_concurrency(FunctionName=name)
        else:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(wanted))

    def _made(self, shown: dict[str, Any]) -> Made:
        return Made(str(shown["FunctionName"]), {"Arn": shown["FunctionArn"]})


@provides("AWS::Lambda::Version")
class Version:
    """AWS::Lambda::Version: a published version never changes."""

    carried = frozenset({"CodeSha256", "Description", "FunctionName"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::Lambda::Version", properties, self.carried)
        client, name = context.client("lambda"), properties["FunctionName"]
        settled(context, name)
        before = {v["Version"] for v in client.list_versions_by_function(FunctionName=name)["Versions"]}
        made = client.publish_version(**fill(client, "PublishVersion", properties, "AWS::Lambda::Version"))
        if made["Version"] in before:
            raise ResourceFailed(
                f"A version for this Lambda function exists ( {made['Version']} ). Modify the function to create a "
                "new version."
            )
        return self._made(made["FunctionArn"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(NO_FUNCTION, context.client("lambda").delete_function, FunctionName=physical_id)

    def _made(self, arn: str) -> Made:
        return Made(arn, {"FunctionArn": arn, "Version": arn.rsplit(":", 1)[1]})


@provides("AWS::Lambda::Alias")
class Alias:
    """AWS::Lambda::Alias."""

    carried = frozenset({"Description", "FunctionName", "FunctionVersion", "Name", "RoutingConfig"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        client = context.client("lambda")
        made = client.create_alias(**self._input(client, "CreateAlias", properties))
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        client = context.client("lambda")
        arguments = self._input(client, "UpdateAlias", {"Description": "", "RoutingConfig": {}, **new})
        client.update_alias(**arguments)
        return Made(physical_id, {"AliasArn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        function, name = physical_id.rsplit(":", 1)
        unless(NO_FUNCTION, context.client("lambda").delete_alias, FunctionName=function, Name=name)

    def _input(self, client: Any, operation: str, properties: dict[str, Any]) -> dict[str, Any]:
        only("AWS::Lambda::Alias", properties, self.carried)
        arguments = dict(properties)
        if "RoutingConfig" in properties:
            weights = (properties["RoutingConfig"] or {}).get("AdditionalVersionWeights") or []
            shares = {str(one["FunctionVersion"]): float(one["FunctionWeight"]) for one in weights}
            arguments["RoutingConfig"] = {"AdditionalVersionWeights": shares}
        return fill(client, operation, arguments, "AWS::Lambda::Alias")


@provides("AWS::Lambda::Permission")
class Permission:
    """AWS::Lambda::Permission: one statement of a function's policy."""

    carried = frozenset({"Action", "FunctionName", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        client, identity = context.client("lambda"), context.generated_name(100)
        arguments = {**properties, "StatementId": identity}
        client.add_permission(**fill(client, "AddPermission", arguments, "AWS::Lambda::Permission"))
        return Made(identity, {"Id": identity})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return Made(physical_id, {"Id": physical_id})  # every property makes a new one

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        name = properties["FunctionName"]
        unless(NO_FUNCTION, context.client("lambda").remove_permission, FunctionName=name, StatementId=physical_id)


@provides("AWS::Lambda::EventInvokeConfig")
class EventInvokeConfig:
    """AWS::Lambda::EventInvokeConfig."""

    carried = frozenset(
        {"DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier"}
    )

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        client = context.client("lambda")
        arguments = fill(client, "PutFunctionEventInvokeConfig", properties, "AWS::Lambda::EventInvokeConfig")
        client.put_function_event_invoke_config(**arguments)
        return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        client, gone = context.client("lambda"), [name for name in old if name not in new]
        operation = "PutFunctionEventInvokeConfig" if gone else "UpdateFunctionEventInvokeConfig"
        arguments = fill(client, operation, new, "AWS::Lambda::EventInvokeConfig")
        (client.put_function_event_invoke_config if gone else client.update_function_event_invoke_config)(**arguments)
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        place = without(properties, *(set(properties) - {"FunctionName", "Qualifier"}))
        unless(NO_FUNCTION, context.client("lambda").delete_function_event_invoke_config, **place)
