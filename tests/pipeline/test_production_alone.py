"""A project without staging: what Build, card and gate do, and that nothing but its template makes a project one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import production_alone
from pipeline.console import UserError
from pipeline.settings import read_settings
from tests.support.deploy_repository import ENVIRONMENT
from tests.support.gate_world import World

BUILT_FOR_NONE = "it was built without staging, which this project has"
BUILT_FOR_STAGING = "it was built for a project with staging, and this one has none any more"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Of a project without staging."""
    made = World(tmp_path)
    made.production_alone = True
    return made


def card(world: World) -> tuple[dict[str, Any], str, str]:
    """What the card says, its page, and the text of the approval."""
    exported = world.card()
    page = world.bucket.held[exported["CARD_KEY"]].decode()
    said = json.loads(world.bucket.held[exported["CARD_KEY"].replace(".html", ".json")])
    return said, page, exported["SUMMARY"]


def test_build_hands_on_production_alone_and_shares_the_version_with_no_account(world: World) -> None:
    world.build()
    written = {path.name for path in (world.kit / "out").iterdir()}
    assert "staging-parameters.json" not in written
    assert list(json.loads((world.kit / "out/deployment.json").read_text())["stages"]) == ["prod"]
    assert world.shared == []


def test_build_says_what_of_the_repository_has_no_part(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.repository / "tests").mkdir(parents=True)
    (world.repository / "tests/test_own.py").write_text("")
    (world.repository / "staging-config.json").write_text("no JSON at all")
    world.build()
    said = capsys.readouterr().err
    for line in (
        "this project has no staging: nothing is tested before production",
        "not read, since there is no such stage: staging-config.json",
        "own tests (tests/test_*.py) are not run",
    ):
        assert line in said


def test_the_card_begins_with_it_and_so_does_the_text_of_the_approval(world: World) -> None:
    world.build()
    said, page, summary = card(world)
    assert (said["production_alone"], said["tests"], list(said["stages"])) == (True, [], ["prod"])
    assert summary.startswith(f"{production_alone.SAID}. Iris version 2, approved by ")
    body = page.partition("<main>")[2].partition("</h1>")[2]
    assert body.startswith(f'<p class="verdict bad">{production_alone.SAID}</p>')
    without = ("Tests of staging", "was not tested: no check", "builds of the tests")
    assert [words for words in without if words in page] == []
    assert "1 golden payload, once it is deployed" in page


def test_a_card_with_staging_says_none_of_it(world: World) -> None:
    world.production_alone = False
    world.build()
    said, page, summary = card(world)
    assert (said["production_alone"], production_alone.SAID in page + summary) == (False, False)
    assert "builds of the tests" in page


def test_what_an_approver_approved_is_let_through_and_what_none_did_is_not(world: World) -> None:
    world.ready().decide()
    assert [put["ResourcePolicy"].count("ProdUsesVersions") for put in world.shared] == [1]
    assert (world.decision["passed"], list(world.decision["manifest"]["stages"])) == (True, ["prod"])
    world.actions.pop()
    with pytest.raises(UserError, match="no person has approved execution run-1"):
        world.decide()
    assert world.shared == []


def test_the_approval_of_another_manifest_is_none(world: World) -> None:
    """Build runs again after the approval, with a setting that no approver saw."""
    world.ready()
    (world.repository / "prod-config.json").write_text('{"Parameters": {"InstanceType": "y"}}')
    world.build()
    with pytest.raises(UserError, match="is of another deployment"):
        world.decide()
    assert world.shared == []


def test_the_author_of_the_version_does_not_approve_its_deployment(world: World) -> None:
    world.four_eyes = True
    world.build()
    world.card()
    world.approve(by="arn:aws:sts::111111111111:assumed-role/Approver/ann")
    with pytest.raises(UserError, match="FourEyes"):
        world.decide()


@pytest.mark.parametrize(("alone", "why"), [(True, BUILT_FOR_NONE), (False, BUILT_FOR_STAGING)])
def test_a_deployment_of_the_other_kind_gets_no_card_and_no_way_to_production(
    world: World, alone: bool, why: str
) -> None:
    """The template alone says which kind a project is: whatever Build wrote, and an approver approved."""
    world.production_alone = alone
    world.ready()
    with pytest.raises(UserError, match=why):
        world.decide(production_alone=not alone)
    assert (world.decision["passed"], world.shared) == (False, [])
    world.production_alone = not alone
    with pytest.raises(UserError, match=why):
        world.card()


def settings(tmp_path: Path, **changes: str | None) -> Any:
    """What Build reads with these changes of its variables; None takes one away."""
    (tmp_path / "40-stage.yaml").write_text("Parameters:\n  InstanceType:\n    Type: String\n")
    for stage in ("staging", "prod"):
        (tmp_path / f"{stage}-config.json").write_text("{}")
    given = {**ENVIRONMENT, **changes}
    return read_settings({name: value for name, value in given.items() if value is not None}, tmp_path, tmp_path)


def test_a_build_that_lacks_the_variables_of_staging_is_not_one_of_production_alone(tmp_path: Path) -> None:
    for missing in ("EXECUTION_ROLE_STAGING_NAME", "STAGING_REGIONS", "ORGANIZATIONAL_UNIT_STAGING_ID"):
        with pytest.raises(UserError, match=f"environment variable {missing} is not set"):
            settings(tmp_path, **{missing: None})
    for value in ("", "false", "True"):
        with pytest.raises(UserError, match="environment variable EXECUTION_ROLE_STAGING_NAME is not set"):
            settings(tmp_path, EXECUTION_ROLE_STAGING_NAME=None, PRODUCTION_ALONE=value)


def test_a_build_that_says_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="PRODUCTION_ALONE is set, and one of the stage staging too"):
        settings(tmp_path, PRODUCTION_ALONE="true")
    with pytest.raises(UserError, match="PRODUCTION_ALONE is set, and one of the stage qa too"):
        settings(
            tmp_path, PRODUCTION_ALONE="true", EXECUTION_ROLE_STAGING_NAME=None, EXECUTION_ROLE_QA_NAME="qa",
            QA_REGIONS="us-east-1", ORGANIZATIONAL_UNIT_QA_ID="ou-q",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"gates": {"agreement": 0.9}}, "prod-config.json: gates.agreement is 0.9: answers are compared in staging"),
        ({"remove_after_production": True}, "prod-config.json: remove_after_production is true: it is for the stages"),
    ],
)
def test_what_only_a_stage_before_production_can_give_is_refused(
    tmp_path: Path, config: dict[str, Any], problem: str
) -> None:
    world = World(tmp_path)
    world.production_alone = True
    world.repository.mkdir()
    (world.repository / "prod-config.json").write_text(json.dumps(config))
    with pytest.raises(UserError) as refused:
        world.build()
    assert problem in str(refused.value)
    assert "such as" in str(refused.value)
