"""What SageMaker's scikit-learn and XGBoost containers do to serve a team's own functions, run as a process in a room.

    script_serve.py TOOLKIT MODULE FOLDER

TOOLKIT: sagemaker-scikit-learn or sagemaker-xgboost; MODULE: the script's name; FOLDER: where the script is. It
listens on the loopback port SAGEMAKER_BIND_TO_PORT, and answers requests that carry SERVING_KEY in their X-Key header.

The script's model_fn loads /opt/ml/model; its input_fn, predict_fn and output_fn, or transform_fn in place of the
three, answer POST /invocations; what it lacks is the toolkit's own. It answers as the containers' public code does
(github.com/aws/sagemaker-containers: _worker.py, _transformer.py, _encoders.py; serving.py and encoder.py of
github.com/aws/sagemaker-scikit-learn-container and …/sagemaker-xgboost-container): every error of a function is the web
server's page of status 500, a format that no function takes among them. Each of SAGEMAKER_MODEL_SERVER_WORKERS
processes loads the model; SageMaker starts one for each processor, here it is one unless the variable says more.

It runs with the image's packages alone, and loads none of them before a function needs it.
"""

from __future__ import annotations

import csv
import hmac
import importlib
import io
import json
import os
import re
import signal
import socket
import sys
import tempfile
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

JSON, CSV, NPY, ANY = "application/json", "text/csv", "application/x-npy", "*/*"
LIBSVM = ("text/libsvm", "text/x-libsvm")
TEXTS = (JSON, CSV)
XGBOOST = "sagemaker-xgboost"
MODEL = os.environ.get("SM_MODEL_DIR", "/opt/ml/model")
DEFAULT_ACCEPT = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
MOST = 6 * 1024 * 1024  # bytes of a request
PAGES = {
    404: (
        "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling "
        "and try again.",
    ),
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
    413: ("Request Entity Too Large", "The data value transmitted exceeds the capacity limit."),
    500: (
        "Internal Server Error",
        "The server encountered an internal error and was unable to complete your request. Either the server is "
        "overloaded or there is an error in the application.",
    ),
}
HEADS = {  # of the Flask in each image: 1.1 in XGBoost's, 3.1 in scikit-learn's
    XGBOOST: '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n',
    "": "<!doctype html>\n<html lang=en>\n",
}


class Unsupported(Exception):
    """A content type that the toolkit's own function does not take."""


def error_page(toolkit: str, status: int) -> str:
    """The page of the web server in a toolkit's image."""
    title, text = PAGES[status]
    head = HEADS.get(toolkit, HEADS[""])
    return f"{head}<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"


def library(name: str) -> Any:
    """A package of the image's, not of the rehearsal's."""
    return importlib.import_module(name)


def decode(toolkit: str, content: Any, kind: str) -> Any:
    """input_fn of the toolkit: an array, or XGBoost's matrix."""
    if toolkit == XGBOOST:
        return matrix(content, kind)
    np = library("numpy")
    if kind == NPY:
        return np.load(io.BytesIO(content), allow_pickle=True)
    if kind == JSON:
        return np.array(json.loads(content)).astype(np.float32)
    if kind == CSV:
        rows = list(csv.reader(io.StringIO(content), strict=True))
        return np.array(rows).squeeze().astype(float).astype(np.float32)  # one row becomes a vector, as there
    raise Unsupported(f"Content type {kind} is not supported by this framework.")


def matrix(content: Any, kind: str) -> Any:
    if kind not in (CSV, *LIBSVM):
        raise Unsupported(f"Content type {kind} is not supported by this framework.")
    np, xgboost = library("numpy"), library("xgboost")
    if kind == CSV:
        text = content if isinstance(content, str) else content.decode()
        found = csv.Sniffer().sniff(text.split("\n")[0][:512]).delimiter
        mark = "," if re.fullmatch("[A-Za-z0-9]", found) else found
        rows = [["nan" if cell == "" else cell for cell in line.split(mark)] for line in text.split("\n")]
        return xgboost.DMatrix(np.array(rows).astype(float))
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return xgboost.DMatrix(f"{file.name}?format=libsvm")


def predict(toolkit: str, data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False) if toolkit == XGBOOST else model.predict(data)


