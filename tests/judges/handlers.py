"""The first judge: the principal that creates a resource may do what CloudFormation's handler of its type asks for.

CloudFormation CLI User Guide, "Resource type schema": a handler's permissions are those that it may need, in any
case of the type. The schemas are AWS's own, in the registry's copy that cfn-lint ships; "tagging" names the
permissions for tags. What a principal is not granted is in handlers.yaml with its reason: for a property that the
templates do not set (the reason ends where one does), or with what AWS says about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from awslang.policy.action_table import table
from awslang.template.schemas import schema
from tests.judges import kit as kits
from tests.judges.kit import DATA_SCIENCE, KEY, REGION, TARGET, Kit, Place, Resource

REASONS = Path(__file__).with_name("handlers.yaml")
HANDLERS = ("create", "read", "update", "delete")  # list is for the console and for generators of templates
SCALING_ALARM = "alarm:TargetTracking-endpoint/churn/variant/AllTraffic-AlarmHigh-1a2b"
SCALING_ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
# A type that is older than the registry, whose schema names no handlers: CodeBuild User Guide, "AWS CodeBuild
# permissions reference", and BatchGetProjects to read.
OLDER: dict[str, dict[str, list[str]]] = {
    "AWS::CodeBuild::Project": {
        "create": ["codebuild:CreateProject", "iam:PassRole"],
        "read": ["codebuild:BatchGetProjects"],
        "update": ["codebuild:UpdateProject", "iam:PassRole"],
        "delete": ["codebuild:DeleteProject"],
    },
}
PASSED = {  # the property with the role that is passed, and the service that it is passed to
    "AWS::CloudFormation::StackSet": ("AdministrationRoleARN", "cloudformation.amazonaws.com"),
    "AWS::CodeBuild::Project": ("ServiceRole", "codebuild.amazonaws.com"),
    "AWS::CodePipeline::Pipeline": ("RoleArn", "codepipeline.amazonaws.com"),
    "AWS::Events::Rule": ("Targets.RoleArn", "events.amazonaws.com"),
    "AWS::SageMaker::EndpointConfig": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
    "AWS::SageMaker::Model": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
    "AWS::SageMaker::ModelQualityJobDefinition": ("RoleArn", "sagemaker.amazonaws.com"),
    "AWS::SageMaker::MonitoringSchedule": (
        "MonitoringScheduleConfig.MonitoringJobDefinition.RoleArn", "sagemaker.amazonaws.com",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Creation:
    """A template and a principal that makes stacks of it."""

    place: Place
    holder: str


SELF_MANAGED_STAGE = {"StackSetAdministrator": "SELF_MANAGED", "OrganizationalUnitId": ""}
GIT_PROVIDER = {"SourceConnectionArn": kits.CONNECTION, "SourceRepositoryOwner": "my-company"}
# Production in another Region than the data science account's.
ELSEWHERE = {
    "StageName": "prod", "ModelPackageName": f"arn:aws:sagemaker:eu-west-1:{kits.DATA_SCIENCE}:model-package/churn/1",
}  # fmt: skip
ONCE = (kits.NINE, kits.FOURTEEN, kits.TEN, kits.ELEVEN, kits.TWELVE, kits.THIRTEEN, kits.FIFTEEN, kits.SIXTY)
# The engineer who runs `make accounts` is an administrator of the data science account and, as the role that
# Organizations makes in each member account, of those. Service-managed stack sets deploy as a role that AWS makes with
# AdministratorAccess (its policy CloudFormationStackSetsOrgMemberServiceRolePolicy attaches nothing else).
CREATIONS = (
    *(Creation(Place(file), "administrator") for file in ONCE),
    *(Creation(Place(file, TARGET), "administrator") for file in (kits.TWENTY, kits.TWENTY_ONE, kits.FIFTY)),
    Creation(Place(kits.TWENTY_ONE), "administrator"),
    Creation(Place(kits.SIXTY, TARGET, (("Purpose", "taskcat"),)), "administrator"),
    Creation(Place(kits.TWENTY, TARGET, (("SageMakerRoleSuffix", "taskcat"), ("NoticeBusArn", ""))), "TaskcatRole"),
    Creation(Place(kits.THIRTY), "AWS's launch role"),
    Creation(Place(kits.THIRTY, given=tuple(GIT_PROVIDER.items())), "AWS's launch role"),
    Creation(Place(kits.THIRTY), "LaunchRole"),
    Creation(Place(kits.FORTY), "StageRole"),
    Creation(Place(kits.FORTY, given=tuple(SELF_MANAGED_STAGE.items())), "StageRole without an organization"),
    Creation(Place(kits.FIFTY, TARGET), "ExecutionRole"),
    Creation(Place(kits.FIFTY, TARGET, tuple(ELSEWHERE.items())), "ExecutionRole"),
)


@dataclass(frozen=True)
class Need:
    """A permission that a handler of a resource may ask for, and who is asked."""

    creation: Creation
    resource: Resource
    handler: str
    action: str

    def __str__(self) -> str:
        where = f"{self.resource.file}: {self.resource.name} ({self.resource.type}, {self.handler})"
        return f"{where}: {self.creation.holder} may not {self.action}"


def needed(type: str) -> dict[str, set[str]]:
    """The permissions of a type's handlers, those for tags among each handler that the type has them in."""
    found = schema(type)
    older = OLDER.get(type, {})
    listed = {handler: set(older.get(handler, found.handler_permissions(handler))) for handler in HANDLERS}
    tagging = found.document.get("tagging") or {}
    listed["update"] |= set(tagging.get("permissions", [])) if tagging.get("taggable") else set()
    return listed


