"""Production before the approval, and an order that only timing gives.

CodePipeline User Guide, "Stages and actions" (RunOrder; actions of the same number run at the same time) and
"Working with
variables" (a variable is resolved once its action has run). CloudFormation User Guide, "DependsOn attribute": "When a
DependsOn attribute is required", an example of which is a role whose policy is a resource of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from awslang.template import graph, sequence
from awslang.template.template import Template, TemplateError
from pipeline.production_alone import VARIABLE as PRODUCTION_ALONE
from pipeline.settings import NEEDED, STAGES
from tests.support.judges.values import Case, cases, evaluator, of_type

Action = tuple[tuple[int, int], str, dict[str, Any]]  # when it runs: stage and RunOrder; "STAGE/NAME"; the action
# What comes later: its actions and in words, then what it rests on: in words and when.
Rest = tuple[list[tuple[tuple[int, int], str]], str, str, list[tuple[int, int]]]
DECIDE = {"Build", "Gate"}  # the builds that decide on a deployment
NEVER = (1_000, 0)  # when something is made that no action makes
VARIABLE = re.compile(r"#\{([A-Za-z0-9_@-]+)\.")


def _actions(pipeline: dict[str, Any]) -> list[Action]:
    return [
        ((number, int(action.get("RunOrder", 1))), f"{stage['Name']}/{action['Name']}", action)
        for number, stage in enumerate(pipeline["Stages"])
        for action in stage["Actions"]
    ]


def _deploys(action: dict[str, Any], stage: str) -> bool:
    """Whether an action changes a stage's accounts: by what it does, whatever it is called."""
    given = json.dumps(action.get("Configuration", {}))
    if stage == "prod" and (_prepares(action) or _shadows(action)):
        return False
    return action["ActionTypeId"]["Category"] == "Deploy" and (
        f"-deploy-{stage}" in given or f"::{stage}-parameters" in given
    )


def _prepares(action: dict[str, Any]) -> str:
    """The change set that an action makes of production as it is: with a "shadow", or "without-shadow" again."""
    given = action.get("Configuration", {})
    name = str(given.get("ChangeSetName", ""))
    file = {"shadow": "shadow", "without-shadow": "live"}.get(name)
    made = given.get("ActionMode") == "CHANGE_SET_REPLACE"
    return name if made and given.get("TemplateConfiguration") == f"BuildOutput::{file}-parameters.json" else ""


def _shadows(action: dict[str, Any]) -> str:
    """Which of these change sets an action executes; "" for another action."""
    given = action.get("Configuration", {})
    name = str(given.get("ChangeSetName", ""))
    executed = given.get("ActionMode") == "CHANGE_SET_EXECUTE"
    return name if executed and name in ("shadow", "without-shadow") else ""


def _of_stage(action: dict[str, Any], stage: str) -> bool:
    """Whether a test is for this stage, and not of its shadow."""
    return _step(action) != "shadow" and f'"{stage}"' in json.dumps(action["Configuration"]).replace("\\", "")


def _asks_for_production(action: dict[str, Any]) -> bool:
    """Whether an action asks the approver with a card: the approvals of stages before have none."""
    return action["ActionTypeId"]["Category"] == "Approval" and "#{Card." in json.dumps(action["Configuration"])


def _step(action: dict[str, Any]) -> str:
    """The step that a build of the gate carries out: card or gate; "" for another action."""
    found = re.search(
        r'"STEP",\s*"value":\s*"(\w+)"', str(action.get("Configuration", {}).get("EnvironmentVariables", ""))
    )
    return found[1] if found else ""


