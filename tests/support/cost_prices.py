"""The prices of cost.yaml and pipeline/prices.json, by which cost.py computes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support import ROOT

TABLE = Path(__file__).with_name("cost.yaml")


@cache
def table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found


def price(name: str) -> float:
    """In dollars; KeyError where none was found, so that no sum holds it by mistake."""
    dollars = table()["prices"][name]["dollars"]
    if dollars is None:
        raise KeyError(name)
    return float(dollars)


def hourly(instance: str) -> float:
    return float(json.loads((ROOT / "pipeline/prices.json").read_text())["regions"][table()["region"]][instance])


def money(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= 0.005 or not dollars else "less than $0.01"
