"""The story on an embedded AWS: its people are sessions of this process, and what goes on there is seen from inside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud, Session
from localaws.services.codebuild import prepared
from scripts.kit.console import unwritten
from scripts.rehearsal import diagnosis
from scripts.rehearsal import setting as people
from scripts.rehearsal.permissions import read_refusals
from scripts.rehearsal.playing import Chapter, Playing, StoryFailed, signed_in

__all__ = ["Chapter", "Story", "StoryFailed", "signed_in"]

QUIET = 1.0  # seconds without any background work after which nothing more is to be expected
AT_START = ("PYTHON", "LC_", "LANG")  # variables that a Python reads at its start: a fork cannot
APPROVED = "SageMaker Model Package State Change"


class Story(Playing):
    def __init__(self, cloud: Cloud, *given: Any, **named: Any) -> None:
        """given, named: what every Playing takes."""
        super().__init__(*given, **named)
        self.cloud = cloud

    @property
    def scientist(self) -> Session:
        return people.studio(self.cloud, self.setting)

    @property
    def engineer(self) -> Session:
        return people.sign_in(self.cloud, self.setting.data_science, people.ENGINEER, self.region)

    @property
    def approver(self) -> Session:
        return people.sign_in(self.cloud, self.setting.data_science, people.APPROVER, self.region)

    def owner(self, account: str, region: str = "") -> Session:
        return self.cloud.root(account, region or self.region)

    def begin(self, chapter: str) -> None:
        self.cloud.chapter = chapter

    def python(self, name: str, variables: dict[str, str]) -> tuple[list[str], dict[str, str]]:
        """A script is forked from the Python that builds are forked from, which has loaded boto3."""
        if not name.endswith(".py") or not prepared.possible():
            return super().python(name, variables)
        ours = {name: value for name, value in variables.items() if not name.startswith(AT_START)}
        return [prepared.python(), "-m", name.removesuffix(".py")], ours | prepared.ENVIRONMENT

    def check(self) -> None:
        """A fault of the embedded AWS, or a request that was refused without anybody noticing."""
        self.require_no_fault()
        for one in read_refusals(self.cloud.folder / "requests.jsonl"):
            message = f"{one.who} was refused {one.action} on {one.resource}, and went on without it. {one.missing}"
            raise StoryFailed(message, one.who.split(":")[4] if one.who.startswith("arn:") else "")

    def require_writable(self) -> None:
        """Raise the error of a file that the embedded AWS could not write: it is the cause of what failed after it."""
        for fault in self.cloud.faults:
            if fault.error is not None and unwritten(fault.error):
                raise fault.error

    def require_no_fault(self) -> None:
        self.require_writable()
        if self.cloud.faults:
            fault = self.cloud.faults[0]
            raise StoryFailed(f"the embedded AWS broke in {fault.where}", log=fault.traceback)

    def idle(self) -> bool:
        """True where nothing has gone on in the embedded AWS for a while: what has not come will not come."""
        if self.cloud.busy:
            self.busy_at = time.monotonic()
        return time.monotonic() - self.busy_at > QUIET

    def require_running(self) -> None:
        self.require_no_fault()

    def unstarted(self) -> list[str]:
        account, region = self.setting.data_science, self.region
        return [
            *diagnosis.event_stories(self.cloud, account, region, APPROVED),
            *diagnosis.failed_state_machines(self.cloud, account, region),
        ]

    def log(self, build_id: str) -> list[str]:
        builds = self.cloud.folder / "builds"
        newest = sorted(builds.glob("*/*.log"), key=lambda path: path.stat().st_mtime)[-1:]
        path = builds / f"{build_id.replace(':', '/')}.log"
        found = [path for path in ([path] if build_id else newest) if path.is_file()]
        return [line for one in found for line in (f"--- the build ({one.parent.name})", *tail(one))]

    def located(self, message: str, account: str, log: str) -> StoryFailed:
        """The failure, with the places of the kit's resources that it names, and every request that was refused."""
        self.require_writable()
        places = diagnosis.places(self.cloud, self.root, f"{message}\n{log}")
        denied = diagnosis.refused(self.cloud, self.root)
        return StoryFailed(message, account, "\n".join([log, *places, *denied]).strip())


def tail(log: Path) -> list[str]:
    return log.read_text().splitlines()[-40:]
