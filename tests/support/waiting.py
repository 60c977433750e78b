"""How tests wait: they look again until what goes on in the background shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0  # seconds, for a machine that runs much else besides


def until(look: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What look() answers as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"still waiting after {seconds:.0f} s"
        time.sleep(0.01)
    return found
