"""Another team's project template: what runs, what is refused, and how both are reported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.kit.console import UsageError, near
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.other_templates import play as template_play
from scripts.rehearsal.other_templates import rehearsing
from scripts.rehearsal.other_templates import report as template_report
from scripts.rehearsal.other_templates.run import Options, Run
from scripts.rehearsal.other_templates.seeds import Place, assigned
from scripts.rehearsal.report.template_page import template_page
from scripts.rehearse import parser
from tests.support import ROOT
from tests.support.zips import zip_of

PROJECTS = ROOT / "tests" / "fixtures" / "projects"
SETUP = """\
Parameters: {Team: {Type: String}}
Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Team}}}
"""
SEED = {"seed.zip": PROJECTS / "seed"}


def rehearse(folder: Path, template: str, **options: Any) -> dict[str, Any]:
    chosen = Options(PROJECTS / template, project="demo", patience=60, **options)
    with embedded_aws(folder) as cloud:
        run = Run(cloud, chosen)
        template_play.play(run)
        return template_report.report(run, 1.0)


def actions(report: dict[str, Any]) -> dict[str, str]:
    """stage/action of the newest execution of the only pipeline, with its status."""
    (pipeline,) = report["pipelines"]
    stages = pipeline["executions"][0]["stages"]
    return {f"{stage['name']}/{a['name']}": a["status"] for stage in stages for a in stage["actions"]}


@pytest.mark.parametrize("style", ["service-catalog", "s3"])
def test_a_template_runs_through_with_its_approval_given(tmp_path: Path, style: str) -> None:
    report = rehearse(tmp_path, "template.yaml", style=style, seeds=SEED, approve=True)
    assert report["outcome"] == "succeeded", json.dumps(report, indent=2)
    assert set(actions(report).values()) == {"Succeeded"}
    assert "Deploy/Deploy" in actions(report)
    assert {r["logical_id"]: r["status"] for r in report["resources"]} == dict.fromkeys(
        ("Bucket", "Repository", "Build", "Pipeline", "Rule"), "CREATE_COMPLETE"
    )
    assert report["denied"] == []
    assert report["not_supported"] == {}
    assert report["failed_deliveries"] == []
    assert "CODE___BUCKET is not a bucket name" in report["notes"][0]


def test_a_pipeline_that_waits_for_a_person_is_no_failure(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "template.yaml", seeds=SEED)
    assert report["outcome"] == "waiting"
    assert rehearsing.EXIT[report["outcome"]] == 0
    assert report["waiting"] == [
        f"approve Deploy/Approve of the pipeline sagemaker-demo-{report['project']['id']}-deploy"
    ]


def test_an_approved_model_starts_what_waits_for_one(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "template.yaml", seeds=SEED, approve=True, model="{project_name}-{project_id}")
    assert report["outcome"] == "succeeded", json.dumps(report, indent=2)
    newest, first = report["pipelines"][0]["executions"]
    assert first["trigger"].startswith("CreatePipeline")
    assert newest["trigger"].startswith("CloudWatchEvent")


def test_a_failed_build_is_shown_with_its_error_and_log(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "template.yaml", seeds=SEED, parameters={"Note": "broken"})
    assert report["outcome"] == "failed"
    failed = report["pipelines"][0]["executions"][0]["stages"][1]["actions"][0]
    assert failed["status"] == "Failed"
    assert 'test "$NOTE" != broken' in failed["error"]
    assert any('Running command test "$NOTE" != broken' in line for line in failed["log"]), failed["log"]


def test_a_permission_that_the_launch_role_lacks_is_named_with_the_missing_statement(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "denied.yaml")
    assert report["outcome"] == "failed"
    assert report["project"]["status"] == "CreateFailed"
    topic = next(r for r in report["resources"] if r["logical_id"] == "Topic")
    assert (topic["status"], topic["line"]) == ("CREATE_FAILED", 8)
    (denied,) = [d for d in report["denied"] if d["action"].startswith("sns:")]
    assert f"not authorized to perform: {denied['action']}" in topic["reason"]
    assert denied["principal"].endswith("role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole")
    assert denied["resource"].endswith(f":sagemaker-{report['project']['id']}")
    assert "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy" in denied["missing"]
    assert denied["statement"] == {"Effect": "Allow", "Action": denied["action"], "Resource": denied["resource"]}


def test_a_type_that_is_not_supported_is_named_before_anything_is_created(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "not-supported.yaml")
    assert report["outcome"] == "refused"
    assert report["refused"] == [
        {
            "type": "AWS::EMR::Cluster",
            "logical_id": "Cluster",
            "line": 12,
            "reason": "not supported by the embedded AWS: the resource type AWS::EMR::Cluster",
        }
    ]
    assert report["resources"] == []
    assert report["project"]["id"] == ""
    requests = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert "CreateProject" not in {request["operation"] for request in requests}


def test_a_type_behind_a_condition_is_refused_only_where_it_holds(tmp_path: Path) -> None:
    setup = tmp_path / "setup.yaml"  # with a parameter of its own, which only it is given
    setup.write_text(SETUP)
    given = {"Large": "yes", "Team": "shop"}
    report = rehearse(tmp_path, "not-supported.yaml", parameters=given, setup=(setup,))
    assert [(part["logical_id"], part["line"]) for part in report["refused"]] == [("Cluster", 12), ("Larger", 15)]


def test_an_action_that_is_not_supported_is_named_with_its_line(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "unsupported-action.yaml")
    assert report["refused"] == [
        {
            "type": "AWS::CodePipeline::Pipeline",
            "logical_id": "Pipeline",
            "line": 17,
            "reason": "not supported by the embedded AWS: the action Code with the Source provider ECR",
        }
    ]


def test_a_template_without_seed_code_says_which_file_it_takes(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "template.yaml")
    assert report["outcome"] == "failed"
    assert any("--seed-code seed.zip=FOLDER" in note for note in report["notes"])


def test_wrong_parameters_are_refused_in_aws_words(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "denied.yaml", parameters={"Colour": "red"})
    assert report["outcome"] == "refused"
    assert "Colour" in report["refused"][0]["reason"]


@pytest.mark.parametrize("name", ["seed.zip", "seed", "toolchain/seed.zip", "bucket/toolchain/seed.zip", "Repository"])
def test_seed_code_is_named_by_file_key_place_or_repository(name: str) -> None:
    place = Place("Repository", "bucket", "toolchain/seed.zip")
    assert assigned([place], {name: PROJECTS}) == {("bucket", "toolchain/seed.zip"): PROJECTS}


def test_seed_code_that_nothing_takes_is_a_usage_error_that_lists_what_is_taken() -> None:
    with pytest.raises(UsageError, match=r"takes: seed\.zip"):
        assigned([Place("Repository", "bucket", "toolchain/seed.zip")], {"sead.zip": PROJECTS})


def test_the_report_is_left_as_a_page_and_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = PROJECTS / "not-supported.yaml"
    line = ["--template", str(template), "--folder", str(tmp_path), "--trust"]
    assert rehearsing.rehearse(parser().parse_args(line)) == 1
    report = json.loads((tmp_path / "template" / "report.json").read_text())
    page = tmp_path / "template" / "report.html"
    assert page.read_text() == template_page(report)
    assert f"{near(page)} shows it all" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--seed-code", "a=/nowhere"], ["--parameter", "A=1"] * 2])
def test_options_that_make_no_sense_are_usage_errors(given: list[str]) -> None:
    args = parser().parse_args(["--template", str(PROJECTS / "template.yaml"), *given])
    with pytest.raises(UsageError):
        rehearsing.options(args)


HEAD = "Parameters: {SageMakerProjectName: {Type: String}, SageMakerProjectId: {Type: String}}\n"
REPOSITORY = (
    HEAD
    + """\
