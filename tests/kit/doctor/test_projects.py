"""Which version of a project the doctor looks at: the one that its record says was approved last."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.kit.doctor.facts.projects import read_version
from scripts.kit.doctor.reader import UNREAD

ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/"


class Answers:
    """A reader of a group's versions (the newest first), with their status, and of what the project's bucket holds."""

    def __init__(self, versions: dict[int, str], keys: Any) -> None:
        self.versions, self.keys = versions, keys

    def pages(self, account: str, service: str, operation: str, member: str, **asked: Any) -> Any:
        if service == "s3":
            assert asked == {"Bucket": "sagemaker-project-p-1", "Prefix": "record/approvals/"}
            return self.keys if self.keys is UNREAD else [{"Key": f"record/approvals/{key}.json"} for key in self.keys]
        return [
            {"ModelPackageVersion": number, "ModelPackageArn": f"{ARN}{number}", "ModelApprovalStatus": status}
            for number, status in sorted(self.versions.items(), reverse=True)
        ]

    def ask(self, account: str, service: str, operation: str, **asked: str) -> Any:
        return asked["ModelPackageName"].removeprefix(ARN)


TWO = {1: "Approved", 2: "Approved", 3: "Rejected"}
FIRST, SECOND, THIRD = (
    "2026-11-01T09-00-00Z-2-Approved",
    "2026-11-02T09-00-00Z-1-Approved",
    "2026-11-03T09-00-00Z-3-Approved",
)


@pytest.mark.parametrize(
    ("versions", "keys", "found"),
    [
        (TWO, [SECOND, FIRST], "1"),
        (TWO, [FIRST, SECOND, THIRD, "2026-11-04T09-00-00Z-3-Rejected"], "1"),
        (TWO, [FIRST, "2026-11-02T09-00-00Z-1-Rejected"], "2"),
        (TWO, [], "2"),  # a project from before the record
        (TWO, UNREAD, "2"),
        ({1: "Rejected", 2: "PendingManualApproval"}, [], "2"),
        ({}, [], None),
    ],
)
def test_the_version_is_the_one_approved_last_by_the_record(versions: dict[int, str], keys: Any, found: Any) -> None:
    reader: Any = Answers(versions, keys)
    assert read_version(reader, "111111111111", "iris", "sagemaker-project-p-1") == found
