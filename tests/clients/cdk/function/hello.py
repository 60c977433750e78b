"""The function of the CDK and SAM clients."""

from __future__ import annotations


def handler(event: dict[str, str], context: object) -> dict[str, str]:
    return {"hello": event.get("name", "you")}
