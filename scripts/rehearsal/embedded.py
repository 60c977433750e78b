"""Starts the embedded AWS for the kit: with the registries and prices that the pipeline's own tables hold."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from localaws.cloud import Published
from localaws.server import HOST, EmbeddedAws, PortNotUsable
from scripts.kit.console import UserError

TABLES = Path(__file__).parents[2] / "pipeline"


@cache
def published() -> Published:
    """The accounts of SageMaker's own images and the prices of instances, as the pipeline knows them."""
    registries, prices = (json.loads((TABLES / name).read_text("utf-8")) for name in ("registries.json", "prices.json"))
    return Published(registries, prices)


def embedded_aws(folder: Path, port: int = 0, waits: float = 0.001, strangers: bool = False) -> EmbeddedAws:
    """with embedded_aws(folder) as cloud: …  UserError where nothing can listen on the port.

    strangers: whether another team wrote what runs there; its commands are confined as far as the machine allows
    """
    try:
        return EmbeddedAws(folder, port, waits, published(), strangers)
    except PortNotUsable as error:
        raise UserError(
            f"port {port} on {HOST} cannot be used ({error}). "
            "Choose another with --port, or leave it out for a free one"
        ) from error


def xgboost_image(region: str, tag: str = "3.0-5") -> str:
    """The URI of SageMaker's XGBoost in a Region."""
    return f"{published().registries[region]}.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:{tag}"
