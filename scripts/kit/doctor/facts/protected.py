"""What the approval rests on: resources of the kit's templates, and the requests that would get past the approver.

Names are read from the templates, so that a role or a build which a template adds is protected as soon as it is
there. What is said here is only which actions touch a type of resource (Service Authorization Reference, each
service's page).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

from awslang.template.reader import read_yaml
from scripts.kit.stacks.target_roles import template

NAMES = {  # the property that holds a resource's physical name
    "AWS::CloudFormation::StackSet": "StackSetName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
FORMS = {  # the ARN of what a request names, after the partition; {name}: the physical name
    "AWS::CloudFormation::StackSet": "cloudformation:${AWS::Region}:${Organization}:stackset/{name}:*",
    "AWS::CodeBuild::Project": "codebuild:${AWS::Region}:${AWS::AccountId}:project/{name}",
    "AWS::CodePipeline::Pipeline": "codepipeline:${AWS::Region}:${AWS::AccountId}:{name}",
    "AWS::Events::Rule": "events:${AWS::Region}:${AWS::AccountId}:rule/{name}",
    "AWS::IAM::ManagedPolicy": "iam::${AWS::AccountId}:policy/{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SageMaker::Endpoint": "sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint/{name}",
    "AWS::SNS::Topic": "sns:${AWS::Region}:${AWS::AccountId}:{name}",
    "AWS::StepFunctions::StateMachine": "states:${AWS::Region}:${AWS::AccountId}:stateMachine:{name}",
}
ORGANIZATION = (
    "Organization"  # the account in a stack set's ARN: a delegated administrator's carry the management account's
)
STACK = "cloudformation:${AWS::Region}:${AWS::AccountId}:stack/{name}/*"

# What touches a resource of each type, by what it is called here (checks/reach.py says it in words).
BUILDS = (
    "codebuild:StartBuild", "codebuild:StartBuildBatch", "codebuild:RetryBuild", "codebuild:RetryBuildBatch",
    "codebuild:StartSandbox", "codebuild:UpdateProject", "codebuild:UpdateProjectVisibility", "codebuild:DeleteProject",
    "codebuild:CreateWebhook", "codebuild:UpdateWebhook",
)  # fmt: skip
PIPELINE = ("codepipeline:UpdatePipeline", "codepipeline:DeletePipeline")
STAGE = (
    "codepipeline:OverrideStageCondition", "codepipeline:RollbackStage", "codepipeline:EnableStageTransition",
    "codepipeline:RetryStageExecution",
)  # fmt: skip
APPROVE = ("codepipeline:PutApprovalResult",)
STAGE_STACK = (
    "cloudformation:UpdateStack", "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet",
    "cloudformation:DeleteStack", "cloudformation:RollbackStack",
)  # fmt: skip
STACK_SET = (
    "cloudformation:UpdateStackSet", "cloudformation:CreateStackInstances", "cloudformation:UpdateStackInstances",
    "cloudformation:DeleteStackInstances", "cloudformation:DeleteStackSet",
)  # fmt: skip
BUCKET = (
    "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:DeleteBucket", "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning", "s3:PutReplicationConfiguration", "s3:PutBucketOwnershipControls",
)  # fmt: skip
OBJECT = ("s3:PutObject", "s3:ReplicateObject", "s3:DeleteObject", "s3:DeleteObjectVersion")
POLICY = ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion")
ENDPOINT = ("sagemaker:UpdateEndpoint", "sagemaker:DeleteEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities")
TOUCHES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "AWS::CloudFormation::StackSet": ("stages", STACK_SET),
    "AWS::CodeBuild::Project": ("builds", BUILDS),
    "AWS::CodePipeline::Pipeline": ("pipelines", PIPELINE),
    "AWS::Events::Rule": (
        "starts",
        ("events:PutRule", "events:DeleteRule", "events:DisableRule", "events:PutTargets", "events:RemoveTargets"),
    ),
    "AWS::IAM::ManagedPolicy": ("rights", POLICY),
    "AWS::SageMaker::Endpoint": ("endpoints", ENDPOINT),
    "AWS::SNS::Topic": ("messages", ("sns:Publish", "sns:SetTopicAttributes", "sns:AddPermission", "sns:DeleteTopic")),
    "AWS::StepFunctions::StateMachine": (
        "starts",
        (
            "states:StartExecution",
            "states:UpdateStateMachine",
            "states:DeleteStateMachine",
        ),
    ),
}
ROLE = (  # what changes what a role may do, and who may become it
    "iam:AttachRolePolicy", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy",
)  # fmt: skip
# What gives its caller, or what the caller made, any right at all, wherever it is allowed.
ANY_RIGHT = (
    "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:AttachUserPolicy",
    "iam:PutUserPolicy", "iam:AttachGroupPolicy", "iam:PutGroupPolicy", "iam:AddUserToGroup", "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
)  # fmt: skip
PRODUCT = (
    "servicecatalog:CreateProvisioningArtifact", "servicecatalog:UpdateProvisioningArtifact",
    "servicecatalog:UpdateProduct", "servicecatalog:CreateConstraint", "servicecatalog:DeleteProduct",
    "servicecatalog:AssociateServiceActionWithProvisioningArtifact",
)  # fmt: skip
CONSTRAINT = ("servicecatalog:UpdateConstraint", "servicecatalog:DeleteConstraint")  # these take no resource
PORTFOLIO = ("servicecatalog:AssociatePrincipalWithPortfolio",)
CREATE_SETS = ("cloudformation:CreateStackSet",)  # takes no resource either
WITH_A_TEMPLATE = ("cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:CreateChangeSet")

DATA_SCIENCE = ("11-shared-resources", "12-project-roles", "13-people", "15-notices", "30-project", "40-stage")
TARGET = ("20-target-account", "50-endpoint")
OWN_ROLES = (
    "11-shared-resources", "12-project-roles", "13-people", "15-notices", "21-self-managed-roles", "60-ci-roles",
)  # fmt: skip
PASSED = (
    "11-shared-resources",
    "12-project-roles",
    "13-people",
    "15-notices",
)  # templates whose roles services take on
OF_PROJECTS = ("11-shared-resources", "12-project-roles")  # whose roles every project needs
VARIABLE = re.compile(r"\$\{([A-Za-z0-9:]+)\}")


@dataclass(frozen=True)
class Thing:
    """Something that the approval rests on.

    way: what a principal could do with it; actions: that do; arn: with the names of the template's parameters in it
    """

    way: str
    actions: tuple[str, ...]
    arn: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def arns(self, values: Mapping[str, str]) -> Iterator[str]:
        """Its ARNs where the parameters have these values; of what has no value, any one."""
        yield from (filled(text, values, "any").replace("*", "any") for text in self.chosen())

    def patterns(self, values: Mapping[str, str]) -> Iterator[str]:
        """Its ARNs as a statement names them, for every project and Region; values: partition and account."""
        region = {"AWS::Region": "*"} if not self.arn.startswith("arn:${AWS::Partition}:s3") else {}
        yield from (re.sub(r"\*(-\*)+", "*", filled(text, {**values, **region})) for text in self.chosen())

    def chosen(self) -> Iterator[str]:
        """The text with each of a parameter's own choices (AllowedValues)."""
        names = [name for name in VARIABLE.findall(self.arn) if name in self.choices]
        for values in product(*(self.choices[name] for name in names)):
            chosen = dict(zip(names, values, strict=True))
            yield filled(self.arn, {**{name: f"${{{name}}}" for name in VARIABLE.findall(self.arn)}, **chosen})


