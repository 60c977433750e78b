"""The form of a template: which sections, members and names AWS accepts, and how many.

AWS pages: "Template sections", "CloudFormation template Parameters syntax", "Resource attribute reference",
"CloudFormation template Outputs syntax", "Understand CloudFormation quotas".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from awslang.template.patterns import compiled
from awslang.template.reader import Path

SECTIONS = {
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
    "Transform", "Resources", "Outputs", "Hooks",
}  # fmt: skip
MEMBERS = {
    "Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy",
    "UpdatePolicy", "CreationPolicy", "Version",
}  # fmt: skip
PARAMETER_MEMBERS = {
    "Type", "Default", "Description", "AllowedPattern", "AllowedValues", "ConstraintDescription", "MinLength",
    "MaxLength", "MinValue", "MaxValue", "NoEcho",
}  # fmt: skip
OUTPUT_MEMBERS = {"Value", "Description", "Export", "Condition"}
MOST = {"Parameters": 200, "Resources": 500, "Outputs": 200, "Mappings": 200}
MOST_KEYS = 200  # top-level keys of one mapping, and attributes of one key
LONGEST_NAME = 255
LONGEST_DESCRIPTION = 1024  # bytes
LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
SERVERLESS = "AWS::Serverless-2016-10-31"
FOR_EACH = "Fn::ForEach::"
POLICIES = {
    "DeletionPolicy": {"Delete", "Retain", "Snapshot", "RetainExceptOnCreate"},
    "UpdateReplacePolicy": {"Delete", "Retain", "Snapshot"},
}
LOOKED_UP = (
    "AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id",
    "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id",
    "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
)  # fmt: skip
SSM_VALUE = "AWS::SSM::Parameter::Value<"
PLAIN_TYPES = {"String", "Number", "List<Number>", "CommaDelimitedList"}
AWS_TYPES = {*LOOKED_UP, *(f"List<{name}>" for name in LOOKED_UP), "AWS::EC2::KeyPair::KeyName"}
SSM_TYPES = {"AWS::SSM::Parameter::Name"} | {
    f"{SSM_VALUE}{name}>" for name in ("String", "List<String>", "CommaDelimitedList", *AWS_TYPES)
}
ALPHANUMERIC = re.compile(r"[a-zA-Z0-9]+")
CONDITION_NAME = re.compile(r"[a-zA-Z0-9&_]+")  # which also takes the two signs (cfn-lint's schema of conditions)
Problem = tuple[str, Path]


def transforms(document: Mapping[str, Any]) -> list[str]:
    """Names of the transforms that a template declares, in order."""
    declared = document.get("Transform", [])
    listed = declared if isinstance(declared, list) else [declared]
    return [str(item.get("Name", "")) if isinstance(item, dict) else str(item) for item in listed]


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the form of a template: AWS's message and the path, the first one first."""
    names = transforms(document)
    if set(names) - {LANGUAGE_EXTENSIONS}:
        for name in CHECKS:
            if not isinstance(document.get(name, {}), dict):
                yield f"Template format error: {name} must be an object", (name,)
        return  # macros may read members of their own: what they leave is checked, not what they get
    unknown = [name for name in document if name not in SECTIONS]
    if unknown:
        yield f"Invalid template property or properties [{', '.join(unknown)}]", (unknown[0],)
    version = document.get("AWSTemplateFormatVersion", "2010-09-09")
    if str(version) != "2010-09-09":
        yield (
            f"Template format error: Template version '{version}' is not supported. Use '2010-09-09'.",
            ("AWSTemplateFormatVersion",),
        )
    yield from description(document.get("Description", ""), ("Description",))
    for name, check in CHECKS.items():
        section = document.get(name, {})
        if not isinstance(section, dict):
            yield f"Template format error: {name} must be an object", (name,)
        else:
            yield from counted(name, section)
            for key, value in section.items():
                if not (key.startswith(FOR_EACH) and LANGUAGE_EXTENSIONS in names):
                    yield from check((name, key), value, LANGUAGE_EXTENSIONS in names)
    if not document.get("Resources"):
        yield "Template format error: At least one Resources member must be defined.", ("Resources",)


def counted(name: str, section: Mapping[str, Any]) -> Iterator[Problem]:
    most = MOST.get(name)
    if most is not None and len(section) > most:
        yield (
            f"Template format error: Number of {name.lower()}, {len(section)}, is greater than maximum allowed, {most}",
            (name,),
        )


