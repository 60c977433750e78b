"""Starts and stops the embedded AWS on a loopback port."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from localaws import moto_bridge, private
from localaws.authorization.authorizer import Authorizer
from localaws.cloud import Cloud, Published
from localaws.gateway import GO_AHEAD, RAW_HEADERS, Gateway
from localaws.intake import PIECE, Unread, check_head

HOST = "127.0.0.1"
PATIENCE = 120.0  # seconds without a byte from a client, after which its connection is closed
LINGER = 2.0  # seconds for which a refused request is read on
SELDOM = (20_000, 20, 100)  # when Python looks for garbage: the embedded AWS keeps nearly all that it makes


class RequestHandler(WSGIRequestHandler):
    """Silent, with limits, and hands on the headers as sent (WSGI loses those with an underscore)."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    further_names: frozenset[str] | set[str] = frozenset()  # hosts besides the server's own, which it stands for

    def handle_expect_100(self) -> bool:
        return True  # the gateway has it said, once it is ready to read the body

    def run_wsgi(self) -> None:
        """Answer one request. The connection ends with it, as it does where werkzeug answers."""
        try:
            check_head(list(self.headers.items()), self.server.server_port, self.further_names)
            environ = self.make_environ() | {
                RAW_HEADERS: list(self.headers.items()),
                GO_AHEAD: self.go_ahead,
                "wsgi.input": self.rfile,  # as it was sent: the gateway reads it with its own limits
            }
            head: list[Any] = []  # status and headers: sent once the gateway has made the whole answer
            answer: Any = self.server.app
            body = b"".join(answer(environ, lambda *given: head.extend(given)))
            self.say(head[0], head[1], body)
        except Unread as error:
            status, headers, body = error.answer
            self.say(f"{status} Error", list(headers.items()), body)
            self.linger()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def go_ahead(self) -> None:
        """Say to a client that asks before it sends its body that it may."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def say(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, words = status.partition(" ")
        self.send_response(int(code), words)
        for name, value in [*headers, ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def linger(self) -> None:
        """Read on for a while, and drop it: a client that still sends would not get to the answer otherwise."""
        deadline = time.monotonic() + LINGER
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.rfile.read1(PIECE):
                    break

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
    """with EmbeddedAws(folder) as cloud: …  port 0 takes a free one; see Cloud for the others."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        waits: float = 0.001,
        published: Published | None = None,
        strangers: bool = False,
    ) -> None:
        if port:
            check_port(port)
        private.make_folder(folder)
        (folder / "policies.json").unlink(missing_ok=True)
        moto_bridge.reset()
        self.cloud = Cloud(folder, waits, published, strangers)
        self.cloud.authorizer = Authorizer(self.cloud)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        gateway = Gateway(self.cloud)
        self.cloud.gateway = gateway
        self._hosts: set[str] = set()
        handler = type("Handler", (RequestHandler,), {"further_names": self._hosts})
        self._server = make_server(HOST, port, gateway, threaded=True, request_handler=handler)
        self.cloud.endpoint = f"http://{HOST}:{self._server.server_port}"
        self._open = ExitStack()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Cloud:
        gc.set_threshold(*SELDOM)
        self._open.enter_context(private.closed_to_others())
        self._thread.start()
        return self.cloud

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._open.close()

    def adopt(self, connection: socket.socket, address: Any, host: str) -> None:
        """Serve the requests of a connection that another listener accepted for this host."""
        self._hosts.add(host)
        self._server.process_request(connection, address)

    def stop(self) -> None:
        self.cloud.stop()
        self._server.shutdown()
        self._server.server_close()
