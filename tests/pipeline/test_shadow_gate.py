"""A candidate in production's shadow: when there is one, who allows it, and what production's stack then gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import shadow
from pipeline.console import UserError
from tests.support.fake_services import REGION, VERSIONS, approval, package
from tests.support.gate_world import ANN, BOB, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).with_shadow()


def written(world: World, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((world.kit / "out" / name).read_text())["Parameters"]
    return found


def planned(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.kit / "out/deployment.json").read_text())["shadow"]
    return found


def test_production_gets_the_shadow_and_nothing_else_of_what_was_pushed(world: World) -> None:
    (world.repository / "prod-config.json").write_text('{"Parameters": {"InstanceType": "y"}}')
    world.build(SHADOW_MINUTES="30", SHADOW_REQUESTS="100")
    away, with_it = written(world, shadow.WITHOUT), written(world, shadow.WITH)
    live = {**world.parameters, "ModelPackageName": f"{VERSIONS}/1", "KeepInstanceCount": "true"}
    assert away == {**live, "MoveAtOnce": "true"}, "what takes the shadow away waits for nothing"
    assert with_it == {**live, "ShadowModelPackageName": f"{VERSIONS}/2"}
    assert world.built["SHADOW"] == "true"
    assert planned(world) | {"capture": "account"} == {
        "minutes": 30, "requests": 100, "live": f"{VERSIONS}/1", "places": [["222222222222", "us-east-1"]],
        "endpoint": "Iris-p-1-prod", "capture": "account",
    }  # fmt: skip


def test_copies_of_a_version_are_in_the_order_of_productions_regions() -> None:
    now = {"CopyRegions": "eu-west-1,us-west-2,none", "ShadowModelPackageName": ""}
    arns = {"us-east-1": "arn:home", "us-west-2": "arn:west", "eu-west-1": "arn:east"}
    found = shadow.with_candidate(now, "arn:home", arns)
    assert (found["ShadowModelPackageName"], found["ShadowCopyModelPackageNames"]) == (
        "arn:home", "arn:east,arn:west,none")  # fmt: skip


def of_containers(version: dict[str, Any], *containers: dict[str, Any]) -> None:
    (first,) = version["InferenceSpecification"]["Containers"]
    version["InferenceSpecification"] = {"Containers": [{**first, **one} for one in containers]}


def approved(world: World, *containers: dict[str, Any]) -> None:
    """The candidate with these containers, which were approved."""
    of_containers(world.version, *containers)
    now = world.version["InferenceSpecification"]
    world.approved(approval(2, day=3, by=ANN, specification=now, announced=now))


NONE: dict[str, tuple[Callable[[World], Any], str]] = {
    "production has the version": (lambda w: setattr(w, "live", "2"), "serves this version already"),
    "the kit was upgraded": (
        lambda w: w.parameters.update(EndpointTemplateUrl="https://old"), "another version of the kit"),
    "an older kit": (lambda w: w.parameters.pop("ShadowModelPackageName"), "another version of the kit"),
    "no capture": (lambda w: w.parameters.update(DataCaptureS3Uri=""), "captures no data"),
    "nothing captured": (lambda w: w.parameters.update(DataCapturePercentage="0"), "captures no data"),
    "serverless": (lambda w: w.parameters.update(EndpointKind="serverless"), "only a real-time endpoint"),
    "its last update was taken back": (
        lambda w: w.bucket.note("record/outcomes/run-0/prod-1.json", {"endpoints": [{"as_deployed": False}]}),
        "took production's last update back"),
    "a candidate of several containers": (lambda w: approved(w, {}, {}), "which the version has"),
    "several containers live": (lambda w: of_containers(w.first, {}, {}), "which production's version has"),
    "a candidate of AWS Marketplace": (lambda w: approved(w, {"ProductId": "a"}), "of AWS Marketplace"),
    "code in S3": (
        lambda w: approved(w, {"Environment": {shadow.CODE: "s3://models/code.tar.gz"}}), "fetches its code from"),
    "first generation of Inferentia": (lambda w: w.parameters.update(InstanceType="ml.inf1.xlarge"), "ml.inf1"),
    "an account leaves": (
        lambda w: w.parameters.update(AccountIds="222222222222,444444444444"), "an account or a Region leaves"),
}  # fmt: skip


@pytest.mark.parametrize("case", NONE)
def test_where_there_can_be_no_shadow_the_card_says_why(world: World, case: str) -> None:
    change, message = NONE[case]
    change(world)
    world.build(SHADOW_MINUTES="30", SHADOW_REQUESTS="100")
    assert world.built["SHADOW"] == "false"
    assert message in planned(world)["why"]
    assert not (world.kit / "out" / shadow.WITH).exists()
    assert world.card()["SUMMARY"].count("no shadow; ") == 1


def test_without_the_products_setting_nothing_is_said(world: World) -> None:
    world.build()
    assert (world.built["SHADOW"], planned(world)) == ("false", {})
    assert "shadow" not in world.card()["SUMMARY"]


def test_whom_an_approver_lets_in_may_be_read_in_production(world: World) -> None:
    world.let_in()
    world.admit()
    assert [put["ResourcePolicy"].count("ProdUsesVersions") for put in world.shared] == [1]
    (entry,) = world.bucket.documents("evidence/run-1/shadow-")
    assert (entry["passed"], entry["approval"]["by"], entry["approval"]["comment"]) == (True, BOB, "may look")
    assert world.bucket.documents("record/decisions/") == [], "a shadow counts as a decision to go to production"


def edited(name: str) -> Callable[[World], Any]:
    def change(world: World) -> None:
        file = world.kit / "out" / name
        file.write_text(file.read_text().replace('"x"', '"y"'))

    return change


REFUSED: dict[str, tuple[Callable[[World], Any], str]] = {
    "no approval": (lambda w: w.actions.clear(), "no person has let execution run-1 in"),
    "a rejection": (lambda w: w.actions[-1].update(status="Failed"), "no person has let execution run-1 in"),
    "an approval that waits": (lambda w: w.let_in(status="InProgress"), "no person has let execution run-1 in"),
    "the approval of another stage": (
        lambda w: w.actions[-1].update(stageName="ApproveQa"), "no person has let execution run-1 in"),
    "the artifact is exchanged": (edited(shadow.WITH), "is not what the Build step wrote"),
    "the version is rejected": (lambda w: setattr(w, "version", package(2, "Rejected")), "is Rejected by now"),
    "production has another setting": (lambda w: w.parameters.update(InstanceType="y"), "production has changed since"),
    "an account has joined": (lambda w: w.places.append("444444444444"), "1 endpoint joined"),
    "production is being deployed": (lambda w: w.busy.append("run-0"), "execution run-0 is deploying to production"),
    "the stack would be deleted": (
        lambda w: setattr(w, "status", "UPDATE_ROLLBACK_FAILED"), "would delete it with 1 endpoint"),
    "no shadow was planned": (lambda w: w.build(), "Build has planned none"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_approver_let_in_stays_out(world: World, case: str) -> None:
    change, message = REFUSED[case]
    world.let_in()
    change(world)
    with pytest.raises(UserError) as refusal:
        world.admit()
    assert str(refusal.value).startswith("production gets no shadow: ")
    assert message in str(refusal.value)
    assert world.shared == [], "a version that stays out was shared with production"
    assert [entry["passed"] for entry in world.bucket.documents("evidence/run-1/shadow-")] == [False]


def test_production_loses_the_shadow_where_it_is_as_it_was(world: World) -> None:
    world.parameters["ShadowModelPackageName"] = f"{VERSIONS}/2"
    assert world.let_go()["SUMMARY"] == "production is as it was, but for its shadow"


@pytest.mark.parametrize(
    "case", ["production has another setting", "an account has joined", "production is being deployed"]
)
def test_production_is_not_set_back_to_what_build_saw(world: World, case: str) -> None:
    """As a retry of failed actions alone would do, long after another version was deployed."""
    change, message = REFUSED[case]
    change(world)
    with pytest.raises(UserError) as refusal:
        world.let_go()
    assert str(refusal.value).startswith("production stays as it is: ")
    assert message in str(refusal.value)


def noted(world: World, number: int, *places: dict[str, Any]) -> None:
    found = {"stage": "shadow", "at": f"2026-11-30T1{number}:00:00+00:00", "places": list(places)}
    world.bucket.note(f"record/outcomes/run-1/shadow-{number}.json", found)


def test_a_shadow_that_did_not_start_fails_its_stage_with_the_reason(world: World) -> None:
    here = {"account": "222222222222", "region": REGION}
    with pytest.raises(UserError, match="TestShadow has recorded nothing"):
        world.check()
    noted(world, 1, here, {**here, "problem": "no ping", "gone": True}, {**here, "problem": "none", "gone": True})
    said = r"version 2 did not run in production's shadow, in 222222222222 us-east-1, and 1 more endpoint: no ping\."
    with pytest.raises(UserError, match=said):
        world.check()
    noted(world, 2, here, {**here, "problem": "AssumeRole: AccessDenied"})
    assert world.check()["SUMMARY"] == "version 2 ran in production's shadow"


def test_with_four_eyes_the_author_of_a_version_does_not_let_it_in(world: World) -> None:
    world.four_eyes = True
    world.let_in(by=ANN["IamIdentity"]["Arn"].replace("SageMaker", "ann"))  # type: ignore[index]
    with pytest.raises(UserError, match="another person must let the version in"):
        world.admit()


LEFT = [{"ShadowModelPackageName": f"{VERSIONS}/7"}, {"MoveAtOnce": "true"}, {"KeepInstanceCount": "false"}]


@pytest.mark.parametrize("left", LEFT)
def test_what_a_shadow_left_behind_makes_no_difference(world: World, left: dict[str, str]) -> None:
    """Its execution was stopped, or took it away: the next one takes production as it is without it.

    Whatever the last update did with the number of instances: a shadow's updates keep it.
    """
    world.parameters |= left
    world.build(SHADOW_MINUTES="30")
    assert written(world, shadow.WITHOUT)["ShadowModelPackageName"] == ""
    assert written(world, shadow.WITH)["MoveAtOnce"] == "false"
    assert {written(world, name)["KeepInstanceCount"] for name in (shadow.WITH, shadow.WITHOUT)} == {"true"}
    world.let_in()
    world.admit()


def test_production_is_not_deployed_to_while_another_execution_has_a_shadow_there(world: World) -> None:
    world.card()
    world.approve()
    world.shadow_of = "run-0"
    with pytest.raises(UserError, match="execution run-0 has a shadow in production: retry the stage DeployProd"):
        world.decide()
    world.shadow_of = "run-1"
    world.decide()


def recorded(world: World, **more: Any) -> dict[str, Any]:
    """What the step TestShadow has recorded."""
    found = {
        "stage": "shadow", "at": "2026-11-30T10:00:00+00:00", "began": "2026-11-30T09:30:00+00:00",
        "live": f"{VERSIONS}/1", **more,
    }  # fmt: skip
    world.bucket.note("record/outcomes/run-1/shadow-9.json", found)
    return found


def test_the_card_shows_what_the_shadow_answered(world: World) -> None:
    side = {"requests": 100, "errors": 0, "latency_ms": {"50": 3.1}}
    place = {"account": "222222222222", "region": "us-east-1", "compared": 90, "agree": 88}
    found = recorded(world, places=[{**place, "live": side, "new": {**side, "errors": 3}}])
    exported = world.card()
    said = "88 of 90 compared answers equal to those of version 1, 3 of 100 requests failed"
    assert f"shadow: {said}; " in exported["SUMMARY"]
    page = world.bucket.held[exported["CARD_KEY"]].decode()
    assert "in production&#x27;s shadow 3 of 100 requests failed" in page
    assert "in production&#x27;s shadow other answers than version 1 to 2 of 90 requests" in page
    assert "<h2>In production's shadow</h2>" in page
    assert "not live any more" not in page
    world.approve()
    world.decide()
    assert world.decision["shadow"]["places"] == found["places"]


def test_answers_beside_a_version_that_is_not_live_any_more_come_first_on_the_card(world: World) -> None:
    """Another version waited for its approval while this one was in the shadow, and was deployed then."""
    side = {"requests": 100, "errors": 0, "latency_ms": {}}
    place = {"account": "222222222222", "region": "us-east-1", "compared": 90, "agree": 90, "live": side, "new": side}
    recorded(world, live=f"{VERSIONS}/7", places=[place])
    exported = world.card()
    assert "(1) the shadow ran beside version 7, which is not live any more" in exported["SUMMARY"]
    assert "90 of 90 compared answers equal to those of version 7" in exported["SUMMARY"]
    page = world.bucket.held[exported["CARD_KEY"]].decode()
    assert '<p class="bad">the shadow ran beside version 7, which is not live any more</p>' in page


def test_there_is_no_card_where_the_shadow_ran_another_version(world: World) -> None:
    recorded(world, exchanged=True, why="expected the image x with the digest a, got b")
    with pytest.raises(UserError, match=r"shadow did not run what was allowed: expected .* got b\. A new execution"):
        world.card()
