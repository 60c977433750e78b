"""What SageMaker's built-in XGBoost container 3.0-5 does to serve a model, run as a process.

xgboost_serve.py FOLDER, where FOLDER holds the content of model.tar.gz. Listens on a free
loopback port. Its first line is the port and a key: other programs reach the port as well, so
a request needs the key in its X-Key header. GET /ping: 200 once the model is loaded.
GET /execution-parameters: what a batch transform would use. POST /invocations: text/csv, text/libsvm
or recordio-protobuf in, one prediction for each row out, as text/csv or application/json. It answers as
the container's public code does behind its web servers, word for word
(github.com/aws/sagemaker-xgboost-container at v3.0-5: serve.py, serve_utils.py; Developer Guide,
"Custom Inference Code with Hosting Services", "Common data formats for inference").
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

from localaws.containers.booster import Booster, BoosterError, Matrix
from localaws.containers.content_types import CSV, LIBSVM, RECORDIO, CustomerError, kind_of
from localaws.containers.request_rows import read_csv, read_libsvm, read_recordio
from localaws.containers.script_serve import XGBOOST, error_page

MAX_BODY = int(os.environ.get("MAX_CONTENT_LENGTH", 6 * 1024 * 1024))
LINGER = 2.0  # seconds for which a refused request is read on
TEXT, PAGE = "text/html; charset=utf-8", "text/html"
ACCEPTED = ["application/json", "application/jsonlines", "application/x-recordio-protobuf", "text/csv"]
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")  # the web server takes their bodies for itself
READERS = {CSV: read_csv, LIBSVM: read_libsvm, RECORDIO: read_recordio}
METHODS = {"/ping": "GET", "/execution-parameters": "GET", "/invocations": "POST"}


class Refused(Exception):  # an answer, with its status
    """An answer that is no prediction; without a message, the web server's page for the status."""

    def __init__(self, status: int, message: str | None = None, kind: str = TEXT) -> None:
        super().__init__(error_page(XGBOOST, status) if message is None else message)
        self.status = status
        self.kind = PAGE if message is None else kind


class Model:
    """The booster of a folder; the library predicts for one caller at a time."""

    def __init__(self, folder: Path) -> None:
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        if not files:
            raise BoosterError(f"no model file in {folder.name}")
        boosters = [loaded(file) for file in files]  # the container loads every file, and predicts with all of them
        if len(boosters) > 1:
            raise BoosterError(f"Not supported by the embedded AWS: an ensemble of {len(boosters)} models")
        self.booster = boosters[0]
        self.lock = threading.Lock()

    def answer(self, body: bytes, content_type: str | None, accept: str) -> tuple[str, str]:
        """Content type and text of the answer; Refused otherwise."""
        rows = read_rows(body, content_type)
        with self.lock:
            try:
                predictions = self.booster.predict(rows)
            except BoosterError as error:
                raise Refused(400, f"Unable to evaluate payload provided: {error}") from error
        return encode(predictions, answer_type(accept))


def loaded(file: Path) -> Booster:
    """The model of a file; BoosterError where it is none."""
    booster = Booster([("nthread", "1")])
    try:
        booster.load(file)
    except BoosterError as error:
        raise BoosterError(f"Model /opt/ml/model/{file.name} cannot be loaded:\n{error}") from error
    return booster


def read_rows(body: bytes, content_type: str | None) -> Matrix:
    """The rows of a request; Refused with 415 where they cannot be read."""
    try:
        kind = kind_of(content_type)
    except CustomerError as error:
        raise Refused(415, str(error)) from error
    if kind not in READERS:
        raise Refused(415, f"Content-type {content_type} is not supported.")
    try:
        return READERS[kind](body)
    except Exception as error:  # the container passes on whatever happened
        space = " " if kind == RECORDIO else "\n "
        raise Refused(
            415,
            f"Loading {kind} data failed with Exception, please ensure data is in {kind} format:{space}"
            f"{named(error)}{space}{error}",
        ) from error


def named(error: Exception) -> str:
    """The class of an error, as Python shows it in the container."""
    return "<class 'xgboost.core.XGBoostError'>" if isinstance(error, BoosterError) else str(type(error))


def answer_type(accept: str) -> str:
    """The content type to answer with."""
    kind = accept.split(";")[0].strip()
    if not kind or kind == "*/*":
        return os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")
    if kind.lower() not in ACCEPTED:
        raise Refused(406, f"Accept type {kind} is not supported. Please use supported accept types: {ACCEPTED}.")
    return kind.lower()


def encode(predictions: list[Any], wanted: str) -> tuple[str, str]:
    """Content type and text of the predictions. The container accepts two types that it then cannot write."""
    if wanted == "application/json":
        return wanted, json.dumps({"predictions": [{"score": prediction} for prediction in predictions]})
    if wanted != "text/csv":
        raise Refused(500)
    lines = (",".join(map(str, p)) if isinstance(p, list) else str(p) for p in predictions)
    return "text/csv; charset=utf-8", "".join(line + "\n" for line in lines)


def execution_parameters() -> str:
    """What a batch transform asks for before it begins."""
    return json.dumps(
        {
            "MaxConcurrentTransforms": os.cpu_count(),
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": MAX_BODY // 1024**2,
        }
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120.0  # seconds without a byte
    model: Model
    key = secrets.token_urlsafe(30)

    def do_GET(self) -> None:  # the name is http.server's
        self.handle_request("GET")

    def do_POST(self) -> None:
        self.handle_request("POST")

    def handle_request(self, method: str) -> None:
        try:
            self.check_key()
            body = self.body()
            self.check_route(method)
            if self.path == "/ping":
                self.reply(200)
            elif self.path == "/execution-parameters":
                self.reply(200, execution_parameters(), "application/json")
            else:
                self.predict(body)
        except Refused as refused:
            self.reply(refused.status, str(refused), refused.kind)
            if self.close_connection:
                self.linger()

    def predict(self, body: bytes) -> None:
        content_type = self.headers.get("Content-Type")
        if not body or (content_type or "").split(";")[0].strip().lower() in FORMS:
            self.reply(204)
            return
        kind, text = self.model.answer(body, content_type, self.headers.get("Accept", ""))
        self.reply(200, text, kind)

    def check_route(self, method: str) -> None:
        """Refused for a path or a method that does not exist: by nginx, or by the application behind it."""
        if not self.path.startswith(tuple(METHODS)):
            raise Refused(404, "{}", "application/octet-stream")
        if self.path not in METHODS:
            raise Refused(404)
        if METHODS[self.path] != method:
            raise Refused(405)

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
            raise Refused(413)
        return self.rfile.read(int(length))

    def reply(self, status: int, text: str = "", kind: str = TEXT) -> None:
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
