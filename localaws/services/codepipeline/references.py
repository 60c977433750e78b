"""Whether the references to variables in a pipeline's declaration are ones that CreatePipeline takes.

AWS CodePipeline User Guide, "Variables reference".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from localaws.services.codepipeline.declared import Declaration, conditions, structure, wrong_action
from localaws.services.codepipeline.providers import REFERENCE

RESERVED_NAMESPACES = ("codepipeline", "variables")


def check_variables(pipeline: Declaration) -> None:
    """Namespaces are unique, and every reference names one that is filled before it is read."""
    filled: dict[str, tuple[int, int]] = {}
    artifacts = {a["name"] for s in pipeline["stages"] for act in s["actions"] for a in act.get("outputArtifacts", [])}
    for position, stage in enumerate(pipeline["stages"]):
        for action in stage["actions"]:
            namespace = action.get("namespace")
            if namespace is None:
                continue
            if namespace in RESERVED_NAMESPACES or namespace in filled or namespace in artifacts:
                raise wrong_action(
                    f"The namespace '{namespace}' of action '{action['name']}' is reserved or used already: namespaces "
                    "must be unique across the pipeline and cannot be the name of an artifact"
                )
            filled[namespace] = (position, action.get("runOrder", 1))
    declared = {variable["name"] for variable in pipeline.get("variables", [])}
    for position, stage in enumerate(pipeline["stages"]):
        for action in stage["actions"]:
            place = (position, action.get("runOrder", 1))
            where = f"StageName=[{stage['name']}], ActionName=[{action['name']}]"
            source = action["actionTypeId"]["category"] == "Source"
            for key, value in action.get("configuration", {}).items():
                _check_references(value, f"{where}, ActionConfigurationKey=[{key}]", place, filled, declared, source)
        for kind, condition in conditions(stage):
            place = (position, 0 if kind == "beforeEntry" else 1000)
            for rule in (r for c in condition.get("conditions", []) for r in c["rules"]):
                where = f"StageName=[{stage['name']}], ConditionType=[{kind}], RuleName=[{rule['name']}]"
                for key, value in rule.get("configuration", {}).items():
                    _check_references(value, f"{where}, ConfigurationKey=[{key}]", place, filled, declared, False)


def _check_references(
    text: str,
    where: str,
    place: tuple[int, int],
    filled: Mapping[str, tuple[int, int]],
    declared: set[str],
    source: bool,
) -> None:
    for reference in REFERENCE.findall(text):
        shown = f"{where}, VariableReferenceText=[#{{{reference}}}]"
        if not re.fullmatch(r"[A-Za-z0-9@\-_]+\.[A-Za-z0-9@\-_]+", reference):
            raise structure(
                "Valid format for a pipeline execution variable reference is a namespace and a key separated by a "
                f"period (.). {shown}"
            )
        namespace, name = reference.split(".")
        if namespace == "codepipeline" and name != "PipelineExecutionId":
            raise structure(f"The namespace codepipeline has no variable {name}. {shown}")
        if namespace == "variables":
            if source:
                raise structure(f"Pipeline-level variables cannot be used in a source action. {shown}")
            if name not in declared:
                raise structure(f"The pipeline does not declare the variable {name}. {shown}")
        elif namespace != "codepipeline" and filled.get(namespace, (place[0] + 1, 0)) >= place:
            raise structure(
                "Valid format for a pipeline execution variable reference is a namespace and a key separated by a "
                "period (.). The following pipeline execution variables are referencing a namespace that does not "
                f"exist. {shown}"
            )
