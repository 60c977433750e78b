"""Queues that take what a service sends them, as a topic's subscriber needs them."""

from __future__ import annotations

import json
from typing import Any


def open_to(sqs: Any, name: str, service: str, source: str = "*", **attributes: str) -> tuple[str, str]:
    """A new queue's URL and ARN; its policy lets the service send for what has the source's ARN."""
    url = str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": arn}
    allow["Condition"] = {"ArnLike": {"aws:SourceArn": source}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, str(arn)


def bodies(sqs: Any, url: str) -> list[str]:
    """What the queue holds."""
    return [one["Body"] for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]
