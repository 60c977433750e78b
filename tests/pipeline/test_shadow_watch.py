"""What is counted of a candidate in production's shadow, from captured data and CloudWatch, and what never leaves."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import captured, shadow_page, shadow_watch
from pipeline.captured import LIVE, SHADOW
from tests.support.fake_services import VERSIONS, Fake, error, package, registry
from tests.support.shadowed import BEGAN, MANIFEST, PLANNED, Kept, counts, line, running, two_of_three


def observed(kept: Kept, cloudwatch: Any = counts, sagemaker: Fake | None = None) -> dict[str, Any]:
    places = shadow_watch.places_of(MANIFEST)
    clients = {"s3": kept.client(), "cloudwatch": Fake(get_metric_statistics=cloudwatch)}
    clients["sagemaker"] = sagemaker or running()

    def become(account: str, region: str) -> Any:
        assert (account, region) == ("222222222222", "us-east-1")
        return clients.__getitem__

    shadow_watch.observe(places, 0.0, PLANNED["requests"], become, BEGAN, settle=0.0)
    return places[0].document()


def test_answers_to_the_same_requests_are_compared_and_counted() -> None:
    found = observed(two_of_three())
    assert (found["compared"], found["agree"]) == (3, 2)
    assert found["live"] == {"requests": 5, "errors": 1, "latency_ms": {"50": 2.0}}
    assert found["new"] == {"requests": 5, "errors": 1, "latency_ms": {"50": 9.0}}


def test_no_request_and_no_answer_is_in_the_record() -> None:
    kept = Kept()
    kept.put(LIVE, "a", line('{"name": "SECRET"}', '{"label": "PRIVATE"}', kind="application/json"))
    kept.put(SHADOW, "a", line('{"name": "SECRET"}', '{"label": "PRIVATE"}', kind="application/json"))
    found = observed(kept)
    assert (found["compared"], found["agree"]) == (1, 1)
    text = json.dumps(found)
    assert not [word for word in ("SECRET", "PRIVATE") if word in text]


def test_what_was_captured_before_the_shadow_is_not_compared() -> None:
    kept = Kept()
    kept.put(LIVE, "a", line("1,2", "0", minute=29), line("3,4", "0"))
    kept.put(SHADOW, "a", line("1,2", "0"), line("3,4", "0"))
    assert observed(kept)["compared"] == 1


def test_with_many_endpoints_fewer_requests_of_each_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()
    monkeypatch.setattr(shadow_watch, "look", lambda place, become, began, most, ends: asked.append(most))
    monkeypatch.setattr(shadow_watch, "measure", lambda *_: None)
    for number in (1, 50, 2_000):
        shadow_watch.observe(shadow_watch.places_of(MANIFEST) * number, 0.0, 0, None, BEGAN, 0.0)  # type: ignore[arg-type]
    assert sorted(set(asked)) == [200, 2_000, 5_000]


def test_a_separator_of_lines_within_an_answer_ends_no_line() -> None:
    kept, parted = Kept(), line("1,2", "U+2028").replace("U+2028", "\u2028")
    kept.put(LIVE, "a", line("1,2", "0"))
    kept.put(SHADOW, "a", parted)
    found = observed(kept)
    assert (found["compared"], found["agree"], found["left_out"]) == (1, 0, 0)


def test_a_place_that_cannot_be_asked_is_named_and_fails_nothing() -> None:
    def denied(**_: Any) -> Any:
        return error("GetMetricStatistics", "AccessDenied", "no")

    found = observed(two_of_three(), denied)
    assert found["problem"] == "GetMetricStatistics: AccessDenied: no"
    assert shadow_page.result({"live": "arn/1", "places": [found]}) == "production got no request, 1 endpoint not read"


def test_it_waits_until_each_endpoint_has_had_enough_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, waits = Kept(), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        kept.put(LIVE, f"f{len(waits)}", line(f"{len(waits)},0", "1"))
        kept.put(SHADOW, f"f{len(waits)}", line(f"{len(waits)},0", "1"))

    monkeypatch.setattr("pipeline.shadow_watch.time.sleep", sleep)
    places = shadow_watch.places_of(MANIFEST)
    clients = {"s3": kept.client(), "cloudwatch": Fake(get_metric_statistics=counts), "sagemaker": running()}
    shadow_watch.observe(places, 30, 2, lambda *_: clients.__getitem__, BEGAN)  # type: ignore[arg-type]
    assert waits == [1.0, 1.5]
    assert places[0].compared == 2


def test_it_does_not_wait_where_the_shadow_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retried step would else wait for hours."""
    monkeypatch.setattr("pipeline.shadow_watch.time.sleep", lambda _: pytest.fail("it waits"))
    places = shadow_watch.places_of(MANIFEST)
    clients = {
        "s3": Kept().client(),
        "cloudwatch": Fake(get_metric_statistics=counts),
        "sagemaker": running(shadow=False),
    }
    shadow_watch.observe(places, 240, 0, lambda *_: clients.__getitem__, BEGAN)  # type: ignore[arg-type]
    assert places[0].gone


