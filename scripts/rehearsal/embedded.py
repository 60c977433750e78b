"""Starts the embedded AWS for the kit: with the registries and prices that the pipeline's own tables hold."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from localaws.cloud import Published
from localaws.server import HOST, EmbeddedAws, PortNotUsable, check_port
from scripts.kit.console import UserError
from scripts.rehearsal.apart import apart

TABLES = Path(__file__).parents[2] / "pipeline"


@cache
def published() -> Published:
    """The accounts of SageMaker's own images and the prices of instances, as the pipeline knows them."""
    names = ("registries.json", "prices.json", "monitors.json")
    return Published(*(json.loads((TABLES / name).read_text("utf-8")) for name in names))


def require_port(port: int) -> None:
    """UserError where nothing can listen on the port; 0 stands for a free one."""
    try:
        if port:
            check_port(port)
    except PortNotUsable as error:
        raise UserError(
            f"port {port} on {HOST} cannot be used ({error}). "
            "Choose another with --port, or leave it out for a free one"
        ) from error


class OfARehearsal(EmbeddedAws):
    """An embedded AWS in a process that is apart from its user's AWS settings, from its start until its end."""

    def __init__(self, folder: Path, port: int, waits: float, strangers: bool) -> None:
        with ExitStack() as stack:
            stack.enter_context(apart())
            super().__init__(folder, port, waits, published(), strangers)
            self._stack = stack.pop_all()

    def stop(self) -> None:
        with self._stack:
            super().stop()


def embedded_aws(folder: Path, port: int = 0, waits: float = 0.001, strangers: bool = False) -> EmbeddedAws:
    """with embedded_aws(folder) as cloud: …  UserError where nothing can listen on the port.

    strangers: whether another team wrote what runs there; its commands are confined as far as the machine allows
    """
    require_port(port)
    return OfARehearsal(folder, port, waits, strangers)


def xgboost_image(region: str, tag: str = "3.0-5") -> str:
    """The URI of SageMaker's XGBoost in a Region."""
    return f"{published().registries[region]}.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:{tag}"
