"""Connections to a git provider, the sources that use them, and the triggers that start pipelines.

AWS CodePipeline User Guide, "CodeStarSourceConnection …", "Automate starting pipelines using triggers and
filtering"; Developer Tools console User Guide, "Create a connection", "Permissions reference".
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.principals import Principal
from localaws.cloud import Cloud
from localaws.services.codeconnections import service as provider
from localaws.services.codepipeline.triggers import fits, glob
from scripts.kit.projects import seeding
from tests.support import persons_git
from tests.support.codepipeline_setting import ACCOUNT, BUILD, REGION, Stage, action, artifacts, declaration
from tests.support.waiting import until
from tests.support.zips import zip_of

REPOSITORY = "owner/deploy"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's own id of a tree without files
BUILD_STAGE = {"name": "Build", "actions": [{**BUILD, "configuration": {"ProjectName": "build"}}]}


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    done = subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Setting(Stage):
    """A pipeline's surroundings, a completed connection, and a clone of its repository."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        super().__init__(cloud, monkeypatch)
        self.connections = cloud.root(ACCOUNT, REGION).client("codeconnections")
        made = self.connections.create_connection(ProviderType="GitHub", ConnectionName="kit")
        self.arn = str(made["ConnectionArn"])
        self.bare = provider.create_repository(cloud, REPOSITORY)
        self.clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(self.bare), str(self.clone)], check=True, capture_output=True)
        git(self.clone, "checkout", "--quiet", "-b", "main")

    def commit(self, path: str = "seed.txt", text: str = "one", branch: str = "main") -> str:
        """Commit a file and push the branch."""
        file = self.clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        git(self.clone, "add", ".")
        git(self.clone, "commit", "--quiet", "--message", f"Change {path}")
        git(self.clone, "push", "--quiet", "origin", branch)
        self.announced()
        return git(self.clone, "rev-parse", "HEAD")

    def announced(self) -> None:
        """Wait until the provider has announced every push."""
        pushed = len((self.bare / "pushed").read_text().splitlines())
        until(lambda: self.cloud.state(provider.Provider, "", "").announced.get(REPOSITORY) == pushed)

    def branch(self, name: str) -> None:
        git(self.clone, "checkout", "--quiet", "-b", name)

    def source(self, **more: str) -> dict[str, Any]:
        given = {"ConnectionArn": self.arn, "FullRepositoryId": REPOSITORY, "BranchName": "main", **more}
        return action(
            "Source", "Source", "CodeStarSourceConnection", namespace="Source", configuration=given,
            outputArtifacts=artifacts("SourceOutput"),
        )  # fmt: skip

    def declared(self, *triggers: dict[str, Any], **more: str) -> dict[str, Any]:
        found = declaration(BUILD_STAGE)
        found["stages"][0]["actions"] = [self.source(**more)]
        git_triggers = [
            {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source", **given}}
            for given in triggers
        ]
        return found | ({"triggers": git_triggers} if git_triggers else {})

    def begun(self, number: int) -> dict[str, Any]:
        """The newest execution, once there are so many."""
        found: dict[str, Any] = until(lambda: len(s := self.summaries()) == number and s[0])
        self.ends(found["pipelineExecutionId"])
        return self.summaries()[0]

    def nothing_more(self, number: int) -> None:
        self.announced()
        assert len(self.summaries()) == number


@pytest.fixture
def setting(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Setting:
    return Setting(cloud, monkeypatch, tmp_path)


def test_a_connection_is_pending_until_a_person_completes_it(setting: Setting) -> None:
    shown = setting.connections.get_connection(ConnectionArn=setting.arn)["Connection"]
    assert (shown["ConnectionStatus"], shown["ProviderType"], shown["OwnerAccountId"]) == ("PENDING", "GitHub", ACCOUNT)
    setting.commit()
    execution = setting.create(setting.declared())
    assert setting.ends(execution) == "Failed"
    error_details = setting.actions(execution)["Source"]["output"]["executionResult"]["errorDetails"]
    assert (error_details["code"], "is not available" in error_details["message"]) == ("ConfigurationError", True)
    provider.complete_handshake(setting.cloud, setting.arn)
    former = setting.cloud.root(ACCOUNT, REGION).client("codestar-connections")
    assert former.list_connections()["Connections"][0]["ConnectionStatus"] == "AVAILABLE"
    assert setting.ends(setting.start()) == "Succeeded"
    made = former.create_connection(ProviderType="GitLab", ConnectionName="other", Tags=[{"Key": "a", "Value": "b"}])
    assert made["ConnectionArn"].startswith(f"arn:aws:codestar-connections:{REGION}:{ACCOUNT}:connection/")
    assert former.list_tags_for_resource(ResourceArn=made["ConnectionArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    former.untag_resource(ResourceArn=made["ConnectionArn"], TagKeys=["a"])
    assert [c["ConnectionName"] for c in former.list_connections(ProviderTypeFilter="GitLab")["Connections"]] == [
        "other"
    ]
    former.delete_connection(ConnectionArn=made["ConnectionArn"])
    with pytest.raises(ClientError, match="ResourceNotFound"):
        setting.connections.get_connection(ConnectionArn=made["ConnectionArn"])


def test_a_push_to_the_branch_starts_the_pipeline_with_its_commit(setting: Setting) -> None:
    provider.complete_handshake(setting.cloud, setting.arn)
    setting.commit()
    setting.ends(setting.create(setting.declared()))
    commit = setting.commit(text="two")
    started = setting.begun(2)
    assert started["trigger"] == {"triggerType": "WebhookV2", "triggerDetail": setting.arn}
    assert started["sourceRevisions"][0]["revisionId"] == commit
    shown = setting.actions(started["pipelineExecutionId"])["Source"]["output"]["outputVariables"]
    assert {k: v for k, v in shown.items() if k != "AuthorDate"} == {
        "BranchName": "main", "CommitId": commit, "CommitMessage": "Change seed.txt", "ConnectionArn": setting.arn,
        "FullRepositoryName": REPOSITORY,
    }  # fmt: skip
    setting.branch("other")
    setting.commit(branch="other", text="three")
    setting.nothing_more(2)
    setting.client.update_pipeline(pipeline=setting.declared(DetectChanges="false"))
    git(setting.clone, "checkout", "--quiet", "main")
    setting.commit(text="four")
    setting.nothing_more(2)


def test_a_source_that_is_not_there_is_named(setting: Setting) -> None:
    provider.complete_handshake(setting.cloud, setting.arn)
    execution = setting.create(setting.declared(FullRepositoryId="owner/other"))
    assert setting.ends(execution) == "Failed"
    assert "owner/other" in json.dumps(setting.actions(execution)["Source"]["output"])
    setting.client.update_pipeline(pipeline=setting.declared(BranchName="nowhere"))
    execution = setting.start()
    assert setting.ends(execution) == "Failed"
    assert "No Branch [nowhere]" in json.dumps(setting.actions(execution)["Source"]["output"])


def test_filters_choose_branches_files_and_tags(setting: Setting) -> None:
    provider.complete_handshake(setting.cloud, setting.arn)
    setting.commit()
    push = [
        {"branches": {"includes": ["main", "feature/**"], "excludes": ["feature/no"]},
         "filePaths": {"includes": ["src/**"], "excludes": ["**/README.md"]}},
        {"tags": {"includes": ["v*"], "excludes": ["v0"]}},
    ]  # fmt: skip
    setting.ends(setting.create(setting.declared({"push": push})))
    setting.commit("docs/a.md")
    setting.commit("src/README.md")
    setting.nothing_more(1)
    setting.commit("src/a/b.py")
    assert setting.begun(2)["trigger"]["triggerType"] == "WebhookV2"
    setting.branch("feature/x/y")
    setting.commit("src/c.py", branch="feature/x/y")  # pushed first: no list of changed files
    setting.nothing_more(2)
    commit = setting.commit("src/d.py", branch="feature/x/y")
    newest = setting.begun(3)
    assert newest["sourceRevisions"][0]["revisionId"] == commit
    shown = setting.actions(newest["pipelineExecutionId"])["Source"]["output"]["outputVariables"]
    assert shown["BranchName"] == "feature/x/y"
    for tag in ("v0", "release"):
        git(setting.clone, "tag", tag)
        git(setting.clone, "push", "--quiet", "origin", tag)
    setting.nothing_more(3)
    git(setting.clone, "tag", "v1")
    git(setting.clone, "push", "--quiet", "origin", "v1")
    setting.begun(4)


def test_a_pull_request_starts_the_pipeline_with_its_own_branch(setting: Setting) -> None:
    provider.complete_handshake(setting.cloud, setting.arn)
    setting.commit()
    wanted = {"pullRequest": [{"events": ["OPEN", "CLOSED"], "branches": {"includes": ["main"]},
                               "filePaths": {"includes": ["src/*"]}}]}  # fmt: skip
    setting.ends(setting.create(setting.declared(wanted)))
    setting.branch("change")
    commit = setting.commit("src/a.py", branch="change")
    setting.nothing_more(1)
    provider.pull_request(setting.cloud, REPOSITORY, "OPEN", "change", "main")
    assert setting.begun(2)["sourceRevisions"][0]["revisionId"] == commit
    provider.pull_request(setting.cloud, REPOSITORY, "UPDATED", "change", "main")
    provider.pull_request(setting.cloud, REPOSITORY, "OPEN", "main", "change")
    setting.nothing_more(2)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("common/**/*.js", "common/app.js", True), ("common/**/*.js", "common/a/b/app.js", True),
        ("common/*.js", "common/a/app.js", False), ("main*", "maintenance", True), ("main*", "main/x", False),
        ("**/LICENSE", "LICENSE", True), ("{a,b}/?.py", "b/x.py", True), ("[ab].py", "c.py", False),
        ("[!ab].py", "c.py", True), ("v1.0", "v1x0", False),
    ],
)  # fmt: skip
def test_globs_match_as_the_guide_says(pattern: str, name: str, matches: bool) -> None:
    assert (glob(pattern).fullmatch(name) is not None) is matches
    assert fits({"excludes": [pattern]}, name) is not matches
    assert fits({"includes": [pattern], "excludes": [pattern]}, name) is False


# -- who may use and pass a connection -------------------------------------------------------------


def allow(setting: Setting, role: str, *statements: dict[str, Any]) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    iam = setting.cloud.root(ACCOUNT, REGION).client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=json.dumps(policy))


def test_the_pipelines_role_needs_both_names_of_use_connection(setting: Setting) -> None:
    """ "Both actions are required" (Service role permissions: CodeConnections action)."""
    provider.complete_handshake(setting.cloud, setting.arn)
    setting.commit()
    rest = {"NotAction": ["codeconnections:*", "codestar-connections:*"], "Resource": "*"}
    for use, status in (
        (["codeconnections:UseConnection"], "Failed"),
        (["codeconnections:UseConnection", "codestar-connections:UseConnection"], "Succeeded"),
    ):
        condition = {"StringEquals": {f"{use[-1].split(':')[0]}:FullRepositoryId": REPOSITORY}}
        allow(setting, "pipeline", rest, {"Action": use[:-1] or use, "Resource": setting.arn},
              {"Action": use[-1], "Resource": setting.arn, "Condition": condition})  # fmt: skip
        execution = setting.start() if setting_exists(setting) else setting.create(setting.declared())
        assert setting.ends(execution) == status
    output = [setting.actions(e["pipelineExecutionId"])["Source"] for e in setting.summaries()][1]["output"]
    assert "does not have sufficient permissions" in output["executionResult"]["errorDetails"]["message"]


def setting_exists(setting: Setting) -> bool:
    return bool(setting.client.list_pipelines()["pipelines"])


def test_who_makes_a_pipeline_must_be_allowed_to_pass_the_connection(setting: Setting) -> None:
    provider.complete_handshake(setting.cloud, setting.arn)
    setting.commit()
    iam = setting.cloud.root(ACCOUNT, REGION).client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="maker", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    rest = {"NotAction": "codeconnections:*", "Resource": "*"}
    allow(setting, "maker", rest)
    arn = f"arn:aws:iam::{ACCOUNT}:role/maker"
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/maker/x"
    maker = setting.cloud.session_for(Principal("role", ACCOUNT, session, arn, "x"), REGION).client("codepipeline")
    with pytest.raises(ClientError, match=r"AccessDenied.*codeconnections:PassConnection"):
        maker.create_pipeline(pipeline=setting.declared())
    passing = {
        "Action": "codeconnections:PassConnection", "Resource": setting.arn,
        "Condition": {"StringEquals": {"codeconnections:PassedToService": "codepipeline.amazonaws.com"}},
    }  # fmt: skip
    allow(setting, "maker", rest, passing)
    maker.create_pipeline(pipeline=setting.declared())
    assert setting.summaries()[0]["pipelineExecutionId"]


def test_the_providers_git_is_not_the_persons(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = persons_git.set_up(tmp_path / "person", monkeypatch)
    before = persons_git.state(mine)
    folder = provider.create_repository(cloud, "owner/another")
    assert provider.git(folder, "rev-parse", "--is-bare-repository", "--show-object-format").split() == [
        b"true",
        b"sha1",
    ]
    assert [path.name for path in (folder / "hooks").iterdir()] == ["post-receive"]
    seeding.push(str(folder), zip_of({"iris.csv": "1"}), "Seed code")
    assert provider.changed_files(folder, EMPTY_TREE, "main") == ["iris.csv"]
    until((folder / "pushed").exists)
    assert persons_git.state(mine) == before
