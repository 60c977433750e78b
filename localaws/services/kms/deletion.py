"""Deletion and rotation of keys, whose answers moto leaves half empty.

KMS API Reference, ScheduleKeyDeletion, CancelKeyDeletion, EnableKeyRotation, GetKeyRotationStatus.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.kms.service import in_use, kms, not_pending
from localaws.services.kms.state import find_key, key_of

ROTATION = "rehearsal_rotation"  # on a key of moto's: days of a period, and when rotation was enabled
YEAR = 365  # the period where none is given


def named_key(call: Call) -> Any:
    """The key of an id or a key ARN; NotFoundException for an alias too, which these operations do not take."""
    arn = key_of(call)
    found = None if "alias/" in call.params["KeyId"] else find_key(arn)
    if found is None:
        raise AwsError("NotFoundException", f"Key '{arn}' does not exist")
    return found


@kms.operation("ScheduleKeyDeletion")
def schedule_key_deletion(call: Call) -> dict[str, Any]:
    days = call.params.get("PendingWindowInDays", 30)
    if not 7 <= days <= 30:
        raise AwsError("ValidationException", "PendingWindowInDays must be from 7 to 30")
    key = named_key(call)
    not_pending(call)
    date = moto_bridge.backend("kms", call.account, call.region).schedule_key_deletion(key.id, days)
    return {"KeyId": key.arn, "DeletionDate": date, "KeyState": key.key_state, "PendingWindowInDays": days}


@kms.operation("CancelKeyDeletion")
def cancel_key_deletion(call: Call) -> dict[str, Any]:
    key = named_key(call)
    if key.key_state != "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    moto_bridge.backend("kms", call.account, call.region).cancel_key_deletion(key.id)
    return {"KeyId": key.arn}


@kms.before("EnableKeyRotation")
def rotated(call: Call) -> None:
    in_use(call)
    if (key := find_key(key_of(call))) is not None:
        setattr(key, ROTATION, (call.params.get("RotationPeriodInDays", YEAR), datetime.now(UTC)))


@kms.operation("GetKeyRotationStatus")
def get_key_rotation_status(call: Call) -> dict[str, Any]:
    not_pending(call)
    key = named_key(call)
    shown = {"KeyId": key.arn, "KeyRotationEnabled": bool(key.key_rotation_status)}
    if not key.key_rotation_status:
        return shown
    days, since = getattr(key, ROTATION, (YEAR, datetime.fromtimestamp(float(key.creation_date), UTC)))
    return {**shown, "RotationPeriodInDays": days, "NextRotationDate": since + timedelta(days=days)}
