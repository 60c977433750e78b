"""What is counted of a candidate in production's shadow, from captured data and CloudWatch, and what never leaves."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import captured, shadow_page, shadow_watch
from pipeline.captured import LIVE, SHADOW, Variant
from pipeline.specification import sha256
from tests.support.fake_services import VERSIONS, Fake, error, package, registry

BEGAN = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
PLANNED: dict[str, Any] = {
    "minutes": 30, "requests": 2, "live": "arn:1", "endpoint": "Iris-p-1-prod", "capture": "account",
    "places": [["222222222222", "us-east-1"]],
}  # fmt: skip
CANDIDATE, IMAGE = f"{VERSIONS}/2", "111111111111.dkr.ecr.us-east-1.amazonaws.com/team/iris:1"
MANIFEST: dict[str, Any] = {
    "project": {"id": "p-1", "name": "Iris"}, "pipeline_execution_id": "run-1", "shadow": PLANNED,
    "model_package": {
        "version": 2, "group": "iris", "arn": CANDIDATE, "regions": {"us-east-1": CANDIDATE}, "copies": {},
        "images": [{"image": IMAGE, "digest": "sha256:a"}],
        "specification_sha256": sha256(package(2)["InferenceSpecification"]),
    },
}  # fmt: skip
PREFIX = "capture/Iris-p-1-prod"


def line(question: str, answer: str, minute: int = 31, kind: str = "text/csv", id: str = "") -> str:
    def part(text: str) -> dict[str, str]:
        if kind.startswith("text/csv"):
            return {"observedContentType": kind, "data": text, "encoding": "CSV"}
        data = base64.b64encode(text.encode()).decode()
        return {"observedContentType": kind, "data": data, "encoding": "BASE64"}

    at = BEGAN.replace(minute=minute).isoformat().replace("+00:00", "Z")
    meta = {"eventId": "e", "inferenceTime": at, **({"inferenceId": id} if id else {})}
    data = {"endpointInput": part(question), "endpointOutput": part(answer)}
    return json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})


class Kept:
    """A bucket of captured data: lines by variant and file."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def put(self, variant: str, name: str, *lines: str) -> None:
        self.files[f"{PREFIX}/{variant}/2026/11/30/09/{name}.jsonl"] = "\n".join(lines) + "\n"

    def client(self) -> Fake:
        def listed(Prefix: str, StartAfter: str, **_: Any) -> Any:  # noqa: N803  # the API's names
            keys = sorted(key for key in self.files if key.startswith(Prefix) and key > StartAfter)
            return [{"Contents": [{"Key": key, "Size": len(self.files[key])} for key in keys]}]

        def get(Key: str, **_: Any) -> Any:  # noqa: N803  # the API's name
            return {"Body": io.BytesIO(self.files[Key].encode())}

        return Fake(list_objects_v2=listed, get_object=get)


def counts(**asked: Any) -> Any:
    """CloudWatch: two periods, of which the second is slower."""
    variant = next(one["Value"] for one in asked["Dimensions"] if one["Name"] == "VariantName")
    if asked["MetricName"] == "ModelLatency":
        slow = 2000.0 if variant == LIVE else 9000.0
        points = [{"ExtendedStatistics": {"p50": 1000.0}}, {"ExtendedStatistics": {"p50": slow}}]
        return {"Datapoints": points}
    sums = {"Invocations": [3.0, 2.0], "Invocation4XXErrors": [0.0], "Invocation5XXErrors": [1.0]}[asked["MetricName"]]
    return {"Datapoints": [{"Sum": one} for one in sums]}


def running(package: str = CANDIDATE, digest: str = "sha256:a", shadow: bool = True) -> Fake:
    """An endpoint whose shadow runs this."""
    image = {"ResolvedImage": f"{IMAGE.rpartition(':')[0]}@{digest}"}
    variants = [{"VariantName": SHADOW, "DeployedImages": [image]}] if shadow else []
    return Fake(
        describe_endpoint=lambda **_: {
            "EndpointStatus": "InService", "EndpointConfigName": "config-2", "ShadowProductionVariants": variants,
        },
        describe_endpoint_config=lambda **_: {
            "ProductionVariants": [{"ModelName": "live"}], "ShadowProductionVariants": [{"ModelName": "new"}] * shadow,
        },
        describe_model=lambda ModelName: {  # noqa: N803  # the API's name
            "PrimaryContainer": {"ModelPackageName": package if ModelName == "new" else f"{VERSIONS}/1"}
        },
    )  # fmt: skip


def observed(kept: Kept, cloudwatch: Any = counts, sagemaker: Fake | None = None) -> dict[str, Any]:
    places = shadow_watch.places_of(MANIFEST)
    clients = {"s3": kept.client(), "cloudwatch": Fake(get_metric_statistics=cloudwatch)}
    clients["sagemaker"] = sagemaker or running()

    def become(account: str, region: str) -> Any:
        assert (account, region) == ("222222222222", "us-east-1")
        return clients.__getitem__

    shadow_watch.observe(places, 0.0, PLANNED["requests"], become, BEGAN, settle=0.0)
    return places[0].document()


def two_of_three() -> Kept:
    kept = Kept()
    kept.put(LIVE, "a", line("1,2", "0"), line("3,4", "1"))
    kept.put(LIVE, "b", line("5,6", "2"), line("9,9", "0"))
    kept.put(SHADOW, "a", line("3,4", "1.0000000001"), line("1,2", "0"), line("5,6", "0"), line("7,8", "0"))
    return kept


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


def test_a_request_is_known_by_its_callers_id_where_it_has_one() -> None:
    """Else two answers to requests of the same text, in another order, would be exchanged."""
    live, new = Variant(), Variant()
    for variant, answers in ((live, (("a", "1"), ("b", "2"))), (new, (("b", "2"), ("a", "1")))):
        for id, answer in answers:
            for one in captured.parse(line("same", answer, id=id), BEGAN):
                variant.answers.setdefault(one.request, []).append(one.answer)
    assert captured.compared(live, new) == {"compared": 2, "agree": 2}


HOSTILE = ["", "{}", "[]", "null", "not JSON", '{"captureData": 3, "eventMetadata": {}}', "[" * 100_000,
           line("1", "2").replace("2026", "never")]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_of_another_form_is_passed_over(text: str) -> None:
    assert list(captured.parse(text, BEGAN)) == []


def test_reading_ends_where_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured, "MOST", 2)
    kept, variant = two_of_three(), Variant()
    captured.read(kept.client(), "b", f"{PREFIX}/{LIVE}/", BEGAN, variant)  # type: ignore[arg-type]
    assert variant.count == 2


def test_a_later_look_reads_what_is_new_alone() -> None:
    kept, variant = two_of_three(), Variant()
    for _ in range(2):
        captured.read(kept.client(), "b", f"{PREFIX}/{LIVE}/", BEGAN, variant)  # type: ignore[arg-type]
    assert variant.count == 4


def test_a_file_that_comes_late_with_an_earlier_name_is_read() -> None:
    kept, variant = two_of_three(), Variant()
    for count in (4, 5):
        captured.read(kept.client(), "b", f"{PREFIX}/{LIVE}/", BEGAN, variant)  # type: ignore[arg-type]
        assert variant.count == count
        kept.put(LIVE, "Z", line("7,8", "1"))  # before "a"


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
    shadow_watch.look(place, become, BEGAN)
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


def test_what_runs_as_it_was_let_in_is_recorded(step: dict[str, Any]) -> None:
    found = played(step)
    assert "exchanged" not in found
    assert [one["compared"] for one in found["places"]] == [3]
