"""A CloudFormation template as data: its sections, where each part stands, and the limits AWS sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class TemplateError(ValueError):
    """The template, or what was given to it, is refused.

    str(error) is AWS's wording; logical_id and line say where ("" and 0 when no place is known).
    """

    def __init__(self, message: str, logical_id: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.logical_id = logical_id
        self.line = line


@dataclass(frozen=True)
class Template:
    """A parsed template; every short form (!Sub) is its full form ({"Fn::Sub": …}).

    body: the text as given
    document: the whole template
    lines: line numbers (from 1) by path, e.g. ("Resources", "Bucket", "Properties")
    """

    body: str
    document: Mapping[str, Any]
    lines: Mapping[tuple[str | int, ...], int]

    @property
    def description(self) -> str:
        raise NotImplementedError

    @property
    def metadata(self) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        raise NotImplementedError

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        raise NotImplementedError

    @property
    def mappings(self) -> dict[str, dict[str, dict[str, Any]]]:
        raise NotImplementedError

    @property
    def conditions(self) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        raise NotImplementedError

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        raise NotImplementedError

    @property
    def transforms(self) -> list[str]:
        """Names of the transforms (macros) that the template declares, in order."""
        raise NotImplementedError

    def line(self, *path: str | int) -> int:
        """The line of the deepest part of path that is known; 0 when none is."""
        raise NotImplementedError


def parse(body: str) -> Template:
    """Read a template (YAML or JSON) and check its form. TemplateError in AWS's wording otherwise.

    References and functions are checked when an Evaluator is made (transforms come first).
    """
    raise NotImplementedError
