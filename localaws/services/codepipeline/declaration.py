"""Whether a pipeline's declaration is one that CreatePipeline takes.

AWS CodePipeline User Guide, "CodePipeline pipeline structure reference" (pipeline, stage and action
declaration), "Quotas in AWS CodePipeline". Conditions are checked by rules.py, variables by references.py.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape

from awslang.errors import AwsError, NotSupported
from localaws.services.codepipeline.declared import (
    Declaration,
    check_commands,
    conditions,
    duplicate_of,
    structure,
    wrong_action,
    wrong_stage,
)
from localaws.services.codepipeline.providers import (
    NOT_SUPPORTED,
    SUPPORTED,
    configuration_problem,
)
from localaws.services.codepipeline.references import check_variables
from localaws.services.codepipeline.rules import check_condition

STAGES = (2, 50)
ACTIONS_IN_STAGE = (1, 50)
ACTIONS_IN_PIPELINE = 1000


def check(pipeline: Declaration, region: str) -> None:
    """AwsError, as CreatePipeline and UpdatePipeline answer, unless the declaration is valid."""
    check_shape("PipelineDeclaration", pipeline, "pipeline")
    _check_pipeline(pipeline, region)
    _check_triggers(pipeline)
    for stage in pipeline["stages"]:
        _check_stage(stage)
    for stage in pipeline["stages"]:
        for action in stage["actions"]:
            _check_action(stage, action, region)
        for kind, condition in conditions(stage):
            check_condition(pipeline, stage, kind, condition)
    _check_regions(pipeline, region)
    _check_artifacts(pipeline)
    check_variables(pipeline)


# -- the API model's own constraints -----------------------------------------------------------


@cache
def _shape(name: str) -> Shape:
    return botocore.session.Session().get_service_model("codepipeline").shape_for(name)


def check_shape(name: str, value: Any, path: str) -> None:
    """ValidationException where a value breaks a length, a pattern or an enum of the API's model."""
    _walk(_shape(name), value, path)


