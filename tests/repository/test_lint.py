"""`make lint`: the linters of .venv-lint see the real templates, and each rule of the kit's own bites."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from awslang.template.reader import read
from scripts import lint
from scripts.kit.bundle.template_policies import policies
from tests.support import ROOT

TEMPLATES = {name.split("/")[1].split("-")[0]: document for name, (document, _) in lint.templates().items()}
RULES = lint.RULES.read_text(encoding="utf-8")


def statement(role: str, number: int = 0) -> Callable[[Any], Any]:
    return lambda resources: resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][number]


def drop(*path: str) -> Callable[[Any], None]:
    def edit(resources: Any) -> None:
        node = resources
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return edit


def put(value: Any, *path: str) -> Callable[[Any], None]:
    def edit(resources: Any) -> None:
        node = resources
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return edit


# a rule, the template that is changed to break it, and how
BROKEN: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "BUCKETS_ARE_PRIVATE_AND_ENCRYPTED": (
        "10", put(False, "ModelBucket", "Properties", "PublicAccessBlockConfiguration", "BlockPublicPolicy")),
    "BUCKETS_OUTLIVE_THEIR_STACK": ("30", put("Retain", "Artifacts", "DeletionPolicy")),
    "BUCKETS_REFUSE_PLAIN_HTTP": (
        "30", lambda r: r["ArtifactsPolicy"]["Properties"]["PolicyDocument"]["Statement"][0].pop("Condition")),
    "KEYS_ROTATE_AND_OUTLIVE_THEIR_STACK": ("10", put(False, "ModelKey", "Properties", "EnableKeyRotation")),
    "ROLES_MAY_NOT_DO_EVERYTHING": ("12", lambda r: statement("PipelineRole")(r).update(Action=["s3:*"])),
    "ROLES_CARRY_NO_POLICY_OF_AWS": (
        "20", put(["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"], "ModelRole", "Properties", "ManagedPolicyArns")),
    "STACK_SETS_DEPLOY_TO_NO_ACCOUNT_BY_THEMSELVES": (
        "40", put({"Enabled": True}, "Endpoints", "Properties", "AutoDeployment")),
    "MODELS_CARRY_NO_NAME": ("50", put("mine", "Model", "Properties", "ModelName")),
    "ENDPOINTS_ROLL_BACK_BY_ALARMS": ("50", drop("Endpoint", "Properties", "DeploymentConfig")),
    "PIPELINES_ASK_A_PERSON": (
        "30", lambda r: r["Pipeline"]["Properties"].update(
            Stages=[s for s in r["Pipeline"]["Properties"]["Stages"] if s.get("Name") != "ApproveDeployment"])),
    "BUILDS_RUN_WITHOUT_PRIVILEGES": (
        "30", put(True, "Build", "Properties", "Environment", "PrivilegedMode")),
}  # fmt: skip


def test_every_rule_has_a_template_that_breaks_it() -> None:
    assert set(re.findall(r"^rule (\w+)", RULES, re.MULTILINE)) == set(BROKEN)


HAS_A_WHEEL = sys.version_info < (3, 12) or (sys.version_info < (3, 13) and sys.platform == "linux")


@pytest.mark.skipif(lint.lacks_guard() and not HAS_A_WHEEL, reason="cfn-guard-rs has no wheel for this machine")
def test_each_rule_finds_what_breaks_it_and_nothing_else_does() -> None:
    broken = {}
    for rule, (template, damage) in BROKEN.items():
        broken[rule] = copy.deepcopy(TEMPLATES[template])
        damage(broken[rule]["Resources"])
        right = TEMPLATES[template][
            "Resources"
        ]  # beside what is broken: a rule must hold for every member, not for some
        broken[rule]["Resources"] |= {f"{name}Beside": resource for name, resource in right.items()}
    found = lint.through_linters("guard", {"rules": RULES, "templates": broken}).splitlines()
    assert {tuple(line.split(": ")[:2]) for line in found} == {(rule, rule) for rule in BROKEN}
    assert all(re.search(": (/Resources/|somewhere)", line) for line in found)
    assert lint.guard() == ""


WITHIN: dict[str, tuple[str, Callable[[Any], Any]]] = {  # one of several members within a resource
    "STACK_SETS_DEPLOY_TO_NO_ACCOUNT_BY_THEMSELVES": (
        "40",
        put({"Fn::If": ["A", {"Enabled": True}, {"Enabled": False}]}, "Endpoints", "Properties", "AutoDeployment"),
    ),
    "ROLES_MAY_NOT_DO_EVERYTHING": ("12", lambda r: statement("TestRole")(r).update(Action="ssm:*")),
    "BUCKETS_REFUSE_PLAIN_HTTP": (
        "30",
        lambda r: r["ArtifactsPolicy"]["Properties"]["PolicyDocument"]["Statement"][0].update(Action="s3:GetObject"),
    ),
}  # fmt: skip


@pytest.mark.skipif(lint.lacks_guard() and not HAS_A_WHEEL, reason="cfn-guard-rs has no wheel for this machine")
def test_a_rule_finds_one_member_among_several_of_a_resource() -> None:
    broken = {}
    for rule, (template, damage) in WITHIN.items():
        broken[rule] = copy.deepcopy(TEMPLATES[template])
        damage(broken[rule]["Resources"])
    found = lint.through_linters("guard", {"rules": RULES, "templates": broken}).splitlines()
    assert {tuple(line.split(": ")[:2]) for line in found} == {(rule, rule) for rule in WITHIN}


def test_policies_with_mistakes_are_found_with_their_place() -> None:
    wrong = {
        "a.yaml:1 action": "s3:GetObjekt",
        "a.yaml:2 resource": "sqs:SendMessage",
        "a.yaml:3 fine": "s3:GetObject",
    }
    documents = {
        place: {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::bucket/*"}],
        }
        for place, action in wrong.items()
    }
    found = lint.through_linters("parliament", documents).splitlines()
    assert {line.split(": ")[0] for line in found} == {"a.yaml:1 action", "a.yaml:2 resource"}
    assert lint.parliament() == ""


def test_every_policy_of_a_template_is_found_and_has_no_function_left() -> None:
    found = {policy.name: policy.document for policy in policies(TEMPLATES["20"])}
    assert {name.split(".")[0] for name in found} == {
        "AlarmsRole", "BatchRole", "BatchStarterRole", "ConsumerRole", "ModelRole", "MonitorRole", "TesterRole",
    }  # fmt: skip
    assert sum(name.endswith("PolicyDocument") and "Assume" not in name for name in found) == 18
    text = json.dumps(list(found.values()))
    assert "Fn::" not in text
    assert set(re.findall(r"\$\{[^}]*\}", text)) == {  # variables of the policy, not of the template
        "${aws:PrincipalTag/sagemaker:project-id}", "${aws:PrincipalTag/sagemaker:project-name}",
        "${aws:PrincipalArn}", "${aws:RequestTag/sagemaker:project-name}",
    }  # fmt: skip
    assert "arn:aws:s3:::sagemaker-multi-account-models-111111111111-us-east-1/*" in text


def test_functions_get_values_of_aws_form() -> None:
    document, _ = read("""
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      PolicyDocument:
        Statement:
          - Resource: [!GetAtt Bucket.Arn, !Sub '${Bucket.Arn}/*', !Join ['', ['arn:', !Ref AWS::Partition, ':x']]]
            Principal: !If [Some, {AWS: !Ref AWS::AccountId}, !Ref AWS::NoValue]
