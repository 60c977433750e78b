"""The principal that creates a resource may do what its handlers ask for, and the judge notices what is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from awslang.template.schemas import schema
from tests.judges import handlers
from tests.judges.handlers import CREATIONS, HANDLERS, OLDER, Reason, findings, granted, needs, reasons
from tests.judges.kit import FIFTY, THIRTY, Kit
from tests.support import ROOT

NARROW = sorted({creation.holder for creation in CREATIONS} - {"administrator"})
RULE = """\
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: sagemaker-rule
      EventPattern: {source: [aws.codecommit]}
"""


def test_every_permission_of_a_handler_is_granted_or_has_a_reason() -> None:
    assert findings(Kit()) == []


def test_every_template_has_somebody_who_creates_it() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("templates/*.yaml")}
    assert {creation.place.file for creation in CREATIONS} == files


def test_the_registry_names_the_handlers_of_every_type_but_the_older_ones() -> None:
    types = {need.resource.type for need in needs(Kit())}
    without = {type for type in types if not any(schema(type).handler_permissions(handler) for handler in HANDLERS)}
    assert without == set(OLDER)


@pytest.mark.parametrize("holder", NARROW)
def test_a_permission_that_is_taken_from_a_principal_is_noticed(holder: str) -> None:
    held = [need for need in needs(Kit()) if need.creation.holder == holder and granted(need, Kit())]
    actions = {need.action for need in held}
    assert actions
    for action in actions:
        lost = [need for need in held if need.action == action and not granted(need, Kit(taken=(holder, action)))]
        assert [need for need in lost if not any(reason.covers(need) for reason in reasons())], action


def test_a_finding_says_the_template_the_resource_the_principal_and_the_permission() -> None:
    assert findings(Kit(taken=("ExecutionRole", "cloudwatch:UntagResource")), "ExecutionRole") == [
        f"{FIFTY}: {name} (AWS::CloudWatch::{kind}, update): ExecutionRole may not cloudwatch:UntagResource"
        for name, kind in (
            ("ServerErrors", "Alarm"), ("ClientErrors", "Alarm"), ("Latency", "Alarm"), ("Drift", "Alarm"),
            ("Quality", "Alarm"), ("DashboardOfEndpoint", "Dashboard"),
        )
    ]  # fmt: skip


def test_a_reason_ends_with_the_property_that_it_rests_on() -> None:
    text = Kit().text(THIRTY)
    where = "      BucketName: !Sub sagemaker-project-${SageMakerProjectId}\n"
    owned = "      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}\n"
    found = findings(Kit({THIRTY: text.replace(where, where + owned)}), "AWS's launch role")
    assert found == [
        f"{THIRTY}: Artifacts (AWS::S3::Bucket, {handler}): AWS's launch role may not s3:PutBucketOwnershipControls"
        for handler in ("create", "update")
    ]


def test_tags_count_among_the_handlers() -> None:
    """An event rule in the product: AWS's launch role has no events:TagResource, and stack tags ask for it."""
    text = Kit().text(THIRTY).replace("\nOutputs:\n", f"\n{RULE}\nOutputs:\n")
    found = findings(Kit({THIRTY: text}), "LaunchRole")
    assert f"{THIRTY}: Rule (AWS::Events::Rule, create): LaunchRole may not events:TagResource" in found


def test_a_reason_that_excuses_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    idle = Reason(actions=("s3:CreateBucket",), why="It was lacked once.", source="a page")
    monkeypatch.setattr(handlers, "reasons", lambda: (*reasons(), idle))
    assert findings(Kit()) == ["handlers.yaml: nothing lacks s3:CreateBucket for the reason 'It was lacked once.'"]


def test_every_reason_has_a_source() -> None:
    assert Path(handlers.REASONS).is_file()
    assert [reason.actions for reason in reasons() if not reason.why or not reason.source] == []
