"""The plan of `make teardown`: one project, or every project and then the kit."""

from __future__ import annotations

from scripts.kit.connect import Connection
from scripts.kit.console import closest, say
from scripts.kit.settings.model import Settings
from scripts.kit.teardown import installation as teardown_kit
from scripts.kit.teardown import project as teardown
from scripts.kit.teardown.parts import DeletionOptions, TeardownPart


def make_plan(
    by: Connection, home: Connection, settings: Settings, asked: DeletionOptions, name: str | None
) -> list[TeardownPart]:
    """Everything that is to be deleted or retained, in order. name: of the one project; None for the whole kit"""
    call_as, regions = settings.stack_set_administrator, teardown_kit.regions(settings)
    there = teardown.every(home, settings.catalog.product)
    wanted = [p for p in there if name in {None, p.name}]
    if name and not wanted and not (wanted := teardown.lone_group(home, name)):
        near = closest(name, [project.name for project in there])
        say(f"  no project {name} in account {home.account}, {home.region}, and nothing left of one{near}")
    parts: list[TeardownPart] = []
    for project in wanted:
        parts += teardown.project_parts(home, project, call_as)
        parts += teardown_kit.leftovers(by, home, settings, project)
        logs = teardown_kit.endpoint_logs(by, home, settings, project) if asked.logs else []
        # What is retained tells the next run the name and the id: it goes only when all the rest could be looked at.
        now = DeletionOptions() if any(part.blind for part in logs) else asked
        parts += logs
        parts += teardown.retained_parts(home, project, now, regions, artifacts=bool(name))
    return parts if name else parts + teardown_kit.kit_parts(by, home, settings, asked)
