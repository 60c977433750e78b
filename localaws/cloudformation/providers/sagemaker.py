"""SageMaker's resource types (CloudFormation Template Reference, "Amazon SageMaker AI").

Ref of each of them gives the ARN; the name is an attribute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localaws.cloudformation.provider import PROVIDERS, Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    poll,
    retag,
    tag_list,
    tagging,
    undone_by,
    unless,
    without,
)

NAME_LIMIT = 63
MISSING = {"ValidationException", "ResourceNotFound", "ResourceNotFoundException"}


def change_tags(context: Context, arn: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    sagemaker = context.client("sagemaker")
    retag(
        context,
        old,
        new,
        lambda tags: sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags)),
        lambda keys: sagemaker.delete_tags(ResourceArn=arn, TagKeys=keys),
    )


@dataclass(frozen=True)
class Plain:
    """A type that one call makes, one call deletes, and of which only the tags can be changed in place.

    kind: as the API's operations name it (Model: CreateModel, DeleteModel)
    member: as its members name it (ModelName, ModelArn); "" for as its operations do
    """

    kind: str
    carried: frozenset[str]
    member: str = ""

    @property
    def prefix(self) -> str:
        return self.member or self.kind

    @property
    def type_name(self) -> str:
        return f"AWS::SageMaker::{self.kind}"

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        sagemaker = context.client("sagemaker")
        name = str(properties.get(f"{self.prefix}Name") or context.generated_name(NAME_LIMIT))
        arguments = {**properties, f"{self.prefix}Name": name, **tagging(context, properties)}
        filled = fill(sagemaker, f"Create{self.kind}", arguments, self.type_name)
        arn = sagemaker._make_api_call(f"Create{self.kind}", filled)[f"{self.prefix}Arn"]
        return self._made(arn)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        change_tags(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        sagemaker = context.client("sagemaker")
        name = physical_id.rsplit("/", 1)[1]
        unless(MISSING, getattr(sagemaker, DELETIONS[self.kind]), **{f"{self.prefix}Name": name})

    def _made(self, arn: str) -> Made:
        return Made(arn, {f"{self.prefix}Arn": arn, f"{self.prefix}Name": arn.rsplit("/", 1)[1]})


DELETIONS: Mapping[str, str] = {
    "Model": "delete_model", "EndpointConfig": "delete_endpoint_config",
    "DataQualityJobDefinition": "delete_data_quality_job_definition",
    "ModelQualityJobDefinition": "delete_model_quality_job_definition",
}  # fmt: skip
MODEL = Plain(
    "Model",
    frozenset(
        {
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "ModelName",
            "PrimaryContainer",
            "Tags",
            "VpcConfig",
        }
    ),
)
ENDPOINT_CONFIG = Plain(
    "EndpointConfig",
    frozenset(
        {
            "AsyncInferenceConfig", "DataCaptureConfig", "EndpointConfigName", "KmsKeyId", "ProductionVariants",
            "ShadowProductionVariants", "Tags",
        }
    ),
)  # fmt: skip
DATA_QUALITY, MODEL_QUALITY = (
    Plain(
        f"{kind}JobDefinition",
        frozenset(
            {
                f"{kind}AppSpecification", f"{kind}BaselineConfig", f"{kind}JobInput", f"{kind}JobOutputConfig",
                "JobDefinitionName", "JobResources", "NetworkConfig", "RoleArn", "StoppingCondition", "Tags",
            }
        ),
        "JobDefinition",
    )
    for kind in ("DataQuality", "ModelQuality")
)  # fmt: skip
PROVIDERS |= {plain.type_name: plain for plain in (MODEL, ENDPOINT_CONFIG, DATA_QUALITY, MODEL_QUALITY)}


@provides("AWS::SageMaker::Endpoint")
class Endpoint:
    """AWS::SageMaker::Endpoint: waits until the endpoint serves, or says why it does not.

    An update that an alarm rolled back leaves the endpoint InService with its former configuration
    (SageMaker Developer Guide, "Auto-rollback configuration and monitoring"): by its status alone,
    which is what is waited for, it cannot be distinguished from an update that succeeded.
    """

    update_only = ("ExcludeRetainedVariantProperties", "RetainAllVariantProperties", "RetainDeploymentConfig")
    carried = frozenset({"DeploymentConfig", "EndpointConfigName", "EndpointName", "Tags", *update_only})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SageMaker::Endpoint", properties, self.carried)
        sagemaker = context.client("sagemaker")
        name = str(properties.get("EndpointName") or context.generated_name(NAME_LIMIT))
        arguments = without(properties, *self.update_only) | {"EndpointName": name} | tagging(context, properties)
        filled = fill(sagemaker, "CreateEndpoint", arguments, "AWS::SageMaker::Endpoint")
        arn = sagemaker.create_endpoint(**filled)["EndpointArn"]
        with undone_by(lambda: self.delete(context, arn, properties)):
            self._settle(context, name, arn)
        return self._made(arn)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SageMaker::Endpoint", new, self.carried)
        sagemaker, name = context.client("sagemaker"), physical_id.rsplit("/", 1)[1]
        if without(old, "Tags") != without(new, "Tags"):
            arguments = without(new, "Tags") | {"EndpointName": name}
            sagemaker.update_endpoint(**fill(sagemaker, "UpdateEndpoint", arguments, "AWS::SageMaker::Endpoint"))
            self._settle(context, name, physical_id)
        change_tags(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        sagemaker, name = context.client("sagemaker"), physical_id.rsplit("/", 1)[1]
        if unless(MISSING, sagemaker.delete_endpoint, EndpointName=name) is None:
            return
        poll(context, lambda: unless(MISSING, sagemaker.describe_endpoint, EndpointName=name) is None)

    def _settle(self, context: Context, name: str, arn: str) -> None:
        """Until the endpoint leaves Creating and Updating; ResourceFailed unless it is then InService."""
        sagemaker = context.client("sagemaker")

        def settled() -> Any:
            seen = sagemaker.describe_endpoint(EndpointName=name)
            return (
                seen
                if seen["EndpointStatus"] not in {"Creating", "Updating", "SystemUpdating", "RollingBack"}
                else None
            )

        seen = poll(context, settled, watched=arn)
        if not seen:
            raise ResourceFailed(f"Endpoint {name} was not waited for: the embedded AWS stops")
        if seen["EndpointStatus"] != "InService":
            reason = seen.get("FailureReason", "no reason given")
            raise ResourceFailed(f"Endpoint {name} is {seen['EndpointStatus']}: {reason}")

    def _made(self, arn: str) -> Made:
        return Made(arn, {"EndpointArn": arn, "EndpointName": arn.rsplit("/", 1)[1]})


@provides("AWS::SageMaker::MonitoringSchedule")
class MonitoringSchedule:
    """AWS::SageMaker::MonitoringSchedule. Its read-only status and its execution are no properties here."""

    carried = frozenset({"MonitoringScheduleConfig", "MonitoringScheduleName", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SageMaker::MonitoringSchedule", properties, self.carried)
        arguments = without(properties, "Tags") | tagging(context, properties)
        return self._call(context, "CreateMonitoringSchedule", arguments)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SageMaker::MonitoringSchedule", new, self.carried)
        if without(old, "Tags") != without(new, "Tags"):
            self._call(context, "UpdateMonitoringSchedule", without(new, "Tags"))
        change_tags(context, physical_id, old, new)
        return Made(physical_id, {"MonitoringScheduleArn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        name = physical_id.rsplit("/", 1)[1]
        unless(MISSING, context.client("sagemaker").delete_monitoring_schedule, MonitoringScheduleName=name)

    def _call(self, context: Context, operation: str, arguments: dict[str, Any]) -> Made:
        sagemaker = context.client("sagemaker")
        filled = fill(sagemaker, operation, arguments, "AWS::SageMaker::MonitoringSchedule")
        arn = sagemaker._make_api_call(operation, filled)["MonitoringScheduleArn"]
        return Made(arn, {"MonitoringScheduleArn": arn})


@provides("AWS::SageMaker::ModelPackageGroup")
class ModelPackageGroup:
    carried = frozenset({"ModelPackageGroupName", "ModelPackageGroupDescription", "ModelPackageGroupPolicy", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SageMaker::ModelPackageGroup", properties, self.carried)
        sagemaker, name = context.client("sagemaker"), str(properties["ModelPackageGroupName"])
        arguments = without(properties, "ModelPackageGroupPolicy", "Tags") | tagging(context, properties)
        filled = fill(sagemaker, "CreateModelPackageGroup", arguments, "AWS::SageMaker::ModelPackageGroup")
        arn = sagemaker.create_model_package_group(**filled)["ModelPackageGroupArn"]
        with undone_by(lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=name)):
            self._policy(sagemaker, name, {}, properties)
        return self._made(context, arn)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SageMaker::ModelPackageGroup", new, self.carried)
        self._policy(context.client("sagemaker"), str(new["ModelPackageGroupName"]), old, new)
        change_tags(context, physical_id, old, new)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        """SageMaker refuses while the group holds versions."""
        sagemaker, name = context.client("sagemaker"), str(properties["ModelPackageGroupName"])
        if unless(MISSING, sagemaker.describe_model_package_group, ModelPackageGroupName=name) is None:
            return
        if properties.get("ModelPackageGroupPolicy"):
            unless(MISSING, sagemaker.delete_model_package_group_policy, ModelPackageGroupName=name)
        sagemaker.delete_model_package_group(ModelPackageGroupName=name)

    def _policy(self, sagemaker: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before, after = (given.get("ModelPackageGroupPolicy") for given in (old, new))
        if after and before != after:
            text = document(after) if not isinstance(after, str) else json.dumps(json.loads(after))
            sagemaker.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=text)
        if before and not after:
            sagemaker.delete_model_package_group_policy(ModelPackageGroupName=name)

    def _made(self, context: Context, arn: str) -> Made:
        name = arn.rsplit("/", 1)[1]
        seen = context.client("sagemaker").describe_model_package_group(ModelPackageGroupName=name)
        created = seen["CreationTime"].isoformat()
        return Made(
            arn,
            {
                "ModelPackageGroupArn": arn,
                "ModelPackageGroupStatus": seen["ModelPackageGroupStatus"],
                "CreationTime": created,
            },
        )


@provides("AWS::SageMaker::CodeRepository")
class CodeRepository:
    """Ref gives the ARN; of the Git configuration only the secret can be changed."""

    carried = frozenset({"CodeRepositoryName", "GitConfig", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        sagemaker = context.client("sagemaker")
        name = str(properties.get("CodeRepositoryName") or context.generated_name(NAME_LIMIT))
        arguments = {**properties, "CodeRepositoryName": name, **tagging(context, properties)}
        filled = fill(sagemaker, "CreateCodeRepository", arguments, "AWS::SageMaker::CodeRepository")
        return self._made(sagemaker.create_code_repository(**filled)["CodeRepositoryArn"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if without(old, "Tags") != without(new, "Tags"):
            secret = new["GitConfig"].get("SecretArn", "")
            name = physical_id.rsplit("/", 1)[1]
            context.client("sagemaker").update_code_repository(
                CodeRepositoryName=name, GitConfig={"SecretArn": secret} if secret else {}
            )
        change_tags(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        sagemaker = context.client("sagemaker")
        unless(MISSING, sagemaker.delete_code_repository, CodeRepositoryName=physical_id.rsplit("/", 1)[1])

    def _made(self, arn: str) -> Made:
        return Made(arn, {"CodeRepositoryName": arn.rsplit("/", 1)[1]})


@provides("AWS::SageMaker::Domain")
class Domain:
    """AWS::SageMaker::Domain. Ref gives the domain's id. Its deletion retains the users' home directories, as
    DeleteDomain does by default (SageMaker API Reference, RetentionPolicy)."""

    changed = ("AppNetworkAccessType", "DefaultSpaceSettings", "DefaultUserSettings", "SubnetIds")
    carried = frozenset({"AuthMode", "DomainName", "Tags", "VpcId", *changed})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SageMaker::Domain", properties, self.carried)
        sagemaker = context.client("sagemaker")
        arguments = without(properties, "Tags") | tagging(context, properties)
        filled = fill(sagemaker, "CreateDomain", arguments, "AWS::SageMaker::Domain")
        return self._made(context, sagemaker.create_domain(**filled)["DomainArn"].rsplit("/", 1)[1])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SageMaker::Domain", new, self.carried)
        sagemaker, made = context.client("sagemaker"), self._made(context, physical_id)
        if any(old.get(name) != new.get(name) for name in self.changed):
            arguments = {name: new[name] for name in self.changed if name in new} | {"DomainId": physical_id}
            sagemaker.update_domain(**fill(sagemaker, "UpdateDomain", arguments, "AWS::SageMaker::Domain"))
        change_tags(context, made.attributes["DomainArn"], old, new)
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, context.client("sagemaker").delete_domain, DomainId=physical_id)

    def _made(self, context: Context, id: str) -> Made:
        seen = context.client("sagemaker").describe_domain(DomainId=id)
        return Made(id, {name: seen[name] for name in ("DomainArn", "DomainId", "Url")})


@provides("AWS::SageMaker::UserProfile")
class UserProfile:
    """AWS::SageMaker::UserProfile. Its physical id is its schema's primary identifier: NAME|DOMAIN."""

    carried = frozenset({"DomainId", "Tags", "UserProfileName", "UserSettings"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SageMaker::UserProfile", properties, self.carried)
        sagemaker = context.client("sagemaker")
        arguments = without(properties, "Tags") | tagging(context, properties)
        filled = fill(sagemaker, "CreateUserProfile", arguments, "AWS::SageMaker::UserProfile")
        arn = sagemaker.create_user_profile(**filled)["UserProfileArn"]
        return Made(f"{properties['UserProfileName']}|{properties['DomainId']}", {"UserProfileArn": arn})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SageMaker::UserProfile", new, self.carried)
        sagemaker, place = context.client("sagemaker"), self._place(physical_id)
        if old.get("UserSettings") != new.get("UserSettings"):
            arguments = {**place, "UserSettings": new.get("UserSettings", {})}
            filled = fill(sagemaker, "UpdateUserProfile", arguments, "AWS::SageMaker::UserProfile")
            sagemaker.update_user_profile(**filled)
        arn = sagemaker.describe_user_profile(**place)["UserProfileArn"]
        change_tags(context, arn, old, new)
        return Made(physical_id, {"UserProfileArn": arn})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(MISSING, context.client("sagemaker").delete_user_profile, **self._place(physical_id))

    def _place(self, physical_id: str) -> dict[str, str]:
        name, domain = physical_id.split("|")
        return {"UserProfileName": name, "DomainId": domain}
