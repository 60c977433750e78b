"""Test reports of CodeBuild: report groups, reports and their test cases, from JUnit XML.

CreateReportGroup, DeleteReportGroup, BatchGetReportGroups, ListReportGroups,
ListReports, ListReportsForReportGroup, BatchGetReports and DescribeTestCases
(AWS CodeBuild API Reference; User Guide, "Test reports", "Report group naming").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Session, arn, new_id, refuse_unless
from localaws.services.codebuild.service import codebuild
from localaws.services.codebuild.state import INVALID, CodeBuildState, descending, page, state_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,127}")
STATUSES = ("ERROR", "FAILED", "SKIPPED", "SUCCEEDED", "UNKNOWN")
KEPT = timedelta(days=30)  # User Guide, "Test reports": reports expire 30 days after they are created


def state(call: Call) -> CodeBuildState:
    return state_of(call.cloud, call.account, call.region)


@codebuild.operation("CreateReportGroup")
def create_report_group(call: Call) -> dict[str, Any]:
    name, kind = call.params["name"], call.params["type"]
    refuse_unless(NAME.fullmatch(name), INVALID, f"Invalid report group name: {name}")
    refuse_unless(kind in {"TEST", "CODE_COVERAGE"}, INVALID, f"Invalid report group type: {kind}")
    if kind != "TEST":
        raise NotSupported(f"a report group of type {kind}")
    if call.params["exportConfig"].get("exportConfigType", "NO_EXPORT") != "NO_EXPORT":
        raise NotSupported("reports that are exported to S3")
    group_arn = arn("codebuild", call.region, call.account, f"report-group/{name}")
    known = state(call)
    with known.lock:
        refuse_unless(
            group_arn not in known.report_groups,
            "ResourceAlreadyExistsException",
            f"Report group already exists: {group_arn}",
        )
        now = datetime.now(UTC)
        group = {
            "arn": group_arn,
            "name": name,
            "type": kind,
            "exportConfig": {"exportConfigType": "NO_EXPORT"},
            "created": now,
            "lastModified": now,
            "tags": call.params.get("tags", []),
            "status": "ACTIVE",
        }
        known.report_groups[group_arn] = group
    return {"reportGroup": group}


@codebuild.operation("DeleteReportGroup")
def delete_report_group(call: Call) -> dict[str, Any]:
    known, group_arn = state(call), call.params["arn"]
    with known.lock:
        mine = [key for key, report in known.reports.items() if report["reportGroupArn"] == group_arn]
        refuse_unless(
            not mine or call.params.get("deleteReports"), INVALID, "Report group cannot be deleted: it has reports"
        )
        known.report_groups.pop(group_arn, None)
        for key in mine:
            del known.reports[key]
            known.test_cases.pop(key, None)
    return {}


def _named(kind: str, wanted: list[str], known: dict[str, Any]) -> dict[str, Any]:
    """Those with the wanted ARNs, and the ARNs that there are none of."""
    return {
        kind: [known[key] for key in wanted if key in known],
        f"{kind}NotFound": [key for key in wanted if key not in known],
    }


@codebuild.operation("BatchGetReportGroups")
def batch_get_report_groups(call: Call) -> dict[str, Any]:
    return _named("reportGroups", call.params["reportGroupArns"], state(call).report_groups)


@codebuild.operation("ListReportGroups")
def list_report_groups(call: Call) -> dict[str, Any]:
    sort = call.params.get("sortBy", "NAME")
    key = {"NAME": "name", "CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}.get(sort)
    refuse_unless(key, INVALID, f"Invalid sortBy: {sort}")
    with state(call).lock:
        groups = sorted(state(call).report_groups.values(), key=lambda group: group[str(key)])
    if descending(call, "ASCENDING"):
        groups.reverse()
    shown, more = page([group["arn"] for group in groups], call.params.get("nextToken"), _size(call))
    return {"reportGroups": shown, **more}


@codebuild.operation("ListReports", "ListReportsForReportGroup")
def list_reports(call: Call) -> dict[str, Any]:
    known, group_arn = state(call), call.params.get("reportGroupArn")
    if group_arn is not None:
        refuse_unless(
            group_arn in known.report_groups, "ResourceNotFoundException", f"Report group not found: {group_arn}"
        )
    status = call.params.get("filter", {}).get("status")
    with known.lock:
        found = [
            report["arn"]
            for report in known.reports.values()
            if group_arn in (None, report["reportGroupArn"]) and status in (None, report["status"])
        ]
    if descending(call, "DESCENDING"):
        found.reverse()
    shown, more = page(found, call.params.get("nextToken"), _size(call))
    return {"reports": shown, **more}


@codebuild.operation("BatchGetReports")
def batch_get_reports(call: Call) -> dict[str, Any]:
    return _named("reports", call.params["reportArns"], state(call).reports)


@codebuild.operation("DescribeTestCases")
def describe_test_cases(call: Call) -> dict[str, Any]:
    report_arn, known = call.params["reportArn"], state(call)
    refuse_unless(report_arn in known.reports, "ResourceNotFoundException", f"Report not found: {report_arn}")
    chosen = call.params.get("filter", {})
    cases = [
        case
        for case in known.test_cases.get(report_arn, [])
        if chosen.get("status") in (None, case["status"]) and chosen.get("keyword", "") in case["name"]
    ]
    shown, more = page(cases, call.params.get("nextToken"), _size(call))
    return {"testCases": shown, **more}


def _size(call: Call) -> int:
    return int(call.params.get("maxResults", 100))


# -- what a build writes -----------------------------------------------------------------------


def publish(
    session: Session, known: CodeBuildState, build: Mapping[str, Any], group: str, files: Iterable[tuple[str, bytes]]
) -> str:
    """Keep a build's test results as a report of the group; the report's ARN.

    group: as the buildspec names it, an ARN or a name (then prefixed with the project's name)
    session: the service role's, which creates the group where it does not exist, and needs
        CreateReport, BatchPutTestCases and UpdateReport (User Guide, "Test report permissions")
    """
    group_arn = group
    if not group.startswith("arn:"):
        name = f"{build['projectName']}-{group}"
        group_arn = arn("codebuild", session.region, session.account, f"report-group/{name}")
        if group_arn not in known.report_groups:
            session.client("codebuild").create_report_group(
                name=name, type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"}
            )
    if group_arn not in known.report_groups:
        raise AwsError("ResourceNotFoundException", f"Report group not found: {group_arn}")
    for action in ("CreateReport", "BatchPutTestCases", "UpdateReport"):
        session.permit(f"codebuild:{action}", group_arn)
    report_arn = f"{group_arn.replace(':report-group/', ':report/', 1)}:{new_id()}"
    cases = [case for path, content in files for case in read_junit(path, content)]
    counts = Counter(case["status"] for case in cases)
    now = datetime.now(UTC)
    report = {
        "arn": report_arn,
        "type": "TEST",
        "name": report_arn.rsplit("/", 1)[1],
        "reportGroupArn": group_arn,
        "executionId": build["arn"],
        "status": "FAILED" if counts["FAILED"] or counts["ERROR"] else "SUCCEEDED",
        "created": now,
        "expired": now + KEPT,
        "exportConfig": {"exportConfigType": "NO_EXPORT"},
        "truncated": False,
        "testSummary": {
            "total": len(cases),
            "statusCounts": {status: counts[status] for status in STATUSES},
            "durationInNanoSeconds": sum(case["durationInNanoSeconds"] for case in cases),
        },
    }
    with known.lock:
        known.reports[report_arn] = report
        known.test_cases[report_arn] = [
            {**case, "reportArn": report_arn, "expired": report["expired"]} for case in cases
        ]
    return report_arn


def read_junit(path: str, content: bytes) -> list[dict[str, Any]]:
    """The test cases in a JUnit XML file; ValueError where it is not one."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no XML: {error}") from error
    if root.tag not in {"testsuites", "testsuite"}:
        raise ValueError(f"{path} is no JUnit XML: its root is <{root.tag}>")
    return [
        _test_case(path, suite.get("name", ""), case)
        for suite in root.iter("testsuite")
        for case in suite.findall("testcase")
    ]


def _test_case(path: str, suite: str, case: ElementTree.Element) -> dict[str, Any]:
    status, message = "SUCCEEDED", ""
    for tag, name in (("failure", "FAILED"), ("error", "ERROR"), ("skipped", "SKIPPED")):
        if (found := case.find(tag)) is not None:
            status, message = name, " ".join(filter(None, (found.get("message"), (found.text or "").strip())))
    return {
        "testRawDataPath": path,
        "prefix": case.get("classname", ""),
        "name": case.get("name", ""),
        "status": status,
        "durationInNanoSeconds": int(float(case.get("time") or 0) * 1_000_000_000),
        "message": message,
        "testSuiteName": suite,
    }