@dataclass(frozen=True)
class KitRole:
    """A role of a template. services: that its trust policy names; inline, managed: the policies that it gives it."""

    name: str
    template: str
    services: tuple[str, ...]
    inline: frozenset[str]
    managed: tuple[str, ...]  # ends of ARNs, or logical ids of policies that CloudFormation names


def filled(text: str, values: Mapping[str, str], other: str = "*") -> str:
    """The text with the values of its variables; other: for one without a value."""
    return VARIABLE.sub(lambda found: values.get(found[1], other), text)


def of_account(partition: str, account: str, region: str) -> dict[str, str]:
    return {"AWS::Partition": partition, "AWS::AccountId": account, "AWS::Region": region}


@cache
def read(name: str) -> Mapping[str, Any]:
    document, _ = read_yaml(template(f"templates/{name}.yaml"))
    return dict(document)


def name_in(node: Any, document: Mapping[str, Any]) -> str:
    """A name in a template as text: literal, Fn::Sub, or a reference to a parameter or another resource."""
    if isinstance(node, Mapping):
        (function, argument), *_ = node.items()
        if function == "Fn::Sub":
            return str(argument if isinstance(argument, str) else argument[0])
        resource = document["Resources"].get(argument, {}) if function == "Ref" else {}
        if resource.get("Type") in NAMES:
            return name_in(resource["Properties"][NAMES[resource["Type"]]], document)
        return f"${{{argument}}}" if function == "Ref" else "*"
    return str(node)


