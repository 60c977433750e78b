"""Beyond a number of containers, endpoints with the same image and model share one; each is still pinged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.services.sagemaker import shared
from localaws.services.sagemaker.models import Container
from localaws.services.sagemaker.shared import Running, Shared, identity

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True)
    yield Running(process, 1, "key", tmp_path)
    process.kill()
    process.wait()


def test_the_first_containers_are_each_an_endpoints_own(running: Running) -> None:
    pool = Shared()
    assert pool.join("a") is None
    pool.offer("a", running)
    for _ in range(shared.OWN - 1):
        assert pool.join("a") is None
    assert pool.join("a") is running
    assert pool.join("b") is None, "another model has a container of its own"


def test_a_shared_container_ends_with_its_last_endpoint(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "OWN", 1)
    pool = Shared()
    pool.join("a")
    pool.offer("a", running)
    assert pool.join("a") is running
    assert not pool.leave(running)
    assert pool.leave(running)
    assert pool.join("a") is None


def test_a_container_that_died_is_not_shared(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "OWN", 0)
    pool = Shared()
    pool.offer("a", running)
    running.process.kill()
    running.process.wait()
    assert pool.join("a") is None
    pool.give_up()
    assert pool.count == 0


def test_image_variables_and_model_make_the_identity_and_the_region_does_not() -> None:
    one = Container(IMAGE, "s3://a/model", {"A": "1"})
    there = Container(
        IMAGE.replace("683313688378", "141502667606").replace("us-east", "eu-west"), "s3://b/m", {"A": "1"}
    )
    assert identity(one, b"model") == identity(there, b"model")
    assert identity(one, b"model") != identity(one, b"other")
    assert identity(one, b"model") != identity(Container(IMAGE, "s3://a/model", {"A": "2"}), b"model")
    assert identity(one, b"model") != identity(Container(f"{IMAGE}-cpu-py3", "s3://a/model", {"A": "1"}), b"model")
