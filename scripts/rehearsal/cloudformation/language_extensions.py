"""The AWS::LanguageExtensions transform: Fn::ForEach, Fn::Length, Fn::ToJsonString and what it makes looser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.rehearsal.cloudformation.parameters import Parameters
from scripts.rehearsal.cloudformation.template import Template

NAME = "AWS::LanguageExtensions"


def expand(template: Template, parameters: Parameters, pseudo: Mapping[str, Any]) -> Template:
    """The template with every Fn::ForEach written out; the same template when it does not use the transform.

    NotPlayed for every other transform.
    """
    raise NotImplementedError
