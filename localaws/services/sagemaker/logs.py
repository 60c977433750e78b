"""What containers print and how they fare, in CloudWatch: written by the role, and lost where it may not write.

Developer Guide, "How to use SageMaker AI execution roles" (the permissions for CreateModel and CreateTrainingJob).
"""

from __future__ import annotations

import contextlib
import time

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Session


def write(session: Session, group: str, stream: str, text: str) -> None:
    """One event for each line; a job goes on without logs where its role has no permission for them."""
    client = session.client("logs")
    moment = int(time.time() * 1000)
    events = [{"timestamp": moment, "message": line} for line in text.splitlines() if line.strip()]
    with contextlib.suppress(ClientError):
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_group(logGroupName=group)
        if not client.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        if events:
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def may_put_metrics(session: Session, namespace: str) -> bool:
    """Whether the role lets SageMaker write metrics of its containers into the namespace."""
    try:
        session.permit("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": (namespace,)})
    except AwsError:
        return False
    return True