def _walk(shape: Any, value: Any, path: str) -> None:
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            if member in value:
                _walk(inner, value[member], f"{path}.{member}")
    elif shape.type_name == "list":
        _range(shape, len(value), path, "have length")
        for index, item in enumerate(value, 1):
            _walk(shape.member, item, f"{path}.{index}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            _walk(shape.key, key, f"{path} key {key}")
            _walk(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string":
        _range(shape, len(value), path, "have length")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value, re.DOTALL):
            raise _invalid(value, path, f"satisfy regular expression pattern: {pattern}")
        if shape.enum and value not in shape.enum:
            raise _invalid(value, path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    elif shape.type_name == "integer":
        _range(shape, value, path, "have value")


def _range(shape: Any, size: int, path: str, what: str) -> None:
    if "max" in shape.metadata and size > shape.metadata["max"]:
        raise _invalid(size, path, f"{what} less than or equal to {shape.metadata['max']}")
    if "min" in shape.metadata and size < shape.metadata["min"]:
        raise _invalid(size, path, f"{what} greater than or equal to {shape.metadata['min']}")


def _invalid(value: Any, path: str, must: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must {must}",
    )


# -- pipeline and stages -----------------------------------------------------------------------


def _check_pipeline(pipeline: Declaration, region: str) -> None:
    stages = pipeline["stages"]
    if ("artifactStore" in pipeline) == ("artifactStores" in pipeline):
        raise structure("Pipeline must have either an artifactStore or artifactStores, and not both")
    if "artifactStores" in pipeline and region not in pipeline["artifactStores"]:
        raise structure(f"artifactStores has no artifact store for the pipeline's own region {region}")
    if len(stages) < STAGES[0]:
        raise structure(
            f"Pipeline has only {len(stages)} stage(s). "  # english: quoted
            "There should be a minimum of 2 stages in a pipeline"
        )
    if len(stages) > STAGES[1]:
        raise AwsError("LimitExceededException", f"Pipeline has {len(stages)} stages. The maximum is {STAGES[1]}")
    if duplicate := duplicate_of([stage["name"] for stage in stages]):
        raise structure(f"Pipeline has more than one stage with the name '{duplicate}'")
    for position, stage in enumerate(stages):
        sources = [action["actionTypeId"]["category"] == "Source" for action in stage["actions"]]
        if position == 0 and not (sources and all(sources)):
            raise structure("Pipeline should start with a stage that only contains source actions")
        if position and any(sources):
            raise structure(f"Stage '{stage['name']}' contains a source action; only the first stage may")
    if sum(len(stage["actions"]) for stage in stages) > ACTIONS_IN_PIPELINE:
        raise AwsError("LimitExceededException", f"Pipeline has more than {ACTIONS_IN_PIPELINE} actions")
    _check_type(pipeline)
    if duplicate := duplicate_of([variable["name"] for variable in pipeline.get("variables", [])]):
        raise structure(f"Pipeline declares the variable '{duplicate}' more than once")


def _check_type(pipeline: Declaration) -> None:
    """Features of V2 pipelines ("Pipeline types")."""
    if pipeline.get("pipelineType", "V1") == "V2":
        return
    needs = [key for key in ("variables", "triggers") if pipeline.get(key)]
    actions = [action for stage in pipeline["stages"] for action in stage["actions"]]
    needs += [f"the action {a['name']} (Commands)" for a in actions if a["actionTypeId"]["provider"] == "Commands"]
    needs += [kind for stage in pipeline["stages"] for kind, _ in conditions(stage)]
    if pipeline.get("executionMode", "SUPERSEDED") != "SUPERSEDED":
        needs.append(f"the execution mode {pipeline['executionMode']}")
    if needs:
        raise structure(f"Pipeline type V1 does not support {', '.join(needs)}: the pipelineType must be V2")


def _check_triggers(pipeline: Declaration) -> None:
    """At most one for each source action, which is a connection ("Considerations for trigger filters")."""
    sources = {action["name"]: action["actionTypeId"]["provider"] for action in pipeline["stages"][0]["actions"]}
    named = [trigger["gitConfiguration"]["sourceActionName"] for trigger in pipeline.get("triggers", [])]
    if duplicate := duplicate_of(named):
        raise structure(f"The source action '{duplicate}' has more than one trigger")
    for trigger in pipeline.get("triggers", []):
        given = trigger["gitConfiguration"]
        name = given["sourceActionName"]
        if sources.get(name) != "CodeStarSourceConnection":
            raise structure(f"The trigger's sourceActionName '{name}' is not a CodeStarSourceConnection source action")
        if not given.get("push") and not given.get("pullRequest"):
            raise structure(f"The trigger of '{name}' has neither a push nor a pullRequest filter")
        for push in given.get("push", []):
            if ("tags" in push) == bool({"branches", "filePaths"} & set(push)):
                raise structure(f"A push filter of '{name}' must have tags, or branches with or without filePaths")
            if "filePaths" in push and "branches" not in push:
                raise structure(f"A push filter of '{name}' with filePaths must have branches")


def _check_stage(stage: Declaration) -> None:
    actions = stage["actions"]
    if not ACTIONS_IN_STAGE[0] <= len(actions) <= ACTIONS_IN_STAGE[1]:
        raise wrong_stage(f"Stage '{stage['name']}' has {len(actions)} actions; a stage has 1 to {ACTIONS_IN_STAGE[1]}")
    if duplicate := duplicate_of([action["name"] for action in actions]):
        raise wrong_stage(f"All action names within a stage must be unique; '{duplicate}' is not, in '{stage['name']}'")
    if stage.get("blockers"):
        raise AwsError(
            "InvalidBlockerDeclarationException", f"Stage '{stage['name']}' has blockers, which are reserved"
        )


# -- actions -----------------------------------------------------------------------------------


def _check_action(stage: Declaration, action: Declaration, region: str) -> None:
    kind = action["actionTypeId"]
    name = action["name"]
    key = (kind["category"], kind["provider"])
    if key in NOT_SUPPORTED:
        raise NotSupported(f"the action provider {kind['provider']} ({kind['category']}) of action {name}")
    provider = SUPPORTED.get(key)
    if provider is None or kind["owner"] != "AWS" or kind["version"] != "1":
        raise wrong_action(
            f"ActionType (Category: '{kind['category']}', Provider: '{kind['provider']}', Owner: '{kind['owner']}', "
            f"Version: '{kind['version']}') in action '{name}' is not available in region {region}"
        )
    compute = kind["provider"] == "Commands"
    if compute:
        check_commands(f"action '{name}'", action)
    unknown = set() if compute else {"commands", "outputVariables", "environmentVariables"} & set(action)
    unknown |= {"files"} if not compute and any("files" in a for a in action.get("outputArtifacts", [])) else set()
    if unknown:
        raise wrong_action(f"Action '{name}' of provider {kind['provider']} may not have {', '.join(sorted(unknown))}")
    if "timeoutInMinutes" in action and kind["category"] != "Approval":
        raise wrong_action(f"timeoutInMinutes in action '{name}' is supported for manual approval actions only")
    inputs = [artifact["name"] for artifact in action.get("inputArtifacts", [])]
    outputs = [artifact["name"] for artifact in action.get("outputArtifacts", [])]
    for what, names, (least, most) in (("input", inputs, provider.inputs), ("output", outputs, provider.outputs)):
        if not least <= len(names) <= most:
            raise wrong_action(
                f"Action '{name}' in stage '{stage['name']}' has {len(names)} {what} artifacts; "
                f"{kind['provider']} takes {least} to {most}"
            )
    configuration = action.get("configuration", {})
    if wrong := configuration_problem(provider, configuration, inputs, name):
        raise wrong_action(wrong)
    if configuration.get("BatchEnabled", "false").lower() == "true":
        raise NotSupported(f"BatchEnabled of action {name}")
    if configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF":
        raise NotSupported(f"OutputArtifactFormat CODEBUILD_CLONE_REF of action {name}")
    if kind["category"] == "Source" and action.get("region", region) != region:
        raise wrong_action(f"Source action '{name}' cannot be a cross-Region action ({action['region']})")


def _check_regions(pipeline: Declaration, region: str) -> None:
    """A store for every Region with an action ("Add a cross-Region action in CodePipeline")."""
    actions = [action for stage in pipeline["stages"] for action in stage["actions"]]
    rules = [rule for stage in pipeline["stages"] for _, held in conditions(stage)
             for condition in held.get("conditions", []) for rule in condition.get("rules", [])]  # fmt: skip
    used = {str(item.get("region", region)) for item in (*actions, *rules)}
    stores = set(pipeline.get("artifactStores", {region: {}}))
    if "artifactStore" in pipeline and used != {region}:
        raise structure(
            f"The pipeline has actions in {', '.join(sorted(used))}: it must have artifactStores, one for each region"
        )
    if missing := used - stores:
        raise structure(f"artifactStores has no artifact store for the region {', '.join(sorted(missing))}")


def _check_artifacts(pipeline: Declaration) -> None:
    """Every input artifact comes from an action that is done before; every output has a name of its own."""
    made: dict[str, tuple[int, int]] = {}
    for position, stage in enumerate(pipeline["stages"]):
        for action in stage["actions"]:
            for artifact in action.get("outputArtifacts", []):
                if artifact["name"] in made:
                    raise wrong_action(
                        f"Output Artifact Bundle name must be unique within the pipeline. {artifact['name']} "
                        "has been used more than once"
                    )
                made[artifact["name"]] = (position, action.get("runOrder", 1))
    for position, stage in enumerate(pipeline["stages"]):
        for action in stage["actions"]:
            for artifact in action.get("inputArtifacts", []):
                if made.get(artifact["name"], (position, 1000)) >= (position, action.get("runOrder", 1)):
                    raise wrong_action(
                        f"Input Artifact Bundle {artifact['name']} in action {action['name']} is not declared as "
                        "Output Artifact Bundle in any of the preceding actions"
                    )
