"""What taking something down consists of: parts that go, each with how it is deleted, and parts that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from scripts.kit.connect import Request, if_there
from scripts.kit.console import AGAIN, UserError, explain, say
from scripts.kit.plan import PlanStep


@dataclass(frozen=True)
class DeletionOptions:
    """What is deleted only when it is asked for."""

    model_group: bool = False
    empty_buckets: bool = False
    logs: bool = False


@dataclass(frozen=True)
class TeardownPart:
    """One thing, and how it is deleted; do is None where it is left as it is.

    cost: of what is left, in US dollars a month; blind: it is not known whether there is something to delete
    """

    step: PlanStep
    do: Callable[[], object] | None = None
    cost: float = 0.0
    blind: bool = False


def deleted(kind: str, name: str, detail: str, do: Callable[[], object]) -> TeardownPart:
    return TeardownPart(PlanStep("delete", kind, name, detail), do)


def kept(kind: str, name: str, detail: str, cost: float = 0.0) -> TeardownPart:
    return TeardownPart(PlanStep("keep", kind, name, detail), cost=cost)


def unseen(kind: str, name: str, why: UserError) -> TeardownPart:
    return TeardownPart(PlanStep("keep", kind, name, f"not looked at: {str(why).splitlines()[0]}"), blind=True)


def apply(parts: list[TeardownPart]) -> None:
    """Delete one after the other; UserError from the first that cannot be."""
    for part in parts:
        if part.do is None:
            continue
        say(f"  … {part.step.kind} {part.step.name}")
        try:
            part.do()
        except ClientError as error:
            raise UserError(f"{part.step.kind} {part.step.name}: {explain(error)}. {AGAIN}") from error


def removal(request: Callable[Request, object], *args: Request.args, **kwargs: Request.kwargs) -> Callable[[], object]:
    """How something is deleted by one request, which may find it gone."""
    return lambda: if_there(request, *args, **kwargs)
