"""A pipeline execution on its way through the stages.

AWS CodePipeline User Guide, "How pipeline executions work" (execution modes, locks, superseded and
stopped executions), "Configuring stage rollback", "Retry a failed stage", "How do stage conditions
work?". Every execution has a thread of its own; a pipeline's lock (Pipeline.changed) guards who is where.
"""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from awslang.errors import NotSupported
from localaws.cloud import Cloud, Fault
from localaws.services.codepipeline import conditions
from localaws.services.codepipeline.actions import perform
from localaws.services.codepipeline.state import (
    ActionFailed,
    ActionRun,
    Execution,
    Pipeline,
    set_action,
    set_execution,
    set_stage,
)
from localaws.services.codepipeline.work import Work, acting_as, located, resolve

Stage = Mapping[str, Any]


def begin(
    cloud: Cloud,
    pipeline: Pipeline,
    trigger: dict[str, str],
    variables: Mapping[str, str] | None = None,
    overrides: dict[str, list[dict[str, Any]]] | None = None,
) -> Execution:
    """Start a new execution of the pipeline as it is declared now."""
    declared = {v["name"]: v["defaultValue"] for v in pipeline.declaration.get("variables", []) if "defaultValue" in v}
    execution = _add(pipeline, trigger, {**declared, **(variables or {})})
    execution.overrides = overrides or {}
    set_execution(cloud, pipeline, execution, "InProgress")
    _in_background(cloud, pipeline, execution, 0)
    return execution


def _add(pipeline: Pipeline, trigger: dict[str, str], variables: dict[str, str]) -> Execution:
    with pipeline.changed:
        execution = Execution(
            number=len(pipeline.executions) + 1,
            version=pipeline.version,
            declaration=pipeline.declaration,
            trigger=trigger,
            variables=variables,
            mode=pipeline.declaration["executionMode"],
        )
        execution.namespaces = {"codepipeline": {"PipelineExecutionId": execution.id}, "variables": variables}
        pipeline.executions.append(execution)
    return execution


def roll_back(cloud: Cloud, pipeline: Pipeline, stage: str, target: Execution, trigger: dict[str, str]) -> Execution:
    """Run one stage again with the artifacts and variables of an execution that succeeded in it."""
    execution = _add(pipeline, trigger, dict(target.variables))
    execution.type, execution.rollback_target = "ROLLBACK", target.id
    execution.artifacts = dict(target.artifacts)
    execution.revisions = dict(target.revisions)
    own = {"codepipeline": {"PipelineExecutionId": execution.id}}
    execution.namespaces = {name: dict(values) for name, values in target.namespaces.items()} | own
    set_execution(cloud, pipeline, execution, "InProgress")
    _in_background(cloud, pipeline, execution, _position(execution, stage))
    return execution


def retry(cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: str, mode: str) -> None:
    """Run a failed stage again and go on: its failed actions, or all of them."""
    execution.attempt += 1
    execution.end_asked = ""
    if mode == "ALL_ACTIONS":
        _forget(execution, stage)
    set_execution(cloud, pipeline, execution, "InProgress", resumed=True)
    _in_background(cloud, pipeline, execution, _position(execution, stage), resumed=True)


def rollback_target(pipeline: Pipeline, stage: str, but: Execution) -> Execution | None:
    """The latest other execution that succeeded in the stage, under the present structure."""
    for execution in reversed(pipeline.executions):
        if execution is but or execution.type == "ROLLBACK" or execution.version != pipeline.version:
            continue
        if execution.stages.get(stage) == "Succeeded":
            return execution
    return None


def stop(cloud: Cloud, pipeline: Pipeline, execution: Execution, abandon: bool, reason: str) -> None:
    """Ask an execution to stop: after its running actions, or at once."""
    with pipeline.changed:
        execution.end_asked, execution.stop_reason = "Stopped", reason
        set_execution(cloud, pipeline, execution, "Stopping")
        if abandon:
            for run in execution.actions:
                if run.status == "InProgress":
                    run.error = None
                    set_action(cloud, pipeline, execution, run, "Abandoned")
                    run.decided.set()
        pipeline.changed.notify_all()


def cancel_all(pipeline: Pipeline, parallel: bool = False) -> None:
    """End every execution, once its running actions are done: the structure has changed.

    parallel: those of a pipeline in PARALLEL mode too, which otherwise go on
    """
    with pipeline.changed:
        for execution in pipeline.executions:
            if execution.status in ("InProgress", "Stopping") and (parallel or execution.mode != "PARALLEL"):
                execution.end_asked = "Cancelled"
                for run in execution.actions:
                    if run.status == "InProgress" and run.token:
                        run.decided.set()
        pipeline.changed.notify_all()


