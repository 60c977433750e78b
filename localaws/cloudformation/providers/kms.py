"""KMS's resource types (CloudFormation Template Reference, "AWS KMS")."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    retag,
    tagging,
    truth,
    undone_by,
    unless,
    without,
)


@provides("AWS::KMS::Key")
class Key:
    """AWS::KMS::Key. Deleting it schedules the deletion, as KMS does."""

    carried = frozenset(
        {
            "Description", "Enabled", "EnableKeyRotation", "KeyPolicy", "KeySpec", "KeyUsage", "MultiRegion", "Origin",
            "PendingWindowInDays", "RotationPeriodInDays", "Tags", "BypassPolicyLockoutSafetyCheck",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::KMS::Key", properties, self.carried)
        kms = context.client("kms")
        kept = without(properties, "Enabled", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays", "Tags")
        arguments = without(kept, "RotationPeriodInDays")
        if "KeyPolicy" in properties:
            arguments["Policy"] = document(properties["KeyPolicy"])
        if tags := tagging(context, properties):
            arguments["Tags"] = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in tags["Tags"]]
        made = kms.create_key(**fill(kms, "CreateKey", arguments, "AWS::KMS::Key"))["KeyMetadata"]
        key = str(made["KeyId"])
        with undone_by(lambda: self.delete(context, key, properties)):
            self._switch(kms, key, {}, properties)
        return Made(key, {"Arn": made["Arn"], "KeyId": key})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::KMS::Key", new, self.carried)
        kms, key = context.client("kms"), physical_id
        if old.get("KeyPolicy") != new.get("KeyPolicy"):
            kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(new["KeyPolicy"]))
        if old.get("Description") != new.get("Description"):
            kms.update_key_description(KeyId=key, Description=new.get("Description", ""))
        self._switch(kms, key, old, new)
        retag(
            context,
            old,
            new,
            lambda tags: kms.tag_resource(KeyId=key, Tags=[{"TagKey": k, "TagValue": v} for k, v in tags.items()]),
            lambda keys: kms.untag_resource(KeyId=key, TagKeys=keys),
        )
        made = kms.describe_key(KeyId=key)["KeyMetadata"]
        return Made(key, {"Arn": made["Arn"], "KeyId": key})

    def take_over(self, context: Context, physical_id: str) -> Made:
        found = context.client("kms").describe_key(KeyId=physical_id)["KeyMetadata"]
        return Made(physical_id, {"Arn": found["Arn"], "KeyId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        kms = context.client("kms")
        found = unless({"NotFoundException"}, kms.describe_key, KeyId=physical_id)
        if found and found["KeyMetadata"]["KeyState"] != "PendingDeletion":
            days = int(properties.get("PendingWindowInDays") or 30)
            kms.schedule_key_deletion(KeyId=physical_id, PendingWindowInDays=days)

    def _switch(self, kms: Any, key: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        rotates = truth(new.get("EnableKeyRotation"))
        changed = old.get("RotationPeriodInDays") != new.get("RotationPeriodInDays")
        if rotates and (changed or not truth(old.get("EnableKeyRotation"))):
            days = {"RotationPeriodInDays": int(new["RotationPeriodInDays"])} if "RotationPeriodInDays" in new else {}
            kms.enable_key_rotation(KeyId=key, **days)
        if not rotates and truth(old.get("EnableKeyRotation")):
            kms.disable_key_rotation(KeyId=key)
        before, after = truth(old.get("Enabled", True)), truth(new.get("Enabled", True))
        if before != after:
            (kms.enable_key if after else kms.disable_key)(KeyId=key)


@provides("AWS::KMS::Alias")
class Alias:
    """AWS::KMS::Alias."""

    carried = frozenset({"AliasName", "TargetKeyId"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        kms, name = context.client("kms"), str(properties["AliasName"])
        kms.create_alias(AliasName=name, TargetKeyId=properties["TargetKeyId"])
        return Made(name)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        context.client("kms").update_alias(AliasName=physical_id, TargetKeyId=new["TargetKeyId"])
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"NotFoundException"}, context.client("kms").delete_alias, AliasName=physical_id)
