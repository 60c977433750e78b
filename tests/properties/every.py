"""Every kind of input, by its name."""

from __future__ import annotations

from tests.properties import commands, environment, repository, templates

KINDS = {
    kind.name: kind for kind in (environment.KIND, *repository.KINDS, *templates.KINDS, commands.KIND)
}  # fmt: skip