def test_a_version_that_is_rejected_is_not_watched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shadow_watch.time.sleep", lambda _: None)
    answers = iter([False, False, True])
    places = shadow_watch.places_of(MANIFEST)
    clients = {
        "s3": two_of_three().client(),
        "cloudwatch": Fake(get_metric_statistics=counts),
        "sagemaker": running(),
    }
    become: Any = lambda *_: clients.__getitem__  # noqa: E731
    shadow_watch.observe(places, 240, 0, become, BEGAN, settle=0.0, ends=lambda: next(answers))
    assert next(answers, None) is None
    assert places[0].document()["compared"] == 3, "what was seen is counted"


def test_counts_that_come_late_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def late(**given: Any) -> Any:
        asked.append(given["MetricName"])
        return counts(**given) if asked.count("Invocations") > 2 else {"Datapoints": []}

    monkeypatch.setattr("pipeline.shadow_watch.time.sleep", lambda _: None)
    (place,) = shadow_watch.places_of(MANIFEST)
    clients = {
        "s3": two_of_three().client(), "cloudwatch": Fake(get_metric_statistics=late), "sagemaker": running(),
    }  # fmt: skip
    become: Any = lambda *_: clients.__getitem__  # noqa: E731
    shadow_watch.look(place, become, BEGAN, 10, math.inf)
    shadow_watch.measure(place, become, BEGAN, settle=60.0)
    assert place.counts["new"]["requests"] == 5


def test_one_period_covers_the_whole_time() -> None:
    """CloudWatch takes periods of whole minutes, and a percentile of two periods is none of both."""
    cloudwatch = Fake(get_metric_statistics=counts)
    now = BEGAN + timedelta(minutes=12, seconds=7)
    shadow_watch.counted(cloudwatch, "e", SHADOW, BEGAN + timedelta(seconds=5), now)  # type: ignore[arg-type]
    periods = {(one["Period"], one["StartTime"], one["EndTime"]) for one in cloudwatch.called("get_metric_statistics")}
    assert periods == {(780, BEGAN, BEGAN + timedelta(minutes=13))}


def test_captured_data_are_looked_for_where_the_endpoint_writes_them() -> None:
    (place,) = shadow_watch.places_of(MANIFEST)
    assert (place.bucket, place.prefix) == ("endpoint-data-222222222222-us-east-1", "capture/Iris-p-1-prod/")
    for capture, prefix in (("s3://own/a/b/", "a/b/Iris-p-1-prod/"), ("s3://own", "Iris-p-1-prod/")):
        (place,) = shadow_watch.places_of({**MANIFEST, "shadow": {**PLANNED, "capture": capture}})
        assert (place.bucket, place.prefix) == ("own", prefix)


# -- what the shadow runs --------------------------------------------------------------------------


def test_a_shadow_that_went_ends_the_waiting_and_is_named() -> None:
    """SageMaker took the update back, say. observed() would wait for the rest of the time."""
    found = observed(two_of_three(), sagemaker=running(shadow=False))
    assert (found["gone"], found["problem"]) == (True, "the endpoint has no shadow: it runs on config-2")


class Clock(datetime):
    """The time at which the shadow begins."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return BEGAN.astimezone(tz)


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the step TestShadow finds: at the endpoint, in the registry, in the bucket; recorded: what it wrote."""
    found: dict[str, Any] = {"sagemaker": running(), "registry": registry(package(2)), "recorded": [], "slept": []}
    clients = {"s3": two_of_three().client(), "cloudwatch": Fake(get_metric_statistics=counts)}
    become: Any = lambda *_: lambda service: clients.get(service) or found[service]  # noqa: E731
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shadow_watch, "testers", lambda *_: become)
    monkeypatch.setattr(shadow_watch, "regional", lambda *_: found["registry"])
    monkeypatch.setattr(shadow_watch, "digest", lambda _: "0a")
    monkeypatch.setattr(shadow_watch, "datetime", Clock)
    monkeypatch.setattr("pipeline.shadow_watch.time.sleep", found["slept"].append)
    monkeypatch.setattr("pipeline.shadow_watch.boto3.client", lambda *_, **__: None)
    monkeypatch.setattr("pipeline.shadow_watch.record.write", lambda *given: found["recorded"].append(given[3]))
    return found


