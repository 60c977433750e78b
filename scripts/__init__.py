"""The kit's commands, one module each: python -m scripts.NAME --help."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec


def leave(*_: object) -> None:
    """Ctrl-C while a command still loads its modules; from then on console.run says that it was interrupted."""
    os._exit(130)


if sys.argv[:1] == ["-m"] and find_spec("botocore") is None:
    sys.exit(
        f"error: {sys.executable} lacks what the kit needs. `make setup` installs it for .venv/bin/python -m scripts…"
    )
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, leave)
