"""What has to exist before what."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.rehearsal.cloudformation.intrinsics import Evaluator
from scripts.rehearsal.cloudformation.template import Template


def dependencies(template: Template, evaluator: Evaluator) -> dict[str, set[str]]:
    """For every active resource, the active resources that it needs (Ref, GetAtt, Sub, DependsOn)."""
    raise NotImplementedError


def order(needs: Mapping[str, set[str]]) -> list[set[str]]:
    """Waves of creation: every resource stands after all that it needs. Reversed, the order of deletion.

    TemplateError "Circular dependency between resources: [A, B]" when there is none.
    """
    raise NotImplementedError
