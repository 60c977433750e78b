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
from pipeline.monitors import METRICS, MORE_IS_WORSE, REGISTRIES, parameters
from pipeline.registry import Version, read_version
from pipeline.settings import Stage
from tests.support.fake_services import ACCOUNT, REGION, package

MODELS = f"s3://sagemaker-multi-account-models-{ACCOUNT}-{REGION}"
FOLDER = "iris-p-1/models/baselines/x"
ANSWERS = "BinaryClassification none 0"
MEASURED = Stage(
    "prod", "ou", (), "role", (REGION,), {"MonitorQualityHours": "24", "MonitorQualityMetric": "auc"}
)  # fmt: skip
STAGE = Stage("prod", "ou", (), "role", (REGION,), {"MonitorHours": "24"})


def version(place: str = f"{MODELS}/{FOLDER}", columns: str = "length width", answers: str = ANSWERS) -> Version:
    quality = {name: {"S3Uri": f"{place}/{name.lower()}.json"} for name in ("Constraints", "Statistics")}
    given = {"baseline-columns": columns, "quality-answers": answers}
    metadata = {name: value for name, value in given.items() if value}
    both = {"ModelDataQuality": quality, "ModelQuality": quality}
    found: dict[str, Any] = package(1) | {"CustomerMetadataProperties": metadata}
    return read_version({**found, "DriftCheckBaselines": both}, "2026-02-01T00:00:00Z", None)


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

    def test_a_monitor_of_model_quality_has_its_baseline_and_reads_the_answers_as_the_version_says(self) -> None:
        given = parameters(MEASURED, version(), "iris-p-1/")
        wanted = {"MonitorQualityBaseline": FOLDER, "MonitorQualityAnswers": "BinaryClassification,none,0"}
        self.assertEqual(given, wanted)

    def test_a_version_whose_answers_cannot_be_measured_is_refused_with_the_cure(self) -> None:
        self.assert_refused("no baseline of model quality.*full", MEASURED, version("s3://elsewhere/x"))
        for said in ("", "Binary none 0", "Regression 0", "Regression first none"):
            self.assert_refused("does not say how its answers are read", MEASURED, version(answers=said))

    def test_a_metric_that_the_answers_do_not_have_is_refused_with_those_that_they_have(self) -> None:
        self.assert_refused(
            "auc, and the answers .* mae, mse, rmse, r2", MEASURED, version(answers="Regression 0 none")
        )
        alone = version(answers="BinaryClassification 0 none")
        self.assert_refused("auc, and the answers .* accuracy, precision, recall, f0_5", MEASURED, alone)

    def test_the_metrics_are_those_of_the_training_repository_and_their_bad_side_is_the_templates(self) -> None:
        root = Path(pipeline.__file__).parents[1]
        text = (root / "seed-code/model-build/steps/metrics.py").read_text(encoding="utf-8")
        for names in METRICS.values():
            for name in names:
                self.assertIn(f'"{name}"', text)
        template = (root / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
        worse = re.findall(r"- !Equals \[!Ref MonitorQualityMetric, ([a-z_]+)\]", template)
        self.assertEqual(tuple(worse), MORE_IS_WORSE)

    def test_the_baseline_is_one_of_the_versions_artifacts(self) -> None:
        self.assertIn(f"{MODELS}/{FOLDER}/statistics.json", version().artifacts)
        self.assertEqual(version().metrics, {})
