"""What the kit's roles may do: nothing without use or reason, and nothing that a rehearsal could do without.

One story runs with every decision of the authorizer written down: the request with all of its
condition keys, and every policy that applied. The story has more in it than `make rehearse`: the very
first deployment to staging fails (a statement of the model's role is missing, really removed), a commit
deploys again, a second commit updates the endpoint, and while it waits for its approver the version is rejected.

Then, for each statement of each role of the kit, the recorded requests that it allowed are decided again
by the same evaluator without that statement. At least one of them must be refused; and since a rehearsal
fails in the chapter in which anything is refused (story.play), a rehearsal without the statement fails.
A statement that no request needed must say why it is there ("Not rehearsed", scripts/rehearsal/permissions.py).
That this stands for real rehearsals is shown by playing some with a statement removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from awslang.policy.evaluator import decide
from localaws.authorization import authorizer
from scripts.kit.bundle import pack
from scripts.kit.console import UsageError, UserError
from scripts.permissions import main
from scripts.rehearsal import chapters, deploying
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.permissions import Reason, read_requests, reasons
from scripts.rehearsal.policies_file import write_policies
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.recorded_decisions import (
    RecordedStory,
    check_needed,
    report_of,
    statements_of,
)
from tests.support.story_steps import configure, set_status
from tests.support.waiting import until

TEMPLATES = ("templates/09-studio-domain.yaml", *(name for name in pack.TEMPLATES if name < "templates/30"))


def change_policy(story: Story, account: str, role: str, policy: str, without: str) -> str:
    """Remove a statement from an inline policy of a role; the document as it was."""
    iam = story.cloud.root(account, story.region).client("iam")
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    left = [statement for statement in document["Statement"] if statement["Sid"] != without]
    assert len(left) == len(document["Statement"]) - 1
    changed = json.dumps(document | {"Statement": left})
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=changed)
    return json.dumps(document)


def play_more(world: RecordedStory) -> None:
    """The story, with a first deployment that fails, two commits and a rejection."""
    story = world.story
    play(story, until="training")
    story.cloud.chapter = "removed"
    account = story.setting.targets["staging"]
    was = change_policy(story, account, "sagemaker-role-staging", "run-the-model", "ReadModels")
    chapters.approve(story)
    assert story.wait_for_stage("DeployStaging") == "Failed"
    world.refused = story.diagnosis()
    iam = story.cloud.root(account, story.region).client("iam")
    iam.put_role_policy(RoleName="sagemaker-role-staging", PolicyName="run-the-model", PolicyDocument=was)
    story.cloud.chapter = "commits"
    assert configure(story, "staging", InitialInstanceCount="1")
    deploying.staging(story)
    deploying.approval(story)
    deploying.production(story)
    alarm = f"{story.project_name}-{story.project_id}-prod-server-errors"
    there = story.owner(story.setting.targets["prod"]).client("cloudwatch")
    there.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="errors for a minute")
    assert configure(story, "staging", InitialInstanceCount="2")
    deploying.staging(story)
    deploying.approval_token(story, story.approver.client("codepipeline"))
    waiting = story.execution_id
    assert set_status(story, 1, "Rejected")
    assert story.wait_for_execution(story.execution_id) == "Failed", "there is no version to go back to"
    assert story.wait_for_execution(waiting) == "Stopped"
    until(lambda: not story.cloud.busy)  # the notifier looks for the reason of a failure


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedStory]:
    folder = tmp_path_factory.mktemp("permissions")
    with pytest.MonkeyPatch.context() as patch, embedded_aws(folder) as cloud:
        made = RecordedStory(Story(cloud, folder))
        patch.setattr(authorizer, "decide", made.record)
        play_more(made)
        write_policies(cloud, folder / "policies.json")
        yield made
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


@pytest.mark.parametrize(("logical_id", "sid"), statements_of(*TEMPLATES))
def test_without_any_single_statement_a_rehearsal_is_refused_something(
    world: RecordedStory, logical_id: str, sid: str
) -> None:
    check_needed(world, logical_id, sid, *TEMPLATES)


def test_the_recorded_requests_are_decided_again_as_they_were(world: RecordedStory) -> None:
    requests = read_requests(world.story.folder / "requests.jsonl")
    of_roles = [entry for entry in requests if not entry["principal"].endswith(":root")]
    needed = {need["action"].lower() for entry in of_roles for need in entry.get("needs", [])}
    assert {one.request.action.lower() for one in world.decided} == needed
    for one in world.decided:
        assert decide(one.request, one.policies).allowed == one.decision.allowed


def test_every_action_is_used_or_has_a_reason_and_every_reason_holds(world: RecordedStory) -> None:
    used: dict[tuple[str, str, str], int] = {}
    why: dict[tuple[str, str, str], Reason | None] = {}
    for holder in world.holders:
        for granted in holder.granted:
            key = (holder.logical_id, granted.statement, granted.action)
            used[key] = used.get(key, 0) + granted.used
            why[key] = granted.reason
    assert {key for key, times in used.items() if not times and why[key] is None} == set()
    later = {key for key, reason in why.items() if reason and reason.kind == "Later"}
    not_rehearsed = {key for key, reason in why.items() if reason and reason.kind == "Not rehearsed"}
    assert {key for key in later if not used[key]} == set(), "marked Later, and not used here"
    assert {key for key in not_rehearsed if used[key]} == set(), "said not to be rehearsed"
    assert set(statements_of(*TEMPLATES)) >= {key[:2] for key in used}


def test_only_the_removed_statement_was_refused_anything(world: RecordedStory) -> None:
    entries = read_requests(world.story.folder / "requests.jsonl")
    denied = [entry for entry in entries if entry.get("decision") == "denied"]
    assert denied
    assert {entry["chapter"] for entry in denied} == {"removed"}
    assert {entry["role"].rsplit("/", 1)[1] for entry in denied} == {"sagemaker-role-staging"}
    assert "s3:GetObject" in world.refused
    assert "sagemaker-role-staging" in world.refused


@pytest.mark.parametrize(
    ("role", "policy", "sid", "chapter", "action"),
    [
        ("PipelineRole", "run-projects", "RunBuilds", "project", "codebuild:StartBuild"),
        ("TestRole", "test-projects", "BecomeTester", "staging", "sts:AssumeRole"),
    ],
)
def test_a_rehearsal_without_a_statement_fails_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, policy: str, sid: str, chapter: str, action: str
) -> None:
    title, deploy = chapters.CHAPTERS["permissions"]
    name = f"AmazonSageMakerServiceCatalogProductsMultiAccount{role}"

    def deploy_without(story: Story) -> None:
        deploy(story)
        change_policy(story, story.setting.data_science, name, policy, sid)

    monkeypatch.setitem(chapters.CHAPTERS, "permissions", (title, deploy_without))
    with embedded_aws(tmp_path) as cloud:
        story = Story(cloud, tmp_path)
        with pytest.raises(StoryFailed) as failed:
            play(story, "predictions")
        write_policies(cloud, tmp_path / "policies.json")
    assert [c.name for c in story.chapters if c.outcome == "failed"] == [chapter]
    message = f"{failed.value}\n{failed.value.log}"
    assert action in message
    assert name in message
    denied = {one.action for holder in report_of(tmp_path) if holder.name == name for one in holder.denied}
    assert denied == {action}
    assert main(["--folder", str(tmp_path), "--role", role]) == 1


# -- the report and the command, on a small rehearsal of their own ---------------------------------------

TEMPLATE = """\
Resources:
  Reader:
    Type: AWS::IAM::Role
    Properties:
      Statement:
        - Sid: Read
          # Later: when there is
          # something to read.
          Action: s3:GetObject
        - Sid: List
          # Not rehearsed (s3:ListBucket, s3:GetBucketLocation): the console does.
          # Later (s3:GetBucketAcl): next year.
          Effect: Allow
          # no reason, only a remark
          Action: [s3:ListBucket, s3:GetBucketLocation]
  Writer:
    Type: AWS::IAM::Role
    Statement:
      - Sid: Read
        Action: s3:PutObject
  Trainer:
    Type: AWS::IAM::Role
    Properties:
      # Not rehearsed: a day off.
      Statement:
        - Sid: Read
          # Later (s3:ListBucket): when there is something.
          Action: [s3:GetObject, s3:ListBucket]
        - Sid: Write
          Action: s3:PutObject
