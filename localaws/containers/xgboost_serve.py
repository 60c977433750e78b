"""What SageMaker's built-in XGBoost container does to serve a model, run as a process.

xgboost_serve.py FOLDER, where FOLDER holds the content of model.tar.gz. Listens on a free
loopback port. Its first line is the port and a key: other programs reach the port as well, so
a request needs the key in its X-Key header. GET /ping: 200 once the model is loaded.
POST /invocations: text/csv or text/libsvm in, one prediction for each row out, as text/csv,
application/json or application/jsonlines. 204 for an empty body, 400 for rows that the model
cannot take, 406 for another answer type, 413 beyond 6 MB, 415 for another content type
(SageMaker Developer Guide, "Custom Inference Code with Hosting Services", "Common data formats for inference").
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localaws.containers.booster import Booster, BoosterError, Matrix, read_csv, read_libsvm, width_of

MAX_BODY = int(os.environ.get("MAX_CONTENT_LENGTH", 6 * 1024 * 1024))
LINGER = 2.0  # seconds for which a refused request is read on
ACCEPTED = ("application/json", "application/jsonlines", "text/csv")


class Refused(Exception):  # an answer, with its status
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Model:
    """The booster of a folder; the library predicts for one caller at a time."""

    def __init__(self, folder: Path) -> None:
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        if not files:
            raise BoosterError(f"no model file in {folder.name}")
        self.booster = Booster([("nthread", "1")])
        self.booster.load(files[0])
        self.features = self.booster.features
        self.lock = threading.Lock()

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[str, str]:
        """Content type and text of the answer; Refused otherwise."""
        rows = read_rows(body, content_type)
        if width_of(rows) > self.features:
            raise Refused(
                400,
                "Unable to evaluate payload provided: Feature shape mismatch, "
                f"expected: {self.features}, got {width_of(rows)}",
            )
        with self.lock:
            try:
                predictions = self.booster.predict(Matrix(rows, self.features))
            except BoosterError as error:
                raise Refused(400, f"Unable to evaluate payload provided: {error}") from error
        wanted = answer_type(accept)
        return wanted, encode(predictions, wanted)


def read_rows(body: bytes, content_type: str) -> list[dict[int, float]]:
    """The rows of a request; Refused with 415 where they cannot be read."""
    kind = (content_type or "text/csv").lower().split(";")[0].strip()
    if kind not in {"csv", "text/csv", "libsvm", "text/libsvm", "text/x-libsvm"}:
        raise Refused(415, f"{content_type} is not an accepted ContentType: csv, libsvm, parquet, recordio-protobuf.")
    name = "csv" if "csv" in kind else "libsvm"
    try:
        text = body.decode("utf-8")
        return (read_csv(text, label=False) if name == "csv" else read_libsvm(text))[0]
    except ValueError as error:
        raise Refused(
            415,
            f"Loading {name} data failed with Exception, please ensure data is in {name} format:\n "
            f"{type(error)}\n {error}",
        ) from error


def answer_type(accept: str) -> str:
    """The content type to answer with."""
    kind = accept.split(";")[0].strip()
    if not kind or kind == "*/*":
        return os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")
    if kind.lower() not in ACCEPTED:
        raise Refused(406, f"Accept type {kind} is not supported. Please use supported accept types: {list(ACCEPTED)}.")
    return kind.lower()


def encode(predictions: list[Any], wanted: str) -> str:
    """The predictions in the wanted content type."""
    if wanted == "application/json":
        return json.dumps({"predictions": [{"score": prediction} for prediction in predictions]})
    if wanted == "application/jsonlines":
        return "".join(json.dumps({"score": prediction}) + "\n" for prediction in predictions)
    lines = (",".join(map(str, p)) if isinstance(p, list) else str(p) for p in predictions)
    return "".join(line + "\n" for line in lines)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120.0  # seconds without a byte
    model: Model
    key = secrets.token_urlsafe(30)

    def do_GET(self) -> None:  # the name is http.server's
        try:
            self.check_key()
            self.reply(200 if self.path == "/ping" else 404)
        except Refused as refused:
            self.reply(refused.status, str(refused))

    def do_POST(self) -> None:
        try:
            self.check_key()
            body = self.body()
            if self.path != "/invocations":
                self.reply(404)
            elif not body:
                self.reply(204)
            else:
                kind, text = self.model.answer(
                    body, self.headers.get("Content-Type", ""), self.headers.get("Accept", "")
                )
                self.reply(200, text, kind)
        except Refused as refused:
            self.reply(refused.status, str(refused))
            if self.close_connection:
                self.linger()

    def linger(self) -> None:
        """Read on for a while, and drop it: a client that still sends would not get to the answer otherwise."""
        deadline = time.monotonic() + LINGER
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.rfile.read1(65536):
                    break

    def check_key(self) -> None:
        given = self.headers.get("X-Key", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.key.encode()):
            self.close_connection = True  # and what follows is not read
            raise Refused(403, "This server answers the embedded AWS alone.")

    def body(self) -> bytes:
        """The body; Refused before it is read where it is too large."""
        length = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]+", length) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused(411, "A request states its length in bytes.")
        if len(length) > 12 or int(length) > MAX_BODY:
            self.close_connection = True
            raise Refused(413, "The data value transmitted exceeds the capacity limit.")
        return self.rfile.read(int(length))

    def reply(self, status: int, text: str = "", kind: str = "text/html; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        print(f"{self.command} {self.path} {args[1] if len(args) > 1 else ''}", file=sys.stderr, flush=True)


def main() -> int:
    try:
        Handler.model = Model(Path(sys.argv[1]))
    except BoosterError as error:
        print(f"Unable to load model: {error}", file=sys.stderr)
        return 1
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, Handler.key, flush=True)
    threading.Thread(target=end_with_parent, daemon=True).start()
    server.serve_forever(poll_interval=0.5)
    return 0


def end_with_parent() -> None:
    """End when the process that started this one has gone: its end of our stdin is closed."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