Resources:
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties:
      RepositoryName: demo
      Code:
        S3: {Bucket: bucket, Key: %s}
"""
)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (
            REPOSITORY % "!Select [9, [a, b]]",
            "Template error: Fn::Select cannot select nonexistent value at index 9 (resource Repository, line",
        ),
        (REPOSITORY % "!ImportValue nowhere", "No export named nowhere found. (resource Repository, line"),
        (
            REPOSITORY % "'{{resolve:ssm:/nowhere}}'",
            "Parameters: [ssm:/nowhere] cannot be found. (resource Repository, line",
        ),
        (REPOSITORY % ("[" * 400), "nested deeper than 64 levels"),
        ("Resources: &a {a: *a}\n", "YAML aliases are not allowed in CloudFormation templates (line 1)"),
    ],
)
def test_a_template_that_cannot_be_evaluated_is_refused_with_its_place(
    tmp_path: Path, template: str, reason: str
) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(template)
    report = rehearse(tmp_path / "run", str(file))
    assert report["outcome"] == "refused"
    assert reason in report["refused"][0]["reason"]
    assert report["project"]["id"] == ""


def test_a_loop_that_makes_the_repositories_is_rehearsed(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        f"Transform: AWS::LanguageExtensions\n{HEAD}"
        "Resources:\n"
        "  Fn::ForEach::Repositories:\n"
        "    - Kind\n"
        "    - [build, deploy]\n"
        "    - Repository${Kind}:\n"
        "        Type: AWS::CodeCommit::Repository\n"
        "        Properties: {RepositoryName: !Sub 'sagemaker-${SageMakerProjectId}-${Kind}'}\n"
    )
    report = rehearse(tmp_path / "run", str(file))
    made = {r["logical_id"]: r["status"] for r in report["resources"]}
    assert made == {"Repositorybuild": "CREATE_COMPLETE", "Repositorydeploy": "CREATE_COMPLETE"}, report


def encrypted() -> bytes:
    """A zip that says of its file that it is encrypted: bit 0 of the flags, in both of its headers."""
    content = bytearray(zip_of({"a.txt": "x"}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no zip", "is not a zip file"),
        (encrypted(), "holds a file that is encrypted: 'a.txt'"),
        (zip_of({"../a.txt": "x"}), "holds a file outside of its folder: '../a.txt'"),
        (zip_of({"/etc/a.txt": "x"}), "holds a file outside of its folder: '/etc/a.txt'"),
    ],
)
def test_seed_code_in_a_zip_that_cannot_be_used_is_a_usage_error_before_anything_starts(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "seed.zip").write_bytes(content)
    typed = ["--template", str(PROJECTS / "template.yaml"), "--seed-code", f"seed.zip={tmp_path}/seed.zip"]
    with pytest.raises(UsageError, match=re.escape(reason)):
        rehearsing.options(parser().parse_args(typed))


def test_a_template_that_cannot_be_read_is_a_usage_error_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"Description: Z\xfcrich\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    for name, reason in (
        ("", "Is a directory"),
        ("latin.yaml", "not text in UTF-8"),
        ("large.yaml", "1,000,000 bytes"),
    ):
        with pytest.raises(UsageError, match=reason):
            rehearsing.options(parser().parse_args(["--template", str(tmp_path / name)]))
