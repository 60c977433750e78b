"""A project whose repositories are at a git provider: `make seed`, from push to build, and every other command on it.

The tests go on from one another, in the order of this file. The provider is the rehearsal's own; the launch role is
the stock one, the pipeline's role that of template 10.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localaws.services.codeconnections import service as provider
from scripts.rehearsal import chapters
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from tests.support.installation import Installation
from tests.support.story_steps import register, set_status

OWNER, PROJECT = "my-organization", "churn"
NAMES = {"DeployRepositoryName": "how-we-deploy", "TrainingRepositoryName": "how-we-train"}


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Empty repositories at the provider, and the product with the connection as its default."""
    folder = tmp_path_factory.mktemp("provider")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        made = Installation(cloud, folder, patch, to="service-catalog", owner=OWNER)
        for name in NAMES.values():
            provider.create_repository(cloud, f"{OWNER}/{name}")
        yield made
    assert not cloud.faults, cloud.faults[0].traceback


def bare(kit: Installation, kind: str = "Deploy") -> Path:
    return kit.cloud.folder / "git" / OWNER / f"{NAMES[f'{kind}RepositoryName']}.git"


def git(folder: Path, *arguments: str, given: str = "") -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seed(kit: Installation, *arguments: str, code: int = 0) -> tuple[dict[str, Any], str]:
    remote = f"file://{kit.cloud.folder / 'git'}"
    out, err = kit.command("seed", "--project", PROJECT, "--remote", remote, "--json", *arguments, code=code)
    return json.loads(out or "{}"), err


def shown(kit: Installation, name: str, *arguments: str) -> Any:
    return json.loads(kit.command(name, *arguments, "--json")[0])


@contextlib.contextmanager
def environment(kit: Installation, source: dict[str, str] | None) -> Iterator[None]:
    """The environment file with another source."""
    file = kit.story.environment_path
    text = file.read_text()
    settings = yaml.safe_load(text)
    settings.pop("source")
    file.write_text(yaml.safe_dump(settings | ({"source": source} if source else {})))
    yield
    file.write_text(text)


def test_a_pending_connection_says_what_a_person_must_do(kit: Installation) -> None:
    client = kit.engineer.client("codeconnections")
    arn = client.create_connection(ProviderType="GitLab", ConnectionName="new")["ConnectionArn"]
    with environment(kit, {"provider": "connection", "connection_arn": arn, "repository_owner": OWNER}):
        _, stderr = seed(kit, code=1)
    assert "is PENDING. Complete it in the console" in stderr
    client.delete_connection(ConnectionArn=arn)


def test_repositories_in_codecommit_are_seeded_by_the_project_itself(kit: Installation) -> None:
    with environment(kit, None):
        _, stderr = seed(kit, code=1)
    assert "source.provider is codecommit" in stderr


def test_repositories_of_any_name_are_seeded_with_the_newest_version(kit: Installation) -> None:
    names = ["--deploy-repository", "how-we-deploy", "--training-repository", "how-we-train"]
    planned, _ = seed(kit, *names, "--dry-run")
    assert {(step["action"], step["name"]) for step in planned["steps"]} == {
        ("create", f"{OWNER}/how-we-deploy"),
        ("create", f"{OWNER}/how-we-train"),
    }
    assert git(bare(kit), "branch", "--list") == ""
    done, _ = seed(kit, *names)
    assert (done["bundle"], done["applied"]) == (kit.first, True)
    assert git(bare(kit), "log", "--format=%s", "main") == f"Seed code of {kit.first}"
    again, _ = seed(kit, *names)
    assert [step["action"] for step in again["steps"]] == ["keep", "keep"]


def test_a_project_that_exists_says_its_repositories_itself(kit: Installation) -> None:
    kit.project(PROJECT, **NAMES)
    assert kit.engineer.client("codecommit").list_repositories()["repositories"] == []
    again, _ = seed(kit)
    assert [(step["action"], step["name"]) for step in again["steps"]] == [
        ("keep", f"{OWNER}/how-we-deploy"),
        ("keep", f"{OWNER}/how-we-train"),
    ]
    _, stderr = seed(kit, "--deploy-repository", "another", code=1)
    assert "the repository of the project churn is how-we-deploy, not another" in stderr


def test_a_push_to_the_providers_repository_starts_the_projects_pipeline(kit: Installation, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(bare(kit)), "clone")
    (tmp_path / "clone" / "NOTES.md").write_text("mine\n")
    git(tmp_path / "clone", "add", "--all")
    git(tmp_path / "clone", "commit", "--quiet", "--message", "Mine")
    git(tmp_path / "clone", "push", "--quiet", "origin", "main")

    def second() -> dict[str, Any] | None:
        found = kit.story.executions()
        return found[0] if len(found) == 2 else None

    started = kit.story.until("the push", second)
    assert started["trigger"]["triggerType"] == "WebhookV2"
    assert kit.story.wait_for_execution(started["pipelineExecutionId"]) == "Succeeded", kit.story.diagnosis()


