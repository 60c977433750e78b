"""The unique ids of IAM's resources, which begin with what they are of; moto begins those of roles alone so.

IAM User Guide, "IAM identifiers" (understanding unique ID prefixes).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from moto.iam import models

PREFIXES: dict[type[Any], str] = {models.User: "AIDA", models.Group: "AGPA", models.InstanceProfile: "AIPA"}
OF_MOTO = {kind: kind.__init__ for kind in PREFIXES}


def new_id(prefix: str) -> str:
    """The prefix with 17 characters."""
    return prefix + secrets.token_hex(9)[:17].upper()


def with_prefix(prefix: str, made: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *args: Any, **given: Any) -> None:
        made(self, *args, **given)
        self.id = new_id(prefix)

    return init


for _kind, _prefix in PREFIXES.items():
    _kind.__init__ = with_prefix(_prefix, OF_MOTO[_kind])
models.random_policy_id = partial(new_id, "ANPA")
