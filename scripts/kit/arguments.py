"""The kinds of values that the commands' options take, each checked while the command line is read, with exit code 2.

Each is a `type` of argparse: it gives the value, or says what to write instead.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.kit.console import UsageError
from scripts.kit.settings.sections import UNSEEN

NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")
WORD = re.compile(r"[!-~]{1,256}")  # an id, a name or a version of AWS or of the kit
PROJECT = re.compile(r"(?=.{1,32}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")  # SageMaker API, ProjectEntityName
REPOSITORY = re.compile(r"[a-zA-Z0-9_.][a-zA-Z0-9_.-]{0,99}")
LONGEST_PATH = 4096  # bytes
LONGEST_VALUE = 4096  # bytes of a template's parameter
LONGEST_TIME = 7 * 24 * 3600  # seconds
SHOWN = 80


def shown(text: str) -> str:
    return ascii(text[:SHOWN])[1:-1] + ("…" if len(text) > SHOWN else "")


def refused(text: str, instead: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{shown(text) or 'an empty text'}: write {instead}")


def path(text: str) -> Path:
    """A path, which need not be there."""
    if not text or "\0" in text or len(text.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        raise refused(text, "the path of a file or a folder")
    found = Path(text)
    # In absent/../there, the system finds nothing until someone makes absent: what is there would seem to be free.
    return Path(os.path.realpath(found)) if ".." in found.parts else found


def absolute(text: str) -> Path:
    """A path that stays the same for a process with another working directory, such as a build."""
    return path(text).absolute()


def word(text: str) -> str:
    """A name or an id without spaces."""
    if not WORD.fullmatch(text):
        raise refused(text, "a name of 1 to 256 letters, digits and signs, without spaces")
    return text


def label(text: str) -> str:
    """A name that may hold spaces and letters of every language, such as that of a profile."""
    if not text.strip() or len(text) > 256 or UNSEEN.search(text):
        raise refused(text, "a name of 1 to 256 characters")
    return text


def project(text: str) -> str:
    """The name of a SageMaker project."""
    if not PROJECT.fullmatch(text):
        instead = "a project's name: 1 to 32 letters, digits and hyphens, which begins and ends with a letter or digit"
        raise refused(text, f"{instead}. Example: iris-multi-01")
    return text


def account(text: str) -> str:
    """The id of an AWS account."""
    if not re.fullmatch(r"[0-9]{12}", text):
        raise refused(text, "an account's id of twelve digits, such as 222222222222")
    return text


def repository(text: str) -> str:
    """The name of a repository, without its owner."""
    if not REPOSITORY.fullmatch(text):
        raise refused(text, "a repository's name of 1 to 100 letters, digits and ._-, such as iris-deploy")
    return text


def address(text: str) -> str:
    """The address of a git server. One that begins with a hyphen would be an option of git."""
    if not text or text.startswith("-") or len(text) > LONGEST_PATH or UNSEEN.search(text):
        raise refused(text, "the address of a git server, such as https://git.example.com")
    return text


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number from least to most."""

    def read(text: str) -> int:
        if not NUMBER.fullmatch(text) or "." in text or not least <= int(text) <= most:
            raise refused(text, f"a whole number from {least} to {most}")
        return int(text)

    return read


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    if not NUMBER.fullmatch(text) or not 0 < float(text) <= LONGEST_TIME:
        raise refused(text, f"a number of seconds above 0, up to {LONGEST_TIME}")
    return float(text)


def listed(kind: Callable[[str], Any]) -> Callable[[str], str]:
    """Items with commas between them, none of them empty; the text as it is."""

    def read(text: str) -> str:
        for item in text.split(","):
            kind(item)
        return text

    return read


def add_set(parser: argparse.ArgumentParser) -> None:
    """The option --set NAME=VALUE, for values_of()."""
    words = "another value for a parameter; repeatable"
    parser.add_argument("--set", type=pair, action="append", default=[], metavar="NAME=VALUE", help=words)


def values_of(items: Sequence[str]) -> dict[str, str]:
    """The values that --set gives, by name; UsageError for a name that is given twice."""
    names = [item.partition("=")[0] for item in items]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"--set {twice} is given twice")
    return dict(item.split("=", 1) for item in items)


def pair(text: str) -> str:
    """NAME=VALUE, both as a template's parameter has them; the text as it is."""
    name, sign, value = text.partition("=")
    if not sign or not re.fullmatch(r"[!-<>-~]{1,1024}", name) or "\0" in value:
        raise refused(text, "NAME=VALUE")
    if len(value.encode("utf-8", "surrogateescape")) > LONGEST_VALUE:
        raise refused(text, f"a value of at most {LONGEST_VALUE} bytes")
    return text
