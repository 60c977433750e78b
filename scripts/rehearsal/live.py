"""A rehearsal in a terminal: beneath the lines, what goes on in the chapters, the pipeline and the accounts.

It reads the state of the embedded AWS and asks it nothing, so that what it shows is in no record of
requests. Without a terminal there is no view: the lines alone remain.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from localaws.cloudformation.stacks import Stacks
from localaws.services.sagemaker.endpoints import Endpoints
from scripts.kit.console import colour_wanted, counted
from scripts.kit.projects.history import ENDED
from scripts.rehearsal.story import Story

A_SECOND = 8  # times that the view is drawn again
STYLES = {"succeeded": "green", "Succeeded": "green", "failed": "red", "Failed": "red", "not played": "dim"}


@contextlib.contextmanager
def view(story: Story) -> Iterator[None]:
    """Show the story while it is played; nothing but its lines where stderr is not a terminal."""
    if not colour_wanted():
        yield
        return
    console = Console(stderr=True)
    live = Live(Shown(story), console=console, refresh_per_second=A_SECOND, transient=True)
    with live:
        yield


class Shown:
    """The view, which is made again each time that it is drawn."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def __rich__(self) -> RenderableType:
        return Group(Text(""), chapters(self.story), pipeline(self.story), accounts(self.story))


def chapters(story: Story) -> Text:
    """One mark for each chapter, and the name of the one that is played."""
    line = Text("  ")
    now = ""
    for chapter in story.chapters:
        begun = chapter.began and chapter.outcome == "not played"
        line.append("●" if chapter.began else "○", "bold yellow" if begun else STYLES.get(chapter.outcome, ""))
        line.append(" ")
        now = chapter.title if begun else now
    line.append(f" {now}", "bold")
    return line


def pipeline(story: Story) -> Text:
    """The actions of the execution that is followed, with their status."""
    line = Text("  ")
    for action, status in story.reported.get(story.execution_id, {}).items():
        line.append("→ " if len(line) > 2 else "")
        line.append(f"{action} ", STYLES.get(status, "yellow" if status not in ENDED else ""))
    return line


def accounts(story: Story) -> Table:
    """Each account: its stacks by status, and its endpoints."""
    table = Table.grid(padding=(0, 2))
    if not hasattr(story, "setting"):
        return table
    stacks, endpoints = story.cloud.states(Stacks), story.cloud.states(Endpoints)
    for name, account in story.setting.accounts.items():
        standing = [s for (a, _), found in stacks.items() if a == account for s in found.alive()]
        busy = [stack.name for stack in standing if stack.busy]
        number = counted(len(standing), "stack")
        runs = [
            f"{endpoint.name}: {endpoint.shown['EndpointStatus']}"
            for (a, _), found in endpoints.items()
            if a == account
            for endpoint in list(found.by_name.values())
        ]
        table.add_row(
            f"  {account}",
            Text(name, "bold"),
            Text(f"{number}, {busy[0]} …" if busy else number if standing else "", "yellow" if busy else ""),
            Text(", ".join(runs), "green" if runs and all("InService" in run for run in runs) else "yellow"),
        )
    return table
