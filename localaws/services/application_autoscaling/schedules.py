"""Scheduled actions of SageMaker endpoints' variants: what is refused of one, and what it does when it is due.

Application Auto Scaling User Guide, "How scheduled scaling for Application Auto Scaling works", "Schedule recurring
scaling actions using Application Auto Scaling"; API Reference, "PutScheduledAction", "DeleteScheduledAction". moto
holds them. Not supported, by name: at(…), and what events/schedule.py does not read. In which words AWS refuses is not
documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.services.application_autoscaling import activities
from localaws.services.application_autoscaling.absent import check_registered, not_found
from localaws.services.application_autoscaling.registration import invalid
from localaws.services.application_autoscaling.scaling import keep_within
from localaws.services.application_autoscaling.service import application_autoscaling
from localaws.services.application_autoscaling.targets import DIMENSION
from localaws.services.events.schedule import Clock, Schedule, parse

ACTION = ("ServiceNamespace", "ResourceId", "ScalableDimension", "ScheduledActionName")


def of_request(call: Call) -> Any:
    """moto's scheduled action that a request names; None for none."""
    wanted = tuple(call.params[name] for name in ACTION)
    known = moto_bridge.backend("application-autoscaling", call.account, call.region).scheduled_actions
    return next((one for one in known if names_of(one) == wanted), None)


def names_of(action: Any) -> tuple[str, ...]:
    return (action.service_namespace, action.resource_id, action.scalable_dimension, action.scheduled_action_name)


@application_autoscaling.before("PutScheduledAction")
def check_action(call: Call) -> None:
    """A new action needs a schedule and a number; one that is put again keeps what the request leaves out."""
    check_registered(call)
    params, known = call.params, of_request(call)
    numbers = params.get("ScalableTargetAction") or (known.scalable_target_action if known else {})
    if not numbers:
        raise invalid("ScalableTargetAction with MinCapacity, MaxCapacity or both is required.")
    least, most = numbers.get("MinCapacity"), numbers.get("MaxCapacity")
    if least is not None and most is not None and least > most:
        raise invalid("Minimum capacity cannot be greater than maximum capacity.")
    if (zone := params.get("Timezone")) and zone not in available_timezones():
        raise invalid(f"Timezone {zone} is not supported.")
    if "Schedule" not in params and known is None:
        raise invalid("Schedule is required for a new scheduled action.")
    if "Schedule" in params:
        schedule_of(params["Schedule"], datetime.now(UTC))


def schedule_of(expression: str, since: datetime) -> Schedule:
    if expression.startswith("at("):
        raise NotSupported(f"the schedule {expression}")
    try:
        return parse(expression, since)
    except AwsError as error:
        raise invalid(f"Schedule {expression} is not valid.") from error


@application_autoscaling.after("PutScheduledAction")
def start_clock(call: Call, _: Any) -> None:
    call.cloud.state(Clock, "", "application-autoscaling").start(call.cloud, tick)


@application_autoscaling.before("DeleteScheduledAction")
def check_known(call: Call) -> None:
    if of_request(call) is None:
        raise not_found(call, "scheduled action", call.params["ScheduledActionName"])


def tick(cloud: Cloud, moment: datetime) -> None:
    """Carry out the actions that are due in the minute that begins now."""
    for state in moto_bridge.every("application-autoscaling"):
        for action in list(state.scheduled_actions):
            if action.scalable_dimension == DIMENSION and due(action, moment):
                carry_out(cloud, state, action)


def due(action: Any, moment: datetime) -> bool:
    """By its own time zone, between its start and its end."""
    begins, ends = (float(at) if at else None for at in (action.start_time, action.end_time))
    if (begins and moment.timestamp() < begins) or (ends and moment.timestamp() > ends):
        return False
    since = datetime.fromtimestamp(action.creation_time, UTC)
    return schedule_of(action.schedule, since).due(moment.astimezone(ZoneInfo(action.timezone or "UTC")))


def carry_out(cloud: Cloud, state: Any, action: Any) -> None:
    """The target gets the action's numbers, and a variant outside of them is scaled to the nearer one."""
    target = state.targets.get(DIMENSION, {}).get(action.resource_id)
    if target is None or (target.suspended_state or {}).get("ScheduledScalingSuspended"):
        return
    numbers: Mapping[str, int] = action.scalable_target_action
    least, most = numbers.get("MinCapacity", target.min_capacity), numbers.get("MaxCapacity", target.max_capacity)
    if least > most:  # with the one number that the action has, and the other of the target
        activities.note(
            cloud, state.account_id, state.region_name, action.resource_id,
            f"scheduled action name {action.scheduled_action_name} was triggered", StatusCode="Failed",
            Description=f"Setting minimum capacity to {least} and maximum capacity to {most}",
            StatusMessage="Minimum capacity cannot be greater than maximum capacity.",
        )  # fmt: skip
        return
    target.update(least, most, None)
    keep_within(cloud, state.account_id, state.region_name, action.resource_id)
