"""The kinds of input: for each a generator, and a check that raises when an input is neither taken nor refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

MESSAGE = 40_000  # characters of what is said of one input


@dataclass(frozen=True)
class Kind:
    """inputs: the generator; check: reads one input, with a folder to write it into; quick: how many in `make test`."""

    name: str
    inputs: SearchStrategy[Any]
    check: Callable[[Any, Path], None]
    quick: int = 200


def said(message: str) -> None:
    """Whether a refusal can be printed and read: text that UTF-8 knows, of a bounded length, without a traceback."""
    message.encode("utf-8")
    assert message.strip(), "an empty message"
    assert len(message) <= MESSAGE, f"a message of {len(message)} characters"
    assert "Traceback" not in message
