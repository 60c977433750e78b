"""CloudWatch Logs' resource type (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    all_tags,
    fill,
    only,
    retag,
    undone_by,
    unless,
    without,
)


@provides("AWS::Logs::LogGroup")
class LogGroup:
    carried = frozenset({"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::Logs::LogGroup", properties, self.carried)
        logs = context.client("logs")
        name = str(properties.get("LogGroupName") or context.generated_name(512))
        arguments = without(properties, "RetentionInDays", "Tags") | {"LogGroupName": name}
        if tags := all_tags(context.tags, properties):
            arguments["Tags"] = tags
        logs.create_log_group(**fill(logs, "CreateLogGroup", arguments, "AWS::Logs::LogGroup"))
        with undone_by(lambda: logs.delete_log_group(logGroupName=name)):
            if days := properties.get("RetentionInDays"):
                logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::Logs::LogGroup", new, self.carried)
        logs, made = context.client("logs"), self._made(context, physical_id)
        if old.get("RetentionInDays") != new.get("RetentionInDays"):
            if days := new.get("RetentionInDays"):
                logs.put_retention_policy(logGroupName=physical_id, retentionInDays=int(days))
            else:
                logs.delete_retention_policy(logGroupName=physical_id)
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            if key := new.get("KmsKeyId"):
                logs.associate_kms_key(logGroupName=physical_id, kmsKeyId=key)
            else:
                logs.disassociate_kms_key(logGroupName=physical_id)
        arn = made.attributes["Arn"].removesuffix(":*")
        retag(
            context,
            old,
            new,
            lambda tags: logs.tag_resource(resourceArn=arn, tags=tags),
            lambda keys: logs.untag_resource(resourceArn=arn, tagKeys=keys),
        )
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"ResourceNotFoundException"}, context.client("logs").delete_log_group, logGroupName=physical_id)

    def _made(self, context: Context, name: str) -> Made:
        return Made(name, {"Arn": f"arn:aws:logs:{context.region}:{context.account}:log-group:{name}:*"})
