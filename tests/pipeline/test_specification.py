"""What a version runs is compared with what was approved: every member counts, its spelling by a service does not."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.console import UserError
from pipeline.specification import AGAIN, sha256, unchanged

SPECIFICATION: dict[str, Any] = {
    "Containers": [
        {"Image": "a:1", "ModelDataUrl": "s3://m/1", "Environment": {"MODE": "safe"}},
        {"Image": "b:1", "ImageDigest": "sha256:0"},
    ],
    "SupportedContentTypes": ["text/csv"],
}


def entry(**more: Any) -> dict[str, Any]:
    return {"at": "2026-11-30T09:00:00Z", "specification": SPECIFICATION, "announced": SPECIFICATION, **more}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    found = copy.deepcopy(SPECIFICATION)
    change(found)
    return found


def of_first(**more: Any) -> dict[str, Any]:
    return changed(lambda s: s["Containers"][0].update(more))


CHANGES: list[tuple[dict[str, Any], str]] = [
    (of_first(ModelDataUrl="s3://m/2"), "Containers[0].ModelDataUrl was s3://m/1, and is s3://m/2"),
    (of_first(Image="a:2"), "Containers[0].Image was a:1, and is a:2"),
    (of_first(Environment={"MODE": "fast"}), "Containers[0].Environment.MODE was safe, and is fast"),
    (of_first(Environment={"MODE": "safe", "mode": "x"}), "Containers[0].Environment.mode was absent, and is x"),
    (of_first(Environment={}), "Containers[0].Environment was 1 items, and is absent"),
    (of_first(ModelDataSource={"S3DataSource": {"S3Uri": "s3://x"}}), "Containers[0].modeldatasource was absent"),
    (changed(lambda s: s["Containers"][1].update(ImageDigest="1")), "ImageDigest was sha256:0, and is 1"),
    (changed(lambda s: s["Containers"].pop()), "Containers was 2 items, and is 1 items"),
    (changed(lambda s: s["SupportedContentTypes"].append("x/y")), "was 1 items, and is 2 items"),
]


@pytest.mark.parametrize(("now", "message"), CHANGES)
def test_every_change_is_refused_and_named(now: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as refusal:
        unchanged("version 1 of Iris", {"InferenceSpecification": now}, entry())
    assert "version 1 of Iris is not what was approved at 2026-11-30T09:00:00Z" in str(refusal.value)
    assert str(refusal.value).endswith(AGAIN)
    assert sha256(now) != sha256(SPECIFICATION)


def test_a_version_without_a_specification_is_no_longer_what_was_approved() -> None:
    with pytest.raises(UserError, match="InferenceSpecification was 2 items, and is absent"):
        unchanged("v", {}, entry())


def test_what_a_service_writes_another_way_makes_no_difference() -> None:
    first, second = SPECIFICATION["Containers"]
    spelled = {
        "containers": [{**first, "modelDataETag": None, "AdditionalS3DataSource": {}}, dict(reversed(second.items()))],
        "SupportedContentTypes": ["text/csv"],
        "SupportedTransformInstanceTypes": [],
    }
    unchanged("v", {"InferenceSpecification": SPECIFICATION}, entry(specification=spelled))
    assert sha256(spelled) == sha256(SPECIFICATION)


def test_what_was_changed_before_it_was_recorded_is_refused() -> None:
    """The event shows what was approved; the registry showed another specification a moment later."""
    was = of_first(ModelDataUrl="s3://m/0")
    with pytest.raises(
        UserError, match=r"was changed while its approval of .* was recorded.*s3://m/0, and is s3://m/1"
    ):
        unchanged("v", {"InferenceSpecification": SPECIFICATION}, entry(announced=was))
    fewer = changed(lambda s: s["Containers"].pop())
    with pytest.raises(UserError, match="was 1 items, and is 2 items"):
        unchanged("v", {"InferenceSpecification": SPECIFICATION}, entry(announced=fewer))


LESS = {"Containers": [{"Image": "a:1", "ModelDataUrl": "s3://m/1"}, {"Image": "b:1"}]}


@pytest.mark.parametrize("announced", [None, LESS])
def test_an_event_that_shows_less_is_compared_by_what_it_shows(announced: dict[str, Any] | None) -> None:
    unchanged("v", {"InferenceSpecification": SPECIFICATION}, entry(announced=announced))
    with pytest.raises(UserError, match="is not what was approved"):
        unchanged("v", {"InferenceSpecification": of_first(Image="a:2")}, entry(announced=announced))