def encode(prediction: Any, accept: str) -> Any:
    """output_fn of both toolkits."""
    if accept == JSON:
        return json.dumps(prediction, default=listed)
    np = library("numpy")
    if accept == NPY:
        buffer = io.BytesIO()
        np.save(buffer, prediction)
        return buffer.getvalue()
    if accept == CSV:
        array = np.array(prediction)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n", strict=True).writerows(array.reshape(-1, 1) if array.ndim == 1 else array)
        return text.getvalue()
    raise Unsupported(f"Content type {accept} is not supported by this framework.")


def listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


class Script:
    """The team's functions, with the model that they have loaded."""

    def __init__(self, toolkit: str, module: str) -> None:
        found = importlib.import_module(module)
        named = {name: getattr(found, f"{name}_fn", None) for name in ("model", "input", "predict", "output")}
        self.transform = getattr(found, "transform_fn", None)
        if self.transform and (named["input"] or named["predict"] or named["output"]):
            raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        if named["model"] is None:
            raise NotImplementedError(
                "\nPlease provide a model_fn implementation.\n"
                "See documentation for model_fn at https://github.com/aws/sagemaker-python-sdk\n"
            )
        self.input = named["input"] or (lambda content, kind: decode(toolkit, content, kind))
        self.predict = named["predict"] or (lambda data, model: predict(toolkit, data, model))
        self.output = named["output"] or (lambda prediction, accept: (encode(prediction, accept), accept))
        self.model = named["model"](MODEL)

    def answer(self, body: bytes, kind: str, accept: str) -> tuple[bytes, str]:
        """Body and content type of the answer; whatever a function raises otherwise."""
        content = body.decode("utf-8") if kind in TEXTS else body
        if self.transform is not None:
            result = self.transform(self.model, content, kind, accept)
        else:
            result = self.output(self.predict(self.input(content, kind), self.model), accept)
        if isinstance(result, tuple):
            result, shown = result[0], result[1]
        elif isinstance(result, dict | list):
            result, shown = json.dumps(result), JSON
        else:
            shown = "text/html; charset=utf-8"
        if isinstance(result, str):
            result = result.encode("utf-8")
        if not isinstance(result, bytes):
            raise TypeError(f"The view function did not return a valid response, but {type(result).__name__}")
        return result, str(shown)


class Handler(BaseHTTPRequestHandler):
    """GET /ping, and POST /invocations for the script."""

    protocol_version = "HTTP/1.1"
    server: Server

    def send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def page(self, status: int) -> None:
        self.send(
            status,
            error_page(self.server.toolkit, status).encode(),
            "text/html" if self.server.toolkit == XGBOOST else "text/html; charset=utf-8",
        )

    def handle_request(self) -> None:
        if not hmac.compare_digest(self.headers.get("X-Key", ""), self.server.key):
            self.send(403, b"", "text/plain")
            return
        wanted = {"/ping": "GET", "/invocations": "POST"}.get(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if wanted != self.command:
            self.page(404 if wanted is None else 405)
        elif length > MOST:
            self.page(413)
        elif wanted == "GET":
            self.send(200, b"", JSON)
        else:
            self.invoke(self.rfile.read(length))

    def invoke(self, body: bytes) -> None:
        kind = self.headers.get("ContentType") or self.headers.get("Content-Type") or JSON
        accept = self.headers.get("Accept") or ANY
        try:
            answer, shown = self.server.script.answer(body, kind, DEFAULT_ACCEPT if accept == ANY else accept)
        except Exception:  # a team's function may raise anything
            print(f"Exception on /invocations [POST]\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            self.page(500)
        else:
            self.send(200, answer, shown)

    do_GET = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815  # the names of http.server

    def log_message(self, format: str, *args: Any) -> None:
        print(f'{self.client_address[0]} - "{self.requestline}" {args[1]}', file=sys.stderr, flush=True)


class Server(HTTPServer):
    def __init__(self, listener: socket.socket, toolkit: str, key: str, script: Script) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.toolkit, self.key, self.script = listener, toolkit, key, script


def main() -> int:
    toolkit, module, folder = sys.argv[1:]
    sys.path[0] = folder
    del sys.argv[1:]
    key = os.environ.pop("SERVING_KEY", "")
    os.chdir(folder)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))))
    workers = int(os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS") or 1)
    children: list[int] = []
    while len(children) < workers - 1:
        child = os.fork()
        if child == 0:
            children = []
            break
        children.append(child)
    try:
        script = Script(toolkit, module)
    except Exception:  # likewise, at its import too
        traceback.print_exc()
        for child in children:
            os.kill(child, signal.SIGTERM)
        return 1
    listener.listen(128)
    Server(listener, toolkit, key, script).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
