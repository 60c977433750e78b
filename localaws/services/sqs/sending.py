"""How other services send to a queue: under their own name or as a role, as the queue's own policy allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.cloud import Session


def send_to_queue(session: Session, arn: str, text: str, extra: Mapping[str, Any]) -> str:
    """Send a message to a queue known by its ARN."""
    _, _, _, region, account, name = arn.split(":", 5)
    url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
    return str(session.client("sqs", region).send_message(QueueUrl=url, MessageBody=text, **extra)["MessageId"])
