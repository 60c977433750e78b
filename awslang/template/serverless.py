"""The AWS::Serverless-2016-10-31 transform: what AWS SAM makes of functions and simple tables.

AWS SAM Developer Guide, "CloudFormation resources generated when AWS::Serverless::Function is specified", "Globals
section of the AWS SAM template", and the pages of the two types. Every other type, property, event and policy template
is NotSupported with its name, before anything is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from awslang.errors import NotSupported
from awslang.template.shape import FOR_EACH, SERVERLESS, problems
from awslang.template.template import Template

NAME, PREFIX = SERVERLESS, "AWS::Serverless::"
SAME = {  # properties of a function that Lambda's type has under the same name
    "Architectures", "Description", "Environment", "EphemeralStorage", "FileSystemConfigs", "FunctionName", "Handler",
    "ImageConfig", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PackageType", "RecursiveLoop",
    "ReservedConcurrentExecutions", "Runtime", "RuntimeManagementConfig", "SnapStart", "Timeout", "VpcConfig",
}  # fmt: skip
OWN = {
    "AssumeRolePolicyDocument", "AutoPublishAlias", "CodeUri", "Events", "InlineCode", "PermissionsBoundary",
    "Policies", "Role", "RolePath", "Tags", "Tracing", "VersionDescription",
}  # fmt: skip
PASSED = ("Condition", "DeletionPolicy", "UpdateReplacePolicy")  # to what is made of a resource, too
KEPT = (*PASSED, "DependsOn", "Metadata")
KEYS = {"String": "S", "Number": "N", "Binary": "B"}
TARGET = ("DeadLetterConfig", "Input", "InputPath", "InputTransformer", "RetryPolicy")
RULES = {  # of the types of events that become rules: the properties of the rule
    "CloudWatchEvent": {"Pattern": "EventPattern", "EventBusName": "EventBusName", "State": "State"},
    "EventBridgeRule": {"Pattern": "EventPattern", "EventBusName": "EventBusName", "State": "State",
                        "RuleName": "Name"},
    "Schedule": {"Schedule": "ScheduleExpression", "Name": "Name", "Description": "Description", "State": "State"},
}  # fmt: skip
Resources = dict[str, dict[str, Any]]


def expand(template: Template, managed: Callable[[str], str]) -> Template:
    """The template with what SAM makes of its resources; the same template when it does not use the transform.

    managed: the ARN of a policy of AWS by its name
    """
    if NAME not in template.transforms:
        return template
    if any(name.startswith(FOR_EACH) for name in template.resources):
        raise NotSupported(f"Fn::ForEach together with the transform {NAME} (line {template.line('Transform')})")
    made: Resources = {}
    lines = dict(template.lines)
    named: dict[str, str] = {}  # what a template may refer to by a name with a dot
    for logical_id, resource in template.resources.items():
        found = Expansion(template, logical_id, resource, managed).resources() if is_sam(resource) else {}
        for name in found:
            lines.setdefault(("Resources", name), template.line("Resources", logical_id))
        named |= {f"{logical_id}.{one['Type'].rsplit('::', 1)[1]}": name for name, one in found.items()}
        made |= found or {logical_id: resource}
    document = {name: part for name, part in template.document.items() if name not in ("Globals", "Transform")}
    if others := [name for name in template.transforms if name != NAME]:
        document["Transform"] = others
    document = referring({**document, "Resources": made}, named)
    expanded = replace(template, document=document, lines=lines, checked=set(), depends={})
    for message, path in problems(document):
        raise expanded.error(message, *path)
    return expanded


def is_sam(resource: Any) -> bool:
    return isinstance(resource, dict) and str(resource.get("Type", "")).startswith(PREFIX)


def referring(node: Any, named: Mapping[str, str]) -> Any:
    """The node with Function.Alias and Function.Version as the logical ids that they stand for."""
    if isinstance(node, list):
        return [referring(part, named) for part in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Ref"} and node["Ref"] in named:
        return {"Ref": named[node["Ref"]]}
    return {name: referring(part, named) for name, part in node.items()}


def merged(common: Any, own: Any) -> Any:
    """Globals beneath a resource's own: objects are merged, lists joined, other values replaced."""
    if isinstance(common, dict) and isinstance(own, dict) and not is_function(own):
        return {name: merged(common[name], own[name]) if name in common and name in own else {**common, **own}[name]
                for name in {**common, **own}}  # fmt: skip
    return [*common, *own] if isinstance(common, list) and isinstance(own, list) else own


