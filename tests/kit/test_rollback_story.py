"""A version on its way back: status, rollback and what follows, on one embedded AWS, in the order of this file."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.kit.projects.history import ENDED
from scripts.rehearsal import deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.accounts_setting import STUDIO
from tests.support.story_steps import follow, reason, register, served, set_status, whole_story
from tests.support.terminal import Terminal


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, with a second version of the same model registered."""
    with whole_story(tmp_path_factory.mktemp("release")) as released:
        register(released)
        yield released


def command(story: Story, module: str, *arguments: str) -> str:
    return story.command(story.engineer, f"scripts.{module}", "--environment", str(story.environment_path), *arguments)


def rollback(story: Story, stage: str, *arguments: str) -> dict[str, Any]:
    line = ("--project", story.project_name, "--stage", stage, "--json", "--yes")
    report = command(story, "rollback", *line, *arguments)
    result: dict[str, Any] = json.loads(report)
    return result


def status(story: Story) -> dict[str, Any]:
    report = command(story, "status", "--project", story.project_name, "--json")
    project: dict[str, Any] = json.loads(report)["projects"][0]
    return project


def test_status_says_what_is_deployed_where_and_what_waits_for_whom(story: Story) -> None:
    execution = set_status(story, 2, "Approved")
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))
    report = status(story)
    stages = {stage["name"]: stage for stage in report["stages"]}
    assert {name: stage["version"] for name, stage in stages.items()} == {"staging": "2", "prod": "1"}
    (place,) = stages["prod"]["places"]
    assert (place["account"], place["region"]) == (story.setting.targets["prod"], story.region)
    assert (place["version"], place["endpoint"], place["why"]) == ("1", "in service", "")
    assert place["since"]
    waiting = next(s for s in report["pipeline"] if s["name"] == "ApproveDeployment")
    assert (waiting["version"], waiting["waits"], waiting["execution"]) == ("2", "an approver", execution)
    assert report["running"] is False
    lines = command(story, "status", "--watch").splitlines()
    assert any(
        f"{story.project_name} prod {story.setting.targets['prod']} {story.region} 1 in service" in line
        for line in lines
    )
    assert any("ApproveDeployment 2 InProgress, waits for an approver" in line for line in lines)
    assert "in service" in command(story, "status")


