"""What every template of the kit promises, as functions that name each breach.

tests/repository/test_templates.py holds the kit's templates to them, and shows with a broken fixture for each that
it bites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from awslang.template.reader import LOADER
from scripts.kit.lint.sizes import limit_of

SECTIONS = [
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
    "Resources", "Outputs",
]  # fmt: skip
ATTRIBUTES = [
    "Condition", "Type", "DeletionPolicy", "UpdateReplacePolicy", "DependsOn", "Metadata", "Properties",
]  # fmt: skip
# Types whose loss cannot be undone. A CodeCommit repository is none: it goes with its project (`make teardown`).
# A boundary on every role, where the organization has one (decision 33): the same line, with the template's parameter.
BOUNDARY = {
    "!If": [
        "HasBoundary",
        {"!Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/${BoundaryName}"},
        {"!Ref": "AWS::NoValue"},
    ]
}
# No path where it is '/': a role that had none before would be replaced (decision 35).
ROLE_PATH = {"!If": ["HasRolePath", {"!Ref": "RolePath"}, {"!Ref": "AWS::NoValue"}]}
# The places that AWS demands: its launch role passes no other roles, and stack sets look for theirs by name alone.
LAUNCHED, STACK_SETS = "AmazonSageMakerServiceCatalogProductsMultiAccount", "AWSCloudFormationStackSet"
STUDIO = "AmazonSageMaker-ExecutionRole"  # where SageMaker's console puts such a role
STATEFUL = {"AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SageMaker::ModelPackageGroup"}
OUTLIVES = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
LONGEST = {  # the longest value of each part of a physical name, and where the length is stated
    "SageMakerProjectName": 32,  # SageMaker API, ProjectEntityName
    "SageMakerProjectId": 20,  # SageMaker API, ProjectId
    "SageMakerRoleSuffix": 10,  # the post
    "StageName": len("staging"),
    "AWS::AccountId": 12,
    "AWS::Region": len("ap-southeast-1"),  # 14, the longest Region code in botocore's list of aws Regions
}
NAMES = {  # type, property: the service's limit (its API reference)
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::IAM::Role", "RoleName"): 64,
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): 128,
    ("AWS::CodeCommit::Repository", "RepositoryName"): 100,
    ("AWS::CodeBuild::Project", "Name"): 150,
    ("AWS::CodePipeline::Pipeline", "Name"): 100,
    ("AWS::Events::Rule", "Name"): 64,
    ("AWS::StepFunctions::StateMachine", "StateMachineName"): 80,
    ("AWS::SNS::Topic", "TopicName"): 256,
    ("AWS::SageMaker::Endpoint", "EndpointName"): 63,
    ("AWS::CloudWatch::Alarm", "AlarmName"): 255,
    ("AWS::CloudFormation::StackSet", "StackSetName"): 128,
}


@dataclass(frozen=True)
class Source:
    """A template as text, as nodes (order and lines) and as plain data (short forms as {"!Sub": value})."""

    path: Path
    text: str
    root: MappingNode
    data: dict[str, Any]


def load(path: Path) -> Source:
    text = path.read_text()
    root = yaml.compose(text, Loader=LOADER)
    assert isinstance(root, MappingNode)
    data = plain(root)
    assert isinstance(data, dict)
    return Source(path, text, root, data)


def plain(node: Node) -> Any:
    tag = str(node.tag)
    if isinstance(node, MappingNode):
        value: Any = {plain(k): plain(v) for k, v in node.value}
    elif isinstance(node, SequenceNode):
        value = [plain(item) for item in node.value]
    else:
        assert isinstance(node, ScalarNode)
        value = node.value
    return {tag: value} if tag.startswith("!") else value


def child(node: MappingNode, key: str) -> Node | None:
    return next((v for k, v in node.value if k.value == key), None)


def keys(node: Node | None) -> list[str]:
    return [k.value for k, _ in node.value] if isinstance(node, MappingNode) else []


def out_of_order(found: list[str], order: list[str]) -> bool:
    return found != sorted(found, key=lambda name: order.index(name) if name in order else -1)


def sections(source: Source) -> Iterator[str]:
    """Sections are in the house's order, and so are the attributes of each resource; Tags come last."""
    found = keys(source.root)
    if set(found) - set(SECTIONS) or out_of_order(found, SECTIONS):
        yield f"sections are in the order {found}"
    resources = child(source.root, "Resources")
    assert isinstance(resources, MappingNode)
    for name, resource in resources.value:
        attributes = keys(resource)
        if set(attributes) - set(ATTRIBUTES) or out_of_order(attributes, ATTRIBUTES):
            yield f"{name.value}: attributes are in the order {attributes}"
        properties = keys(child(resource, "Properties"))
        if "Tags" in properties and properties[-1] != "Tags":
            yield f"{name.value}: Tags are not last"


def parameters(source: Source) -> Iterator[str]:
    """Every parameter is described with an example or its allowed values, and a pattern has its explanation."""
    for name, parameter in source.data.get("Parameters", {}).items():
        text = parameter.get("Description", "")
        explained = "e.g." in text or "AllowedValues" in parameter or {"Default", "MinLength"} & set(parameter)
        if not text or not explained:
            yield f"{name}: no description with an example"
        if "AllowedPattern" in parameter and "ConstraintDescription" not in parameter:
            yield f"{name}: AllowedPattern without ConstraintDescription"


def deletion_policies(source: Source) -> Iterator[str]:
    """A stateful resource outlives its stack, but not a first deployment that failed.

    With Retain, such a deployment leaves a bucket whose name the next one needs, or a key that is paid for
    (CloudFormation Template Reference, "DeletionPolicy attribute").
    """
    for name, resource in source.data["Resources"].items():
        if resource["Type"] not in STATEFUL:
            continue
        for attribute, value in OUTLIVES.items():
            if resource.get(attribute) != value:
                yield f"{name}: {attribute} of a {resource['Type']} is {resource.get(attribute)}, not {value}"


