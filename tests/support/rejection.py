"""What Build answers to the rejection of a version."""

from __future__ import annotations

from typing import Any

from pipeline.build import decide
from pipeline.rollback import Answer
from tests.support.deploy_repository import Repository
from tests.support.fake_services import Fake


class Rejection(Repository):
    """A project after a rejection, whose execution has the id "own"."""

    def answer(self, rejected: int, cloudformation: Fake, sagemaker: Fake, codepipeline: Fake, record: Fake) -> Answer:
        settings = self.settings(MODEL_PACKAGE_VERSION=f"rejected-{rejected}", PIPELINE_EXECUTION_ID="own")
        assert settings.rejected == rejected
        self.codepipeline = codepipeline
        clients: dict[str, Any] = {
            "sagemaker": sagemaker, "codepipeline": codepipeline, "cloudformation": cloudformation, "s3": record
        }  # fmt: skip
        return decide(settings, lambda service, _: clients[service])

    def stopped(self) -> list[tuple[str, bool]]:
        """The executions that were stopped, and whether each was abandoned."""
        calls = self.codepipeline.called("stop_pipeline_execution")
        return [(call["pipelineExecutionId"], call["abandon"]) for call in calls]
