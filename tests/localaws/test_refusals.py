"""AWS's words for a signature that does not hold."""

from __future__ import annotations

from typing import get_args

import pytest

from localaws.refusals import JSON, QUERY, S3, Reason, refusal


@pytest.mark.parametrize("words", [S3, QUERY, JSON])
def test_every_reason_has_its_words(words: dict[Reason, tuple[str, int, str]]) -> None:
    assert set(words) == set(get_args(Reason))


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("s3", "SignatureDoesNotMatch", 403),
        ("iam", "SignatureDoesNotMatch", 403),
        ("lambda", "InvalidSignatureException", 403),
        ("codebuild", "InvalidSignatureException", 400),
        ("not-a-service", "InvalidSignatureException", 400),
    ],
)
def test_the_code_is_the_protocols(service: str, code: str, status: int) -> None:
    error = refusal(service, "mismatch")
    assert (error.code, error.status) == (code, status)


def test_a_detail_stands_behind_the_message_but_s3s_messages_are_fixed() -> None:
    assert refusal("iam", "late", "a is now earlier than b").message == "Signature expired: a is now earlier than b"
    assert refusal("iam", "malformed", "No host.").message.endswith("standards. No host.")
    assert refusal("s3", "late", "a is now earlier than b").message == S3["late"][2]
