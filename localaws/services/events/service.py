"""EventBridge's operations on rules, targets, events and tags."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge, registry
from localaws.calls import Call
from localaws.cloud import Cloud, arn, new_id
from localaws.service import Service
from localaws.services.events import delivery as events_delivery
from localaws.services.events import input as events_input
from localaws.services.events import pattern as events_pattern
from localaws.services.events import schedule as events_schedule
from localaws.services.events.delivery import Delivery

events = Service(
    "events",
    moto=(
        "CreateEventBus", "DeleteEventBus", "DescribeEventBus", "ListEventBuses", "PutPermission", "RemovePermission",
    ),
    invalid="ValidationException",
)  # fmt: skip

TARGETS_PER_RULE = 5  # EventBridge User Guide, "Amazon EventBridge quotas"
RULE_NAME = re.compile(r"[.\-_A-Za-z0-9]{1,64}")
STATES = ("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
EVENT_LIMIT = 1024 * 1024  # bytes of one PutEvents request
listeners: list[Callable[[Cloud, Delivery], None]] = []  # get each delivery once it has ended


@dataclass
class Rule:
    """One rule: its attributes as DescribeRule shows them, its pattern or schedule, targets by id and tags."""

    arn: str
    attributes: dict[str, Any]
    pattern: dict[str, Any] | None
    schedule: events_schedule.Schedule | None = None
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class EventsState:
    """Rules by bus and name; deliveries in the order in which they ended; the newest events of every bus."""

    rules: dict[tuple[str, str], Rule] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    recent: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=100))
    rule_of_token: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def deliveries(cloud: Cloud, *, failed: bool = False) -> list[Delivery]:
    """Every delivery in every account, or the failed ones alone."""
    found = [d for state in cloud.states(EventsState).values() for d in state.deliveries]
    return [d for d in found if d.failed] if failed else found


def rule_that_started(cloud: Cloud, account: str, region: str, token: str) -> str:
    """The ARN of the rule whose delivery carried this client token; "" when none did."""
    return cloud.state(EventsState, account, region).rule_of_token.get(token, "")


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _state(call: Call) -> EventsState:
    return call.cloud.state(EventsState, call.account, call.region)


def _bus(call: Call, name: str) -> tuple[str, str]:
    """Account and name of the bus that EventBusName (a name or an ARN) means; it must exist."""
    account, bus = call.account, name
    if name.startswith("arn:"):
        account, bus = name.split(":")[4], name.split("/", 1)[1]
    if bus != "default" and bus not in moto_bridge.backend("events", account, call.region).event_buses:
        raise AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")
    return account, bus


def _rule(call: Call, name: str) -> Rule:
    _, bus = _bus(call, call.params.get("EventBusName", "default"))
    rule = _state(call).rules.get((bus, name))
    if rule is None:
        raise AwsError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {bus}.")
    return rule


@events.operation("PutRule")
def put_rule(call: Call) -> dict[str, Any]:
    given = call.params
    name = given["Name"]
    if not RULE_NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+ and have at most 64 characters"
        )
    if given.get("State", "ENABLED") not in STATES:
        raise invalid(f"Value '{given['State']}' at 'state' failed to satisfy constraint: one of {list(STATES)}")
    expression = given.get("ScheduleExpression")
    if not given.get("EventPattern") and not expression:
        raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")  # english: quoted
    schedule = events_schedule.parse(expression) if expression else None
    pattern = events_pattern.parse(given["EventPattern"]) if given.get("EventPattern") else None
    account, bus = _bus(call, given.get("EventBusName", "default"))
    if account != call.account:
        raise invalid("Rules can only be made on an event bus of the same account.")
    if schedule and bus != "default":
        raise invalid("ScheduleExpression is supported only on the default event bus.")
    rule_arn = arn("events", call.region, call.account, f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")
    if given.get("RoleArn"):
        events_delivery.check_role(call.cloud, given["RoleArn"], rule_arn)
    shown = ("Name", "EventPattern", "ScheduleExpression", "Description", "RoleArn")
    attributes = {"State": "ENABLED", **{k: given[k] for k in (*shown, "State") if k in given}}
    attributes |= {"Arn": rule_arn, "EventBusName": bus}
    state = _state(call)
    with state.lock:
        known = state.rules.get((bus, name))
        if known is None:
            tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])}
            state.rules[bus, name] = Rule(rule_arn, attributes, pattern, schedule, tags=tags)
        else:  # replaced as a whole; targets and tags stay
            known.attributes, known.pattern, known.schedule = attributes, pattern, schedule
    if schedule:
        call.cloud.state(events_schedule.Clock, "", "").start(call.cloud, tick)
    return {"RuleArn": rule_arn}


@events.operation("DescribeRule")
def describe_rule(call: Call) -> dict[str, Any]:
    return {**_rule(call, call.params["Name"]).attributes, "CreatedBy": call.account}


@events.operation("ListRules")
def list_rules(call: Call) -> dict[str, Any]:
    _, bus = _bus(call, call.params.get("EventBusName", "default"))
    prefix = call.params.get("NamePrefix", "")
    found = sorted(_state(call).rules.items())
    return {"Rules": [rule.attributes for (b, name), rule in found if b == bus and name.startswith(prefix)]}


@events.operation("DeleteRule")
def delete_rule(call: Call) -> dict[str, Any]:
    _, bus = _bus(call, call.params.get("EventBusName", "default"))
    state = _state(call)
    with state.lock:
        rule = state.rules.get((bus, call.params["Name"]))
        if rule is not None and rule.targets:
            raise invalid("Rule can't be deleted since it has targets.")
        state.rules.pop((bus, call.params["Name"]), None)
    return {}


@events.operation("EnableRule", "DisableRule")
def switch_rule(call: Call) -> dict[str, Any]:
    _rule(call, call.params["Name"]).attributes["State"] = "ENABLED" if call.operation == "EnableRule" else "DISABLED"
    return {}


@events.operation("PutTargets")
def put_targets(call: Call) -> dict[str, Any]:
    rule = _rule(call, call.params["Rule"])
    targets = call.params["Targets"]
    ids = [target["Id"] for target in targets]
    if len(set(ids)) != len(ids):
        raise invalid("Provided targets have duplicate ids.")
    if len({*rule.targets, *ids}) > TARGETS_PER_RULE:
        raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    for target in targets:
        if not RULE_NAME.fullmatch(target["Id"]):
            raise invalid(f"Value '{target['Id']}' at 'targets.member.id' failed to satisfy constraint")
        events_delivery.check_target(call.cloud, target, rule.arn)
        events_input.check(target)
    rule.targets.update({target["Id"]: target for target in targets})
    return {"FailedEntryCount": 0, "FailedEntries": []}


@events.operation("RemoveTargets")
def remove_targets(call: Call) -> dict[str, Any]:
    rule = _rule(call, call.params["Rule"])
    missing = [
        {
            "TargetId": target_id,
            "ErrorCode": "ResourceNotFoundException",
            "ErrorMessage": f"Rule {call.params['Rule']} does not have target {target_id}.",
        }
        for target_id in call.params["Ids"]
        if rule.targets.pop(target_id, None) is None
    ]
    return {"FailedEntryCount": len(missing), "FailedEntries": missing}


@events.operation("ListTargetsByRule")
def list_targets_by_rule(call: Call) -> dict[str, Any]:
    return {"Targets": list(_rule(call, call.params["Rule"]).targets.values())}


@events.operation("ListRuleNamesByTarget")
def list_rule_names_by_target(call: Call) -> dict[str, Any]:
    _, bus = _bus(call, call.params.get("EventBusName", "default"))
    found = sorted(_state(call).rules.items())
    wanted = call.params["TargetArn"]
    return {
        "RuleNames": [
            name for (b, name), rule in found if b == bus and wanted in {t["Arn"] for t in rule.targets.values()}
        ]
    }


# -- tags --------------------------------------------------------------------------------------


def _tagged(call: Call) -> Rule:
    for rule in _state(call).rules.values():
        if rule.arn == call.params["ResourceARN"]:
            return rule
    if ":rule/" not in call.params["ResourceARN"]:
        raise NotSupported(f"tags of {call.params['ResourceARN']}")
    raise AwsError("ResourceNotFoundException", f"Rule {call.params['ResourceARN']} does not exist.")


@events.operation("TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    _tagged(call).tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
    return {}


@events.operation("UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    rule = _tagged(call)
    for key in call.params["TagKeys"]:
        rule.tags.pop(key, None)
    return {}


@events.operation("ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    return {"Tags": [{"Key": key, "Value": value} for key, value in _tagged(call).tags.items()]}


# -- events ------------------------------------------------------------------------------------


@events.operation("TestEventPattern")
def test_event_pattern(call: Call) -> dict[str, Any]:
    try:
        event = json.loads(call.params["Event"])
    except ValueError as error:
        raise invalid(f"Parameter Event is not valid. Reason: {error}") from error
    needed = {"id", "account", "source", "time", "region", "resources", "detail-type"}
    if not isinstance(event, dict) or needed - set(event):
        raise invalid(f"Parameter Event is not valid. Reason: it needs {', '.join(sorted(needed))}.")
    return {"Result": events_pattern.matches(events_pattern.parse(call.params["EventPattern"]), event)}


@events.operation("PutEvents")
def put_events(call: Call) -> dict[str, Any]:
    entries = call.params["Entries"]
    if not 1 <= len(entries) <= 10:
        raise invalid(f"Value at 'entries' failed to satisfy constraint: 1 to 10 entries, not {len(entries)}")
    if sum(len(json.dumps(entry, default=str)) for entry in entries) > EVENT_LIMIT:
        raise invalid("Total size of the entries in the request is over the limit.")
    results = [_put_event(call, entry) for entry in entries]
    return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


def _put_event(call: Call, entry: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return {
                "ErrorCode": "InvalidArgument",
                "ErrorMessage": f"Parameter {name} is not valid. Reason: {name} is a required argument.",
            }
    if entry["Source"].startswith("aws."):
        return {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": "Not authorized for the source.",
        }
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    account, bus = _bus(call, entry.get("EventBusName", "default"))
    event = _event(call.account, call.region, entry["Source"], entry["DetailType"], entry.get("Resources", []), detail)
    if "Time" in entry:
        event["time"] = _timestamp(entry["Time"])
    _route(call.cloud, account, call.region, bus, event)
    return {"EventId": event["id"]}


def emit(
    cloud: Cloud,
    account: str,
    region: str,
    *,
    source: str,
    detail_type: str,
    resources: list[str],
    detail: Mapping[str, Any],
) -> None:
    """A service of AWS tells the account's default bus what happened."""
    event = _event(account, region, source, detail_type, resources, json.loads(json.dumps(detail, default=str)))
    _route(cloud, account, region, "default", event)


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(
    account: str, region: str, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]
) -> dict[str, Any]:
    """EventBridge User Guide, "AWS service event metadata"."""
    return {
        "version": "0",
        "id": new_id(),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": _timestamp(datetime.now(UTC)),
        "region": region,
        "resources": resources,
        "detail": dict(detail),
    }


