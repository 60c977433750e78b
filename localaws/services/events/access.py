"""What authorization asks of EventBridge: rules and buses, a bus's policy, a rule's tags."""

from __future__ import annotations

import json
from collections.abc import Callable

from moto.events.models import events_backends

from awslang.policy.document import Policy, parse_resource
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access
from localaws.services.events.service import events


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params

    def bus_name(value: str | None) -> str:
        return (value or "default").rsplit("event-bus/", 1)[-1]

    if call.operation == "PutEvents":
        buses = {entry.get("EventBusName") or "default" for entry in params.get("Entries", [])}
        return sorted(b if b.startswith("arn:") else _arn(call, f"event-bus/{b}") for b in buses)
    rule = params.get("Rule") or params.get("Name", "")
    if any(kind.startswith("rule-on") for kind in types) and rule:
        bus = bus_name(params.get("EventBusName"))
        owner = params["EventBusName"].split(":")[4] if str(params.get("EventBusName", "")).startswith("arn:") else None
        path = f"rule/{rule}" if bus == "default" else f"rule/{bus}/{rule}"
        return [arn("events", call.region, owner or call.account, path)]
    if "event-bus" in types:
        name = params.get("Name") or params.get("EventBusName") or "default"
        return [name if name.startswith("arn:") else _arn(call, f"event-bus/{name}")]
    return []


def _arn(call: Call, resource: str) -> str:
    return arn("events", call.region, call.account, resource)


def policy(cloud: Cloud, resource: str) -> Policy | None:
    _, _, _, region, account, name = resource.split(":", 5)
    if not name.startswith("event-bus/"):
        return None
    bus = name.removeprefix("event-bus/")
    found = events_backends[account][region].event_buses.get(bus)
    return parse_resource(getattr(found, "policy", None) or "", f"event bus {bus}", account)


def rewrite(cloud: Cloud, change: Callable[[str], str]) -> None:
    """Of buses, whose statements moto keeps apart."""
    for backend in moto_bridge.every("events"):
        for bus in list(backend.event_buses.values()):
            for kept in list(bus._statements.values()):
                text = json.dumps({"Statement": {"Principal": kept.principal}})
                kept.principal = json.loads(change(text))["Statement"]["Principal"]


events.access = Access(resources=resources, policy=policy, rewrite=rewrite)