"""


def test_reasons_stand_in_comments_of_their_statement_or_of_their_role() -> None:
    assert reasons(TEMPLATE) == {
        "Reader": {
            "Read": [Reason("Later", (), "when there is something to read.")],
            "List": [
                Reason("Not rehearsed", ("s3:ListBucket", "s3:GetBucketLocation"), "the console does."),
                Reason("Later", ("s3:GetBucketAcl",), "next year."),
            ],
        },
        "Trainer": {
            "Read": [
                Reason("Later", ("s3:ListBucket",), "when there is something."),
                Reason("Not rehearsed", (), "a day off."),
            ],
            "Write": [Reason("Not rehearsed", (), "a day off.")],
        },
    }


def small(folder: Path, statement: dict[str, Any], *requests: dict[str, Any], why: str = "") -> Path:
    """A folder as a rehearsal leaves it: one role with one statement, and these requests."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", "Sid": "One"} | statement]}
    role = "arn:aws:iam::111111111111:role/Small"
    found = [{"kind": "Not rehearsed", "actions": [], "text": why}] if why else []
    holder = {
        "account": "111111111111", "kind": "role", "name": "Small", "logical_id": "Small", "carriers": [role],
        "documents": {"p (inline, role Small)": document}, "reasons": {"One": found},
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "policies.json").write_text(json.dumps([holder]))
    lines = [json.dumps({"principal": "small", "role": role} | request) for request in requests]
    (folder / "requests.jsonl").write_text("\n".join(lines))
    return folder


