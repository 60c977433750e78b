"""A rehearsal in a terminal: beneath the lines, what goes on in the chapters, the pipeline and the accounts.

It reads the state of the embedded AWS and asks it nothing, so that what it shows is in no record of
requests. Without a terminal there is no view: the lines alone remain.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from localaws.cloudformation.stacks import Stacks
from localaws.services.codepipeline.state import Execution, PipelineState
from localaws.services.sagemaker.endpoints import Endpoints
from scripts.kit.console import colour_wanted, counted
from scripts.rehearsal.story import Story

A_SECOND = 8  # times that the view is drawn again
STYLES = {"succeeded": "green", "Succeeded": "green", "failed": "red", "Failed": "red", "not run": "dim"}
BUSY = "yellow"


class Lines(Console):
    """A console that breaks lines at spaces alone, so that a long ARN or path stays one word that can be copied."""

    def print(self, *objects: Any, **options: Any) -> None:
        shown = [self.hanging(one) if isinstance(one, Text) else one for one in objects]
        super().print(*shown, overflow="ignore", crop=False, **options)

    def hanging(self, text: Text) -> Text:
        """The text with what does not fit on a line put beneath it, indented as far."""
        lines: list[Text] = []
        for line in text.split(allow_blank=True):
            indent = len(line.plain) - len(line.plain.lstrip())
            first, *more = line.divide(breaks(line.plain, self.width, indent))
            lines += [first, *(Text(" " * indent) + part for part in more)]
        return Text("\n").join(lines)


def breaks(line: str, width: int, indent: int) -> list[int]:
    """Where a line continues on the next one so that it fits into width: before words, never in one."""
    found, column = [], indent
    for word in re.finditer(r"\S+\s*", line):
        if column > indent and column + len(word[0].rstrip()) > width:
            found.append(word.start())
            column = indent
        column += len(word[0])
    return found


@contextlib.contextmanager
def view(story: Story) -> Iterator[None]:
    """Show the story while it runs; without a terminal, its lines alone."""
    if not colour_wanted():
        yield
        return
    console = Lines(stderr=True)
    live = Live(Shown(story), console=console, refresh_per_second=A_SECOND, transient=True)
    with live:
        yield


class Shown:
    """The view, put together each time that it is drawn."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = Group(Text(""), chapters(self.story), pipeline(self.story), accounts(self.story))
        yield from console.render(parts, options.update(no_wrap=False, overflow="fold"))  # other than Lines prints


def chapters(story: Story) -> Table:
    """One mark for each chapter, and the title of the current one."""
    marks, now = Text(no_wrap=True), ""
    for chapter in story.chapters:
        begun = chapter.began and chapter.outcome == "not run"
        style = f"bold {BUSY}" if begun else STYLES.get(chapter.outcome, "")
        marks.append("● " if chapter.began else "○ ", style)
        now = chapter.title if begun else now
    table = Table.grid(padding=(0, 2))
    table.add_row("", marks, Text(now, "bold"))
    return table


def pipeline(story: Story) -> Table:
    """Every stage of the execution that is followed, with the actions that have begun."""
    table = Table.grid(padding=(0, 2))
    if execution := current(story):
        for stage in execution.declaration["stages"]:
            begun = {run.name: run.status for run in list(execution.actions) if run.stage == stage["name"]}
            style = STYLES.get(execution.stages.get(stage["name"], ""), BUSY if begun else "")
            actions = [Text(name, STYLES.get(status, BUSY)) for name, status in begun.items()]
            mark = "●" if begun else "○"
            table.add_row("", Text(f"{mark} {stage['name']}", style, no_wrap=True), Text(", ").join(actions))
    return table


def current(story: Story) -> Execution | None:
    """The execution that the story follows; before there is one, none."""
    for state in story.cloud.states(PipelineState).values():
        for found in list(state.pipelines.values()):
            if execution := found.execution(story.execution_id):
                return execution
    return None


def accounts(story: Story) -> Table:
    """Each account: how many stacks it has, and its endpoints by status."""
    table = Table.grid(padding=(0, 2))
    if not hasattr(story, "setting"):
        return table
    stacks, endpoints = story.cloud.states(Stacks), story.cloud.states(Endpoints)
    for name, account in story.setting.accounts.items():
        standing = [s for (a, _), found in stacks.items() if a == account for s in found.alive()]
        busy = sum(stack.busy for stack in standing)
        statuses = Counter(
            endpoint.shown["EndpointStatus"]
            for (a, _), found in endpoints.items()
            if a == account
            for endpoint in list(found.by_name.values())
        )
        table.add_row(
            "",
            Text(account, no_wrap=True),
            Text(name, "bold"),
            Text(counted(len(standing), "stack") if standing else "", no_wrap=True),
            Text(f"{busy} in progress" if busy else "", BUSY),
            Text(
                ", ".join(f"{counted(number, 'endpoint')} {status}" for status, number in statuses.items()),
                "green" if set(statuses) == {"InService"} else BUSY,
            ),
        )
    return table
