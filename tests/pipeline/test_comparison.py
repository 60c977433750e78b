"""The candidate's answers beside the live version's: what is recorded, compared, refused and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.attention import look_first
from pipeline.comparison import compare, kept, of_live, percentile, refusal, request
from pipeline.comparison_page import section
from pipeline.endpoints import summary
from pipeline.outcome import Checked, Served
from pipeline.payloads import Golden, Payload
from tests.support.fake_services import package
from tests.support.gate_world import World

ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/Iris/1"
PLAIN = Payload("setosa", "text/csv", "1", 0.0, "", 0.1, 1000)
WIDE = replace(PLAIN, name="wide", relative_tolerance=0.5)
GOLDEN = Golden((PLAIN, WIDE))


def checked(answers: dict[str, Any], *milliseconds: float, as_deployed: bool | None = True) -> Checked:
    served = Served("333333333333", "us-east-1", "e", "InService", as_deployed=as_deployed)
    return Checked(served, (), answers, milliseconds)


def live(golden: Golden, answers: dict[str, Any], *milliseconds: float) -> dict[str, Any]:
    """What Build hands on of a version that answered so in production."""
    written = json.dumps(kept(golden, [checked(answers, *milliseconds)]), allow_nan=False)
    return of_live(
        {"arn": ARN, "execution": "run-0", "at": "2026-11-30T12:00:00+00:00", "answers": json.loads(written)}, ARN
    )


def compared(was: dict[str, Any], new: dict[str, Any], golden: Golden = GOLDEN) -> dict[str, Any]:
    return compare(golden, live(golden, was), [checked(new)])


@pytest.mark.parametrize(
    ("was", "new", "agree"),
    [
        (1.0, 1.05, True),
        (1.0, 1.2, False),  # the tolerance is 0.1
        (1, 1.0, True),
        ("a", "b", False),
        ([1.0, 2.0], [1.0, 2.05], True),
        ([1.0], 1.0, False),
        (None, None, True),
        ("x" * 2000, "x" * 2000, True),  # of a large answer the record keeps the hash
        ("x" * 2000, "y" * 2000, False),
        ("x" * 2000, "x", False),
        (10**400, 0.5, False),
        ([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], True),
        (1.0, float("nan"), False),
    ],
)
def test_answers_are_compared_as_a_payload_compares_them(was: Any, new: Any, agree: bool) -> None:
    found = compared({"setosa": was}, {"setosa": new}, Golden((PLAIN,)))
    assert (found["compared"], found["agree"]) == (1, int(agree))
    assert len(json.dumps(found["differ"])) < 400


def test_the_wider_tolerance_of_a_payload_holds() -> None:
    found = compared({"setosa": 1.0, "wide": 1.0}, {"setosa": 1.4, "wide": 1.4})
    assert [one["name"] for one in found["differ"]] == ["setosa"]
    assert found["differ"][0] == {"name": "setosa", "live": "1.0", "new": "1.4"}


def test_every_endpoint_of_staging_must_agree_and_one_that_serves_another_version_does_not_count() -> None:
    was = live(GOLDEN, {"setosa": 1.0, "wide": 1.0})
    right, other = {"setosa": 1.0, "wide": 1.0}, {"setosa": 9.0, "wide": 1.0}
    assert compare(GOLDEN, was, [checked(right), checked(other)])["agree"] == 1
    assert compare(GOLDEN, was, [checked(right), checked(other, as_deployed=False)])["agree"] == 2
    assert compare(GOLDEN, was, [checked(right), checked({"setosa": 1.0})])["differ"][0]["new"] == "no answer"


def test_a_payload_that_cannot_be_compared_is_named_with_the_reason() -> None:
    was = live(GOLDEN, {"setosa": 1.0, "wide": float("nan")})
    now = Golden((replace(PLAIN, body="2"), WIDE, replace(PLAIN, name="another"), replace(PLAIN, name="third")))
    found = compare(now, was, [checked({"setosa": 1.0, "wide": 1.0, "another": 1.0, "third": 1.0})])
    assert found["left"] == {"new": ["another", "third"], "edited": ["setosa"], "unanswered": ["wide"]}
    assert (found["compared"], found["left_out"]) == (0, 4)
    same = replace(PLAIN, expected=7, tolerance=3.0, max_latency_ms=1)
    assert request(same) == request(PLAIN) != request(replace(PLAIN, accept="text/csv"))


def test_latency_and_errors_stand_beside_each_other() -> None:
    was = live(GOLDEN, {"setosa": 1.0}, *range(1, 101))
    found = compare(GOLDEN, was, [checked({"setosa": 1.0, "wide": 1.0})])
    assert found["live"]["latency_ms"] == {"50": 50, "95": 95, "99": 99}
    assert (found["live"]["errors"], found["live"]["measured"]) == (1, 100)
    assert found["new"] == {"errors": 0, "measured": 0, "latency_ms": {}}, "asynchronous: nothing is measured"
    assert [percentile([3.0, 1.0, 2.0], number) for number in (1, 50, 67, 100)] == [1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("last", "arn", "why"),
    [
        (None, "", "production serves no version yet"),
        (None, ARN, "have recorded no answers of version 1, which is live"),
        ({"arn": ARN.replace("/1", "/2"), "answers": {}}, ARN, "have recorded no answers of version 1"),
        ({"arn": ARN}, ARN, "have recorded no answers of version 1"),  # of an older bundle
    ],
)
def test_where_the_record_knows_no_answers_of_the_live_version_that_is_said(last: Any, arn: str, why: str) -> None:
    found = of_live(last, arn)
    assert why in found["why"]
    assert compare(GOLDEN, found, [checked({})]) == found
    assert refusal(found, {"agreement": 1}) == ""
    assert f"Not compared: {found['why']}." in section({"comparison": found})


TEN = Golden(tuple(replace(PLAIN, name=f"p{number}") for number in range(10)))


@pytest.mark.parametrize(
    ("gates", "refused"),
    [
        ({}, False), ({"agreement": 0.7}, False), ({"agreement": 0.71}, True),
        ({"agreement": 1, "excuse": "a harder data set"}, False), ({"agreement": 1, "excuse": ""}, True),
    ],
)  # fmt: skip
def test_the_gate_asks_for_a_share_of_equal_answers(gates: dict[str, Any], refused: bool) -> None:
    same = {f"p{number}": 1.0 for number in range(10)}
    found = compared(same, {**same, "p1": 2.0, "p4": 2.0, "p7": 2.0}, TEN)
    why = refusal(found, gates)
    assert bool(why) is refused
    if refused:
        assert why.startswith(
            "the answers are those of the live version 1 on 7 of 10 golden payloads (not on p1, p4, p7)"
        )
        assert f"at least {gates['agreement']:g} of those" in why


def test_a_gate_is_not_passed_by_an_edit_of_every_payload() -> None:
    found = compare(Golden((replace(PLAIN, body="2"),)), live(GOLDEN, {"setosa": 1.0}), [checked({"setosa": 1.0})])
    assert "no golden payload is one that the live version 1 has answered" in refusal(found, {"agreement": 0})


def test_what_was_compared_stands_in_the_summary_of_the_tests() -> None:
    found = compared({"setosa": 1.0, "wide": 1.0}, {"setosa": 1.0, "wide": 1.0})
    assert summary("staging", [], found).endswith(
        "; the answers are those of the live version 1 on 2 of 2 golden payloads."
    )
    assert ";" not in summary("staging", [], {"why": "production serves no version yet"})


# -- on the card ------------------------------------------------------------------------------------


def test_the_card_shows_both_sides_the_other_answers_and_what_was_not_compared() -> None:
    was = live(GOLDEN, {"setosa": 1.0, "wide": 1.0}, 10, 20)
    now = Golden((PLAIN, replace(WIDE, body="2")))
    found = compare(now, was, [checked({"setosa": "<b>9</b>", "wide": 1.0}, 40)])
    found["on"] = {"live": "2 × ml.m5.large", "new": "1 × ml.t2.medium"}
    shown = section({"comparison": found, "gates": {"agreement": 0.5, "excuse": "version 8 was rejected"}})
    for text in (
        "Version 1, live", "0 of 1", "20 ms", "40 ms", "2 × ml.m5.large",
        "on 30 November 2026, 12:00 UTC, in execution run-0",
        "at least 0.5 of them; it refuses nothing: version 8 was rejected", "&lt;b&gt;9&lt;/b&gt;",
        "No answer of the live version to this request, which was edited since: wide",
    ):  # fmt: skip
        assert text in shown, text
    assert "<b>" not in shown


def card(found: dict[str, Any], **more: Any) -> dict[str, Any]:
    prod = {"settings": [], "from": "1", "to": "2", "left": []}
    return {"stages": {"prod": prod}, "metrics": [], "gates": {}, "checked": {}, "comparison": found, **more}


def test_an_approver_reads_other_answers_and_a_loosened_gate_first() -> None:
    found = compared({"setosa": 1.0, "wide": 1.0}, {"setosa": 9.0, "wide": 1.0})
    said = "other answers than the live version on 1 of 2 payloads: setosa"
    assert look_first(card(found)) == [said]
    excused = {"agreement": 0.9, "excuse": "a harder data set", "rules": {}}
    assert look_first(card(found, gates=excused)) == [f'{said}; let through because "a harder data set"']
    assert look_first(card({}, agreement_before=0.9, gates={"agreement": 0.5})) == [
        "the gate on agreement with the live version is loosened (0.9 → 0.5)"
    ]
    assert look_first(card({}, agreement_before=0.9)) == ["the gate on agreement with the live version is taken away"]
    assert look_first(card({}, gates={"agreement": 0.9})) == []


def test_build_hands_on_the_answers_of_the_live_version_and_the_card_shows_what_staging_found(tmp_path: Path) -> None:
    world, golden = World(tmp_path), Golden((replace(PLAIN, name="n"),))
    answers = kept(golden, [checked({"n": 0})])
    outcome = {"arn": package(1)["ModelPackageArn"], "execution": "run-0", "at": "2026-11-30", "answers": answers}
    world.bucket.note("record/outcomes/run-0/prod-1.json", {**outcome, "endpoints": []})
    world.build()
    handed = json.loads((world.kit / "out/live-answers.json").read_text())
    assert (handed["version"], handed["payloads"]) == ("1", answers["payloads"])
    (tmp_path / "comparison.json").write_text(json.dumps(compare(golden, handed, [checked({"n": 1})])))
    exported = world.card()
    said = json.loads(world.bucket.held[exported["CARD_KEY"].replace(".html", ".json")])
    assert said["comparison"]["on"] == {"live": "1 × x", "new": "1 × x"}
    assert "look first: (1) other answers than the live version on 1 of 1 payloads: n" in exported["SUMMARY"]


def test_the_override_of_a_version_and_a_way_back_excuse_from_the_gate(tmp_path: Path) -> None:
    world = World(tmp_path)
    (world.repository).mkdir()
    for override, excuse in (
        ({}, ""),
        ({"override": {"version": 2, "reason": "a harder data set"}}, "a harder data set"),
    ):
        gates = {"agreement": 0.9, **override}
        document = {"Parameters": {"InstanceType": "x"}, "gates": gates}
        (world.repository / "prod-config.json").write_text(json.dumps(document))
        world.build()
        handed = json.loads((world.kit / "out/deployment.json").read_text())["gates"]
        assert (handed["agreement"], handed["excuse"]) == (0.9, excuse)
