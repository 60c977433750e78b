"""A CloudFormation template as data: its sections, where each part stands, and the limits AWS sets.

AWS pages: "Template sections" and "Understand CloudFormation quotas" (the limits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from awslang.template import shape
from awslang.template.reader import Path, TemplateError, read

INLINE_BYTES = 51_200  # TemplateBody of a request
S3_BYTES = 1_000_000  # a template that TemplateURL names


@dataclass(frozen=True)
class Template:
    """A parsed template; every short form (!Sub) is its full form ({"Fn::Sub": …}).

    body: the text as given
    document: the whole template
    lines: line numbers (from 1) by path, e.g. ("Resources", "Bucket", "Properties")
    warnings: what CloudFormation takes without a word and is likely a mistake: keys that stand twice
    checked: the Regions for which its functions and references were found right (checks.check)
    depends: what needs what, by the values of its conditions (graph.dependencies)
    """

    body: str
    document: Mapping[str, Any]
    lines: Mapping[Path, int]
    warnings: tuple[str, ...] = ()
    checked: set[str] = field(default_factory=set)
    depends: dict[tuple[bool, ...], dict[str, set[str]]] = field(default_factory=dict)

    @property
    def description(self) -> str:
        return str(self.document.get("Description", ""))

    @property
    def metadata(self) -> dict[str, Any]:
        return self._section("Metadata")

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        return self._section("Parameters")

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        return self._section("Rules")

    @property
    def mappings(self) -> dict[str, dict[str, dict[str, Any]]]:
        return self._section("Mappings")

    @property
    def conditions(self) -> dict[str, Any]:
        return self._section("Conditions")

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        return self._section("Resources")

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        return self._section("Outputs")

    @property
    def transforms(self) -> list[str]:
        """Names of the transforms (macros) that the template declares, in order."""
        return shape.transforms(self.document)

    def line(self, *path: str | int) -> int:
        """The line of the deepest part of path that is known; 0 when none is."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 0

    def error(self, message: str, *path: str | int) -> TemplateError:
        """A refusal that says where: the logical id and the line of path."""
        return TemplateError(message, str(path[1]) if len(path) > 1 else "", self.line(*path))

    def _section(self, name: str) -> dict[str, Any]:
        section: dict[str, Any] = self.document.get(name, {})
        return section


class Place:
    """Gives a TemplateError raised within it the logical id and line of a path, if it has none yet."""

    def __init__(self, template: Template, *path: str | int) -> None:
        self.template = template
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, TemplateError) and not error.line:
            error.logical_id = error.logical_id or str(self.path[1])
            error.line = self.template.line(*self.path)


def parse(body: str) -> Template:
    """Read a template (YAML or JSON) and check its form. TemplateError in AWS's wording otherwise.

    References and functions are checked when an Evaluator is made (transforms come first).
    """
    document, lines = read(body)
    if not isinstance(document, dict):
        raise TemplateError("Template format error: unsupported structure.", line=1)
    twice = (f"{'/'.join(map(str, path))} (line {lines.get(path, 0)})" for path in lines.twice)
    warnings = tuple(f"{place} stands twice in its object: CloudFormation takes this one, the last" for place in twice)
    template = Template(body, document, lines, warnings)
    for message, path in shape.problems(document):
        raise template.error(message, *path)
    return template


def check_size(body: str, *, inline: bool) -> None:
    """TemplateError when a template is longer than AWS accepts in a request (inline) or from S3."""
    size = len(body.encode())
    if inline and size > INLINE_BYTES:
        raise TemplateError(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {INLINE_BYTES}"
        )
    if size > S3_BYTES:
        raise TemplateError(f"Template may not exceed {S3_BYTES} bytes in size.")


__all__ = ["INLINE_BYTES", "S3_BYTES", "Place", "Template", "TemplateError", "check_size", "parse"]
