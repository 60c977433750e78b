"""The story on a real organization: its people are profiles, and AWS is seen only as they see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.kit.connect import Connection, enter
from scripts.kit.settings.model import Settings
from scripts.rehearsal.playing import Playing, StoryFailed, aws_variables
from scripts.rehearsal.setting import Setting

TAG = {"multi-account-acceptance": "true"}  # of the project: a left-over is known by it, and by its name
STEP, START, PAUSE = 3600.0, 600.0, 15.0  # seconds
LINES = 40  # of a build's log
CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}


@dataclass(frozen=True)
class Signed:
    """A person who is signed in by a profile, or who entered an account from one."""

    connection: Connection
    profile: str | None
    entered: bool = False

    @property
    def account(self) -> str:
        return self.connection.account

    def client(self, service: str, region: str | None = None) -> Any:
        return self.connection.named_client(service, region)

    def environment(self) -> dict[str, str]:
        """This process's variables, with the profile; and with the credentials of the role where one was entered."""
        region = {"AWS_REGION": self.connection.region, "AWS_DEFAULT_REGION": self.connection.region}
        found = {**{name: str(Path(file).expanduser()) for name, file in FILES.items()}, **aws_variables(), **region}
        if self.profile:
            found = {name: value for name, value in found.items() if name not in CREDENTIALS}
            found["AWS_PROFILE"] = self.profile
        if self.entered:
            held = self.connection.session.get_credentials()
            assert held is not None  # the account was entered with them
            now = held.get_frozen_credentials()
            found |= {"AWS_ACCESS_KEY_ID": now.access_key or "", "AWS_SECRET_ACCESS_KEY": now.secret_key or ""}
            found |= {"AWS_SESSION_TOKEN": now.token} if now.token else {}
        return found


@dataclass(frozen=True)
class Cast:
    """Who plays. by: the profile that enters accounts; home: the same in the data science account."""

    settings: Settings
    by: Signed
    home: Signed
    scientist: Signed
    approver: Signed


class Acceptance(Playing):
    def __init__(
        self, cast: Cast, setting: Setting, regions: tuple[str, ...], folder: Path, project_name: str, patience: float
    ) -> None:
        """regions: where the endpoints are asked; patience: seconds that one step may take"""
        role = f"arn:{cast.home.connection.partition}:iam::{setting.data_science}:role/"
        super().__init__(
            folder,
            setting.administrator,
            setting.region,
            project_name,
            regions=regions,
            form=False,
            tags=dict(TAG),
            training_role=role + cast.settings.studio.execution_roles[0],
            patience=patience,
            patience_to_start=min(patience, START),
            pause=PAUSE,
            production_alone="staging" not in setting.targets,
        )
        self.cast, self.setting = cast, setting
        self.inside: dict[str, Connection] = {}

    @property
    def scientist(self) -> Signed:
        return self.cast.scientist

    @property
    def engineer(self) -> Signed:
        return self.cast.home

    @property
    def approver(self) -> Signed:
        return self.cast.approver

    def owner(self, account: str, region: str = "") -> Signed:
        by = self.cast.by
        if account not in self.inside:
            self.inside[account] = enter(by.connection, account, self.cast.settings.roles.access)
        connection = self.inside[account]
        return Signed(connection.in_region(region or self.region), by.profile, connection is not by.connection)

    def begin(self, chapter: str) -> None:
        """AWS records no chapters."""

    def check(self) -> None:
        """What AWS refuses, a person sees."""

    def require_running(self) -> None:
        """AWS runs."""

    def idle(self) -> bool:
        return False

    def unstarted(self) -> list[str]:
        return []

    def log(self, build_id: str) -> list[str]:
        """From CloudWatch Logs; nothing for the newest build, which is not known."""
        found = self.engineer.client("codebuild").batch_get_builds(ids=[build_id])["builds"] if build_id else []
        lines: list[str] = []
        for build in found:
            logs = build.get("logs", {})
            named = {"logGroupName": logs.get("groupName"), "logStreamName": logs.get("streamName")}
            if all(named.values()):
                events = self.engineer.client("logs").get_log_events(**named, limit=LINES)["events"]
                lines += [f"--- the build ({build_id})", *(event["message"].rstrip() for event in events)]
        return lines

    def located(self, message: str, account: str, log: str) -> StoryFailed:
        return StoryFailed(message, account, log)