def _route(cloud: Cloud, account: str, region: str, bus: str, event: dict[str, Any]) -> None:
    """Bring the event to the targets of every enabled rule that it matches."""
    state = cloud.state(EventsState, account, region)
    with state.lock:
        state.recent.append(event)
        rules = [rule for (b, _), rule in state.rules.items() if b == bus and rule.attributes["State"] != "DISABLED"]
    for rule in rules:
        if rule.pattern is not None and events_pattern.matches(rule.pattern, event):
            _bring(cloud, state, rule, event)


def _bring(cloud: Cloud, state: EventsState, rule: Rule, event: dict[str, Any]) -> None:
    for target in list(rule.targets.values()):
        cloud.background(f"deliver {rule.arn} to {target['Arn']}", _deliver, cloud, state, rule, target, event)


def tick(cloud: Cloud, moment: datetime) -> None:
    """Bring an event to the targets of every enabled rule whose schedule is due in the minute that begins now.

    EventBridge User Guide, "Creating a scheduled rule (legacy)"; the event: "Events from AWS services".
    """
    for (account, region), state in cloud.states(EventsState).items():
        for rule in list(state.rules.values()):
            if rule.schedule and rule.attributes["State"] != "DISABLED" and rule.schedule.due(moment):
                event = _event(account, region, "aws.events", "Scheduled Event", [rule.arn], {})
                _bring(cloud, state, rule, event | {"time": _timestamp(moment)})


