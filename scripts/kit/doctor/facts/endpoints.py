"""What the projects' endpoints serve, as each target account shows it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from scripts.kit.doctor.facts.projects import Project
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.projects import served
from scripts.kit.projects.served import Place, ServedEndpoint
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together

Endpoints = Mapping[tuple[str, Stage], Mapping[Place, ServedEndpoint]]  # by the project's name and the stage
Wanted = tuple[Project, Stage, str]  # and the Region


def gather(reader: Reader, settings: Settings, projects: Any) -> Any:
    """The endpoints of every stack instance, account by account; UNREAD where these credentials enter none."""
    by_account: dict[str, list[Wanted]] = {}
    for project in projects or ():
        for stage, part in project.stages.items():
            for instance in part.instances or ():
                by_account.setdefault(instance["Account"], []).append((project, stage, instance["Region"]))
    if not by_account:
        return {}
    enters = settings.administrator == "self-managed" or reader.account == settings.accounts.management
    if not enters:  # targets.py says so, and who does
        return UNREAD
    found: dict[tuple[str, Stage], dict[Place, ServedEndpoint]] = {}
    jobs = [partial(read, reader, settings, account, wanted) for account, wanted in by_account.items()]
    for one in together(jobs, what="target accounts"):
        for (name, stage, *place), seen in one.items():
            found.setdefault((name, stage), {})[place[0], place[1]] = seen
    return found


def read(
    reader: Reader, settings: Settings, account: str, wanted: list[Wanted]
) -> dict[tuple[str, Stage, str, str], ServedEndpoint]:
    """The endpoints of one account; nothing of one that cannot be entered, which is a finding of its own."""
    if reader.enter(account, settings.roles.access):
        return {}
    found = {}
    for project, stage, region in wanted:
        name = f"{project.name}-{project.id}-{stage}"
        stack = project.stages[stage].stack
        release = stack.parameters.get("Release", "") if stack else ""
        client = partial(reader.client, account, region=region)
        look = partial(served.ask, client, account, name, release)
        seen = reader.through(account, "sagemaker", "DescribeEndpoint", look)
        if isinstance(seen, ServedEndpoint):
            found[project.name, stage, account, region] = seen
    reader.forget(account)
    return found
