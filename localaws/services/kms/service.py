"""KMS's checks before moto's answer."""

from __future__ import annotations

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.service import EVERY, Service

kms = Service("kms", moto=EVERY, invalid="ValidationException")


@kms.before("CreateAlias")
def key_alias(call: Call) -> None:
    if call.params["AliasName"].startswith("alias/aws/"):
        raise AwsError("NotAuthorizedException", "")


@kms.before("ScheduleKeyDeletion")
def key_deletion(call: Call) -> None:
    if not 7 <= call.params.get("PendingWindowInDays", 30) <= 30:
        raise AwsError("ValidationException", "PendingWindowInDays must be from 7 to 30")