def description(value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield "Template format error: Every Description member must be a string.", path
    elif len(value.encode()) > LONGEST_DESCRIPTION:
        yield f"Template format error: 'Description' length is greater than {LONGEST_DESCRIPTION}.", path


def named(path: Path, what: str, allowed: re.Pattern[str] = ALPHANUMERIC) -> Iterator[Problem]:
    name = str(path[1])
    if not allowed.fullmatch(name):
        yield f"Template format error: {what} name {name} is non alphanumeric.", path
    if len(name) > LONGEST_NAME:
        yield f"Template format error: {what} name {name} exceeds {LONGEST_NAME} characters.", path


def members(path: Path, value: Any, allowed: set[str], what: str) -> Iterator[Problem]:
    """Whether value is an object with these members only; the caller goes on only when it is an object."""
    if not isinstance(value, dict):
        yield f"Template format error: [/{'/'.join(map(str, path))}] {what} definition is malformed", path
        return
    for name in value:
        if name not in allowed:
            yield f"Invalid template {what} property '{name}'", (*path, name)


def parameter(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from named(path, "Parameter")
    yield from members(path, value, PARAMETER_MEMBERS, "parameter")
    if "Type" not in value:
        yield "Template format error: Every Parameters object must contain a Type member.", path
    kind = value["Type"]
    if not isinstance(kind, str) or kind not in PLAIN_TYPES | AWS_TYPES | SSM_TYPES:
        yield f"Template format error: Unrecognized parameter type: {kind}", (*path, "Type")
    for name, member in value.items():
        items = member if name == "AllowedValues" and isinstance(member, list) else [member]
        if name == "AllowedValues" and not isinstance(member, list):
            yield "Template format error: Every AllowedValues member must be a list.", (*path, name)
        if any(isinstance(item, dict | list) for item in items):
            yield f"Template format error: Every {name} member must be a string.", (*path, name)
    for name in ("MinLength", "MaxLength", "MinValue", "MaxValue"):
        if name in value and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", str(value[name])):
            yield f"Template format error: Every {name} member must be a number.", (*path, name)
    if not is_pattern(value.get("AllowedPattern", "")):
        yield "Template format error: AllowedPattern must be a regular expression.", (*path, "AllowedPattern")
    yield from described(path, value)


def is_pattern(value: Any) -> bool:
    try:
        compiled(str(value))
    except ValueError:
        return False
    return True


def described(path: Path, value: Mapping[str, Any]) -> Iterator[Problem]:
    if "Description" in value:
        limit = 4000 if path[0] == "Parameters" else LONGEST_DESCRIPTION
        text = value["Description"]
        if not isinstance(text, str):
            yield "Template format error: Every Description member must be a string.", (*path, "Description")
        elif len(text.encode()) > limit:
            yield f"Template format error: 'Description' length is greater than {limit}.", (*path, "Description")


def rule(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from named(path, "Rule")
    yield from members(path, value, {"RuleCondition", "Assertions"}, "rule")
    assertions = value.get("Assertions")
    if not isinstance(assertions, list) or not assertions:
        yield "Template format error: Every Rules object must contain a non-empty Assertions list.", path
        return
    for index, assertion in enumerate(assertions):
        here = (*path, "Assertions", index)
        if not isinstance(assertion, dict) or "Assert" not in assertion:
            yield "Template format error: Every Assertions object must contain an Assert member.", here
        if not isinstance(assertion.get("AssertDescription", ""), str):
            yield "Template format error: Every AssertDescription member must be a string.", here


def mapping(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from named(path, "Mapping")
    if not isinstance(value, dict):
        yield "Template format error: Every Mappings member must be a map", path
        return
    if len(value) > MOST_KEYS:
        yield f"Template format error: Number of keys of mapping {path[1]} is greater than {MOST_KEYS}", path
    for key, attributes in value.items():
        if not isinstance(attributes, dict):
            yield f"Template format error: Every Mappings member {key} must be a map", (*path, key)
            return
        for name, item in attributes.items():
            items = item if isinstance(item, list) else [item]
            if any(isinstance(part, dict | list) for part in items):
                yield (
                    "Template format error: Every Mappings attribute must be a String or a List.",
                    (*path, key, name),
                )


def condition(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from named(path, "Condition", CONDITION_NAME)
    wanted = {"Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Condition"}
    if not isinstance(value, dict) or len(value) != 1 or not wanted & set(value):
        yield (
            "Template format error: Conditions can only be boolean operations on parameters and other conditions",
            path,
        )


def resource(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from named(path, "Resource")
    yield from members(path, value, MEMBERS, "resource")
    where = "/".join(map(str, path))
    if not isinstance(value.get("Type"), str):
        yield f"Template format error: [/{where}] Every Resources object must contain a Type member.", path
    if not isinstance(value.get("Properties", {}), dict):
        yield f"Template format error: [/{where}/Properties] Properties must be an object", (*path, "Properties")
    needs = value.get("DependsOn", [])
    if not all(isinstance(name, str) for name in (needs if isinstance(needs, list) else [needs])):
        yield (
            "Template format error: DependsOn must be a string or a list of strings.",
            (*path, "DependsOn"),
        )
    if not isinstance(value.get("Condition", ""), str):
        yield f"Template format error: [/{where}/Condition] Every Condition member must be a string.", path
    for name, allowed in POLICIES.items():
        policy = value.get(name, "Delete")
        if not isinstance(policy, str) and not extended:
            yield f"Template format error: Every {name} member must be a string.", (*path, name)
        if isinstance(policy, str) and policy not in allowed:
            yield f"Template error: Unrecognized {name} {policy} for resource {path[1]}", (*path, name)


def output(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from named(path, "Output")
    yield from members(path, value, OUTPUT_MEMBERS, "output")
    if "Value" not in value:
        yield "Template format error: Every Outputs member must contain a Value object", path
    if not isinstance(value.get("Condition", ""), str):
        yield "Template format error: Every Condition member must be a string.", (*path, "Condition")
    export = value.get("Export", {"Name": ""})
    if not isinstance(export, dict) or set(export) != {"Name"}:
        yield f"Template format error: Output {path[1]} is malformed. Export takes a Name", (*path, "Export")
    yield from described(path, value)


def anything(path: Path, value: Any, extended: bool) -> Iterator[Problem]:
    yield from ()


CHECKS = {
    "Metadata": anything,
    "Parameters": parameter,
    "Rules": rule,
    "Mappings": mapping,
    "Conditions": condition,
    "Resources": resource,
    "Outputs": output,
}