def is_function(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


class Expansion:
    """One resource of SAM, and what it becomes."""

    def __init__(
        self, template: Template, logical_id: str, resource: dict[str, Any], managed: Callable[[str], str]
    ) -> None:
        self.template, self.id, self.resource, self.managed = template, logical_id, resource, managed
        self.kind = str(resource["Type"]).removeprefix(PREFIX)
        common = template.document.get("Globals", {}).get(self.kind, {})
        self.given: dict[str, Any] = merged(common, resource.get("Properties", {}))
        self.passed = {name: resource[name] for name in PASSED if name in resource}

    def refused(self, what: str) -> NotSupported:
        line = self.template.line("Resources", self.id, "Type")
        return NotSupported(f"{what} (resource {self.id}, line {line})")

    def only(self, given: Mapping[str, Any], known: set[str], of: str) -> None:
        if others := sorted(given.keys() - known):
            raise self.refused(f"the property {others[0]} of {of}")

    def resources(self) -> Resources:
        if self.kind == "Function":
            return self.function()
        if self.kind == "SimpleTable":
            return self.table()
        raise self.refused(f"the resource type {PREFIX}{self.kind}")

    def made(self, type_: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"Type": type_, **self.passed, **more, "Properties": properties}

    def function(self) -> Resources:
        self.only(self.given, SAME | OWN, f"{PREFIX}Function")
        properties = {"Code": self.code(), **{name: self.given[name] for name in SAME if name in self.given}}
        properties["Role"] = self.given.get("Role") or {"Fn::GetAtt": [f"{self.id}Role", "Arn"]}
        properties["Tags"] = self.tags()
        if "Tracing" in self.given:
            properties["TracingConfig"] = {"Mode": self.given["Tracing"]}
        kept = {name: self.resource[name] for name in KEPT if name in self.resource}
        found: Resources = {self.id: {"Type": "AWS::Lambda::Function", **kept, "Properties": properties}}
        target = self.id
        if alias := self.given.get("AutoPublishAlias"):
            target = f"{self.id}Alias{alias}"
            found |= self.published(alias, properties["Code"])
        if "Role" not in self.given:
            found[f"{self.id}Role"] = self.role()
        for name, event in self.given.get("Events", {}).items():
            found |= self.event(f"{self.id}{name}", event, target)
        return found

    def code(self) -> dict[str, Any]:
        if "InlineCode" in self.given:
            return {"ZipFile": self.given["InlineCode"]}
        place = self.given.get("CodeUri")
        if isinstance(place, str) and place.startswith("s3://"):
            bucket, _, key = place.removeprefix("s3://").partition("/")
            return {"S3Bucket": bucket, "S3Key": key}
        if isinstance(place, dict) and {"Bucket", "Key"} <= place.keys():
            names = {"Bucket": "S3Bucket", "Key": "S3Key", "Version": "S3ObjectVersion"}
            return {names[name]: value for name, value in place.items() if name in names}
        raise self.template.error(
            f"Transform {NAME} failed with: Invalid Serverless Application Specification document. Number of errors "
            f"found: 1. Resource with id [{self.id}] is invalid. 'CodeUri' is not a valid S3 Uri of the form "
            "'s3://bucket/key' with optional versionId query parameter.",
            "Resources",
            self.id,
        )

    def tags(self) -> list[dict[str, Any]]:
        tags = {"lambda:createdBy": "SAM", **self.given.get("Tags", {})}
        return [{"Key": key, "Value": value} for key, value in tags.items()]

    def published(self, alias: str, code: dict[str, Any]) -> Resources:
        digest = hashlib.sha256(json.dumps(code, sort_keys=True, default=str).encode()).hexdigest()
        version = f"{self.id}Version{digest[:10]}"
        of = {"FunctionName": {"Ref": self.id}}
        described = self.given.get("VersionDescription")
        properties = {**of, **({"Description": described} if described else {})}
        return {
            version: self.made("AWS::Lambda::Version", properties, DeletionPolicy="Retain"),
            f"{self.id}Alias{alias}": self.made(
                "AWS::Lambda::Alias", {"Name": alias, **of, "FunctionVersion": {"Fn::GetAtt": [version, "Version"]}}
            ),
        }

    def role(self) -> dict[str, Any]:
        attached: list[Any] = [self.managed("AWSLambdaBasicExecutionRole")]
        if "VpcConfig" in self.given:
            attached.append(self.managed("AWSLambdaVPCAccessExecutionRole"))
        if self.given.get("Tracing") == "Active":
            attached.append(self.managed("AWSXrayWriteOnlyAccess"))
        inline: list[dict[str, Any]] = []
        given = self.given.get("Policies", [])
        for number, policy in enumerate(given if isinstance(given, list) else [given]):
            if isinstance(policy, str):
                attached.append(policy if policy.startswith("arn:") else self.managed(policy))
            elif is_function(policy):
                attached.append(policy)
            elif "Statement" in policy:
                inline.append({"PolicyName": f"{self.id}RolePolicy{number}", "PolicyDocument": policy})
            else:
                raise self.refused(f"the policy template {next(iter(policy))} of AWS SAM")
        service = {"Service": ["lambda.amazonaws.com"]}
        trust = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": service}
        properties = {
            "AssumeRolePolicyDocument": self.given.get("AssumeRolePolicyDocument")
            or {"Version": "2012-10-17", "Statement": [trust]},
            "ManagedPolicyArns": attached,
            **({"Policies": inline} if inline else {}),
            **{name: self.given[of] for name, of in (("Path", "RolePath"), ("PermissionsBoundary",) * 2)
               if of in self.given},
            "Tags": self.tags(),
        }  # fmt: skip
        return self.made("AWS::IAM::Role", properties)

    def event(self, name: str, event: Mapping[str, Any], target: str) -> Resources:
        kind, given = str(event["Type"]), event.get("Properties", {})
        if kind == "SNS":
            self.only(given, {"Topic", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy"}, "the event SNS")
            properties = {name: value for name, value in given.items() if name != "Topic"}
            properties |= {"Endpoint": {"Ref": target}, "Protocol": "lambda", "TopicArn": given["Topic"]}
            if target == self.id:
                properties["Endpoint"] = {"Fn::GetAtt": [self.id, "Arn"]}
            subscription = self.made("AWS::SNS::Subscription", properties)
            return {name: subscription, **self.permission(name, target, "sns.amazonaws.com", given["Topic"])}
        if kind not in RULES:
            raise self.refused(f"the event type {kind} of {PREFIX}Function")
        self.only(given, {*RULES[kind], *TARGET}, f"the event {kind}")
        arn = {"Fn::GetAtt": [self.id, "Arn"]} if target == self.id else {"Ref": target}
        goes_to = {"Arn": arn, "Id": f"{name}LambdaTarget", **{one: given[one] for one in TARGET if one in given}}
        rule = {inner: given[one] for one, inner in RULES[kind].items() if one in given}
        found = {name: self.made("AWS::Events::Rule", {**rule, "Targets": [goes_to]})}
        return found | self.permission(name, target, "events.amazonaws.com", {"Fn::GetAtt": [name, "Arn"]})

    def permission(self, name: str, target: str, principal: str, source: Any) -> Resources:
        properties = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": target}, "Principal": principal}
        return {f"{name}Permission": self.made("AWS::Lambda::Permission", {**properties, "SourceArn": source})}

    def table(self) -> Resources:
        same = {"PointInTimeRecoverySpecification", "ProvisionedThroughput", "SSESpecification", "TableName"}
        self.only(self.given, same | {"PrimaryKey", "Tags"}, f"{PREFIX}SimpleTable")
        key = self.given.get("PrimaryKey", {"Name": "id", "Type": "String"})
        properties = {
            "AttributeDefinitions": [{"AttributeName": key["Name"], "AttributeType": KEYS[key["Type"]]}],
            "KeySchema": [{"AttributeName": key["Name"], "KeyType": "HASH"}],
            **{name: self.given[name] for name in sorted(same) if name in self.given},
        }
        if "ProvisionedThroughput" not in self.given:
            properties["BillingMode"] = "PAY_PER_REQUEST"
        if "Tags" in self.given:
            properties["Tags"] = [{"Key": name, "Value": value} for name, value in self.given["Tags"].items()]
        kept = {name: self.resource[name] for name in KEPT if name in self.resource}
        return {self.id: {"Type": "AWS::DynamoDB::Table", **kept, "Properties": properties}}
