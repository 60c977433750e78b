"""Application Auto Scaling's resource types (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    fill,
    only,
    own_tags,
    tagging,
    unless,
    without,
)

ABSENT = {"ResourceNotFoundException", "ResourceNotFound", "ObjectNotFoundException"}


@provides("AWS::ApplicationAutoScaling::ScalableTarget")
class ScalableTarget:
    """AWS::ApplicationAutoScaling::ScalableTarget. Ref: RESOURCE|DIMENSION|NAMESPACE."""

    carried = frozenset(
        {
            "MaxCapacity", "MinCapacity", "ResourceId", "RoleARN", "ScalableDimension", "ScheduledActions",
            "ServiceNamespace", "SuspendedState", "Tags",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return self._register(context, {**properties, **tagging(context, properties)})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if own_tags(old) != own_tags(new):
            raise NotSupported("AWS::ApplicationAutoScaling::ScalableTarget: a change of Tags")
        made = self._register(context, without(new, "Tags"))
        left = {one["ScheduledActionName"] for one in new.get("ScheduledActions", [])}
        for action in old.get("ScheduledActions", []):
            if (name := action["ScheduledActionName"]) not in left:
                scaling = context.client("application-autoscaling")
                unless(ABSENT, scaling.delete_scheduled_action, ScheduledActionName=name, **self._names(physical_id))
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        scaling = context.client("application-autoscaling")
        unless(ABSENT, scaling.deregister_scalable_target, **self._names(physical_id))

    def _register(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::ApplicationAutoScaling::ScalableTarget", properties, self.carried)
        scaling = context.client("application-autoscaling")
        given = without(properties, "ScheduledActions")
        filled = fill(scaling, "RegisterScalableTarget", given, "AWS::ApplicationAutoScaling::ScalableTarget")
        scaling.register_scalable_target(**filled)
        physical_id = "|".join(str(properties[n]) for n in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        for action in properties.get("ScheduledActions", []):
            whole = {**action, **self._names(physical_id)}
            asked = fill(scaling, "PutScheduledAction", whole, "AWS::ApplicationAutoScaling::ScalableTarget")
            scaling.put_scheduled_action(**asked)
        return Made(physical_id, {"Id": physical_id})

    def _names(self, physical_id: str) -> dict[str, str]:
        return dict(zip(("ResourceId", "ScalableDimension", "ServiceNamespace"), physical_id.split("|"), strict=True))


@provides("AWS::ApplicationAutoScaling::ScalingPolicy")
class ScalingPolicy:
    """AWS::ApplicationAutoScaling::ScalingPolicy, by target tracking or by steps."""

    carried = frozenset(
        {
            "PolicyName", "PolicyType", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace",
            "StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::ApplicationAutoScaling::ScalingPolicy", properties, self.carried)
        scaling = context.client("application-autoscaling")
        arguments = without(properties, "ScalingTargetId") | self._target(properties)
        filled = fill(scaling, "PutScalingPolicy", arguments, "AWS::ApplicationAutoScaling::ScalingPolicy")
        arn = str(scaling.put_scaling_policy(**filled)["PolicyARN"])
        return Made(arn, {"Arn": arn})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        scaling, target = context.client("application-autoscaling"), self._target(properties)
        name = properties["PolicyName"]
        if scaling.describe_scaling_policies(PolicyNames=[name], **target)["ScalingPolicies"]:
            scaling.delete_scaling_policy(PolicyName=name, **target)

    def _target(self, properties: dict[str, Any]) -> dict[str, Any]:
        names = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        if target := properties.get("ScalingTargetId"):
            return dict(zip(names, str(target).split("|"), strict=True))
        return {name: properties[name] for name in names}
