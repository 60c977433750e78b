"""A candidate that forges what the approver reads of its shadow, or keeps it there: its answers are its own."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from awslang.template.template import parse
from pipeline import captured, shadow_watch
from pipeline.attention import look_first
from pipeline.captured import LIVE, SHADOW, Variant
from tests.support import ROOT
from tests.support.fake_services import Fake
from tests.support.shadowed import BEGAN, MANIFEST, PREFIX, Endless, Kept, counts, line, running


def observed(kept: Kept, cloudwatch: Any = counts) -> shadow_watch.Place:
    (place,) = shadow_watch.places_of(MANIFEST)
    clients = {"s3": kept.client(), "cloudwatch": Fake(get_metric_statistics=cloudwatch), "sagemaker": running()}
    become: Any = lambda *_: clients.__getitem__  # noqa: E731
    shadow_watch.observe([place], 0.0, 0, become, BEGAN, settle=0.0)
    return place


def first(place: shadow_watch.Place) -> str:
    """What an approver reads first of it."""
    live = str(MANIFEST["shadow"]["live"])
    stage = {"settings": [], "from": "1", "to": "2", "left": []}
    found = look_first({
        "shadow": {"live": live, "places": [place.document()]}, "stages": {"prod": stage}, "metrics": [],
        "production": {"parameters": {"ModelPackageName": live}},
    })  # fmt: skip
    return found[0]


def test_a_shadows_container_has_neither_network_nor_credentials() -> None:
    """As the model's role it would write both sides of the comparison, into the account's bucket of captured data."""
    resources = parse((ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")).resources
    assert resources["ShadowModel"]["Properties"]["EnableNetworkIsolation"] is True


def test_answers_that_would_fill_the_memory_are_kept_as_hashes() -> None:
    """6 MB of empty objects are 140 MB of memory: 26 of them ended the step, and the shadow stayed."""
    kept, variant, large = Kept(), Variant(), "[" + ",".join(["{}"] * 100_000) + "]"
    kept.put(SHADOW, "a", *(line(str(number), large, kind="application/json") for number in range(5)))
    captured.read(kept.client(), "b", f"{PREFIX}/{SHADOW}/", BEGAN, variant)  # type: ignore[arg-type]
    assert variant.count == 5
    assert sum(len(answer) for answers in variant.answers.values() for answer in answers) < 1_000


def test_files_that_never_end_do_not_keep_a_shadow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_watch, "LAST_LOOK", 0.1)
    monkeypatch.setattr(captured, "FILES", 1_000_000)
    began = time.monotonic()
    assert observed(Endless()).document()["unread"]
    assert time.monotonic() - began < 10


def test_answers_that_drop_out_of_the_comparison_are_named() -> None:
    kept = Kept()
    kept.put(LIVE, "a", line("1,2", "0"), line("3,4", "1"))
    wrong = json.loads(line("1,2", "7")) | {"eventMetadata": {"inferenceTime": "2099-01-01T00:00:00Z"}}
    kept.put(SHADOW, "a", json.dumps(wrong), line("3,4", "1"))
    assert first(observed(kept)) == "in production's shadow 1 captured answer could not be read"


def test_answers_that_no_request_was_counted_for_are_named() -> None:
    """5,000 pairs were written into both folders, and the card said that all of them were equal."""
    kept = Kept()
    for variant in (LIVE, SHADOW):
        kept.put(variant, "forged", *(line(str(number), "0") for number in range(50)))
    said = "what the shadow answered may be forged: 50 answers of the live version captured, 5 requests counted"
    assert first(observed(kept)).startswith(said)


def test_counts_below_none_are_named() -> None:
    def below(**asked: Any) -> Any:
        found = counts(**asked)
        return {"Datapoints": [{"Sum": -50.0}]} if asked["MetricName"] == "Invocation5XXErrors" else found

    assert first(observed(Kept(), below)).startswith("what the shadow answered may be forged: fewer than no requests")
