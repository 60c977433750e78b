"""The whole story on the embedded AWS, and what must never happen in it.

One rehearsal runs once; the tests after it go on from where it ended, in the order of this file.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from localaws.services.organizations.service import plan_account_ids
from pipeline.record import outcomes as recorded_outcomes
from scripts import permissions
from scripts.kit.command import connect
from scripts.kit.doctor.reader import Reader
from scripts.kit.settings import reading
from scripts.rehearsal import chapters, deploying, keeping, record
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.live import Shown
from scripts.rehearsal.permissions import read_refusals
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.report.facts import gather
from scripts.rehearsal.report.page import page
from scripts.rehearsal.story import Story, StoryFailed
from scripts.rehearsal.titles import TITLES
from tests.support import ROOT
from tests.support.story_steps import follow, new_execution, push, served, set_status

GOLDEN = "tests/golden-payloads.json"
SAID = "said.txt"  # what the story said while it was played


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    with embedded_aws(folder) as cloud:
        story, said = Story(cloud, folder), io.StringIO()
        with contextlib.redirect_stderr(said):
            play(story, "rejection")
        (folder / SAID).write_text(said.getvalue())
        yield story
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def failed_action(story: Story) -> dict[str, Any]:
    return next(action for action in story.actions() if action["status"] == "Failed")


def test_a_stage_that_the_pipeline_does_not_have_is_named(story: Story) -> None:
    """The stage's work is in a stage of another name, by an update of the pipeline that is taken back."""
    codepipeline = story.cloud.root(story.setting.data_science, story.region).client("codepipeline")
    pipeline = codepipeline.get_pipeline(name=story.pipeline_name)["pipeline"]
    others = {"DeployStaging": "DeployElsewhere"}
    moved = [{**stage, "name": others.get(stage["name"], stage["name"])} for stage in pipeline["stages"]]
    codepipeline.update_pipeline(pipeline={**pipeline, "stages": moved})
    try:
        with pytest.raises(StoryFailed, match=f"^{story.pipeline_name} has no stage DeployStaging"):
            deploying.staging(story)
    finally:
        codepipeline.update_pipeline(pipeline=pipeline)


def test_the_story_succeeds_and_every_golden_payload_is_predicted_right(story: Story) -> None:
    assert [c.outcome for c in story.chapters] == ["succeeded"] * len(chapters.CHAPTERS)
    assert served(story) == {"staging": 1, "prod": 1}, "version 2 was approved, deployed and rejected"
    assert {e["stage"]: e["status"] for e in story.endpoints} == {"staging": "InService", "prod": "InService"}
    for endpoint in story.endpoints:
        assert endpoint["predictions"] == endpoint["expected"]
        assert len(endpoint["expected"]) == 6
        assert endpoint["model_package_arn"] == story.model_package_arn


def alike(line: str) -> str:
    """A line that the story says, without what differs from one rehearsal to the next."""
    line = re.sub(r"\S*/(environment\.yaml|bundle\b)", r"…/\1", line)
    return re.sub(r"p-\w{12}|\b[0-9a-f]{8}(-[0-9a-f-]+)?\b|\d+\.\d s", "…", line).strip()


def test_what_the_readme_shows_of_it_is_what_it_says(story: Story) -> None:
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("$ make rehearse\n")[1].split("```")[0]
    *shown, _, last = map(alike, block.strip().splitlines())
    said = iter(map(alike, (story.folder / SAID).read_text().splitlines()))
    assert [line for line in shown if line not in said] == []
    assert last == "succeeded in …; build/rehearsal/report.html shows it all"


def test_the_story_says_why_the_published_bundle_has_another_name_than_the_packed_one(story: Story) -> None:
    said = (story.folder / SAID).read_text()
    packed, published = (re.findall(pattern, said)[0] for pattern in (r" packed (\S+):", r" published (\S+)"))
    assert packed != published
    assert f"publish {published} ({packed} with the OUs, roles and Regions of " in said


