"""Starts and stops the embedded AWS on a loopback port."""

from __future__ import annotations

import gc
import logging
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from localaws import moto_bridge
from localaws.authorization.authorizer import Authorizer
from localaws.cloud import Cloud, Published
from localaws.gateway import RAW_HEADERS, Gateway

HOST = "127.0.0.1"
SELDOM = (20_000, 20, 100)  # when Python looks for garbage: the embedded AWS keeps nearly all that it makes


class RequestHandler(WSGIRequestHandler):
    """Silent, keeps connections, and hands on the headers as sent (WSGI loses those with an underscore)."""

    protocol_version = "HTTP/1.1"

    def make_environ(self) -> dict[str, Any]:
        environ = super().make_environ()
        environ[RAW_HEADERS] = list(self.headers.items())
        return environ

    def log_request(self, *args: object) -> None:
        """requests.jsonl says more."""


class PortNotUsable(Exception):
    """Nothing can listen on the port that was asked for; the text is the operating system's reason."""


def check_port(port: int) -> None:
    """PortNotUsable where nothing can listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortNotUsable(error.strerror) from error


class EmbeddedAws:
    """with EmbeddedAws(folder) as cloud: …  port 0 takes a free one; see Cloud for waits and published."""

    def __init__(self, folder: Path, port: int = 0, waits: float = 0.001, published: Published | None = None) -> None:
        if port:
            check_port(port)
        folder.mkdir(parents=True, exist_ok=True)
        for former in ("requests.jsonl", "policies.json"):
            (folder / former).unlink(missing_ok=True)
        moto_bridge.reset()
        self.cloud = Cloud(folder, waits, published)
        self.cloud.authorizer = Authorizer(self.cloud)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        gateway = Gateway(self.cloud)
        self.cloud.gateway = gateway
        self._server = make_server(HOST, port, gateway, threaded=True, request_handler=RequestHandler)
        self.cloud.endpoint = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Cloud:
        gc.set_threshold(*SELDOM)
        self._thread.start()
        return self.cloud

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def adopt(self, connection: socket.socket, address: Any) -> None:
        """Serve the requests of a connection that another listener accepted."""
        self._server.process_request(connection, address)

    def stop(self) -> None:
        self.cloud.stop()
        self._server.shutdown()
        self._server.server_close()
