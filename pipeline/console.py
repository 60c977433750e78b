"""What the two steps share: how they speak, fail, and hand values on to the pipeline."""

from __future__ import annotations

import shlex
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

EXPORTS = Path("exports.sh")  # the buildspec sources it, so that the values become the step's variables
# A manual approval shows at most 1,000 characters (API, CustomData): the summaries of two steps and a space.
SUMMARY_LIMIT = 490
BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that look like a space


class UserError(Exception):
    """Something that a person can fix: what is wrong, where, and what to do."""


def say(message: str) -> None:
    """One line in the step's log."""
    print(message, file=sys.stderr, flush=True)


def export(values: Mapping[str, str], place: Path = EXPORTS) -> None:
    """Hand values on as the step's exported variables: one line each."""
    lines = [f"export {name}={shlex.quote(' '.join(value.split()))}\n" for name, value in values.items()]
    place.write_text("".join(lines), encoding="utf-8")


def counted(number: int, thing: str) -> str:
    """The number with its noun: 1 account, 2 accounts, 1,000 accounts."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, with a question mark for each character that cannot be seen, or turns the direction.

    limit: how much of the line is wanted; a container's answer may be megabytes
    """
    line = " ".join(text.split())[:limit]
    return "".join("?" if hidden(sign) else sign for sign in line)


def hidden(sign: str) -> bool:
    """Whether a character is a control, a mark of direction, half of one, unassigned, or looks like a space."""
    return sign != " " and (unicodedata.category(sign)[0] in "CZ" or sign in BLANK)


def one_word(text: str) -> str:
    """The text without a space, as one_line() has it."""
    return "_".join(one_line(text).split())


def shorten(text: str, limit: int = SUMMARY_LIMIT) -> str:
    """The text on one line, at most limit characters."""
    line = one_line(text, limit + 1)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def run(main: Callable[[], int]) -> int:
    """The exit code of main(): no traceback for what AWS or a person got wrong."""
    try:
        return main()
    except UserError as error:
        problem = str(error)
    except ClientError as error:
        answer = error.response["Error"]
        problem = f"{error.operation_name}: {answer.get('Code')}: {answer.get('Message')}"
    except BotoCoreError as error:
        problem = str(error)
    say(f"error: {problem}")
    export({"SUMMARY": shorten(f"Failed: {problem}"), "REASON": shorten(problem)})
    return 1