def _pipelines(template: Template) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Each pipeline, in each case of the conditions on which it has an action or not.

    With the builds that say there that the project has no staging.
    """
    for logical_id in of_type(template, "AWS::CodePipeline::Pipeline"):
        for pipeline, case in cases(template, logical_id, "ActionTypeId"):
            yield logical_id, pipeline, {name for name in DECIDE & template.resources.keys() if _says_alone(case, name)}


def _says_alone(case: Case, build: str) -> bool:
    """Whether a build's own variables say that production is alone, in a case of the template's conditions."""
    variables = case.resource(build)["Environment"]["EnvironmentVariables"]
    return {"Name": PRODUCTION_ALONE, "Value": "true"} in variables


def production(name: str, template: Template) -> Iterator[str]:
    """Everything that must have happened before something is deployed to production, and has not."""
    for logical_id, pipeline, alone in _pipelines(template):
        listed = _actions(pipeline)
        if alone and any(_deploys(action, stage) for _, _, action in listed for stage in STAGES if stage != "prod"):
            yield f"{name}: {logical_id}: {', '.join(sorted(alone))} says that production is alone, and it is not"
        found = [*_out_of_order(listed, alone == DECIDE), *_skipped(pipeline), *_by_itself(pipeline), *_removes(listed)]
        yield from (f"{name}: {logical_id}: {said}" for said in found)


def _out_of_order(actions: list[Action], alone: bool) -> Iterator[str]:
    """What comes before what it rests on. alone: both builds say that there is no staging"""
    deployed = [(when, place) for when, place, a in actions if _deploys(a, "prod")]
    approvals = [(when, place) for when, place, a in actions if _asks_for_production(a)]
    gates = [(when, place) for when, place, a in actions if _step(a) == "gate"]
    tested = [
        (when, place) for when, place, a in actions if a["ActionTypeId"]["Category"] == "Test" and _of_stage(a, "prod")
    ]
    rests: list[Rest] = [
        *(
            (deployed, "{} deploys to production before", what, found)
            for what, found in _before_production(actions, alone)
        ),
        *(
            (approvals, "an approver is asked before", what, found)
            for what, found in _before_the_approval(actions, alone)
        ),
        (gates, "the gate lets to production before", "an approver decides", [when for when, _ in approvals]),
        (tested, "{} tests production before", "it is deployed", [when for when, _ in deployed]),
        *_between(actions, alone),
    ]
    for places, before, what, found in rests:
        for when, place in places:
            if not any(then < when for then in found):
                yield f"{before.format(place)} {what}"
    if not tested and any(action["ActionTypeId"]["Category"] in ("Approval", "Deploy") for _, _, action in actions):
        yield "production is not tested"


def _between(actions: list[Action], alone: bool) -> Iterator[Rest]:
    """What each optional stage rests on, which is the stage before it, and that the card rests on each."""
    before = ("Build decides", [when for when, _, a in actions if a.get("Namespace") == "Build"])
    if not alone:
        before = ("staging is tested", dict(_before_the_approval(actions, alone))["staging is tested"])
    for stage in (one for one in STAGES if one not in NEEDED):
        deployed = [(when, place) for when, place, a in actions if _deploys(a, stage)]
        tests = [w for w, _, a in actions if a["ActionTypeId"]["Category"] == "Test" and _of_stage(a, stage)]
        approvals = [(w, p) for w, p, a in actions if a["ActionTypeId"]["Category"] == "Approval"]
        asked = [(when, place) for when, place in approvals if place.lower().endswith(stage)]
        yield deployed, "{} deploys before", *before
        yield asked, "{} asks before", *before
        if asked:
            yield deployed, "{} deploys before", "an approver decides on it", [when for when, _ in asked]
        if deployed or tests:
            before = (f"{stage} is tested", [w for w in tests if any(when < w for when, _ in deployed)])
            yield [(w, p) for w, p, a in actions if _step(a) == "card"], "the card is made before", *before
    yield from _shadow(actions, before)


def _shadow(actions: list[Action], before: tuple[str, list[tuple[int, int]]]) -> Iterator[Rest]:
    """What a candidate in production's shadow rests on, and that the card rests on what it answered."""
    approvals = [(when, place) for when, place, a in actions if a["ActionTypeId"]["Category"] == "Approval"]
    asked = [(when, place) for when, place in approvals if place.lower().endswith("shadow")]
    steps = [(when, place, a["ActionTypeId"]["Category"]) for when, place, a in actions if _step(a) == "shadow"]
    gates = [(when, place) for when, place, category in steps if category == "Build"]
    tests = [(when, place) for when, place, category in steps if category == "Test"]
    out = [(when, place) for when, place, a in actions if _step(a) == "without_shadow"]
    checked = [(when, place) for when, place, a in actions if _step(a) == "shadow_ran"]
    made, unmade = ([(w, p) for w, p, a in actions if _prepares(a) == kind] for kind in ("shadow", "without-shadow"))
    there, gone = ([(w, p) for w, p, a in actions if _shadows(a) == kind] for kind in ("shadow", "without-shadow"))
    if not (asked or steps or there or gone):
        return
    yield asked, "{} asks before", *before
    for places, rests, on in (
        (gates, "an approver allows it", asked),
        (gates, "its change set is made", made),
        (there, "the gate looks at the shadow", gates),
        (tests, "there is a shadow", there),
        (unmade, "its answers are counted", tests),
        (out, "its change set is made", unmade),
        (gone, "the gate looks at production again", out),
        (checked, "the shadow is gone", gone),
        ([(w, p) for w, p, a in actions if _step(a) == "card"], "it is checked that the shadow ran", checked),
    ):
        yield places, "{} runs before", rests, [when for when, _ in on]


