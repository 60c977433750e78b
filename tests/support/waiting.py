"""The wait of the tests: what goes on in the background is looked at again until it shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What look() answers as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"nothing came about in {seconds:.0f} s"
        time.sleep(0.01)
    return found
