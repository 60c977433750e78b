"""The code of a function: what cannot be unpacked is refused, and nothing of it stays."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.roles import EVERYTHING, make_role
from tests.support.zips import zip_of

ACCOUNT, REGION = "111111111111", "us-east-1"


@pytest.mark.parametrize(
    "content",
    [
        *(
            zip_of(dict.fromkeys(names, "x"))
            for names in (["../../outside.py"], ["a", "a/b.py"], ["x" * 300], ["index.py", "index.py/x"])
        ),
        zip_of({"index.py": "b" * 99}).replace(b"bbb", b"ccc"),
    ],
    ids=["leads out", "a and a/b", "too long", "a file as a folder", "a wrong checksum"],
)
def test_code_that_cannot_be_unpacked_is_refused(cloud: Cloud, content: bytes) -> None:
    role = make_role(cloud, "run", "lambda", EVERYTHING)
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        cloud.root(ACCOUNT, REGION).client("lambda").create_function(
            FunctionName="odd", Runtime="python3.12", Handler="index.handler", Role=role, Code={"ZipFile": content}
        )
    assert [path for path in (cloud.folder / "lambda").rglob("*") if path.name != "code"] == []
    assert not list(cloud.folder.parent.rglob("outside.py"))
    assert cloud.faults == []
