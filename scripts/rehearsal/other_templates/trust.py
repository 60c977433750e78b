"""Asks before the build commands of another team's template run on this machine, and says what confines them."""

from __future__ import annotations

from pathlib import Path

from localaws import confinement
from scripts.kit import asking
from scripts.kit.console import UsageError, say

CONFINED = (
    "its build commands and functions run with your rights, but see no file, process or variable except their own. "
    "Not confined: the network, and how much memory, processor time and disk they take"
)


def statement() -> str:
    """What confines them on this machine."""
    problem = confinement.problem()
    if not problem:
        return CONFINED
    return (
        "its build commands and functions run with your rights and are NOT confined on this machine "
        f"({problem}): they can read, change and send whatever you can. Only HOME and the variables are their own"
    )


def require(template: Path, given: bool) -> None:
    """UsageError unless the user trusts the template: by --trust, or by an answer on a terminal."""
    say(f"{template}: {statement()}.")
    if given:
        return
    if not asking.can_ask():
        raise UsageError(
            f"{template} may run any command here. Read the template and its buildspecs, then add --trust "
            "(on a terminal you are asked)"
        )
    if asking.answer("Run it? Read its buildspecs first. [y/N] ").lower() not in {"y", "yes"}:
        raise UsageError(f"{template} was not run")