def test_nothing_was_refused_and_nothing_is_granted_without_use_or_reason(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_refusals(story.folder / "requests.jsonl") == []
    write_policies(story.cloud, story.folder / "policies.json")
    code = permissions.main(["--folder", str(story.folder)])
    assert code == 0, capsys.readouterr().out


def test_the_page_shows_the_whole_story(story: Story) -> None:
    facts = gather(story, {"outcome": "succeeded", "seconds": 1.0, **record.summary(story)})
    document = page(facts)
    for name, account in story.setting.accounts.items():
        assert f"<h3>{name.replace(' ', '-')} <code>{account}</code></h3>" in document
    assert {stack.account for stack in facts.stacks} == set(story.setting.accounts.values()) - {
        story.setting.management
    }
    assert sum(name.startswith("endpoint ") for line in facts.runs.values() for name in line) == 2
    assert {span.name for span in facts.spans if span.kind == "action"} >= {"Build / Build", "DeployProd / TestProd"}
    assert {span.name for span in facts.spans if span.kind == "chapter"} == set(TITLES.values())
    assert len(facts.builds) == 7 + 6 + 4 + 5  # the first deployment, the second version, the push, the rejection
    assert len(facts.points) == 150
    assert sum(point.true == point.predicted for point in facts.points) == 147
    assert f"{len(facts.requests):,} requests" in document


def test_a_kept_rehearsal_has_profiles_for_the_kits_commands_and_ends_like_any_process(
    story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    waits = SimpleNamespace(sleep=lambda _: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(keeping, "time", waits)
    written = story.environment_path.read_text()
    story.environment_path.unlink()  # as when the story is stopped before its chapter
    noted: list[bool] = []
    keeping.keep(story, lambda: noted.append((story.folder / "aws-config").exists()))
    signal.signal(signal.SIGTERM, before)
    assert noted == [True], "the files are finished then"
    assert reading.load(story.environment_path).region == story.region
    story.environment_path.write_text(written)
    stderr = capsys.readouterr().err
    file = re.search(r"export AWS_CONFIG_FILE=(.+)", stderr)
    assert file
    assert re.search(r'make doctor ARGS="--environment \S+/environment.yaml --profile management"', stderr)
    assert stderr.endswith("stopped\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", file.group(1))
    settings = reading.load(story.environment_path)
    for profile, account in (("data-science", story.setting.data_science), ("management", story.setting.management)):
        connection = connect(settings, profile, None)
        assert connection.account == account
        asked = Reader(connection).client(account, "sts").get_caller_identity()  # with the profile's endpoint, too
        assert asked["Account"] == account


def test_the_view_in_a_terminal_shows_the_accounts_and_what_runs_in_them(story: Story) -> None:
    before = (story.folder / "requests.jsonl").read_bytes()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(Shown(story))
    shown = console.export_text()
    assert shown.count("●") == len(chapters.CHAPTERS) + 4  # and the stages of the pipeline: no approver was asked
    assert shown.count("InService") == 2
    for action in ("Build", "TestStaging", "DeployResourcesProd"):
        assert action in shown
    assert (story.folder / "requests.jsonl").read_bytes() == before


def test_an_unapproved_model_is_never_deployed(story: Story) -> None:
    before = {e["pipelineExecutionId"] for e in story.executions()}
    first = story.model_package_arn
    chapters.train(story)
    assert story.model_package_arn == first[:-1] + "3"
    assert new_execution(story, before, 1) is None, "registering a version started the pipeline"
    started = story.engineer.client("codepipeline").start_pipeline_execution(
        name=story.pipeline_name, variables=[{"name": "ModelPackageVersion", "value": "3"}]
    )["pipelineExecutionId"]
    assert story.wait_for_execution(started) == "Failed"
    story.execution_id = started
    assert failed_action(story)["actionName"] == "Build"
    assert "PendingManualApproval" in story.diagnosis()
    assert served(story) == {"staging": 1, "prod": 1}


def test_a_rejected_manual_approval_leaves_production_untouched(story: Story) -> None:
    assert follow(story, set_status(story, 3, "Approved"), approve="Rejected") == "Failed"
    assert failed_action(story)["actionName"] == "ApproveDeployment"
    assert served(story) == {"staging": 3, "prod": 1}


def test_approving_an_older_version_deploys_that_one(story: Story) -> None:
    assert set_status(story, 1, "PendingManualApproval", patience=1) is None
    assert follow(story, set_status(story, 1, "Approved")) == "Succeeded"
    assert served(story) == {"staging": 1, "prod": 1}


def test_a_wrong_golden_payload_fails_staging_and_leaves_production_untouched(story: Story) -> None:
    golden = (ROOT / "seed-code/model-deploy" / GOLDEN).read_text()
    assert follow(story, set_status(story, 3, "Approved"), approve=None) == "Succeeded"
    deploying.give_approval(story, "Rejected", "only staging")
    story.wait_for_execution(story.execution_id)
    wrong = json.loads(golden)
    wrong["payloads"][0]["expected"] = "7.0"
    assert follow(story, push(story, GOLDEN, json.dumps(wrong))) == "Failed"
    assert failed_action(story)["actionName"] == "TestStaging"
    diagnosis = story.diagnosis()
    for word in (story.setting.targets["staging"], story.region, "7.0", wrong["payloads"][0]["name"]):
        assert word in diagnosis
    assert not [a for a in story.actions() if a["stageName"] == "DeployProd"]
    assert served(story)["prod"] == 1
    assert follow(story, push(story, GOLDEN, golden), approve="Rejected") == "Failed"


def test_a_second_project_with_the_longest_name_lives_beside_the_first(story: Story, tmp_path: Path) -> None:
    name = "Iris-Multi-Account-0123456789-AB"
    assert len(name) == 32
    before = served(story)
    other = Story(story.cloud, tmp_path, project_name=name)
    other.setting = story.setting
    chapters.project(other)
    chapters.train(other)
    chapters.approve(other)
    assert follow(other, other.execution_id) == "Succeeded"
    deploying.predictions(other)
    assert other.model_package_arn != story.model_package_arn
    assert served(story) == before


def test_publishing_again_writes_nothing(story: Story) -> None:
    requests = story.cloud.folder / "requests.jsonl"
    story.until("everything to settle", story.idle)
    seen = len(requests.read_text().splitlines())
    story.command(
        story.engineer,
        *("scripts.publish", "--environment", str(story.environment_path)),
        *("--bundle", str(story.folder / "bundle")),
    )
    made = [json.loads(line) for line in requests.read_text().splitlines()[seen:]]
    asked = [entry["operation"] for entry in made if entry["account"] == story.setting.data_science]
    assert asked
    writes = [
        name for name in asked if not name.startswith(("Get", "List", "Describe", "Head", "Search", "AssumeRole"))
    ]
    assert writes == []


# -- how many at once, and how many may fail ---------------------------------------------------

PACE = {
    "staging": {
        "MaxConcurrentPercentage": 50,
        "FailureTolerancePercentage": 50,
        "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
        "RegionConcurrencyType": "PARALLEL",
    },
    "prod": {
        "MaxConcurrentPercentage": 25,
        "FailureTolerancePercentage": 10,
        "ConcurrencyMode": "STRICT_FAILURE_TOLERANCE",
        "RegionConcurrencyType": "SEQUENTIAL",
    },
}


def test_each_stage_is_deployed_at_the_pace_that_its_own_file_states(story: Story) -> None:
    files = []
    for stage, pace in PACE.items():
        name = f"{stage}-config.json"
        config = json.loads((ROOT / "seed-code/model-deploy" / name).read_text())
        config["Parameters"] |= {key: str(value) for key, value in pace.items()}
        files.append({"filePath": name, "fileContent": json.dumps(config).encode()})
    before = {e["pipelineExecutionId"] for e in story.executions()}
    codecommit = story.engineer.client("codecommit")
    main = {"repositoryName": f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy", "branchName": "main"}
    head = codecommit.get_branch(**main)["branch"]["commitId"]
    codecommit.create_commit(**main, parentCommitId=head, putFiles=files)
    assert follow(story, new_execution(story, before)) == "Succeeded", story.diagnosis()
    cloudformation = story.engineer.client("cloudformation")
    for stage, pace in PACE.items():
        names = {"StackSetName": f"{story.pipeline_name}-{stage}", "CallAs": "DELEGATED_ADMIN"}
        newest = max(
            cloudformation.list_stack_set_operations(**names)["Summaries"], key=lambda one: one["CreationTimestamp"]
        )
        operation = cloudformation.describe_stack_set_operation(**names, OperationId=newest["OperationId"])
        assert operation["StackSetOperation"]["OperationPreferences"].items() >= pace.items(), stage


def test_one_failure_of_three_that_a_stage_tolerates_is_reported_with_its_account_region_and_reason(
    story: Story,
) -> None:
    """Half of the three, and of the two that are new, is one. The stack set succeeds; the tests stop the stage."""
    broken, whole = "400000000001", "400000000002"
    add_to_staging(story, broken, whole)
    iam = story.cloud.root(broken, story.region).client("iam")
    for policy in iam.list_role_policies(RoleName="sagemaker-role-staging")["PolicyNames"]:
        iam.delete_role_policy(RoleName="sagemaker-role-staging", PolicyName=policy)
    started = story.engineer.client("codepipeline").start_pipeline_execution(name=story.pipeline_name)
    assert follow(story, started["pipelineExecutionId"]) == "Failed"
    outcomes = {action["actionName"]: action["status"] for action in story.actions()}
    assert (outcomes["DeployResourcesStaging"], outcomes["TestStaging"]) == ("Succeeded", "Failed")
    reason = "Could not access model data"
    command = ("scripts.status", "--environment", str(story.environment_path), "--project", story.project_name)
    (report,) = json.loads(story.command(story.engineer, *command, "--json"))["projects"]
    places = {place["account"]: place for place in report["stages"][0]["places"]}
    assert {account for account, place in places.items() if place["endpoint"] == "in service"} == places.keys() - {
        broken
    }
    assert places.keys() >= {broken, whole}
    assert (places[broken]["region"], places[broken]["endpoint"]) == (story.region, "failed")
    assert reason in places[broken]["why"]
    shown = story.command(story.engineer, *command)
    assert shown.index(broken) < shown.index(whole), "what failed comes first"
    outcome = recorded_outcomes(story.engineer.client("s3"), f"sagemaker-project-{story.project_id}", "staging")[-1]
    assert (outcome["execution"], outcome["passed"]) == (story.execution_id, False)
    endpoints = {one["account"]: one for one in outcome["endpoints"]}
    assert (endpoints[broken]["region"], endpoints[broken]["status"]) == (story.region, "missing")
    assert reason in endpoints[broken]["failed"][0]
    assert (endpoints[whole]["status"], endpoints[whole]["failed"]) == ("InService", [])


def add_to_staging(story: Story, *accounts: str) -> None:
    """More accounts in the staging unit, once template 20 has come to them."""
    organizations = story.cloud.root(story.setting.management, story.region).client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    plan_account_ids(list(accounts))
    for account in accounts:
        organizations.create_account(AccountName=f"more-{account}", Email=f"{account}@example.com")
        organizations.move_account(
            AccountId=account, SourceParentId=root, DestinationParentId=story.setting.units["staging"]
        )
    story.until("template 20 in the accounts", lambda: not story.cloud.busy)
