"""What a stack shall become: a template with its parameters, checked as far as possible before anything is made.

Sources: CloudFormation User Guide, "Acknowledging IAM resources in CloudFormation templates" (capabilities),
"Validate stack deployments" (properties are checked against the schemas before provisioning),
"Get exported outputs from a deployed CloudFormation stack".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from awslang.template import graph, language_extensions, parameters, schemas, serverless, template
from awslang.template.intrinsics import UNKNOWN, Evaluator
from awslang.template.parameters import Parameters
from awslang.template.template import Template, TemplateError
from localaws import moto_bridge
from localaws.cloud import PARTITION, Cloud, Session
from localaws.cloudformation.provider import Choosy, Provider, provider_for
from localaws.cloudformation.stacks import Output, Resource, Stack, stacks_of

POLICIES = {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}
SUPPORTED_POLICIES = {("CreationPolicy", "AWS::CloudFormation::WaitCondition")}
MAX_TAGS = 50  # CloudFormation API Reference, CreateStack: Tags
IAM_NAMES = {  # the types that need a capability, and the property that names them (CreateStack: Capabilities)
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": "",
}


@dataclass
class Goal:
    """A template, its parameters and tags for one stack.

    lookup: what Fn::GetAtt and Ref (attribute "Ref") of a resource give; the deploy loop sets it
    depends: for every active resource, those that it needs
    secrets: the values of NoEcho parameters and of secrets that were looked up, never to be shown
    """

    session: Session
    body: str
    parameters: Parameters
    tags: dict[str, str]
    capabilities: tuple[str, ...]
    evaluator: Evaluator = field(init=False)
    depends: dict[str, set[str]] = field(init=False)
    lookup: Callable[[str, str], Any] = lambda logical_id, attribute: UNKNOWN
    region: str = ""
    secrets: set[str] = field(default_factory=set)

    @property
    def template(self) -> Template:
        return self.evaluator.template

    def type(self, logical_id: str) -> str:
        return str(self.template.resources[logical_id]["Type"])

    def resource(self, logical_id: str) -> Resource:
        """The resource as the template wants it now, its properties resolved."""
        wanted = self.unresolved(logical_id)
        wanted.properties = schemas.coerce(wanted.type, self.evaluator.resource(logical_id), self.region)
        return wanted

    def unresolved(self, logical_id: str) -> Resource:
        of = self.evaluator.attribute_of_resource
        return Resource(
            logical_id=logical_id,
            type=self.type(logical_id),
            metadata=of(logical_id, "Metadata"),
            description=str(self.template.resources[logical_id].get("Description", "")),
            deletion_policy=of(logical_id, "DeletionPolicy") or "Delete",
            replace_policy=of(logical_id, "UpdateReplacePolicy") or "Delete",
            creation_policy=of(logical_id, "CreationPolicy"),
            depends=frozenset(self.depends[logical_id]),
        )

    def outputs(self) -> list[Output]:
        return [Output(o.name, o.value, o.description, o.export) for o in self.evaluator.outputs()]


@dataclass(frozen=True)
class UnsupportedPart:
    """A part of a template that is not supported by the embedded AWS."""

    what: str
    type: str
    logical_id: str
    line: int

    def __str__(self) -> str:
        return f"{self.what} (resource {self.logical_id}, line {self.line})"


class PartsNotSupported(NotSupported):
    """What keeps a template from being played, each with its type, logical id and line."""

    def __init__(self, parts: list[UnsupportedPart]) -> None:
        super().__init__("; ".join(map(str, parts)))
        self.parts = parts


def prepare(
    cloud: Cloud,
    session: Session,
    stack: Stack,
    body: str,
    given: Mapping[str, str],
    previous: Mapping[str, str] | None,
    tags: Mapping[str, str],
    capabilities: tuple[str, ...],
) -> Goal:
    """The goal, checked: AwsError where CloudFormation refuses the request or a part is not supported."""
    parsed = read(body)
    check_tags(tags, by_aws="servicecatalog.amazonaws.com" in session.principal.called_via)
    language_extensions.refuse_macros(parsed)
    try:
        expanded = serverless.expand(parsed, lambda name: managed_policy(stack.account, name))
    except TemplateError as error:
        raise refusal(error) from error
    refuse_unknown_types(expanded, stack.region)
    acknowledge(parsed, capabilities)
    acknowledge(expanded, capabilities)
    parsed = expanded
    try:
        values = parameters.resolve(parsed, given, previous, lambda name: ssm_value(session, name, stack.region))
        goal = Goal(session, body, values, dict(tags), capabilities, region=stack.region)
        goal.secrets |= {values.given[name] for name, d in parsed.parameters.items() if parameters.no_echo(d)} - {""}
        goal.evaluator = Evaluator(
            parsed,
            values,
            pseudo_parameters(stack),
            lambda name: exported(cloud, stack, name),
            lambda logical_id, attribute: goal.lookup(logical_id, attribute),
            lambda service, reference: dynamic_reference(goal, service, reference),
        )
        refuse_unknown_types(goal.template, stack.region)
        goal.evaluator.check_rules()
        goal.depends = graph.dependencies(goal.template, goal.evaluator)
        graph.order(goal.depends)
        refuse_unsupported(goal)
    except TemplateError as error:
        raise refusal(error) from error
    return goal


def managed_policy(account: str, name: str) -> str:
    """The ARN of AWS's policy with this name; the name itself where there is none, which IAM then refuses."""
    known = moto_bridge.backend("iam", account, "aws").managed_policies.values()
    return next((str(one.arn) for one in known if one.name == name and ":aws:policy/" in one.arn), name)