""")
    [policy] = policies(document)
    assert policy.document["Statement"] == [
        {
            "Resource": ["arn:aws:s3:::Bucket", "arn:aws:s3:::Bucket/*", "arn:aws:x"],
            "Principal": {"AWS": "111111111111"},
        }
    ]


def test_a_notebook_with_outputs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    cells = [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": [{"output_type": "stream"}]}]
    (tmp_path / "notebooks" / "a.ipynb").write_text(json.dumps({"cells": cells}))
    assert lint.notebooks() == "notebooks/a.ipynb: cell 1 holds outputs: clear them"


def test_findings_end_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        lint, "CHECKS", {"good": lambda: "", "bad": lint.command("sh", "-c", "echo file:3 wrong; exit 4")}
    )
    assert lint.main([]) == 1
    output = capsys.readouterr()
    assert output.out == "file:3 wrong\n"
    assert "good        ok" in output.err
    assert "bad         FAILED" in output.err
    assert lint.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"good": [], "bad": ["file:3 wrong"]}
    assert lint.main(["--only", "good"]) == 0


@pytest.mark.slow
def test_what_github_would_refuse_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    assert lint.workflows() == ""
    refused = {
        "workflows/ci.yml": "on: push\njobs: {a: {runs-on: x, steps: [{use: y}]}}\n",
        "dependabot.yml": "version: 2\nupdates: [{package-ecosystem: pip, directory: /, schedule: {interval: hour}}]\n",
        "ISSUE_TEMPLATE/bug.yml": "name: a\ndescription: b\nbody: [{type: text}]\n",
        "ISSUE_TEMPLATE/config.yml": "blank_issues: false\n",
    }
    for name, text in refused.items():
        (tmp_path / ".github" / name).write_text(text)
    found = lint.workflows()
    assert [name for name in refused if name not in found] == []


def test_a_schema_whose_file_is_gone_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    assert ".github/dependabot.yml: no such file" in lint.workflows().splitlines()


def test_guard_is_left_out_and_said_so_where_it_has_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(lint, "LINTERS", tmp_path / "bin")
    assert lint.main(["--only", "guard", "--only", "notebooks"]) == 0
    said = capsys.readouterr().err
    assert "guard       left out: cfn-guard-rs has no wheel for this Python and machine" in said
    assert re.findall(r"^  (\S+) +ok", said, re.MULTILINE) == ["notebooks"]


def test_phrases_and_lengths_are_checks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "a.py").write_text("told = 1\n" + "x = 1\n" * 400)  # english: quoted
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    assert lint.CHECKS["english"]() == "a.py:1: 'told': write reported, said, listed"  # english: quoted
    assert lint.CHECKS["sizes"]() == "a.py: 401 lines, at most 400: split it by subject"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "import os\n"),
        ("b.py", "x = [ 1 ]\n"),
        ("c.yaml", "a:   {b: 1 }\n"),
        ("templates/10-d.yaml", "Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketNam: a}}}\n"),
    ],
)
def test_the_hooks_of_pre_commit_stop_what_lint_would_find(name: str, text: str, tmp_path: Path) -> None:
    for file in (".pre-commit-config.yaml", ".yamllint", ".cfnlintrc.yaml", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / ".venv").symlink_to(lint.OWN.parent)
    (tmp_path / ".gitignore").write_text(".venv\n")
    (tmp_path / "good.py").write_text("x = 1\n")

    def commit() -> subprocess.CompletedProcess[str]:
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
        variables = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / ".git" / "pre-commit")}
        line = [str(lint.LINTERS / "pre-commit"), "run"]
        return subprocess.run(line, cwd=tmp_path, env=variables, capture_output=True, text=True)

    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    fine = commit()
    assert fine.returncode == 0, fine.stdout + fine.stderr
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert commit().returncode == 1
