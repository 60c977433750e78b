"""Edits of the templates that the judges must find: the templates, their resources, and the pipeline's stages."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from awslang.template.template import Template, parse
from tests.support import ROOT
from tests.support.judges import sequence

PATHS = sorted((ROOT / "templates").glob("*.yaml"))
TEMPLATES = {path.name: parse(path.read_text(encoding="utf-8")) for path in PATHS}
PRODUCT, ENDPOINT = "30-project.yaml", "50-endpoint.yaml"
STAGES = ("Pipeline", "Properties", "Stages")


def changed(name: str, edit: Callable[[Any], object]) -> Template:
    """A template with an edit of its resources."""
    document = copy.deepcopy(dict(TEMPLATES[name].document))
    edit(document["Resources"])
    return Template("", document, {})


def put(node: Any, path: tuple[str | int, ...], value: Any) -> None:
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value


def drop(node: Any, path: tuple[str | int, ...]) -> None:
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]


# -- the project's pipeline ----------------------------------------------------------------------


def stages_of(resources: Any, *, optional: bool = True) -> list[Any]:
    """The pipeline's stages and their actions as they are where all optional ones are there, or none."""

    needed = ("", "HasStaging")

    def there(listed: list[Any]) -> list[Any]:
        conditional = [(one["Fn::If"][0], one["Fn::If"][1]) if "Fn::If" in one else ("", one) for one in listed]
        return [one for condition, one in conditional if optional or condition in needed]

    return [{**one, "Actions": there(one["Actions"])} for one in there(resources["Pipeline"]["Properties"]["Stages"])]


def with_stages(stages: list[Any], edit: Callable[[Any], object] = lambda resources: None) -> Template:
    """The project's template with these stages of the pipeline, and an edit of them."""

    def replaced(resources: Any) -> None:
        put(resources, STAGES, copy.deepcopy(stages))
        edit(resources)

    return changed(PRODUCT, replaced)


def without_staging(node: Any) -> Any:
    """A part of the template as it is where HasStaging does not hold."""
    if isinstance(node, list):
        found = [without_staging(one) for one in node]
        return [one for one in found if one != {"Ref": "AWS::NoValue"}]
    if not isinstance(node, dict):
        return node
    if node.get("Fn::If", [""])[0] == "HasStaging":
        return without_staging(node["Fn::If"][2])
    return {name: without_staging(value) for name, value in node.items()}


def of_production_alone(resources: Any, builds: Sequence[str]) -> None:
    """Let builds say that there is no staging, whatever the conditions say."""
    for build in builds:
        variables = resources[build]["Properties"]["Environment"]["EnvironmentVariables"]
        variables.append({"Name": "PRODUCTION_ALONE", "Value": "true"})


def sequence_findings(template: Template) -> list[str]:
    return [*sequence.production(PRODUCT, template), *sequence.actions(PRODUCT, template)]
