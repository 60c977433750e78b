"""The services' API models, read once for the whole process.

botocore makes a loader for every session and moto one for every service; each would read and parse the
same files again, SageMaker's 3 MB among them. Both get this one instead, which parses into plain dicts.
tests/test_moto_canaries.py watches the two functions that are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.loaders
import moto.core.loaders
import moto.core.utils
from botocore.loaders import JSONFileLoader


class PlainJson(JSONFileLoader):  # type: ignore[misc]  # botocore carries no types
    """JSON files as plain dicts: an OrderedDict takes twice as long, and dicts keep their order."""

    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())


class Models(moto.core.loaders.Loader):  # type: ignore[misc]  # moto's own: it also finds moto's extra members
    FILE_LOADER_CLASS = PlainJson


LOADER = Models(extra_search_paths=[moto.core.loaders.moto_root])


def share() -> None:
    """Have botocore, boto3 and moto read their models here."""
    botocore.loaders.create_loader = lambda search_path_string=None: LOADER
    moto.core.utils.create_loader = lambda: LOADER