@cache
def things(templates: tuple[str, ...]) -> tuple[Thing, ...]:
    """What the approval rests on in these templates."""
    return tuple(thing for name in templates for thing in things_of(read(name)))


@cache
def touching_endpoints() -> tuple[str, ...]:
    """Every action that touches what the approval rests on in a target account."""
    of_things = (action for thing in things(TARGET) for action in thing.actions)
    return tuple(dict.fromkeys([*of_things, *ROLE, *ANY_RIGHT]))


def things_of(document: Mapping[str, Any]) -> Iterator[Thing]:
    choices = {
        name: tuple(map(str, parameter["AllowedValues"]))
        for name, parameter in document.get("Parameters", {}).items()
        if "AllowedValues" in parameter
    }
    for resource in document["Resources"].values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        named = NAMES.get(kind, "") in properties
        if kind in TOUCHES and named:
            way, actions = TOUCHES[kind]
            yield Thing(way, actions, arn(FORMS[kind], name_in(properties[NAMES[kind]], document)), choices)
        if kind == "AWS::CodePipeline::Pipeline":
            yield from in_pipeline(properties, document)
        if kind == "AWS::S3::BucketPolicy":
            yield from in_bucket(properties, document)


def arn(form: str, name: str) -> str:
    return "arn:${AWS::Partition}:" + form.replace("{name}", name)


def in_pipeline(properties: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Thing]:
    """A pipeline's stages, its approvals, and the stacks that it deploys as a role of the kit."""
    name = name_in(properties["Name"], document)
    form = FORMS["AWS::CodePipeline::Pipeline"]
    for stage in map(made, properties["Stages"]):
        yield Thing("pipelines", STAGE, arn(form, f"{name}/{stage['Name']}"))
        for action in map(made, stage["Actions"]):
            category, provider = (action["ActionTypeId"].get(key) for key in ("Category", "Provider"))
            if category == "Approval":
                yield Thing("approvals", APPROVE, arn(form, f"{name}/{stage['Name']}/{action['Name']}"))
            # What a stage's stack is called, the action says that deploys it.
            if provider == "CloudFormation" and action["Configuration"]["ActionMode"] != "DELETE_ONLY":
                stack = name_in(action["Configuration"]["StackName"], document)
                yield Thing("stages", STAGE_STACK, arn(STACK, stack))


