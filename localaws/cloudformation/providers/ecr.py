"""AWS::ECR::Repository, ReplicationConfiguration and RepositoryCreationTemplate (CloudFormation Template Reference).

A registry has one replication configuration. AWS's handlers (github.com/aws-cloudformation, in
aws-cloudformation-resource-providers-ecr/aws-ecr-replicationconfiguration) create none where there are rules already,
and update none where there are none; what they delete is every rule.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    retag,
    tag_list,
    tagging,
    truth,
    undone_by,
    unless,
)

TYPE = "AWS::ECR::Repository"
MISSING = {"RepositoryNotFoundException", "LifecyclePolicyNotFoundException", "RepositoryPolicyNotFoundException"}
REPLICATION, TEMPLATE = "AWS::ECR::ReplicationConfiguration", "AWS::ECR::RepositoryCreationTemplate"
CREATION = ("EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability")


@provides("AWS::ECR::Repository")
class Repository:
    carried = frozenset(
        {*CREATION, "EmptyOnDelete", "LifecyclePolicy", "RepositoryName", "RepositoryPolicyText", "Tags"}
    )

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(TYPE, properties, self.carried)
        ecr, name = (
            context.client("ecr"),
            str(properties.get("RepositoryName") or context.generated_name(256, lower=True)),
        )
        arguments = {k: properties[k] for k in CREATION if k in properties} | {"RepositoryName": name}
        ecr.create_repository(**fill(ecr, "CreateRepository", arguments | tagging(context, properties), TYPE))
        with undone_by(lambda: ecr.delete_repository(repositoryName=name)):
            self._policies(ecr, name, {}, properties)
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only(TYPE, new, self.carried)
        ecr = context.client("ecr")
        if old.get("ImageTagMutability") != new.get("ImageTagMutability"):
            wanted = new.get("ImageTagMutability", "MUTABLE")
            ecr.put_image_tag_mutability(repositoryName=physical_id, imageTagMutability=wanted)
        if old.get("ImageScanningConfiguration") != new.get("ImageScanningConfiguration"):
            scan = truth((new.get("ImageScanningConfiguration") or {}).get("ScanOnPush"))
            ecr.put_image_scanning_configuration(
                repositoryName=physical_id, imageScanningConfiguration={"scanOnPush": scan}
            )
        self._policies(ecr, physical_id, old, new)
        made = self._made(context, physical_id)
        retag(
            context,
            old,
            new,
            lambda tags: ecr.tag_resource(resourceArn=made.attributes["Arn"], tags=tag_list(tags)),
            lambda keys: ecr.untag_resource(resourceArn=made.attributes["Arn"], tagKeys=keys),
        )
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        force = truth(properties.get("EmptyOnDelete"))
        unless(MISSING, context.client("ecr").delete_repository, repositoryName=physical_id, force=force)

    def _policies(self, ecr: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before, after = old.get("RepositoryPolicyText"), new.get("RepositoryPolicyText")
        if after is not None and after != before:
            ecr.set_repository_policy(repositoryName=name, policyText=document(after))
        elif before is not None and after is None:
            unless(MISSING, ecr.delete_repository_policy, repositoryName=name)
        first, then = ((p.get("LifecyclePolicy") or {}).get("LifecyclePolicyText") for p in (old, new))
        if then is not None and then != first:
            ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=then)
        elif first is not None and then is None:
            unless(MISSING, ecr.delete_lifecycle_policy, repositoryName=name)

    def _made(self, context: Context, name: str) -> Made:
        uri = f"{context.account}.dkr.ecr.{context.region}.amazonaws.com/{name}"
        arn = f"arn:aws:ecr:{context.region}:{context.account}:repository/{name}"
        return Made(name, {"Arn": arn, "RepositoryUri": uri})


@provides("AWS::ECR::ReplicationConfiguration")
class ReplicationConfiguration:
    """What a registry replicates; its physical id is the account."""

    carried = frozenset({"ReplicationConfiguration"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        if self._exists(context):
            raise ResourceFailed(
                f"Resource of type '{REPLICATION}' with identifier '{context.account}' already exists. "
                "(HandlerErrorCode: AlreadyExists)"
            )
        return self._put(context, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if not self._exists(context):
            raise ResourceFailed(
                f"Resource of type '{REPLICATION}' with identifier '{physical_id}' was not found. "
                "(HandlerErrorCode: NotFound)"
            )
        return self._put(context, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        if self._exists(context):
            context.client("ecr").put_replication_configuration(replicationConfiguration={"rules": []})

    def _exists(self, context: Context) -> bool:
        return bool(context.client("ecr").describe_registry()["replicationConfiguration"].get("rules"))

    def _put(self, context: Context, properties: dict[str, Any]) -> Made:
        only(REPLICATION, properties, self.carried)
        ecr = context.client("ecr")
        ecr.put_replication_configuration(**fill(ecr, "PutReplicationConfiguration", properties, REPLICATION))
        return Made(context.account, {"RegistryId": context.account})


@provides("AWS::ECR::RepositoryCreationTemplate")
class RepositoryCreationTemplate:
    """The settings of repositories that ECR creates automatically; its physical id is the prefix."""

    carried = frozenset(
        {"AppliedFor", "Description", "ImageTagMutability", "LifecyclePolicy", "Prefix", "RepositoryPolicy"}
    )

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        ecr = context.client("ecr")
        made = ecr.create_repository_creation_template(
            **fill(ecr, "CreateRepositoryCreationTemplate", properties, TEMPLATE)
        )
        return self._made(made["repositoryCreationTemplate"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        ecr = context.client("ecr")
        if gone := sorted(old.keys() - new.keys()):
            raise NotSupported(f"{TEMPLATE}: an update that takes {', '.join(gone)} away")
        made = ecr.update_repository_creation_template(**fill(ecr, "UpdateRepositoryCreationTemplate", new, TEMPLATE))
        return self._made(made["repositoryCreationTemplate"])

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(
            {"TemplateNotFoundException"},
            context.client("ecr").delete_repository_creation_template,
            prefix=physical_id,
        )

    def _made(self, template: dict[str, Any]) -> Made:
        times = {
            name: template[key].isoformat() for name, key in (("CreatedAt", "createdAt"), ("UpdatedAt", "updatedAt"))
        }
        return Made(template["prefix"], times)