def _forget(execution: Execution, stage: str) -> None:
    """All of a stage's actions are to run again, those that succeeded too."""
    for run in execution.actions:
        if run.stage == stage:
            run.again = True


def _position(execution: Execution, stage: str) -> int:
    return [s["name"] for s in execution.declaration["stages"]].index(stage)


def _in_background(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, position: int, resumed: bool = False
) -> None:
    where = f"pipeline {pipeline.name} execution {execution.id}"
    cloud.background(where, _run, cloud, pipeline, execution, position, resumed)


def _run(cloud: Cloud, pipeline: Pipeline, execution: Execution, position: int, resumed: bool) -> None:
    """The execution's way from a stage to its end (a rollback is one stage long)."""
    stages = execution.declaration["stages"][position:]
    end = "Failed"
    for stage in stages[:1] if execution.type == "ROLLBACK" else stages:
        if not _enter(cloud, pipeline, execution, stage):
            break
        try:
            status = _run_stage(cloud, pipeline, execution, stage, resumed)
        finally:
            _leave(pipeline, execution, stage)
        resumed = False
        if status not in ("Succeeded", "Skipped"):
            break
    else:
        end = "Succeeded"
    if not cloud.stopping.is_set():
        set_execution(cloud, pipeline, execution, execution.end_asked or end)


def _enter(cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: Stage) -> bool:
    """Wait in front of a stage and take its lock; False when the execution ends here instead."""
    name = stage["name"]
    if execution.mode == "PARALLEL":
        return not execution.end_asked
    with pipeline.changed:
        queue = pipeline.waiting.setdefault(name, [])
        queue.append(execution)
        if execution.mode == "SUPERSEDED":
            for other in queue:
                if other.number < execution.number:
                    other.end_asked = other.end_asked or "Superseded"
        pipeline.changed.notify_all()
        try:
            while not (execution.end_asked or cloud.stopping.is_set()):
                able = (e for e in queue if not e.end_asked and not _would_overtake(pipeline, e, name))
                if next(able, None) is execution and name not in pipeline.inside and name not in pipeline.disabled:
                    pipeline.inside[name] = execution
                    return True
                pipeline.changed.wait(0.5)
            return False
        finally:
            queue.remove(execution)


def _would_overtake(pipeline: Pipeline, execution: Execution, stage: str) -> bool:
    """Whether an earlier execution still has to come to the stage: executions keep the order of their start.

    Their threads need not: a later one may be here before an earlier one has come from the stage before.
    """
    return execution.type == "STANDARD" and any(
        earlier.number < execution.number
        and (earlier.type, earlier.status, earlier.attempt) == ("STANDARD", "InProgress", 1)
        and not earlier.end_asked
        and stage not in earlier.stages
        for earlier in pipeline.executions
    )


def _leave(pipeline: Pipeline, execution: Execution, stage: Stage) -> None:
    with pipeline.changed:
        if pipeline.inside.get(stage["name"]) is execution:
            del pipeline.inside[stage["name"]]
        pipeline.changed.notify_all()


# -- one stage ---------------------------------------------------------------------------------


def _run_stage(cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: Stage, resumed: bool) -> str:
    """How the stage ends: Succeeded, Skipped, Failed, Stopped or Cancelled."""
    name = stage["name"]
    set_stage(cloud, pipeline, execution, name, "InProgress", resumed)
    if execution.type == "STANDARD" and "beforeEntry" in stage:
        met, result = conditions.evaluate(cloud, pipeline, execution, stage, "beforeEntry")
        if met == "Errored" or (met == "Failed" and result == "FAIL"):
            set_stage(cloud, pipeline, execution, name, "Failed")
            return "Failed"
        if met == "Failed":
            set_stage(cloud, pipeline, execution, name, "Skipped")
            return "Skipped"
    if (name, "onSuccess") in execution.overridden:  # its actions have succeeded; what failed was the condition
        set_stage(cloud, pipeline, execution, name, "Succeeded")
        return "Succeeded"
    status = _run_actions(cloud, pipeline, execution, stage)
    if status == "Succeeded" and "onSuccess" in stage:
        met, result = conditions.evaluate(cloud, pipeline, execution, stage, "onSuccess")
        if met in ("Failed", "Errored"):
            if met == "Failed" and result == "ROLLBACK":
                _automatic_rollback(cloud, pipeline, execution, name)
            status = "Failed"
    elif status == "Failed" and "onFailure" in stage and not execution.end_asked:
        again = _after_failure(cloud, pipeline, execution, stage)
        if again:
            execution.attempt += 1
            execution.retried.add(name)
            if stage["onFailure"].get("retryConfiguration", {}).get("retryMode") == "ALL_ACTIONS":
                _forget(execution, name)
            return _run_stage(cloud, pipeline, execution, stage, resumed=True)
    set_stage(cloud, pipeline, execution, name, status)
    return status


