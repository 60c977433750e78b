"""Uploads in signed chunks: AWS's own examples, and each way in which one does not hold."""

from __future__ import annotations

import pytest

from awslang.errors import AwsError
from localaws.calls import HttpRequest
from localaws.chunked_upload import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, Signing, put_together
from localaws.signatures import signing_key

SCOPE, MOMENT = "20130524/us-east-1/s3/aws4_request", "20130524T000000Z"
# "Signature calculations for trailing headers (chunked uploads)", and "… Transferring Payload in Multiple Chunks"
TRAILING = (
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
)
PLAIN = (
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER = b"x-amz-checksum-crc32c:sOO8/Q==\r\n"


def signing(seed: str) -> Signing:
    return Signing(signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SCOPE), MOMENT, SCOPE, seed)


def body(signatures: tuple[str, ...]) -> bytes:
    one, two, last = (f";chunk-signature={s}\r\n".encode() for s in signatures)
    return b"10000" + one + b"a" * 65536 + b"\r\n400" + two + b"a" * 1024 + b"\r\n0" + last


def request(kind: str, content: bytes, length: int = 66560, trailer: str = "") -> HttpRequest:
    headers = {
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": str(length),
        "content-encoding": "aws-chunked",
    }
    return HttpRequest("PUT", "/b/k", "", headers | ({"x-amz-trailer": trailer} if trailer else {}), content)


def with_trailer(signature: str = TRAILING[4], trailer: bytes = TRAILER) -> HttpRequest:
    content = body(TRAILING[1:4]) + trailer + f"x-amz-trailer-signature:{signature}\r\n\r\n".encode()
    return request(SIGNED_TRAILER, content, trailer="x-amz-checksum-crc32c")


def test_the_page_on_chunks_is_accepted() -> None:
    found = put_together(request(SIGNED, body(PLAIN[1:]) + b"\r\n"), signing(PLAIN[0]))
    assert found.body == b"a" * 66560
    assert "content-encoding" not in found.headers
    assert found.headers["content-length"] == "66560"


def test_the_page_on_trailers_is_accepted() -> None:
    found = put_together(with_trailer(), signing(TRAILING[0]))
    assert found.body == b"a" * 66560
    assert found.headers["x-amz-checksum-crc32c"] == "sOO8/Q=="


def test_chunks_without_signatures_have_their_trailer() -> None:
    content = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    found = put_together(request(UNSIGNED_TRAILER, content, 5, "x-amz-checksum-crc32"), signing("none"))
    assert (found.body, found.headers["x-amz-checksum-crc32"]) == (b"abcde", "AAAAAA==")


def test_another_coding_stays() -> None:
    made = request(UNSIGNED_TRAILER, b"1\r\na\r\n0\r\n\r\n", 1)
    coded = {**made.headers, "content-encoding": "gzip,aws-chunked"}
    found = put_together(HttpRequest("PUT", "/b/k", "", coded, made.body), signing(""))
    assert found.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (request(SIGNED, body(PLAIN[1:]).replace(b"aaa", b"aab", 1)), "SignatureDoesNotMatch"),
        (request(SIGNED, body((PLAIN[2], PLAIN[1], PLAIN[3]))), "SignatureDoesNotMatch"),
        (request(SIGNED, b"3\r\nabc\r\n0\r\n\r\n", 3), "SignatureDoesNotMatch"),
        (request(SIGNED, body(PLAIN[1:]), 66561), "IncompleteBody"),
        (request(SIGNED, body(PLAIN[1:])[:-90]), "IncompleteBody"),
        (request(SIGNED, b""), "IncompleteBody"),
        (request(SIGNED, b"100000000\r\nabc"), "IncompleteBody"),
        (request(SIGNED, b"-1\r\nabc\r\n"), "IncompleteBody"),
        (request(SIGNED, b"x" * 100_000), "IncompleteBody"),
        (with_trailer(signature="0" * 64), "SignatureDoesNotMatch"),
        (with_trailer(trailer=b"x-amz-checksum-crc32c:AAAAAA==\r\n"), "SignatureDoesNotMatch"),
        (request(UNSIGNED_TRAILER, b"1\r\na\r\n0\r\n\r\n", 1, "x-amz-checksum-crc32"), "MalformedTrailerError"),
        (request(UNSIGNED_TRAILER, b"1\r\na\r\n0\r\nx-amz-acl:public-read\r\n\r\n", 1), "MalformedTrailerError"),
    ],
)
def test_what_does_not_hold_is_refused(made: HttpRequest, code: str) -> None:
    seed = TRAILING[0] if made.headers["x-amz-content-sha256"] == SIGNED_TRAILER else PLAIN[0]
    chain = signing(seed)
    with pytest.raises(AwsError) as refused:
        put_together(made, chain)
    assert refused.value.code == code
