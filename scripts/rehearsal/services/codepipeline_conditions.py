"""Stage conditions and their rules.

AWS CodePipeline User Guide, "How do stage conditions work?", "VariableCheck", "CloudWatchAlarm".
A condition succeeds when all its rules do. An entry or success condition engages its result when
it fails, a failure condition when it succeeds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from scripts.rehearsal.cloud import Cloud
from scripts.rehearsal.services.codepipeline_state import (
    ActionFailed,
    ConditionRun,
    Execution,
    Pipeline,
    RuleRun,
    now,
)
from scripts.rehearsal.services.codepipeline_work import acting_as, failure, resolve

MINUTE = 60


def evaluate(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: Mapping[str, Any], kind: str
) -> tuple[str, str | None]:
    """("Succeeded" | "Failed" | "Errored" | "Overridden", the result that the condition names)."""
    condition = stage[kind]["conditions"][0]
    run = pipeline.conditions[stage["name"], kind] = ConditionRun()
    for rule in condition["rules"]:
        run.rules.append(_run_rule(cloud, pipeline, execution, stage["name"], kind, rule))
    failed = [rule for rule in run.rules if rule.status == "Failed"]
    run.status, run.updated = "Succeeded", now()
    if failed:
        run.status = "Errored" if any(rule.error for rule in failed) else "Failed"
        run.summary = "; ".join(f"{rule.rule['name']}: {rule.summary}" for rule in failed)
        if (stage["name"], kind) in execution.overridden:
            run.status = "Overridden"
    return run.status, condition.get("result")


def _run_rule(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: str, kind: str, rule: Mapping[str, Any]
) -> RuleRun:
    run = RuleRun(stage, kind, rule)
    execution.rules.append(run)
    try:
        run.configuration = {k: resolve(v, execution) for k, v in rule.get("configuration", {}).items()}
        check = _variable_check if rule["ruleTypeId"]["provider"] == "VariableCheck" else _alarm
        passed, run.summary = check(cloud, pipeline, execution, run)
        run.status = "Succeeded" if passed else "Failed"
    except ActionFailed as error:
        run.status, run.error, run.summary = "Failed", (error.code, error.message), error.message
    run.updated = now()
    return run


def _variable_check(cloud: Cloud, pipeline: Pipeline, execution: Execution, run: RuleRun) -> tuple[bool, str]:
    variable, value = run.configuration["Variable"], run.configuration["Value"]
    operator = run.configuration["Operator"]
    shown = f"{run.rule['configuration']['Variable']} is '{variable}': {operator} '{value}'"
    if operator == "EQ":
        return variable == value, shown
    if operator == "NE":
        return variable != value, shown
    if operator == "CONTAINS":
        return value in variable, shown
    try:
        return re.fullmatch(value, variable) is not None, shown
    except re.error as error:
        raise ActionFailed("ConfigurationError", f"{value} is not a regular expression: {error}") from error


def _alarm(cloud: Cloud, pipeline: Pipeline, execution: Execution, run: RuleRun) -> tuple[bool, str]:
    """Whether the alarm is in one of the states, at once or within WaitTime minutes."""
    name = run.configuration["AlarmName"]
    failing = run.kind == "onFailure"
    states = run.configuration.get("AlarmStates", "ALARM" if failing else "OK,INSUFFICIENT_DATA").split(",")
    session = acting_as(cloud, pipeline, execution, run.rule.get("roleArn"))
    minutes = int(run.configuration.get("WaitTime", "0"))
    for minute in range(minutes + 1):
        try:
            alarms = session.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        except ClientError as error:
            raise failure(error, f"describe the alarm {name}") from error
        if not alarms:
            raise ActionFailed("ConfigurationError", f"The alarm {name} does not exist")
        if alarms[0]["StateValue"] in states:
            return True, f"The alarm {name} is in the state {alarms[0]['StateValue']}"
        if minute < minutes:
            cloud.wait(MINUTE)
    return False, f"The alarm {name} is in the state {alarms[0]['StateValue']}, not in {', '.join(states)}"
