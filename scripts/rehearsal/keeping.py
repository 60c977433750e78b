"""A rehearsal that is kept: how to sign in to its embedded AWS, until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path

from localaws import private
from localaws.cloud import Session
from scripts.kit.console import make_arguments, say
from scripts.rehearsal.apart import exports
from scripts.rehearsal.names import PROFILES
from scripts.rehearsal.setting import APPROVER, ENGINEER, environment_file, sign_in, studio
from scripts.rehearsal.story import Story

LONGEST_SESSION = 12 * 3600  # seconds: the longest that IAM lets a session last (IAM User Guide, "Update a role")


def interrupt(*_: object) -> None:
    """What SIGTERM does: as Ctrl-C, which a shell keeps from what it starts in the background."""
    raise KeyboardInterrupt


def lasting(session: Session) -> Session:
    """The same session, for as long as one can last."""
    return Session(session.cloud, session.cloud.issue(session.principal, LONGEST_SESSION), session.region)


def keep(story: Story, ready: Callable[[], None]) -> None:
    """Say how to work on the embedded AWS, and wait for Ctrl-C. ready: is called once all is written for that"""
    say("\nThe embedded AWS keeps running. Export one of these in another terminal to use the AWS CLI or boto3 on it.")
    say("They are valid for twelve hours.")
    for who, session in sessions(story).items():
        say(f"\n  # {who}")
        for name, value in {**lasting(session).environment(), **exports()}.items():
            say(f"  export {name}={shlex.quote(value)}")
    file, profiles = write_files(story)
    ready()
    say("\nFor the kit's own commands export this instead; its profiles are data-science and management,")
    say("and data-scientist and approver once `make accounts` made their roles:\n")
    for name, value in {"AWS_CONFIG_FILE": str(profiles), **exports()}.items():
        say(f"  export {name}={shlex.quote(value)}")
    for command, profile in (("status", "data-science"), ("doctor", "management")):
        say(f"  make {command} {make_arguments(f'--environment {shlex.quote(file)} --profile {profile}')}")
    say("\nCtrl-C stops it.")
    signal.signal(signal.SIGTERM, interrupt)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("stopped")


def set_up(story: Story) -> bool:
    """Whether there are the data scientist and the approver."""
    return any(c.name == "permissions" and c.outcome == "succeeded" for c in story.chapters)


def sessions(story: Story) -> dict[str, Session]:
    """The people of the story and the root of each account, by what they are called."""
    cloud, setting = story.cloud, story.setting
    found = {
        f"the ML engineer, {setting.data_science}": sign_in(cloud, setting.data_science, ENGINEER, story.region),
    }
    if set_up(story):
        found[f"the data scientist, {setting.data_science}"] = studio(cloud, setting)
        found[f"the approver, {setting.data_science}"] = sign_in(cloud, setting.data_science, APPROVER, story.region)
    for name, account in setting.accounts.items():
        found[f"root of {name}, {account}"] = cloud.root(account, story.region)
    return found


def write_files(story: Story) -> tuple[str, Path]:
    """The environment file and the file of profiles, which the kit's commands need."""
    setting = story.setting
    if not story.environment_path.exists():  # stopped before its chapter
        story.environment_path.write_text(environment_file(setting, story.regions, story.images))
    engineers = {"data-science": setting.data_science, "management": setting.set_up_from}
    people = {name: sign_in(story.cloud, account, ENGINEER, story.region) for name, account in engineers.items()}
    if set_up(story):
        people["data-scientist"] = studio(story.cloud, setting)
        people["approver"] = sign_in(story.cloud, setting.data_science, APPROVER, story.region)
    profiles = story.folder / PROFILES
    private.write(profiles, "".join(lasting(one).profile(f"profile {name}") for name, one in people.items()))
    return os.path.relpath(story.environment_path), profiles.absolute()
