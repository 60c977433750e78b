"""The page of a rehearsal: self-contained, readable without scripts, and true for any outcome."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from scripts.kit.organization.members import Member
from scripts.rehearsal.permissions import read_requests
from scripts.rehearsal.report.facts import Facts, Point, Span, StackEvents, Unit, builds
from scripts.rehearsal.report.page import bars, confusion, page, verdict
from scripts.rehearsal.report.template_page import LONGEST_CAUSE, causes, template_page
from tests.support.page_content import template_report

ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/7"
SUMMARY: dict[str, Any] = {
    "outcome": "failed",
    "seconds": 12.34,
    "project": {"name": "iris", "id": "p-1"},
    "pipeline": {
        "name": "sagemaker-iris-p-1-deploy",
        "execution_id": "e-1",
        "stages": [{"name": "Source", "status": "Succeeded"}, {"name": "Build", "status": "Failed"}],
    },
    "endpoints": [
        {
            "account": "333333333333",
            "region": "us-east-1",
            "stage": "staging",
            "name": "iris-p-1-staging",
            "status": "InService",
            "model_package_arn": ARN,
            "predictions": ["0.0", "2.0"],
            "expected": ["0.0", "1.0"],
        }
    ],
    "failure": {"message": "the build <broke>", "account": "111111111111", "log": "line 1\nline 2"},
}
EVENT = {
    "Timestamp": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
    "LogicalResourceId": "Endpoint",
    "ResourceType": "AWS::SageMaker::Endpoint",
    "ResourceStatus": "CREATE_FAILED",
    "ResourceStatusReason": "no capacity",
}
REQUEST = {
    "time": 1767323045.678,
    "chapter": "staging",
    "service": "s3",
    "operation": "GetObject",
    "principal": "arn:aws:sts::333333333333:assumed-role/sagemaker-role-staging/x",
    "action": "s3:GetObject",
    "resource": "arn:aws:s3:::models/model.tar.gz",
    "decision": "denied",
    "statement": "nothing allows it",
}
FACTS = Facts(
    summary=SUMMARY,
    spans=(
        Span("action", "Build / Build", 101.0, 104.0, "Failed", "the command ended with 1"),
        Span("chapter", "A model is trained", 100.0, 110.0, "failed"),
    ),
    organization=Unit("Root", (Member("999999999999", "management"),), (
        Unit("staging", (Member("333333333333", "staging one"),), ()),
    )),
    runs={"333333333333": ("stack x: CREATE_COMPLETE", "endpoint iris-p-1-staging (us-east-1): InService, version 7")},
    stacks=(StackEvents("333333333333", "us-east-1", "StackSet-x", (EVENT,)),),
    builds=(("sagemaker-iris-p-1-build b-1", "first line\n<second> line\n"),),
    requests=(REQUEST, {**REQUEST, "decision": "allowed", "action": ""}),
    points=(Point(1.4, 0.2, 0, 0), Point(4.9, 1.5, 1, 2)),
)  # fmt: skip
EMPTY: dict[str, Any] = {
    "outcome": "failed", "seconds": 0.1, "project": {"name": "iris", "id": ""}, "pipeline": None, "endpoints": [],
}  # fmt: skip
VOID = {"meta", "input", "br"}


class Checker(HTMLParser):
    """Every element that opens closes, in its order. What the page loads and links; the text without scripts."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [str(given[name]) for name in ("src", "srcset", "data") if name in given]
        if tag in {"link", "iframe", "object", "embed", "img"}:
            self.loads.append(tag)
        if tag == "a":
            self.links.append(str(given["href"]))
        if given.get("id"):
            self.ids.append(str(given["id"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text += data


def test_the_page_loads_nothing_and_its_links_stay_on_it() -> None:
    document = page(FACTS)
    checked = Checker(document)
    assert checked.loads == []
    assert {link.removeprefix("#") for link in checked.links} <= set(checked.ids)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", document)
    assert len(checked.ids) == len(set(checked.ids))


def test_everything_can_be_read_without_scripts() -> None:
    text = " ".join(Checker(page(FACTS)).text.split())
    for sentence in (
        "the build <broke>", "line 1 line 2", "staging one", "iris-p-1-staging (us-east-1): InService, version 7",
        "Build / Build", "the command ended with 1", "Source Succeeded → Build Failed", "no capacity", "03:04:05.678",
        "<second> line", "s3:GetObject", "nothing allows it", "2 requests: 1 allowed, 1 denied", "1 wrong (ringed)",
        "Root / staging", "1 event", "2 lines", "2.0 (expected 1.0)",
    ):  # fmt: skip
        assert sentence in text, sentence


def test_what_others_wrote_is_never_taken_for_markup() -> None:
    document = page(FACTS)
    assert "&lt;broke&gt;" in document
    assert "<broke>" not in document
    assert "<second>" not in document


def test_a_wrong_prediction_shows_with_what_was_expected() -> None:
    assert '<span class="good">0.0</span>, <b class="bad">2.0 (expected 1.0)</b>' in page(FACTS)
    assert confusion(FACTS.points) == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_what_failed_comes_first() -> None:
    fine = StackEvents("333333333333", "us-east-1", "StackSet-a", ({**EVENT, "ResourceStatus": "CREATE_COMPLETE"},))
    text = Checker(page(replace(FACTS, stacks=(fine, *FACTS.stacks)))).text
    parts = ["What failed", "What runs where", "StackSet-x", "StackSet-a", "Denied", "All requests"]
    assert sorted(parts, key=text.index) == parts
    expected = Checker(page(replace(FACTS, summary=EMPTY, requests=FACTS.requests[1:]))).text
    assert "What failed" not in expected
    assert "Denied" not in expected


def test_a_request_that_needs_no_permission_is_counted_as_such() -> None:
    text = Checker(page(replace(FACTS, requests=({**REQUEST, "decision": "free"},)))).text
    assert "1 request: 1 without a permission." in text


def test_a_rehearsal_that_failed_at_once_has_a_page_too() -> None:
    text = Checker(page(Facts(summary=EMPTY))).text
    for sentence in (
        "There is no organization yet.",
        "No endpoint has answered yet.",
        "No stack was created.",
        "No build ran.",
    ):
        assert sentence in text


def test_the_timeline_puts_each_chapter_before_its_actions_to_scale() -> None:
    first, second = bars(FACTS.spans)
    assert (first.span.kind, first.left, first.width) == ("chapter", 0.0, 100.0)
    assert (second.left, second.width, second.seconds) == (10.0, 30.0, 3.0)
    assert list(bars(())) == []


def test_the_page_of_another_template_begins_with_what_failed() -> None:
    document = template_page(template_report(failed=True))
    checked = Checker(document)
    assert (checked.loads, checked.links) == ([], [])
    text = " ".join(checked.text.split())
    parts = [
        "Template failed", "What failed", "AWS::SNS::Topic Topic: Resource handler returned", "JobFailed",
        "on-approval did not reach", "Denied requests", "Not supported by the embedded AWS",
        "emr:RunJobFlow: 1 request", "Pipelines", "Resources", "AWS::S3::Bucket", "Notes",
    ]  # fmt: skip
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert text.index("AWS::SNS::Topic", text.index("Resources")) < text.index("AWS::S3::Bucket")


def test_what_stands_first_of_another_template_is_cut_to_a_line() -> None:
    expected = template_report(failed=True)
    expected["resources"][1]["reason"] = "word " * 100 + "\nMissing: a statement"
    expected["refused"] = [
        {"type": "AWS::EMR::Cluster", "logical_id": "Cluster", "line": 12, "reason": "not supported"},
        {"type": "", "logical_id": "", "line": 0, "reason": "the whole template"},
    ]
    first, second, failed, *_ = causes(expected)
    assert first == "AWS::EMR::Cluster Cluster, line 12: not supported"
    assert second == "the whole template"
    assert failed.endswith("word …")
    assert len(failed) < LONGEST_CAUSE + 40
    expected = template_report(failed=False) | {"trouble": "nothing after 900 s"}
    assert list(causes(expected)) == ["nothing after 900 s"]
    expected = template_report(failed=False) | {"message": "the stack exists"}
    expected["project"]["status"] = "CreateFailed"
    assert list(causes(expected)) == ["the stack exists"]


def test_a_template_that_waits_says_for_what_and_that_nothing_failed() -> None:
    text = Checker(template_page(template_report(failed=False))).text
    assert "Waiting for a person" in text
    assert "What failed" not in text


def test_a_status_is_good_bad_or_open() -> None:
    statuses = ["Succeeded", "UPDATE_ROLLBACK_COMPLETE", "Failed", "InProgress"]
    assert [verdict(status) for status in statuses] == ["good", "bad", "bad", "open"]


def test_logs_and_requests_are_read_from_the_rehearsals_folder(tmp_path: Path) -> None:
    (tmp_path / "builds" / "project").mkdir(parents=True)
    for name, ended in (("b-0", 99), ("b-2", 102), ("b-1", 101)):
        log = tmp_path / "builds" / "project" / f"{name}.log"
        log.write_text("done\n")
        os.utime(log, (ended, ended))
    (tmp_path / "requests.jsonl").write_text('{"action": "s3:GetObject"}\n')
    assert list(builds(tmp_path / "builds", 100.0)) == [("project b-1", "done\n"), ("project b-2", "done\n")]
    assert read_requests(tmp_path / "requests.jsonl") == [{"action": "s3:GetObject"}]
