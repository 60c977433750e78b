# ruff: noqa: PT027  # unittest's own way
"""Folders that look like a project's deploy repository and like the published code, for the tests of the steps."""

from __future__ import annotations

import json
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.build import build
from pipeline.console import UserError
from pipeline.payloads import GOLDEN, read_golden
from pipeline.settings import Settings, read_settings
from tests.support.fake_services import (
    REGION,
    Fake,
    account,
    approval,
    nothing_deployed,
    organization,
    price_list,
    storage,
)

ENVIRONMENT = {
    "SAGEMAKER_PROJECT_NAME": "Iris", "SAGEMAKER_PROJECT_ID": "p-1", "MODEL_PACKAGE_GROUP_NAME": "Iris",
    "MODEL_PACKAGE_VERSION": "last-approved", "ORGANIZATIONAL_UNIT_STAGING_ID": "ou-s",
    "ORGANIZATIONAL_UNIT_PROD_ID": "ou-p", "EXECUTION_ROLE_STAGING_NAME": "sagemaker-role-staging",
    "EXECUTION_ROLE_PROD_NAME": "sagemaker-role-prod", "STACK_SET_ADMINISTRATOR": "DELEGATED_ADMIN",
    "STAGING_REGIONS": REGION, "PROD_REGIONS": REGION, "ARTIFACT_BUCKET": "sagemaker-project-p-1",
    "BUNDLE_BUCKET": "sagemaker-multi-account-bundle-111111111111-us-east-1",
    "ENDPOINT_TEMPLATE_KEY": "bundle/1a2b/templates/50-endpoint.yaml",
    "BUNDLE_VERSION": "0.2.0-1a2b3c4d", "COMMIT_ID": "c0ffee", "PIPELINE_EXECUTION_ID": "run-1", "AWS_REGION": REGION,
}  # fmt: skip
STAGE_TEMPLATE = """\
Description: a stage
Parameters:
  # written by the pipeline
  SageMakerProjectName:
    Type: String
  InstanceType:
    Type: String
    AllowedValues: [x, y]
  InitialInstanceCount:
    Type: Number
    MinValue: 1

Resources:
  Endpoints: {}
"""


class Repository(unittest.TestCase):
    """folder: looks like a deploy repository; kit: like the published code, with templates of its own."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder, self.kit = Path(holder.name) / "repository", Path(holder.name) / "kit"
        (self.folder / "tests").mkdir(parents=True)
        self.kit.mkdir()
        (self.kit / "40-stage.yaml").write_text(STAGE_TEMPLATE)
        (self.kit / "50-endpoint.yaml").write_text("Resources: {}\n")
        (self.folder / "tests/golden-payloads.json").write_text(
            '{"payloads": [{"name": "n", "content_type": "text/csv", "body": "1", "expected": 0}]}'
        )
        for stage in ("staging", "prod"):
            (self.folder / f"{stage}-config.json").write_text('{"Parameters": {"InstanceType": "x"}}')

    def settings(self, **changes: str) -> Settings:
        return read_settings({**ENVIRONMENT, **changes}, self.kit, self.folder)

    def build(self, settings: Settings, clients: Mapping[str, Any]) -> dict[str, str]:
        """What Build exports. clients: by service"""
        golden = read_golden(self.folder / GOLDEN)
        return build(settings, golden, self.kit, self.folder, lambda service, _: clients[service])

    def refused(self, **changes: str) -> str:
        with self.assertRaises(UserError) as caught:
            self.settings(**changes)
        return str(caught.exception)


class BuiltRepository(Repository):
    """The Build step run on it. stacks: those of the stages, where there are any"""

    stacks: Fake | None = None

    def run_build(self, sagemaker: Fake, s3: Fake | None = None, **changes: str) -> dict[str, str]:
        self.s3 = s3 or storage(approval(1, day=1))
        self.cloudformation = self.stacks or nothing_deployed()
        units = {"ou-s": [account("333333333333")], "ou-p": [account("222222222222"), account("444444444444")]}
        clients: dict[str, Any] = {
            "sagemaker": sagemaker,
            "s3": self.s3,
            "organizations": organization({}, units),
            "cloudformation": self.cloudformation,
            "pricing": price_list(),
            "codepipeline": Fake(list_pipeline_executions=[], list_action_executions=[]),
        }
        return self.build(self.settings(**changes), clients)

    def written(self, name: str) -> Any:
        return json.loads((self.kit / "out" / name).read_text())
