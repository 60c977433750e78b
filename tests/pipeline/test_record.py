"""The project's record is written once, and is read in the order of time."""

from __future__ import annotations

import io
import json
import time
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from pipeline import record
from pipeline.console import UserError
from tests.support.fake_services import Fake, error

BUCKET = "sagemaker-project-p-1"


def holding(*documents: tuple[str, Any]) -> Any:
    """An S3 client whose bucket holds these objects, one on each page."""
    held = {
        key: document if isinstance(document, bytes) else json.dumps(document).encode() for key, document in documents
    }

    def listed(Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803  # the API's names
        return [{}, *({"Contents": [{"Key": key}]} for key in reversed(held) if key.startswith(Prefix))]

    def got(Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # the API's names
        return {"Body": io.BytesIO(held[Key]), "ContentLength": len(held[Key])}

    fake = Fake(list_objects_v2=listed, get_object=got)
    fake.held = held  # type: ignore[attr-defined]
    return fake


def taking() -> Any:
    """An S3 client that takes conditional writes alone, as a project's bucket does below record/."""
    s3 = holding()

    def put(Bucket: str, Key: str, Body: bytes, **more: Any) -> Any:  # noqa: N803  # the API's names
        if more.get("IfNoneMatch") != "*":
            return error("PutObject", "AccessDenied")
        if Key in s3.held:
            return error("PutObject", "PreconditionFailed")
        s3.held[Key] = Body
        return {}

    s3.operations["put_object"] = put
    return s3


def test_an_entry_is_written_once() -> None:
    s3 = taking()
    assert record.write(s3, BUCKET, "record/decisions/e/1.json", {"at": "1", "passed": False})
    assert not record.write(s3, BUCKET, "record/decisions/e/1.json", {"at": "1", "passed": True})
    assert record.decisions(s3, BUCKET) == [{"at": "1", "passed": False}]
    assert record.approvals(s3, BUCKET) == []


def test_a_conflict_is_tried_again_and_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    answers: list[Any] = [error("PutObject", "ConditionalRequestConflict"), {}]
    in_the_end: Any = Fake(put_object=lambda **_: answers.pop(0))
    assert record.write(in_the_end, BUCKET, "k", {})
    assert pauses == [record.PAUSE]
    busy: Any = Fake(put_object=error("PutObject", "ConditionalRequestConflict"))
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        record.write(busy, BUCKET, "k", {})
    assert len(busy.calls) == record.TRIES
    refusing: Any = Fake(put_object=error("PutObject", "AccessDenied"))
    with pytest.raises(ClientError, match="AccessDenied"):
        record.write(refusing, BUCKET, "k", {})


def test_every_page_is_read_and_the_newest_comes_last() -> None:
    day = "2026-11-30T03-00-00"
    times = [f"{day}Z-10-Approved", f"{day}.5Z-9-Rejected", "2026-11-29T03-00-00Z-11-Approved"]
    s3 = holding(*((f"{record.APPROVALS}{name}.json", {"name": name}) for name in times))
    assert [document["name"] for document in record.approvals(s3, BUCKET)] == [times[2], times[0], times[1]]
    assert [(one.version, one.status) for one in record.entries(s3, BUCKET)] == [
        (11, "Approved"), (10, "Approved"), (9, "Rejected"),
    ]  # fmt: skip
    assert record.approvals(s3, BUCKET)[0] == record.read(s3, BUCKET, record.APPROVALS)[0]


def test_outcomes_are_those_of_a_stage_by_their_time() -> None:
    s3 = holding(
        (f"{record.OUTCOMES}b/prod-2.json", {"at": "2026-01-01"}),
        (f"{record.OUTCOMES}a/prod-10.json", {"at": "2026-01-03"}),
        (f"{record.OUTCOMES}a/staging-9.json", {"at": "2026-01-02"}),
    )
    assert [one["at"] for one in record.outcomes(s3, BUCKET, "prod")] == ["2026-01-01", "2026-01-03"]
    assert [one["at"] for one in record.outcomes(s3, BUCKET, "staging")] == ["2026-01-02"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"7", b" " * (record.LARGEST + 1)])
def test_an_object_that_is_no_entry_is_reported(content: bytes) -> None:
    s3 = holding((f"{record.DECISIONS}e/1.json", content))
    with pytest.raises(UserError, match=r"s3://sagemaker-project-p-1/record/decisions/e/1\.json is no entry"):
        record.decisions(s3, BUCKET)


def test_a_key_of_another_form_is_reported() -> None:
    s3 = holding((f"{record.APPROVALS}zzz.json", {}))
    with pytest.raises(UserError, match=r"zzz\.json is no entry of the project's record"):
        record.entries(s3, BUCKET)


@pytest.mark.parametrize("document", [{"metric": float("nan")}, {"metric": float("inf")}])
def test_what_is_no_json_is_not_written(document: dict[str, Any]) -> None:
    s3: Any = Fake(put_object={})
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.write(s3, "b", "record/decisions/e/1.json", document)
    assert s3.called("put_object") == []


def test_an_entry_that_no_step_could_read_is_not_written() -> None:
    with pytest.raises(UserError, match=r"would have 10,0.* bytes, and an entry of the record has at most 10,000,000"):
        record.write(cast("Any", Fake(put_object={})), "b", "record/decisions/e/1.json", {"x": "y" * 10_000_000})
