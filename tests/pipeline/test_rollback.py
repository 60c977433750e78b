# ruff: noqa: PT009, PT027  # unittest's own way
from __future__ import annotations

from typing import Any

from pipeline.console import UserError
from pipeline.rollback import Answer
from tests.support.fake_services import Fake, approval, deployed, package, registry, storage
from tests.support.pipeline_history import IN_SHADOW, OTHERS, STAGED, WAITING, WHOLE, pipeline
from tests.support.rejection import Rejection


class ARejection(Rejection):
    def after(
        self, rejected: int, live: dict[str, str], sagemaker: Fake, codepipeline: Fake, *recorded: dict[str, Any]
    ) -> Answer:
        return self.answer(rejected, deployed(live), sagemaker, codepipeline, storage(*recorded))

    def test_the_version_approved_before_comes_back_without_an_approver_who_let_it_through_before(self) -> None:
        runs = pipeline(("own", "InProgress", "", {}), ("b", "Succeeded", "2", WHOLE), ("a", "Succeeded", "1", WHOLE))
        known = registry(package(1), package(2, "Rejected"))
        answer = self.after(2, {"staging": "2", "prod": "2"}, known, runs)
        self.assertEqual((answer.version and answer.version.number, answer.alone), (1, True))
        self.assertIn("live in staging and prod: back to version 1", answer.reason)
        self.assertEqual(self.stopped(), [])

    def test_the_record_says_which_version_was_approved_before(self) -> None:
        """By the numbers, by the executions, and by the time of the newest change, it would be another one."""
        runs = pipeline(("own", "InProgress", "", {}), ("b", "Succeeded", "3", WHOLE), ("a", "Succeeded", "2", WHOLE))
        known = registry(package(1), package(2), package(3, "Rejected"), package(4))
        recorded = [approval(2, 1), approval(1, 2), approval(3, 3), approval(4, 4), approval(3, 5, "Rejected")]
        answer = self.after(3, {"staging": "3"}, known, runs, *recorded)
        self.assertEqual(answer.version and answer.version.number, 1)
        self.assertEqual(
            answer.version and (answer.version.approved_by, answer.version.approved_at[:10]), ("ann", "2026-02-02")
        )

    def test_a_version_that_was_approved_again_after_the_rejected_one_was_not_before_it(self) -> None:
        runs = pipeline(("own", "InProgress", "", {}), ("b", "Succeeded", "3", WHOLE))
        known = registry(package(1), package(2), package(3, "Rejected"))
        recorded = [approval(1, 1), approval(2, 2), approval(3, 3), approval(1, 4), approval(3, 5, "Rejected")]
        answer = self.after(3, {"staging": "3"}, known, runs, *recorded)
        self.assertEqual(answer.version and answer.version.number, 2)

    def test_for_what_is_older_than_the_record_the_executions_stand_in(self) -> None:
        runs = pipeline(
            ("own", "InProgress", "", {}),
            ("c", "Succeeded", "3", WHOLE),  # from here on there is a record
            ("b", "Succeeded", "1", WHOLE),
            ("a", "Succeeded", "2", WHOLE),
        )
        known = registry(package(1), package(2), package(3, "Rejected"))
        began = approval(3, 1, at="2026-03-02T12:00:00Z")
        answer = self.after(3, {"staging": "3"}, known, runs, began)
        self.assertEqual(answer.version and answer.version.number, 1)
        self.assertEqual(answer.version and answer.version.approved_by, "unknown")
        began = approval(3, 1, at="2026-03-01T12:00:00Z")  # the execution of version 1 is younger than the record
        answer = self.after(3, {"staging": "3"}, known, runs, began)
        self.assertEqual(answer.version and answer.version.number, 2)

    def test_a_version_that_is_not_live_changes_nothing(self) -> None:
        runs = pipeline(("own", "InProgress", "", {}), ("a", "InProgress", "1", WAITING))
        answer = self.after(3, {"staging": "1"}, registry(package(1)), runs)
        self.assertIsNone(answer.version)
        self.assertEqual(answer.reason, "version 3 was rejected, which is not live")
        self.assertEqual(self.stopped(), [("own", False)])

    def test_what_waits_for_an_approver_is_abandoned_and_production_asks_again(self) -> None:
        runs = pipeline(("own", "InProgress", "", {}), ("b", "InProgress", "2", WAITING), ("a", "Failed", "1", STAGED))
        known = registry(package(1), package(2, "Rejected"))
        answer = self.after(2, {"staging": "2"}, known, runs)
        self.assertEqual(self.stopped(), [("b", True)])
        self.assertEqual((answer.version and answer.version.number, answer.alone), (1, False))

    def test_a_running_deployment_of_it_ends_its_action_and_counts_as_live(self) -> None:
        moving = {**OTHERS, "DeployResourcesStaging": "InProgress"}
        runs = pipeline(
            ("newer", "InProgress", "", {}),
            ("own", "InProgress", "", {}),
            ("b", "InProgress", "2", moving),
            ("a", "Succeeded", "1", WHOLE),
        )
        answer = self.after(2, {"staging": "1", "prod": "1"}, registry(package(1), package(2, "Rejected")), runs)
        self.assertEqual(self.stopped(), [("b", False)])
        self.assertEqual((answer.version and answer.version.number, answer.alone), (1, True))

    def test_what_is_in_productions_shadow_takes_itself_out(self) -> None:
        """Stopped, it would leave the rejected version there."""
        known = registry(package(1), package(2, "Rejected"))
        removed = {**IN_SHADOW, "RemoveShadow": "Succeeded"}
        for watched, stopped in (
            ({"DeployResourcesShadow": "InProgress"}, False),
            (IN_SHADOW, False),
            ({**IN_SHADOW, "PrepareRemoval": "Failed"}, False),
            (removed, True),
        ):
            moving = ("b", "InProgress", "2", {**STAGED, **watched})
            runs = pipeline(("own", "InProgress", "", {}), moving, ("a", "Succeeded", "1", WHOLE))
            answer = self.after(2, {"staging": "2", "prod": "1"}, known, runs)
            self.assertEqual((bool(self.stopped()), answer.alone), (stopped, True), watched)

    def test_what_is_in_the_shadow_again_after_a_retry_takes_itself_out_too(self) -> None:
        """CodePipeline API Reference, RetryStageExecution: ALL_ACTIONS begins each action of the stage again."""
        known = registry(package(1), package(2, "Rejected"))
        removed = {"PrepareShadow": "Succeeded", "DeployResourcesShadow": "Succeeded", "RemoveShadow": "Succeeded"}
        first = {**STAGED, **removed, "CheckShadow": "Failed"}
        for again, stopped in (
            ({"DeployResourcesShadow": "InProgress"}, False),
            (IN_SHADOW, False),
            ({**IN_SHADOW, "RemoveShadow": "InProgress"}, False),
            ({**IN_SHADOW, "RemoveShadow": "Succeeded"}, True),
            ({"PrepareShadow": "InProgress"}, True),  # its gate will refuse it
        ):
            moving = ("b", "InProgress", "2", [*first.items(), *again.items()])
            runs = pipeline(("own", "InProgress", "", {}), moving, ("a", "Succeeded", "1", WHOLE))
            self.after(2, {"staging": "2", "prod": "1"}, known, runs)
            self.assertEqual(bool(self.stopped()), stopped, again)

    def test_nobody_waits_for_the_shadow_of_another_version(self) -> None:
        moving = ("b", "InProgress", "3", {**STAGED, **IN_SHADOW})
        runs = pipeline(("own", "InProgress", "", {}), moving, ("a", "Succeeded", "1", WHOLE))
        known = registry(package(1), package(2, "Rejected"), package(3))
        self.after(2, {"prod": "2"}, known, runs)
        self.assertEqual(self.stopped(), [("b", True)])

    def test_a_deployment_that_has_not_begun_is_stopped_and_nothing_else_happens(self) -> None:
        runs = pipeline(("own", "InProgress", "", {}), ("b", "InProgress", "2", OTHERS))
        answer = self.after(2, {"staging": "1"}, registry(package(1), package(2, "Rejected")), runs)
        self.assertIsNone(answer.version)
        self.assertIn("before it was deployed", answer.reason)
        self.assertEqual(self.stopped(), [("b", False)])

    def test_nothing_to_go_back_to_is_an_error_that_leaves_the_endpoints(self) -> None:
        runs = pipeline(("own", "InProgress", "", {}), ("a", "Succeeded", "1", WHOLE))
        with self.assertRaisesRegex(UserError, "no version was approved before it: the endpoints stay"):
            self.after(1, {"staging": "1", "prod": "1"}, registry(package(1, "Rejected")), runs)

    def test_without_history_the_numbers_say_what_is_older(self) -> None:
        known = registry(package(1), package(2, "Rejected"), package(3))
        answer = self.after(2, {"prod": "2"}, known, pipeline(("own", "InProgress", "", {})))
        self.assertEqual((answer.version and answer.version.number, answer.alone), (1, False))
