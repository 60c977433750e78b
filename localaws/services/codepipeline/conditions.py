"""Stage conditions and their rules.

AWS CodePipeline User Guide, "How do stage conditions work?", "Configure conditions for a stage", and the
"Rule structure reference": VariableCheck, CloudWatchAlarm, DeploymentWindow, LambdaInvoke, CodeBuild,
Commands. A condition succeeds when all its rules do. An entry or success condition engages its result when
it fails, a failure condition when it succeeds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.cloud import Cloud
from localaws.services.codepipeline import compute
from localaws.services.codepipeline.actions import codebuild
from localaws.services.codepipeline.functions import invoked
from localaws.services.codepipeline.state import (
    ActionFailed,
    ActionRun,
    ConditionRun,
    Execution,
    Pipeline,
    RuleRun,
    now,
)
from localaws.services.codepipeline.window import WrongWindow, window, zone
from localaws.services.codepipeline.work import Work, acting_as, failure, located, resolve

MINUTE = 60
LOOK = 0.05  # seconds between two looks at what a rule waits for


class Overridden(Exception):
    """The condition was overridden while a rule of it was at work."""


def evaluate(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: Mapping[str, Any], kind: str
) -> tuple[str, str | None]:
    """("Succeeded" | "Failed" | "Errored" | "Overridden", the result that the condition names)."""
    condition = stage[kind]["conditions"][0]
    run = pipeline.conditions[stage["name"], kind] = ConditionRun()
    try:
        for rule in condition["rules"]:
            _run_rule(cloud, pipeline, execution, stage["name"], kind, rule, run)
    except Overridden:
        run.status, run.updated = "Overridden", now()
        return run.status, condition.get("result")
    failed = [rule for rule in run.rules if rule.status == "Failed"]
    run.status, run.updated = "Succeeded", now()
    if failed:
        run.status = "Errored" if any(rule.error for rule in failed) else "Failed"
        run.summary = "; ".join(f"{rule.rule['name']}: {rule.summary}" for rule in failed)
        if (stage["name"], kind) in execution.overridden:
            run.status = "Overridden"
    return run.status, condition.get("result")


def _run_rule(
    cloud: Cloud,
    pipeline: Pipeline,
    execution: Execution,
    stage: str,
    kind: str,
    rule: Mapping[str, Any],
    condition: ConditionRun,
) -> None:
    run = RuleRun(stage, kind, rule)
    condition.rules.append(run)
    execution.rules.append(run)
    try:
        run.configuration = {k: resolve(v, execution) for k, v in rule.get("configuration", {}).items()}
        passed, run.summary = RULES[rule["ruleTypeId"]["provider"]](work_of(cloud, pipeline, execution, run), run)
        run.status = "Succeeded" if passed else "Failed"
    except (ActionFailed, NotSupported) as error:
        run.status, run.error, run.summary = "Failed", (error.code, error.message), error.message
    except Overridden:
        run.status, run.summary = "Abandoned", "The condition was overridden"
        raise
    finally:
        run.updated = now()


def work_of(cloud: Cloud, pipeline: Pipeline, execution: Execution, run: RuleRun) -> Work:
    """A rule at work is like an action: who it acts as, its configuration, its input artifacts."""
    inputs = [artifact["name"] for artifact in run.rule.get("inputArtifacts", [])]
    if missing := [name for name in inputs if name not in execution.artifacts]:
        raise ActionFailed("ConfigurationError", f"The input artifacts {', '.join(missing)} do not exist")
    action = {**run.rule, "actionTypeId": run.rule["ruleTypeId"], "outputArtifacts": []}
    like = ActionRun(run.stage, action, execution.attempt, run.id, configuration=dict(run.configuration))
    session = acting_as(cloud, pipeline, execution, run.rule.get("roleArn"), located(pipeline, run.rule))
    work = Work(cloud, pipeline, execution, like, session)
    like.inputs = work.here({name: execution.artifacts[name] for name in inputs})
    return work


def _wait(work: Work, run: RuleRun, seconds: float) -> None:
    """AWS's own waiting, shortened; Overridden when the condition is overridden meanwhile."""
    left = seconds * work.cloud.waits
    while left > 0 and not work.execution.end_asked:
        if (run.stage, run.kind) in work.execution.overridden:
            raise Overridden
        if work.cloud.stopping.wait(min(LOOK, left)):
            return
        left -= LOOK


def _variable_check(work: Work, run: RuleRun) -> tuple[bool, str]:
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


def _alarm(work: Work, run: RuleRun) -> tuple[bool, str]:
    """Whether the alarm is in one of the states, at once or within WaitTime minutes."""
    name = run.configuration["AlarmName"]
    failing = run.kind == "onFailure"
    states = run.configuration.get("AlarmStates", "ALARM" if failing else "OK,INSUFFICIENT_DATA").split(",")
    minutes = int(run.configuration.get("WaitTime", "0"))
    for minute in range(minutes + 1):
        try:
            alarms = work.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        except ClientError as error:
            raise failure(error, f"describe the alarm {name}") from error
        if not alarms:
            raise ActionFailed("ConfigurationError", f"The alarm {name} does not exist")
        if alarms[0]["StateValue"] in states:
            return True, f"The alarm {name} is in the state {alarms[0]['StateValue']}"
        if minute < minutes:
            _wait(work, run, MINUTE)
    return False, f"The alarm {name} is in the state {alarms[0]['StateValue']}, not in {', '.join(states)}"


def _deployment_window(work: Work, run: RuleRun) -> tuple[bool, str]:
    """Wait for the window to open, at most for the rule's own timeout; a window without minutes to spare never does."""
    expression, name = run.configuration["Cron"], run.configuration.get("TimeZone", "UTC")
    try:
        seconds = window(expression).opens_in(datetime.now(zone(name)))
    except WrongWindow as error:
        raise ActionFailed("ConfigurationError", str(error)) from error
    limit = run.rule.get("timeoutInMinutes")
    if seconds is None or (limit is not None and seconds > limit * MINUTE):
        return False, f"The deployment window {expression} ({name}) does not open in time"
    _wait(work, run, seconds)
    return True, f"The deployment window {expression} ({name}) is open"


def _lambda(work: Work, run: RuleRun) -> tuple[bool, str]:
    """An error of the function fails the rule; for a failure condition it is what the rule asks for."""
    answer = invoked(work)
    name, error = run.configuration["FunctionName"], answer.error
    summary = f"The function {name} " + (f"answered an error: {error}" if error else "answered without an error")
    return bool(error) == (run.kind == "onFailure"), summary


def _build(play: Callable[[Work], None]) -> Callable[[Work, RuleRun], tuple[bool, str]]:
    def rule(work: Work, run: RuleRun) -> tuple[bool, str]:
        try:
            play(work)
        except ActionFailed as error:
            if error.code != "JobFailed" or not work.run.external_id:
                raise
            return False, error.message
        return True, f"The build {work.run.external_id} succeeded"

    return rule


RULES: dict[str, Callable[[Work, RuleRun], tuple[bool, str]]] = {
    "VariableCheck": _variable_check,
    "CloudWatchAlarm": _alarm,
    "DeploymentWindow": _deployment_window,
    "LambdaInvoke": _lambda,
    "CodeBuild": _build(codebuild),
    "Commands": _build(compute.commands),
}
