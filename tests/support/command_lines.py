"""Every command with its options, as its own parser has them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from unittest.mock import patch

from benchmarks import scale
from scripts import (
    acceptance,
    accounts,
    console_bundle,
    diff,
    doctor,
    history,
    lint,
    notebooks,
    package,
    permissions,
    probe,
    project,
    publish,
    rehearse,
    release,
    repair,
    rollback,
    seed,
    status,
    supported,
    taskcat,
    teardown,
    upgrade,
    versions,
)

Main = Callable[[Sequence[str] | None], int]
COMMANDS: dict[str, Main] = {
    module.__name__: module.main
    for module in (
        acceptance, accounts, console_bundle, diff, doctor, history, lint, notebooks, package, permissions, probe,
        project, publish, rehearse, release, repair, rollback, scale, seed, status, supported, taskcat, teardown,
        upgrade, versions,
    )
}  # fmt: skip


class Parsed(Exception):
    """The command line is read: nothing was done with it yet."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__("parsed")
        self.parser = parser


@cache
def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command, which is made when it begins."""

    def parse_args(self: argparse.ArgumentParser, *_: object) -> argparse.Namespace:
        raise Parsed(self)

    with patch.object(argparse.ArgumentParser, "parse_args", parse_args):
        try:
            COMMANDS[command]([])
        except Parsed as parsed:
            return parsed.parser
    raise AssertionError(f"{command} reads no command line")


def options(command: str) -> list[argparse.Action]:
    """The options of a command, without --help."""
    return [action for action in parser_of(command)._actions if action.dest != "help"]


def takes_value(option: argparse.Action) -> bool:
    return option.nargs != 0 and bool(option.option_strings)