def played(step: dict[str, Any]) -> dict[str, Any]:
    """What the step records; it succeeds, so that the shadow is taken away."""
    assert shadow_watch.main(MANIFEST, Path(), "prod", "id") == 0
    (found,) = step["recorded"]
    return dict(found)


def replaced() -> dict[str, Any]:
    """The version with a variable of its own in the container."""
    version = package(2)
    (container,) = version["InferenceSpecification"]["Containers"]
    version["InferenceSpecification"] = {"Containers": [{**container, "Environment": {"MODE": "mine"}}]}
    return version


EXCHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "another digest": ({"sagemaker": running(digest="sha256:b")}, "with the digest sha256:a, got sha256:b"),
    "another version": ({"sagemaker": running(f"{VERSIONS}/9")}, f"expected {VERSIONS}/2, got {VERSIONS}/9"),
    "another specification": ({"registry": registry(replaced())}, "was edited in us-east-1 while it was deployed"),
}  # fmt: skip


@pytest.mark.parametrize("case", EXCHANGED)
def test_another_version_than_was_let_in_is_no_evidence_and_ends_the_step_at_once(
    step: dict[str, Any], case: str
) -> None:
    change, message = EXCHANGED[case]
    step |= change
    found = played(step)
    assert message in found["why"]
    assert (found["exchanged"], "places" in found, step["slept"]) == (True, False, [])
    assert "<failure" in Path("reports/shadow.xml").read_text()


def test_what_runs_as_it_was_allowed_is_recorded(step: dict[str, Any]) -> None:
    found = played(step)
    assert "exchanged" not in found
    assert [one["compared"] for one in found["places"]] == [3]


def test_the_step_succeeds_whatever_happens_in_it(step: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the shadow would stay: the next step takes it away."""

    def full(*_: Any) -> None:
        raise MemoryError("of the candidate's doing")

    monkeypatch.setattr(captured, "read", full)
    assert played(step)["why"] == "TestShadow ended by MemoryError: of the candidate's doing"
    monkeypatch.setattr("pipeline.shadow_watch.record.write", full)
    assert shadow_watch.main(MANIFEST, Path(), "prod", "id") == 0


def side(requests: int, errors: int = 0) -> dict[str, Any]:
    return {"requests": requests, "errors": errors, "latency_ms": {}}


FORGED = [
    ({"live": side(6), "new": side(6), "captured": {"live": 5_000, "new": 6}},
     "5,000 answers of the live version captured, 6 requests counted"),
    ({"live": side(6), "new": side(6), "captured": {"live": 6, "new": 7}},
     "7 answers of the shadow captured, 6 requests counted"),
    ({"live": side(6), "new": side(5_000)}, "5,000 requests to the shadow counted, 6 to the live version"),
    ({"live": side(6), "new": side(6, -50)}, "fewer than no requests to the shadow were counted"),
    ({"live": side(6), "new": side(5), "captured": {"live": 6, "new": 5}}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("place", "text"), FORGED)
def test_counts_that_cannot_be_are_named(place: dict[str, Any], text: str) -> None:
    """Who may write into the folders of captured data, or numbers of the endpoint, would make answers agree so."""
    assert shadow_page.contradiction(place) == text
    place |= {"account": "222222222222", "region": "us-east-1", "left_out": 2, "unread": True}
    lines = list(shadow_page.doubts({"shadow": {"places": [place]}}))
    assert lines[-2:] == [
        "in production's shadow 2 captured answers could not be read",
        "in production's shadow more was captured than is read",
    ]
    forged = [f"what the shadow answered may be forged: {text} (222222222222, us-east-1)"] if text else []
    assert lines[:-2] == forged


def test_a_slow_candidate_and_an_endpoint_that_was_not_read_are_named() -> None:
    """Its alarm would roll the update back (50-endpoint.yaml, Latency)."""
    place = {"account": "222222222222", "region": "us-east-1", "compared": 1, "agree": 1, "live": side(1)}
    places = [{**place, "new": side(1) | {"latency_ms": {"50": 2.0, "99": slowest}}} for slowest in (400.0, 1204.5)]
    found = {"live": "arn:1", "places": [*places, {"account": "3", "region": "r", "problem": "AccessDenied"}]}
    said = {
        allowed: list(
            shadow_page.attention({
                "shadow": found, "production": {"parameters": {"MaximumModelLatencyMicroseconds": allowed}},
            })
        )
        for allowed in ("1204499", "1204500")
    }  # fmt: skip
    unread = "in production's shadow 1 endpoint could not be read"
    slow = "in production's shadow 99 % within 1,204.5 ms, and the alarm is at 1,204.5 ms (222222222222, us-east-1)"
    assert said == {"1204499": [unread, slow], "1204500": [unread]}