def _before_production(actions: list[Action], alone: bool) -> list[tuple[str, list[tuple[int, int]]]]:
    return [
        ("an approver decides", [w for w, _, a in actions if _asks_for_production(a)]),
        ("the gate looks at it", [w for w, _, a in actions if _step(a) == "gate"]),
        *_before_the_approval(actions, alone),
    ]


def _before_the_approval(actions: list[Action], alone: bool) -> list[tuple[str, list[tuple[int, int]]]]:
    tests = [(w, a) for w, _, a in actions if a["ActionTypeId"]["Category"] == "Test"]
    staged = [w for w, _, a in actions if _deploys(a, "staging")]
    of_staging = [w for w, a in tests if _of_stage(a, "staging")]
    own = [w for w, a in tests if "EnvironmentVariables" not in a["Configuration"]]
    made = ("its card is made", [w for w, _, a in actions if _step(a) == "card"])
    if alone:
        return [made]
    return [
        ("staging is deployed", staged),
        ("staging is tested", [w for w in of_staging if any(s < w for s in staged)]),
        ("own tests have run", [w for w in own if any(s < w for s in staged)]),
        made,
    ]


def _skipped(pipeline: dict[str, Any]) -> Iterator[str]:
    """An approval that is skipped by anything but what the kit's own Build says."""
    for stage in pipeline["Stages"]:
        if not any(action["ActionTypeId"]["Category"] == "Approval" for action in stage["Actions"]):
            continue
        for condition in stage.get("BeforeEntry", {}).get("Conditions", []):
            rules = [
                (r["Configuration"]["Variable"], r["Configuration"]["Operator"], r["Configuration"]["Value"])
                for r in condition["Rules"]
            ]
            said = "SHADOW" if stage["Name"] == "ApproveShadow" else "DEPLOY"
            if condition["Result"] != "FAIL" and rules != [(f"#{{Build.{said}}}", "EQ", "true")]:
                yield f"{stage['Name']} is skipped unless {rules}, which Build alone must say"
        if "OnFailure" in stage or "OnSuccess" in stage:
            yield f"{stage['Name']} has an outcome beside the approver's answer"


def _removes(actions: list[Action]) -> Iterator[str]:
    """What deletes a stack that may be production's, or another one before production was tested."""
    tested = [w for w, _, a in actions if a["ActionTypeId"]["Category"] == "Test" and _of_stage(a, "prod")]
    for when, place, action in actions:
        given = action.get("Configuration", {})
        if given.get("ActionMode") != "DELETE_ONLY":
            continue
        end = json.dumps(given["StackName"]).rpartition("-")[2].strip('"]}')
        if end == "prod" or not end.isalpha():
            yield f"{place} deletes a stack that may be production's: its name ends with {end}"
        if not any(then < when for then in tested):
            yield f"{place} deletes a stack before production is tested"


