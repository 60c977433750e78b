"""Asking again: what AWS refuses for a while only, with a limit and a line of progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

from scripts.kit.console import UserError, explain, say

Answer = TypeVar("Answer")
LONGEST_PAUSE = 10.0  # seconds between two requests


def patiently(
    what: str, ask: Callable[[], Answer], passing: Callable[[ClientError], bool], seconds: float = 300.0
) -> Answer:
    """What ask() answers, asked again as long as its error passes; UserError after the limit.

    what: what is being waited for, such as "the role X in account Y"
    """
    end, pause, said = time.monotonic() + seconds, 0.2, False
    while True:
        try:
            return ask()
        except ClientError as error:
            if not passing(error):
                raise
            if time.monotonic() > end:
                raise UserError(
                    f"{what}: not ready after {seconds / 60:.0f} minutes ({explain(error)}). "
                    "Run this command again: it goes on from here"
                ) from error
            if not said:
                say(f"  … waiting for {what}: {code(error)}")
                said = True
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)


def until(
    what: str,
    look: Callable[[], Answer | None],
    seconds: float,
    progress: Callable[[], str] = lambda: "",
    late: Callable[[], Exception] | None = None,
    longest: float = LONGEST_PAUSE,
) -> Answer:
    """What look() answers as soon as it is not None; what progress() answers is shown whenever it changes.

    late: what is raised after the limit, where there is more to say than that it is not done
    longest: seconds between two looks
    """
    begin, said = time.monotonic(), ""
    while (found := look()) is None:
        if (waited := time.monotonic() - begin) > seconds:
            raise (
                late()
                if late
                else UserError(
                    f"{what}: not done after {seconds / 60:.0f} minutes. Run this command again: it goes on from here"
                )
            )
        if (now := progress()) and now != said:
            say(f"  … {what}: {now}")
            said = now
        time.sleep(min(longest, max(0.1, waited / 10)))  # what takes long need not be seen at once
    return found


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def of(*codes: str) -> Callable[[ClientError], bool]:
    """Whether an error has one of these codes."""
    return lambda error: code(error) in codes