def made(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item of a list that is there on a condition or always."""
    return item["Fn::If"][1] if "Fn::If" in item else item


def in_bucket(properties: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Thing]:
    """A bucket that only some principals may write: its policy denies it to those whom a statement does not name."""
    guarded = [
        one for one in properties["PolicyDocument"]["Statement"] if one["Effect"] == "Deny" and names_writers(one)
    ]
    if not guarded:
        return
    bucket = arn(FORMS["AWS::S3::Bucket"], name_in(properties["Bucket"], document))
    yield Thing("buckets", BUCKET, bucket)
    for statement in guarded:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for resource in resources:
            _, slash, key = name_in(resource, document).partition("/")
            if slash:
                yield Thing("buckets", OBJECT, f"{bucket}/{key}")


def names_writers(statement: Mapping[str, Any]) -> bool:
    return any("aws:PrincipalArn" in keys for keys in statement.get("Condition", {}).values())


@cache
def kit_roles(templates: tuple[str, ...] = OWN_ROLES) -> Mapping[str, KitRole]:
    """The roles of these templates, by name."""
    found = {}
    for name in templates:
        resources = read(name)["Resources"]
        for logical, resource in resources.items():
            if resource["Type"] == "AWS::IAM::Role":
                role = kit_role(name, logical, resource["Properties"], resources)
                found[role.name] = role
    return found


def kit_role(of: str, logical: str, properties: Mapping[str, Any], resources: Mapping[str, Any]) -> KitRole:
    """of: the template"""
    inline = {str(node["PolicyName"]) for node in nodes(properties.get("Policies", [])) if "PolicyName" in node}
    managed = [one.rsplit("}", 1)[-1] for one in map(str, strings(properties.get("ManagedPolicyArns", [])))]
    for other, resource in resources.items():
        given = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::RolePolicy" and given["RoleName"] == {"Ref": logical}:
            inline.add(str(given["PolicyName"]))
        if resource["Type"] == "AWS::IAM::ManagedPolicy" and {"Ref": logical} in nodes(given.get("Roles", [])):
            managed.append(f"-{other}-")
    trusted = properties["AssumeRolePolicyDocument"]["Statement"]
    services = strings([one["Principal"].get("Service") for one in trusted if isinstance(one["Principal"], Mapping)])
    name = filled(name_in(properties["RoleName"], {"Resources": resources}), {})
    return KitRole(name, of, tuple(services), frozenset(inline | given_elsewhere(name)), tuple(managed))


def given_elsewhere(role: str) -> set[str]:
    """The inline policies that another template than the role's own gives it, by its name."""
    resources = (resource for name in OWN_ROLES for resource in read(name)["Resources"].values())
    given = (one["Properties"] for one in resources if one["Type"] == "AWS::IAM::RolePolicy")
    return {str(one["PolicyName"]) for one in given if one["RoleName"] == role}


@cache
def target_roles() -> tuple[str, ...]:
    """The names of the roles of target accounts, with the template's parameters in them."""
    resources = read(TARGET[0])["Resources"].values()
    roles = (one["Properties"]["RoleName"] for one in resources if one["Type"] == "AWS::IAM::Role")
    return tuple(name_in(name, {"Resources": {}}) for name in roles)


@cache
def entered_roles() -> tuple[str, ...]:
    """The names of those of them that principals of another account take on."""
    found = []
    for resource in read(TARGET[0])["Resources"].values():
        for statement in nodes(resource["Properties"].get("AssumeRolePolicyDocument", {})):
            principal = statement.get("Principal", {})
            if isinstance(principal, Mapping) and "AWS" in principal:
                found.append(name_in(resource["Properties"]["RoleName"], {"Resources": {}}))
    return tuple(dict.fromkeys(found))


def nodes(node: Any) -> list[Mapping[str, Any]]:
    """Every mapping beneath a node, itself included."""
    below = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return [*([node] if isinstance(node, Mapping) else []), *(found for one in below for found in nodes(one))]


def strings(node: Any) -> list[str]:
    below = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return [node] if isinstance(node, str) else [found for one in below for found in strings(one)]


def topic_policy(topic_arn: str, values: Mapping[str, str]) -> str:
    """The policy that a template gives its topic. values: of_account(…)

    A topic that is made without it has a policy of AWS's that admits its whole account.
    """

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(one) for one in node]
        if not isinstance(node, Mapping):
            return node
        if "Ref" in node:
            return topic_arn
        return filled(node["Fn::Sub"], values) if "Fn::Sub" in node else {k: resolved(v) for k, v in node.items()}

    for name in DATA_SCIENCE:
        resources = read(name)["Resources"]
        for resource in resources.values():
            if resource["Type"] == "AWS::SNS::TopicPolicy":
                (topic,) = resource["Properties"]["Topics"]
                if topic_arn.endswith(f":{name_in(topic, {'Resources': resources})}"):
                    return json.dumps(resolved(resource["Properties"]["PolicyDocument"]))
    raise KeyError(topic_arn)
