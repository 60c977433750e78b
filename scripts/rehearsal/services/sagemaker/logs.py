"""What containers print, in CloudWatch Logs: written by the role, and lost where the role may not write."""

from __future__ import annotations

import contextlib
import time

from botocore.exceptions import ClientError

from scripts.rehearsal.cloud import Session


def write(session: Session, group: str, stream: str, text: str) -> None:
    """One event for each line; a job goes on without logs where its role has no permission for them."""
    client = session.client("logs")
    moment = int(time.time() * 1000)
    events = [{"timestamp": moment, "message": line} for line in text.splitlines() if line.strip()]
    with contextlib.suppress(ClientError):
        for create, names in (
            (client.create_log_group, {"logGroupName": group}),
            (client.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            try:
                create(**names)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    raise
        if events:
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
