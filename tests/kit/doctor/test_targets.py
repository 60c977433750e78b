"""Doctor on the trust of the tester's roles: what the pipeline needs, one statement at a time, and what it advises."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from awslang.template.reader import read
from scripts.kit.bundle.template_policies import policies
from scripts.kit.doctor.checks import targets
from scripts.kit.doctor.facts.roles import Role
from scripts.kit.stages import Stage
from tests.support import ROOT

TEST, OWN_TESTS = (
    f"arn:aws:iam::111111111111:role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccount{short}Role"
    for short in ("Test", "OwnTests")
)


def facts(stage: Stage, document: Any) -> Any:
    role = Role("arn:aws:iam::222222222222:role/sagemaker-role-x-tester", document)
    target = SimpleNamespace(tester_role=role, stage=stage, account=SimpleNamespace(id="222222222222"), where="a")
    suffix = SimpleNamespace(of=lambda stage: "x")
    settings = SimpleNamespace(tester_external_id="sagemaker-multi-account", roles=SimpleNamespace(suffix=suffix))
    return SimpleNamespace(targets=[target], settings=settings, test_role_arn=TEST, own_tests_role_arn=OWN_TESTS)


def advised(stage: Stage) -> dict[str, Any]:
    given = facts(stage, {})
    return targets.tester_trust(given, given.targets[0])


def found(stage: Stage, document: Any) -> list[str]:
    return [place.what for place in targets.tester_role_trust(facts(stage, document))]


@pytest.mark.parametrize("stage", list(Stage))
def test_the_advised_trust_is_enough_and_not_open(stage: Stage) -> None:
    assert found(stage, advised(stage)) == []
    assert not list(targets.tester_role_open(facts(stage, advised(stage))))


def test_the_advised_trust_is_that_of_the_template() -> None:
    template = read((ROOT / "templates/20-target-account.yaml").read_text(encoding="utf-8"))[0]
    (written,) = (p.document for p in policies(template) if p.name == "TesterRole.AssumeRolePolicyDocument")

    def plain(document: Any) -> list[Any]:
        return [json.loads(json.dumps(one)) for one in document["Statement"]]

    assert plain(written) == plain(advised(Stage.STAGING))
    assert plain(advised(Stage.PROD)) == plain(advised(Stage.STAGING))[:2]


@pytest.mark.parametrize(
    ("stage", "sid", "says"),
    [
        (Stage.PROD, "PipelineTestsEndpoints", f"allow {TEST}"),
        (Stage.PROD, "PipelineNamesProject", f"allow sts:TagSession to {TEST}"),
        (Stage.STAGING, "OwnTestsAskEndpoints", f"allow {OWN_TESTS}"),
    ],
)
def test_each_statement_that_is_missing_is_found(stage: Stage, sid: str, says: str) -> None:
    document = advised(stage)
    document["Statement"] = [one for one in document["Statement"] if one["Sid"] != sid]
    (what,) = found(stage, document)
    assert what.endswith(says)
