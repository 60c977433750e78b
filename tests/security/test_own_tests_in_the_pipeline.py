"""Own tests as the pipeline runs them: a test that fails stops it, and a test that attacks gets nowhere.

The attack is code of the repository that looks for every credential it can find in its build, and tries with each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.rehearsal.story import Story
from tests.support.attacks import role_policy
from tests.support.story_steps import follow, push, served, whole_story

FAILS = """\
import unittest


class Fails(unittest.TestCase):
    def test_it(self):
        self.fail("the model is not fair")
"""
ATTACK = '''\
"""All credentials in the build: the test's own, and those that any of its processes has in its variables."""
import os
import unittest
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
BUCKET = "sagemaker-project-@PROJECT@"


def variables():
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield dict(item.split("=", 1) for item in place.read_text(errors="replace").split("\\0") if "=" in item)
        except OSError:  # it ended
            continue


BUILD = next(found for found in variables() if "@PROJECT@-own-tests:" in found.get("CODEBUILD_BUILD_ID", ""))


def sessions():
    for found in (os.environ, BUILD):
        keys = [found[name] for name in NAMES]
        yield boto3.Session(*keys, region_name=os.environ["AWS_REGION"])


def reached(session):
    """What the credentials may do of what they must not."""
    external_id = "/sagemaker-multi-account/tester-external-id"
    tries = {
        "write": lambda: session.client("s3").put_object(Bucket=BUCKET, Key="sagemaker-x/BuildOut/1", Body=b"mine"),
        "read": lambda: session.client("ssm").get_parameter(Name=external_id),
        "start": lambda: session.client("codepipeline").start_pipeline_execution(name="@PIPELINE@"),
        "approve": lambda: session.client("sagemaker").update_model_package(
            ModelPackageArn="@VERSION@", ApprovalDescription="mine"
        ),
        "delete": lambda: session.client("sagemaker").delete_endpoint(EndpointName=os.environ["ENDPOINT_NAME"]),
    }
    for name, act in tries.items():
        try:
            act()
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), error
        else:
            yield name


class Attack(unittest.TestCase):
    def test_it(self):
        mine, build = (session.client("sts").get_caller_identity()["Arn"] for session in sessions())
        assert "-tester/" in mine and "OwnTestsRole" in build, (mine, build)
        Path(os.environ["HOME"], "exports.sh").write_text("export DEPLOY=without-approval\\n")
        print("REACHED", [name for session in sessions() for name in reached(session)])
'''


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A whole story: version 1 is live in both stages."""
    with whole_story(tmp_path_factory.mktemp("pipeline")) as played:
        yield played


def build(story: Story) -> dict[str, Any]:
    """The newest build of own tests."""
    codebuild = story.cloud.root(story.setting.data_science, story.region).client("codebuild")
    name = f"sagemaker-{story.project_name}-{story.project_id}-own-tests"
    ids = codebuild.list_builds_for_project(projectName=name)["ids"]
    found: dict[str, Any] = codebuild.batch_get_builds(ids=ids[:1])["builds"][0]
    return found


def log_of(story: Story) -> str:
    logs = build(story)["logs"]
    client = story.cloud.root(story.setting.data_science, story.region).client("logs")
    events = client.get_log_events(
        logGroupName=logs["groupName"], logStreamName=logs["streamName"], startFromHead=True
    )["events"]
    return "".join(event["message"] for event in events)


def attack(story: Story, name: str) -> str | None:
    """Push the attack; the execution that it starts."""
    values = {"PROJECT": story.project_id, "PIPELINE": story.pipeline_name, "VERSION": story.model_package_arn}
    text = ATTACK
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return push(story, f"tests/test_{name}.py", text)


def test_a_test_that_fails_stops_the_pipeline_before_an_approver_is_asked(story: Story) -> None:
    assert follow(story, push(story, "tests/test_fair.py", FAILS), approve=None) == "Failed"
    outcomes = {action["actionName"]: action["status"] for action in story.actions()}
    assert (outcomes["TestStaging"], outcomes["OwnTests"]) == ("Succeeded", "Failed")
    assert "ApproveDeployment" not in outcomes
    assert "the model is not fair" in log_of(story)
    assert f"FAILED  {story.setting.targets['staging']}/{story.region}" in log_of(story)


def test_without_tests_the_step_is_green_at_once_and_says_so(story: Story) -> None:
    codecommit = story.cloud.root(story.setting.data_science, story.region).client("codecommit")
    repository = f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"
    before = {e["pipelineExecutionId"] for e in story.executions()}
    head = codecommit.get_branch(repositoryName=repository, branchName="main")["branch"]["commitId"]
    gone = [{"filePath": f"tests/test_{name}.py"} for name in ("endpoint", "fair")]
    codecommit.create_commit(repositoryName=repository, branchName="main", parentCommitId=head, deleteFiles=gone)
    started = story.until(
        "an execution", lambda: {e["pipelineExecutionId"] for e in story.executions()} - before or None
    )
    assert follow(story, started.pop()) == "Succeeded"
    assert "no own tests: the deploy repository holds no tests/test_*.py" in log_of(story)


def test_own_tests_that_attack_get_nowhere_and_hand_nothing_on(story: Story) -> None:
    assert follow(story, attack(story, "attack"), approve=None) == "Succeeded"
    assert "REACHED []" in log_of(story)
    made = build(story)
    assert made["exportedEnvironmentVariables"] == []
    assert made["artifacts"].get("location", "") == ""
    assert made["reportArns"] == []
    assert story.status_of(str(story.execution_id)) == "InProgress"  # the approver is asked all the same
    (action,) = (a for a in story.actions() if a["actionName"] == "OwnTests")
    assert action["output"].get("outputVariables", {}) == {}
    assert action["output"].get("outputArtifacts", []) == []
    assert follow(story, story.execution_id) == "Succeeded"
    assert served(story) == {"staging": 1, "prod": 1}


def test_with_more_rights_for_its_role_the_same_attack_gets_somewhere(story: Story) -> None:
    root = story.cloud.root(story.setting.data_science, story.region)
    policy = role_policy(root, "AmazonSageMakerServiceCatalogProductsMultiAccountOwnTestsRole", "run-own-tests")
    more = {"Action": ["s3:GetObject", "ssm:GetParameter"], "Resource": "*"}
    with policy.changed("ReadInput", lambda statement: {**statement, **more, "Condition": {}}):
        assert follow(story, attack(story, "again"), approve=None) == "Succeeded"
        assert "REACHED ['read']" in log_of(story)
