"""How `make status` shows what is deployed: tables for a terminal, plain lines for what watches them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.kit.connect import Connection
from scripts.kit.console import FEW, SHOWN, alike, without_ids
from scripts.kit.patience import until
from scripts.kit.projects import status
from scripts.kit.projects.project import Project
from scripts.kit.projects.served import Looker
from scripts.kit.projects.status import IN_SERVICE, LIVE, EndpointPlace, ProjectStatus
from scripts.kit.together import together

PLAIN_WIDTH = 160  # columns of a table that is not shown in a terminal
COLUMNS = ("stage", "account", "region", "version", "endpoint", "since", "looked at", "why")
PUSH = "build on a push"
SAME = "the same reason"  # but for the account's id
COLOURS = {
    "Succeeded": "green", "in service": "green", "Failed": "red", "failed": "red", "Rejected": "red", "missing": "red",
    "taken back": "red",
}  # fmt: skip


def look(connection: Connection, wanted: Sequence[Project], looker: Looker | None = None) -> list[ProjectStatus]:
    jobs = [partial(status.look, connection, project, looker) for project in wanted]
    return together(jobs, what="projects looked at")


def rows(one: ProjectStatus, every: bool = False) -> Iterator[tuple[str, ...]]:
    """The accounts and Regions of a project: stage, account, region, version, endpoint, since, looked at, why.

    What failed comes first. Of more than FEW that are alike there is one line with their number, after the first
    ones where they are not in service, and a reason is given once; every: a whole line for each.
    """
    for stage in one.stages:
        approvals = {stage.version: stage.approval, **stage.others}
        version = marked(stage.version, approvals)
        for group in alike(sorted(stage.places, key=lambda place: place.urgency), kind):
            first = group if every or len(group) <= FEW else group[: 0 if group[0].endpoint == IN_SERVICE else SHOWN]
            for turn, place in enumerate(first):
                shown = marked(place.version, approvals)
                why = SAME if turn and place.why and not every else place.why
                looked = looked_at(place.looked_at, place)
                yield (stage.name, place.account, place.region, shown, place.endpoint, place.since, looked, why)
            if rest := group[len(first) :]:
                number = f"{len(rest):,} more accounts" if first else f"{len(rest):,} accounts"
                shown = marked(rest[0].version, approvals)
                since, why = max(place.since for place in rest), SAME if rest[0].why else ""
                looked = looked_at(min(place.looked_at for place in rest), rest[0])
                yield (stage.name, number, rest[0].region, shown, rest[0].endpoint, since, looked, why)
        if not stage.places:
            state = stage.stack or ("removed" if stage.removed else "never deployed")
            yield (stage.name, "-", "-", version or "-", state, stage.since, "", stage.why)
        elif stage.why:
            yield (stage.name, "stack", "-", version, stage.stack, stage.since, "", stage.why)


def marked(version: str, approvals: Mapping[str, str]) -> str:
    """A version's number, with its approval where it is not approved (any more)."""
    approval = approvals.get(version, "")
    return version if approval in {"", "Approved"} else f"{version} ({approval})"


def looked_at(moment: str, place: EndpointPlace) -> str:
    """When the endpoint was asked what it serves: now, by the tests, or not since it was deployed."""
    return LIVE if place.looked_by == LIVE else f"{moment} ({place.looked_by})" if moment else "not since"


def kind(place: EndpointPlace) -> tuple[str, ...]:
    """What is the same in places that are alike."""
    return place.region, place.version, place.endpoint, place.looked_by, without_ids(place.why)


def pipeline_rows(one: ProjectStatus) -> Iterator[tuple[str, ...]]:
    for stage in one.pipeline:
        state = f"{stage.status}, waits for {stage.waits}" if stage.waits else stage.status
        yield (stage.name, stage.version or "-", state, stage.since, stage.why)
    if push := one.training:
        yield (PUSH, "-", push.status, push.since, push.why)


def table(title: str, columns: Sequence[str], lines: Iterator[tuple[str, ...]]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=False)
    for line in lines:
        made.add_row(*(Text(cell, COLOURS.get(cell.split(",")[0], "")) for cell in line))
    return made


def render(found: Sequence[ProjectStatus], every: bool = False) -> RenderableType:
    parts: list[RenderableType] = []
    for one in found:
        title = f"{one.project} ({one.id}, {one.status})"
        parts.append(table(title, COLUMNS, rows(one, every)))
        parts.append(Text(""))
        if one.pipeline or one.training:
            parts.append(table("", ("pipeline", "version", "state", "since", "why"), pipeline_rows(one)))
            parts.append(Text(""))
    return Group(*parts)


def lines(found: Sequence[ProjectStatus], every: bool = False) -> list[str]:
    """The same as plain lines, of which a watcher prints those that changed."""
    shown = []
    for one in found:
        shown += [" ".join((one.project, *filter(None, row))) for row in rows(one, every)]
        shown += [" ".join((one.project, "pipeline", *filter(None, row))) for row in pipeline_rows(one)]
    return shown


def text(found: Sequence[ProjectStatus], every: bool, terminal: bool) -> str:
    """The tables as text, without blanks at the ends of lines. terminal: as wide as the terminal is."""
    console = Console(width=None if terminal else PLAIN_WIDTH)
    with console.capture() as shown:
        console.print(render(found, every))
    return "\n".join(line.rstrip() for line in shown.get().rstrip().splitlines())


def follow(
    connection: Connection,
    wanted: Sequence[Project],
    pause: float,
    show: Callable[[list[ProjectStatus]], None] = lambda _: None,
    looker: Looker | None = None,
) -> list[ProjectStatus]:
    """Look until nothing runs any more; show is given what each look finds. pause: seconds between two looks

    looker: looks into the target accounts, once nothing runs any more
    """

    def quiet() -> list[ProjectStatus] | None:
        found = look(connection, wanted)
        if any(one.running for one in found):
            show(found)
            return None
        found = look(connection, wanted, looker) if looker else found
        show(found)
        return found

    return until("the projects", quiet, math.inf, shortest=pause, longest=pause)


def watch(
    connection: Connection, wanted: Sequence[Project], pause: float, every: bool, looker: Looker | None = None
) -> None:
    """Show until nothing runs: a table that changes on a terminal, otherwise the lines that changed."""
    console = Console()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            follow(connection, wanted, pause, lambda found: live.update(render(found, every), refresh=True), looker)
        return
    seen: set[str] = set()

    def show(found: list[ProjectStatus]) -> None:
        now = lines(found, every)
        for line in now:
            if line not in seen:
                print(line, flush=True)
        seen.clear()
        seen.update(now)

    follow(connection, wanted, pause, show, looker)
