"""The stages of the environment file: those between staging and production, and production alone."""

from __future__ import annotations

import re

from scripts.kit.settings import reading
from scripts.kit.stages import Stage
from tests.support import EXAMPLE_SETTINGS
from tests.support.settings import SELF_MANAGED, TARGETS, complaint

QA = "  production: ou-ab12-prod2222\n  qa: ou-ab12-qaqa3333\n"


def test_stages_between_staging_and_production_are_there_where_their_unit_is_named() -> None:
    found = reading.parse(EXAMPLE_SETTINGS.replace("  production: ou-ab12-prod2222\n", QA), "example")
    assert found.stages == (Stage.STAGING, Stage.QA, Stage.PROD)
    assert found.units.of(Stage.QA) == "ou-ab12-qaqa3333"
    assert (found.regions.of(Stage.QA), found.roles.suffix.of(Stage.QA)) == (("us-east-1",), "qa")
    assert reading.parse(EXAMPLE_SETTINGS, "example").stages == (Stage.STAGING, Stage.PROD)
    alone = reading.parse(SELF_MANAGED.replace(TARGETS, f"{TARGETS}\n  preprod: ['555555555555']"), "alone")
    assert alone.stages == (Stage.STAGING, Stage.PREPROD, Stage.PROD)
    assert (alone.units.of(Stage.PREPROD), alone.targets and alone.targets.of(Stage.PREPROD)) == ("", ("555555555555",))


# The file without staging's unit, or its accounts: what is left names production alone.
UNSTAGED = (
    re.sub(r"  staging: ou-.*\n", "", EXAMPLE_SETTINGS, count=1),
    re.sub(r"  staging: \['.*\n", "", SELF_MANAGED, count=1),
)


def test_staging_is_not_left_out_by_a_mistake() -> None:
    for text in UNSTAGED:
        message = complaint(text)
        assert "has 1 mistake" in message
        assert "staging: is missing. Write a" in message
        assert "or `production_alone: true` beside it, for an installation in which nothing is tested" in message


def test_production_alone_is_one_stage() -> None:
    for text, account in zip(UNSTAGED, ("", "222222222222"), strict=True):
        text = text.replace("    staging: staging\n", "")
        found = reading.parse(f"{text}production_alone: true\n", "example")
        assert found.stages == found.regions.stages == found.roles.suffix.stages == (Stage.PROD,)
        assert (found.targets.of(Stage.PROD) if found.targets else ()) == ((account,) if account else ())
        assert found.remark == ", without staging: nothing is tested before production"
    assert reading.parse(EXAMPLE_SETTINGS, "example").remark == ""
    assert reading.parse(f"{EXAMPLE_SETTINGS}production_alone: false\n", "example").stages[0] is Stage.STAGING


def test_production_alone_beside_another_stage_is_refused_with_what_to_do() -> None:
    said = "and `production_alone: true` says that there is no stage before production. Leave one of the two out"
    message = complaint(f"{EXAMPLE_SETTINGS}production_alone: true\n")
    assert f"units.staging: is 'ou-ab12-stag1111', {said}, such as production_alone" in message
    unstaged = UNSTAGED[0].replace("    staging: staging\n", "").replace("  production: ou-ab12-prod2222\n", QA)
    message = complaint(f"{unstaged}production_alone: true\napproval: {{before: [qa]}}\n")
    assert f"units.qa: is 'ou-ab12-qaqa3333', {said}" in message
    assert "approval.before[0]: 'qa' is not a stage between staging and production" in message
    message = complaint(f"{UNSTAGED[0]}production_alone: true\nregions: {{staging: [us-east-1]}}\n")
    for key in ("regions.staging", "roles.suffix.staging"):
        assert f"{key}: is not a key of this file" in message
    assert "production_alone: is 'yes'. Write true or false" in complaint(
        f"{EXAMPLE_SETTINGS}production_alone: 'yes'\n"
    )


def test_without_staging_the_data_science_account_goes_above_productions_unit() -> None:
    text = UNSTAGED[0].replace("    staging: staging\n", "").replace("ou-ab12-prod2222", "models/production")
    assert reading.parse(f"{text}production_alone: true\n", "example").units.data_science == "models"


def test_an_approval_is_asked_before_stages_that_are_there() -> None:
    with_qa = EXAMPLE_SETTINGS.replace("  production: ou-ab12-prod2222\n", QA)
    assert reading.parse(f"{with_qa}approval: {{before: [qa]}}\n", "example").approval.before == (Stage.QA,)
    assert "approval.before[0]" in complaint(f"{with_qa}approval: {{before: [preprod]}}\n")
    assert "approval.before[0]" in complaint(f"{EXAMPLE_SETTINGS}approval: {{before: [qa]}}\n")
    assert "approval.before[0]" in complaint(f"{with_qa}approval: {{before: [prod]}}\n")


def test_a_stage_that_is_not_there_has_no_regions_accounts_or_unit_of_another() -> None:
    assert "regions.qa" in complaint(f"{EXAMPLE_SETTINGS}regions: {{qa: [us-east-1]}}\n")
    invited = "invited_accounts: [{id: '222222222222', stage: qa}]\n"
    assert "names the stage qa, which needs a unit: write units.qa" in complaint(EXAMPLE_SETTINGS + invited)
    same = QA.replace("ou-ab12-qaqa3333", "ou-ab12-stag1111")
    text = EXAMPLE_SETTINGS.replace("  production: ou-ab12-prod2222\n", same)
    assert "units.qa (line" in complaint(text) or "is the staging unit. Every stage" in complaint(text)
