"""Executions of a pipeline: how they pass one another, stop and are retried."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.codepipeline_setting import (
    APPROVE_STAGE,
    BUILD_STAGE,
    NAME,
    Stage,
    action,
    artifacts,
    declaration,
)
from tests.support.waiting import until


def test_a_waiting_execution_is_superseded_by_a_newer_one(stage: Stage) -> None:
    first = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    token = stage.token()
    second = stage.start()
    until(lambda: stage.stages()["Approve"].get("inboundExecution", {}).get("pipelineExecutionId") == second)
    third = stage.start()
    assert stage.ends(second) == "Superseded"
    stage.decide("Approved", token)
    assert stage.ends(first) == "Succeeded"
    stage.decide("Approved", until(lambda: (new := stage.token()) != token and new))
    assert stage.ends(third) == "Succeeded"


def test_queued_executions_all_run_one_after_the_other(stage: Stage) -> None:
    first = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE, executionMode="QUEUED"))
    token = stage.token()
    second, third = stage.start(), stage.start()
    until(lambda: len(stage.stages()["Approve"]["inboundExecutions"]) == 2)
    tokens = {token}
    stage.decide("Approved", token)
    for execution in (first, second, third):
        if execution != first:
            token = until(lambda: (new := stage.token()) not in tokens and new)
            tokens.add(token)
            stage.decide("Approved", token)
        assert stage.ends(execution) == "Succeeded"


def test_parallel_executions_do_not_wait_for_one_another(stage: Stage) -> None:
    both = threading.Barrier(2, timeout=60)
    stage.hold = lambda work: both.wait()
    first = stage.create(declaration(executionMode="PARALLEL"))
    second = stage.start()
    assert (stage.ends(first), stage.ends(second)) == ("Succeeded", "Succeeded")
    assert "latestExecution" not in stage.stages()["Build"]


def test_actions_of_one_run_order_run_at_the_same_time_and_later_ones_afterwards(stage: Stage) -> None:
    both = threading.Barrier(2, timeout=60)
    order: list[str] = []

    def hold(work: Any) -> None:
        order.append(work.run.name)
        if work.run.name in ("One", "Two"):
            both.wait()

    stage.hold = hold
    given = {"configuration": {"ProjectName": "t"}, "inputArtifacts": artifacts("SourceOutput")}
    named = [
        action(name, "Test", "CodeBuild", runOrder=number, **given)
        for name, number in (("Later", 2), ("One", 1), ("Two", 1))
    ]
    assert stage.ends(stage.create(declaration({"name": "Tests", "actions": named}))) == "Succeeded"
    assert order[2] == "Later"
    assert set(order[:2]) == {"One", "Two"}


def test_a_disabled_transition_holds_executions_back(stage: Stage) -> None:
    stage.ends(stage.create(declaration()))
    stage.client.disable_stage_transition(
        pipelineName=NAME, stageName="Build", transitionType="Inbound", reason="holidays"
    )
    execution = stage.start()
    found = until(lambda: (s := stage.stages()["Build"]).get("inboundExecution") and s)
    assert found["inboundTransitionState"]["disabledReason"] == "holidays"
    stage.client.enable_stage_transition(pipelineName=NAME, stageName="Build", transitionType="Inbound")
    assert stage.ends(execution) == "Succeeded"


def test_an_execution_stops_after_its_running_action(stage: Stage) -> None:
    go, began = threading.Event(), threading.Event()
    stage.hold = lambda work: (began.set(), go.wait(60))  # type: ignore[func-returns-value]
    execution = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    assert began.wait(60)
    stage.client.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=execution, reason="enough")
    assert stage.status(execution) == "Stopping"
    with pytest.raises(ClientError, match="being stopped already"):
        stage.client.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=execution)
    go.set()
    assert stage.ends(execution) == "Stopped"
    assert stage.actions(execution)["Build"]["status"] == "Succeeded"
    assert stage.summaries()[0]["stopTrigger"] == {"reason": "enough"}


def test_an_abandoned_action_stays_abandoned(stage: Stage) -> None:
    execution = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    stage.token()
    stage.client.stop_pipeline_execution(pipelineName=NAME, pipelineExecutionId=execution, abandon=True)
    assert stage.ends(execution) == "Stopped"
    assert stage.actions(execution)["Approve"]["status"] == "Abandoned"


def test_a_failed_stage_is_retried_from_its_failed_actions(stage: Stage) -> None:
    stage.fail_builds = 1
    execution = stage.create(declaration())
    assert stage.ends(execution) == "Failed"
    stage.client.retry_stage_execution(
        pipelineName=NAME, stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    assert stage.ends(execution) == "Succeeded"
    with pytest.raises(ClientError, match="has not failed"):
        stage.client.retry_stage_execution(
            pipelineName=NAME, stageName="Build", pipelineExecutionId=execution, retryMode="ALL_ACTIONS"
        )


def test_an_update_cancels_what_runs_and_starts_nothing(stage: Stage) -> None:
    execution = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    stage.token()
    stage.client.update_pipeline(pipeline=declaration())
    assert stage.ends(execution) == "Cancelled"
    assert len(stage.summaries()) == 1
    assert stage.client.get_pipeline(name=NAME)["pipeline"]["version"] == 2
    assert len(stage.client.get_pipeline(name=NAME, version=1)["pipeline"]["stages"]) == 3
