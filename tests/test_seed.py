"""A project whose repositories are at a git provider: seeded by `make seed`, followed from push to build.

The provider is the rehearsal's own; the launch role is the stock one, the pipeline's role that of template 10.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import seed
from scripts.bundle.console import UserError
from scripts.rehearsal import story as chapters
from scripts.rehearsal.server import EmbeddedAws
from scripts.rehearsal.services import codeconnections as provider
from scripts.rehearsal.story import Story, signed_in

OWNER = "my-organization"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """An organization with the published product, and a connection that waits for a person."""
    folder = tmp_path_factory.mktemp("seed")
    with EmbeddedAws(folder / "aws") as cloud:
        told = Story(cloud, folder)
        chapters.play(told, until="publishing")
        yield told
        assert not cloud.faults, cloud.faults[0].traceback


@pytest.fixture(scope="module")
def connection(story: Story) -> str:
    """The connection's ARN, written into environment.yaml, and template 10 deployed with it."""
    client = story.cloud.root(story.setting.data_science, story.region).client("codeconnections")
    arn = str(client.create_connection(ProviderType="GitHub", ConnectionName="kit")["ConnectionArn"])
    settings = yaml.safe_load(story.environment_path.read_text())
    settings["source"] = {"provider": "connection", "connection_arn": arn, "repository_owner": OWNER}
    story.environment_path.write_text(yaml.safe_dump(settings))
    cloudformation = story.cloud.root(story.setting.data_science, story.region).client("cloudformation")
    stack = cloudformation.describe_stacks(StackName="multi-account-deployment")["Stacks"][0]
    kept = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in stack["Parameters"]]
    parameters = [p for p in kept if p["ParameterKey"] != "SourceConnectionArn"]
    parameters.append({"ParameterKey": "SourceConnectionArn", "ParameterValue": arn})
    cloudformation.update_stack(
        StackName=stack["StackName"], UsePreviousTemplate=True, Parameters=parameters,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )  # fmt: skip

    def ended() -> str | None:
        status = str(cloudformation.describe_stacks(StackName=stack["StackName"])["Stacks"][0]["StackStatus"])
        return None if status.endswith("_IN_PROGRESS") else status

    assert story.until("template 10", ended) == "UPDATE_COMPLETE"
    for name in ("churn-modeldeploy", "churn-modelbuild"):
        provider.create_repository(story.cloud, f"{OWNER}/{name}")
    return arn


def run(story: Story, *arguments: str) -> int:
    remote = f"file://{story.cloud.folder / 'git'}"
    options = ("--environment", str(story.environment_path), "--project", "churn", "--remote", remote)
    with signed_in(story.engineer):
        return seed.main([*options, *arguments])


def branches(story: Story, name: str) -> str:
    return provider.git(story.cloud.folder / "git" / OWNER / f"{name}.git", "branch", "--list").decode().strip()


def test_a_pending_connection_says_what_a_person_must_do(story: Story, connection: str) -> None:
    with pytest.raises(UserError, match=r"is PENDING. Complete it in the console"):
        run(story)
    provider.complete_handshake(story.cloud, connection)


def test_repositories_in_codecommit_are_seeded_by_the_project_itself(story: Story, tmp_path: Path) -> None:
    settings = yaml.safe_load(story.environment_path.read_text())
    settings.pop("source", None)
    (tmp_path / "environment.yaml").write_text(yaml.safe_dump(settings))
    with signed_in(story.engineer), pytest.raises(UserError, match=r"source\.provider is codecommit"):
        seed.main(["--environment", str(tmp_path / "environment.yaml"), "--project", "churn"])


def test_a_plan_writes_nothing_and_what_has_a_branch_is_left_alone(
    story: Story, connection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(story, "--dry-run", "--json") == 0
    assert [step["action"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["create", "create"]
    assert branches(story, "churn-modeldeploy") == ""
    assert run(story) == 0
    assert (branches(story, "churn-modeldeploy"), branches(story, "churn-modelbuild")) == ("* main", "* main")
    capsys.readouterr()
    assert run(story, "--json") == 0
    assert [step["action"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["keep", "keep"]


def test_a_push_to_the_providers_repository_starts_the_projects_pipeline(
    story: Story, connection: str, tmp_path: Path
) -> None:
    given = {"SourceConnectionArn": connection, "SourceRepositoryOwner": OWNER}
    story.project_id = chapters.create_project(story, "churn", **given)
    story.project_name = "churn"
    first = story.until("the first execution", lambda: next(iter(story.executions()), None))
    assert story.wait_for_execution(first["pipelineExecutionId"]) == "Succeeded", story.diagnosis()
    names = story.cloud.root(story.setting.data_science, story.region).client("codecommit").list_repositories()
    assert names["repositories"] == []
    clone = tmp_path / "clone"
    bare = story.cloud.folder / "git" / OWNER / "churn-modeldeploy.git"
    subprocess.run(["git", "clone", "--quiet", str(bare), str(clone)], check=True, capture_output=True)
    (clone / "NOTES.md").write_text("a change\n")
    for command in (["add", "."], ["commit", "-q", "-m", "Note"], ["push", "-q", "origin", "main"]):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *identity, "-C", str(clone), *command], check=True, capture_output=True)

    def second() -> dict[str, Any] | None:
        found = story.executions()
        return found[0] if len(found) == 2 else None

    started = story.until("the push", second)
    assert started["trigger"]["triggerType"] == "WebhookV2"
    assert story.wait_for_execution(started["pipelineExecutionId"]) == "Succeeded", story.diagnosis()
