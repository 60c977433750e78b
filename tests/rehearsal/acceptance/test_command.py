"""An acceptance against an embedded AWS that is kept, as a stranger plays it: its endpoint, with profiles alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import acceptance
from scripts.kit.console import INTERRUPTED, run
from scripts.rehearsal import chapters, keeping, record
from scripts.rehearsal.acceptance import command
from scripts.rehearsal.acceptance.story import TAG
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.playing import Playing
from scripts.rehearsal.story import Story

NAME = acceptance.NAME


@dataclass(frozen=True)
class Kept:
    """A rehearsal until its project, and the options of who plays an acceptance on it."""

    story: Story
    options: list[str]
    profiles: Path

    def accept(self, *more: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_CONFIG_FILE", str(self.profiles))
            return run(lambda: acceptance.main([*self.options, *more]))

    def left(self) -> list[str]:
        """Whatever any account has with the name of an acceptance, or with the id of its project."""
        found = []
        for account in self.story.setting.accounts.values():
            for kind, listed in things(self.story, account).items():
                found += [f"{kind} {name}" for name in listed if NAME in name or PROJECT["id"] in name]
        return found


PROJECT = {"id": "no project yet"}  # of the last acceptance


def things(story: Story, account: str) -> Mapping[str, list[str]]:
    def ask(service: str) -> Any:
        return story.owner(account).client(service)

    stacks = ask("cloudformation").list_stacks()["StackSummaries"]
    return {
        "stack": [one["StackName"] for one in stacks if one["StackStatus"] != "DELETE_COMPLETE"],
        "stack set": [s["StackSetName"] for s in ask("cloudformation").list_stack_sets(Status="ACTIVE")["Summaries"]],
        "project": [one["ProjectName"] for one in ask("sagemaker").list_projects()["ProjectSummaryList"]],
        "endpoint": [one["EndpointName"] for one in ask("sagemaker").list_endpoints()["Endpoints"]],
        "training": [one["PipelineName"] for one in ask("sagemaker").list_pipelines()["PipelineSummaries"]],
        "group": [
            one["ModelPackageGroupName"]
            for one in ask("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
        ],
        "bucket": [one["Name"] for one in ask("s3").list_buckets()["Buckets"]],
        "pipeline": [one["name"] for one in ask("codepipeline").list_pipelines()["pipelines"]],
        "build project": ask("codebuild").list_projects()["projects"],
        "repository": [one["repositoryName"] for one in ask("codecommit").list_repositories()["repositories"]],
        "log group": [one["logGroupName"] for one in ask("logs").describe_log_groups()["logGroups"]],
    }


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("acceptance")
    with embedded_aws(folder / "aws") as cloud:
        story = Story(cloud, folder / "aws", between=("qa",), asked=("qa",))
        chapters.play(story, "project")
        summary = folder / "summary.json"
        summary.write_text(json.dumps({"chapters": record.played(story)["chapters"]}))
        environment, profiles = keeping.write_files(story)
        options = ["--environment", environment, "--profile", "management", "--rehearsal", str(summary)]
        options += ["--scientist-profile", "data-scientist", "--approver-profile", "approver"]
        yield Kept(story, [*options, "--folder", str(folder / "written")], profiles)
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_it_plays_writes_compares_and_leaves_nothing(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.accept("--until", "training", "--yes", "--json") == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    summary = json.loads(out)
    PROJECT["id"] = summary["project"]["id"]
    assert summary["outcome"] == "stopped early"
    assert [c["outcome"] for c in summary["chapters"]][:3] == ["succeeded", "succeeded", "not run"]
    observed = summary["chapters"][0]["observed"]
    assert [observed[f"stage {name}"] for name in ("DeployStaging", "ApproveQa", "DeployQa")] == ["Skipped"] * 3
    only = {"chapter": "training", "what": "outcome", "aws": "succeeded", "embedded": "not run"}
    assert summary["differences"] == [only], "the project's lines are those of the rehearsal"
    folder = Path(kept.options[-1])
    assert json.loads((folder / "summary.json").read_text()) == summary
    page = (folder / "report.html").read_text()
    assert "<h1>Acceptance" in page
    assert '<th scope="row">training</th><td data-label="What">outcome</td>' in page
    assert "Requests and decisions" not in page
    assert "embedded AWS on this machine" not in page
    assert kept.left() == []


def test_it_ends_in_the_middle_and_leaves_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, while the pipeline deploys what was approved."""
    seen: list[list[str]] = []

    def end(story: Playing) -> None:
        story.until(
            "DeployStaging to begin", lambda: story.stage("DeployStaging")["actionStates"][0].get("latestExecution")
        )
        PROJECT["id"] = story.project_id
        seen.append(kept.left())
        raise KeyboardInterrupt

    title, _ = chapters.CHAPTERS["staging"]
    monkeypatch.setitem(chapters.CHAPTERS, "staging", (title, end))
    assert kept.accept("--yes") == INTERRUPTED
    assert {f"project {NAME}", f"group {NAME}"} <= set(seen[0])
    assert kept.left() == []


def test_a_project_that_no_acceptance_made_is_refused(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.accept("--project", kept.story.project_name, "--clean", "--yes") == 1
    assert f"no acceptance made it: it lacks the tag {next(iter(TAG))}" in capsys.readouterr().err
    assert kept.story.project_name in things(kept.story, kept.story.setting.data_science)["project"]


def test_what_it_would_do_is_shown_and_nothing_is_made(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.accept("--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["accounts"] == {stage: [account] for stage, account in kept.story.setting.targets.items()}
    assert plan["not_proven"] == []
    assert kept.left() == []


def test_without_a_rehearsal_to_compare_with_nothing_is_sent(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    before = (kept.story.folder / "requests.jsonl").read_bytes()
    assert kept.accept("--yes", "--rehearsal", "absent.json") == 1
    assert "no summary of a rehearsal to compare with. `make rehearse`" in capsys.readouterr().err
    assert (kept.story.folder / "requests.jsonl").read_bytes() == before


def test_four_eyes_need_two_people(kept: Kept, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "environment.yaml"
    file.write_text(Path(kept.options[1]).read_text().replace("approval: {", "approval: {four_eyes: true, "))
    given = ("--environment", str(file), "--scientist-profile", "approver", "--yes")
    assert kept.accept(*given) == 1
    assert "approval.four_eyes: who approved the version may not approve its deployment" in capsys.readouterr().err


def test_it_asks_on_a_terminal_or_not_at_all(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept.accept() == 2
    assert "no terminal to ask on. Add --yes" in capsys.readouterr().err


def test_the_last_chapter_is_one_that_it_plays() -> None:
    assert command.LAST in chapters.CHAPTERS
    assert list(chapters.OF_A_PROJECT) == [*chapters.CHAPTERS][acceptance.FIRST :]
