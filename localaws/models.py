"""The services' API models, read once for the whole process.

botocore makes a loader for every session, and moto one for every service; each would read and parse the
same files again, SageMaker's 3 MB among them. Here botocore's sessions share one loader, and moto's
services another (botocore changes the models of its clients in place), which parse into plain dicts.
tests/localaws/test_moto_bridge.py watches the two functions that are replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.hooks
import botocore.loaders
import botocore.session
import moto.core.loaders
import moto.core.utils


class PlainJson(botocore.loaders.JSONFileLoader):
    """JSON files as plain dicts: an OrderedDict takes twice as long, and dicts keep their order."""

    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> Any:
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())


class ForClients(botocore.loaders.Loader):
    FILE_LOADER_CLASS = PlainJson


class ForMoto(moto.core.loaders.Loader):  # type: ignore[misc]  # moto carries no types here
    FILE_LOADER_CLASS = PlainJson


begin: Any = botocore.hooks.EventAliaser.__init__
NAMED: dict[str, str] = {}  # what events are called by the aliases that all sessions have


def begin_aliaser(self: Any, *given: Any) -> None:
    """As before; each name is looked up once, not once for every session and client."""
    begin(self, *given)
    if self._event_aliases == botocore.hooks.EVENT_ALIASES:
        self._alias_name_cache = NAMED


CLIENTS = ForClients()
MOTO = ForMoto(extra_search_paths=[moto.core.loaders.moto_root])


def share() -> None:
    """Have botocore, boto3 and moto read their models here."""
    botocore.session.create_loader = lambda search_path_string=None: CLIENTS
    moto.core.utils.create_loader = lambda: MOTO
    botocore.hooks.EventAliaser.__init__ = begin_aliaser  # type: ignore[method-assign,assignment]
