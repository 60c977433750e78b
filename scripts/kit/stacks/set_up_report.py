"""What `make accounts` says: the steps of each part, their sum, and what other credentials have to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scripts.kit import plan
from scripts.kit.console import FEW, SHOWN, counted, some
from scripts.kit.plan import PlanStep


def part(steps: Sequence[PlanStep], every: bool) -> Iterator[str]:
    """The lines of one part; every: also where many accounts are alike."""
    why = [str(step.request["why"]) for step in steps if "why" in step.request]
    shown = why if every or len(why) <= FEW else why[:SHOWN]
    yield from (f"  note: {text}" for text in shown)
    if rest := len(why) - len(shown):
        yield f"  note: the same holds for {counted(rest, 'more account')}; --all lists them"
    yield from plan.lines(steps, every)


def remaining(steps: Iterable[PlanStep]) -> list[tuple[tuple[str, ...], list[str]]]:
    """The commands that other credentials have to run, in order, each with the accounts that need the same ones."""
    by_account: dict[str, dict[str, None]] = {}
    for step in steps:
        if step.action == "wait" and step.command:
            by_account.setdefault(step.account, {})[step.command] = None
    same: dict[tuple[str, ...], list[str]] = {}
    for account, commands in by_account.items():
        same.setdefault(tuple(commands), []).append(account)
    return list(same.items())


def summary(steps: Sequence[PlanStep], own: str, dry_run: bool, every: bool) -> Iterator[str]:
    """The sum, and what remains. own: the account that these credentials belong to."""
    yield plan.summed(steps, applied=not dry_run)
    groups = remaining(steps)
    shown = groups if every or len(groups) <= FEW else groups[:SHOWN]
    for commands, accounts in shown:
        yield f"  remaining, {whose(accounts, own)}:"
        yield from (f"    {command}" for command in commands)
        if len(accounts) > 1:
            yield f"    (in each of {', '.join(accounts) if every else some(accounts, FEW)})"
    if rest := len(groups) - len(shown):
        yield f"  {counted(rest, 'more account has', 'more accounts have')} commands of their own; --all lists them"


def whose(accounts: Sequence[str], own: str) -> str:
    """Which credentials the commands need."""
    if list(accounts) == [own]:
        return "for these credentials when asked"
    if len(accounts) == 1:
        return f"with credentials of account {accounts[0]}"
    return f"with credentials of {len(accounts):,} accounts"
