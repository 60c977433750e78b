"""The containers that the embedded AWS starts: what the built-in XGBoost container takes and answers."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from localaws.containers import process, xgboost_hyperparameters, xgboost_serve, xgboost_train
from localaws.containers.booster import BoosterError
from tests.support.sagemaker_world import IRIS

GOOD = {"num_round": "3", "objective": "multi:softprob", "num_class": "3"}


def make_folder(tmp_path: Path, hyperparameters: dict[str, str], content_type: str = "text/csv") -> Path:
    """A folder like /opt/ml with the iris data as its train channel."""
    config, data = tmp_path / "input" / "config", tmp_path / "input" / "data" / "train"
    config.mkdir(parents=True)
    data.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {"ContentType": content_type}}))
    (data / "iris.csv").write_bytes(IRIS.read_bytes())
    return tmp_path


def test_training_is_the_same_every_time(tmp_path: Path) -> None:
    """A version that is trained again from the same data is the same model."""
    models = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folder = make_folder(tmp_path / name, GOOD)
        xgboost_train.train(folder)
        models.append((folder / "model" / "xgboost-model").read_bytes())
    assert models[0] == models[1]


def test_probabilities_come_one_row_a_line(tmp_path: Path) -> None:
    xgboost_train.train(make_folder(tmp_path, GOOD))
    model = xgboost_serve.Model(tmp_path / "model")
    kind, text = model.answer(b"5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n", "text/csv; charset=utf-8", "*/*")
    rows = [[float(cell) for cell in line.split(",")] for line in text.splitlines()]
    assert kind == "text/csv; charset=utf-8"
    assert [row.index(max(row)) for row in rows] == [0, 2]
    assert sum(rows[0]) == pytest.approx(1, abs=1e-5)
    _, answer = model.answer(b"5.1,3.5,1.4,0.2", "text/csv", "application/json")
    assert json.loads(answer)["predictions"][0]["score"] == pytest.approx(rows[0])


def test_aliases_and_thresholds_are_understood() -> None:
    given = {"num_round": "1", "learning_rate": "0.1", "reg_lambda": "2", "eval_metric": "error@0.7"}
    assert xgboost_hyperparameters.validated(given) == {
        "num_round": "1", "eta": "0.1", "lambda": "2", "eval_metric": "error@0.7",
    }  # fmt: skip


def test_a_container_sees_nothing_of_this_machines_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for the container")
    folder = make_folder(tmp_path, {"objective": "reg:squarederror"})
    running = process.start("xgboost_train", folder, {}, subprocess.STDOUT)
    seen = Path(f"/proc/{running.pid}/environ").read_bytes()
    output, _ = running.communicate(timeout=60)
    assert b"not for the container" not in seen
    assert running.returncode == 1
    assert "Missing required hyperparameter: num_round" in output
    assert (folder / "output" / "failure").read_text().startswith("framework error: \nTraceback")


def test_a_server_ends_when_its_starter_has_gone(tmp_path: Path) -> None:
    """The embedded AWS may be killed: no model server stays behind."""
    xgboost_train.train(make_folder(tmp_path, GOOD))
    running = process.start("xgboost_serve", tmp_path / "model", {}, subprocess.DEVNULL)
    assert running.stdout is not None
    assert running.stdin is not None
    assert int(running.stdout.readline().split()[0]) > 0
    running.stdin.close()
    assert running.wait(timeout=60) == 0
    running.stdout.close()


def test_an_invalid_model_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "xgboost-model").write_bytes(b"no model")
    with pytest.raises(BoosterError):
        xgboost_serve.Model(tmp_path)


# -- the server's port -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str, int]]:
    """Port, key and process id of a model server."""
    folder = tmp_path_factory.mktemp("served")
    xgboost_train.train(make_folder(folder, GOOD))
    running = process.start("xgboost_serve", folder / "model", {}, subprocess.DEVNULL)
    assert running.stdout is not None
    port, key = running.stdout.readline().split()
    yield int(port), key, running.pid
    assert running.stdin is not None
    running.stdin.close()
    running.wait(10)


def answered(port: int, head: str, rest: Iterable[bytes] = ()) -> int:
    """The status of a request, sent byte by byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        with suppress(OSError):
            wire.sendall(f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n{head}\r\n\r\n".encode())
            for piece in rest:
                wire.sendall(piece)
        return int((wire.recv(100).split() or [b"", b"0"])[1])


def test_a_model_server_answers_only_who_has_its_key(served: tuple[int, str, int]) -> None:
    port, key, _ = served
    assert answered(port, f"X-Key: {key}\r\nContent-Length: 7", [b"1,2,3,4"]) == 200
    for given in ("Content-Length: 7", "X-Key: wrong\r\nContent-Length: 7", "X-Key: é\r\nContent-Length: 7"):
        assert answered(port, given, [b"1,2,3,4"]) == 403


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: 4294967296", 413),
        (f"Content-Length: {'9' * 5000}", 413),
        ("Content-Length: 6291457", 413),
        ("Content-Length: -1", 411),
        ("Content-Length: ²", 411),
        ("Transfer-Encoding: chunked", 411),
    ],
)
def test_a_model_server_reads_no_body_that_is_too_large(served: tuple[int, str, int], head: str, status: int) -> None:
    port, key, pid = served
    before = resident(pid)
    assert answered(port, f"X-Key: {key}\r\n{head}") == status
    assert resident(pid) - before < 32 * 1024
    assert answered(port, f"X-Key: {key}\r\nContent-Length: 7", [b"1,2,3,4"]) == 200


def resident(pid: int) -> int:
    """KiB of memory that a process takes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
