"""The numbers of docs/scale.md, computed from what the kit really does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.bundle.doctor import limits

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
GROUP = "arn:aws:sagemaker:us-east-1:111111111111:model-package-group/iris-multi-01"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Any]:
    """The deploy repository's own modules."""
    sys.path.insert(0, str(ROOT / "seed-code" / "model-deploy"))
    try:
        from pipeline import manifest, registry, settings

        yield {"manifest": manifest, "registry": registry, "settings": settings}
    finally:
        sys.path.pop(0)
        for name in [name for name in sys.modules if name.split(".")[0] == "pipeline"]:
            del sys.modules[name]


def test_the_policy_holds_as_many_accounts_as_the_page_says(pipeline: Any) -> None:
    registry = pipeline["registry"]

    def length(accounts: int) -> int:
        ids = [f"{number:012}" for number in range(accounts)]
        return len(registry.compact(registry.merged({}, registry.statements(GROUP, ids, short=True))))

    most = max(number for number in range(1200, 1400) if length(number) <= registry.POLICY_LIMIT)
    assert f"{most:,} accounts of both stages" in PAGE, most


def test_the_parameters_hold_as_many_accounts_as_the_page_says(pipeline: Any) -> None:
    each = pipeline["manifest"].PARAMETER_LIMIT // len(",222222222222")
    assert f"{each * len(pipeline['settings'].ACCOUNT_PARAMETERS):,} accounts in a stage" in PAGE
    assert f"{each} accounts in a stage" in PAGE


def test_a_report_holds_as_many_places_as_the_page_says() -> None:
    golden = json.loads((ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    assert f"{500 // (len(golden) + 3)} places" in PAGE


def test_the_doctor_knows_what_the_build_step_takes(pipeline: Any) -> None:
    registry, settings = pipeline["registry"], pipeline["settings"]
    each = pipeline["manifest"].PARAMETER_LIMIT // len(",222222222222")
    assert each * len(settings.ACCOUNT_PARAMETERS) == limits.ACCOUNTS_PER_STAGE
    assert registry.POLICY_LIMIT == limits.GROUP_POLICY
    assert settings.FURTHER_REGIONS == limits.FURTHER_REGIONS
    assert {registry.READ_GROUP, registry.USE_VERSIONS} == limits.SHARED_BY_US


@pytest.mark.parametrize("group", [GROUP, GROUP.replace("iris", "Iris")])
def test_the_doctor_measures_a_groups_policy_as_the_build_step_writes_it(pipeline: Any, group: str) -> None:
    registry, accounts = pipeline["registry"], [f"{number:012}" for number in range(1_300)]
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "sagemaker:ListTags", "Resource": group}
    before = {"Version": "2012-10-17", "Statement": [theirs, *registry.statements(group, accounts[:3])]}
    written = registry.compact(registry.merged(before, registry.statements(group, accounts, short=True)))
    assert limits.group_policy_size(group, json.dumps(before), len(accounts)) == len(written)