@lru_cache(maxsize=64)  # a stack set reads the same template for every account
def read(body: str) -> Template:
    """The parsed template, or AWS's ValidationError."""
    try:
        return template.parse(body)
    except TemplateError as error:
        raise refusal(error) from error


def refusal(error: TemplateError) -> AwsError:
    """AWS's ValidationError, with the line, which AWS does not tell."""
    place = f" (line {error.line})" if error.line else ""
    return AwsError("ValidationError", f"{error}{place}")


def pseudo_parameters(stack: Stack) -> dict[str, Any]:
    return {
        "AWS::AccountId": stack.account,
        "AWS::Region": stack.region,
        "AWS::Partition": PARTITION,
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack.name,
        "AWS::StackId": stack.id,
        "AWS::NotificationARNs": [],
    }


def check_tags(tags: Mapping[str, str], by_aws: bool = False) -> None:
    """CloudFormation API Reference, "Tag": at most 50, none that begins with aws:.

    by_aws: Service Catalog sets tags of its own (Administrator Guide, "Service Catalog AutoTags Overview").
    """
    if len(tags) > MAX_TAGS:
        raise AwsError("ValidationError", f"Number of tags exceeds the limit of {MAX_TAGS}")
    if not by_aws and any(key.lower().startswith("aws:") for key in tags):
        raise AwsError("ValidationError", "aws: prefixed tag key names are not allowed for external use.")


def refuse_unknown_types(parsed: Template, region: str) -> None:
    """AWS names the types; the places are ours."""
    unknown: dict[str, list[str]] = {}
    for name, resource in parsed.resources.items():
        kind = "" if "::" in name else str(resource.get("Type", ""))
        if kind and not kind.startswith("Custom::") and not schemas.known(kind, region):
            unknown.setdefault(kind, []).append(f"{name}, line {parsed.line('Resources', name, 'Type')}")
    if unknown:
        types, places = ", ".join(sorted(unknown)), "; ".join(p for kind in sorted(unknown) for p in unknown[kind])
        raise AwsError("ValidationError", f"Template format error: Unrecognized resource types: [{types}] ({places})")


def needed_capabilities(parsed: Template) -> tuple[list[str], str]:
    """The capabilities that the template needs, and why, as GetTemplateSummary says it."""
    types, named = set(), False
    for resource in parsed.resources.values():
        if not isinstance(resource, dict) or resource.get("Type") not in IAM_NAMES:
            continue
        types.add(str(resource["Type"]))
        naming = IAM_NAMES[str(resource["Type"])]
        named = named or naming in (resource.get("Properties") or {})
    needed = ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"] if types else []
    reasons = []
    if types:
        listed = ", ".join(sorted(types))
        reasons.append(f"The following resource(s) require capabilities: [{listed}]")  # english: quoted
    if parsed.transforms:
        needed.append("CAPABILITY_AUTO_EXPAND")
        transforms = ", ".join(parsed.transforms)
        reasons.append(f"The following transform(s) require capabilities: [{transforms}]")  # english: quoted
    return needed, ". ".join(reasons)


def acknowledge(parsed: Template, given: tuple[str, ...]) -> None:
    """InsufficientCapabilitiesException unless the caller acknowledged what the template needs."""
    have = set(given) | ({"CAPABILITY_IAM"} if "CAPABILITY_NAMED_IAM" in given else set())
    missing = [name for name in needed_capabilities(parsed)[0] if name not in have]
    if missing:
        raise AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")


