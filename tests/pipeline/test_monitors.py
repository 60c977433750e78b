# ruff: noqa: PT009  # unittest's own way
"""The monitors of what endpoints capture, as the Build step knows them."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

import pipeline

MONITORS = json.loads(Path(pipeline.__file__).with_name("monitors.json").read_text(encoding="utf-8"))


class TheImages(unittest.TestCase):
    def test_a_region_has_the_registry_that_sagemakers_sdk_names(self) -> None:
        """aws/sagemaker-python-sdk, image_uri_config/model-monitor.json."""
        self.assertEqual(MONITORS["us-west-2"], "159807026194")
        self.assertEqual(MONITORS["eu-west-1"], "468650794304")
        self.assertEqual({len(account) for account in MONITORS.values()}, {12})
