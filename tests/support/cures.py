"""The cure of a finding, carried out exactly as `make doctor` gives it."""

from __future__ import annotations

import contextlib
import re
import shlex

from localaws.cloud import Session
from scripts.kit.doctor.findings import Finding
from tests.support import aws_cli
from tests.support.aws_cli import NotACommand
from tests.support.doctor_world import World

VARIABLES = {"PROJECT": "--project", "ACCOUNT": "--account", "REGION": "--endpoint-region"}  # as the Makefile has them


def lines_of(fix: str) -> list[str]:
    """The commands of a cure, in order; NotACommand where anything else is in it."""
    with contextlib.suppress(NotACommand):
        aws_cli.parse(fix)  # one command, whose policy may have several lines
        return [fix]
    lines = [line.removeprefix("then ") for line in fix.splitlines()]
    for line in lines:
        if line.startswith("aws "):
            aws_cli.parse(line)
        elif not re.fullmatch(r'make [a-z]+( [A-Z]+=("[^"]*"|\S+))*', line):
            raise NotACommand(line)
    return lines


def person(world: World, account: str) -> Session:
    """Who types it: the ML engineer in the accounts that have one, elsewhere an administrator of the account."""
    if account in (world.account, world.management):
        return world.engineer(account)
    return world.cloud.root(account, world.story.region)


def carry_out(world: World, found: Finding) -> None:
    """The whole cure of one finding; NotACommand where it is no row of commands."""
    for line in lines_of(found.fix):
        if line.startswith("aws "):
            aws_cli.send(person(world, found.place.account), line)
        else:
            make(world, line)
        world.settled()


def make(world: World, line: str) -> None:
    """A command of the Makefile, with the profile that it names."""
    _, target, *words = shlex.split(line)
    arguments: list[str] = []
    for word in words:
        name, _, value = word.partition("=")
        arguments += shlex.split(value) if name == "ARGS" else [VARIABLES[name], value]
    account = world.account
    if "--profile" in arguments:
        at = arguments.index("--profile")
        account = {"management": world.management, "data-science": world.account}[arguments[at + 1]]
        del arguments[at : at + 2]
    if target == "package":
        return  # the world's bundle is packed
    given = ["--environment", str(world.story.environment_path)]
    given += ["--bundle", str(world.story.folder / "bundle")] if target == "publish" else []
    world.story.command(world.engineer(account), f"scripts.{target}", *given, *arguments)
