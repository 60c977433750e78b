"""One invocation of a Python function: the runtime that calls the handler, as a program of its own.

AWS Lambda Developer Guide, "Building Lambda functions with Python" (the handler, the context object, logging, the
errors), "Using the Lambda runtime environment". Started with Python's own library only; the function's folder and
the packages of Lambda's runtime come first and last on the path.

    python -I -S lambda_python.py REQUEST.json DESCRIPTOR

REQUEST.json: event, context, handler, packages. To the descriptor go lines of JSON: {"ready": true} once the module
is loaded, then {"memory": MB} with {"payload": …} or {"error": {…}}.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Failed(Exception):
    """The invocation failed: what Lambda answers in place of a result."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.description = {"errorMessage": message, "errorType": kind, "stackTrace": trace or []}


class Context:
    """The context object that a handler gets ("Using the Lambda context object to retrieve Python function…")."""

    identity = None

    def __init__(self, given: dict[str, Any]) -> None:
        self.function_name = given["function_name"]
        self.function_version = given["function_version"]
        self.invoked_function_arn = given["invoked_function_arn"]
        self.memory_limit_in_mb = str(given["memory"])
        self.aws_request_id = given["request_id"]
        self.log_group_name = given["log_group"]
        self.log_stream_name = given["log_stream"]
        self.client_context = given["client_context"]
        self._end = time.monotonic() + given["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))

    def started(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds


class LogHandler(logging.Handler):
    """Log records as Lambda writes them: level, time and request in front."""

    def __init__(self, request_id: str) -> None:
        super().__init__()
        self.setFormatter(
            logging.Formatter(
                f"[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t{request_id}\t%(message)s", "%Y-%m-%dT%H:%M:%S"
            )
        )
        assert self.formatter is not None
        self.formatter.converter = time.gmtime

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), flush=True)


def load(handler: str) -> Any:
    """The function that "index.handler" or "folder/file.function" names."""
    module_name, dot, name = handler.rpartition(".")
    if not dot:
        raise Failed(
            "Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Failed("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        text = f"Syntax error in module '{module_name}': {error}"
        raise Failed("Runtime.UserCodeSyntaxError", text, traceback.format_exception_only(error)) from error
    if not hasattr(module, name):
        raise Failed("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    return getattr(module, name)


def serialized(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise Failed("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def failure(error: BaseException) -> Failed:
    """An error of the function's own, without the frames of this program."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return Failed(type(error).__name__, str(error), traceback.format_list(frames))


def run(request: dict[str, Any], tell: Any) -> str:
    context = Context(request["context"])
    logging.root.addHandler(LogHandler(context.aws_request_id))
    try:
        handler = load(request["handler"])
        tell({"ready": True})
        context.started(request["context"]["timeout"])
        return serialized(handler(json.loads(request["event"]), context))
    except Failed:
        raise
    except Exception as error:
        raise failure(error) from error


def main() -> int:
    path, descriptor = sys.argv[1], int(sys.argv[2])
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    os.set_inheritable(descriptor, False)
    answer = os.fdopen(descriptor, "w", encoding="utf-8")

    def tell(what: dict[str, Any]) -> None:
        answer.write(json.dumps(what) + "\n")
        answer.flush()

    extra = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part]
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], *extra]
    sys.path.append(request["packages"])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        outcome: dict[str, Any] = {"payload": run(request, tell)}
    except Failed as failed:
        outcome = {"error": failed.description}
        print(f"[ERROR] {failed.description['errorType']}: {failed}\n" + "".join(failed.description["stackTrace"]))
    sys.stdout.flush()
    tell({**outcome, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024})
    return 0


if __name__ == "__main__":
    sys.exit(main())
