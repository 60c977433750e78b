# ruff: noqa: PT009, PT027  # unittest's own way
"""The monitors of what endpoints capture, as the Build step knows them."""

from __future__ import annotations

import re
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any

import pipeline
from pipeline.console import UserError
from pipeline.monitors import REGISTRIES, parameters
from pipeline.registry import Version, read_version
from pipeline.settings import Stage
from tests.support.fake_services import ACCOUNT, REGION, package

MODELS = f"s3://sagemaker-multi-account-models-{ACCOUNT}-{REGION}"
FOLDER = "iris-p-1/models/baselines/x"
STAGE = Stage("prod", "ou", (), "role", (REGION,), {"MonitorHours": "24"})


def version(place: str = f"{MODELS}/{FOLDER}", columns: str = "length width") -> Version:
    quality = {name: {"S3Uri": f"{place}/{name.lower()}.json"} for name in ("Constraints", "Statistics")}
    metadata = {"baseline-columns": columns} if columns else {}
    found: dict[str, Any] = package(1) | {"CustomerMetadataProperties": metadata}
    return read_version({**found, "DriftCheckBaselines": {"ModelDataQuality": quality}}, "2026-02-01T00:00:00Z", None)


class TheImages(unittest.TestCase):
    def test_a_region_has_the_registry_that_sagemakers_sdk_names(self) -> None:
        """aws/sagemaker-python-sdk, image_uri_config/model-monitor.json."""
        self.assertEqual(REGISTRIES["us-west-2"], "159807026194")
        self.assertEqual(REGISTRIES["eu-west-1"], "468650794304")
        self.assertEqual({len(account) for account in REGISTRIES.values()}, {12})

    def test_the_endpoints_template_has_the_same(self) -> None:
        text = Path(pipeline.__file__).parents[1].joinpath("templates/50-endpoint.yaml").read_text(encoding="utf-8")
        self.assertEqual(dict(re.findall(r"    ([a-z0-9-]+): \{Registry: '(\d+)'\}", text)), REGISTRIES)


class WhatAStageIsGiven(unittest.TestCase):
    def assert_refused(self, words: str, stage: Stage = STAGE, found: Version | None = None) -> None:
        with self.assertRaisesRegex(UserError, words):
            parameters(stage, found or version(), "iris-p-1/")

    def test_a_stage_without_a_monitor_is_given_nothing(self) -> None:
        self.assertEqual(parameters(replace(STAGE, parameters={}), replace(version(), baseline=()), "iris-p-1/"), {})

    def test_the_folder_of_the_baseline_and_ten_columns(self) -> None:
        given = parameters(STAGE, version(), "iris-p-1/")
        self.assertEqual(given["MonitorBaseline"], FOLDER)
        self.assertEqual(given["MonitorColumns"], ",".join(["length", "width", *["length"] * 8]))

    def test_columns_of_the_settings_go_before_those_of_the_version(self) -> None:
        chosen = replace(STAGE, parameters={"MonitorHours": "1", "MonitorColumns": "answer"})
        self.assertEqual(
            parameters(chosen, version(columns=""), "iris-p-1/")["MonitorColumns"], ",".join(["answer"] * 10)
        )

    def test_a_version_without_a_baseline_is_refused_with_the_cure(self) -> None:
        self.assert_refused(
            'no baseline of data quality.*Train with pipeline = "full"', found=version("s3://elsewhere/x")
        )

    def test_a_baseline_that_is_not_the_projects_is_refused(self) -> None:
        self.assert_refused(
            "beneath iris-p-1/models/baselines/", found=version(f"{MODELS}/other-p-2/models/baselines/x")
        )

    def test_a_version_that_names_no_columns_is_refused(self) -> None:
        self.assert_refused("Write at most 10 of them as MonitorColumns", found=version(columns=""))

    def test_a_region_without_the_image_is_refused(self) -> None:
        self.assert_refused(
            "Model Monitor has no image in ca-west-1", stage=replace(STAGE, regions=(REGION, "ca-west-1"))
        )

    def test_the_baseline_is_one_of_the_versions_artifacts(self) -> None:
        self.assertIn(f"{MODELS}/{FOLDER}/statistics.json", version().artifacts)
        self.assertEqual(version().metrics, {})
