"""Whether the conditions of a stage, and their rules, are ones that CreatePipeline takes.

AWS CodePipeline User Guide, "How do stage conditions work?", "Rule structure reference".
"""

from __future__ import annotations

from awslang.errors import NotSupported
from localaws.services.codepipeline.declared import (
    RESULTS,
    Declaration,
    check_commands,
    duplicate_of,
    structure,
    wrong_stage,
)
from localaws.services.codepipeline.providers import MAY_SKIP, RULES, RuleProvider, fixed


def check_condition(pipeline: Declaration, stage: Declaration, kind: str, declared: Declaration) -> None:
    where = f"{kind} of stage '{stage['name']}'"
    results = [condition.get("result") for condition in declared.get("conditions", [])]
    if kind == "onFailure":
        results.append(declared.get("result"))
    for result in results:
        if result is not None and result not in RESULTS[kind]:
            raise wrong_stage(f"The result {result} is not valid for {where}: {', '.join(RESULTS[kind])}")
        if result == "ROLLBACK" and pipeline.get("executionMode") == "PARALLEL":
            raise structure(f"{where}: a pipeline in PARALLEL mode cannot roll back a stage")
        if kind == "onFailure" and result == "SKIP":
            raise NotSupported(f"the result {result} in {where}")
    if kind == "onFailure" and "RETRY" in results and declared.get("conditions"):
        raise wrong_stage(f"{where}: automatic stage retry cannot be used with conditions")
    if "retryConfiguration" in declared and "RETRY" not in results:
        raise wrong_stage(f"{where} has a retryConfiguration without the result RETRY")
    if kind != "onFailure" and not all(results):
        raise wrong_stage(f"A condition in {where} has no result")
    for condition in declared.get("conditions", []):
        _check_rules(condition, where)


def _check_rules(condition: Declaration, where: str) -> None:
    rules = condition.get("rules", [])
    if not rules:
        raise wrong_stage(f"A condition in {where} has no rules")
    if duplicate := duplicate_of([rule["name"] for rule in rules]):
        raise wrong_stage(f"The rule name '{duplicate}' is used more than once in {where}")
    for rule in rules:
        _check_rule(rule, condition.get("result"), where)


def _check_rule(rule: Declaration, result: str | None, where: str) -> None:
    provider, name = rule["ruleTypeId"]["provider"], rule["name"]
    known = RULES.get(provider)
    if known is None:
        raise wrong_stage(f"The rule provider {provider} of rule '{name}' in {where} does not exist")
    if rule["ruleTypeId"].get("version", "1") != "1" or rule["ruleTypeId"].get("owner", "AWS") != "AWS":
        raise wrong_stage(f"The rule type of rule '{name}' in {where} is not available")
    if result == "SKIP" and provider not in MAY_SKIP:
        raise wrong_stage(f"The result SKIP in {where} is only valid with the rules {', '.join(sorted(MAY_SKIP))}")
    _check_configuration(rule, known, where)
    if provider == "Commands":
        check_commands(f"rule '{name}' in {where}", rule)
    elif "commands" in rule:
        raise wrong_stage(f"Rule '{name}' in {where} of the provider {provider} may not have commands")


def _check_configuration(rule: Declaration, known: RuleProvider, where: str) -> None:
    configuration, name = rule.get("configuration", {}), rule["name"]
    for key in known.required:
        if key not in configuration:
            raise wrong_stage(f"Rule '{name}' in {where} is missing required configuration '{key}'")
    for key, value in configuration.items():
        if key not in known.required + known.optional:
            raise wrong_stage(f"Rule '{name}' in {where} contains unknown configuration '{key}'")
        if key in known.values and fixed(value) and value not in known.values[key]:
            raise wrong_stage(f"Rule '{name}' in {where}: '{key}' must be one of {', '.join(known.values[key])}")
    inputs = [artifact["name"] for artifact in rule.get("inputArtifacts", [])]
    if not known.inputs[0] <= len(inputs) <= known.inputs[1]:
        raise wrong_stage(f"Rule '{name}' in {where} has {len(inputs)} input artifacts; it takes {known.inputs}")
    if wrong := known.check(configuration, inputs):
        raise wrong_stage(f"Rule '{name}' in {where}: {wrong}")