def bundle_version(source: Source) -> Iterator[str]:
    """Every stack says which version of the bundle it was deployed from."""
    if "BundleVersion" not in source.data.get("Parameters", {}):
        yield "no parameter BundleVersion"
    if source.data.get("Outputs", {}).get("BundleVersion", {}).get("Value") != {"!Ref": "BundleVersion"}:
        yield "no output BundleVersion that shows the parameter"


def length(source: Source) -> Iterator[str]:
    """A template can be read in one go."""
    if (lines := len(source.text.splitlines())) > (most := limit_of(f"templates/{source.path.name}")):
        yield f"{lines} lines, {most} are allowed: split it by subject"


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Every IAM statement anywhere in value."""
    if isinstance(value, dict):
        if "Effect" in value and ("Action" in value or "NotAction" in value):
            yield value
        for item in value.values():
            yield from statements(item)
    elif isinstance(value, list):
        for item in value:
            yield from statements(item)


def sids(source: Source) -> Iterator[str]:
    """Every IAM statement has a Sid."""
    for name, resource in source.data["Resources"].items():
        for statement in statements(resource):
            if "Sid" not in statement and "StatementId" not in resource["Properties"]:
                yield f"{name}: a statement without Sid: {statement}"


def reasons_for_stars(source: Source) -> Iterator[str]:
    """A resource or principal that is a bare star has its reason in a comment on the line above."""
    lines = source.text.splitlines()
    for number, line in enumerate(lines):
        if re.search(r"""(Resource: |AWS: )['"]\*['"]""", line) and "#" not in lines[number - 1]:
            yield f"line {number + 1}: {line.strip()} without a reason on the line above"


def bucket_accounts(source: Source) -> Iterator[str]:
    """Every grant on a bucket states whose bucket it is: anyone may own a bucket of a predictable name."""
    resources = source.data["Resources"].items()
    for name, statement in ((name, found) for name, resource in resources for found in statements(resource)):
        actions = statement.get("Action", [])
        wanted = {one for one in ([actions] if isinstance(actions, str) else actions) if one.startswith("s3:")}
        stated = "aws:ResourceAccount" in statement.get("Condition", {}).get("StringEquals", {})
        if statement.get("Effect") != "Allow" or not wanted - {"s3:CreateBucket"} or "Principal" in statement:
            continue
        if not stated:
            yield f"{name}: {statement['Sid']} does not state aws:ResourceAccount"


def longest(value: Any) -> int | None:
    """The most characters that a name can have; None where it is unknown."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict) and isinstance(text := value.get("!Sub"), str):
        names = re.findall(r"\$\{([^}]+)\}", text)
        if set(names) <= set(LONGEST):
            return len(re.sub(r"\$\{[^}]+\}", "", text)) + sum(LONGEST[name] for name in names)
    if isinstance(value, dict) and value.get("!Ref") in LONGEST:
        return LONGEST[value["!Ref"]]
    return None


def name_budgets(source: Source) -> Iterator[str]:
    """Every physical name fits its service's limit with the longest project name, id, Region and suffix."""
    for name, resource in source.data["Resources"].items():
        for (kind, key), limit in NAMES.items():
            if resource["Type"] != kind or key not in resource.get("Properties", {}):
                continue
            length = longest(resource["Properties"][key])
            if length is None:
                yield f"{name}.{key}: its length cannot be computed"
            elif length > limit:
                yield f"{name}.{key}: up to {length} characters, {limit} are allowed"


def boundaries(source: Source) -> Iterator[str]:
    """Every role, and every user, has the organization's permissions boundary."""
    for name, resource in source.data["Resources"].items():
        if resource["Type"] in {"AWS::IAM::Role", "AWS::IAM::User"}:
            if resource.get("Properties", {}).get("PermissionsBoundary") != BOUNDARY:
                yield f"{name}: its PermissionsBoundary is not that of the parameter BoundaryName"
            elif source.data.get("Parameters", {}).get("BoundaryName", {}).get("Default") != "":
                yield f"{name}: the parameter BoundaryName is missing, or is not empty by default"


def role_paths(source: Source) -> Iterator[str]:
    """A role is at the organization's path, or where AWS demands it; and what names such a role follows the path."""
    for name, resource in source.data["Resources"].items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        properties = resource["Properties"]
        role, path = str(properties.get("RoleName", "")), properties.get("Path")
        demanded = (
            "/service-role/" if role.startswith((LAUNCHED, STUDIO)) else None if role.startswith(STACK_SETS) else ""
        )
        if path != (ROLE_PATH if demanded == "" else demanded):
            yield f"{name}: its path is {path}"
    for text in texts(source.data["Resources"]):
        if re.search(r":role/sagemaker-role-(?!taskcat)", text):
            yield f"{text} is at no path: write :role${{RolePath}}sagemaker-role-…"


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def fit_for_stack_sets(source: Source) -> Iterator[str]:
    """A template for service-managed stack sets has no transform, macro or nested stack.

    CloudFormation User Guide, "Considerations for stack sets with service-managed permissions".
    """
    if "Transform" in source.data or "Fn::Transform" in source.text or "!Transform" in source.text:
        yield "it has a transform"
    for name, resource in source.data["Resources"].items():
        if resource["Type"] in {"AWS::CloudFormation::Stack", "AWS::CloudFormation::Macro"}:
            yield f"{name}: a {resource['Type']}"