def _pass_on(cloud: Cloud, rule: Rule, bus_arn: str, event: dict[str, Any]) -> None:
    """The event reaches the other account's bus as it is; what came from a third account is not passed on
    (EventBridge User Guide, "Sending and receiving events between AWS accounts in Amazon EventBridge")."""
    if event["account"] == rule.arn.split(":")[4]:
        _, _, _, region, account, bus = bus_arn.split(":", 5)
        _route(cloud, account, region, bus.removeprefix("event-bus/"), event)


def _deliver(cloud: Cloud, state: EventsState, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    token = new_id()
    state.rule_of_token[token] = rule.arn
    text = events_input.build(target, event, rule.arn, _timestamp(datetime.now(UTC)))
    made, failed = events_delivery.deliver(cloud, target, rule.arn, text, token, event)
    if made and target["Arn"].split(":")[2] == "events":
        _pass_on(cloud, rule, target["Arn"], dict(event))
    if failed and "DeadLetterConfig" in target:
        refused = events_delivery.to_dead_letters(cloud, target, rule.arn, text, failed)
        failed += f" (nor did the dead-letter queue take it: {refused})" if refused else ""
    ended = Delivery(rule.arn, target["Arn"], event, made, failed)
    with state.lock:
        state.deliveries.append(ended)
    if failed:
        registry.find("cloudwatch")  # so that it listens
    for listener in listeners:
        listener(cloud, ended)