def _by_itself(pipeline: dict[str, Any]) -> Iterator[str]:
    """What deploys to production again, or in another order, without being asked.

    CodePipeline User Guide, "Configuring stage rollback" (a stage goes back to an execution of before) and "How
    pipeline executions work" (executions in PARALLEL mode do not wait for each other, and lock no stage).
    """
    if not any(_deploys(action, "prod") for _, _, action in _actions(pipeline)):
        return
    if pipeline.get("ExecutionMode") == "PARALLEL":
        yield "an execution that is older may deploy to production after a newer one (ExecutionMode is PARALLEL)"
    for stage in pipeline["Stages"]:
        if stage.get("OnFailure", {}).get("Result") == "ROLLBACK" or any(
            one.get("Result") == "ROLLBACK" for one in stage.get("OnSuccess", {}).get("Conditions", [])
        ):
            yield f"{stage['Name']} goes back by itself to an execution of before, which no approver looks at again"


def actions(name: str, template: Template) -> Iterator[str]:
    """Actions that use an artifact, or a variable, of one that has not run for certain."""
    for logical_id, pipeline, _ in _pipelines(template):
        found = _actions(pipeline)
        artifacts = {one["Name"]: when for when, _, a in found for one in a.get("OutputArtifacts", [])}
        spaces = {a["Namespace"]: when for when, _, a in found if "Namespace" in a}
        for when, place, action in found:
            for one in action.get("InputArtifacts", []):
                if not artifacts.get(one["Name"], NEVER) < when:
                    yield f"{name}: {logical_id}: {place} uses the artifact {one['Name']}, which is not made before it"
            for space in VARIABLE.findall(json.dumps(action.get("Configuration", {}))):
                if space != "codepipeline" and space != "variables" and not spaces.get(space, NEVER) < when:
                    yield f"{name}: {logical_id}: {place} uses a variable of {space}, which does not run before it"
        for number, stage in enumerate(pipeline["Stages"]):
            for space in VARIABLE.findall(json.dumps(stage.get("BeforeEntry", {}))):
                if not spaces.get(space, NEVER) < (number, 0):
                    said = f"the condition of {stage['Name']} uses a variable of {space}, which runs later"
                    yield f"{name}: {logical_id}: {said}"


def resources(name: str, template: Template) -> Iterator[str]:
    """Resources that use another one of the template without depending on it."""
    made = evaluator(template)
    try:
        needs = graph.dependencies(template, made)
    except TemplateError as error:
        yield f"{name}: {error}"
        return
    found = {one: (template.resources[one]["Type"], made.resource(one)) for one in needs}
    for used, user in sequence.named(found, needs):
        value = sequence.given(*found[used])
        yield f"{name}: {user} names {used} ({value}), and does not depend on it: add DependsOn: {used}"
    yield from _policies_apart(name, template, made, {one: sequence.reached(one, needs) for one in needs})


def _policies_apart(name: str, template: Template, made: Any, reach: dict[str, set[str]]) -> Iterator[str]:
    """A resource that acts as a role while a policy of the role is a resource that may be made later."""
    for policy in reach:
        kind, values = template.resources[policy]["Type"], made.resource(policy)
        if kind not in ("AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            continue
        roles = values.get("Roles", [values.get("RoleName")])
        for role in of_type(template, "AWS::IAM::Role"):
            if not {f"<{role}.Ref>", made.resource(role).get("RoleName") if role in reach else None} & set(roles):
                continue
            for user in reach:
                if (
                    user != policy
                    and role in reach[user]
                    and policy not in reach[user]
                    and not template.resources[user]["Type"].startswith("AWS::IAM::")
                ):
                    said = f"{user} runs as {role}, and may be made before its policy {policy}"
                    yield f"{name}: {said}: add DependsOn: {policy}"
