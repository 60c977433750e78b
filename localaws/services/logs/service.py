"""CloudWatch Logs' checks before moto's answer.

CloudWatch Logs API Reference: PutRetentionPolicy, CreateLogStream, GetLogEvents, FilterLogEvents ("If you specify a
value for both logStreamNames and logStreamNamePrefix, the action returns an InvalidParameterException").
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service

logs = Service(
    "logs",
    moto=EVERY,
    refused=("PutMetricFilter", "PutSubscriptionFilter"),  # moto keeps them: no metric, and no delivery
    invalid="InvalidParameterException",
)

RETENTION = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


@logs.before("PutRetentionPolicy")
def retention(call: Call) -> None:
    if call.params["retentionInDays"] not in RETENTION:
        raise AwsError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{call.params['retentionInDays']}' at 'retentionInDays' failed to "
            f"satisfy constraint: Member must satisfy enum value set: {sorted(RETENTION)}",
        )


def group_of(call: Call) -> Any:
    """moto's log group that a request names, None without one."""
    groups = moto_bridge.backend("logs", call.account, call.region).groups
    named = call.params.get("logGroupName") or call.params.get("logGroupIdentifier") or ""
    return groups.get(str(named).rpartition("log-group:")[2].removesuffix(":*"))


@logs.before("CreateLogStream")
def new_stream(call: Call) -> None:
    group = group_of(call)
    if group is not None and call.params["logStreamName"] in group.streams:
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")


@logs.before("GetLogEvents")
def known_stream(call: Call) -> None:
    group = group_of(call)
    if group is not None and call.params["logStreamName"] not in group.streams:
        raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


@logs.before("FilterLogEvents")
def filtered(call: Call) -> None:
    if call.params.get("logStreamNames") and call.params.get("logStreamNamePrefix"):
        raise AwsError("InvalidParameterException", "Either logStreamNames or logStreamNamePrefix can be given")