def needs(kit: Kit) -> Iterator[Need]:
    """Everything that the handlers of the kit's templates may ask for."""
    for creation in CREATIONS:
        for resource in kit.resources(creation.place).values():
            for handler, actions in needed(resource.type).items():
                yield from (Need(creation, resource, handler, action) for action in sorted(actions))


# -- whether it is granted ---------------------------------------------------------------------


def asked(need: Need) -> list[tuple[str, dict[str, str]]]:
    """The resources that the permission is asked for on, each with the condition keys of the request.

    [] where it is about another resource that the properties do not name (a role to pass, a key).
    """
    resource, account = need.resource, need.creation.place.account
    service, name = need.action.split(":")
    own = kits.arn(resource.type, resource.properties, account)
    if name in ("PassRole", "GetRole") and service == "iam" and resource.type in PASSED:
        role, receiver = PASSED[resource.type]
        keys = {"iam__passedtoservice": receiver} if name == "PassRole" else {}
        value: Any = resource.properties
        for member in role.split("."):
            value = (value[0] if isinstance(value, list) else value).get(member, {})
        return [(str(value), keys)] if value else []
    if need.action == "iam:CreateServiceLinkedRole":
        linked = {"iam__awsservicename": "sagemaker.application-autoscaling.amazonaws.com"}
        return [(f"arn:aws:iam::{account}:{SCALING_ROLE}", linked)]
    if service == "cloudformation":
        return of_stack_sets(name, resource, own)
    if resource.type == "AWS::CodeCommit::Repository" and service == "s3":
        code = resource.properties["Code"]["S3"]
        return [(f"arn:aws:s3:::{code['Bucket']}/{code['Key']}", {})]
    if name == "PassConnection":
        connections = [value for value in texts(resource.properties) if ":connection/" in value]
        return [(value, {f"{service}__passedtoservice": "codepipeline.amazonaws.com"}) for value in connections]
    if service == "kms" and resource.type == "AWS::SageMaker::EndpointConfig":
        return (
            [(KEY.replace(DATA_SCIENCE, TARGET), {})] if "KmsKeyId" in resource.properties else []
        )  # which its alias leads to
    if resource.type.startswith("AWS::ApplicationAutoScaling"):
        alarm = f"arn:aws:cloudwatch:{REGION}:{account}:{SCALING_ALARM}"
        target = f"arn:aws:application-autoscaling:{REGION}:{account}:scalable-target/1a2b"
        own = alarm if service == "cloudwatch" else target
    return [(own if takes_a_resource(need.action) else "*", {})]


