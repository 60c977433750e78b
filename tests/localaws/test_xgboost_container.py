"""The embedded model server beside SageMaker's XGBoost container 3.0-5: the same requests, the same answers.

The table is what the container's own code answered in algorithm mode (github.com/aws/sagemaker-xgboost-container at
v3.0-5 on Python 3.10 with the versions of its requirements.txt), with a model of the iris data, multi:softmax.
Not in the table: nginx, which stands before it, and ml-io, whose answers are taken from their source.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.containers import process, xgboost_train
from tests.support.sagemaker_world import IRIS

ROW, TWO = "5.1,3.5,1.4,0.2", "5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5"
SPARSE = "0:5.1 1:3.5 2:1.4 3:0.2"
CSV, TEXT, PAGE, JSON = "text/csv; charset=utf-8", "text/html; charset=utf-8", "text/html", "application/json"
TYPES = (
    "csv, libsvm, parquet, recordio-protobuf, text/csv, text/libsvm, text/x-libsvm, application/x-parquet, "
    "application/x-recordio-protobuf."
)
ACCEPTS = "['application/json', 'application/jsonlines', 'application/x-recordio-protobuf', 'text/csv']."
BAD_CSV = "Loading csv data failed with Exception, please ensure data is in csv format:\n <class '{}'>\n {}"
BAD_LIBSVM = "Loading libsvm data failed with Exception, please ensure data is in libsvm format:\n <class '{}'>\n {}"
RAGGED = (
    "setting an array element with a sequence. The requested array has an inhomogeneous shape after 1 dimensions. "
    "The detected shape was ({},) + inhomogeneous part."
)
WORD = "could not convert string to float: np.str_({!r})"
WIDE = (
    "Unable to evaluate payload provided: [TIME] PLACE: Check failed: learner_model_param_.num_feature >= "
    "p_fmat->Info().num_col_ (4 vs. {}) : Number of columns does not match number of features in booster.\nTRACE"
)
INFINITE = (
    "[TIME] PLACE: Check failed: valid: Input data contains `inf` or a value too large, while `missing` is not set to "
    "`inf`\nTRACE"
)
NO_ROWS = BAD_LIBSVM.format("ValueError", "cannot infer dimensions from zero sized index arrays")
NO_DELIMITER = BAD_CSV.format("_csv.Error", "Could not determine delimiter")


def page(status: int, title: str, text: str) -> str:
    return (
        f'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<title>{status} {title}</title>\n'
        f"<h1>{title}</h1>\n<p>{text}</p>\n"
    )


BROKEN = page(
    500,
    "Internal Server Error",
    "The server encountered an internal error and was unable to complete your request. Either the server is overloaded "
    "or there is an error in the application.",
)
Request = tuple[str | bytes, str | None, str | None]
ANSWERS: list[tuple[Request, int, str, str]] = [
    # body, content type, accept: status, content type, body
    ((ROW, "text/csv", None), 200, CSV, "0.0\n"),
    ((ROW + "\n", "text/csv", None), 200, CSV, "0.0\n"),
    ((TWO, "text/csv", None), 200, CSV, "0.0\n2.0\n"),
    ((TWO + "\n", "text/csv", None), 200, CSV, "0.0\n2.0\n"),
    ((TWO.replace("\n", "\r\n"), "text/csv", None), 200, CSV, "0.0\n2.0\n"),
    (("5.1, 3.5, 1.4, 0.2", "text/csv", None), 200, CSV, "0.0\n"),
    (("5.1,,1.4,0.2", "text/csv", None), 200, CSV, "0.0\n"),
    (("5.1,nan,1.4,0.2", "text/csv", None), 200, CSV, "0.0\n"),
    (("5.1", "text/csv", None), 200, CSV, "2.0\n"),
    (("5", "text/csv", None), 200, CSV, "2.0\n"),
    (("1,2,3,4\0", "text/csv", None), 200, CSV, "2.0\n"),
    (("1_0,2,3,4", "text/csv", None), 200, CSV, "2.0\n"),
    ((ROW, "text/csv; charset=utf-8", None), 200, CSV, "0.0\n"),
    ((ROW, "text/csv;label_size=1", None), 200, CSV, "0.0\n"),
    ((ROW, "TEXT/CSV", None), 200, CSV, "0.0\n"),
    ((ROW, "csv", None), 200, CSV, "0.0\n"),
    # delimiters
    ((ROW.replace(",", ";"), "text/csv", None), 200, CSV, "0.0\n"),
    ((ROW.replace(",", "\t"), "text/csv", None), 200, CSV, "0.0\n"),
    ((ROW.replace(",", " "), "text/csv", None), 200, CSV, "0.0\n"),
    ((ROW.replace(",", ":"), "text/csv", None), 200, CSV, "0.0\n"),
    ((ROW.replace(",", "|"), "text/csv", None), 415, TEXT, BAD_CSV.format("ValueError", WORD.format("1|3"))),
    ((" ", "text/csv", None), 415, TEXT, NO_DELIMITER),
    (("\n", "text/csv", None), 415, TEXT, NO_DELIMITER),
    # what a client accepts
    ((TWO, "text/csv", "application/json"), 200, JSON, '{"predictions": [{"score": 0.0}, {"score": 2.0}]}'),
    ((ROW, "text/csv", "APPLICATION/JSON"), 200, JSON, '{"predictions": [{"score": 0.0}]}'),
    ((ROW, "text/csv", "text/csv; q=0.5"), 200, CSV, "0.0\n"),
    ((ROW, "text/csv", "*/*"), 200, CSV, "0.0\n"),
    ((ROW, "text/csv", ""), 200, CSV, "0.0\n"),
    ((ROW, "text/csv", "application/jsonlines"), 500, PAGE, BROKEN),
    ((ROW, "text/csv", "application/x-recordio-protobuf"), 500, PAGE, BROKEN),
    (
        (ROW, "text/csv", "text/html"),
        406, TEXT, f"Accept type text/html is not supported. Please use supported accept types: {ACCEPTS}",
    ),
    (
        (ROW, "text/csv", "text/csv, application/json"),
        406, TEXT,
        f"Accept type text/csv, application/json is not supported. Please use supported accept types: {ACCEPTS}",
    ),
    # content types
    ((ROW, None, None), 415, TEXT, NO_ROWS),
    ((ROW, "", None), 415, TEXT, f" is not an accepted ContentType: {TYPES}"),
    (("{}", "application/json", None), 415, TEXT, f"application/json is not an accepted ContentType: {TYPES}"),
    ((ROW, "text/csv , x", None), 415, TEXT, f"text/csv , x is not an accepted ContentType: {TYPES}"),
    ((ROW, "application/x-parquet", None), 415, TEXT, "Content-type application/x-parquet is not supported."),
    (
        (ROW, "text/csv;label_size=2", None),
        415, TEXT,
        "text/csv;label_size=2 is not an accepted csv ContentType. Optional parameter label_size must be equal to 1",
    ),
    (("", "text/csv", None), 204, TEXT, ""),
    (("", "application/json", None), 204, TEXT, ""),
    (("a=1", "application/x-www-form-urlencoded", None), 204, TEXT, ""),
    # libsvm
    ((SPARSE, "text/libsvm", None), 200, CSV, "0.0\n"),
    ((SPARSE, "text/x-libsvm", None), 200, CSV, "0.0\n"),
    ((f"1 {SPARSE}\n0 0:6.3 2:6.0", "text/libsvm", None), 200, CSV, "0.0\n2.0\n"),
    (("0:5.1\n\n1\n2:3", "text/libsvm", None), 200, CSV, "2.0\n2.0\n2.0\n2.0\n"),
    (("0:5.1\n1", "text/libsvm", None), 200, CSV, "2.0\n"),
    (("0:1 0:2", "text/libsvm", None), 200, CSV, "2.0\n"),
    (("1:5.1 2:3.5 3:1.4 4:0.2", "text/libsvm", None), 400, TEXT, WIDE.format(5)),
    (("4294967296:1", "text/libsvm", None), 400, TEXT, WIDE.format(4294967297)),
    (("0:a", "text/libsvm", None), 415, TEXT, BAD_LIBSVM.format("ValueError", WORD.format("a"))),
    (
        ("a:1", "text/libsvm", None),
        415, TEXT, BAD_LIBSVM.format("ValueError", "invalid literal for int() with base 10: np.str_('a')"),
    ),
    (("-1:5", "text/libsvm", None), 415, TEXT, BAD_LIBSVM.format("ValueError", "negative axis 1 index: -1")),
    (
        ("99999999999999999999:1", "text/libsvm", None),
        415, TEXT, BAD_LIBSVM.format("OverflowError", "Python int too large to convert to C long"),
    ),
    (("0:inf", "text/libsvm", None), 415, TEXT, BAD_LIBSVM.format("xgboost.core.XGBoostError", INFINITE)),
    # rows that the model cannot take
    ((ROW + ",0.1", "text/csv", None), 400, TEXT, WIDE.format(5)),
    (("1,2\n1,2,3\n", "text/csv", None), 415, TEXT, BAD_CSV.format("ValueError", RAGGED.format(2))),
    ((TWO.replace("\n", "\n\n"), "text/csv", None), 415, TEXT, BAD_CSV.format("ValueError", RAGGED.format(3))),
    (("a,b,c,d\n", "text/csv", None), 415, TEXT, BAD_CSV.format("ValueError", WORD.format("a"))),
    (("5.1, ,1.4,0.2", "text/csv", None), 415, TEXT, BAD_CSV.format("ValueError", WORD.format(" "))),
    (('"5.1","3.5","1.4","0.2"', "text/csv", None), 415, TEXT, BAD_CSV.format("ValueError", WORD.format('"5.1"'))),
    (("5.1,1e39,1.4,0.2", "text/csv", None), 415, TEXT, BAD_CSV.format("xgboost.core.XGBoostError", INFINITE)),
    (
        (b"\xff\xfe", "text/csv", None),
        415, TEXT,
        BAD_CSV.format("UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ),
    (
        ("9" * 6291457, "text/csv", None),
        413, PAGE,
        page(413, "Request Entity Too Large", "The data value transmitted exceeds the capacity limit."),
    ),
]  # fmt: skip
NO_METHOD = page(405, "Method Not Allowed", "The method is not allowed for the requested URL.")
NO_PAGE = page(
    404,
    "Not Found",
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try "
    "again.",
)
ROUTES = [
    ("GET", "/ping", 200, TEXT, ""),
    ("POST", "/ping", 405, PAGE, NO_METHOD),
    ("GET", "/invocations", 405, PAGE, NO_METHOD),
    ("GET", "/pingpong", 404, PAGE, NO_PAGE),
    ("GET", "/other", 404, "application/octet-stream", "{}"),  # nginx.conf.template of sagemaker-containers 2.8.6
    (
        "GET", "/execution-parameters", 200, JSON,
        f'{{"MaxConcurrentTransforms": {os.cpu_count()}, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}}',
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """One model server, asked by every test."""
    folder = tmp_path_factory.mktemp("container")
    config, data = folder / "input" / "config", folder / "input" / "data" / "train"
    config.mkdir(parents=True)
    data.mkdir(parents=True)
    settings = {"objective": "multi:softmax", "num_class": "3", "num_round": "5", "eval_metric": "merror"}
    (config / "hyperparameters.json").write_text(json.dumps(settings))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {"ContentType": "text/csv"}}))
    (data / "iris.csv").write_bytes(IRIS.read_bytes())
    xgboost_train.train(folder)
    running = process.start("xgboost_serve", folder / "model", {}, subprocess.DEVNULL)
    assert running.stdout is not None
    assert running.stdin is not None
    port, key = running.stdout.readline().split()
    yield Wire(int(port), key)
    running.stdin.close()
    running.wait(10)
    running.stdout.close()


class Wire:
    """The server's port, and the key that it wants."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, str]:
        """Status, content type and text of the answer, without what changes from build to build."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"X-Key": self.key, **named})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        text = re.sub(r"\[\d\d:\d\d:\d\d\] \S+?:\d+: ", "[TIME] PLACE: ", text)
        text = re.sub(r"Stack trace:\n  \[bt\] .*", "TRACE", text, flags=re.DOTALL)
        return answer.status, answer.headers["Content-Type"], text


@pytest.mark.parametrize(("request_", "status", "kind", "text"), ANSWERS, ids=range(len(ANSWERS)))
def test_a_request_is_answered_as_the_container_3_0_5_answers_it(
    wire: Wire, request_: Request, status: int, kind: str, text: str
) -> None:
    body, content_type, accept = request_
    headers = {"Content_Type": content_type, "Accept": accept}
    given = {name: value for name, value in headers.items() if value is not None}
    sent = body.encode() if isinstance(body, str) else body
    assert wire.ask("POST", "/invocations", sent, **given) == (status, kind, text)


@pytest.mark.parametrize(("method", "path", "status", "kind", "text"), ROUTES)
def test_a_path_is_answered_as_the_container_3_0_5_answers_it(
    wire: Wire, method: str, path: str, status: int, kind: str, text: str
) -> None:
    assert wire.ask(method, path) == (status, kind, text)


# -- recordio-protobuf -------------------------------------------------------------------------


def field(number: int, content: bytes) -> bytes:
    """A protobuf field of bytes, shorter than 128."""
    return bytes([number << 3 | 2, len(content)]) + content


def record(tensor: bytes) -> bytes:
    """A frame with a record whose feature "values" is a float32 tensor."""
    message = field(1, field(1, b"values") + field(2, field(2, tensor)))
    return struct.pack("<II", 0xCED7230A, len(message)) + message + b"\0" * (-len(message) % 4)


DENSE = record(field(1, struct.pack("<4f", 5.1, 3.5, 1.4, 0.2)))
OF_KEYS = record(field(1, struct.pack("<2f", 6.3, 6.0)) + field(2, b"\0\2") + field(3, b"\4"))
BAD_RECORD = (
    "Loading recordio-protobuf data failed with Exception, please ensure data is in recordio-protobuf format: "
    "<class 'mlio._core.{}'> {}"
)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (DENSE * 2, 200, "0.0\n0.0\n"),
        (OF_KEYS, 200, "2.0\n"),
        (record(field(1, struct.pack("<5f", 1, 2, 3, 4, 5))), 400, WIDE.format(5)),
        (
            ROW.encode(),
            415,
            BAD_RECORD.format("CorruptHeaderError", "The header does not start with the RecordIO magic number."),
        ),
        (b"1,2", 415, BAD_RECORD.format("CorruptHeaderError", "The record does not have a valid RecordIO header.")),
        (
            DENSE[:-4],
            415,
            BAD_RECORD.format(
                "CorruptHeaderError", "The record is shorter than the size specified in the RecordIO header."
            ),
        ),
        (
            struct.pack("<II", 0xCED7230A, 4) + b"\x0a\x7f\x0a\x00",
            415,
            BAD_RECORD.format("InvalidInstanceError", "The instance #0 contains a corrupt RecordIO-protobuf message."),
        ),
        (
            DENSE + record(field(1, struct.pack("<f", 5.1))),
            415,
            BAD_RECORD.format(
                "InvalidInstanceError", "The feature 'values' has another shape than that of the first instance."
            ),
        ),
    ],
    ids=range(8),
)
def test_recordio_protobuf_is_read(wire: Wire, body: bytes, status: int, text: str) -> None:
    kind = CSV if status == 200 else TEXT
    given = {"Content_Type": "application/x-recordio-protobuf"}
    assert wire.ask("POST", "/invocations", body, **given) == (status, kind, text)


def test_a_second_file_beside_the_model_is_loaded_as_a_model_too(tmp_path: Path) -> None:
    """The container loads every file of the archive: a notes file among them ends it."""
    (tmp_path / "notes.txt").write_text("notes")
    running = process.start("xgboost_serve", tmp_path, {}, subprocess.STDOUT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Model /opt/ml/model/notes.txt cannot be loaded" in output
