"""What there is no scalable target or policy for is refused, and a deregistered target takes its own along.

Application Auto Scaling API Reference, PutScalingPolicy and DeleteScalingPolicy (ObjectNotFoundException),
DeregisterScalableTarget ("deletes the scaling policies and the scheduled actions that are associated with it").
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.application_autoscaling.service import application_autoscaling


def not_found(call: Call, what: str, name: str = "") -> AwsError:
    params = call.params
    return AwsError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: {params['ServiceNamespace']}, resource ID: {params['ResourceId']}, "
        f"scalable dimension: {params['ScalableDimension']}{name and f', policy name: {name}'}",
    )


@application_autoscaling.before("DeregisterScalableTarget")
def check_registered(call: Call) -> None:
    targets = moto_bridge.backend("application-autoscaling", call.account, call.region).targets
    if call.params["ResourceId"] not in targets.get(call.params["ScalableDimension"], {}):
        raise not_found(call, "scalable target")


@application_autoscaling.before("DeleteScalingPolicy")
def check_policy(call: Call) -> None:
    if not any(policy.policy_name == call.params["PolicyName"] for policy in policies_of(call)):
        raise not_found(call, "scaling policy", call.params["PolicyName"])


def policies_of(call: Call) -> list[Any]:
    """moto's scaling policies of the request's target."""
    names = (call.params["ResourceId"], call.params["ScalableDimension"])
    known = moto_bridge.backend("application-autoscaling", call.account, call.region).policies.values()
    return [policy for policy in known if (policy.resource_id, policy.scalable_dimension) == names]


@application_autoscaling.after("DeregisterScalableTarget")
def with_its_policies(call: Call, _: Any) -> None:
    state, params = moto_bridge.backend("application-autoscaling", call.account, call.region), call.params
    names = (params["ResourceId"], params["ScalableDimension"])
    for policy in policies_of(call):
        state.delete_scaling_policy(policy.policy_name, params["ServiceNamespace"], *names)
    kept = [one for one in state.scheduled_actions if (one.resource_id, one.scalable_dimension) != names]
    state.scheduled_actions = kept
