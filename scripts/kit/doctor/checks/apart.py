"""Which projects a principal's policies could tell apart: for all others, what holds for one project holds for each.

A policy names resources with wildcards. One whose text between the wildcards is nothing but what the names of all
projects have in common covers the things of every project or of none: a principal is not asked about each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from awslang.policy.document import Policy
from scripts.kit.doctor.facts import protected

WILDCARD = re.compile(r"[*]|\$\{[^}]*\}")
GAP = {"SageMakerProjectName": "\0", "SageMakerProjectId": "\0"}  # what no policy contains


def texts(templates: tuple[str, ...], own: Mapping[str, str], project: Mapping[str, str]) -> str:
    """The ARNs of all things of a project, one after the other."""
    things = protected.things(templates)
    return "\n".join(arn for thing in things for arn in thing.arns({**own, **project}))


class Projects:
    """The projects of an installation. own: partition, account and Region; values: of each project's parameters"""

    def __init__(self, own: Mapping[str, str], values: Iterable[Mapping[str, str]]) -> None:
        self.common = texts(protected.DATA_SCIENCE, own, GAP)
        self.own = tuple(texts(protected.DATA_SCIENCE, own, one) for one in values)
        self.named = lru_cache(maxsize=100_000)(self._named)

    def distinguished(self, policies: Iterable[Policy]) -> set[int]:
        """The numbers of the projects that the policies may treat otherwise than the rest."""
        patterns = {one for policy in policies for s in policy.statements for one in s.resources or ()}
        return {number for pattern in patterns for number in self.named(pattern)}

    def _named(self, pattern: str) -> tuple[int, ...]:
        if "?" in pattern:  # it counts characters
            return tuple(range(len(self.own)))
        pieces = [piece for piece in WILDCARD.split(pattern) if piece]
        if all(piece in self.common for piece in pieces):
            return ()
        return tuple(n for n, text in enumerate(self.own) if all(piece in text for piece in pieces))
