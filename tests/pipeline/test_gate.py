"""What the gate before production refuses. Every case begins with a deployment that the gate lets through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.approvals import Approvals
from pipeline.console import UserError
from pipeline.people import same_person
from pipeline.rollback import Answer
from tests.support.fake_services import MODEL, approval, error, package
from tests.support.gate_world import ANN, BOB, World

AGAIN = "aws codepipeline start-pipeline-execution --name sagemaker-Iris-p-1-deploy"
OUTCOME = "record/outcomes/run-0/prod-1.json"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refused(world: World, **changes: Any) -> str:
    """Why the gate refuses, in one line; the record says the same, and nothing is shared."""
    with pytest.raises(UserError) as refusal:
        world.decide(**changes)
    message = str(refusal.value)
    assert message.startswith("production stays as it is: ")
    assert "\n" not in message
    assert world.shared == [], "a version that is refused was shared with production"
    assert (world.decision["passed"], world.decision["reason"]) == (False, message.partition(": ")[2])
    return message


def test_what_was_shown_and_approved_is_let_through_and_recorded(world: World) -> None:
    exported = world.ready().decide()
    assert [put["ResourcePolicy"].count("ProdUsesVersions") for put in world.shared] == [1]
    assert exported["REASON"] == f"{BOB} approved it"
    assert exported["CARD_KEY"] == "evidence/run-1/1.html"
    entry = world.decision
    assert (entry["passed"], entry["reason"], entry["version"]) == (True, "", 2)
    assert (entry["execution"], entry["manifest_sha256"]) == ("run-1", world.built["MANIFEST_SHA256"])
    assert (entry["approval"]["by"], entry["approval"]["comment"]) == (BOB, "looks right")
    assert entry["card"] == "evidence/run-1/1.html"


def change_file(name: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        file = world.kit / "out" / name
        file.write_text(file.read_text().replace('"x"', '"y"') + " ")

    return change


def change_card(suffix: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        key = f"evidence/run-1/1.{suffix}"
        world.bucket.held[key] = world.bucket.held[key].replace(b"Iris", b"iris")

    return change


def respecified(world: World) -> None:
    containers = [{**package(2)["InferenceSpecification"]["Containers"][0], "ModelDataUrl": "s3://models/other"}]
    world.version = package(2, InferenceSpecification={"Containers": containers})


def other_execution(world: World) -> None:
    """Its card is one that was made for another execution of the same project."""
    for suffix in ("html", "json"):
        held = world.bucket.held
        held[f"evidence/run-0/1.{suffix}"] = held[f"evidence/run-1/1.{suffix}"]
    world.actions[0]["output"]["outputVariables"]["CARD_KEY"] = "evidence/run-0/1.html"


CHANGES: dict[str, tuple[Callable[[World], Any], str]] = {
    "the artifact is exchanged": (change_file("prod-parameters.json"), "is not what the Build step wrote"),
    "the manifest is exchanged": (change_file("deployment.json"), "is not what the Build step wrote"),
    "a file is added": (lambda w: (w.kit / "out/more.json").write_text("{}"), "is not what the Build step wrote"),
    "the version is rejected": (
        lambda w: setattr(w, "version", package(2, "Rejected")), "version 2 of Iris is Rejected by now"),
    "the specification is replaced": (respecified, "InferenceSpecification of version 2 of Iris was replaced"),
    "the artifact of the model is written again": (
        lambda w: setattr(w.bucket, "models", {"Contents": [{**MODEL["Contents"][0], "ETag": '"e2"'}]}),
        "the artifact s3://models/iris/model.tar.gz of version 2 of Iris was written again"),
    "the artifact of the model is deleted": (
        lambda w: setattr(w.bucket, "models", {}), "the artifact s3://models/iris/model.tar.gz is missing"),
    "no approval": (lambda w: w.actions.pop(), "no person has approved execution run-1"),
    "a rejection": (lambda w: w.actions[-1].update(status="Failed"), "no person has approved execution run-1"),
    "a newer approval that waits": (lambda w: w.approve(status="InProgress"), "no person has approved execution run-1"),
    "no card": (lambda w: w.actions.pop(0), "there is no card of execution run-1"),
    "a card that failed": (lambda w: w.actions[0].update(status="Failed"), "there is no card of execution run-1"),
    "what the card says is changed": (change_card("json"), "is not the one that was made for this execution"),
    "the card's page is changed": (change_card("html"), "is not the one that was made for this execution"),
    "the card is gone": (
        lambda w: w.bucket.held.pop("evidence/run-1/1.json"), "is not the one that was made for this execution"),
    "the card of another execution": (other_execution, "is not the one that was made for this execution"),
    "production has another version": (
        lambda w: setattr(w, "live", "2"), "ModelPackageName is arn:aws:sagemaker:us-east-1:111111111111:model"),
    "production has another setting": (
        lambda w: w.parameters.update(InstanceType="y"), "InstanceType is y, on the card x"),
    "an account has joined production": (lambda w: w.places.append("444444444444"), "1 endpoint joined"),
    "an account has left production": (lambda w: w.places.clear(), "1 endpoint left"),
    "production's stack would be deleted": (
        lambda w: setattr(w, "status", "UPDATE_ROLLBACK_FAILED"), "would delete it with 1 endpoint"),
    "the manifest is of another execution": (
        lambda w: w.shown.update(rollbackMetadata={"rollbackTargetPipelineExecutionId": "run-0"}),
        "its manifest belongs to execution run-1"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_it_was_approved_is_refused(world: World, change: str) -> None:
    do, message = CHANGES[change]
    world.ready().decide()
    do(world)
    assert message in refused(world)


def test_a_version_that_was_deleted_is_refused(world: World) -> None:
    world.ready()
    clients = world.clients

    def without(service: str, region: str) -> Any:
        found = clients(service, region)
        if service == "sagemaker":
            found.operations["describe_model_package"] = error("D", "ValidationException", "does not exist")
        return found

    assert "version 2 of Iris does not exist any more" in refused(world, clients=without)


def test_a_refusal_says_how_a_new_execution_asks_again(world: World) -> None:
    world.ready().parameters["InstanceType"] = "y"
    assert refused(world).endswith(f"{AGAIN} --variables name=ModelPackageVersion,value=2")


def test_a_card_of_another_deployment_of_the_same_execution_is_refused(world: World) -> None:
    world.ready()
    said = json.loads(world.bucket.held["evidence/run-1/1.json"])
    world.build(COMMIT_ID="another")
    assert said["manifest_sha256"] != world.built["MANIFEST_SHA256"]
    assert "is of another deployment" in refused(world)


def test_a_decision_is_kept_once(world: World) -> None:
    gate = world.ready().gate
    world.decide(number=gate.number)
    with pytest.raises(UserError, match="is in the record already"):
        world.decide(number=gate.number)


# -- four eyes ---------------------------------------------------------------------------------

ROLE = "arn:aws:sts::111111111111:assumed-role"


@pytest.mark.parametrize(
    ("author", "approver", "why"),
    [
        (ANN, BOB, ""),
        ({"IamIdentity": {"Arn": f"{ROLE}/Scientist/ann"}}, f"{ROLE}/Approver/bob", ""),
        ({"IamIdentity": {"Arn": f"{ROLE}/Approver/ann"}}, f"{ROLE}/Approver/ann", "approved the version too"),
        ({"IamIdentity": {"Arn": f"{ROLE}/Scientist/ann"}}, f"{ROLE}/Approver/ann", "approved the version too"),
        ({"IamIdentity": {"Arn": f"{ROLE}/Scientist/Ann@x.org"}}, f"{ROLE}/A/ann@x.org", "approved the version too"),
        ({"IamIdentity": {"Arn": "arn:aws:iam::1:user/team/ann"}}, "arn:aws:iam::1:user/team/ann", "version too"),
        (ANN, f"{ROLE}/Approver/ann", "approved the version too"),
        (ANN, "arn:aws:iam::111111111111:user/Ann", "approved the version too"),
        ({"IamIdentity": {"Arn": f"{ROLE}/S/x", "SourceIdentity": "ann"}}, f"{ROLE}/A/ann", "version too"),
        (ANN, f"{ROLE}/Studio/SageMaker", "that all users of Studio share"),
        ({"IamIdentity": {"Arn": f"{ROLE}/Studio/SageMaker"}}, BOB, "who approved the version is not known"),
        (None, BOB, "who approved the version is not known"),
        ({}, BOB, "who approved the version is not known"),
        (ANN, "", "CodePipeline does not say who approved"),
    ],
)
def test_the_author_of_a_version_and_the_approver_of_its_deployment_are_two_people(
    author: Any, approver: str, why: str
) -> None:
    assert why in same_person(author, approver)
    assert bool(same_person(author, approver)) is bool(why)


@pytest.mark.parametrize("by", ["arn:aws:iam::111111111111:user/ann", ""])
def test_with_four_eyes_the_author_of_the_version_is_no_approver(world: World, by: str) -> None:
    world.build()
    world.card()
    world.approve(by)
    assert world.decide()["SUMMARY"]  # without it
    world.four_eyes = True
    assert "FourEyes" in refused(world)
    world.approve(BOB)
    assert world.decide()["REASON"] == f"{BOB} approved it"


def test_with_four_eyes_an_author_that_is_not_recorded_is_refused(world: World) -> None:
    world.four_eyes = True
    world.ready().decide()
    world.approved(approval(2, day=3, by=None))
    assert "who approved the version is not known" in refused(world)


def test_the_newest_approval_of_the_version_says_who_its_author_is(world: World) -> None:
    world.four_eyes = True
    world.approved(approval(2, day=3, by={"UserProfileName": "bob"}))
    world.ready()
    assert "approved the version too" in refused(world)


def test_the_card_says_who_may_not_approve(world: World) -> None:
    world.four_eyes = True
    world.build()
    page = world.bucket.held[world.card()["CARD_KEY"]].decode()
    assert "another person than the author of the version (ann)" in page
    world.approved(approval(2, day=3, by=None))
    page = world.bucket.held[world.card()["CARD_KEY"]].decode()
    assert "unknown author" in page


# -- without an approver -----------------------------------------------------------------------


def goes_back(world: World) -> World:
    """Version 1 was let through and passed; version 2 is live; it is rejected; version 1 comes back unasked."""
    world.build(MODEL_PACKAGE_VERSION="1", PIPELINE_EXECUTION_ID="run-0")
    manifest = json.loads((world.kit / "out/deployment.json").read_text())["model_package"]
    package_of = {key: manifest[key] for key in ("arn", "specification_sha256", "artifacts", "copies")}
    sha256 = world.built["MANIFEST_SHA256"]
    decided = {"passed": True, "manifest_sha256": sha256, "model_package": package_of}
    world.bucket.note("record/decisions/run-0/1.json", decided)
    world.bucket.note(OUTCOME, {"passed": True, "manifest_sha256": sha256, "stage": "prod"})
    world.live = "2"
    world.parameters = json.loads((world.kit / "out/prod-parameters.json").read_text())["Parameters"]
    del world.parameters["ModelPackageName"]
    world.parameters["InitialInstanceCount"] = "1"
    world.version = package(2, "Rejected")
    world.approved(approval(2, day=3, status="Rejected"))
    world.shown = {"variables": [{"name": "ModelPackageVersion", "resolvedValue": "rejected-2"}]}
    return world


def rebuilt(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """What Build exports as DEPLOY after the rejection of version 2."""

    def answer(settings: Any, rejected: int, stacks: Any, clients: Any) -> Answer:
        return Answer(Approvals.read(settings, clients).approved(1), "version 2 was rejected", alone=True)

    monkeypatch.setattr("pipeline.build.after_rejection", answer)
    return world.build(MODEL_PACKAGE_VERSION="rejected-2")["DEPLOY"]


def unasked(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    assert rebuilt(goes_back(world), monkeypatch) == "without-approval"
    return world


def test_a_rejected_version_goes_back_to_what_was_let_through_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unasked(world, monkeypatch).decide()
    assert world.decision["passed"]
    assert "approval" not in world.decision


def push(world: World) -> None:
    (world.repository / "prod-config.json").write_text('{"Parameters": {"InstanceType": "y"}}')


ASKED: dict[str, tuple[Callable[[World], Any], str]] = {
    "a setting was pushed": (push, "more than the version would change in production: InstanceType"),
    "the rejection is not recorded": (
        lambda w: w.approved(approval(2, day=4)), "the record knows of no rejection of version 2"),
    "it was rejected itself": (
        lambda w: w.approved(approval(1, day=3, status="Rejected"), approval(2, day=4, status="Rejected")),
        "version 1 itself was rejected after it was let through"),
    "production serves another version": (
        lambda w: setattr(w, "live", "3"), "production serves version 3, which is not rejected"),
    "its tests never passed": (
        lambda w: w.bucket.note(OUTCOME, {"passed": False, "manifest_sha256": w.built["MANIFEST_SHA256"]}),
        "was never let through to production and tested there"),
    "the gate never admitted it": (
        lambda w: w.bucket.held.pop("record/decisions/run-0/1.json"), "was never let through to production"),
    "its artifact is another one": (
        lambda w: setattr(w.bucket, "models", {"Contents": [{**MODEL["Contents"][0], "ETag": '"e2"'}]}),
        "was never let through to production"),
}  # fmt: skip


@pytest.mark.parametrize("change", ASKED)
def test_an_approver_is_asked_where_more_would_change_than_a_way_back(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    goes_back(world)
    ASKED[change][0](world)
    assert rebuilt(world, monkeypatch) == "true"
    needed = json.loads((world.kit / "out/deployment.json").read_text())["approval"]
    assert needed["needed"]
    assert ASKED[change][1] in needed["reason"]


@pytest.mark.parametrize(
    "change", [name for name in ASKED if name not in {"a setting was pushed", "its artifact is another one"}]
)
def test_the_gate_decides_for_itself_that_no_approver_was_needed(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    unasked(world, monkeypatch).decide()
    for key in [key for key in world.bucket.held if key.startswith("record/decisions/run-1")]:
        del world.bucket.held[key]
    ASKED[change][0](world)
    message = refused(world)
    assert "no approver was asked, and one is needed" in message
    assert ASKED[change][1] in message


def test_an_execution_that_claims_no_rejection_is_refused_without_an_approver(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unasked(world, monkeypatch)
    world.shown = {"variables": [{"name": "ModelPackageVersion", "resolvedValue": "1"}]}
    assert "no version was rejected" in refused(world)


# -- rollback ----------------------------------------------------------------------------------


def rolled_back(world: World) -> World:
    """The execution run-1 went through; now CodePipeline rolls production back to it."""
    world.ready().decide()
    sha256 = world.built["MANIFEST_SHA256"]
    world.bucket.note("record/outcomes/run-1/prod-9.json", {"stage": "prod", "passed": True, "manifest_sha256": sha256})
    world.shown = {"rollbackMetadata": {"rollbackTargetPipelineExecutionId": "run-1"}}
    world.actions = []
    world.parameters["InstanceType"] = "y"  # production has changed since, and that is why
    return world


def test_a_rollback_to_what_was_let_through_needs_no_new_approval(world: World) -> None:
    rolled_back(world).decide(execution="run-2")
    assert (world.decision["rollback_of"], world.decision["passed"]) == ("run-1", True)


def test_a_rollback_waits_for_no_shadow(world: World) -> None:
    """In an incident it could be hours. The shadow's execution finds another production then, and sets nothing back."""
    rolled_back(world).shadow_of = "run-0"
    world.decide(execution="run-2")
    assert world.decision["passed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.bucket.held.pop("record/decisions/run-1/2.json"), "the gate never let execution run-1 through"),
        (lambda w: w.bucket.held.pop("record/outcomes/run-1/prod-9.json"), "tests of production never passed"),
        (lambda w: w.bucket.note("record/outcomes/run-1/prod-9.json", {"passed": False}), "never passed"),
        (lambda w: setattr(w, "version", package(2, "Rejected")), "version 2 of Iris is Rejected by now"),
        (change_file("prod-parameters.json"), "is not what the Build step wrote"),
    ],
)
def test_a_rollback_to_something_else_is_refused(world: World, change: Callable[[World], Any], message: str) -> None:
    change(rolled_back(world))
    assert message in refused(world, execution="run-2")