def refuse_unsupported(goal: Goal) -> None:
    """PartsNotSupported, with every active resource that is not supported."""
    refused = []
    for logical_id in goal.evaluator.active():
        kind, line = goal.type(logical_id), goal.template.line("Resources", logical_id, "Type")
        unsupported = []
        provider = provider_for(kind)
        if provider is None:
            unsupported.append(f"the resource type {kind}")
        else:
            unsupported += [f"the property {name} of {kind}" for name in not_carried(goal, logical_id, provider)]
        if isinstance(provider, Choosy):
            unsupported += provider.unsupported(goal.evaluator.resource(logical_id))
        for name in ("CreationPolicy", "UpdatePolicy"):
            if (
                goal.evaluator.attribute_of_resource(logical_id, name) is not None
                and (name, kind) not in SUPPORTED_POLICIES
            ):
                unsupported.append(name)
        for name in ("DeletionPolicy", "UpdateReplacePolicy"):
            policy = goal.evaluator.attribute_of_resource(logical_id, name)
            if policy == "Snapshot":
                unsupported.append(f"{name} Snapshot")
            elif policy is not None and policy not in POLICIES:
                place = f"(resource {logical_id}, line {line})"
                raise AwsError("ValidationError", f"Template error: Unrecognized {name} {policy} {place}")
        refused += [UnsupportedPart(what, kind, logical_id, line) for what in unsupported]
    if refused:
        raise PartsNotSupported(refused)


def not_carried(goal: Goal, logical_id: str, provider: Provider) -> list[str]:
    """The properties that the resource is given and its provider does not carry out; a custom resource takes any."""
    declared = goal.template.resources[logical_id].get("Properties", {})
    if schemas.registered(goal.type(logical_id)) == schemas.CUSTOM or set(declared) == {"Fn::If"}:
        return []
    known = schemas.schema(goal.type(logical_id), goal.region).properties
    others = [name for name in declared if name in known and name not in provider.carried]
    return [name for name in others if goal.evaluator.value(declared[name]) is not None]


def ssm_value(session: Session, name: str, region: str) -> str:
    """The value of an SSM parameter, read as the caller; KeyError where there is none."""
    try:
        found = session.client("ssm", region).get_parameter(Name=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"ParameterNotFound", "ParameterVersionNotFound"}:
            raise KeyError(name) from error
        if code == "NotSupported":
            raise NotSupported(f"the public parameter {name}") from error
        raise AwsError("ValidationError", error.response["Error"].get("Message", code)) from error
    return str(found["Parameter"]["Value"])


def exported(cloud: Cloud, stack: Stack, name: str) -> str:
    """The value of an export of this account and Region; KeyError where there is none."""
    for _, output in stacks_of(cloud, stack.account, stack.region).exports():
        if output.export == name:
            return output.value
    raise KeyError(name)


def dynamic_reference(goal: Goal, service: str, reference: str) -> str:
    """What {{resolve:service:reference}} stands for; a secret is remembered as one that is never shown.

    CloudFormation User Guide, "Get a plaintext value from Systems Manager Parameter Store",
    "Get a secure string value …", "Get a secret or secret value from Secrets Manager".
    """
    if service == "secretsmanager":
        value = secret_value(goal.session, goal.region, reference)
    else:
        try:
            arguments = {"Name": reference, "WithDecryption": service == "ssm-secure"}
            found = goal.session.client("ssm", goal.region).get_parameter(**arguments)["Parameter"]
        except ClientError as error:
            raise TemplateError(f"Parameters: [{service}:{reference}] cannot be found.") from error
        if service == "ssm" and found["Type"] == "SecureString":
            raise TemplateError(f"SSM Secure reference is not supported in: [{reference}]: use ssm-secure")
        value = str(found["Value"])
    if service != "ssm":
        goal.secrets.add(value)
    return value


def secret_value(session: Session, region: str, reference: str) -> str:
    """secret-id:SecretString:json-key:version-stage:version-id, where the secret's id may be an ARN."""
    if reference.startswith("arn:"):
        parts = reference.split(":")
        secret_id, rest = ":".join(parts[:7]), parts[7:]
    else:
        secret_id, *rest = reference.split(":")
    kind, key, stage, version = [*rest, "", "", "", ""][:4]
    if kind not in {"", "SecretString"}:
        raise TemplateError(f"Secrets Manager dynamic reference [{reference}]: only SecretString is supported")
    arguments = {"SecretId": secret_id}
    arguments |= {"VersionStage": stage} if stage else {}
    arguments |= {"VersionId": version} if version else {}
    try:
        value = str(session.client("secretsmanager", region).get_secret_value(**arguments)["SecretString"])
    except ClientError as error:
        cause = error.response["Error"]
        message = cause.get("Message", cause["Code"])
        raise TemplateError(f"Could not resolve the secret {secret_id}: {message}") from error
    if not key:
        return value
    try:
        return str(json.loads(value)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise TemplateError(f"Could not find a value associated with JSONKey in SecretString: {key}") from error
