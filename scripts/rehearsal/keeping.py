"""A rehearsal that is kept: how to sign in to its embedded AWS, until Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path

from localaws import private
from localaws.cloud import Session
from scripts.kit.console import make_arguments, say
from scripts.rehearsal.apart import exports
from scripts.rehearsal.names import PROFILES, VARIABLES
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
    file, profiles = write_files(story)
    variables = write_exports(story)
    ready()
    say("\nThe embedded AWS keeps running. In another terminal:\n")
    for name, value in {"AWS_CONFIG_FILE": str(profiles), **exports()}.items():
        say(f"  export {name}={shlex.quote(value)}")
    say("  aws sts get-caller-identity --profile data-science")
    for command, profile in (("status", "data-science"), ("doctor", "management")):
        say(f"  make {command} {make_arguments(f'--environment {shlex.quote(file)} --profile {profile}')}")
    say("\nThe profiles are valid for twelve hours:\n")
    for profile, (who, _) in people(story).items():
        say(f"  {profile:16} {who}")
    say(f"\nFor a tool that knows no profiles, {os.path.relpath(variables)} has the variables of each.")
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


def people(story: Story) -> dict[str, tuple[str, Session]]:
    """The people of the story and the root of each account, by their profiles: who each is, and a session."""
    cloud, setting, region = story.cloud, story.setting, story.region
    home = setting.data_science
    found = {
        "data-science": (f"the ML engineer, {home}", sign_in(cloud, home, ENGINEER, region)),
        "management": (
            f"the ML engineer, {setting.set_up_from}",
            sign_in(cloud, setting.set_up_from, ENGINEER, region),
        ),
    }
    if set_up(story):
        found["data-scientist"] = (f"the data scientist, {home}", studio(cloud, setting))
        found["approver"] = (f"the approver, {home}", sign_in(cloud, home, APPROVER, region))
    for name, account in setting.accounts.items():
        found["root-" + re.sub("[^a-z]+", "-", name).strip("-")] = (
            f"root of {name}, {account}",
            cloud.root(account, region),
        )
    return {profile: (who, lasting(session)) for profile, (who, session) in found.items()}


def write_files(story: Story) -> tuple[str, Path]:
    """The environment file and the file of profiles, which the kit's commands need."""
    if not story.environment_path.exists():  # stopped before its chapter
        story.environment_path.write_text(
            environment_file(story.setting, story.regions, story.images, story.build_on_push)
        )
    profiles = story.folder / PROFILES
    text = "".join(session.profile(f"profile {name}") for name, (_, session) in people(story).items())
    private.write(profiles, text)
    return os.path.relpath(story.environment_path), profiles.absolute()


def write_exports(story: Story) -> Path:
    """A file for a shell, with a function for each profile that exports its variables."""
    text = "# Read it with `.`, then call the function of whom you want to be.\n"
    for profile, (who, session) in people(story).items():
        lines = [f"  export {k}={shlex.quote(v)}" for k, v in {**session.environment(), **exports()}.items()]
        function = f"as_{profile.replace('-', '_')}"
        text += "\n" + "\n".join([f"# {who}", f"{function}() {{", *lines, "}"]) + "\n"
    private.write(story.folder / VARIABLES, text)
    return story.folder / VARIABLES
