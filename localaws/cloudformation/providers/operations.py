"""EventBridge, Step Functions, CloudWatch and Application Auto Scaling resource types.

Sources: CloudFormation Template Reference; each handler's permissions in the registry schemas.
"""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, ResourceFailed
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    own_tags,
    poll,
    retag,
    tag_list,
    tagging,
    unless,
    without,
)

ABSENT = {"ResourceNotFoundException", "ResourceNotFound", "ObjectNotFoundException"}


class Rule:
    """AWS::Events::Rule. The stack's tags are not put on rules unless the rule has tags of its own.

    So templates with rules work under roles that may not call events:TagResource, such as
    SageMaker's stock launch role.
    """

    carried = frozenset(
        {
            "Description", "EventBusName", "EventPattern", "Name", "RoleArn", "ScheduleExpression", "State", "Tags",
            "Targets",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::Events::Rule", properties, self.carried)
        events = context.client("events")
        name = str(properties.get("Name") or context.generated_name(64))
        bus = {"EventBusName": properties["EventBusName"]} if properties.get("EventBusName") else {}
        if unless(ABSENT, events.describe_rule, Name=name, **bus):
            raise ResourceFailed(f"{name} already exists")
        tags = tagging(context, properties) if own_tags(properties) else {}
        made = self._put(events, name, {}, {**properties, **tags})
        return self._made(context, name, properties, made)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::Events::Rule", new, self.carried)
        events, name = context.client("events"), physical_id.rsplit("|", 1)[-1]
        made = self._put(events, name, old, without(new, "Tags"))
        if own_tags(old) or own_tags(new):
            retag(
                context,
                old,
                new,
                lambda tags: events.tag_resource(ResourceARN=made, Tags=tag_list(tags)),
                lambda keys: events.untag_resource(ResourceARN=made, TagKeys=keys),
            )
        return self._made(context, name, new, made)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        events, name = context.client("events"), physical_id.rsplit("|", 1)[-1]
        bus = {"EventBusName": properties["EventBusName"]} if properties.get("EventBusName") else {}
        if targets := [target["Id"] for target in properties.get("Targets") or []]:
            unless(ABSENT, events.remove_targets, Rule=name, Ids=targets, **bus)
        unless(ABSENT, events.delete_rule, Name=name, **bus)

    def _put(self, events: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> str:
        """Put the rule and its targets; the rule's ARN."""
        bus = {"EventBusName": new["EventBusName"]} if new.get("EventBusName") else {}
        arguments = without(new, "Targets", "EventPattern") | {"Name": name}
        if new.get("EventPattern"):
            arguments["EventPattern"] = document(new["EventPattern"])
        arn = str(events.put_rule(**fill(events, "PutRule", arguments, "AWS::Events::Rule"))["RuleArn"])
        targets = new.get("Targets") or []
        try:
            if targets:
                wanted = {"Rule": name, "Targets": targets, **bus}
                answer = events.put_targets(**fill(events, "PutTargets", wanted, "AWS::Events::Rule"))
                if answer.get("FailedEntryCount"):
                    raise ResourceFailed(answer["FailedEntries"][0]["ErrorMessage"])
        except Exception:
            if not old:
                events.delete_rule(Name=name, **bus)
            raise
        kept = {target["Id"] for target in targets}
        if gone := [target["Id"] for target in old.get("Targets") or [] if target["Id"] not in kept]:
            events.remove_targets(Rule=name, Ids=gone, **bus)
        return arn

    def _made(self, context: Context, name: str, properties: dict[str, Any], arn: str) -> Made:
        bus = str(properties.get("EventBusName") or "default").rsplit("/", 1)[-1]
        return Made(name if bus == "default" else f"{bus}|{name}", {"Arn": arn, "RuleName": name})


class StateMachine:
    """AWS::StepFunctions::StateMachine."""

    carried = frozenset(
        {
            "Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions", "LoggingConfiguration",
            "RoleArn", "StateMachineName", "StateMachineType", "Tags", "TracingConfiguration",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::StepFunctions::StateMachine", properties, self.carried)
        states = context.client("stepfunctions")
        arguments = {
            **self._common(context, properties),
            "Name": properties.get("StateMachineName") or context.generated_name(80),
            "Type": properties.get("StateMachineType", "STANDARD"),
            **tagging(context, properties),
        }
        filled = fill(states, "CreateStateMachine", arguments, "AWS::StepFunctions::StateMachine")
        return self._made(states, states.create_state_machine(**filled)["stateMachineArn"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::StepFunctions::StateMachine", new, self.carried)
        states = context.client("stepfunctions")
        arguments = {**self._common(context, new), "StateMachineArn": physical_id}
        states.update_state_machine(**fill(states, "UpdateStateMachine", arguments, "AWS::StepFunctions::StateMachine"))
        retag(
            context,
            old,
            new,
            lambda tags: states.tag_resource(
                resourceArn=physical_id, tags=[{"key": k, "value": v} for k, v in tags.items()]
            ),
            lambda keys: states.untag_resource(resourceArn=physical_id, tagKeys=keys),
        )
        return self._made(states, physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        states = context.client("stepfunctions")
        states.delete_state_machine(stateMachineArn=physical_id)
        poll(
            context,
            lambda: (
                unless({"StateMachineDoesNotExist"}, states.describe_state_machine, stateMachineArn=physical_id) is None
            ),
        )

    def _common(self, context: Context, properties: dict[str, Any]) -> dict[str, Any]:
        kept = ("RoleArn", "LoggingConfiguration", "TracingConfiguration")
        return {
            "Definition": self._definition(context, properties),
            **{name: properties[name] for name in kept if name in properties},
        }

    def _definition(self, context: Context, properties: dict[str, Any]) -> str:
        given = [n for n in ("Definition", "DefinitionString", "DefinitionS3Location") if n in properties]
        if len(given) != 1:
            raise ResourceFailed(
                "Exactly one of Definition, DefinitionString and DefinitionS3Location must be given, "
                f"not {', '.join(given) or 'none'}"
            )
        if given[0] == "DefinitionS3Location":
            place = properties["DefinitionS3Location"]
            version = {"VersionId": place["Version"]} if place.get("Version") else {}
            s3 = context.client("s3")
            text = s3.get_object(Bucket=place["Bucket"], Key=place["Key"], **version)["Body"].read().decode()
        else:
            text = document(properties[given[0]])
        values = properties.get("DefinitionSubstitutions") or {}
        return re.sub(r"\$\{([A-Za-z0-9_-]+)\}", lambda m: substitute(values, m), text)

    def _made(self, states: Any, arn: str) -> Made:
        seen = states.describe_state_machine(stateMachineArn=arn)
        revision = seen.get("revisionId") or "INITIAL"
        return Made(arn, {"Arn": arn, "Name": seen["name"], "StateMachineRevisionId": revision})


def substitute(values: dict[str, Any], found: re.Match[str]) -> str:
    """The value for ${name}, written so that it may stand inside a JSON string; unknown names stay."""
    value = values.get(found.group(1))
    if value is None:
        return found.group(0)
    return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)


class Alarm:
    """AWS::CloudWatch::Alarm: PutMetricAlarm makes and replaces it."""

    refused = (
        "ActionConfiguration",
        "EvaluationCriteria",
        "EvaluationInterval",
        "EvaluationWindow",
        "WarmUpConfiguration",
    )

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        cloudwatch = context.client("cloudwatch")
        name = str(properties.get("AlarmName") or context.generated_name(255))
        if cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            raise ResourceFailed(f"{name} already exists")
        return self._put(context, name, {**properties, **tagging(context, properties)})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        cloudwatch = context.client("cloudwatch")
        made = self._put(context, physical_id, without(new, "Tags"))
        arn = made.attributes["Arn"]
        retag(
            context,
            old,
            new,
            lambda tags: cloudwatch.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
            lambda keys: cloudwatch.untag_resource(ResourceARN=arn, TagKeys=keys),
        )
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT, context.client("cloudwatch").delete_alarms, AlarmNames=[physical_id])

    def _put(self, context: Context, name: str, properties: dict[str, Any]) -> Made:
        for refused in self.refused:
            if properties.get(refused) is not None:
                raise NotSupported(f"AWS::CloudWatch::Alarm: the property {refused}")
        cloudwatch = context.client("cloudwatch")
        arguments = {**properties, "AlarmName": name}
        cloudwatch.put_metric_alarm(**fill(cloudwatch, "PutMetricAlarm", arguments, "AWS::CloudWatch::Alarm"))
        return Made(name, {"Arn": f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:{name}"})


class Dashboard:
    """AWS::CloudWatch::Dashboard. Its tags are not played."""

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        name = str(properties.get("DashboardName") or context.generated_name(255))
        return self.update(context, name, {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::CloudWatch::Dashboard", new, {"DashboardBody", "DashboardName"})
        body = document(new["DashboardBody"])
        context.client("cloudwatch").put_dashboard(DashboardName=physical_id, DashboardBody=body)
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT, context.client("cloudwatch").delete_dashboards, DashboardNames=[physical_id])


class ScalableTarget:
    """AWS::ApplicationAutoScaling::ScalableTarget. Ref: RESOURCE|DIMENSION|NAMESPACE."""

    carried = frozenset(
        {
            "MaxCapacity", "MinCapacity", "ResourceId", "RoleARN", "ScalableDimension", "ServiceNamespace",
            "SuspendedState", "Tags",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return self._register(context, {**properties, **tagging(context, properties)})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if own_tags(old) != own_tags(new):
            raise NotSupported("AWS::ApplicationAutoScaling::ScalableTarget: a change of Tags")
        return self._register(context, without(new, "Tags"))

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        scaling = context.client("application-autoscaling")
        try:
            unless(ABSENT, scaling.deregister_scalable_target, **self._names(physical_id))
        except ClientError as error:
            if "No scalable target found" not in str(error):  # moto's ObjectNotFoundException
                raise

    def _register(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::ApplicationAutoScaling::ScalableTarget", properties, self.carried)
        scaling = context.client("application-autoscaling")
        filled = fill(scaling, "RegisterScalableTarget", properties, "AWS::ApplicationAutoScaling::ScalableTarget")
        scaling.register_scalable_target(**filled)
        physical_id = "|".join(str(properties[n]) for n in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        return Made(physical_id, {"Id": physical_id})

    def _names(self, physical_id: str) -> dict[str, str]:
        return dict(zip(("ResourceId", "ScalableDimension", "ServiceNamespace"), physical_id.split("|"), strict=True))


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
