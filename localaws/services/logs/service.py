"""CloudWatch Logs' check before moto's answer."""

from __future__ import annotations

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.service import EVERY, Service

logs = Service("logs", moto=EVERY, invalid="InvalidParameterException")

RETENTION = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


@logs.before("PutRetentionPolicy")
def retention(call: Call) -> None:
    if call.params["retentionInDays"] not in RETENTION:
        raise AwsError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{call.params['retentionInDays']}' at 'retentionInDays' failed to "
            f"satisfy constraint: Member must satisfy enum value set: {sorted(RETENTION)}",
        )