def test_status_tells_of_its_stages(kit: Installation) -> None:
    story = kit.story
    training = story.folder / "checkouts" / f"{PROJECT}-{story.project_id}-modelbuild"
    training.parent.mkdir(exist_ok=True)
    git(training.parent, "clone", "--quiet", str(bare(kit, "Training")), training.name)
    chapters.train(story)
    register(story)
    for version in (1, 2):
        set_status(story, version, "Approved")
        assert story.wait_for_stage("DeployStaging") == "Succeeded", story.diagnosis()
    (project,) = shown(kit, "status", "--project", PROJECT)["projects"]
    assert {stage["name"]: stage["version"] for stage in project["stages"]} == {"staging": "2", "prod": ""}
    (place,) = project["stages"][0]["places"]
    assert (place["version"], place["endpoint"]) == ("2", "in service")
    assert [stage["version"] for stage in project["pipeline"]][:3] == ["2", "2", "2"]


def test_a_stage_is_rolled_back_by_codepipeline(kit: Installation) -> None:
    done = shown(kit, "rollback", "--project", PROJECT, "--stage", "staging")
    assert (done["version"], done["applied"]) == ("1", True)
    assert done["execution"]
    (project,) = shown(kit, "status", "--project", PROJECT)["projects"]
    assert project["stages"][0]["version"] == "1"


def test_doctor_finds_nothing_wrong_and_says_what_it_cannot_see(kit: Installation) -> None:
    report = shown(kit, "doctor", "--bundle", str(kit.tree / "build"), "--project", PROJECT)
    assert report["findings"] == []
    [config] = [note for note in report["not_checked"] if "config" in note["what"]]
    assert config["needs"] == f"a look into {OWNER}/how-we-deploy"


def test_an_upgrade_keeps_connection_and_commits_and_its_patch_merges(kit: Installation, tmp_path: Path) -> None:
    newer, head = kit.newer_version(), git(bare(kit), "rev-parse", "main")
    (running,) = shown(kit, "versions")["projects"]
    assert (running["version"], running["seed"]) == (kit.first, kit.first[-8:])
    found = shown(kit, "diff", "--project", PROJECT)
    effects = {change["logical_id"]: change["effect"] for change in found["resources"]}
    assert effects == {"Build": "change", "Pipeline": "change"}
    assert [(file["effect"], file["name"]) for file in found["files"]] == [("change", "model-deploy/README.md")]
    before = shown(kit, "upgrade", "--project", PROJECT, "--dry-run")["values"]
    _, stderr = kit.command("upgrade", "--project", PROJECT, code=1)  # the rollback's execution waits for an approver
    assert "You must not update a project that is in use" in stderr
    _, stderr = kit.command("upgrade", "--project", PROJECT, "--force")
    assert f"{PROJECT} runs {newer}" in stderr
    after = shown(kit, "upgrade", "--project", PROJECT)["values"]
    assert after == before
    assert {name: after[name] for name in NAMES} == NAMES
    assert after["SourceRepositoryOwner"] == OWNER
    assert git(bare(kit), "rev-parse", "main") == head
    patch, _ = kit.command("diff", "--project", PROJECT, "--patch", "model-deploy")
    git(tmp_path, "clone", "--quiet", str(bare(kit)), "clone")
    git(tmp_path / "clone", "apply", "--3way", given=patch)
    assert "Read this first." in (tmp_path / "clone" / "README.md").read_text()
    assert (tmp_path / "clone" / "NOTES.md").read_text() == "mine\n"


def test_a_torn_down_project_leaves_its_repositories_and_the_connection(kit: Installation) -> None:
    plan = shown(kit, "teardown", "--project", PROJECT, "--dry-run")["steps"]
    (project,) = [step for step in plan if step["kind"] == "project"]
    assert project["detail"].endswith("with its pipeline and builds; its repositories at the git provider stay")
    manager = people.sign_in(kit.cloud, kit.story.setting.management, people.ENGINEER, kit.story.region)
    kit.command("teardown", "--project", PROJECT, "--model-group", "--empty-buckets", "--logs", "--yes", who=manager)
    assert shown(kit, "versions")["projects"] == []
    assert git(bare(kit), "log", "--format=%s", "main").splitlines()[0] == "Mine"
    connections = kit.engineer.client("codeconnections").list_connections()["Connections"]
    assert [connection["ConnectionStatus"] for connection in connections] == ["AVAILABLE"]
