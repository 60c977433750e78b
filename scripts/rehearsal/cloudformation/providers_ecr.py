"""AWS::ECR::Repository (CloudFormation Template Reference). Images are pushed by nobody here."""

from __future__ import annotations

from typing import Any

from scripts.rehearsal.cloudformation.provider import Context, Made
from scripts.rehearsal.cloudformation.providers_shapes import (
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
CREATION = ("EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability")


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
