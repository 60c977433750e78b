"""What one statement of a policy is about."""

from __future__ import annotations

from functools import cache

from awslang.policy.document import Statement
from awslang.policy.evaluator import AuthorizationRequest, covers, named
from awslang.policy.patterns import action_like, resource_like


def says(statement: Statement | None, request: AuthorizationRequest) -> int:
    """What a statement says of a request: 0 nothing, 9 in a policy without principals, else the Grant."""
    if statement is None or not covers(statement, request):
        return 0
    return 9 if statement.principals is None else int(named(statement, request))


def covers_by_name(statement: Statement, action: str) -> bool:
    return _covers_by_name(statement.actions, statement.not_actions, action)


@cache
def _covers_by_name(patterns: tuple[str, ...], but: bool, action: str) -> bool:
    return any(action_like(pattern, action) for pattern in patterns) != but


class Things(dict[str, bool | None]):
    """Whether patterns are about a resource, by its ARN; None where that depends on who asks."""

    def __init__(self, patterns: tuple[str, ...], but: bool) -> None:
        super().__init__()
        self.patterns, self.but = patterns, but
        self.varies = any("${" in pattern for pattern in patterns)

    def __missing__(self, arn: str) -> bool | None:
        about = None if self.varies else any(resource_like(one, arn, {}) for one in self.patterns) != self.but
        self[arn] = about
        return about


def things_of(statement: Statement | None) -> Things:
    """What a statement is about, by its Resource or NotResource; without one, whatever its policy is about."""
    if statement is None:
        return _things_of((), False)
    return _things_of(("*",) if statement.resources is None else statement.resources, statement.not_resources)


@cache
def _things_of(patterns: tuple[str, ...], but: bool) -> Things:
    return Things(patterns, but)