def of_stack_sets(name: str, resource: Resource, own: str) -> list[tuple[str, dict[str, str]]]:
    """Service Authorization Reference, AWS CloudFormation: the set, and beside it its targets and types."""
    template = {"cloudformation__templateurl": str(resource.properties.get("TemplateURL", ""))}
    if name in ("CreateStackSet", "GetTemplateSummary"):
        return [("*", template)]
    found = [(own, template if name == "UpdateStackSet" else {})]
    if name in ("CreateStackInstances", "DeleteStackInstances", "UpdateStackInstances", "UpdateStackSet"):
        group = resource.properties["StackInstancesGroup"][0]["DeploymentTargets"]
        targets = group.get("OrganizationalUnitIds") or group["Accounts"]
        place = own.split(":stackset/")[0]
        set_name = resource.properties["StackSetName"]
        found += [(f"{place}:stackset-target/{set_name}/{target}", template) for target in targets]
        found += [(f"{place}:type/resource/{type.replace('::', '-')}", template) for type in endpoint_types()]
    return found


@cache
def endpoint_types() -> tuple[str, ...]:
    """The resource types of 50-endpoint.yaml."""
    return tuple(sorted({one.type for one in Kit().resources(Place(kits.FIFTY, TARGET)).values()}))


def takes_a_resource(action: str) -> bool:
    """Whether the Service Authorization Reference names a resource type for the action."""
    service, name = action.split(":")
    found = table(service)
    return found is None or any(found.actions.get(name, ["unknown"]))


def granted(need: Need, kit: Kit) -> bool:
    holder, wanted = kit.holder(need.creation.holder), asked(need)
    return bool(wanted) and all(holder.may(need.action, resource, **keys) for resource, keys in wanted)


def texts(value: Any) -> Iterator[str]:
    """Every key and every text of a resource's properties."""
    if isinstance(value, Mapping):
        yield from (str(key) for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


# -- the reasons -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """Why some actions are not granted.

    types, handlers, holders: for which it stands; () for all
    unless: a property, or a value of one, with which the reason does not hold; "" for none
    why, source: the reason, and which page, policy or schema says it
    """

    actions: tuple[str, ...]
    why: str
    source: str
    types: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    unless: str = ""

    def covers(self, need: Need) -> bool:
        return (
            need.action in self.actions
            and (not self.types or need.resource.type in self.types)
            and (not self.handlers or need.handler in self.handlers)
            and (not self.holders or need.creation.holder in self.holders)
            and (not self.unless or self.unless not in set(texts(need.resource.properties)))
        )


@cache
def reasons() -> tuple[Reason, ...]:
    """The reasons of handlers.yaml; one for each property, where an entry has several."""
    made = []
    for entry in yaml.safe_load(REASONS.read_text(encoding="utf-8")):
        common: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k != "properties"
        }
        if "actions" in entry:
            made.append(Reason(**common))
        for name, actions in entry.get("properties", {}).items():
            made.append(Reason(**common, actions=tuple(actions), unless=name))
    return tuple(made)


def findings(kit: Kit, *holders: str) -> list[str]:
    """What no principal is granted and no reason excuses, and the reasons that excuse nothing.

    holders: the principals to look at; without any, all of them and the reasons too
    """
    wanted = [need for need in needs(kit) if not holders or need.creation.holder in holders]
    missing = [need for need in wanted if not granted(need, kit)]
    found = [str(need) for need in missing if not any(reason.covers(need) for reason in reasons())]
    if not holders:
        for reason in reasons():
            excused = {need.action for need in missing if reason.covers(need)}
            unused = [action for action in reason.actions if action not in excused]
            found += [f"handlers.yaml: nothing lacks {action} for the reason {reason.why!r}" for action in unused]
    return list(dict.fromkeys(found))
