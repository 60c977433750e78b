# ruff: noqa: PT009, PT027  # unittest's own way
"""Which version was approved last, and that the time of an edit is none of an approval."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from pipeline.approvals import Approvals, as_recorded
from pipeline.console import UserError
from tests.support.deploy_repository import Repository
from tests.support.fake_services import Fake, approval, error, package, registry, storage
from tests.support.pipeline_history import WHOLE, pipeline

NEVER_ASKED = Fake()  # of which nothing may be asked


class AnApproval(Repository):
    def read(self, sagemaker: Fake, s3: Fake, codepipeline: Fake = NEVER_ASKED) -> Approvals:
        clients: dict[str, Any] = {"sagemaker": sagemaker, "s3": s3, "codepipeline": codepipeline}
        return Approvals.read(self.settings(PIPELINE_EXECUTION_ID="own"), lambda service, _: clients[service])

    def last(self, *given: Any) -> tuple[int, str, str]:
        found = self.read(*given).last()
        assert found is not None
        return found.number, found.approved_at, found.approved_by

    def test_the_last_one_is_the_records_newest_that_is_still_approved(self) -> None:
        known = registry(package(1), package(2), package(3), package(4, "Rejected"))
        s3 = storage(approval(1, 1), approval(3, 2), approval(2, 3), approval(4, 4), approval(4, 5, "Rejected"))
        self.assertEqual(self.last(known, s3), (2, "2026-02-03T00:00:00Z", "ann"))
        self.assertEqual(len(s3.called("get_object")), 1)  # the keys say the rest
        self.assertEqual(len(known.called("describe_model_package")), 1)

    def test_an_edit_is_no_approval_whatever_its_time_and_its_author(self) -> None:
        edited = package(1)  # by bob, long after both approvals
        self.assertEqual(self.last(registry(edited, package(2)), storage(approval(1, 1), approval(2, 2)))[0], 2)

    def test_who_approved_is_unknown_where_the_version_was_changed_before_it_was_looked_at(self) -> None:
        self.assertEqual(self.last(registry(package(1)), storage(approval(1, 1, by=None)))[2], "unknown")

    def test_a_version_that_was_deleted_is_none(self) -> None:
        self.assertEqual(self.last(registry(package(1)), storage(approval(1, 1), approval(2, 2)))[0], 1)

    def test_without_a_record_the_newest_execution_says_which_one_was_approved_last(self) -> None:
        runs = pipeline(
            ("own", "InProgress", "3", WHOLE),  # a retry of this one
            ("d", "Failed", "", {}),
            ("c", "Succeeded", "4", WHOLE),
            ("b", "Succeeded", "1", WHOLE),
            ("a", "Succeeded", "2", WHOLE),
        )
        known = registry(package(1), package(2), package(3), package(4, "Rejected"))
        self.assertEqual(self.last(known, storage(), runs), (1, "2026-03-02T00:00:00+00:00", "unknown"))

    def test_without_record_and_executions_nothing_was_approved_and_the_reason_says_what_to_do(self) -> None:
        approvals = self.read(registry(package(1), package(2)), storage(), pipeline())
        self.assertIsNone(approvals.last())
        self.assertIn(
            "although the registry shows 1, 2 as approved. Approve the one to deploy again", approvals.why_none()
        )
        approvals = self.read(registry(package(1, "Rejected")), storage(), NEVER_ASKED)
        self.assertIsNone(approvals.last())
        self.assertEqual(approvals.why_none(), "no version of the model group Iris is approved yet")

    def test_a_version_that_was_registered_as_approved_is_deployed_by_no_number(self) -> None:
        approvals = self.read(registry(package(1), package(2)), storage(approval(1, 1)), pipeline())
        with self.assertRaisesRegex(
            UserError, "version 2 of Iris has no approval in the project's record: .* by no person"
        ):
            approvals.approved(2)

    def test_a_number_is_deployed_where_the_project_has_no_record_yet(self) -> None:
        found = self.read(registry(package(1)), storage(), pipeline()).approved(1)
        self.assertEqual((found.number, found.approved_at, found.approved_by), (1, "an unknown time", "unknown"))

    def test_a_number_that_was_deployed_before_the_record_began_is_deployed_again(self) -> None:
        runs = pipeline(("b", "Succeeded", "2", WHOLE), ("a", "Succeeded", "1", WHOLE))
        s3 = storage(approval(2, 1, at="2026-03-01T12:00:00Z"))
        self.assertEqual(self.read(registry(package(1), package(2)), s3, runs).approved(1).number, 1)

    def test_a_changed_version_is_refused_however_it_is_asked_for(self) -> None:
        container = {
            **package(1)["InferenceSpecification"]["Containers"][0],
            "ModelDataUrl": "s3://models/other.tar.gz",
        }
        known = registry(package(1, InferenceSpecification={"Containers": [container]}), package(2, "Rejected"))
        s3 = storage(approval(1, 1), approval(2, 2), approval(2, 3, "Rejected"))
        approvals = self.read(known, s3)
        for ask in (approvals.last, lambda: approvals.approved(1), lambda: approvals.last_before(2)):
            with self.assertRaisesRegex(UserError, "version 1 of Iris is not what was approved at 2026-02-01"):
                ask()

    def test_an_artifact_with_another_etag_than_the_record_has_is_refused(self) -> None:
        """MODEL was written long before the approval, as S3 lists it, and its ETag is e1."""
        url = "s3://models/iris/model.tar.gz"
        for etag in ('"e2"', ""):
            seen = approval(1, 1, artifacts=[{"url": url, "etag": etag}])
            with self.assertRaisesRegex(UserError, f"its artifact {url} was written after that. Approve it again"):
                self.read(registry(package(1)), storage(seen)).last()
        for artifacts in ([{"url": url, "etag": '"e1"'}], [{"url": url}], {"url": url, "etag": '"e1"'}, []):
            self.assertEqual(self.last(registry(package(1)), storage(approval(1, 1, artifacts=artifacts)))[0], 1)

    def test_a_record_that_may_not_be_read_ends_the_build(self) -> None:
        hidden = Fake(list_objects_v2=error("ListObjectsV2", "AccessDenied"))
        with self.assertRaisesRegex(UserError, "record/approvals/, cannot be listed: run `make accounts`"):
            self.read(registry(package(1)), hidden)
        with self.assertRaisesRegex(ClientError, "NoSuchBucket"):
            self.read(registry(package(1)), Fake(list_objects_v2=error("ListObjectsV2", "NoSuchBucket")))


def test_what_is_said_of_a_version_is_what_was_said_when_it_was_approved() -> None:
    edited = {"ApprovalDescription": "reviewed by the board", "CustomerMetadataProperties": {"auc": "0.99"}, "x": 1}
    entry = {"description": "not reviewed", "metadata": {"auc": "0.7"}}
    kept = {"ApprovalDescription": "not reviewed", "CustomerMetadataProperties": {"auc": "0.7"}, "x": 1}
    assert as_recorded(edited, entry) == kept
    assert as_recorded(edited, {**entry, "description": None})["ApprovalDescription"] == ""
    assert as_recorded(edited, {}) == edited, "an entry from before says nothing"
