"""Every role that a service works with holds what AWS's pages require, and the judge notices what is taken away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.judges import handlers
from tests.judges.kit import HOLDERS, NINE, THIRTY, TWELVE, Kit
from tests.judges.services import check, findings, required
from tests.support import ROOT

SERVED = sorted({row.holder for row in required()})


def test_every_role_holds_what_the_pages_of_its_services_require() -> None:
    assert findings(Kit()) == []


def test_every_role_that_a_service_assumes_is_judged() -> None:
    names = {*SERVED, *(creation.holder for creation in handlers.CREATIONS)}
    judged = {(found[0].file, found[1]) for found in map(HOLDERS.__getitem__, names) if isinstance(found, tuple)}
    assumed = set()
    for creation in handlers.CREATIONS:
        for resource in Kit().resources(creation.place).values():
            trust = resource.properties.get("AssumeRolePolicyDocument", {"Statement": []})
            awss_own = creation.place.file == NINE  # AWS's policy for SageMaker, and nothing of the kit's
            if not awss_own and any("Service" in statement["Principal"] for statement in trust["Statement"]):
                assumed.add((resource.file, resource.name))
    assert len(assumed) == 17
    assert assumed - judged == set()


@pytest.mark.parametrize("holder", SERVED)
def test_a_permission_that_is_taken_from_a_role_is_noticed(holder: str) -> None:
    rows = [row for row in required() if row.holder == holder]
    for row in rows:
        for action in {*row.actions} - {action for lack in row.lacks for action in lack.actions}:
            [said, *_] = check(replace(row, actions=(action,), lacks=()), Kit(taken=(holder, action)))
            assert said == f"{holder} may not {action} on {row.resources[0]}: {row.page}"


@pytest.mark.parametrize(
    ("account", "refused"),
    [("", {"999999999999", "111111111111"}), ("${AWS::AccountId}", {"", "999999999999"})],
)
def test_types_are_named_whatever_account_their_arn_carries(account: str, refused: set[str]) -> None:
    text = Kit().text(TWELVE).replace(":*:*:type/resource/", f":*:{account}:type/resource/")
    found = [line for line in findings(Kit({TWELVE: text}), "StageRole") if "CreateStackInstances" in line]
    assert {line.split(":type/resource/")[0].rsplit(":", 1)[1] for line in found} == refused


def test_a_reason_ends_with_the_word_that_it_rests_on() -> None:
    text = Kit().text(THIRTY).replace("PrimarySource: KitOutput}", "PrimarySource: KitOutput, BatchEnabled: 'true'}")
    [found] = findings(Kit({THIRTY: text}))
    assert found == (
        f"PipelineRole lacks codebuild:BatchGetBuildBatches, codebuild:StartBuildBatch, and {THIRTY} has BatchEnabled: "
        'CodePipeline User Guide, "AWS CodeBuild build and test action reference"'
    )


def test_a_reason_for_what_is_granted_is_reported() -> None:
    [lacking] = [row for row in required() if row.holder == "ModelRole" and row.lacks]
    text = Kit().text("templates/20-target-account.yaml").replace("Action: s3:GetObject\n", "Action: ['s3:*']\n", 1)
    found = list(check(lacking, Kit({"templates/20-target-account.yaml": text})))
    assert found == [f"ModelRole is granted s3:ListBucket, so services.yaml needs no reason: {lacking.page}"]


def test_a_reason_for_no_action_of_the_page_is_reported() -> None:
    [row] = [row for row in required() if row.holder == "ModelRole" and row.lacks]
    assert list(check(replace(row, actions=("s3:GetObject",)), Kit())) == [
        f"services.yaml: s3:ListBucket is no action of {row.page}"
    ]


def test_every_page_is_named() -> None:
    assert (ROOT / "tests/judges/services.yaml").is_file()
    assert [row.page for row in required() if '"' not in row.page] == []
