"""Requests to an embedded AWS as they come from outside: with boto3 at its port, or byte by byte."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from localaws.cloud import Cloud, Session

CONFIG = Config(retries={"max_attempts": 1, "mode": "standard"}, s3={"addressing_style": "path"})


def client(session: Session, service: str, config: Config | None = None, **other: str) -> Any:
    """A boto3 client at the port. other: what replaces the session's own key, secret or token."""
    credentials = session.credentials
    keys: dict[str, Any] = {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
    }
    chosen = CONFIG.merge(config) if config else CONFIG
    made = boto3.Session(region_name=session.region, **(keys | other))
    return made.client(service, endpoint_url=session.cloud.endpoint, config=chosen)  # type: ignore[call-overload]


def connected(cloud: Cloud) -> socket.socket:
    address = urlsplit(cloud.endpoint)
    return socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30)


def sent(cloud: Cloud, *parts: bytes | Iterable[bytes]) -> bytes:
    """The answer to these bytes; a part may be made while it is sent."""
    with connected(cloud) as wire:
        try:
            for part in parts:
                for piece in [part] if isinstance(part, bytes) else part:
                    wire.sendall(piece)
        except OSError:
            pass  # it was refused before its end
        return received(wire)


def received(wire: socket.socket) -> bytes:
    """What comes until the connection ends."""
    answer = b""
    try:
        while more := wire.recv(65536):
            answer += more
    except ConnectionError:
        pass
    return answer


def host(cloud: Cloud) -> bytes:
    """The Host header of a request to it."""
    return f"Host: {urlsplit(cloud.endpoint).netloc}\r\n".encode()
