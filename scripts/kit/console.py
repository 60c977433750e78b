"""How every command speaks: data on stdout, progress on stderr, a clear message instead of a traceback."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import io
import os
import re
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from scripts import leave

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
INTERRUPTED = 130  # the exit code after Ctrl-C, as shells have it
SOON, PROGRESS, PROGRESS_ON_TERMINAL = 1.0, 5.0, 0.1  # seconds before the first line of progress, and between two


AGAIN = "Run the same command again once that is fixed: it continues from here"
FEW, SHOWN = 10, 3  # items that differ only in their account: up to FEW all are shown, of more the first SHOWN
MANY = "\N{MULTIPLICATION SIGN}"  # stands for what differs among them
IDS = r"\b([0-9]{12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
Item = TypeVar("Item")


class UserError(Exception):
    """Something that the user can fix: the message says what, where, and what to do (exit 1)."""


class UsageError(UserError):
    """The command was called wrongly (exit 2)."""


def colour_wanted() -> bool:
    """True when stderr is a terminal that shows colours (https://no-color.org is honoured)."""
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str) -> str:
    """The text in an ANSI colour (for example "32" for green), where colours are shown."""
    return f"\033[{code}m{text}\033[0m" if colour_wanted() else text


def near(path: Path) -> str:
    """A path as it is shown: relative to the working directory, where it is below that."""
    beneath = path.absolute().is_relative_to(Path.cwd())
    return os.path.relpath(path) if beneath else str(path)


def absolute(path: str) -> Path:
    """A path as it is typed, which stays the same for a process with another working directory, such as a build."""
    return Path(path).absolute()


def make_arguments(line: str) -> str:
    """ARGS=… of a make command to type. line: words as a shell reads them, quoted where they need it.

    The person's shell, make and make's shell read them, one after the other. make has no way to take a line break.
    """
    special = any(character in line for character in '$"`\\')
    return "ARGS=" + (shlex.quote(line.replace("$", "$$")) if special else f'"{line}"')


def say(message: str) -> None:
    """One line of progress, on stderr."""
    print(message, file=sys.stderr, flush=True)


class Progress:
    """How far something is that takes longer than a second. what: is being done; "" shows nothing.

    On a terminal one line that is rewritten, and cleared at the end; elsewhere a line every few seconds.
    total: 0 where unknown
    """

    def __init__(self, what: str, total: int = 0) -> None:
        self.what, self.total, self.shown = what, total, False
        self.rewrites = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.next = time.monotonic() + SOON

    def __call__(self, done: int) -> None:
        if not self.what or time.monotonic() < self.next:
            return
        self.next = time.monotonic() + (PROGRESS_ON_TERMINAL if self.rewrites else PROGRESS)
        line, self.shown = f"  … {self.what}: {done:,}" + (f" of {self.total:,}" if self.total else ""), True
        print(
            f"\r{line}\033[K" if self.rewrites else line, end="" if self.rewrites else "\n", file=sys.stderr, flush=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown and self.rewrites:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def with_progress(what: str, items: Iterable[Item], total: int = 0) -> Iterator[Item]:
    """The items as they come, with progress."""
    with Progress(what, total) as progress:
        for number, item in enumerate(items, 1):
            progress(number)
            yield item


def alike(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """The items that have the same key together, in the order of the first of each."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def without_ids(text: str) -> str:
    """The text without what differs from one account to the next: account ids, and AWS's ids of requests."""
    return re.sub(IDS, MANY, text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things: 1 account, 2,000 accounts. plural: where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def closest(word: str, words: Iterable[str]) -> str:
    """(did you mean X?), or nothing when no word is near."""
    near = difflib.get_close_matches(word, list(words), 1, 0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def some(items: Iterable[str], most: int = 3) -> str:
    """The first few, and how many more: a, b, c and 997 more."""
    listed = list(items)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most:,} more" if len(listed) > most else "")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines in columns as wide as their content."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def explain(error: Exception) -> str:
    """What a botocore error means, and what to do about it."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return "no AWS credentials found. Name a profile (--profile NAME), or sign in (aws sso login, aws configure)"
    if isinstance(error, ProfileNotFound):
        return f"{error}. `aws configure list-profiles` shows those that exist"
    if isinstance(error, (SSOError, TokenRetrievalError)):
        return f"{str(error).rstrip('.')}. Sign in again: aws sso login, with --profile NAME where you use one"
    if isinstance(error, (EndpointConnectionError, ConnectionClosedError)):
        return f"{error}. Is the Region spelt right, and the network reachable?"
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", str(error)).rstrip(".")
        hint = ""
        if code in {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}:
            hint = ". The credentials have expired: sign in again, and run the command again"
        elif code in {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}:
            hint = ". These credentials are not known to AWS: check the profile"
        return f"{error.operation_name}: {code}: {message}{hint}"
    return str(error)


def unwritten(error: BaseException | None) -> str:
    """The file that could not be written or read, and why: build/a.zip: No space left on device; "" for other errors.

    Python names the file where opening it failed. Where writing failed, as on a full disk, it is found among what the
    failed calls worked on.
    """
    if not isinstance(error, OSError) or not (error.filename or error.errno in UNWRITABLE):
        return ""
    name = error.filename
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__)) if name is None else []):
        for value in frame.f_locals.values():
            of_pathlib = isinstance(value, Path) and frame.f_globals["__name__"].startswith("pathlib")
            named = value if of_pathlib else getattr(value, "name", None) if isinstance(value, io.IOBase) else None
            name = name or (named if isinstance(named, str | Path) else None)
    return f"{name or 'standard output'}: {error.strerror}"


def drop_output() -> None:
    """Have what Python still holds for stdout go nowhere: it cannot be written, and Python would say so at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Parser(argparse.ArgumentParser):
    """A parser that reports a wrong call in one line; where an option is missing, with the first example."""

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and arg_strings == ["--"]:  # Python 3.11 takes --NAME=-- unchecked
            raise argparse.ArgumentError(action, "--: write a value")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        if "are required" not in message:
            raise UsageError(f"{message} (see --help)")
        example = (self.description or "").partition("examples:\n")[2].strip().partition("\n")[0]
        raise UsageError(f"{message}. Example: {example} (see --help)")


def make_parser(module: str, description: str | None) -> Parser:
    """The parser of python -m MODULE (scripts.status), whose --help shows its docstring as it is written."""
    return Parser(
        prog=f"python -m {module}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run(main: Callable[[], int] | Callable[[Sequence[str] | None], int]) -> int:
    """The exit code of main(): 0 fine, 1 a user's or a check's failure, 2 usage, 130 interrupted."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = main()  # type: ignore[call-arg]  # both kinds can be called without an argument
        sys.stdout.flush()
        return status
    except UsageError as error:
        say(f"{paint('error', '31')}: {error}")
        return 2
    except UserError as error:
        say(f"{paint('error', '31')}: {error}")
        return 1
    except (BotoCoreError, ClientError) as error:
        say(f"{paint('error', '31')}: {explain(error)}")
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in DENIED:
            say("These credentials lack that right: use others (--profile NAME), or have an administrator grant it")
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, for example `| head`
        return 1
    except OSError as error:
        if not (message := unwritten(error)):
            raise
        drop_output()
        say(f"{paint('error', '31')}: {message}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: run the same command again to go on")
        return INTERRUPTED
