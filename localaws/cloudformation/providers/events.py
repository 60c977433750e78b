"""EventBridge's resource types (CloudFormation Template Reference)."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    own_tags,
    retag_resource,
    tagging,
    unless,
    without,
)

ABSENT = {"ResourceNotFoundException", "ResourceNotFound", "ObjectNotFoundException"}


@provides("AWS::Events::Rule")
class Rule:
    """AWS::Events::Rule. The stack's tags are not put on rules unless the rule has tags of its own.

    So templates with rules work under roles that may not call events:TagResource, such as
    SageMaker's stock launch role.
    """

    carried = frozenset(
        {
            "Description", "EventBusName", "EventPattern", "Name", "RoleArn", "ScheduleExpression", "State",
            "Tags", "Targets",
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
            retag_resource(context, old, new, events, ResourceARN=made)
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


@provides("AWS::Events::EventBusPolicy")
class EventBusPolicy:
    """One statement of a bus's policy; the others stay."""

    carried = frozenset({"EventBusName", "StatementId", "Statement"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        if str(properties["StatementId"]) in self._statements(context, properties):
            raise ResourceFailed(f"{properties['StatementId']} already exists")
        return self._put(context, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        return self._put(context, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        events, bus = context.client("events"), str(properties.get("EventBusName") or "default")
        unless(ABSENT, events.remove_permission, EventBusName=bus, StatementId=properties["StatementId"])

    def _statements(self, context: Context, properties: dict[str, Any]) -> dict[str, Any]:
        """The statements of the bus by their ids."""
        shown = context.client("events").describe_event_bus(Name=str(properties.get("EventBusName") or "default"))
        found = json.loads(shown.get("Policy") or "{}").get("Statement", [])
        return {str(one["Sid"]): one for one in found}

    def _put(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::Events::EventBusPolicy", properties, self.carried)
        bus, sid = str(properties.get("EventBusName") or "default"), str(properties["StatementId"])
        statement = json.loads(document(properties["Statement"]))
        kept = {**self._statements(context, properties), sid: {**statement, "Sid": sid}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [*kept.values()]})
        context.client("events").put_permission(EventBusName=bus, Policy=policy)
        return Made(f"{bus}|{sid}")