def test_a_rollback_brings_the_version_before_back_and_is_recorded(story: Story) -> None:
    assert follow(story, story.execution_id) == "Succeeded"
    assert served(story) == {"staging": 2, "prod": 2}
    planned = rollback(story, "prod", "--dry-run")
    assert (planned["version"], planned["applied"]) == ("1", False)
    assert served(story)["prod"] == 2
    done = rollback(story, "prod")
    assert (done["version"], done["status"]) == ("1", "Succeeded")
    assert served(story) == {"staging": 2, "prod": 1}
    recorded = story.executions()[0]
    assert (recorded["pipelineExecutionId"], recorded["executionType"]) == (done["execution"], "ROLLBACK")
    assert recorded["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == done["target"]


def test_a_rollback_run_again_goes_back_no_further_and_a_named_version_goes_anywhere(story: Story) -> None:
    seen = len(story.executions())
    assert rollback(story, "prod")["steps"][0]["action"] == "keep"
    assert len(story.executions()) == seen
    assert rollback(story, "prod", "--version", "2")["status"] == "Succeeded"
    assert served(story) == {"staging": 2, "prod": 2}
    with pytest.raises(StoryFailed, match="ended with 1") as failed:
        rollback(story, "prod", "--version", "7")
    assert "version 7 is not approved" in failed.value.log


def test_production_goes_back_only_for_the_projects_name(story: Story) -> None:
    """By the project's name, typed on a terminal. Staging asks nothing."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables |= story.engineer.environment()
    line = [sys.executable, "-m", "scripts.rollback", "--environment", str(story.environment_path)]
    line += ["--project", story.project_name, "--stage", "prod", "--version", "1"]
    question = f"Type the project's name ({story.project_name}) to go on: "
    seen = len(story.executions())
    for answer in ("prod\n", "\n", "\x04"):
        with Terminal(line, variables) as terminal:
            terminal.wait_for(question)
            terminal.type(answer)
            ended = terminal.end()
        assert ended.code == 1
        assert f"what was typed is not {story.project_name}. Nothing was changed" in ended.seen
        assert f"This changes what production of {story.project_name} serves, in all of its accounts" in ended.seen
    assert (len(story.executions()), served(story)["prod"]) == (seen, 2)
    with Terminal(line, variables) as terminal:
        terminal.wait_for(question)
        terminal.type(f"{story.project_name}\n")
        assert terminal.end().code == 0
    assert served(story) == {"staging": 2, "prod": 1}
    assert rollback(story, "prod", "--version", "2")["status"] == "Succeeded"


def test_a_rollback_starts_the_pipeline_where_its_structure_has_changed(story: Story) -> None:
    codepipeline = story.engineer.client("codepipeline")
    declared = codepipeline.get_pipeline(name=story.pipeline_name)["pipeline"]
    codepipeline.update_pipeline(pipeline=declared)
    done = rollback(story, "staging", "--version", "1")
    assert (done["target"], done["status"]) == ("", "waits")
    assert "structure has changed" in done["steps"][0]["detail"]
    assert served(story) == {"staging": 1, "prod": 2}
    story.execution_id = done["execution"]
    deploying.give_approval(story, "Approved", "a test")
    assert story.wait_for_execution(story.execution_id) == "Succeeded"
    assert served(story) == {"staging": 1, "prod": 1}


# -- a version that becomes rejected ------------------------------------------------------------


def reject(story: Story, version: int) -> str:
    """Reject a version and follow what this starts: the status in which it ends, unless it waits for an approver."""
    set_status(story, version, "Rejected")

    def ended() -> str | None:
        status = story.execution_status()
        stage = story.stage("ApproveDeployment")
        here = stage.get("latestExecution", {}).get("pipelineExecutionId") == story.execution_id
        asks = here and any(action.get("latestExecution", {}).get("token") for action in stage["actionStates"])
        return status if status in ENDED else "waits" if asks else None

    return str(story.until("the execution of a rejection", ended))


def test_rejecting_a_version_that_is_not_live_deploys_nothing(story: Story) -> None:
    register(story)
    assert reject(story, 3) == "Succeeded"
    assert reason(story) == "version 3 was rejected, which is not live"
    assert {action["actionName"] for action in story.actions()} == {"Source", "Kit", "Build"}
    assert served(story) == {"staging": 1, "prod": 1}


def test_rejecting_a_version_that_waits_for_its_approver_stops_it_and_takes_staging_back(story: Story) -> None:
    waiting = set_status(story, 3, "Approved")
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))
    assert served(story) == {"staging": 3, "prod": 1}
    assert reject(story, 3) == "waits", story.diagnosis()
    assert next(e["status"] for e in story.executions() if e["pipelineExecutionId"] == waiting) == "Stopped"
    assert reason(story) == "version 3 was rejected and is live in staging: back to version 2"
    assert served(story) == {"staging": 2, "prod": 1}, "a person decided that production serves version 1"
    deploying.give_approval(story, "Approved", "a test")
    assert story.wait_for_execution(story.execution_id) == "Succeeded"


def test_rejecting_the_live_version_brings_the_one_before_back_everywhere_without_an_approver(story: Story) -> None:
    assert served(story) == {"staging": 2, "prod": 2}
    assert reject(story, 2) == "Succeeded", story.diagnosis()
    assert reason(story) == "version 2 was rejected and is live in staging and prod: back to version 1"
    assert served(story) == {"staging": 1, "prod": 1}
    assert story.stage("ApproveDeployment")["latestExecution"]["status"] == "Skipped"


def test_rejecting_the_only_approved_version_leaves_the_endpoints_and_says_so(story: Story) -> None:
    assert reject(story, 1) == "Failed"
    assert "no version was approved before it: the endpoints stay as they are" in story.diagnosis()
    assert served(story) == {"staging": 1, "prod": 1}
    marked = {stage["name"]: (stage["version"], stage["approval"]) for stage in status(story)["stages"]}
    assert marked == {"staging": ("1", "Rejected"), "prod": ("1", "Rejected")}


# -- what the record tells -----------------------------------------------------------------------


def test_the_history_tells_every_deployment_who_approved_it_and_how_it_ended(story: Story, tmp_path: Path) -> None:
    file = tmp_path / "history.zip"
    line = ("--project", story.project_name, "--export", str(file))
    history = json.loads(command(story, "history", *line, "--json"))
    found = [(one["version"], one["result"]) for one in reversed(history["deployments"])]
    assert found[0] == ("1", "in production")
    assert ("3", "tested in staging, Stopped") in found  # it waited for its approver, and was rejected
    assert found[-1][1] == "failed in Build"  # the only approved version was rejected
    (first, *_) = [one for one in reversed(history["deployments"]) if one["result"] == "in production"]
    manifest = first["manifest"]
    assert manifest["bundle_version"].startswith("0.")
    assert len(manifest["commit_id"]) == 40
    assert manifest["model_package"]["artifacts"][0]["etag"]
    assert "/approver" in first["approver"].lower()
    assert first["author"]
    accounts = {one["account"] for stage in first["stages"].values() for one in stage["endpoints"]}
    assert accounts == set(story.setting.targets.values())
    assert {one["rollback_of"] for one in history["deployments"]} > {""}, (
        "rollbacks name the execution they went back to"
    )
    assert [one["status"] for one in history["approvals"]].count("Rejected") == 4
    with zipfile.ZipFile(file) as archive:
        sums = {line[66:]: line[:64] for line in archive.read("SHA256SUMS").decode().splitlines()}
        assert {name: hashlib.sha256(archive.read(name)).hexdigest() for name in sums} == sums
        assert {*sums} >= {first["decision"]["card"], *first["sources"], "history.json"}
        assert json.loads(archive.read("history.json")) == history
    with pytest.raises(StoryFailed, match="ended with 2") as failed:
        command(story, "history", *line)
    assert "this file exists" in failed.value.log
    text = command(story, "history", "--project", story.project_name, "--approvals")
    assert "STARTED (UTC)" in text
    assert "Rejected" in text


# -- taking it down ----------------------------------------------------------------------------


def teardown(story: Story, *arguments: str) -> dict[str, Any]:
    """`make teardown` with credentials of the management account, as for the installation."""
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    report = story.command(
        manager, "scripts.teardown", "--environment", str(story.environment_path), "--json", "--yes", *arguments
    )
    result: dict[str, Any] = json.loads(report)
    return result


def kinds(result: dict[str, Any], action: str) -> list[str]:
    return [step["kind"] for step in result["steps"] if step["action"] == action]


def test_a_project_is_taken_down_with_its_endpoints_and_what_is_retained_is_reported(story: Story) -> None:
    planned = teardown(story, "--project", story.project_name, "--dry-run")
    assert kinds(planned, "delete") == ["stage", "stage", "project", "leftovers", "leftovers"]
    kept = ["training", "model group", "reports", *["log group"] * 4, "bucket", "artifacts"]
    assert kinds(planned, "keep") == kept
    assert all("free of charge" in step["detail"] or "a month" in step["detail"] for step in planned["steps"][5:])
    assert served(story) == {"staging": 1, "prod": 1}
    teardown(story, "--project", story.project_name)
    for stage, account in story.setting.targets.items():
        sagemaker = story.cloud.root(account, story.region).client("sagemaker")
        assert sagemaker.list_endpoints()["Endpoints"] == [], stage
        assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == [], stage
        assert sagemaker.list_models()["Models"] == [], stage
    again = teardown(story, "--project", story.project_name, "--logs")
    assert kinds(again, "delete") == ["log group", "log group", "reports", *["log group"] * 4]
    endpoints = [step["detail"] for step in again["steps"] if "/aws/sagemaker/Endpoints/" in step["name"]]
    assert [text.split(", ")[-1] for text in endpoints] == [
        f"{account} {story.region}" for account in sorted(story.setting.targets.values())
    ]
    left = {(orphan["kind"], orphan["name"]) for orphan in again["orphans"]}
    assert ("bucket", f"sagemaker-project-{story.project_id}") in left
    assert {kind for kind, _ in left} == {"bucket", "model group", "training"}
    teardown(story, "--project", story.project_name, "--empty-buckets")
    last = teardown(story, "--project", story.project_name, "--model-group", "--empty-buckets")
    assert kinds(last, "delete") == ["training", "model group", "artifacts"]
    assert last["orphans"] == []


def test_everything_is_taken_down_and_nothing_is_left_but_the_organization(story: Story) -> None:
    done = teardown(story, "--everything", "--model-group", "--empty-buckets", "--logs")
    assert kinds(done, "delete")[-3:] == ["bucket", "bucket", "key"]
    assert done["not_looked_at"] == {}
    assert {orphan["name"] for orphan in done["orphans"]} == {*STUDIO}  # people's files are in the domain
    data_science = story.engineer.client("cloudformation").list_stacks()["StackSummaries"]
    assert {s["StackName"] for s in data_science if s["StackStatus"] != "DELETE_COMPLETE"} == {*STUDIO}
    catalog = story.engineer.client("servicecatalog")
    assert catalog.list_portfolios()["PortfolioDetails"] == []
    manager = story.cloud.root(story.setting.management, story.region).client("organizations")
    accounts = {a["Id"] for a in manager.list_accounts()["Accounts"]}
    assert accounts == set(story.setting.accounts.values())
    again = teardown(story, "--everything", "--model-group", "--empty-buckets", "--logs")
    assert kinds(again, "delete") == []