def _after_failure(cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: Stage) -> bool:
    """Engage the failure condition: True to retry the stage (once); a rollback is started here."""
    declared = stage["onFailure"]
    result = declared.get("result")
    if declared.get("conditions"):
        met, named = conditions.evaluate(cloud, pipeline, execution, stage, "onFailure")
        if met != "Succeeded":
            return False
        result = named or result
    if result == "ROLLBACK":
        _automatic_rollback(cloud, pipeline, execution, stage["name"])
    return result == "RETRY" and stage["name"] not in execution.retried


def _automatic_rollback(cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: str) -> None:
    target = rollback_target(pipeline, stage, execution)
    if execution.type == "ROLLBACK":
        return  # a rollback that fails is not rolled back in its turn
    if target is None:
        execution.summary = f"The stage {stage} was not rolled back: no other execution succeeded in it"
        return
    detail = json.dumps({"FailedPipelineExecutionId": execution.id}, separators=(",", ":"))
    roll_back(cloud, pipeline, stage, target, {"triggerType": "AutomatedRollback", "triggerDetail": detail})


def _run_actions(cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: Stage) -> str:
    """The stage's actions, by runOrder; those of one runOrder at the same time."""
    for order in sorted({action.get("runOrder", 1) for action in stage["actions"]}):
        runs = []
        for action in stage["actions"]:
            done = execution.latest(stage["name"], action["name"])
            if action.get("runOrder", 1) != order or (done and done.status == "Succeeded" and not done.again):
                continue
            runs.append(ActionRun(stage["name"], action, execution.attempt))
        if execution.end_asked or cloud.stopping.is_set():
            return execution.end_asked or "Stopped"
        with pipeline.changed:
            execution.actions.extend(runs)
        threads = [
            threading.Thread(target=_run_action, args=(cloud, pipeline, execution, run), daemon=True, name=run.name)
            for run in runs
        ]
        for thread in threads:
            thread.start()
        for thread, run in zip(threads, runs, strict=True):
            while thread.is_alive() and run.status != "Abandoned" and not cloud.stopping.is_set():
                thread.join(0.1)
        if any(run.status == "Failed" for run in runs):
            return "Failed"
        if any(run.status != "Succeeded" for run in runs):
            return execution.end_asked or "Stopped"
    return "Succeeded"


def _run_action(cloud: Cloud, pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
    try:
        try:
            _play(cloud, pipeline, execution, run)
        except (ActionFailed, NotSupported) as error:
            run.error = (error.code, error.message)
        except Exception as error:  # a defect: the rehearsal must show it, and the pipeline must not hang
            run.error = ("SystemUnavailable", repr(error))
            if not cloud.stopping.is_set():
                cloud.faults.append(Fault(f"action {run.name} of {pipeline.name}", traceback.format_exc()))
        if cloud.stopping.is_set():
            return
        if execution.end_asked == "Cancelled" and run.token:
            run.error = None
            set_action(cloud, pipeline, execution, run, "Abandoned")
            return
        set_action(cloud, pipeline, execution, run, "Failed" if run.error else "Succeeded")
    finally:
        run.token = ""


def _play(cloud: Cloud, pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
    inputs = [artifact["name"] for artifact in run.action.get("inputArtifacts", [])]
    if missing := [name for name in inputs if name not in execution.artifacts]:
        raise ActionFailed(
            "ConfigurationError",
            f"The input artifacts {', '.join(missing)} do not exist in this execution: the action that makes them "
            "was skipped or made none",
        )
    run.inputs = {name: execution.artifacts[name] for name in inputs}
    run.configuration = dict(run.action.get("configuration", {}))
    set_action(cloud, pipeline, execution, run, "InProgress")
    run.configuration = {key: resolve(value, execution) for key, value in run.configuration.items()}
    session = acting_as(cloud, pipeline, execution, run.action.get("roleArn"), located(pipeline, run.action))
    work = Work(cloud, pipeline, execution, run, session)
    run.inputs = work.here(run.inputs)
    perform(work)
    if run.status == "Abandoned":
        return
    with pipeline.changed:  # each is replaced, since those who look at one take no lock
        execution.artifacts = {**execution.artifacts, **run.outputs}
        if run.revision:
            execution.revisions = {**execution.revisions, run.name: run.revision}
        if "namespace" in run.action:
            execution.namespaces = {**execution.namespaces, run.action["namespace"]: run.variables}
