"""Every statement of a template that `make rehearse` does not use is used by a test, or says why none can."""

from __future__ import annotations

import pytest

from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.permissions import Reason
from tests.support.played import PLAYED, not_rehearsed, played_by


def test_every_reason_is_a_feature_that_a_test_plays_or_no_rehearsal_reaches_it() -> None:
    unknown = []
    for template, logical_id, sid, reason in not_rehearsed():
        try:
            played_by(reason)
        except LookupError:
            unknown.append(f"{template} {logical_id} {sid}: {reason.text}")
    assert unknown == [], "\n".join(unknown)


def test_a_reason_that_is_neither_is_found() -> None:
    with pytest.raises(LookupError, match="some day"):
        played_by(Reason("Not rehearsed", (), "some day"))


@pytest.mark.parametrize("test", sorted(set(PLAYED.values())))
def test_what_plays_a_feature_proves_it(test: str) -> None:
    assert "check_played(" in (ROOT / test).read_text(encoding="utf-8")


def test_no_feature_is_without_a_statement() -> None:
    texts = [reason.text for *_, reason in not_rehearsed()]
    assert [feature for feature in PLAYED if not any(text.startswith(feature) for text in texts)] == []
