"""Test reports of a build."""

from __future__ import annotations

from collections.abc import Callable

from localaws.cloud import Session
from tests.support.codebuild_setting import ACCOUNT, REGION, build, log, phase

JUNIT = """<testsuites><testsuite name="s"><testcase classname="c" name="good" time="0.5"/>
<testcase classname="c" name="bad"><failure message="expected 1">got 2</failure></testcase></testsuite></testsuites>"""


def test_reports_hold_the_test_cases(root: Session) -> None:
    codebuild = root.client("codebuild")
    done = build(
        root,
        f"""
        version: 0.2
        phases:
          build:
            commands:
              - mkdir reports
              - |
                cat > reports/r.xml <<'END'
                {JUNIT.replace(chr(10), " ")}
                END
        reports:
          unit: {{files: ['**/*'], base-directory: reports}}
        """,
    )
    assert done["buildStatus"] == "SUCCEEDED", log(root, done)  # a failed test alone does not fail a build
    group = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/maker-unit"
    assert codebuild.list_report_groups()["reportGroups"] == [group]
    assert codebuild.list_reports_for_report_group(reportGroupArn=group)["reports"] == done["reportArns"]
    report = codebuild.batch_get_reports(reportArns=done["reportArns"])["reports"][0]
    assert report["status"] == "FAILED"
    assert report["testSummary"]["total"] == 2
    assert report["testSummary"]["statusCounts"]["FAILED"] == 1
    failed = codebuild.describe_test_cases(reportArn=report["arn"], filter={"status": "FAILED"})["testCases"]
    assert [(case["name"], case["message"]) for case in failed] == [("bad", "expected 1 got 2")]


def test_a_report_without_files_fails_the_upload(root: Session) -> None:
    done = build(root, "version: 0.2\nphases: {}\nreports: {unit: {files: [r.xml]}}\n")
    assert done["buildStatus"] == "FAILED"
    assert "unit" in phase(done, "UPLOAD_ARTIFACTS")["contexts"][0]["message"]


def test_a_role_that_may_not_write_reports_fails_the_upload(root: Session, limited: Callable[..., str]) -> None:
    role = limited("logs:*", "codebuild:CreateReportGroup", "codebuild:CreateReport", "codebuild:UpdateReport")
    spec = """
    version: 0.2
    phases: {build: {commands: ["echo '<testsuite/>' > r.xml"]}}
    reports: {denied: {files: [r.xml]}}
    """
    done = build(root, spec, serviceRole=role)
    assert done["buildStatus"] == "FAILED"
    message = phase(done, "UPLOAD_ARTIFACTS")["contexts"][0]["message"]
    assert "not authorized to perform: codebuild:BatchPutTestCases on resource" in message
    assert "report-group/maker-denied" in message