def allowed(action: str) -> dict[str, Any]:
    by = ["identity-based policy", "111111111111", "p (inline, role Small)", "One"]
    need = {"action": action, "resource": "*", "decision": "allowed", "statements": [by]}
    return {"action": action, "resource": "*", "decision": "allowed", "statement": "One", "needs": [need]}


def denied(action: str) -> dict[str, Any]:
    return {"action": action, "resource": "*", "decision": "denied", "statement": f"no statement allows {action}"}


def test_all_is_well_where_everything_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = small(tmp_path, {"Action": "sns:Publish"}, allowed("sns:Publish"), allowed("sns:Publish"))
    assert main(["--folder", str(folder)]) == 0
    stdout = capsys.readouterr().out
    assert "sns:Publish (2)" in stdout
    assert "1 permissions used, 0 unused with a reason; nothing else is granted" in stdout


@pytest.mark.parametrize(
    ("statement", "requests", "message"),
    [
        ({"Action": ["sns:Publish", "sns:Subscribe"]}, [allowed("sns:Publish")], "sns:Subscribe: no reason is written"),
        ({"Action": "sns:Publish"}, [allowed("sns:Publish"), denied("sns:Subscribe")], "no statement allows sns:Sub"),
        ({"Action": "codebuild:*Build"}, [allowed("codebuild:StartBuild")], "codebuild:StopBuild: no reason"),
        ({"NotAction": [f"sqs:{letter}*" for letter in "ACDGLPSTU"]}, [], "sqs:ReceiveMessage, sqs:RemovePermission"),
    ],
)
def test_what_is_missing_or_granted_for_nothing_ends_with_1(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    statement: dict[str, Any],
    requests: list[dict[str, Any]],
    message: str,
) -> None:
    folder = small(tmp_path, statement, *requests)
    assert main(["--folder", str(folder)]) == 1
    assert message in " ".join(capsys.readouterr().out.split())


def test_a_written_reason_is_enough_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = small(tmp_path, {"Action": "sns:Publish"}, why="no endpoint listens.")
    assert main(["--folder", str(folder)]) == 0
    assert "not rehearsed: no endpoint listens." in capsys.readouterr().out


def test_another_principals_refusal_is_reported_but_is_not_the_roles_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small(tmp_path, {"Action": "sns:Publish"}, allowed("sns:Publish"), denied("sns:Subscribe") | {"role": "x"})
    assert main(["--folder", str(folder)]) == 0
    assert "1 refused to others" in capsys.readouterr().out


def test_the_report_as_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = small(tmp_path, {"Action": ["sns:Publish", "sns:Subscribe"]}, allowed("sns:Publish"))
    assert main(["--folder", str(folder), "--json"]) == 1
    granted = json.loads(capsys.readouterr().out)["holders"][0]["granted"]
    assert [(one["action"], one["used"]) for one in granted] == [("sns:Publish", 1), ("sns:Subscribe", 0)]


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    folder = small(tmp_path, {"Action": "sns:Publish"}, allowed("sns:Publish"))
    with pytest.raises(UsageError, match="There are: Small"):
        main(["--folder", str(folder), "--role", "Tall"])


def test_without_a_rehearsal_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make rehearse"):
        main(["--folder", str(tmp_path)])
