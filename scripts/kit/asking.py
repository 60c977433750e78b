"""Asks a person on their terminal before what cannot be undone, and does nothing where there is no terminal."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import termios
from pathlib import Path
from typing import TextIO

from scripts.kit.console import UsageError, UserError, say

LONGEST = 1000  # characters of an answer


def add_option(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--yes``; what: that is done without asking, for its line in ``--help``."""
    parser.add_argument(
        "--yes", action="store_true", help=f"{what} without asking; needed where there is no terminal to ask on"
    )


def require_way(yes: bool, what: str) -> None:
    """UsageError where the name could neither be asked for nor need be: before anything is read or sent.

    yes: whether --yes was given; what: is to be done, such as "taking down iris-multi-01"
    """
    if not yes and not can_ask():
        raise UsageError(
            f"{what} cannot be undone, and there is no terminal to ask on. Nothing was changed. Look at the plan with "
            "--dry-run, then add --yes"
        )


def require_name(yes: bool, what: str, kind: str, name: str) -> None:
    """Go on only if the person types the name. UserError for anything else that is typed.

    what: is about to happen, as a sentence; kind: whose name it is, such as "project"; yes: nothing is asked
    """
    require_typed(yes, what, f"{kind}'s name", name)


def require_typed(yes: bool, what: str, noun: str, name: str) -> None:
    """As require_name; noun: what is to be typed, such as "account's id"."""
    if yes:
        return
    say(what)
    if answer(f"Type the {noun} ({name}) to go on: ") != name:
        raise UserError(f"what was typed is not {name}. Nothing was changed")


def can_ask() -> bool:
    """Whether a person can answer: the input is a terminal."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def answer(question: str) -> str:
    """What a person types; "" at the end of the input. What was typed before the question was asked is no answer."""
    with contextlib.ExitStack() as stack:
        shown = screen(stack)
        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        shown.write(question)
        shown.flush()
        typed = sys.stdin.readline(LONGEST)
        if not typed.endswith("\n"):
            shown.write("\n")
        return typed.strip()


def screen(stack: contextlib.ExitStack) -> TextIO:
    """Where the question is seen: stderr, or the terminal of the input where stderr goes to a file or a program."""
    if not sys.stderr.isatty():
        with contextlib.suppress(OSError, ValueError):
            return stack.enter_context(Path(os.ttyname(sys.stdin.fileno())).open("w", encoding="utf-8"))
    return sys.stderr
