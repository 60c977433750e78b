"""Waiting: looking again with growing pauses, with a limit and a line of progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

from scripts.kit.console import UserError, explain, say

Answer = TypeVar("Answer")
LONGEST_PAUSE = 10.0  # seconds between two looks


def until(
    what: str,
    look: Callable[[], Answer | None],
    seconds: float,
    progress: Callable[[], str] = lambda: "",
    late: Callable[[], Exception] | None = None,
    shortest: float = 0.02,
    longest: float = LONGEST_PAUSE,
    growth: float = 0.2,
) -> Answer:
    """Wait for look() to answer something other than None; show what progress() answers whenever it changes.

    Args:
        seconds: the limit, after which UserError is raised, or what late() answers where there is more to say
        shortest, longest: seconds between two looks
        growth: of a pause, as a share of the time that has passed: what takes long need not be seen at once
    """
    begin, shown = time.monotonic(), ""
    while (found := look()) is None:
        if (waited := time.monotonic() - begin) > seconds:
            raise (
                late()
                if late
                else UserError(
                    f"{what}: not done after {seconds / 60:.0f} minutes. Run this command again: it continues from here"
                )
            )
        if (now := progress()) and now != shown:
            say(f"  … {what}: {now}")
            shown = now
        time.sleep(min(longest, max(shortest, waited * growth)))
    return found


def patiently(
    what: str, ask: Callable[[], Answer], passing: Callable[[ClientError], bool], seconds: float = 300.0
) -> Answer:
    """What ask() answers, asked again as long as its error passes; UserError after the limit.

    what: is waited for, such as "the role X in account Y"
    """
    last: list[ClientError] = []

    def look() -> tuple[Answer] | None:
        try:
            return (ask(),)
        except ClientError as error:
            if not passing(error):
                raise
            last[:] = [error]
            return None

    def late() -> UserError:
        return UserError(
            f"{what}: not ready after {seconds / 60:.0f} minutes ({explain(last[0])}). "
            "Run this command again: it continues from here"
        )

    waiting = f"waiting for {what}"
    return until(waiting, look, seconds, lambda: code(last[0]), late, shortest=0.2, growth=0.5)[0]


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def of(*codes: str) -> Callable[[ClientError], bool]:
    """Whether an error has one of these codes."""
    return lambda error: code(error) in codes
