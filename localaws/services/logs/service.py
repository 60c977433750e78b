"""CloudWatch Logs' checks before moto's answer.

CloudWatch Logs API Reference: PutRetentionPolicy, CreateLogStream, GetLogEvents, FilterLogEvents ("If you specify a
value for both logStreamNames and logStreamNamePrefix, the action returns an InvalidParameterException").
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.logs.models import LogsBackend

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service
from localaws.services.kms.state import key_arn, usable_key
from localaws.services.logs.terms import Terms

UNPLAYED = (  # moto keeps what they ask for: no metric comes of it, no delivery, and no result
    "CreateDelivery", "DescribeQueries", "GetQueryResults", "PutDeliveryDestination", "PutDeliveryDestinationPolicy",
    "PutDeliverySource", "PutDestination", "PutDestinationPolicy", "PutMetricFilter", "PutSubscriptionFilter",
    "StartLiveTail", "StartQuery",
)  # fmt: skip
logs = Service(
    "logs",
    moto=EVERY,
    refused=UNPLAYED,
    invalid="InvalidParameterException",
)

NEW = timedelta(hours=2)  # in the future is taken, and no later (API Reference, PutLogEvents)
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


_put_log_events = LogsBackend.put_log_events


def put_log_events(state: Any, group: str, stream: str, events: list[dict[str, Any]]) -> tuple[str, dict[str, int]]:
    """moto's answer, with the end of the events that are too old (exclusive) and the start of those that are too new
    (inclusive: API Reference, RejectedLogEventsInfo); moto gives the last index of both.
    """
    token, rejected = _put_log_events(state, group, stream, events)
    if "tooOldLogEventEndIndex" in rejected:
        rejected["tooOldLogEventEndIndex"] += 1
    if "tooNewLogEventStartIndex" in rejected:
        newest = datetime.now(UTC) + NEW
        rejected["tooNewLogEventStartIndex"] = sum(event["timestamp"] <= newest.timestamp() * 1000 for event in events)
    return token, rejected


LogsBackend.put_log_events = put_log_events


@logs.before("FilterLogEvents")
def filtered(call: Call) -> None:
    if call.params.get("logStreamNames") and call.params.get("logStreamNamePrefix"):
        raise AwsError("InvalidParameterException", "Either logStreamNames or logStreamNamePrefix can be given")
    Terms(call.params.get("filterPattern", ""))


@logs.before("CreateLogGroup")
def key_of_group(call: Call) -> None:
    """A key that exists and can be used (API Reference, CreateLogGroup: else InvalidParameterException)."""
    if key := call.params.get("kmsKeyId"):
        try:
            usable_key(key_arn(call.account, call.region, key))
        except AwsError as error:
            what = f"The specified KMS key does not exist or is not allowed to be used: {error.message}"
            raise AwsError("InvalidParameterException", what) from error
