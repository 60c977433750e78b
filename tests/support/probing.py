"""The probes against an embedded AWS, with profiles as a stranger has them; and the record of what it answers.

python -m tests.support.probing      writes scripts/kit/probes/embedded.json again
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localaws.cloud import Cloud
from scripts import probe
from scripts.kit.probes.command import EMBEDDED
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.setting import ENGINEER, make_person, sign_in

SANDBOX, SECOND, REGION = "111111111111", "222222222222", "us-east-1"


@contextmanager
def sandboxes(folder: Path) -> Iterator[Cloud]:
    """Two empty accounts of an embedded AWS, and nothing but a file of profiles that says where they are."""
    with embedded_aws(folder / "cloud") as cloud, pytest.MonkeyPatch.context() as patch:
        text = ""
        for name, account in (("sandbox", SANDBOX), ("second", SECOND)):
            iam = cloud.root(account, REGION).client("iam")
            make_person(iam, account, ENGINEER, "arn:aws:iam::aws:policy/AdministratorAccess")
            text += sign_in(cloud, account, ENGINEER, REGION).profile(f"profile {name}")
        (folder / "profiles").write_text(text)
        patch.setenv("AWS_CONFIG_FILE", str(folder / "profiles"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        yield cloud


def play(folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, object]]]:
    """The exit code of `make probe`, and the results by probe."""
    results = folder / "results.json"
    line = ["--profile", "sandbox", "--second-profile", "second", "--yes", "--output", str(results), *arguments]
    status = probe.main(line)
    return status, {one["name"]: one for one in json.loads(results.read_text())["probes"]}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, sandboxes(Path(made)):
        found = play(Path(made))[1]
    EMBEDDED.write_text(json.dumps({name: one["aws"] for name, one in found.items()}, indent=2) + "\n")
